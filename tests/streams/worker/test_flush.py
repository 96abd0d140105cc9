"""The order of a flush: each write waits for those before it, and the acknowledgement for all."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from streams.kafka.producer import Outgoing
from streams.state.keys import is_seal
from streams.wire.columns import read_run
from tests.support.fake_log import TOPICS, CrashError, Event, FakeOutbox, Log, Told
from tests.support.lives import Life, idle
from tests.support.made_stream import made_stream
from tests.support.records import Record

STREAM = made_stream(6)


@pytest.mark.parametrize("batch_records", [1, 50])
def test_each_write_waits_for_the_ones_before_it_and_the_acknowledgement_for_all(
    batch_records: int,
) -> None:
    story = asyncio.run(flushed_after_each_run(STREAM, batch_records))
    outstanding: Counter[bytes | None] = Counter()
    flush: list[tuple[bytes | None, ...]] = []  # what was sent to the changelog since the last take
    for what, topic, keys in story:
        if what == "sent" and topic == TOPICS.changelog:
            assert not +outstanding, "sent before all that comes first was acknowledged"
            flush.append(keys)
        if what == "sent":
            outstanding.update(keys)
        elif what == "acked":
            outstanding.subtract(keys)
        elif what == "committed":
            assert not +outstanding
            *before, seal = flush
            (key,) = seal
            assert key is not None
            assert is_seal(key), "the seal is the last, and goes alone"
            assert_journal_comes_before_buckets(before)
            flush = []
    assert not flush


def assert_journal_comes_before_buckets(sent: list[tuple[bytes | None, ...]]) -> None:
    sorts = [{(key or b"")[:2] for key in keys} - {b"c:"} for keys in sent]
    assert sum((key or b"").startswith(b"c:") for keys in sent for key in keys) == bool(sent), sent
    sorts = [sort for sort in sorts if sort]  # counts go with the buckets, or alone
    assert sorts in ([], [{b"j:"}], [{b"b:"}], [{b"j:"}, {b"b:"}]), sent


async def flushed_after_each_run(records: list[Record], batch_records: int) -> list[Told]:
    rng = random.Random(3)  # noqa: S311 - seeded, and no secret
    outbox = FakeOutbox(Log(), rng, batch_records=batch_records)
    life = Life(outbox, rng, records)
    for first in range(0, len(records), 7):
        run = records[first : first + 7]
        await life.partition.take(Event(outbox, rng, run[-1].offset), read_run([run]))
        flushed = await life.partition.flush()
        assert flushed is not None
        assert flushed.records == len(run)
        assert life.partition.records_pending == 0
    assert await life.partition.flush() is None  # there is nothing new
    return outbox.story


class GatedOutbox(FakeOutbox):
    """An outbox that takes nothing until its gate is opened."""

    def __init__(self, log: Log, rng: random.Random) -> None:
        super().__init__(log, rng)
        self.gate = asyncio.Event()

    async def send(
        self, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[asyncio.Future[object]]:
        await self.gate.wait()
        return await super().send(topic, partition, records)


def test_a_flush_waits_for_what_is_decided_and_not_yet_sent() -> None:
    rng, records = random.Random(5), STREAM  # noqa: S311 - seeded, and no secret

    async def run() -> None:
        outbox = GatedOutbox(Log(), rng)
        partition = Life(outbox, rng, records).partition
        taking = asyncio.create_task(
            partition.take(Event(outbox, rng, 29), read_run([records[:30]]))
        )
        await idle(3)
        assert partition.records_pending == 30
        flushing = asyncio.create_task(partition.flush())
        await idle(30)
        outbox.gate.set()
        step = await taking
        await flushing
        assert step.alerts
        acked = [topic for what, topic, _ in outbox.story if what == "acked"]
        told = TOPICS.alerts, TOPICS.rejections, TOPICS.account_days
        assert max(i for i, topic in enumerate(acked) if topic in told) < acked.index(
            TOPICS.changelog
        )

    asyncio.run(run())


def test_what_is_told_while_a_flush_goes_on_belongs_to_the_next_one() -> None:
    rng, records = random.Random(5), STREAM  # noqa: S311 - seeded, and no secret
    log = Log()

    async def run() -> None:
        outbox = FakeOutbox(log, rng)
        partition = Life(outbox, rng, records).partition
        await partition.take(Event(outbox, rng, 9), read_run([records[:10]]))
        flushing = asyncio.create_task(partition.flush())
        await idle(2)
        assert not flushing.done()
        await partition.take(Event(outbox, rng, 19), read_run([records[10:20]]))
        assert not flushing.done()
        flushed = await flushing
        assert flushed is not None
        assert flushed.records == 10
        assert partition.records_pending == 10
        assert log.sealed() == 9

    asyncio.run(run())


def test_a_broker_that_refuses_stops_the_flush_and_nothing_is_acknowledged() -> None:
    rng, records = random.Random(5), STREAM  # noqa: S311 - seeded, and no secret

    async def run() -> None:
        outbox = FakeOutbox(Log(), rng, crash_at=8)
        partition = Life(outbox, rng, records).partition
        await partition.take(Event(outbox, rng, 19), read_run([records[:20]]))
        with pytest.raises(CrashError):
            await partition.flush()
        assert outbox.log.committed == 0
        assert not partition.is_settled

    asyncio.run(run())
