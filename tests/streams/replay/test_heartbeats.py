"""A heartbeat in a file is of every partition, for a replay and for whoever sends the file."""

from pathlib import Path

import pytest

from monitor.engine.engine import Engine, MakeEngine, plain_engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.feed.order import in_order
from streams.kafka.producer import Dispatch, Outbox, Outgoing
from streams.replay.replay import Replay
from streams.wire import codec
from streams.worker import engines
from tests.support.transactions import row, transaction

POLICY = """
version = 1
[calendar]
allowed_lateness = "1h"
[systemic]
[[limit]]
id = "daily-count"
measure = "count"
above = 3
"""
PARTITIONS = 4


def beat(hours: float) -> bytes:
    return codec.heartbeat_bytes("feed", transaction("x", hours=hours).event_time)


def with_arrays(partition: int, policies: PolicyBook, partitions: int) -> Engine:
    engines.prepare()
    return OrdinaryEngine(partition, policies, partitions=partitions)


def replayed(path: Path, make_engine: MakeEngine) -> tuple[list[str], list[int], int]:
    """Return the closed account-days, the partitions that told of days, and the rejections."""
    replay = Replay(PolicyBook([policy_of(POLICY)]), PARTITIONS, make_engine=make_engine)
    days, partitions, rejections = list[str](), set[int](), 0
    for batch in in_order([path]):
        report = replay.observe(batch)
        days += [repr(closed.fields()) for closed in report.account_days]
        days += [value.decode() for value in report.closed_rows]
        partitions |= {record.partition for record in report.segment_days}
        rejections += len(report.rejections)
    return sorted(days), sorted(partitions), rejections


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of three accounts, of Monday; the heartbeats stand first, and are later."""
    rows = [
        codec.transaction_bytes(row(f"T{n}", hours=n / 10, account_id=f"A{n % 3}"))
        for n in range(30)
    ]
    path = tmp_path / "day.jsonl"
    path.write_bytes(b"\n".join([beat(40), beat(16), *rows]) + b"\n")
    return path


@pytest.mark.parametrize("make_engine", [plain_engine, with_arrays])
def test_every_partition_closes_its_days_in_the_order_of_the_times(
    file: Path, make_engine: MakeEngine
) -> None:
    days, partitions, rejections = replayed(file, make_engine)
    assert len(days) == 3
    assert partitions == list(range(PARTITIONS))
    assert rejections == 0


def test_without_them_nothing_closes(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "without.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b"heartbeat" not in line))
    assert replayed(path, plain_engine) == ([], [], 0)


def test_one_is_sent_to_each_partition_and_any_other_record_to_one() -> None:
    dispatch = Dispatch(Outbox.__new__(Outbox), "t", PARTITIONS, codec.is_heartbeat)
    records = [Outgoing(None, beat(1)), Outgoing(None, b"{}"), Outgoing(None, None)]
    dealt = dispatch.deal([(None, record) for record in records])
    assert {number: len(its) for number, its in dealt.items()} == {0: 3, 1: 1, 2: 1, 3: 1}
