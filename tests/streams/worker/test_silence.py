"""A quiet partition is silent if nothing waits in it, or if it does not get on for long."""

import asyncio

import pytest

from streams.kafka.broker_error import BrokerError
from streams.worker.silence import (
    LOOK_SECONDS,
    LOOKS_AT_ONCE,
    SILENT_SECONDS,
    STUCK_SECONDS,
    Look,
    Silence,
)

QUIET = SILENT_SECONDS + 1


class Watched:
    """Two partitions, a clock that is set, and what the broker would say."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks = dict.fromkeys((0, 1), Look(0, is_waiting=False, told_to=0))
        self.asked: list[int] = []
        self.is_down = False
        self.silence = Silence(self._look_at, lambda: self.now)

    async def _look_at(self, number: int, _: int) -> Look:
        self.asked.append(number)
        if self.is_down:
            raise BrokerError("it does not answer")
        return self.looks[number]

    def silent(self, *numbers: int, read_to: int = 0) -> list[int]:
        return asyncio.run(self.silence.among(numbers or (0, 1), read_to))


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
        watched.looks[1] = Look(offset, is_waiting=True, told_to=0)
        watched.now += QUIET
        assert watched.silent() == [0]
    watched.looks[1] = Look(40, is_waiting=False, told_to=0)
    watched.now += QUIET
    assert watched.silent() == [0, 1]


def test_who_is_stuck_is_waited_for_a_while(watched: Watched) -> None:
    watched.looks[1] = Look(7, is_waiting=True, told_to=0)
    watched.now += QUIET
    assert watched.silent(1) == []
    watched.now += STUCK_SECONDS - 1
    assert watched.silent(1) == []
    watched.now += 1
    assert watched.silent(1) == [1]
    watched.looks[1] = Look(8, is_waiting=True, told_to=0)
    watched.now += LOOK_SECONDS
    assert watched.silent(1) == []


def test_the_broker_is_asked_now_and_then(watched: Watched) -> None:
    watched.now += QUIET
    for _ in range(10):
        assert watched.silent(1) == [1]
    assert watched.asked == [1]
    watched.looks[1] = Look(0, is_waiting=True, told_to=0)
    watched.now += LOOK_SECONDS
    assert watched.silent(1) == []
    assert watched.asked == [1, 1]


def test_nobody_is_silent_because_the_broker_is(watched: Watched) -> None:
    watched.is_down = True
    watched.now += 10 * STUCK_SECONDS
    assert watched.silent() == []
    assert watched.asked == [0, 1]
    watched.now += LOOK_SECONDS - 1
    assert watched.silent() == []
    assert watched.asked == [0, 1], "each record that comes would wait for a broker that is down"
    watched.is_down = False
    watched.now += 1
    assert watched.silent() == [0, 1]


def test_a_broker_that_fails_now_and_then_does_not_make_a_stuck_partition_wait(
    watched: Watched,
) -> None:
    watched.looks[1] = Look(7, is_waiting=True, told_to=0)
    watched.now += QUIET
    assert watched.silent(1) == []
    watched.is_down = True
    watched.now += STUCK_SECONDS / 2
    assert watched.silent(1) == []
    watched.is_down = False
    watched.now += STUCK_SECONDS / 2
    assert watched.silent(1) == [1]


def test_nobody_is_silent_whose_words_we_may_not_have_read(watched: Watched) -> None:
    """We may be slow ourselves, or begin with a backlog: what a partition told stands in it."""
    watched.looks[1] = Look(40, is_waiting=False, told_to=10)
    watched.now += QUIET
    assert watched.silent(1, read_to=8) == []
    assert watched.silent(1, read_to=9) == []
    watched.looks[1] = Look(40, is_waiting=False, told_to=20)
    assert watched.silent(1, read_to=10) == [1]
    watched.now += LOOK_SECONDS
    assert watched.silent(1, read_to=19) == []
    assert watched.silent(1, read_to=20) == [1]


def test_partitions_are_looked_at_at_a_time() -> None:
    """A topic may have more partitions than accounts: each record would wait for all looks."""

    async def run() -> None:
        gate = asyncio.Event()
        began: list[int] = []
        now = 0.0

        async def look(number: int, _: int) -> Look:
            began.append(number)
            await gate.wait()
            return Look(0, is_waiting=False, told_to=0)

        silence = Silence(look, lambda: now)
        now = QUIET
        looking = asyncio.create_task(silence.among(range(20), 0))
        await asyncio.sleep(0.01)
        assert began == list(range(LOOKS_AT_ONCE))
        gate.set()
        assert await looking == list(range(20))

    asyncio.run(run())
