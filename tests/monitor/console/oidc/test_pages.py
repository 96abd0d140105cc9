"""The pages of a login by a provider: for whom they are, and in which language."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from monitor.console.app import PAGES, needs
from monitor.console.language.catalogue import COOKIE
from monitor.console.oidc.registration import CALLBACK
from monitor.store.people import FAILURES_OF_AN_ADDRESS
from tests.monitor.console.language import test_pages
from tests.monitor.console.language.test_pages import MarkedTexts, ensure_extracted, faults_of
from tests.monitor.console.made_console import NAMES, PASSWORD, SECOND, MadeConsole
from tests.monitor.console.oidc.made_logins import MadeLogins, begun, finished
from tests.support.openid.forged import ForgedProvider

marked = test_pages.marked

PATHS: Final = [route.path for route in PAGES if route.path.startswith("/login/oidc")]


def test_the_three_pages_are_for_everybody() -> None:
    assert PATHS == ["/login/oidc", CALLBACK, "/login/oidc/logout"]
    assert [needs(method, path) for path in PATHS for method in ("GET", "HEAD")] == [None] * 6


@pytest.mark.parametrize("name", [None, *NAMES])
def test_each_role_gets_the_same_of_them(logins: MadeLogins, name: str | None) -> None:
    with logins.browser() as browser:
        if name is not None:
            browser.post("/login", data={"name": name, "password": PASSWORD})
        found = [browser.get(path).status_code for path in PATHS]
        assert found == [303, 400, 404]
        posted = [browser.post(path).status_code for path in PATHS]
        assert posted == [405] * 3
        begins = browser.get("/login/oidc").headers["location"]
        assert begins.startswith(logins.provider.registration.issuer) == (name is None)


def test_without_a_provider_they_lead_to_the_login(console: MadeConsole) -> None:
    with console.client() as client:
        for path in PATHS:
            answer = client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert "Log in with" not in client.get("/login?left=1").text


def test_programs_do_not_see_them(console: MadeConsole) -> None:
    with console.client() as client:
        assert "oidc" not in client.get("/api/v1/openapi.json").text


def answers(logins: MadeLogins, forged: ForgedProvider) -> Iterator[tuple[int, Any]]:
    """Yield the status of each page that there is, and the page."""
    with logins.browser() as browser:
        browser.cookies.set(COOKIE, "x-marked")
        yield 200, browser.get("/login?left=1&next=/tasks")
        yield 400, finished(browser, code="c", state="x")
        yield 404, browser.get("/login/oidc/logout")
        for error in ("access_denied", "An Error"):
            sent = begun(browser)
            yield 403, finished(browser, error=error, state=sent["state"])
        for number in range(FAILURES_OF_AN_ADDRESS + 1):
            sent = begun(browser)
            status = 403 if number < FAILURES_OF_AN_ADDRESS else 429
            yield status, finished(browser, code="c", state=sent["state"])
        logins.console.clock.now += 3600 * SECOND
        forged.metadata = {}
        for path in ("/login/oidc", "/login/oidc/logout"):
            yield 503, browser.get(path)


def test_no_page_of_a_login_has_a_text_that_is_not_translated(
    logins: MadeLogins, forged: ForgedProvider, marked: MarkedTexts
) -> None:
    faults: dict[str, str] = {}
    for status, answer in answers(logins, forged):
        assert answer.status_code == status, answer.text
        assert 'class="warning" lang="en"' not in answer.text, answer.text
        faults |= faults_of(answer.text, str(answer.url))
    assert not faults, "\n".join(f"{left!r} ({place})" for left, place in faults.items())
    ensure_extracted(marked)
