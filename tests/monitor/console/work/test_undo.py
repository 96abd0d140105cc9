"""Taking back: the alert stands as it stood, and nothing is deleted."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.console.work.undo import WITHIN, undo_of
from monitor.store.standing import Action, Does, Revision, Standing, State, standing_of
from tests.monitor.console.made_console import MadeConsole, identity
from tests.support.laws import law

ALERT = identity("A1 2026-02-14")
REVIEW = identity("review A1")
TOLD = [Revision(1, 0, "raised", "high", "1"), Revision(2, 5, "restated", "high", "2")]
LATER, PAST = "2026-03-01T00:00:00Z", "1970-01-01T00:00:00Z"
NOW = 1_000_000
DETAILS = st.sampled_from(
    [
        (Does.DISPOSE, {"disposition": "false-alarm", "note": None}),
        (Does.PROPOSE, {"disposition": "suspicious", "note": None}),
        (Does.DECLINE, {"note": None}),
        (Does.REOPEN, {"note": None}),
        (Does.ASSIGN, {"assignee": "Ann"}),
        (Does.ASSIGN, {"assignee": "Bob"}),
        (Does.RELEASE, {}),
        (Does.SNOOZE, {"until": LATER, "note": None}),
        (Does.SNOOZE, {"until": PAST, "note": None}),
        (Does.WAKE, {}),
        (Does.COMMENT, {"note": "x"}),
    ]
)
DONE = st.lists(st.tuples(DETAILS, st.sampled_from(["Ann", "Bob"]), st.sampled_from([1, 2])))


def as_seen(standing: Standing, now: int) -> tuple[State, int | None]:
    """Return how an alert stands, and until when it is snoozed: one whose time is over is open."""
    until = standing.snoozed_until
    if standing.state is State.SNOOZED and until is not None and until <= now:
        return State.OPEN, None
    return standing.state, until


OVER_THEN_ASSIGNED = [
    ((Does.SNOOZE, {"until": PAST, "note": None}), "Ann", 1),
    ((Does.ASSIGN, {"assignee": "Ann"}), "Ann", 1),
]


@law(400)
@example(drawn=OVER_THEN_ASSIGNED, now=NOW)
@given(drawn=DONE, now=st.sampled_from([NOW, NOW + WITHIN + 20]))
def test_whatever_is_taken_back_the_alert_stands_as_before(
    drawn: list[tuple[tuple[Does, dict[str, Any]], str, int]], now: int
) -> None:
    actions = [
        Action("a", does, by, NOW - 100 + place, revision, detail)
        for place, ((does, detail), by, revision) in enumerate(drawn)
    ]
    undo = undo_of(TOLD, actions, "Ann", now)
    if undo is None:
        return
    assert now == NOW
    assert undo.decision.by == "Ann"
    at = actions.index(undo.decision)
    assert all(action.does is Does.COMMENT for action in actions[at + 1 :])
    before = standing_of(TOLD, actions[:at])
    after = standing_of(TOLD, [*actions, *undo.inverse])
    assert as_seen(after, now) == as_seen(before, now)
    assert after.assignee == before.assignee
    assert after.version == len(actions) + len(undo.inverse), "nothing is deleted"


@pytest.mark.parametrize(
    ("body", "done"),
    [
        ({"action": "dispose", "disposition": "false-alarm"}, "reopen"),
        ({"action": "assign"}, "release"),
        ({"action": "snooze", "until": "2026-09-25T00:00:00Z"}, "wake"),
    ],
)
def test_a_person_takes_back_their_last_decision(
    console: MadeConsole, body: dict[str, Any], done: str
) -> None:
    address = f"/api/v1/alerts/{ALERT}"
    with console.client("ana") as client:
        before = client.get(address).json()
        assert 'id="undo"' not in client.get(f"/alerts/{ALERT}").text
        assert client.post(f"{address}/actions", json=body).status_code == 201
        assert 'id="undo"' in client.get(f"/alerts/{ALERT}").text
        with console.client("bob") as other:
            assert 'id="undo"' not in other.get(f"/alerts/{ALERT}").text
            assert other.post(f"{address}/undo", json={}).status_code == 409
        answer = client.post(f"{address}/undo", json={})
        assert answer.status_code == 201, answer.text
        assert [step["action"] for step in answer.json()["done"]] == [done]
        after = client.get(address).json()
        for name in ("state", "assignee", "disposition"):
            assert after[name] == before[name]
        assert [action["action"] for action in after["actions"]] == [body["action"], done]


def test_after_ten_minutes_nothing_is_taken_back(console: MadeConsole) -> None:
    address = f"/api/v1/alerts/{ALERT}"
    with console.client("ana") as client:
        client.post(f"{address}/actions", json={"action": "assign"})
        console.clock.now += WITHIN
        assert client.post(f"{address}/undo", json={}).status_code == 409
        assert client.post("/api/v1/alerts/nope/undo", json={}).status_code == 404


def test_an_offer_that_a_closing_opened_is_dropped_with_it(console: MadeConsole) -> None:
    with console.client("ana") as client:
        said = {"disposition": "service-need"}
        client.post(f"/api/v1/alerts/{REVIEW}/dispositions", json=said)
        assert len(client.get("/api/v1/tasks?progress=open").json()["items"]) == 1
        assert client.post(f"/alerts/{REVIEW}/undo").status_code == 303
        assert client.get("/api/v1/tasks?progress=open").json()["items"] == []
        assert len(client.get("/api/v1/tasks?progress=dropped").json()["items"]) == 1
