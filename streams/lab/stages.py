"""The cost of each stage of a transaction: a worker's own partitions, without a broker.

What is missing to a worker's figure is the transport: fetching, Faust, and sending batches.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatchBuilder

from monitor.core.alert import Alert
from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.engine.run import RecordRun
from monitor.policy.policy import Policy, PolicyBook
from streams.feed.reader import Batch
from streams.feed.rows import records_of
from streams.interpreter import configure_interpreter
from streams.kafka.partitioner import dealer
from streams.kafka.producer import Outgoing
from streams.settings import Settings
from streams.state.changelog import keep
from streams.topics.catalog import Topics
from streams.wire import codec, columns
from streams.wire.records import RecordBatch
from streams.worker import engines
from streams.worker.partition import Partition

PARTITIONS: Final = 8
RUN_RECORDS: Final = 2500
RUNS_A_FLUSH: Final = 20  # a flush after 50,000 records of a partition, as a worker does
WARM_UP_SHARE: Final = 10

BATCH_RECORDS: Final = 500
ROUNDS: Final = 3
READ_MAX: Final = 60_000
"""Records by which the reading is measured: more would tell no more."""

WRITTEN_AT: Final = 4_000_000_000_000
"""When the records were written, in milliseconds: made times may be to come."""

STAGES: Final = ("read", "decide", "models", "tell", "keep")
"""Bytes to rows; limits and reviews; the outlier models; alerts and account-days to bytes; a flush:
journal, buckets, the models' parts."""


