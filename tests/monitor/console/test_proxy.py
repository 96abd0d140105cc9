"""A proxy logs people in by a header, and nobody else can."""

import re

import pytest
from starlette.testclient import TestClient

from monitor.console.app import create_app
from monitor.console.proxy import Proxy
from monitor.store.audit import verify
from tests.monitor.console.made_console import MadeConsole

HEADER = "X-Forwarded-User"
NEAR, FAR = "10.1.0.7", "10.1.1.7"


def client_of(console: MadeConsole, address: str) -> TestClient:
    app = create_app(
        console.store,
        clock=console.clock,
        hosts=frozenset({"testserver"}),
        proxy=Proxy.of(HEADER, ["10.1.0.0/24", "fd00::/64"]),
    )
    return TestClient(app, follow_redirects=False, client=(address, 40_000))


@pytest.mark.parametrize("address", [NEAR, f"::ffff:{NEAR}", "fd00::1"])
def test_whom_the_proxy_names_is_in_and_stays_in_one_session(
    console: MadeConsole, address: str
) -> None:
    client = client_of(console, address)
    first = client.get("/queue", headers={HEADER: "ana"})
    assert first.status_code == 200
    assert "ana, analyst" in first.text
    assert "set-cookie" in first.headers
    again = client.get("/queue", headers={HEADER: "ana"})
    assert "set-cookie" not in again.headers
    csrf = re.search(r'data-csrf="([^"]+)"', again.text)
    assert csrf is not None
    form = {"csrf": csrf[1], "query": "tab=open"}
    assert client.post("/queue/take", data=form, headers={HEADER: "ana"}).status_code == 303
    assert client.post("/queue/take", data=form, headers={HEADER: "bob"}).status_code == 403
    assert "bob, analyst" in client.get("/queue", headers={HEADER: "bob"}).text
    with console.store.reading() as connection:
        assert verify(connection).broken is None
        said = connection.exec_driver_sql("select after from audit where action = 'login'").all()
    assert any('"proxy"' in (row[0] or "") for row in said)


@pytest.mark.parametrize(
    ("address", "names"),
    [
        (FAR, ["ana"]),
        ("testclient", ["ana"]),
        (NEAR, ["ana", "paul"]),
        (NEAR, ["nobody"]),
        (NEAR, [""]),
    ],
)
def test_a_name_that_is_not_to_be_believed_is_refused(
    console: MadeConsole, address: str, names: list[str]
) -> None:
    client = client_of(console, address)
    refused = client.get("/queue", headers=[(HEADER, name) for name in names])
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert client.get("/queue").status_code == 303, "without the header, the login is as ever"


def test_without_a_proxy_the_header_says_nothing(console: MadeConsole) -> None:
    with console.client() as client:
        assert client.get("/queue", headers={HEADER: "ana"}).status_code == 303


@pytest.mark.parametrize(
    ("header", "networks", "said"),
    [
        ("Cookie", ["10.1.0.0/24"], "a header of its own"),
        ("X User", ["10.1.0.0/24"], "a header of its own"),
        ("X-User", [], "must be named"),
        ("X-User", ["10.1.0.1/24"], "must be as 10.1.0.0/24"),
        ("X-User", ["0.0.0.0/0"], "not be all addresses"),
        ("X-User", ["::/0"], "not be all addresses"),
    ],
)
def test_a_proxy_that_cannot_be_meant_is_refused(
    header: str, networks: list[str], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Proxy.of(header, networks)
