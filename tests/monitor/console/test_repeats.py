"""Requests that are sent again: done once by their key, and not answered twice by their tag."""

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.routing import Route

from monitor.console.app import OF_API
from monitor.console.repeats import REPLAYED
from monitor.store.programs.answers import KEPT
from monitor.store.programs.tokens import Scope
from tests.monitor.console.made_console import LIMIT, MadeConsole, identity, review

ALERT = identity("A2 2026-02-14")
INCIDENT = identity("systemic 2026-02-14")
ADDRESS = f"/api/v1/alerts/{ALERT}/dispositions"
CLOSED = {"disposition": "false-alarm"}
KEY = {"Idempotency-Key": "k 1"}


def entries(console: MadeConsole) -> int:
    with console.store.reading() as connection:
        return int(connection.exec_driver_sql("select count(*) from audit").scalar_one())


def posts(console: MadeConsole) -> list[tuple[str, Mapping[str, Any]]]:
    """Return a request for each POST of the API."""
    proposal = console.propose()
    with console.client("paul") as client:
        shown = client.post("/api/v1/queue/close", json={"account_id": "A3"}).json()
    found: dict[str, tuple[str, Mapping[str, Any]]] = {
        "post_take": ("/api/v1/queue/take", {"kind": "outlier"}),
        "post_close_all": (
            "/api/v1/queue/close",
            {**CLOSED, "account_id": "A3", "digest": shown["digest"]},
        ),
        "post_disposition": (ADDRESS, CLOSED),
        "post_action": (
            f"/api/v1/alerts/{identity('A3 2026-02-14')}/actions",
            {"action": "comment", "note": "once"},
        ),
        "post_close": (f"/api/v1/incidents/{INCIDENT}/close", CLOSED),
        "post_proposal": (f"/api/v1/limits/{LIMIT}/proposals", {"above": "2600.00"}),
        "post_decision": (f"/api/v1/proposals/{proposal}/decision", {"decision": "decline"}),
    }
    found["post_tasks"] = ("/api/v1/accounts/A2/tasks", {"task": "recovery"})
    found["post_task_step"] = (f"/api/v1/tasks/{console.open_task()}/steps", {"step": "done"})
    found["post_view"] = ("/api/v1/views", {"name": "x", "filters": {"tab": "mine"}})
    found["post_view_removal"] = ("/api/v1/views/x/remove", {})
    taken = identity("outlier A1 2026-02-13")  # by the request before
    found["post_undo"] = (f"/api/v1/alerts/{taken}/undo", {})
    posted = [route for route in OF_API if "POST" in (route.methods or ())]
    return [found[route.name] for route in posted]


def test_every_post_with_a_key_is_done_once_and_answered_again(console: MadeConsole) -> None:
    with console.program(Scope.APPROVE) as client:
        for number, (address, body) in enumerate(posts(console)):
            key = {"Idempotency-Key": f"key {number}"}
            first = client.post(address, json=body, headers=key)
            assert first.status_code == 201, first.text
            held = entries(console)
            again = client.post(address, json=body, headers=key)
            assert entries(console) == held
            assert (again.status_code, again.content) == (201, first.content)
            assert again.headers.get("etag") == first.headers.get("etag")
            assert again.headers["content-type"] == first.headers["content-type"]
            assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")


def test_a_key_is_for_one_request(console: MadeConsole) -> None:
    with console.program(Scope.DECIDE) as client:
        assert client.post(ADDRESS, json=CLOSED, headers=KEY).status_code == 201
        other = f"/api/v1/alerts/{identity('A3 2026-02-14')}/dispositions"
        for address, body in ((ADDRESS, {"disposition": "suspicious"}), (other, CLOSED)):
            refused = client.post(address, json=body, headers=KEY)
            assert refused.status_code == 422
            assert refused.headers["content-type"] == "application/problem+json"
            assert "take a new one" in refused.json()["detail"]


def test_a_refusal_is_the_answer_too(console: MadeConsole) -> None:
    body = {"disposition": "suspicious"}
    with console.program(Scope.DECIDE) as client:
        assert client.post(ADDRESS, json=CLOSED).status_code == 201
        first = client.post(ADDRESS, json=body, headers=KEY)
        assert first.status_code == 409
        client.post(f"/api/v1/alerts/{ALERT}/actions", json={"action": "reopen"})
        again = client.post(ADDRESS, json=body, headers=KEY)
        assert (again.status_code, again.content) == (409, first.content)
        assert again.headers["content-type"] == "application/problem+json"
        assert client.post(ADDRESS, json=body).status_code == 201


