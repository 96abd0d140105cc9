"""The cost of each stage of a transaction: the worker's own steps, one after the other.

No broker is part of it, so what is missing to a worker's figure is the transport: fetching, Faust,
and writing batches.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatchBuilder

from monitor.core.alert import Alert
from monitor.core.as_of import judged
from monitor.engine.engine import Engine
from monitor.ledger.ledger import Entry
from monitor.outliers.checkpoint import Memory
from monitor.outliers.scorer import Scored, Scorer
from monitor.policy.policy import Policy, PolicyBook
from streams.feed.reader import Batch
from streams.feed.rows import records_of
from streams.interpreter import configure_interpreter
from streams.kafka.partitioner import dealer
from streams.state import changelog, journal
from streams.state.accounts import account_bytes
from streams.wire import codec, columns
from streams.wire.records import RecordBatch

PARTITIONS: Final = 8
RUN_RECORDS: Final = 2500
RUNS_A_FLUSH: Final = 6  # a flush after 15,000 records of a partition, as a worker does
WARM_UP_SHARE: Final = 10

BATCH_RECORDS: Final = 500
ROUNDS: Final = 3
READ_MAX: Final = 60_000
"""Records by which the reading is measured: more would tell no more."""

STAGES: Final = ("decode", "decide", "models", "encode alerts", "keep limits", "keep models")


@dataclass(slots=True)
class MadeRecord:
    """A record of a made stream, as a consumer would have it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class _TimedScorer(Scorer):
    """A scorer that knows the processor time it took."""

    spent = 0.0

    def observe(self, scored: Sequence[Scored], policies: PolicyBook) -> list[Alert]:
        started = time.process_time()
        alerts = super().observe(scored, policies)
        self.spent += time.process_time() - started
        return alerts


class _Lane:
    """One partition's engine, and what it has not kept yet."""

    def __init__(self, number: int, policy: Policy) -> None:
        engine = self.engine = Engine(number, PolicyBook([policy]), partitions=PARTITIONS)
        self.scorer: _TimedScorer | None = None
        self.memory: Memory | None = None
        if policy.outliers is not None:
            scorer = _TimedScorer(policy.outliers, number, PARTITIONS, engine.ledger.calendar)
            engine.outliers.scorer = self.scorer = scorer
            self.memory = Memory(scorer, engine.ledger.bucket_of, None)
        self.records: list[MadeRecord] = []
        self.entries: list[Entry] = []


def stage_costs(policy: Policy, batches: Iterable[Batch]) -> dict[str, float]:
    """Return the processor time of each stage in microseconds a transaction.

    The first tenth of the records is not counted: everything is loaded and warm then.
    """
    lanes = [_Lane(number, policy) for number in range(PARTITIONS)]
    for lane, records in zip(lanes, _dealt(batches), strict=True):
        lane.records = records
    seconds = dict.fromkeys(STAGES, 0.0)
    counted = 0
    runs = list(_runs(lanes))
    for number, (lane, run) in enumerate(runs):
        if number == len(runs) // WARM_UP_SHARE:
            configure_interpreter()
            seconds = dict.fromkeys(STAGES, 0.0)
            counted = 0
        _take(lane, run, seconds)
        counted += len(run)
        if (number // PARTITIONS) % RUNS_A_FLUSH == RUNS_A_FLUSH - 1:
            _keep(lane, seconds)
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
    now = time.time_ns() // 1_000_000
    lanes: list[list[MadeRecord]] = [[] for _ in range(PARTITIONS)]
    for batch in batches:
        for account_id, value, _ in records_of(batch):
            assert account_id is not None, "made rows have accounts"
            records = lanes[deal(account_id)]
            records.append(MadeRecord(len(records), now, account_id.encode(), value))
    return lanes


def _runs(lanes: list[_Lane]) -> Iterator[tuple[_Lane, list[MadeRecord]]]:
    longest = max(len(lane.records) for lane in lanes)
    for first in range(0, longest, RUN_RECORDS):
        for lane in lanes:
            yield lane, lane.records[first : first + RUN_RECORDS]


def _take(lane: _Lane, run: list[MadeRecord], seconds: dict[str, float]) -> None:
    engine = lane.engine
    started = time.process_time()
    items = judged(
        codec.decode_run(run), codec.written_at(run), 1 << 62
    )  # made times may be to come
    decoded = time.process_time()
    seconds["decode"] += decoded - started
    spent_before = lane.scorer.spent if lane.scorer else 0.0
    engine.observe([record.offset for record in run], items)
    scored = time.process_time()
    of_models = lane.scorer.spent - spent_before if lane.scorer else 0.0
    seconds["models"] += of_models
    seconds["decide"] += scored - decoded - of_models
    step = engine.take_step()
    lane.entries += step.entries
    for alert in step.alerts:
        codec.alert_bytes(alert)
        codec.alert_headers(alert)
    for closed in step.account_days:
        codec.closed_day_bytes(closed)
    seconds["encode alerts"] += time.process_time() - scored


def _keep(lane: _Lane, seconds: dict[str, float]) -> None:
    engine = lane.engine
    started = time.process_time()
    by_day: dict[int, list[Entry]] = {}
    for entry in lane.entries:
        by_day.setdefault(entry.day, []).append(entry)
    for day, entries in by_day.items():
        journal.journal_bytes(day, entries)
    lane.entries = []
    for account in engine.ledger.dirty:
        account.kept = account_bytes(account)
    for number in {account.bucket for account in engine.ledger.dirty}:
        changelog.bucket_bytes(engine.ledger.buckets[number])
    engine.ledger.dirty.clear()
    kept = time.process_time()
    seconds["keep limits"] += kept - started
    if lane.memory is not None:
        for _ in changelog.part_records(lane.memory.new_parts(), engine.ledger.offset_last):
            pass
    seconds["keep models"] += time.process_time() - kept
