"""Decisions: who may take which, four eyes, conflicts, and what the topics and the audit get."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from monitor.core.business_day import TIME_LAST
from monitor.store.audit import verify
from monitor.store.desk import unsent
from monitor.store.intake import RecordSort
from monitor.store.standing import Action, Does
from tests.monitor.console.made_console import MadeConsole, identity, limit_alert

PLAIN = identity("A2 2026-02-14")
CRITICAL = identity("C1 2026-02-10")
INCIDENT = identity("systemic 2026-02-14")
DAY = 86_400_000_000


def shown(client: TestClient, alert_id: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = client.get(f"/api/v1/alerts/{alert_id}").json()
    return found


def form_of(client: TestClient, alert_id: str, action: str, **fields: str) -> dict[str, str]:
    """Return what the form of an alert's page would send now."""
    alert = shown(client, alert_id)
    seen = json.dumps([alert_id, alert["version"], alert["revision"]])
    return {"alert": seen, "action": action, **fields}


def act(client: TestClient, alert_id: str, action: str, **fields: str) -> int:
    form = form_of(client, alert_id, action, **fields)
    return client.post(f"/alerts/{alert_id}/actions", data=form).status_code


def state(client: TestClient, alert_id: str) -> tuple[str, str | None, str | None]:
    alert = shown(client, alert_id)
    return alert["state"], alert["assignee"], alert["disposition"]


def audited(console: MadeConsole) -> list[tuple[str, str, str]]:
    with console.store.reading() as connection:
        assert verify(connection).broken is None
        rows = connection.exec_driver_sql(
            "select actor, action, subject from audit where action not in ('read', 'login')"
        ).all()
    return [(row[0], row[1], row[2]) for row in rows if row[0] in {"ana", "bob", "paul"}]


def test_an_analyst_works_an_alert(console: MadeConsole) -> None:
    with console.client("ana") as client:
        assert act(client, PLAIN, "assign") == 303
        assert act(client, PLAIN, "comment", note="called the branch") == 303
        assert state(client, PLAIN) == ("open", "ana", None)
        assert act(client, PLAIN, "dispose", disposition="false-alarm", note="usual") == 303
        assert state(client, PLAIN) == ("closed", "ana", "false-alarm")
        assert act(client, PLAIN, "dispose", disposition="suspicious") == 409, "it is closed"
        assert act(client, PLAIN, "reopen") == 303
        assert act(client, PLAIN, "release") == 303
        assert state(client, PLAIN) == ("open", None, None)
        page = client.get(f"/alerts/{PLAIN}").text
    assert "called the branch" in page
    assert [entry for entry in audited(console) if entry[2] == PLAIN] == [
        ("ana", name, PLAIN) for name in ("assign", "comment", "dispose", "reopen", "release")
    ]
    with console.store.reading() as connection:
        sent = [
            (decision.topic.value, json.loads(decision.value)) for decision in unsent(connection)
        ]
    assert [topic for topic, _ in sent] == ["cases", "cases", "dispositions", "cases", "cases"]
    assert sent[2][1]["disposition"] == "false-alarm"
    assert sent[2][1]["revision"] == 1


def test_whoever_acts_on_what_has_changed_is_told_both_versions(console: MadeConsole) -> None:
    with console.client("ana") as ana, console.client("bob") as bob:
        form = form_of(ana, PLAIN, "dispose", disposition="false-alarm")
        assert act(bob, PLAIN, "assign") == 303
        answer = ana.post(f"/alerts/{PLAIN}/actions", data=form)
        assert answer.status_code == 409
        assert "you saw version 0, version 1 holds now" in answer.text
        assert state(ana, PLAIN) == ("open", "bob", None)


def test_many_are_closed_at_once_or_none(console: MadeConsole) -> None:
    ids = [identity(f"A{number} 2026-02-14") for number in (1, 2, 3)]
    with console.client("ana") as client:
        seen = [form_of(client, name, "")["alert"] for name in ids]
        form = {
            "action": "dispose",
            "disposition": "data-fault",
            "alert": seen,
            "query": "tab=open",
        }
        assert act(client, ids[1], "assign") == 303
        assert client.post("/alerts/actions", data=form).status_code == 409
        assert {state(client, name)[0] for name in ids} == {"open"}
        form["alert"] = [form_of(client, name, "")["alert"] for name in ids]
        done = client.post("/alerts/actions", data=form)
        assert done.headers["location"] == "/queue?tab=open&done=dispose.3"
        assert "3 alerts closed." in client.get(done.headers["location"]).text
        assert {state(client, name)[0] for name in ids} == {"closed"}
        assert client.post("/alerts/actions", data={"action": "assign"}).status_code == 400


# -- four eyes ------------------------------------------------------------------------------------