def test_a_key_is_its_sender_s_own_and_kept_for_a_day(console: MadeConsole) -> None:
    body = {"action": "comment", "note": "seen"}
    address = f"/api/v1/alerts/{ALERT}/actions"
    with console.client("ana") as ana, console.program(Scope.DECIDE, "ana") as client:
        assert REPLAYED not in ana.post(address, json=body, headers=KEY).headers
        assert REPLAYED not in client.post(address, json=body, headers=KEY).headers
        console.clock.now += KEPT - 10_000_000
        assert REPLAYED in client.post(address, json=body, headers=KEY).headers
        console.clock.now += 10_000_000
        assert REPLAYED not in client.post(address, json=body, headers=KEY).headers


@pytest.mark.parametrize("key", ["", "x" * 256, "\x7f", "\u00e9"])
def test_an_odd_key_is_a_problem(console: MadeConsole, key: str) -> None:
    with console.program(Scope.DECIDE) as client:
        sent = {b"Idempotency-Key": key.encode("latin-1")}
        refused = client.post(ADDRESS, json=CLOSED, headers=sent)
    assert refused.status_code == 400
    assert "Idempotency-Key must" in refused.json()["detail"]


def test_a_request_that_failed_left_no_answer_and_did_nothing(
    console: MadeConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with console.program(Scope.DECIDE) as client:
        with monkeypatch.context() as patch:
            patch.setattr("monitor.console.repeats.end_answer", fail)
            with pytest.raises(ZeroDivisionError):
                client.post(ADDRESS, json=CLOSED, headers=KEY)
        assert client.get(f"/api/v1/alerts/{ALERT}").json()["state"] == "open"
        done = client.post(ADDRESS, json=CLOSED, headers=KEY)
        assert (done.status_code, REPLAYED in done.headers) == (201, False)


def address_of(console: MadeConsole, route: Route) -> str:
    proposal = console.propose()
    return route.path.replace(":path}", "}").format(
        alert_id=ALERT,
        incident_id=INCIDENT,
        threshold_id=LIMIT,
        proposal_id=proposal,
        task_id=console.open_task(),
        account_id="A1",
        segment="current",
        theme="breaches",
        name="x",
    )


@pytest.mark.parametrize(
    "route",
    [route for route in OF_API if "GET" in (route.methods or ()) and "/exports/" not in route.path],
    ids=lambda route: route.path,
)
def test_what_a_caller_has_is_not_sent_again(console: MadeConsole, route: Route) -> None:
    address = address_of(console, route)
    with console.program() as client:
        first = client.get(address)
        tag = first.headers["etag"]
        for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
            again = client.get(address, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert "content-type" not in again.headers
        for known in ("", '"x"', tag.strip('"')):
            again = client.get(address, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (200, first.content)


def test_a_list_has_another_tag_once_something_changed(console: MadeConsole) -> None:
    with console.client("ana") as client:
        tag = client.get("/api/v1/alerts").headers["etag"]
        known = {"If-None-Match": tag}
        assert client.get("/api/v1/alerts", headers=known).status_code == 304
        client.post(ADDRESS, json=CLOSED)
        assert client.get("/api/v1/alerts", headers=known).status_code == 200


def test_an_alert_has_another_tag_when_its_snooze_has_ended(console: MadeConsole) -> None:
    body = {"action": "snooze", "until": "2026-09-22T00:00:00Z"}
    with console.program(Scope.DECIDE) as client:
        address = f"/api/v1/alerts/{ALERT}"
        assert client.post(f"{address}/actions", json=body).status_code == 201
        snoozed = client.get(address)
        console.clock.now += KEPT
        ended = client.get(address, headers={"If-None-Match": snoozed.headers["etag"]})
        assert (snoozed.json()["state"], ended.json()["state"]) == ("snoozed", "open")
        match = {
            "If-Match": snoozed.headers["etag"]
        }  # what people and the machine said is as it was
        assert client.post(ADDRESS, json=CLOSED, headers=match).status_code == 201


def test_if_match_names_what_was_seen_and_a_refusal_has_both(console: MadeConsole) -> None:
    alert_id = identity("review A1")
    address = f"/api/v1/alerts/{alert_id}"
    with console.client("ana") as client:
        tag = client.get(address).headers["etag"]
        console.take(review("A1", 3, 5))
        for wanted in (tag, '"0-2"', f'"x", {tag}', f"W/{tag}", '"x"', 'W/"0-3"'):
            refused = client.post(
                f"{address}/dispositions", json=CLOSED, headers={"If-Match": wanted}
            )
            assert refused.status_code == 412
            conflict = refused.json()["conflicts"][0]
            assert (conflict["held"], wanted in ", ".join(conflict["seen"])) == ("0-3", True)
        for action, wanted in ((0, '"0-3"'), (1, '"7-7", "1-3"'), (2, "*")):
            done = client.post(
                f"{address}/actions",
                json={"action": "comment", "note": str(action)},
                headers={"If-Match": wanted},
            )
            assert done.status_code == 201
