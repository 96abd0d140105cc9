"""Tasks at the console: offered after a false alarm, opened by a service need, and ended once."""

from typing import Any

import pytest
from sqlalchemy import select

from monitor.store.desk import Topic, unsent
from monitor.store.intake import RecordSort
from monitor.store.schema import audit
from tests.monitor.console.made_console import MadeConsole, account_day, identity

ALERT = identity("A1 2026-02-14")
REVIEW = identity("review A1")
OF_A1 = "/api/v1/accounts/A1/tasks"
KINDS = ["anticipate", "acknowledge", "apologise", "amend"]


def closed(client: Any, alert_id: str, disposition: str) -> None:  # noqa: ANN401
    body = {"disposition": disposition}
    assert client.post(f"/api/v1/alerts/{alert_id}/dispositions", json=body).status_code == 201


def items(client: Any, **asked: str) -> list[dict[str, Any]]:  # noqa: ANN401
    found: list[dict[str, Any]] = client.get("/api/v1/tasks", params=asked).json()["items"]
    return found


def test_the_four_steps_are_offered_after_a_false_alarm_and_not_forced(
    console: MadeConsole,
) -> None:
    form = {"task": "recovery", "alert_id": ALERT}
    with console.client("ana") as client:
        assert 'id="recover"' not in client.get(f"/alerts/{ALERT}").text
        closed(client, ALERT, "false-alarm")
        assert items(client) == []
        assert 'id="recover"' in client.get(f"/alerts/{ALERT}").text
        done = client.post("/accounts/A1/tasks", data=form)
        assert (done.status_code, done.headers["location"]) == (303, f"/alerts/{ALERT}#tasks")
        assert [item["task"] for item in items(client)] == KINDS
        assert [item["due"] for item in items(client)] == [
            "2026-09-22", "2026-09-22", "2026-09-24", "2026-10-05",
        ]  # fmt: skip
        for address in (f"/alerts/{ALERT}", "/accounts/A1", "/tasks"):
            text = client.get(address).text
            assert text.count('name="step" value="done"') == 4, address
            assert 'id="recover"' not in text
        assert client.post(OF_A1, json=form).status_code == 409
    with console.client("bob") as client:
        assert "No task is here" in client.get("/tasks").text
        assert client.get("/tasks?show=open").text.count('value="dropped"') == 4


def test_a_review_that_is_a_service_need_becomes_an_offer_for_the_adviser(
    console: MadeConsole,
) -> None:
    record = {**account_day("A1", "2026-02-20"), "tier": "gold", "adviser": "bob"}
    console.take(record, sort=RecordSort.ACCOUNT_DAY)
    with console.client("ana") as client:
        closed(client, ALERT, "service-need")
        assert items(client) == [], "no review"
        closed(client, REVIEW, "service-need")
        (offer,) = items(client)
        reopened = client.post(f"/api/v1/alerts/{REVIEW}/actions", json={"action": "reopen"})
        assert reopened.status_code == 201
        closed(client, REVIEW, "service-need")
        assert items(client) == [offer], "it is open already"
    said = [
        offer[name] for name in ("task", "assignee", "adviser", "tier", "alert_id", "account_id")
    ]
    assert said == ["offer", "bob", "bob", "gold", REVIEW, "A1"]
    with console.client("bob") as client:
        text = client.get("/tasks").text
    assert "tier gold" in text
    assert "adviser bob" in text


def test_an_adviser_who_is_no_user_is_named_and_whoever_closed_it_has_the_task(
    console: MadeConsole,
) -> None:
    record = {**account_day("A1", "2026-02-20"), "attributes": {"adviser": "Zoe", "tier": 7}}
    console.take(record, sort=RecordSort.ACCOUNT_DAY)
    with console.client("ana") as client:
        closed(client, REVIEW, "service-need")
        (offer,) = items(client)
    assert [offer[name] for name in ("assignee", "adviser", "tier")] == ["ana", "Zoe", None]


