"""Programs at the API: by a token, again, and only as far as their owners may."""

import pytest

from monitor.store.people import FAILURES_OF_AN_ADDRESS
from monitor.store.programs.tokens import Scope
from tests.monitor.console.made_console import LIMIT, MadeConsole, identity

ALERT = identity("A2 2026-02-14")
CRITICAL = identity("C1 2026-02-10")
ADDRESS = f"/api/v1/alerts/{ALERT}/dispositions"
CLOSED = {"disposition": "false-alarm"}


def actors(console: MadeConsole) -> list[tuple[str, str]]:
    with console.store.reading() as connection:
        rows = connection.exec_driver_sql("select actor, action from audit order by number").all()
    return [(row[0], row[1]) for row in rows]


def test_a_program_works_alerts_without_a_page_and_is_named(console: MadeConsole) -> None:
    with console.program(Scope.DECIDE, "ana") as client:
        assert client.get(f"/api/v1/alerts/{ALERT}").status_code == 200
        assert client.post(ADDRESS, json=CLOSED).status_code == 201
    name = "(token program-1 for ana)"
    assert actors(console)[-2:] == [(name, "read"), (name, "dispose")]


def test_a_token_is_for_the_api_alone(console: MadeConsole) -> None:
    with console.program(Scope.APPROVE) as client:
        assert client.get("/queue").headers["location"].startswith("/login")
        assert client.get("/events").status_code == 303
        assert client.post(f"/alerts/{ALERT}/actions", data={}).status_code == 303


@pytest.mark.parametrize("authorization", ["Basic YTpi", "Bearer", "Bearer ", "Bearer x", "x", ""])
def test_a_bad_token_does_not_fall_back_to_the_session(
    console: MadeConsole, authorization: str
) -> None:
    with console.client("root") as client:
        refused = client.get("/api/v1/alerts", headers={"Authorization": authorization})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["content-type"] == "application/problem+json"
        sent = {"Authorization": authorization, "X-CSRF-Token": "x"}
        assert client.post(ADDRESS, json=CLOSED, headers=sent).status_code == 401
        assert client.get("/api/v1/alerts").status_code == 200


def test_a_session_still_needs_the_token_of_its_page(console: MadeConsole) -> None:
    with console.client("root") as client:
        assert client.post(ADDRESS, json=CLOSED, headers={"X-CSRF-Token": ""}).status_code == 403


def test_too_many_bad_tokens_must_wait(console: MadeConsole) -> None:
    with console.client() as client:
        bad = {"Authorization": "Bearer weir_x"}
        for _ in range(FAILURES_OF_AN_ADDRESS):
            assert client.get("/api/v1/alerts", headers=bad).status_code == 401
        refused = client.get("/api/v1/alerts", headers=bad)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 900


def test_whoever_proposed_by_a_token_is_no_second_person(console: MadeConsole) -> None:
    address = f"/api/v1/alerts/{CRITICAL}/dispositions"
    with console.program(Scope.DECIDE, "paul") as client:
        assert client.post(address, json=CLOSED).json()["done"] == "propose"
    with console.client("paul") as client:
        assert client.post(address, json=CLOSED).status_code == 403
    with console.program(Scope.APPROVE, "paul") as client:
        assert client.post(address, json=CLOSED).status_code == 403
    with console.client("root") as client:
        assert client.post(address, json=CLOSED).json()["done"] == "dispose"


def test_whoever_proposed_a_limit_by_a_token_does_not_approve_it(console: MadeConsole) -> None:
    with console.program(Scope.DECIDE, "paul") as client:
        made = client.post(f"/api/v1/limits/{LIMIT}/proposals", json={"above": "2500.00"}).json()
    address = f"/api/v1/proposals/{made['proposal_id']}/decision"
    body = {"decision": "approve", "policy_sha256": made["policy_sha256"]}
    with console.client("paul") as client:
        assert client.post(address, json=body).status_code == 403
    with console.program(Scope.APPROVE, "root") as client:
        assert client.post(address, json=body).status_code == 201


def test_what_a_program_takes_is_its_owner_s(console: MadeConsole) -> None:
    with console.program(Scope.DECIDE, "ana") as client:
        taken = client.post(f"/api/v1/alerts/{ALERT}/actions", json={"action": "assign"})
    assert taken.json()["assignee"] == "ana"
