"""`weir console`: the options by which people log in by a provider."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.console.oidc.provider import Provider
from streams.cli import console as command
from streams.cli.exit_status import EXIT_NOT_READY
from tests.support.command_line import Weir, weir_of

ISSUER = ("--oidc-issuer", "https://login.bank.example")
CLIENT = ("--oidc-client-id", "weir")
PACKAGES = ("authlib", "joserfc", "requests", "cryptography")


@pytest.fixture
def weir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Weir:
    """Run the command line here, in a folder of its own."""
    monkeypatch.setattr("streams.interpreter.configure_interpreter", lambda: None)
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WEIR_STORE", "sqlite:///weir.db")
    monkeypatch.setenv("WEIR_BROKER", "127.0.0.1:1")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    return weir_of(monkeypatch, capsys)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the console was to be served with, instead of being served."""
    calls: list[Any] = []

    async def serve(*arguments: Any) -> None:  # noqa: ANN401 - as the command calls it
        calls.append(arguments)

    monkeypatch.setattr(command, "_serve", serve)
    monkeypatch.setattr(command, "ensure_free", lambda *_: None)
    return calls


def registration_of(served: list[Any]) -> Any:  # noqa: ANN401 - a registration
    _, provider = served[-1][-1]
    assert isinstance(provider, Provider)
    return provider.registration


def test_a_provider_is_known_by_the_options(weir: Weir, served: list[Any], tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text(" hush-hush \n", encoding="utf-8")
    said = weir("console", "--no-browser", "--port", 8123, *ISSUER, *CLIENT,
                "--oidc-secret-file", "secret.txt", "--oidc-claim", "email")  # fmt: skip
    assert said.status == 0, said.err
    assert "hush" not in said.out + said.err
    made = registration_of(served)
    assert (made.issuer, made.client_id, made.claim) == (ISSUER[1], "weir", "email")
    assert made.secret == "hush-hush"  # noqa: S105 - made
    assert made.callback == "http://127.0.0.1:8123/login/oidc/callback"


@pytest.mark.parametrize(
    ("options", "callback"),
    [
        (("--host", "::1"), "http://[::1]:8080/login/oidc/callback"),
        (
            ("--address", "https://weir.bank.example/"),
            "https://weir.bank.example/login/oidc/callback",
        ),
    ],
)
def test_the_redirect_uri_follows_from_the_name(
    weir: Weir, served: list[Any], options: tuple[str, ...], callback: str
) -> None:
    assert weir("console", "--no-browser", *ISSUER, *CLIENT, *options).status == 0
    assert registration_of(served).callback == callback
    assert registration_of(served).secret is None


@pytest.mark.parametrize(
    ("options", "host", "is_https"),
    [
        ((), "127.0.0.1:8080", False),
        (("--host", "::1"), "[::1]:8080", False),
        (("--name", "a.example"), "a.example:8080", False),
        (("--address", "https://a.example"), "a.example", True),
        (("--address", "https://a.example:8443/"), "a.example:8443", True),
    ],
)
def test_hosts_and_cookies_are_those_of_the_address_that_browsers_use(
    weir: Weir, served: list[Any], options: tuple[str, ...], host: str, *, is_https: bool
) -> None:
    said = weir("console", "--no-browser", *options)
    assert said.status == 0, said.err
    hosts, is_secure = served[-1][3]
    assert host in hosts
    assert is_secure is is_https
    assert f"//{host}" in said.err


def test_without_the_options_there_is_no_provider(weir: Weir, served: list[Any]) -> None:
    assert weir("console", "--no-browser").status == 0
    assert served[-1][-1] == (None, None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ISSUER, "go together"),
        (CLIENT, "go together"),
        (("--oidc-secret-file", "secret.txt"), "needs --oidc-issuer"),
        (("--oidc-issuer", "http://login.bank.example", *CLIENT), "must begin with https://"),
        (("--oidc-issuer", "http://127.0.0.1.example", *CLIENT), "must begin with https://"),
        (("--oidc-issuer", "https://u:p@login.example", *CLIENT), "without a user"),
        (("--oidc-issuer", "https://login.example/?a=b", *CLIENT), "no query"),
        (("--oidc-issuer", "https://[x", *CLIENT), "must be an address"),
        ((*ISSUER, "--oidc-client-id", ""), "printable text"),
        ((*ISSUER, *CLIENT, "--oidc-claim", "a b"), "the claim must be"),
        ((*ISSUER, *CLIENT, "--oidc-secret-file", "gone.txt"), "must be readable"),
        ((*ISSUER, *CLIENT, "--oidc-secret-file", "secret.txt"), "without blanks"),
        ((*ISSUER, *CLIENT, "--name", "weir.bank.example"), "--address"),
        (("--address", "http://weir.bank.example"), "must be as https://"),
        (("--address", "weir.bank.example"), "must be as https://"),
        (("--address", "https://weir.bank.example/console"), "must be as https://"),
        (("--address", "https://ann@weir.bank.example"), "must be as https://"),
        (("--address", "https://weir.bank.example:x"), "must be as https://"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    weir: Weir, served: list[Any], tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / "secret.txt").write_text("hush hush", encoding="utf-8")
    got = weir("console", "--no-browser", *options)
    assert got.status == 2
    assert said in " ".join(got.err.replace("│", " ").split())
    assert "hush" not in got.err
    assert not served


def test_a_missing_package_names_the_extra(
    weir: Weir, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> object:
        return None if name == "authlib" else object()

    monkeypatch.setattr("importlib.util.find_spec", find)
    got = weir("console", "--no-browser", *ISSUER, *CLIENT)
    assert got.status == EXIT_NOT_READY
    assert "pip install -e '.[console,oidc]'" in got.err
    assert not served


def test_a_console_without_a_provider_loads_none_of_its_packages() -> None:
    code = "import sys, monitor.console.app, streams.cli.console; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert not set(PACKAGES) & set(done.stdout.split())
