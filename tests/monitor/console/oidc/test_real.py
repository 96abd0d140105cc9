"""The whole login by a real provider, over HTTP: a browser that follows its forms and redirects."""

import html
import re
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urljoin

import httpx2
import pytest
from starlette.testclient import TestClient

from monitor.console.oidc.registration import CALLBACK
from tests.monitor.console.made_console import MadeConsole
from tests.monitor.console.oidc.made_logins import CLIENT, HOME, SECRET, MadeLogins, begun, is_in
from tests.support.openid.real import OpenIdUnavailableError, real_provider

CLIENTS: Final = [
    {
        "client_id": client_id,
        "redirect_uris": [f"{HOME}{CALLBACK}"],
        "post_logout_redirect_uris": [f"{HOME}/login"],
        **more,
    }
    for client_id, more in {
        CLIENT: {"client_secret": SECRET},
        "public": {"token_endpoint_auth_method": "none"},
        "other": {"client_secret": SECRET},
    }.items()
]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    try:
        with real_provider(CLIENTS) as address:
            yield address
    except OpenIdUnavailableError as error:
        pytest.skip(f"NO OPENID PROVIDER, the login was tried on a forged one alone: {error}")


def now() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def logins(console: MadeConsole, issuer: str) -> MadeLogins:
    return MadeLogins(console, issuer, now)


class There(httpx2.Client):
    """A browser at the provider, with cookies of its own."""

    def filled(self, address: str, name: str) -> str:
        """Follow redirects and fill in forms, and return the address that leads back to us."""
        answer = self.get(address)
        for _ in range(12):
            if answer.is_redirect:
                to = urljoin(str(answer.url), answer.headers["location"])
                if to.startswith(HOME):
                    return to
                answer = self.get(to)
                continue
            assert answer.status_code == 200, answer.text
            answer = self._submit(answer, name)
        raise AssertionError(answer.text)

    def _submit(self, page: Any, name: str) -> Any:  # noqa: ANN401 - the client's own
        form = re.search(r'<form[^>]*action="([^"]*)"', page.text)
        assert form, page.text
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        if 'name="login"' in page.text:
            fields |= {"login": name, "password": "any"}
        if 'name="logout"' in page.text:
            fields |= {"logout": "yes"}
        return self.post(urljoin(str(page.url), html.unescape(form[1])), data=fields)


def came(
    browser: TestClient, name: str = "ana", there: There | None = None, query: str = ""
) -> Any:  # noqa: ANN401 - the client's own
    """Log in at the provider by a name, and return what the console answers."""
    address = browser.get(f"/login/oidc{query}").headers["location"]
    with there or There() as used:
        return browser.get(used.filled(address, name))


def test_whom_the_provider_names_is_in(logins: MadeLogins) -> None:
    with logins.browser() as browser:
        done = came(browser, query="?next=/queue%3Fkind%3Dreview")
        assert (done.status_code, done.headers["location"]) == (303, "/queue?kind=review"), (
            done.text
        )
        assert is_in(browser, "ana")
        assert "weir-login" not in browser.cookies


def test_a_client_without_a_secret_logs_in(console: MadeConsole, issuer: str) -> None:
    logins = MadeLogins(console, issuer, now, client_id="public", secret=None)
    with logins.browser() as browser:
        assert came(browser).status_code == 303
        assert is_in(browser, "ana")


@pytest.mark.parametrize("name", ["nobody", "ANA", "(setup)"])
def test_whom_nobody_knows_here_is_refused(logins: MadeLogins, name: str) -> None:
    with logins.browser() as browser:
        done = came(browser, name)
        assert done.status_code == 403
        assert "must be an active user here: see weir user add" in done.text
        assert browser.get("/queue").status_code == 303


def test_an_answer_that_was_used_is_refused_here_and_there(logins: MadeLogins) -> None:
    with logins.browser() as browser:
        address = browser.get("/login/oidc").headers["location"]
        with There() as there:
            back = there.filled(address, "ana")
        assert browser.get(back).status_code == 303
        assert browser.get(back).status_code == 400
        browser.cookies.delete("weir")
        sent = begun(browser)
        code = re.search(r"code=([^&]+)", back)
        assert code
        issued = {
            "code": code[1],
            "state": sent["state"],
            "iss": logins.provider.registration.issuer,
        }
        assert browser.get(CALLBACK, params=issued).status_code == 403
        assert not is_in(browser, "ana")


def test_an_answer_in_another_browser_is_refused(logins: MadeLogins) -> None:
    with logins.browser() as browser, logins.browser() as other, There() as there:
        back = there.filled(browser.get("/login/oidc").headers["location"], "ana")
        begun(other)
        assert other.get(back).status_code == 400
        assert not is_in(other, "ana")
        assert browser.get(back).status_code == 303


def test_the_code_of_another_s_login_is_refused(logins: MadeLogins) -> None:
    """PKCE: whoever brings the code must have begun the login that it is of."""
    with logins.browser() as browser, logins.browser() as other, There() as there:
        back = there.filled(browser.get("/login/oidc").headers["location"], "ana")
        sent = begun(other)
        injected = re.sub(r"state=[^&]+", f"state={sent['state']}", back)
        assert other.get(injected).status_code == 403
        assert not is_in(other, "ana")


def test_a_wrong_secret_is_refused(console: MadeConsole, issuer: str) -> None:
    logins = MadeLogins(console, issuer, now, secret="not-the-secret")  # noqa: S106 - of a made client
    with logins.browser() as browser:
        assert came(browser).status_code == 403
        assert not is_in(browser, "ana")


def test_an_e_mail_that_the_provider_has_not_verified_is_refused(
    console: MadeConsole, issuer: str
) -> None:
    logins = MadeLogins(console, issuer, now, claim="email")
    with logins.browser() as browser:
        assert came(browser).status_code == 403


def test_the_provider_s_session_ends_there(logins: MadeLogins) -> None:
    with logins.browser() as browser, There() as there:
        address = browser.get("/login/oidc").headers["location"]
        browser.get(there.filled(address, "ana"))
        csrf = re.search(r'data-csrf="([^"]+)"', browser.get("/queue").text)
        assert csrf
        browser.post("/logout", data={"csrf": csrf[1]})
        assert not is_in(browser, "ana")
        again = there.get(browser.get("/login/oidc").headers["location"])
        assert again.is_redirect, "there, the session lives on"
        leaving = browser.get("/login/oidc/logout").headers["location"]
        assert there.filled(leaving, "").startswith(f"{HOME}/login")


def test_a_provider_that_has_ended_leaves_passwords(console: MadeConsole) -> None:
    try:
        with real_provider(CLIENTS) as address:
            logins = MadeLogins(console, address, now)
            with logins.browser() as browser:
                assert came(browser).status_code == 303
                browser.cookies.delete("weir")
                sent = begun(browser)
    except OpenIdUnavailableError as error:
        pytest.skip(f"NO OPENID PROVIDER: {error}")
    with logins.browser() as other:
        other.cookies.update(browser.cookies)
        answer = {"code": "c", "state": sent["state"], "iss": address}
        assert other.get(CALLBACK, params=answer).status_code == 503
    later = MadeLogins(console, address, now)
    with later.browser() as browser:
        away = browser.get("/login/oidc")
        assert away.status_code == 503
        assert "127.0.0.1 does not answer now: try again, or log in with a password" in away.text
        assert browser.get("/login").status_code == 200
