"""The counts of the queue's tabs are those of the alerts, after whatever has changed them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from monitor.core.business_day import MICROSECONDS
from monitor.store import people
from monitor.store.figures.standings import CountedStanding, counts
from monitor.store.intake import Intake
from monitor.store.keeping.erasure import erase
from monitor.store.keeping.retention import Retention, prune
from monitor.store.people import Role
from monitor.store.schema import alerts, standing_counts
from monitor.store.standing import State
from monitor.store.store import Store
from tests.support.laws import law
from tests.support.stored import NOW, filled, made_records, sqlite_store

SNOOZE_ENDS = 1_772_323_200 * MICROSECONDS
"""When the snoozes of made actions end."""

DAY = 86_400 * MICROSECONDS


@pytest.fixture
def store(either_store: Store) -> Store:
    return either_store


def ensure_counted(store: Store) -> None:
    """Assert that the counts are those of a plain count, for each person, before and after."""
    with store.reading() as connection:
        rows = connection.execute(select(alerts)).all()
        held = connection.execute(select(standing_counts)).all()
        assert {CountedStanding(*row[:3]): row.alerts for row in held} == Counter(
            CountedStanding(row.state, row.assignee or "", row.is_back) for row in rows
        )
        for now in (0, SNOOZE_ENDS - 1, SNOOZE_ENDS, 2**60):
            stand = [
                "open" if row.state == "snoozed" and row.snoozed_until <= now else row.state
                for row in rows
            ]
            opened = [row for row, state in zip(rows, stand, strict=True) if state == "open"]
            for name in ("Ann", "Bob", "nobody"):
                assert counts(connection, name, now) == {
                    **{state.value: stand.count(state.value) for state in State},
                    "mine": sum(row.assignee == name for row in opened),
                    "back": sum(row.is_back for row in opened),
                }


@law(40)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 40))
def test_counts_are_those_of_a_plain_count(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int
) -> None:
    store = sqlite_store(tmp_path_factory.mktemp("store"))
    records = made_records(seed, 120)
    for begin in range(0, len(records), size):
        filled(store, records[begin : begin + size])
        ensure_counted(store)
    store.close()


def test_both_databases_count_alike_and_a_rebuild_counts_again(store: Store) -> None:
    records = made_records(2, 300)
    filled(store, records, at_a_time=7)
    ensure_counted(store)
    Intake(store).forget()
    ensure_counted(store)
    filled(store, records)
    ensure_counted(store)
    with store.reading() as connection:
        found, later = counts(connection, "Ann", 0), counts(connection, "Ann", 2**60)
    assert min(found[tab] for tab in found) > 0
    assert later["open"] == found["open"] + found["snoozed"]


def test_alerts_that_are_taken_away_count_no_longer(store: Store) -> None:
    people.add_user(store, "root", Role.ADMIN, "a password of some length", NOW)
    filled(store, made_records(2, 300))
    with store.reading() as connection:
        before = sum(row.alerts for row in connection.execute(select(standing_counts)))
    gone = erase(store, "A1", NOW, by="root", reason="asked for").taken_away["alerts"]
    ensure_counted(store)
    gone += prune(store, Retention(alerts=1), NOW + 400 * DAY, by="root")["alerts"]
    ensure_counted(store)
    with store.reading() as connection:
        left = sum(row.alerts for row in connection.execute(select(standing_counts)))
    assert before - left == gone
    assert left < before