def test_a_task_ends_once_and_all_of_it_is_published_and_audited(console: MadeConsole) -> None:
    task_id = console.open_task()
    address = f"/api/v1/tasks/{task_id}/steps"
    with console.client("vera") as client:
        assert client.post(address, json={"step": "done"}).status_code == 403
        assert client.post(OF_A1, json={"task": "offer"}).status_code == 403
    with console.client("ana") as client:
        ended = client.post(address, json={"step": "done", "note": "rang them"}).json()
        assert (ended["progress"], ended["ended_by"]) == ("done", "ana")
        assert ended["end_note"] == "rang them"
        refused = client.post(address, json={"step": "dropped"})
        assert (refused.status_code, "by ana" in refused.json()["detail"]) == (409, True)
        assert items(client, progress="open") == []
        assert items(client, progress="done") == [ended]
        assert items(client, progress="dropped") == []
        assert "rang them" in client.get("/tasks?show=done").text
    with console.store.reading() as connection:
        sent = [(record.topic, record.key) for record in unsent(connection)]
        rows = connection.execute(select(audit.c.actor, audit.c.action, audit.c.subject)).all()
    assert sent == [(Topic.CASES, task_id)] * 2
    told = [tuple(row) for row in rows if row.subject == task_id]
    assert told == [("bob", "open-task", task_id), ("ana", "do-task", task_id)]


def test_tasks_that_are_overdue_come_first_and_say_so(console: MadeConsole) -> None:
    with console.client("ana") as client:
        client.post(OF_A1, json={"task": "amend", "due": "2026-09-21"})
        client.post(OF_A1, json={"task": "apologise"})
        assert "overdue" not in client.get("/tasks").text
    console.clock.now += 86_400_000_000
    with console.client("ana") as client:
        text = client.get("/tasks").text
        assert text.count("overdue") == 1
        assert text.index("overdue") < text.index("Amend") < text.index("Apologise")
        page = client.get("/api/v1/tasks?limit=1").json()
        rest = client.get("/api/v1/tasks", params={"limit": "1", "cursor": page["next"]}).json()
    names = [item["task"] for item in (*page["items"], *rest["items"])]
    assert (names, rest["next"]) == (["amend", "apologise"], None)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400), ({"task": "sue"}, 400), ({"task": "offer", "due": "soon"}, 400),
        ({"task": "offer", "due": "2020-01-01"}, 400), ({"task": "offer", "due": 3}, 400),
        ({"task": "offer", "assignee": "nobody"}, 400), ({"task": "offer", "note": ["x"]}, 400),
        ({"task": "offer", "note": "x" * 4001}, 400), ({"task": "offer", "more": 1}, 400),
        ({"task": "offer", "alert_id": identity("A2 2026-02-14")}, 404),
        ({"task": "offer", "alert_id": "nope"}, 404),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_said(
    console: MadeConsole, asked: dict[str, Any], status: int
) -> None:
    with console.client("ana") as client:
        answer = client.post(OF_A1, json=asked)
        assert answer.status_code == status, answer.text
        assert items(client) == []
        nobody = client.post("/api/v1/accounts/nobody/tasks", json={"task": "offer"})
        assert nobody.status_code == 404


def test_an_account_whose_id_has_slashes_has_tasks(console: MadeConsole) -> None:
    console.take(account_day("X/tasks/1", "2026-02-20"), sort=RecordSort.ACCOUNT_DAY)
    with console.client("ana") as client:
        made = client.post("/api/v1/accounts/X%2Ftasks%2F1/tasks", json={"task": "offer"})
        assert made.json()["items"][0]["account_id"] == "X/tasks/1"
        assert client.get("/accounts/X/tasks/1").status_code == 200


@pytest.mark.parametrize("query", ["progress=shut", "cursor=x", 'cursor=["2026-01-05",1]', "x=1"])
def test_an_odd_question_is_refused(console: MadeConsole, query: str) -> None:
    with console.client("ana") as client:
        assert client.get(f"/api/v1/tasks?{query}").status_code == 400
        assert client.get(f"/tasks?show=x&{query}").status_code == 400
