"""The API: its document, its lists, its tags, and its problems."""

import pytest
from starlette.routing import Route

from monitor.console.app import OF_API, needs
from monitor.console.openapi.document import document
from tests.monitor.console.made_console import MadeConsole, identity, limit_alert

ALERT = identity("A2 2026-02-14")
INCIDENT = identity("systemic 2026-02-14")
METHODS = {"get", "post", "put", "patch", "delete"}


def test_the_document_has_the_routes_and_no_others() -> None:
    described = {
        (method.upper(), path)
        for path, item in document()["paths"].items()
        for method in item
        if method in METHODS
    }
    served = {
        (method, route.path.replace(":path}", "}"))
        for route in OF_API
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert described == served


def test_the_document_names_what_its_routes_need() -> None:
    for path, item in document()["paths"].items():
        for method in METHODS & set(item):
            is_public = needs(method.upper(), path) is None
            assert (item[method].get("security") == []) == is_public
            names = {part["name"] for part in item.get("parameters", ()) if part["in"] == "path"}
            assert names == set(Route(path, lambda: None).param_convertors)


def test_references_of_the_document_lead_somewhere() -> None:
    text = str(document())
    schemas = document()["components"]["schemas"]
    assert all(f"'#/components/schemas/{name}'" in text for name in schemas)
    assert text.count("#/components/schemas/") >= len(schemas)


def test_a_list_is_paged_by_cursors(console: MadeConsole) -> None:
    console.take(*(limit_alert(f"P{number}") for number in range(7)))
    with console.client("vera") as client:
        whole = client.get("/api/v1/alerts").json()
        ids, cursor = [], None
        while True:
            params = {"limit": "3", **({"cursor": cursor} if cursor else {})}
            page = client.get("/api/v1/alerts", params=params).json()
            ids += [item["alert_id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
    assert ids == [item["alert_id"] for item in whole["items"]]
    assert len(set(ids)) == len(ids) == 14
    assert whole["next"] is None


def test_an_alert_has_the_fields_of_the_topic_and_how_it_stands(console: MadeConsole) -> None:
    with console.client("vera") as client:
        found = client.get(f"/api/v1/alerts/{ALERT}").json()
        of_review = client.get(f"/api/v1/alerts/{identity('review A1')}").json()
    assert limit_alert("A2").items() <= found.items()
    assert (found["state"], found["version"], found["incident_id"]) == ("open", 0, INCIDENT)
    assert found["actions"] == []
    assert [told["revision"] for told in of_review["revisions"]] == [1, 2]


def test_a_write_can_name_the_version_that_it_was_decided_by(console: MadeConsole) -> None:
    with console.client("ana") as client:
        answer = client.get(f"/api/v1/alerts/{ALERT}")
        tag = answer.headers["etag"]
        assert client.get(answer.url, headers={"If-None-Match": tag}).status_code == 304
        address, body = f"/api/v1/alerts/{ALERT}/dispositions", {"disposition": "limit-wrong"}
        done = client.post(address, json=body, headers={"If-Match": tag})
        assert (done.status_code, done.json()["done"]) == (201, "dispose")
        assert done.headers["etag"] != tag
        again = client.post(f"/api/v1/alerts/{ALERT}/actions", json={"action": "reopen"},
                            headers={"If-Match": tag})  # fmt: skip
        assert again.status_code == 412
        assert again.json()["version"] == 1


def test_an_incident_is_closed_by_a_program(console: MadeConsole) -> None:
    address = f"/api/v1/incidents/{INCIDENT}/close"
    with console.client("ana") as client:
        preview = client.post(address, json={"is_preview": True}).json()
        assert (preview["alerts"], preview["accounts"], preview["proposals"]) == (3, 3, 0)
        body = {"disposition": "data-fault", "members": preview["members"][:2]}
        assert len(client.post(address, json=body).json()["done"]) == 2
        rest = client.post(address, json={"disposition": "data-fault"}).json()["done"]
        assert [entry["by"] for entry in rest] == ["ana"]
        found = client.get("/api/v1/incidents").json()["items"]
    assert found[0]["member_states"] == {"closed": 3}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/api/v1/alerts?state=open", "status, kind, account_id, severity"),
        ("/api/v1/alerts?status=shut", "open, waiting, snoozed, closed, withdrawn"),
        ("/api/v1/alerts?limit=0", "from 1 to 500"),
        ("/api/v1/alerts?limit=1e3", "from 1 to 500"),
        ("/api/v1/alerts?cursor=x", "cursor must be"),
        ("/api/v1/incidents?cursor=x", "cursor must be"),
        ("/api/v1/incidents?limit=501", "from 1 to 500"),
        ("/api/v1/alerts?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTphCg==", "cursor must be"),
        ("/api/v1/alerts?kind=review&kind=outlier", "once"),
        ("/api/v1/alerts?account_id=%00", "at most 256 characters"),
        (f"/api/v1/alerts/{ALERT}?whole=1", "none"),
    ],
)
def test_an_odd_question_is_a_problem(console: MadeConsole, address: str, said: str) -> None:
    with console.client("vera") as client:
        answer = client.get(address)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    for part in said.split(", "):
        assert part in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"disposition": "suspicious"}', "text/plain", 415),
        (b'{"disposition": "suspicious", "colour": 1}', "application/json", 400),
        (b'{"disposition": 7}', "application/json", 400),
        (b'{"disposition": "suspicious", "note": {}}', "application/json", 400),
        (b'{"disposition": "suspicious", "revision": true}', "application/json", 400),
        (b'{"disposition": "suspicious", "note": "\\ud800"}', "application/json", 400),
        (b'{"disposition": "suspicious", "note": "\\u0000"}', "application/json", 400),
    ],
)
def test_an_odd_body_is_a_problem(
    console: MadeConsole, body: bytes, kind: str, status: int
) -> None:
    with console.client("ana") as client:
        answer = client.post(
            f"/api/v1/alerts/{ALERT}/dispositions", content=body, headers={"Content-Type": kind}
        )
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_health_says_how_far_the_store_is(console: MadeConsole) -> None:
    with console.client("vera") as client:
        found = client.get("/api/v1/health").json()
    topics = {row["topic"] for row in found["positions"]}
    assert topics == {
        f"weir.{sort}" for sort in ("alert", "account-day", "segment-day", "rejection", "policy")
    }
    assert [(row["reason"], row["rejected"]) for row in found["rejected"]] == [("bad-amount", 1)]
    assert found["unsent"] == 0
