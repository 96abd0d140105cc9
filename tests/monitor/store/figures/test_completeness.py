"""The store holds what partitions counted, once, and shows what is missing."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.store.figures.completeness import (
    CompletenessReport,
    Gap,
    HourReport,
    completeness,
    completeness_of,
)
from monitor.store.intake import Intake, Read, RecordSort
from monitor.store.store import Store
from tests.support.counted import TEN, counted_hour, late_stretch, moment
from tests.support.laws import law
from tests.support.stored import contents, sqlite_store

ELEVEN = "2026-01-05T11:00:00Z"


def took(store: Store, *values: dict[str, Any], first: int = 0) -> CompletenessReport:
    """Take records in the order of a topic, and return what the page of health shows then."""
    Intake(store).take(
        [
            Read(RecordSort.COMPLETENESS, "t.completeness.v1", 0, first + number, 0, value)
            for number, value in enumerate(values)
        ]
    )
    with store.reading() as connection:
        return completeness(connection)


def test_the_last_counts_of_an_hour_hold(tmp_path: Path) -> None:
    report = took(
        sqlite_store(tmp_path),
        counted_hour(received=4),
        counted_hour(received=10),
        counted_hour(received=6, partition=1),
    )
    assert report.hours == [HourReport(moment(TEN), 16, 14, 2, 0, ())]
    assert report.hours[0].unaccounted == 0
    assert report.gaps == []


def test_counts_of_an_hour_that_began_again_add_up(tmp_path: Path) -> None:
    report = took(
        sqlite_store(tmp_path),
        counted_hour(received=4),
        counted_hour(offset=90, received=10, counted_from=0, counted_to=100, records=100),
    )
    assert [hour.received for hour in report.hours] == [14]
    assert report.gaps == []


def test_a_worker_that_lost_its_partition_changes_nothing(tmp_path: Path) -> None:
    report = took(
        sqlite_store(tmp_path),
        counted_hour(received=10, term=2),
        counted_hour(received=30, term=1),
        late_stretch(records=7, term=2),
        late_stretch(records=9, term=1),
    )
    assert [hour.received for hour in report.hours] == [10]
    assert [row.records for row in report.not_monitored] == [7]


def test_hours_in_which_a_partition_was_silent_name_it(tmp_path: Path) -> None:
    report = took(
        sqlite_store(tmp_path),
        counted_hour(),
        counted_hour(partition=2),
        counted_hour(offset=10, hour=ELEVEN, counted_from=0, counted_to=20),
    )
    assert [(hour.hour, hour.silent) for hour in report.hours] == [
        (moment(ELEVEN), (2,)),
        (moment(TEN), ()),
    ]


def test_what_came_to_nothing_is_shown(tmp_path: Path) -> None:
    (hour,) = took(sqlite_store(tmp_path), counted_hour(received=10, decided=7)).hours
    assert hour.unaccounted == 2


def test_offsets_that_nobody_counted_are_a_gap_of_their_partition_alone(tmp_path: Path) -> None:
    report = took(
        sqlite_store(tmp_path),
        counted_hour(received=10),
        counted_hour(offset=25, received=5),
        counted_hour(offset=40, received=5, partition=1),
    )
    assert report.gaps == [Gap(0, 10, 25)]


@law(40)
@given(st.permutations(range(6)), st.integers(0, 5))
def test_the_order_and_the_cuts_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cut: int
) -> None:
    made = [
        counted_hour(received=3),
        counted_hour(received=9),
        counted_hour(received=8, term=2),
        counted_hour(offset=9, hour=ELEVEN, counted_from=0, counted_to=19, term=2),
        late_stretch(),
        late_stretch(term=2, records=5),
    ]
    whole = sqlite_store(tmp_path_factory.mktemp("whole"))
    took(whole, *made)
    other = sqlite_store(tmp_path_factory.mktemp("other"))
    mixed = [made[number] for number in order]
    took(other, *mixed[:cut])
    took(other, *mixed[cut:], first=cut)
    assert {**contents(other), "progress": []} == {**contents(whole), "progress": []}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "other"},
        {"partition": -1},
        {"offset": True},
        {"received": "4"},
        {"records": 1 << 63},
        {"hour": "ten"},
        {"hour": None},
    ],
)
def test_a_record_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    fields = {**counted_hour(), "hour": TEN}
    assert completeness_of(fields) == counted_hour()
    with pytest.raises(ValueError, match="must be"):
        completeness_of(fields | wrong)


@given(st.dictionaries(st.sampled_from([*counted_hour(), *late_stretch()]), st.none() | st.text()))
def test_anything_is_a_record_or_refused(fields: dict[str, Any]) -> None:
    if fields.get("kind") in {"hour", "not-monitored"} and {*fields.values()} != {fields["kind"]}:
        fields = {**counted_hour(), **late_stretch(), "hour": TEN} | fields
    with pytest.raises(ValueError, match="must be"):
        completeness_of(fields)