def test_a_critical_alert_is_closed_by_two(console: MadeConsole) -> None:
    with console.client("ana") as ana, console.client("paul") as paul:
        assert act(ana, CRITICAL, "dispose", disposition="suspicious", note="mule") == 303
        assert state(ana, CRITICAL) == ("waiting", None, "suspicious")
        assert act(ana, CRITICAL, "dispose", disposition="suspicious") == 403
        assert act(ana, CRITICAL, "decline") == 403
        assert "Confirm: suspicious" not in ana.get(f"/alerts/{CRITICAL}").text
        assert "Confirm: suspicious" in paul.get(f"/alerts/{CRITICAL}").text
        assert act(paul, CRITICAL, "dispose", disposition="false-alarm") == 409
        assert act(paul, CRITICAL, "decline", note="ask the branch") == 303
        assert state(ana, CRITICAL)[0] == "open"
        assert act(ana, CRITICAL, "dispose", disposition="suspicious") == 303
        assert act(paul, CRITICAL, "dispose", disposition="suspicious") == 303
        assert state(ana, CRITICAL) == ("closed", None, "suspicious")
    assert ("ana", "propose", CRITICAL) in audited(console)
    assert ("paul", "dispose", CRITICAL) in audited(console)


def test_a_critical_alert_that_was_closed_elsewhere_by_nobody_else_is_shown_so(
    console: MadeConsole,
) -> None:
    detail = {"disposition": "false-alarm", "note": None}
    at = console.clock.now
    closing = Action(CRITICAL, Does.DISPOSE, "eve", at, None, detail)
    with console.client("vera") as client:
        before = client.get("/team").text, client.get("/api/v1/team").json()["closed_alone"]
        console.take(closing, sort=RecordSort.ACTION)
        page = client.get(f"/alerts/{CRITICAL}").text
        (named,) = client.get("/api/v1/team").json()["closed_alone"]
        assert "eve closed this critical alert without a second person." in page
        assert "1 critical alert was closed in the last 30 days without" in client.get("/team").text
    assert (named["alert_id"], named["by"]) == (CRITICAL, "eve")
    assert 'id="alone"' not in before[0]
    assert before[1] == []


def test_two_who_close_a_critical_alert_are_not_alone(console: MadeConsole) -> None:
    with console.client("ana") as ana, console.client("paul") as paul:
        assert act(ana, CRITICAL, "dispose", disposition="suspicious") == 303
        assert act(paul, CRITICAL, "dispose", disposition="suspicious") == 303
        assert "without a second person" not in ana.get(f"/alerts/{CRITICAL}").text
        assert ana.get("/api/v1/team").json()["closed_alone"] == []
        act(ana, CRITICAL, "reopen")
        assert act(paul, CRITICAL, "dispose", disposition="suspicious") == 303
        text = ana.get(f"/alerts/{CRITICAL}").text
    assert "paul closed this critical alert without a second person." in text


def test_nobody_confirms_a_proposal_of_their_own(console: MadeConsole) -> None:
    with console.client("ana") as ana:
        assert act(ana, CRITICAL, "dispose", disposition="suspicious") == 303
    with console.store.begin() as connection:
        connection.exec_driver_sql("update users set role = 'approver' where name = 'ana'")
    with console.client("ana") as ana:
        assert act(ana, CRITICAL, "dispose", disposition="suspicious") == 403
        assert act(ana, CRITICAL, "decline") == 403


def test_a_proposal_cannot_be_asked_for_by_its_name(console: MadeConsole) -> None:
    with console.client("ana") as client:
        assert act(client, PLAIN, "propose", disposition="suspicious") == 400


# -- snoozes --------------------------------------------------------------------------------------


def test_a_snooze_ends_by_itself_and_can_be_followed_by_another(console: MadeConsole) -> None:
    with console.client("ana") as client:
        assert act(client, PLAIN, "snooze", until="2026-09-25") == 303
        assert state(client, PLAIN)[0] == "snoozed"
        assert PLAIN in client.get("/queue?tab=snoozed").text
        assert act(client, PLAIN, "snooze", until="2026-09-28T09:00:00Z") == 303
        assert act(client, PLAIN, "wake") == 303
        assert act(client, PLAIN, "snooze", until="2026-09-25") == 303
    console.clock.now += 10 * DAY
    with console.client("ana") as client:
        assert state(client, PLAIN)[0] == "open"
        assert PLAIN in client.get("/queue?tab=open").text
        assert act(client, PLAIN, "snooze", until="2026-10-10") == 303
        assert state(client, PLAIN)[0] == "snoozed"


@pytest.mark.parametrize("until", ["", "soon", "2020-01-01", "2099-01-01", "2026-09-99"])
def test_a_snooze_has_an_end_within_bounds(console: MadeConsole, until: str) -> None:
    with console.client("ana") as client:
        assert act(client, PLAIN, "snooze", until=until) == 400


# -- what cannot be done --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "dispose"},
        {"action": "dispose", "disposition": "because"},
        {"action": "comment"},
        {"action": "assign", "assignee": "vera"},
        {"action": "assign", "assignee": "nobody"},
        {"action": "explode"},
        {"action": "comment", "note": "x" * 4001},
    ],
)
def test_an_odd_action_is_refused(console: MadeConsole, fields: dict[str, str]) -> None:
    with console.client("ana") as client:
        assert act(client, PLAIN, **fields) == 400
        assert shown(client, PLAIN)["version"] == 0


