"""Record batches as bytes from a broker: the records that aiokafka makes of them, from anywhere."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import CorruptRecordException
from aiokafka.structs import TopicPartition

from monitor.policy.document import DEFAULT_POLICY
from streams.kafka.admin import TopicSpec, create_topics
from streams.kafka.cluster import Cluster
from streams.kafka.compression import CODECS
from streams.topics.catalog import Topics
from streams.wire.records import RecordBatch
from streams.worker.raw_fetch import FetchedRun, fetch_runs
from tests.kafka.apache_kafka import ApacheKafka
from tests.kafka.transactional import a_transaction, transact
from tests.support.batches import records_of
from tests.support.rigs import KAFKA, Broker, own_rig, running, send, until_ended

SECONDS_MAX: Final = 60.0
RECORDS_MAX: Final = 25
APPEND_TIME: Final = {"message.timestamp.type": "LogAppendTime"}


def made(number: int) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
    """Return key, value and headers of a record; any of them may be missing."""
    headers = [("n", b"%d" % number), ("", b"")] if number % 3 == 0 else []
    key = b"k%d" % number if number % 7 else None
    return key, b"v" * (number % 90) if number % 5 or key is None else None, headers


async def produce(broker: str, topic: str, codec: str | None, numbers: Sequence[int]) -> None:
    """Write records as the client batches them, then some in batches of one."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, compression_type=codec, linger_ms=20)
    await producer.start()
    sent, time = [], 1_700_000_000_000
    for number in numbers:
        key, value, headers = made(number)
        sent.append(
            await producer.send(
                topic, value, key, partition=0, headers=headers, timestamp_ms=time - number
            )
        )  # fmt: skip
        if number % 40 == 0:
            await sent[-1]
    for answer in sent:
        await answer
    await producer.stop()


class Reading:
    """A consumer of one partition, of records or of runs."""

    def __init__(self, broker: str, topic: str, *, has_batches: bool) -> None:
        self.tp = TopicPartition(topic, 0)
        self.pieces: list[Any] = []
        self._has_batches = has_batches
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=broker, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", max_partition_fetch_bytes=4000,
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        if self._has_batches:
            fetch_runs(self._consumer, {self.tp.topic}, RECORDS_MAX)
        self._consumer.assign([self.tp])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def from_offset(self, offset: int, end: int) -> list[tuple[Any, ...]]:
        """Return the records from an offset to the end, with the position behind them."""
        self._consumer.seek(self.tp, offset)
        found: list[Any] = []
        async with asyncio.timeout(SECONDS_MAX):
            while await self._consumer.position(self.tp) < end:
                for got in (await self._consumer.getmany(self.tp, timeout_ms=200)).values():
                    found += got
        if self._has_batches:
            assert all(isinstance(run, FetchedRun) for run in found)
            assert all(1 <= run.records <= RECORDS_MAX for run in found)
            self.pieces = [piece for run in found for piece in run.pieces]
            found = [record for piece in self.pieces for record in records_of(piece)]
        return [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in found]


async def compare(broker: str, topic: str, end: int, step: int) -> list[Any]:
    """See that both readers find the same from many offsets on; return the pieces of the whole."""
    async with (
        Reading(broker, topic, has_batches=False) as theirs,
        Reading(broker, topic, has_batches=True) as ours,
    ):
        for offset in [*range(end - 1, 0, -step), 0]:
            expected = await theirs.from_offset(offset, end)
            assert await ours.from_offset(offset, end) == expected
        return ours.pieces


async def end_of(broker: str, topic: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker)
    await consumer.start()
    ends = await consumer.end_offsets([TopicPartition(topic, 0)])
    await consumer.stop()
    return int(ends[TopicPartition(topic, 0)])


def new_topic(broker: str, settings: dict[str, str]) -> str:
    """Return a topic that keeps records however old they are: these are of 2023.

    Apache Kafka looks half a minute after its start for what retention takes away.
    """
    topic = f"batches-{uuid4().hex[:8]}"
    create_topics(Cluster(broker), [TopicSpec(topic, 1, {"retention.ms": "-1"} | settings)], 1)
    return topic


def test_batches_of_every_codec_have_the_records_of_aiokafka_from_anywhere(broker: Broker) -> None:
    topic = new_topic(broker.address, {})

    async def run() -> list[Any]:
        for place, codec in enumerate([None, *CODECS]):
            await produce(broker.address, topic, codec, range(place * 120, place * 120 + 120))
        return await compare(broker.address, topic, 600, 17)

    pieces = asyncio.run(run())
    assert all(isinstance(piece, RecordBatch) for piece in pieces)  # no record was an object


@pytest.mark.kafka
@pytest.mark.parametrize("settings", [{}, APPEND_TIME], ids=["create", "append"])
def test_transactions_between_ordinary_batches_end_as_with_aiokafka(
    apache_kafka: ApacheKafka, settings: dict[str, str]
) -> None:
    broker = apache_kafka.bootstrap
    topic = new_topic(broker, settings)

    async def run() -> list[Any]:
        for place, codec in enumerate([None, *CODECS]):
            await produce(broker, topic, codec, range(place * 30, place * 30 + 30))
            await transact(broker, topic, [(b"k", b"no")] * 4, commits=False)
            await produce(broker, topic, codec, range(place * 30, place * 30 + 5))
            await transact(broker, topic, [(b"k", b"yes")] * 3, commits=True)
            async with a_transaction(broker, topic, [(b"k", b"maybe")] * 2) as open_one:
                await produce(broker, topic, codec, range(10))
                await open_one.abort_transaction()
        return await compare(broker, topic, await end_of(broker, topic), 7)

    pieces = asyncio.run(run())
    kinds = {type(piece) for piece in pieces}
    assert kinds == {RecordBatch, list}
    values = [record.value for piece in pieces for record in records_of(piece)]
    assert values.count(b"yes") == 15
    assert not {b"no", b"maybe"} & set(values)
    batches = [piece for piece in pieces if isinstance(piece, RecordBatch)]
    assert all((batch.append_time is None) == (not settings) for batch in batches)


@pytest.mark.kafka
@pytest.mark.slow
def test_a_batch_that_was_damaged_on_the_broker_s_disk_ends_a_worker(
    own_apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    own_apache_kafka.start()
    broker = Broker(own_apache_kafka.bootstrap, KAFKA)
    with own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="1") as settings:
        topic = Topics.of(settings).transactions
        send(settings, [(b"L", b"a value that will be found")])
        own_apache_kafka.stop()
        (log,) = (tmp_path / "kafka" / "data" / f"{topic}-0").glob("*0.log")
        log.write_bytes(re.sub(rb"a value that", rb"a valve that", log.read_bytes()))
        own_apache_kafka.start()

        async def read() -> None:
            async with Reading(settings.broker, topic, has_batches=True) as ours:
                await ours.from_offset(0, 1)

        with pytest.raises(CorruptRecordException):
            asyncio.run(read())
        for transport in ("run", "records"):
            with running(settings) as worker:
                assert until_ended(worker) == 1, transport
                assert "Invalid CRC" in worker.last_words()
