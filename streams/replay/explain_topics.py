"""Explains alerts out of topics: the records of partitions, as far as the broker has them."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from monitor.core.attributes import AttributeBook
from monitor.core.business_day import MICROSECONDS, Calendar, day_of_text, event_time_text
from monitor.core.transaction import Rejection, Transaction
from monitor.explain.comparison import LIMIT_KINDS
from monitor.policy.policy import PolicyBook
from streams.feed.envelopes.mapped import Records, records_reading
from streams.kafka.admin import partitions_of
from streams.kafka.cluster import Cluster, cluster_of
from streams.kafka.reader import TopicReader, records_of_topic
from streams.replay.explain import Explaining
from streams.replay.explained import ExplainError, Explanation
from streams.replay.joint import JointRederivation, needs_all_partitions
from streams.replay.rederivation import RUN_RECORDS, Chain, Rederivation
from streams.replay.replay import Run
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.topics.policies import read_policies
from streams.topics.weights import read_weights
from streams.wire.accounts import change_of

STEP: Final = 3600 * MICROSECONDS
"""Event time by which a partition may be ahead of the others, as they are read side by side."""

NOT_BEGUN: Final = -1


class Beginning(NamedTuple):
    """Where a partition begins now: its first offset, and the first event time there."""

    offset: int
    event_time: int | None


class TopicSource(NamedTuple):
    """The transactions topic, and how its records are read."""

    broker: Cluster
    topic: str
    records: Records


class PartitionStarts:
    """Where each partition that was read begins, and what the answers rest on by that."""

    def __init__(self, book: PolicyBook) -> None:
        self._book = book
        self._calendar = book.calendar.calendar()
        self.began: dict[int, Beginning | None] = {}

    def notes_of(self, told: Mapping[str, Any]) -> list[str]:
        """Return what an answer rests on. Raises ExplainError if the records begin too late."""
        if needs_all_partitions(told["kind"], self._book.policies):
            for partition, began in self.began.items():
                ensure_from_the_first(told, partition, began)
            return []
        partition = told["partition"]
        began = self.began.get(partition)
        if began is not None:
            ensure_reaches(told, began)
        return notes_of(told, self._calendar, began)


async def explain_of_topics(
    settings: Settings, chains: Sequence[Chain], book: PolicyBook | None
) -> list[Explanation | ExplainError]:
    """Derive alerts again from the transactions of their partitions, as their topic has them.

    `book` has the version of the workers' policy file, if they have one. Raises ExplainError if
    nothing can be derived at all, and BrokerError if no broker answers.
    """
    book, _ = await read_policies(settings, book)
    if book is None:
        raise ExplainError("no policy is on the topic: name the workers' policy file by --policy")
    for version in (await read_weights(settings)).versions:
        book.weights.add(version)
    topic = Topics.of(settings).transactions
    partitions = partitions_of(cluster_of(settings), topic)
    if partitions is None:
        raise ExplainError(f"there is no topic {topic}")
    reading_records = records_reading(settings)
    needed = set()
    for chain in chains:
        told = chain[-1]
        if len(chains) > 1 or needs_all_partitions(told["kind"], book.policies):
            needed = set(range(partitions))
            break
        needed.add(told["partition"])
    if beyond := [number for number in needed if number >= partitions]:
        raise ExplainError(f"{topic} has {partitions} partitions: there is no {max(beyond)}")
    # By keys of another form, accounts are dealt to other partitions than their transactions.
    of_accounts = set(range(partitions)) if settings.transactions_map else needed
    attributes = await _attributes(settings, sorted(of_accounts))
    reading = PartitionStarts(book)
    explaining = Explaining(chains, book, partitions, attributes, _partition_of, reading.notes_of)
    source = TopicSource(cluster_of(settings), topic, reading_records)
    for run in explaining.runs():
        if isinstance(run, Rederivation):
            reading.began[run.partition] = await _replay(source, run)
        else:
            reading.began |= await _replay_all(source, run, partitions, book)
    return explaining.answers


def _partition_of(told: Mapping[str, Any]) -> int:
    return int(told.get("partition", 0))


async def _attributes(settings: Settings, partitions: Sequence[int]) -> AttributeBook | None:
    """Return the attributes that the accounts topic has of partitions now; None without one."""
    topic = Topics.of(settings).accounts
    if partitions_of(cluster_of(settings), topic) is None:
        return None
    book = AttributeBook()
    async for record in records_of_topic(cluster_of(settings), topic, partitions):
        change, _ = change_of(record.key, record.value)
        if change is not None:
            book.take(*change)
    return book


async def _replay(source: TopicSource, run: Rederivation) -> Beginning | None:
    """Give a partition's records to a derivation until it is done; return where they began."""
    began = None
    skew = run.book.calendar.clock_skew
    tail = TopicReader(source.broker, source.topic, [run.partition])
    await tail.start()
    try:
        while not run.is_done and not await tail.is_at_end():
            records = await tail.read()
            if not records:
                continue
            items = (await source.records.read([records])).judged(skew)
            if began is None:
                began = _beginning(records, items)
                ensure_reaches(run.told, began)
            run.take([record.offset for record in records], items)
    finally:
        await tail.stop()
    return began


