"""A partition that rests gets a heartbeat once it closes a day, and none before."""

import asyncio
from typing import NamedTuple

from aiokafka.errors import RequestTimedOutError, TopicAuthorizationFailedError

from monitor.core.business_day import MICROSECONDS, event_time_of
from monitor.core.transaction import Heartbeat
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.kafka.producer import Outgoing
from streams.wire import codec
from streams.worker.idle import IdlePartitions
from tests.support.transactions import MONDAY, observed, transaction

HOUR = 3600.0
IDLE = 2 * 3600 * MICROSECONDS
POLICY = """
version = 1
[calendar]
allowed_lateness = "1h"
idle_closes_after = "2h"
[[limit]]
id = "daily-count"
measure = "count"
above = 3
"""


class Written(NamedTuple):
    number: int
    event_time: int


class Rig:
    """An engine of partition 0 that takes what is written to it, and a clock that is set."""

    def __init__(self, fails_by: Exception | None = None) -> None:
        self.hours = 0.0  # after nine on Monday
        self.engine = Engine(0, PolicyBook([policy_of(POLICY)]))
        self.written: list[Written] = []
        self.fails_by = fails_by
        self.idle = IdlePartitions(
            self.write, lambda: self.hours * HOUR, lambda: MONDAY.timestamp() + self.hours * HOUR
        )

    async def write(self, number: int, record: Outgoing) -> None:
        if self.fails_by is not None:
            raise self.fails_by
        beat = codec.decode(record.value)
        assert isinstance(beat, Heartbeat)
        self.written.append(Written(number, beat.event_time))

    def look(self, hours: float, *, has_engine: bool = True) -> bool:
        self.hours = hours
        ledger = self.engine.ledger if has_engine else None
        return asyncio.run(self.idle.look(0, ledger, IDLE))


def at(hours: float) -> int:
    return transaction("x", hours=hours).event_time


def test_it_comes_once_it_closes_a_day_and_the_day_closes_by_it() -> None:
    rig = Rig()
    observed(rig.engine, transaction("T1"), transaction("T2", account_id="B"))
    rig.idle.note_record(0)
    assert not any(rig.look(hours) for hours in (1, 2, 12, 17.9))  # Monday ends 15 h after nine
    assert rig.look(18)  # and an hour, and two behind the clock
    assert rig.written == [Written(0, at(16))]
    step = observed(rig.engine, codec.decode(codec.heartbeat_bytes("w", at(16))))
    assert len(step.account_days) == 2
    assert not any(rig.look(hours) for hours in (19, 21, 30))


def test_while_records_come_it_does_not() -> None:
    rig = Rig()
    observed(rig.engine, transaction("T1"), transaction("T2", account_id="B"))
    for hours in range(60):
        rig.idle.note_record(0)
        assert not rig.look(hours + 1)


def test_a_partition_without_any_record_gets_one_though_nothing_is_known_of_its_days() -> None:
    rig = Rig()
    assert not rig.look(0, has_engine=False)
    assert rig.look(2, has_engine=False)
    assert not rig.look(3, has_engine=False)
    assert rig.written == [Written(0, at(0))]


def test_one_that_moved_away_and_came_back_is_idle_from_then_on() -> None:
    rig = Rig()
    rig.look(0, has_engine=False)
    rig.idle.forget(frozenset({1}))
    assert not rig.look(5, has_engine=False)
    assert rig.look(7, has_engine=False)


def test_a_broker_that_refuses_it_is_asked_again_after_a_while() -> None:
    for error in (TopicAuthorizationFailedError("t"), RequestTimedOutError()):
        rig = Rig(error)
        rig.look(0, has_engine=False)
        assert not rig.look(2, has_engine=False)
        rig.fails_by = None
        assert not rig.look(3, has_engine=False)
        assert rig.look(4, has_engine=False)


def test_the_key_is_off_by_default_and_may_change_with_a_version() -> None:
    book = PolicyBook([policy_of(POLICY.replace('idle_closes_after = "2h"', ""))])
    assert [book.idle_closes_after] == [None]
    book.add(policy_of(POLICY.replace("version = 1", "version = 2")))
    assert book.idle_closes_after == IDLE
    assert event_time_of("2026-01-05T09:00:00Z") == at(0)
