"""Partitions that wait for a flush have it by turns."""

import math

import pytest

from streams.worker.partitions import TICK_SECONDS, in_turn


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
