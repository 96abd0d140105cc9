"""A backlog whose days end faster than they are gone on with: each run closes one."""

import asyncio

import pytest

from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.wire.columns import read_run
from streams.worker.partition import Flushed, Partition
from tests.support.fake_log import TOPICS, Log
from tests.support.records import Record, record
from tests.support.transactions import POLICY
from tests.support.two_engines import _Acknowledged, _Outbox

RUNS = 12
RECORDS = 300
"""Of a run, and of a day: but a day ends in the middle of a run."""

POLICY_TEXT = POLICY + "\n[systemic]\n[review]\ndays = 2\nwindow_days = 5\nnear_share = 0.5\n"


def records_of(run: int) -> list[Record]:
    """Return a run's records; every fifth account is near its limit. Others come the next day."""
    made = []
    for offset in range(run * RECORDS, (run + 1) * RECORDS):
        day, number = divmod(offset + RECORDS // 2, RECORDS)
        amount = "300.00" if number % 5 == 0 else "10.00"
        name = f"{'ABCD'[day % 4]}{number}"
        hours = 24 * day + 6 * number / RECORDS
        made.append(
            record(offset, f"T{offset}", hours=hours, account_id=name, amount=amount, segment="s")
        )
    return made


async def flushed(make: type[Engine], log: Log, *, is_late: bool) -> list[tuple[bool, int]]:
    """Return after each run whether a flush wrote, and how many closed days are not told whole."""
    engine = make(0, PolicyBook([policy_of(POLICY_TEXT)]), 16)
    partition = Partition(engine, log.kept(), _Outbox(log), TOPICS, lambda _: True)
    found = []
    for run in range(RUNS):
        await partition.take(_Acknowledged(), read_run([records_of(run)]))
        written: Flushed | None = await partition.flush(is_late=is_late)
        if written is not None and written.told is not None:
            assert not engine.has_closing_days
        found.append((written is not None, len(engine._closing.days)))
    await partition.flush(is_late=True)
    assert partition.records_pending == 0
    assert not engine.has_closing_days
    return found


@pytest.mark.parametrize("make", [Engine, OrdinaryEngine])
def test_a_late_flush_tells_first_what_is_left_of_closed_days(make: type[Engine]) -> None:
    late, waiting = Log(), Log()
    assert all(wrote for wrote, _ in asyncio.run(flushed(make, late, is_late=True)))
    found = asyncio.run(flushed(make, waiting, is_late=False))
    assert not all(wrote for wrote, _ in found), "the law must be asked something"
    assert max(days for _, days in found) <= 2, "older ones are told before another one ends"
    for topic in (TOPICS.alerts, TOPICS.account_days, TOPICS.segment_days):
        told, expected = (
            sorted((r.key, r.value) for r in log.topics[topic]) for log in (late, waiting)
        )
        assert told == expected
        assert told or topic == TOPICS.alerts
