"""The store takes every record once: however it is cut, and whatever comes twice."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sketches.histogram import Sketch
from monitor.core.business_day import day_text
from monitor.review.membership import is_member
from monitor.store import intake as intake_of_store
from monitor.store.figures.segments import closed_days
from monitor.store.intake import Intake, Read, RecordSort, priority_of
from monitor.store.records import SAMPLES_MAX
from monitor.store.standing import Action, Does
from monitor.store.store import Store
from monitor.systemic.record import SegmentRecord
from monitor.systemic.segment_day import LimitDay, SegmentDay
from tests.support.laws import law
from tests.support.stored import (
    ALERTS,
    MONDAY,
    NOW,
    contents,
    filled,
    made_record,
    made_records,
    read_action,
    read_alert,
    sqlite_store,
)


def new_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return sqlite_store(tmp_path_factory.mktemp("store"))


@pytest.mark.no_cover
@law(60)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 20))
def test_however_records_are_cut_the_store_holds_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int
) -> None:
    records = made_records(seed)
    whole = filled(new_store(tmp_path_factory), records)
    assert filled(new_store(tmp_path_factory), records, at_a_time=size) == whole


@law(60)
@given(seed=st.integers(0, 10**6), back=st.integers(1, 60), size=st.integers(1, 20))
def test_records_that_come_twice_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, back: int, size: int
) -> None:
    records = made_records(seed)
    store = new_store(tmp_path_factory)
    whole = filled(store, records)
    assert filled(store, records[-back:], at_a_time=size) == whole


@pytest.mark.no_cover
@law(40)
@given(seed=st.integers(0, 10**6), fails_at=st.integers(0, 59))
def test_what_is_killed_in_the_middle_goes_on_and_ends_alike(
    tmp_path_factory: pytest.TempPathFactory, seed: int, fails_at: int
) -> None:
    records = made_records(seed)
    whole = filled(new_store(tmp_path_factory), records)
    store = new_store(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:

        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        filled(store, records[:fails_at])
        patch.setattr(intake_of_store, "_keep_positions", fail)
        with pytest.raises(KeyboardInterrupt):
            Intake(store).take(records[fails_at : fails_at + 7])
    assert filled(store, records, at_a_time=11) == whole


@law(60)
@given(seed=st.integers(0, 10**6))
def test_which_incident_explains_an_alert_is_what_the_two_say(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    held = filled(new_store(tmp_path_factory), made_records(seed), at_a_time=3)["alerts"]
    by_id = {row[0]: json.loads(row[-8]) for row in held}
    incidents = [by_id[name] for name in sorted(by_id) if name.startswith("incident")]
    for row in held:
        record = by_id[row[0]]
        explaining = [its["alert_id"] for its in incidents if is_member(its, record)]
        assert row[12] == (explaining[0] if explaining else None)


def test_the_greater_revision_holds_whatever_comes_first(tmp_path: Path) -> None:
    name = "daily-amount/A1/739621"
    store = sqlite_store(tmp_path)
    records = [read_alert(n, made_record(name, revision)) for n, revision in enumerate([2, 1, 2])]
    held = filled(store, records)
    assert [row[1] for row in held["alerts"]] == [2]
    assert [row[1] for row in held["revisions"]] == [1, 2]


def test_an_action_that_comes_before_its_alert_counts_once_it_comes(tmp_path: Path) -> None:
    name = "daily-amount/A1/739621"
    store = sqlite_store(tmp_path)
    action = Action(name, Does.ASSIGN, "Ann", NOW, 1, {"assignee": "Ann"})
    Intake(store).take([read_action(0, action)])
    assert contents(store)["alerts"] == []
    held = filled(store, [read_alert(0, made_record(name, 1))])
    assert "Ann" in held["alerts"][0]


def rejection(offset: int, reason: str) -> Read:
    told_at = NOW + offset * 60_000_000
    return Read(RecordSort.REJECTION, "t.rejections.v1", 0, offset, told_at, {"reason": reason})


def test_rejections_are_counted_by_the_hour_and_the_latest_are_kept(tmp_path: Path) -> None:
    records = [rejection(n, "future" if n % 3 else "malformed") for n in range(450)]
    held = filled(sqlite_store(tmp_path), records, at_a_time=70)
    assert sum(row[2] for row in held["rejection_counts"]) == 450
    kept = [row for row in held["rejections"] if row[4] == "future"]
    assert len(kept) == SAMPLES_MAX
    assert max(row[2] for row in kept) == 449


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 25),
        ({"severity": "critical"}, 55),
        ({"evidence": {"times_limit": "10.0"}}, 35),
        ({"evidence": {"times_limit": "1e9"}}, 45),
        ({"kind": "review", "evidence": {"reading": "suspicion"}}, 50),
        ({"kind": "systemic"}, 45),
    ],
)
def test_priority_adds_what_speaks_for_an_alert(changes: dict[str, Any], expected: int) -> None:
    record = {"kind": "daily-amount", "severity": "medium", "evidence": {}} | changes
    assert priority_of(record, None) == expected
    assert priority_of(record, "incident") == max(0, expected - 30)


def test_what_follows_from_topics_is_forgotten_for_a_rebuild(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    whole = filled(store, made_records(3))
    Intake(store).forget()
    assert not any(contents(store).values())
    assert filled(store, made_records(3), at_a_time=5) == whole
    assert Intake(store).positions()[ALERTS, 0] > 0


def read_segment_day(offset: int, record: SegmentRecord) -> Read:
    return Read(RecordSort.SEGMENT_DAY, "t.segment-days.v1", 0, offset, NOW, record.fields())


@law(60)
@given(
    numbers=st.lists(st.integers(0, 50), min_size=24, max_size=24),
    order=st.permutations(range(24)),
    size=st.integers(1, 24),
)
def test_closed_days_add_up_whatever_the_order_and_the_last_of_a_part_holds(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], order: list[int], size: int
) -> None:
    parts = list(product(range(3), range(2), (None, "retail"), range(2)))
    said = [
        SegmentRecord(partition, 4, segment_day_of(day, segment, number), part)
        for (day, partition, segment, part), number in zip(parts, numbers, strict=True)
    ]
    stale = [
        SegmentRecord(partition, 4, segment_day_of(day, segment, 99), part)
        for day, partition, segment, part in parts[:6]
    ]
    records = [*stale, *(said[number] for number in order)]
    reads = [read_segment_day(offset, record) for offset, record in enumerate(records)]
    store = new_store(tmp_path_factory)
    filled(store, reads, at_a_time=size)
    with store.reading() as connection:
        days = closed_days(connection)
    assert [day.business_day for day in days] == [day_text(MONDAY + day) for day in (2, 1, 0)]
    for place, day in enumerate(reversed(days)):
        its = numbers[8 * place : 8 * place + 8]
        assert day.partitions == [0, 1]
        assert (day.account_days, day.breaches) == (sum(its), sum(its))


def segment_day_of(day: int, segment: str | None, number: int) -> SegmentDay:
    limits = {"daily-amount": LimitDay(100, number, Sketch(), {})}
    return SegmentDay(MONDAY + day, segment, number, limits, 0, 0, {}, {})
