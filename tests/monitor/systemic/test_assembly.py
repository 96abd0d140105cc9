"""Joining what partitions tell of a day: when it is whole, and what is passed over."""

import pytest

from monitor.systemic.assembly import Joining
from monitor.systemic.record import SegmentRecord, segment_records_of
from monitor.systemic.segment_day import SegmentDay


def tell(partition: int, day: int, *names: str | None, count: int = 1) -> list[SegmentRecord]:
    of_day = tuple(SegmentDay(day, name, count, {}, 0, 0, {}, {}) for name in names or (None,))
    return segment_records_of(partition, of_day)


def days_of(joining: Joining, *silent: int) -> dict[int, dict[str | None, int]]:
    return {
        day: {name: segment_day.account_days for name, segment_day in segments.items()}
        for day, segments in joining.ready(silent)
    }


def take(joining: Joining, *told: list[SegmentRecord]) -> None:
    for records in told:
        for record in records:
            joining.take(record)


def test_a_day_waits_for_every_partition() -> None:
    joining = Joining(2)
    take(joining, tell(0, 5, "a"), tell(0, 6, "a"), tell(1, 5, "b"))
    assert days_of(joining) == {5: {"a": 1, "b": 1}}
    take(joining, tell(1, 7, count=0))
    assert days_of(joining) == {6: {"a": 1}}


def test_half_a_day_is_not_told_of_yet() -> None:
    joining = Joining(1)
    take(joining, tell(0, 5, "a", "b")[:1])
    assert days_of(joining) == {}
    take(joining, tell(0, 5, "a", "b"))
    assert days_of(joining) == {5: {"a": 1, "b": 1}}


def test_what_comes_again_is_passed_over_even_where_it_is_less() -> None:
    joining = Joining(1)
    take(joining, tell(0, 5, "a", "b", count=3), tell(0, 5, "a", count=1))
    assert days_of(joining) == {5: {"a": 3, "b": 3}}
    take(joining, tell(0, 5, "a", count=1), tell(0, 6, "a"))
    assert days_of(joining) == {6: {"a": 1}}
    assert joining.late == 0


def test_a_silent_partition_far_behind_is_not_waited_for() -> None:
    joining = Joining(2)
    take(joining, tell(0, 5), tell(1, 5, "b"), *[tell(0, day, "a") for day in range(6, 13)])
    assert joining.far_behind() == []
    assert list(days_of(joining, 1)) == [5]
    take(joining, tell(0, 13, "a"))
    assert joining.far_behind() == [1]
    assert list(days_of(joining)) == []
    assert list(joining.absent) == []  # the last day that was handed on had all
    assert list(days_of(joining, 1)) == [6, 7, 8, 9, 10, 11, 12, 13]
    assert list(joining.absent) == [1]
    take(joining, tell(1, 9, "b"))
    assert joining.late == 1


@pytest.mark.parametrize("split", range(1, 9))
def test_it_goes_on_from_what_was_dumped_and_is_read_again(split: int) -> None:
    told = [
        record
        for day in range(5, 9)
        for number in (1, 0)
        for record in tell(number, day, *(["a", "b"] if number else ["c"]))
    ]
    whole, first = Joining(2), Joining(2)
    for offset, record in enumerate(told):
        whole.take(record, offset)
    expected = days_of(whole)
    for offset, record in enumerate(told[:split]):
        first.take(record, offset)
    found = days_of(first)
    state = first.dump()
    again = Joining(2, state)
    for offset in range(state["offset"], len(told)):
        again.take(told[offset], offset)
        found |= days_of(again)
    assert found == expected
