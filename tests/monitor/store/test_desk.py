"""Decisions count in the order in which they are made, whatever a clock says."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.core.business_day import MICROSECONDS, TIME_LAST, event_time_of, event_time_text
from monitor.store.desk import ConflictError, NoLaterTimeError, act, mark_sent, unsent
from monitor.store.queries import alert_row
from monitor.store.schema import actions, outbox
from monitor.store.standing import Action, Does, State
from monitor.store.store import Store
from tests.support.stored import NOW, filled, made_record, read_alert, sqlite_store

NAMES = [f"daily-amount/A{number}/739621" for number in range(3)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = sqlite_store(tmp_path)
    filled(opened, [read_alert(n, made_record(name, 1)) for n, name in enumerate(NAMES)])
    return opened


def closing(name: str, at: int) -> Action:
    return Action(name, Does.DISPOSE, "Ann", at, 1, {"disposition": "false-alarm", "note": None})


def state_of(store: Store, name: str) -> str:
    with store.reading() as connection:
        row = alert_row(connection, name)
        assert row is not None
        return str(row.state)


@pytest.mark.parametrize("seconds", [-3600, 0, 3600])
def test_what_is_done_last_counts_though_a_clock_went_back(store: Store, seconds: int) -> None:
    with store.begin() as connection:
        act(connection, [closing(NAMES[0], NOW)])
    assert state_of(store, NAMES[0]) == State.CLOSED
    again = Action(NAMES[0], Does.REOPEN, "Bob", NOW + seconds * MICROSECONDS, 1, {"note": None})
    with store.begin() as connection:
        act(connection, [again])
    assert state_of(store, NAMES[0]) == State.OPEN
    with store.reading() as connection:
        written = [json.loads(decision.value) for decision in unsent(connection)]
        times = [event_time_of(fields["at"]) for fields in written]
        held = connection.execute(select(actions.c.at).order_by(actions.c.at)).scalars().all()
        assert times == held == sorted(set(held))


def test_nothing_is_written_that_no_reader_takes(store: Store) -> None:
    assert event_time_of(event_time_text(TIME_LAST)) == TIME_LAST
    assert event_time_of(event_time_text(TIME_LAST + 1)) is None
    reopening = Action(NAMES[0], Does.REOPEN, "Bob", NOW, 1, {"note": None})
    with store.begin() as connection:
        act(connection, [closing(NAMES[0], TIME_LAST - 1)])
        act(connection, [reopening])
    with pytest.raises(NoLaterTimeError, match=NAMES[0]), store.begin() as connection:
        act(connection, [closing(NAMES[1], NOW), closing(NAMES[0], NOW)])
    assert state_of(store, NAMES[0]) == state_of(store, NAMES[1]) == State.OPEN
    with store.reading() as connection:
        assert len(unsent(connection)) == 2


def test_several_actions_on_one_alert_keep_their_order(store: Store) -> None:
    snooze = {"until": "2026-03-01T00:00:00Z", "note": None}
    done = [
        Action(NAMES[0], Does.SNOOZE, "Ann", NOW, 1, snooze),
        Action(NAMES[0], Does.WAKE, "Ann", NOW, 1, {}),
        closing(NAMES[1], NOW),
    ]
    with store.begin() as connection:
        act(connection, done)
    assert [state_of(store, name) for name in NAMES] == ["open", "closed", "open"]


def test_if_one_alert_has_changed_nothing_is_done(store: Store) -> None:
    with store.begin() as connection:
        act(connection, [closing(NAMES[0], NOW)])
    seen = dict.fromkeys(NAMES, 0)
    with pytest.raises(ConflictError) as raised, store.begin() as connection:
        act(connection, [closing(name, NOW + 1) for name in NAMES], seen)
    assert raised.value.versions == {NAMES[0]: 1}
    assert [state_of(store, name) for name in NAMES] == ["closed", "open", "open"]
    with store.reading() as connection:
        assert len(unsent(connection)) == 1


def test_what_was_sent_is_not_sent_again(store: Store) -> None:
    with store.begin() as connection:
        act(connection, [closing(name, NOW) for name in NAMES])
    with store.begin() as connection:
        first = unsent(connection, limit=2)
        mark_sent(connection, [decision.number for decision in first], NOW + 5)
    with store.reading() as connection:
        assert [decision.key for decision in unsent(connection)] == [NAMES[2]]
        sent = connection.execute(select(outbox.c.sent_at).order_by(outbox.c.number)).scalars()
        assert list(sent) == [NOW + 5, NOW + 5, None]
