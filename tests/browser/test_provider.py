"""Login by a real OpenID provider in a real browser: its policy and its cookies let it through.

The console is at `localhost` and the provider at `127.0.0.1`, which are two sites for a browser.
"""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from monitor.console.app import create_app
from monitor.console.oidc.provider import Provider
from monitor.console.oidc.registration import CALLBACK, Registration
from tests.browser import test_triage
from tests.browser.test_triage import Served, until
from tests.support.openid.real import OpenIdUnavailableError, real_provider

pytestmark = pytest.mark.slow

served, browser = test_triage.served, test_triage.browser


@pytest.fixture
def provided(served: Served) -> Iterator[str]:
    """The address of a console that people log in to by a provider."""
    port = served.address.rpartition(":")[2]
    home = f"http://localhost:{port}"
    client = {
        "client_id": "weir",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [f"{home}{CALLBACK}"],
        "post_logout_redirect_uris": [f"{home}/login"],
    }
    try:
        with real_provider([client]) as issuer:
            served.app = create_app(
                served.store,
                clock=lambda: time.time_ns() // 1000,
                hosts=frozenset({f"localhost:{port}"}),
                provider=Provider(Registration.of(issuer, "weir", home)),
            )
            yield home
    except OpenIdUnavailableError as error:
        pytest.skip(f"NO OPENID PROVIDER: {error}")


@pytest.fixture
def page(browser: Any, provided: str) -> Iterator[Any]:  # noqa: ANN401 - playwright's
    """A page that loads nothing from beyond this machine; ours must log no error."""
    problems: list[str] = []
    found = browser.new_page()
    found.route(
        lambda address: urlsplit(address).hostname not in {"localhost", "127.0.0.1"},
        lambda route: route.abort(),  # the provider's pages ask for a font
    )
    found.on(
        "console",
        lambda said: (
            problems.append(said.text)
            if said.type == "error" and said.location["url"].startswith(provided)
            else None
        ),
    )
    yield found
    found.close()
    assert problems == []


def test_a_browser_logs_in_and_out_by_the_provider(page: Any, provided: str) -> None:  # noqa: ANN401
    page.goto(f"{provided}/queue?kind=review")
    page.click("text=Log in with 127.0.0.1")
    page.fill("input[name=login]", "ana")
    page.fill("input[name=password]", "any")
    page.click("button[type=submit]")
    page.wait_for_load_state()
    page.click("button[type=submit]")  # it asks whether the console may know the name
    page.wait_for_url(f"{provided}/queue?kind=review")
    until(page, ".who", "ana, analyst")
    assert "weir-login" not in {cookie["name"] for cookie in page.context.cookies()}
    page.click("text=Log out")
    until(page, "main", "you are still logged in there")
    page.click("text=Log in with 127.0.0.1")
    until(page, ".who", "ana, analyst")
    page.click("text=Log out")
    page.click("text=Log out there, too")
    page.click("button[value=yes]")
    page.wait_for_url(f"{provided}/login*")
    page.click("text=Log in with 127.0.0.1")
    page.wait_for_selector("input[name=login]")
