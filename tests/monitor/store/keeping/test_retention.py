"""Retention: only what is old and done goes, and the audit stays a chain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from monitor.core.business_day import MICROSECONDS
from monitor.store.audit import Known, append, verify
from monitor.store.desk import act, mark_sent, take_task, unsent
from monitor.store.intake import Intake
from monitor.store.keeping.retention import Retention, prune
from monitor.store.people import DAY
from monitor.store.schema import actions, alerts, audit, audit_anchors, revisions
from monitor.store.standing import Action, Does, State
from monitor.store.store import Store
from monitor.store.work.tasks import TaskDoes, TaskStep
from tests.support.laws import law
from tests.support.stored import NOW, contents, made_records, sqlite_store

ALL = Retention(1, 1, 1, 1, 1)
LATER = NOW + 400 * DAY


@pytest.fixture
def store(either_store: Store) -> Store:
    return either_store


def ids(store: Store, *states: State) -> set[str]:
    with store.reading() as connection:
        rows = connection.execute(select(alerts.c.alert_id).where(alerts.c.state.in_(states)))
        return set(rows.scalars())


def audited(store: Store, times: list[int]) -> None:
    with store.begin() as connection:
        for at in times:
            append(connection, at=at, actor="Ann", action="alert", subject="a")


@law(40)
@given(seed=st.integers(0, 10**6), days=st.integers(0, 30))
def test_what_people_have_to_work_stays_and_a_rebuild_is_pruned_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, days: int
) -> None:
    store = sqlite_store(tmp_path_factory.mktemp("store"))
    records = made_records(seed, 80)
    Intake(store).take(records)
    work = ids(store, State.OPEN, State.WAITING, State.SNOOZED)
    now = NOW + days * DAY + 40 * MICROSECONDS
    prune(store, Retention(alerts=days), now)
    assert ids(store, State.OPEN, State.WAITING, State.SNOOZED) == work
    left = contents(store)
    assert not any(prune(store, Retention(alerts=days), now).values())
    Intake(store).forget()
    Intake(store).take(records)
    prune(store, Retention(alerts=days), now)
    assert contents(store) == left


def test_closed_alerts_go_with_all_of_theirs_and_it_is_told(store: Store) -> None:
    Intake(store).take(made_records(5, 120))
    closed = ids(store, State.CLOSED, State.WITHDRAWN)
    with store.reading() as connection:
        needed = set(
            connection.execute(
                select(alerts.c.incident_id).where(alerts.c.alert_id.not_in(closed))
            ).scalars()
        )
    assert closed - needed
    before = contents(store)
    dry = prune(store, ALL, LATER, is_dry_run=True)
    assert contents(store) == before
    assert prune(store, ALL, LATER) == dry
    assert not ids(store, State.CLOSED, State.WITHDRAWN) - needed
    with store.reading() as connection:
        there = select(alerts.c.alert_id)
        for table in (revisions, actions):
            left = select(func.count()).where(table.c.alert_id.in_(closed - needed))
            assert connection.execute(left).scalar_one() == 0
        orphans = select(func.count()).where(revisions.c.alert_id.not_in(there))
        assert connection.execute(orphans).scalar_one() == 0
        assert [row.action for row in connection.execute(select(audit))] == ["prune"]


def test_a_decision_that_is_not_published_keeps_its_alert(store: Store) -> None:
    Intake(store).take(made_records(5, 120))
    alert_id = min(ids(store, State.OPEN))
    said = {"disposition": "false-alarm", "note": None}
    with store.begin() as connection:
        act(connection, [Action(alert_id, Does.DISPOSE, "Ann", NOW + 10**9, None, said)])
    prune(store, ALL, LATER)
    assert alert_id in ids(store, State.CLOSED)


def test_none_keeps_everything(store: Store) -> None:
    Intake(store).take(made_records(5, 120))
    audited(store, [NOW])
    before = contents(store)
    assert prune(store, Retention(), LATER) == {}
    assert contents(store) == before


def test_the_audit_goes_on_from_what_was_taken_away(store: Store) -> None:
    audited(store, [NOW + number for number in range(5)] + [LATER, LATER + 1])
    with store.reading() as connection:
        noted = verify(connection)
    prune(store, ALL, LATER)
    with store.reading() as connection:
        found = verify(connection)
        assert (found.entries, found.broken) == (3, None)
        assert verify(connection, Known(7, noted.last)).broken is None
        assert verify(connection, Known(7, "0" * 64)).broken == 7
        assert verify(connection, Known(4, "0" * 64)).broken == 4
    audited(store, [LATER + 2])
    prune(store, ALL, LATER + 3 * DAY)
    with store.reading() as connection:
        found = verify(connection)
        assert (found.entries, found.broken) == (1, None)


def test_entries_that_somebody_takes_away_by_hand_are_missed(store: Store) -> None:
    audited(store, [NOW + number for number in range(5)])
    with store.begin() as connection:
        last = connection.execute(select(audit.c.hash).where(audit.c.number == 2)).scalar_one()
        connection.execute(delete(audit).where(audit.c.number <= 2))
    with store.reading() as connection:
        assert verify(connection).broken == 1
    with store.begin() as connection:
        connection.execute(audit_anchors.insert().values(number=2, hash=last))
    with store.reading() as connection:
        assert verify(connection).broken == 2  # no entry says so


def test_an_alert_with_a_task_stays_until_it_has_ended_long_ago(store: Store) -> None:
    Intake(store).take(made_records(5, 120))
    alert_id = min(name for name in ids(store, State.CLOSED) if not name.startswith("incident"))
    detail = {"task": "amend", "account_id": "A1", "due": "2026-02-01", "alert_id": alert_id}
    made = TaskStep.opened("Ann", NOW, detail)
    ended = TaskStep(made.task_id, TaskDoes.DO, "Ann", NOW + DAY, {"note": None})
    with store.begin() as connection:
        take_task(connection, [made])
        mark_sent(connection, [record.number for record in unsent(connection)], NOW)
    prune(store, ALL, LATER)
    assert alert_id in ids(store, State.CLOSED), "somebody has to do it"
    with store.begin() as connection:
        take_task(connection, [ended])
    prune(store, ALL, LATER)
    assert alert_id in ids(store, State.CLOSED), "no broker has its end yet"
    with store.begin() as connection:
        mark_sent(connection, [record.number for record in unsent(connection)], NOW)
    prune(store, Retention(alerts=1), NOW + 2 * DAY - 1)
    assert alert_id in ids(store, State.CLOSED), "it ended only just"
    prune(store, ALL, LATER)
    assert alert_id not in ids(store, State.CLOSED)
    assert contents(store)["task_steps"] == []
