"""A quiet partition is silent if nothing waits in it, or if it does not get on for long."""

import asyncio

import pytest

from streams.kafka.broker_error import BrokerError
from streams.worker.silence import LOOK_SECONDS, SILENT_SECONDS, STUCK_SECONDS, Look, Silence

QUIET = SILENT_SECONDS + 1


class Watched:
    """Two partitions, a clock that is set, and what the broker would say."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks = dict.fromkeys((0, 1), Look(0, is_waiting=False))
        self.asked: list[int] = []
        self.is_down = False
        self.silence = Silence(self._look_at, lambda: self.now)

    async def _look_at(self, number: int) -> Look:
        self.asked.append(number)
        if self.is_down:
            raise BrokerError("it does not answer")
        return self.looks[number]

    def silent(self, *numbers: int) -> list[int]:
        return asyncio.run(self.silence.among(numbers or (0, 1)))


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_who_was_quiet_for_long_and_has_no_record_is_silent(watched: Watched) -> None:
    watched.now += SILENT_SECONDS
    assert watched.silent() == []
    assert watched.asked == []
    watched.now += 1
    watched.silence.heard(1)
    assert watched.silent() == [0]
    watched.silence.begin()
    assert watched.silent() == []


def test_who_is_behind_is_waited_for_while_it_gets_on(watched: Watched) -> None:
    """A worker that starts slowly, or works off a backlog, tells nothing for minutes."""
    for offset in range(40):
        watched.looks[1] = Look(offset, is_waiting=True)
        watched.now += QUIET
        assert watched.silent() == [0]
    watched.looks[1] = Look(40, is_waiting=False)
    watched.now += QUIET
    assert watched.silent() == [0, 1]


def test_who_is_stuck_is_waited_for_a_while(watched: Watched) -> None:
    watched.looks[1] = Look(7, is_waiting=True)
    watched.now += QUIET
    assert watched.silent(1) == []
    watched.now += STUCK_SECONDS - 1
    assert watched.silent(1) == []
    watched.now += 1
    assert watched.silent(1) == [1]
    watched.looks[1] = Look(8, is_waiting=True)
    watched.now += LOOK_SECONDS
    assert watched.silent(1) == []


def test_the_broker_is_asked_now_and_then(watched: Watched) -> None:
    watched.now += QUIET
    for _ in range(10):
        assert watched.silent(1) == [1]
    assert watched.asked == [1]
    watched.looks[1] = Look(0, is_waiting=True)
    watched.now += LOOK_SECONDS
    assert watched.silent(1) == []
    assert watched.asked == [1, 1]


def test_nobody_is_silent_because_the_broker_is(watched: Watched) -> None:
    watched.is_down = True
    watched.now += 10 * STUCK_SECONDS
    assert watched.silent() == []
