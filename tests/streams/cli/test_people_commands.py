"""`weir user` and `weir verify`: who may log in to the console, and whether the audit is whole."""

import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
import typer
from argon2 import PasswordHasher

from monitor.store import people
from monitor.store.people import LoginError, Role, login, person_of
from monitor.store.programs.tokens import Scope, TokenError, bearer
from monitor.store.store import Store
from streams.cli import user as command_user
from streams.cli import user_token
from streams.cli.exit_status import exit_status
from streams.cli.user import now
from tests.support.command_line import Weir, fields, weir_of
from tests.support.rigs import command

GOOD: Final = "five plain words here"
OTHER: Final = "five other words here"
URL: Final = "sqlite:///weir.db"
LATER: Final = 2**60
"""A time after all that commands write, in microseconds since 1970."""


@pytest.fixture
def weir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Weir:
    """Run the command line here, in a folder of its own."""
    monkeypatch.setattr("streams.interpreter.configure_interpreter", lambda: None)
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "HASHER", cheap)
    monkeypatch.delenv("WEIR_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    return weir_of(monkeypatch, capsys)


@pytest.fixture
def store(weir: Weir) -> Iterator[Store]:
    """The store that commands of a test use."""
    del weir
    opened = Store.open(URL)
    yield opened
    opened.close()


def type_in(monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(line), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)


def add(weir: Weir, monkeypatch: pytest.MonkeyPatch, name: str, role: str = "analyst") -> Any:  # noqa: ANN401 - JSON
    type_in(monkeypatch, GOOD.encode() + b"\r\nof the second line\n")
    return fields(weir("user", "add", name, "--role", role, "--password-stdin", "--json"))


@pytest.mark.parametrize("role", Role)
def test_who_was_added_can_log_in(
    weir: Weir, store: Store, monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    added = add(weir, monkeypatch, "Ann", role.value)
    assert (added["name"], added["role"], added["is_active"]) == ("Ann", role.value, True)
    token = login(store, "Ann", GOOD, "", LATER)
    person = person_of(store, token, LATER)
    assert person is not None
    assert person.role is role
    assert fields(weir("verify", "--json"))["entries"] == 2


def test_the_roles_are_those_of_the_store() -> None:
    assert [role.value for role in command_user.OfRole] == [role.value for role in Role]


def test_users_are_listed_as_they_stand(
    weir: Weir, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nobody may log in" in weir("user", "list").out
    add(weir, monkeypatch, "Bob", "viewer")
    add(weir, monkeypatch, "Ann")
    login(store, "Ann", GOOD, "", 1_767_900_000_000_000)
    assert weir("user", "disable", "Bob").out == "Bob: viewer, disabled, last seen never\n"
    listed = weir("user", "list").out
    assert listed.splitlines()[0] == "Ann: analyst, active, last seen 2026-01-08T19:20:00Z"
    users = fields(weir("user", "list", "--json"))["users"]
    assert [(known["name"], known["is_active"]) for known in users] == [
        ("Ann", True), ("Bob", False)
    ]  # fmt: skip


def test_who_is_disabled_cannot_log_in_until_enabled(
    weir: Weir, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(weir, monkeypatch, "Ann")
    assert not fields(weir("user", "disable", "Ann", "--json"))["is_active"]
    with pytest.raises(LoginError):
        login(store, "Ann", GOOD, "", LATER)
    assert fields(weir("user", "enable", "Ann", "--json"))["is_active"]
    assert login(store, "Ann", GOOD, "", LATER)


def test_a_password_is_replaced(weir: Weir, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(weir, monkeypatch, "Ann")
    type_in(monkeypatch, OTHER.encode())
    assert weir("user", "password", "Ann", "--password-stdin").status == 0
    with pytest.raises(LoginError):
        login(store, "Ann", GOOD, "", LATER)
    assert login(store, "Ann", OTHER, "", LATER)


def test_a_password_is_asked_for_on_a_terminal(
    weir: Weir, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def prompt(_: str, **options: Any) -> str:  # noqa: ANN401 - Typer's own
        asked.append(options)
        return GOOD

    monkeypatch.setattr(typer, "prompt", prompt)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert weir("user", "add", "Ann", "--role", "admin").status == 0
    assert asked == [{"hide_input": True, "confirmation_prompt": True}]
    assert login(store, "Ann", GOOD, "", LATER)


@pytest.mark.parametrize(
    ("line", "words", "problem"),
    [
        (b"short\n", ["user", "add", "Ann ", "--role", "viewer"], "must not begin or end with a b"),
        (b"short\n", ["user", "add", "Ann ", "--role", "viewer"], "12 to 128 characters, not 5"),
        (b"\n", ["user", "add", "Ann", "--role", "viewer"], "12 to 128 characters, not 0"),
        (b"\xff" * 20, ["user", "add", "Ann", "--role", "viewer"], "must be UTF-8 text"),
        (GOOD.encode(), ["user", "password", "Cid"], "there is no user 'Cid'"),
    ],
)
def test_what_cannot_be_used_is_said(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, line: bytes, words: list[str], problem: str
) -> None:
    type_in(monkeypatch, line)
    said = weir(*words, "--password-stdin")
    assert said.status == 2
    assert problem in said.err
    assert "Traceback" not in said.err


def test_another_role_ends_the_sessions_of_the_old_one(
    weir: Weir, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(weir, monkeypatch, "Ann")
    token = login(store, "Ann", GOOD, "", now())
    assert fields(weir("user", "role", "Ann", "viewer", "--json"))["role"] == "viewer"
    assert person_of(store, token, now()) is None
    person = person_of(store, login(store, "Ann", GOOD, "", now()), now())
    assert person is not None
    assert person.role is Role.VIEWER
    with store.reading() as connection:
        row = connection.exec_driver_sql(
            "select subject, before, after from audit where action = 'role-set'"
        ).one()
    assert row[0] == "Ann"
    assert json.loads(row[1]) == {"role": "analyst"}
    assert json.loads(row[2]) == {"role": "viewer", "sessions_ended": 1}
    assert weir("user", "role", "Eve", "viewer").status == 2
    assert weir("user", "role", "Ann", "boss").status == 2


@pytest.mark.parametrize("change", ["disable", "enable"])
def test_nobody_is_no_user(weir: Weir, change: str) -> None:
    said = weir("user", change, "Cid")
    assert (said.status, said.out) == (2, "")
    assert "there is no user 'Cid'" in said.err


def test_without_a_terminal_the_password_must_be_on_stdin(
    weir: Weir, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, GOOD.encode())
    said = weir("user", "add", "Ann", "--role", "viewer")
    assert said.status == 2
    assert "--password-stdin" in said.err


def test_a_store_that_is_made_by_it_is_named(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'another.db'}"
    for name, is_said in (("Ann", True), ("Ben", False)):
        type_in(monkeypatch, GOOD.encode())
        words = ["--role", "viewer", "--password-stdin", "--store", url]
        said = weir("user", "add", name, *words)
        assert said.status == 0, said.err
        assert ("another.db was not there and was made" in said.err) is is_said


# -- tokens ---------------------------------------------------------------------------------------


def test_a_token_is_shown_once_used_and_revoked(
    weir: Weir, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there are no tokens" in weir("user", "token", "list").out
    add(weir, monkeypatch, "Ann")
    made = fields(
        weir("user", "token", "add", "nightly", "--for", "Ann", "--scope", "decide", "--json")
    )
    shown = weir("user", "token", "add", "other", "--for", "Ann")
    assert bearer(store, shown.out.strip(), "", now()).role is Role.VIEWER
    assert bearer(store, made["token"], "", now()).role is Role.ANALYST
    listed = weir("user", "token", "list", "--json")
    assert made["token"] not in listed.out + weir("user", "token", "list").out
    assert [known["scope"] for known in fields(listed)["tokens"]] == ["decide", "read"]
    assert fields(weir("user", "token", "revoke", "nightly", "--json"))["revoked_at"]
    with pytest.raises(TokenError):
        bearer(store, made["token"], "", now())
    assert "revoked 2" in weir("user", "token", "list").out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["add", "nightly", "--for", "Eve"], "the owner must be a user who may log in"),
        (["add", "Nightly", "--for", "Ann"], "a token's name must"),
        (["add", "nightly", "--for", "Ann", "--scope", "approve"], "needs approver"),
        (["add", "nightly", "--for", "Ann", "--days", "366"], "365"),
        (["revoke", "nightly"], "there is no token"),
    ],
)
def test_a_token_that_cannot_be_is_refused(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, words: list[str], problem: str
) -> None:
    add(weir, monkeypatch, "Ann")
    refused = weir("user", "token", *words)
    assert (refused.status, refused.out) == (2, "")
    assert problem in refused.err


def test_the_scopes_are_those_of_the_store() -> None:
    assert [scope.value for scope in user_token.OfScope] == [scope.value for scope in Scope]


# -- webhooks -------------------------------------------------------------------------------------


def test_a_webhook_is_added_listed_and_removed(weir: Weir, tmp_path: Path) -> None:
    assert "there are no webhooks" in weir("webhook", "list").out
    (tmp_path / "secret").write_text("sixteen bytes or more")
    add_it = ("webhook", "add", "https://a.example/x", "--secret-file", "secret")
    made = fields(weir(*add_it, "--kinds", "review, systemic", "--allow-private", "--json"))
    assert (made["number"], made["kinds"]) == (1, ["review", "systemic"])
    assert weir(*add_it).out.startswith("2: https://a.example/x, every kind, secret in /")
    assert len(fields(weir("webhook", "list", "--json"))["webhooks"]) == 2
    assert "review, systemic, may be private" in weir("webhook", "list").out
    assert fields(weir("webhook", "remove", "1", "--json")) == {"removed": 1, "not_delivered": 0}
    assert weir("webhook", "remove", "1").status == 2
    refused = weir("webhook", "add", "http://a.example/", "--secret-file", "none")
    assert refused.status == 2
    assert "must be https" in refused.err
    assert "must be readable" in refused.err
    assert "Traceback" not in refused.err
    assert fields(weir("verify", "--json"))["entries"] == 3


# -- the audit ------------------------------------------------------------------------------------


def test_a_whole_audit_is_said_with_what_to_note(
    weir: Weir, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(weir, monkeypatch, "Ann")
    said = weir("verify")
    found = fields(weir("verify", "--json"))
    assert said.status == 0
    assert said.out.splitlines()[0] == "1 entries, all as they were written"
    noted = f"1:{found['last']}"
    assert said.out.splitlines()[1].endswith(noted)
    assert (found["entries"], found["broken"], found["why"]) == (1, None, None)
    assert weir("verify", "--known", noted).status == 0


def test_a_broken_audit_is_status_1_on_a_copy_too(
    weir: Weir, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Ann", "Bob", "Cid"):
        add(weir, monkeypatch, name)
    noted = f"3:{fields(weir('verify', '--json'))['last']}"
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE audit SET subject = 'Eve' WHERE number = 2")
    with sqlite3.connect("copy.db") as copy, sqlite3.connect("weir.db") as original:
        original.backup(copy)
    copy.close()
    original.close()
    for url in (URL, "sqlite:///copy.db"):
        said = weir("verify", "--store", url, "--json")
        assert said.status == 1
        found = json.loads(said.out)
        assert (found["entries"], found["broken"]) == (1, 2)
        assert found["why"]
        said = weir("verify", "--store", url)
        assert said.status == 1
        assert said.out.startswith("entry 2 is broken: ")
    with store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE number > 1")
    assert weir("verify").status == 0  # what was cut off does not show
    assert weir("verify", "--known", noted).status == 1


@pytest.mark.parametrize("known", ["", "1", "1:x", f"0:{'a' * 64}", f"x:{'a' * 64}"])
def test_what_was_noted_must_be_a_number_and_a_hash(weir: Weir, store: Store, known: str) -> None:
    del store
    said = weir("verify", "--known", known)
    assert said.status == 2
    assert "must be a number and a hash" in said.err


def test_a_file_that_is_not_there_is_not_made(weir: Weir, tmp_path: Path) -> None:
    for words in (["--store", "sqlite:///no.db"], []):
        said = weir("verify", *words)
        assert said.status == 2
        assert "No such file or directory" in said.err
    assert list(tmp_path.iterdir()) == []


# -- the store ------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["nonsense", "mysql://db/weir", "sqlite:////no/such/folder/x.db"])
def test_a_store_that_cannot_be_used_is_a_usage_error(weir: Weir, url: str) -> None:
    for words in (["user", "list"], ["verify"]):
        said = weir(*words, "--store", url)
        assert (said.status, said.out) == (2, "")
        assert said.err.startswith("weir: ")
        assert "Traceback" not in said.err


def test_the_store_is_the_option_s_then_the_environment_s(
    weir: Weir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WEIR_STORE", "sqlite:///other.db")
    assert weir("user", "list").status == 0
    assert weir("user", "list", "--store", "sqlite:///third.db").status == 0
    assert {path.name for path in tmp_path.glob("*.db")} == {"other.db", "third.db"}


def test_without_the_extra_it_is_said_what_to_install(
    weir: Weir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    said = weir("user", "list")
    assert said.status == 3
    assert "pip install -e '.[console]'" in said.err


def test_errors_of_a_store_do_not_load_the_store() -> None:
    code = (
        "import sys; from streams.cli.exit_status import exit_status;"
        " assert exit_status(KeyError('x')) is None;"
        " assert not {'sqlalchemy', 'argon2', 'monitor.store.store'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_only_the_store_s_own_errors_are_an_operator_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(people.PeopleError(["why"])) == 2
    assert "why" in capsys.readouterr().err
    assert exit_status(LoginError()) is None


def test_the_command_runs_by_itself(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'weir.db'}"
    listed = command("user", "list", "--json", WEIR_STORE=url)
    assert (listed.returncode, json.loads(listed.stdout)) == (0, {"users": []})
    verified = command("verify", "--json", WEIR_STORE=url)
    assert (verified.returncode, json.loads(verified.stdout)["entries"]) == (0, 0)