@dataclass(slots=True)
class MadeRecord:
    """A record of a made stream, as a consumer would have it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class _Timed(Engine):
    """An engine that knows the processor time it took, and what of it the models took."""

    spent = spent_on_models = 0.0

    def observe_run(self, run: RecordRun) -> None:
        started = time.process_time()
        super().observe_run(run)
        self.spent += time.process_time() - started

    def _scored(self) -> list[Alert]:
        started = time.process_time()
        alerts = super()._scored()
        self.spent_on_models += time.process_time() - started
        return alerts


class _TimedArrays(_Timed, OrdinaryEngine):
    """The same of the engine with arrays."""


class InstantSender:
    """An outbox whose records are acknowledged at once, and go nowhere.

    Those of the changelog `into` may be kept: they are what is live there.
    """

    def __init__(self, changelog: str, into: dict[bytes, bytes] | None = None) -> None:
        self._offset = 0
        self._changelog = changelog
        self._into = into

    async def send(
        self, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[asyncio.Future[object]]:
        """Return the acknowledgement of records."""
        del partition
        if self._into is not None and topic == self._changelog:
            keep(self._into, ((r.key, r.value) for r in records if r.key is not None))
        ack: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        ack.set_result(_Receipt(self._offset))
        self._offset += len(records)
        return [ack]


@dataclass(frozen=True, slots=True)
class _Receipt:
    offset: int


class NoEvent:
    """The event of records that no consumer waits for."""

    def ack(self) -> bool:
        """Say that it is acknowledged."""
        return True


class _Lane:
    """One partition, and its records."""

    def __init__(self, number: int, policy: Policy, kind: type[_Timed]) -> None:
        self.engine = kind(number, PolicyBook([policy]), partitions=PARTITIONS)
        self.partition = made_partition(self.engine)
        self.records: list[MadeRecord] = []

    async def take(
        self, run: Sequence[MadeRecord], seconds: dict[str, float], *, is_flush_due: bool
    ) -> None:
        """Take a run of records, and add what each stage took."""
        batches, engine = record_batches(run), self.engine
        engine.spent = engine.spent_on_models = 0.0
        started = time.process_time()
        read = columns.read_run(batches)
        is_read = time.process_time()
        await self.partition.take(NoEvent(), read)
        is_told = time.process_time()
        if is_flush_due:
            await self.partition.flush()
        seconds["read"] += is_read - started
        seconds["decide"] += engine.spent - engine.spent_on_models
        seconds["models"] += engine.spent_on_models
        seconds["tell"] += is_told - is_read - engine.spent
        seconds["keep"] += time.process_time() - is_told


def made_partition(
    engine: Engine,
    kept: dict[bytes, bytes] | None = None,
    into: dict[bytes, bytes] | None = None,
) -> Partition:
    """Return the partition of an engine, as a worker has it, that sends nothing to anywhere.

    It is put together from what is `kept`. What it writes of its state is kept `into`, if anywhere.
    """
    topics = Topics.of(Settings(broker="none"))
    sender = InstantSender(topics.changelog, into)
    return Partition(engine, {} if kept is None else kept, sender, topics, lambda _: True)


def stage_costs(policy: Policy, batches: Iterable[Batch], engine: str) -> dict[str, float]:
    """Return the processor time of each stage in microseconds a transaction, by a named engine.

    The first tenth of the records is not counted: everything is loaded and warm then.
    """
    load_kernels(policy)
    kind = _Timed if engine == "plain" else _TimedArrays
    lanes = [_Lane(number, policy, kind) for number in range(PARTITIONS)]
    for lane, records in zip(lanes, _dealt(batches), strict=True):
        lane.records = records
    return asyncio.run(_spent(lanes))


def load_kernels(policy: Policy) -> None:
    """Load the kernels that an engine of a policy will call."""
    engines.prepare()
    if policy.outliers is not None:
        from models.learner.learner import prepare  # noqa: PLC0415 - loads the models

        prepare()


async def _spent(lanes: Sequence[_Lane]) -> dict[str, float]:
    seconds = dict.fromkeys(STAGES, 0.0)
    counted = 0
    runs = list(_runs(lanes))
    for number, (lane, run) in enumerate(runs):
        if number == len(runs) // WARM_UP_SHARE:
            configure_interpreter()
            seconds = dict.fromkeys(STAGES, 0.0)
            counted = 0
        is_flush_due = (number // PARTITIONS) % RUNS_A_FLUSH == RUNS_A_FLUSH - 1
        await lane.take(run, seconds, is_flush_due=is_flush_due)
        counted += len(run)
    return {stage: 1e6 * spent / counted for stage, spent in seconds.items()}


def reading_costs(batches: Iterable[Batch]) -> dict[str, float]:
    """Return the processor time of reading records in microseconds each, way by way.

    The ways are the codec on records as a consumer makes them, and the kernels on the batches of
    the same records: to rows alone, and on to transactions. They run by turns; each has the median
    of its rounds.
    """
    records = [record for lane in _dealt(batches) for record in lane]
    runs = [records[first : first + RUN_RECORDS] for first in range(0, len(records), RUN_RECORDS)]
    pieces = [record_batches(run) for run in runs]
    columns.prepare()
    ways: dict[str, Callable[[int], object]] = {
        "codec": lambda number: codec.decode_run(runs[number]),
        "rows": lambda number: columns.read_run(pieces[number]),
        "rows and transactions": lambda number: columns.read_run(pieces[number]).items,
    }
    spent: dict[str, list[float]] = {way: [] for way in ways}
    configure_interpreter()
    for _ in range(ROUNDS):
        for way, read in ways.items():
            started = time.process_time()
            for number in range(len(runs)):
                read(number)
            spent[way].append(time.process_time() - started)
    return {way: 1e6 * median(seconds) / len(records) for way, seconds in spent.items()}


def record_batches(run: Sequence[MadeRecord]) -> list[RecordBatch]:
    """Return records as the batches that a broker has of them."""
    made = []
    for first in range(0, len(run), BATCH_RECORDS):
        records = run[first : first + BATCH_RECORDS]
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 30)
        for number, record in enumerate(records):
            builder.append(number, record.timestamp, record.key, record.value, [])
        data = bytes(builder.build())[DefaultRecordBase.HEADER_STRUCT.size :]
        start, time_of_first = records[0].offset, records[0].timestamp
        made.append(RecordBatch(data, len(records), start, time_of_first, None, start))
    return made


def _dealt(batches: Iterable[Batch]) -> list[list[MadeRecord]]:
    """Return the records of each partition."""
    deal = dealer(PARTITIONS)
    lanes: list[list[MadeRecord]] = [[] for _ in range(PARTITIONS)]
    for batch in batches:
        for account_id, value, _ in records_of(batch):
            assert account_id is not None, "made rows have accounts"
            records = lanes[deal(account_id)]
            records.append(MadeRecord(len(records), WRITTEN_AT, account_id.encode(), value))
    return lanes


def _runs(lanes: Sequence[_Lane]) -> Iterator[tuple[_Lane, list[MadeRecord]]]:
    longest = max(len(lane.records) for lane in lanes)
    for first in range(0, longest, RUN_RECORDS):
        for lane in lanes:
            yield lane, lane.records[first : first + RUN_RECORDS]
