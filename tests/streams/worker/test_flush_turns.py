"""Partitions that wait for a flush have it by turns."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.worker.partitions import (
    FLUSH_SHARE,
    FLUSH_TIMES_MAX,
    FLUSH_WAIT_SECONDS_MAX,
    TICK_SECONDS,
    in_turn,
    is_due,
)


def test_partitions_that_wait_together_are_flushed_at_different_ticks() -> None:
    waiting = dict.fromkeys(range(4), 0.0)
    ticks: list[list[int]] = []
    for tick in range(1, 11):
        ticks.append(in_turn([(since, n) for n, since in waiting.items()], 4, 1.0))
        for number in ticks[-1]:
            del waiting[number]
            assert tick <= 4
    assert ticks[:4] == [[0], [1], [2], [3]]
    assert not waiting


def test_the_one_that_waits_longest_is_first() -> None:
    assert in_turn([(5.0, 0), (3.0, 1), (4.0, 2)], 3, 1.0) == [1]


@pytest.mark.parametrize("partitions", [1, 4, 7, 100, 1001])
@pytest.mark.parametrize("interval", [0.01, TICK_SECONDS, 0.25, 1.0, 60.0])
def test_each_has_its_turn_in_an_interval(partitions: int, interval: float) -> None:
    waiting = dict.fromkeys(range(partitions), 0.0)
    for _ in range(math.ceil(interval / TICK_SECONDS)):
        for number in in_turn([(s, n) for n, s in waiting.items()], partitions, interval):
            del waiting[number]
    assert not waiting


@given(st.integers(1, 10**6), st.integers(0, 10**7), st.floats(0, 1e4), st.floats(0, 1e4))
def test_as_many_records_as_the_settings_say_are_flushed_unless_the_last_flush_took_long(
    of_settings: int, records: int, since: float, took: float
) -> None:
    due = is_due(records, of_settings, since, took)
    assert not due or records >= of_settings
    if records >= FLUSH_TIMES_MAX * of_settings:
        assert due
    elif records >= of_settings:
        assert due == (since >= min(FLUSH_SHARE * took, FLUSH_WAIT_SECONDS_MAX))