def test_nothing_follows_an_action_at_the_end_of_all_times(console: MadeConsole) -> None:
    detail = {"disposition": "false-alarm", "note": None}
    last = Action(PLAIN, Does.DISPOSE, "ana", TIME_LAST, 1, detail)
    console.take(last, sort=RecordSort.ACTION)
    with console.client("ana") as client:
        form = form_of(client, PLAIN, "reopen", note="too soon")
        answer = client.post(f"/alerts/{PLAIN}/actions", data=form)
        page = client.get(f"/alerts/{PLAIN}").text
        undone = client.post(f"/api/v1/alerts/{PLAIN}/undo", json={})
        assert state(client, PLAIN)[0] == "closed"
    assert answer.status_code == 409
    assert "dated to the end of the year 2999: none can follow it" in answer.text
    assert f"/alerts/{PLAIN}/undo" not in page
    assert undone.status_code == 409
    with console.store.reading() as connection:
        assert unsent(connection) == []


def test_an_alert_that_was_closed_and_says_something_else_is_back(console: MadeConsole) -> None:
    with console.client("ana") as client:
        assert act(client, PLAIN, "dispose", disposition="false-alarm") == 303
        console.take(limit_alert("A2", revision=2, status="restated", value="9999999.00"))
        assert state(client, PLAIN)[:2] == ("open", "ana")
        assert "was closed, now says something else" in client.get("/queue?tab=back").text


@pytest.mark.parametrize("revision", [2, 2**31, 10**30, 0, -1])
def test_nobody_closes_a_revision_that_is_not_there(console: MadeConsole, revision: int) -> None:
    """It would count as seen whatever is reported later: the alert would never come back."""
    with console.client("ana") as client:
        seen = json.dumps([PLAIN, 0, revision])
        form = {"query": "", "alert": seen, "action": "dispose", "disposition": "false-alarm"}
        of_page = client.post("/alerts/actions", data=form).status_code
        assert of_page == (409 if revision > 1 else 400)
        members = [{"alert_id": PLAIN, "version": 0, "revision": revision}]
        body = {"disposition": "data-fault", "members": members}
        answers = [client.post(f"/api/v1/incidents/{INCIDENT}/close", json=body)]
        said = {"disposition": "false-alarm", "revision": revision}
        answers += [client.post(f"/api/v1/alerts/{PLAIN}/dispositions", json=said)]
        assert {answer.status_code for answer in answers} == {of_page}
        assert state(client, PLAIN) == ("open", None, None)


# -- incidents ------------------------------------------------------------------------------------


def test_an_incident_is_closed_as_a_group_after_a_preview(console: MadeConsole) -> None:
    with console.client("ana") as client:
        assert "the incident itself still is" not in client.get(f"/incidents/{INCIDENT}").text
        preview = client.post(f"/incidents/{INCIDENT}/close", data={"disposition": "data-fault"})
        assert "3 alerts" in preview.text
        assert "3 accounts" in preview.text
        found = re.search(r'name="members" value="([^"]+)"', preview.text)
        assert found is not None
        members = found[1].replace("&#34;", '"')
        form = {"disposition": "data-fault", "members": members}
        assert act(client, PLAIN, "assign") == 303
        assert client.post(f"/incidents/{INCIDENT}/close", data=form).status_code == 409
        assert client.get(f"/api/v1/incidents/{INCIDENT}").json()["member_states"] == {"open": 3}
        version = json.loads(members)
        form["members"] = json.dumps(
            [[name, number + (name == PLAIN), revision] for name, number, revision in version]
        )
        done = client.post(f"/incidents/{INCIDENT}/close", data=form)
        assert done.headers["location"] == f"/incidents/{INCIDENT}?done=dispose.3"
        assert "the incident itself still is" in client.get(done.headers["location"]).text
        assert client.get(f"/api/v1/incidents/{INCIDENT}").json()["member_states"] == {"closed": 3}
        again = client.post(f"/incidents/{INCIDENT}/close", data=form)
        assert again.status_code == 409
        assert act(client, INCIDENT, "dispose", disposition="data-fault") == 303
        assert "the incident itself still is" not in client.get(f"/incidents/{INCIDENT}").text
    assert len([entry for entry in audited(console) if entry[1] == "dispose"]) == 4


def test_only_members_are_closed_with_an_incident(console: MadeConsole) -> None:
    stranger = json.dumps([[CRITICAL, 0, 1]])
    form = {"disposition": "data-fault", "members": stranger}
    with console.client("ana") as client:
        assert client.post(f"/incidents/{INCIDENT}/close", data=form).status_code == 409
        assert client.post(f"/incidents/{PLAIN}/close", data=form).status_code == 404
        form["members"] = "[[1]]"
        assert client.post(f"/incidents/{INCIDENT}/close", data=form).status_code == 400
