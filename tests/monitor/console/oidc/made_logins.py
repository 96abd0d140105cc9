"""A console that people log in to by a provider, and the browsers that they use."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from starlette.testclient import TestClient

from monitor.console.app import create_app
from monitor.console.oidc.provider import Provider
from monitor.console.oidc.registration import CALLBACK, Registration
from tests.monitor.console.made_console import MadeConsole

HOME: Final = "http://127.0.0.1:8080"
CLIENT: Final = "weir"
SECRET: Final = "s3cret/of+a%test"  # noqa: S105 - of a made client


class MadeLogins:
    """A console with a provider; `clock` is the console's own unless another one is given."""

    def __init__(
        self,
        console: MadeConsole,
        issuer: str,
        clock: Callable[[], int] | None = None,
        **registered: Any,  # noqa: ANN401 - of a registration
    ) -> None:
        self.console = console
        self.clock = console.clock if clock is None else clock
        self.home = registered.pop("home", HOME)
        registered = {"client_id": CLIENT, "secret": SECRET, **registered}
        self.provider = Provider(Registration.of(issuer, home=self.home, **registered))
        self.app = create_app(
            console.store,
            clock=self.clock,
            hosts=frozenset({urlsplit(self.home).netloc}),
            is_https=self.home.startswith("https"),
            provider=self.provider,
        )

    @contextmanager
    def browser(self) -> Iterator[TestClient]:
        with TestClient(self.app, base_url=self.home, follow_redirects=False) as client:
            yield client


def begun(browser: TestClient, following: str = "") -> dict[str, str]:
    """Begin a login, and return what the browser brings to the provider."""
    sent = browser.get("/login/oidc", params={"next": following} if following else {})
    assert sent.status_code == 303, sent.text
    return {
        name: values[0]
        for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()
    }


def finished(browser: TestClient, **answer: str) -> Any:  # noqa: ANN401 - as the client has it
    """Come back from the provider with an answer."""
    return browser.get(CALLBACK, params=answer)


def is_in(browser: TestClient, name: str) -> bool:
    """Return whether a browser is in a session of somebody."""
    page = browser.get("/queue")
    return page.status_code == 200 and re.search(rf"<span>{name}, ", page.text) is not None