class _Lane:
    """The records of one partition that were read and not taken yet, and how far they were."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.began: Beginning | None = None
        self.watermark = NOT_BEGUN
        self.is_ended = False
        self._waiting: deque[tuple[int, Transaction | Rejection]] = deque()

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    def add(self, records: Sequence[Any], items: Sequence[Transaction | Rejection]) -> None:
        """Take records that were read, and what they are."""
        if self.began is None:
            self.began = _beginning(records, items)
        self._waiting.extend(
            (record.offset, item) for record, item in zip(records, items, strict=True)
        )

    def run_until(self, event_time: int) -> Run:
        """Take away the records up to the first one that is past an event time, with it."""
        offsets: list[int] = []
        items: list[Transaction | Rejection] = []
        while self._waiting and len(offsets) < RUN_RECORDS and self.watermark <= event_time:
            offset, item = self._waiting.popleft()
            offsets.append(offset)
            items.append(item)
            if isinstance(item, Transaction):
                self.watermark = max(self.watermark, item.event_time)
        return Run(self.number, offsets, items)


async def _replay_all(
    source: TopicSource, run: JointRederivation, partitions: int, book: PolicyBook
) -> dict[int, Beginning | None]:
    """Give all partitions' records to a derivation, side by side by event time, until it is done.

    The partition that is farthest behind goes on, up to a little beyond the next one. So the days
    of all close together, as they do in a stream that has no backlog.
    """
    skew = book.calendar.clock_skew
    lanes = [_Lane(number) for number in range(partitions)]
    tail = TopicReader(source.broker, source.topic, partitions)
    await tail.start()
    try:
        while not run.is_done:
            alive = sorted(
                (lane for lane in lanes if not lane.is_ended), key=lambda lane: lane.watermark
            )
            if not alive:
                break
            behind = alive[0]
            if behind.is_empty:
                if records := await tail.read_of(behind.number):
                    behind.add(records, (await source.records.read([records])).judged(skew))
                else:
                    behind.is_ended = await tail.is_read(behind.number)
                continue
            until = alive[1].watermark + STEP if len(alive) > 1 else behind.watermark + STEP
            silent = [lane.number for lane in lanes if lane.is_ended]
            run.observe_runs([behind.run_until(until)], silent)
    finally:
        await tail.stop()
    return {lane.number: lane.began for lane in lanes}


def _beginning(records: Sequence[Any], items: Sequence[Transaction | Rejection]) -> Beginning:
    times = (item.event_time for item in items if isinstance(item, Transaction))
    return Beginning(records[0].offset, next(times, None))


def ensure_reaches(told: Mapping[str, Any], began: Beginning) -> None:
    """Raise ExplainError where the partition begins too late for the alert to be derived at all."""
    begins = _begins(told["partition"], began)
    if began.offset > told["offset"]:
        raise ExplainError(
            f"{begins}: the record that told the alert, at offset {told['offset']}, is gone"
        )
    if told["kind"] not in LIMIT_KINDS:
        ensure_from_the_first(told, told["partition"], began)


def ensure_from_the_first(told: Mapping[str, Any], partition: int, began: Beginning | None) -> None:
    """Raise ExplainError where a partition that the alert needs whole begins later."""
    if began is not None and began.offset > 0:
        raise ExplainError(
            f"{_begins(partition, began)}: an alert of kind {told['kind']} needs what was learned"
            " from offset 0 on, so it cannot be derived again"
        )


def _begins(partition: int, began: Beginning) -> str:
    return f"partition {partition} of the transactions begins at offset {began.offset}"


def notes_of(told: Mapping[str, Any], calendar: Calendar, began: Beginning | None) -> list[str]:
    """Return what an answer rests on, where the partition does not begin at its first record."""
    if began is None:
        return ["the partition has no records"]
    if began.offset == 0:
        return []
    begins = f"the partition begins at offset {began.offset}"
    start = calendar.start_of(day_of_text(told["business_day"]))
    if began.event_time is None or began.event_time < start:
        return [f"{begins}, before the business day: its records are there"]
    at = event_time_text(began.event_time)
    return [f"{begins}, at {at}, after the business day began: records of it may be gone"]
