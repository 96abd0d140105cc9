"""Reads alerts, rejections, account-days and people's actions into the store, once each.

How far each partition was taken stands in the store, in the transaction of what was taken. So the
archive may be down for any time, and killed at any moment; no worker notices.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError

from monitor.core.alert import Kind
from monitor.dispositions.disposition import DispositionError, disposed_of
from monitor.review.membership import explanations_of
from monitor.store.figures.completeness import completeness_of
from monitor.store.intake import Intake, Read, RecordSort, priority_of
from monitor.store.proposals import step_of
from monitor.store.records import account_day_of
from monitor.store.sealing import seal_quiet_days, sweep
from monitor.store.standing import Action, ActionError, action_of
from monitor.store.store import STORE_SAYS, Store, StoreAwayError, StoreError
from monitor.store.work.tasks import task_step_of
from streams.exposition import Condition, Readiness, broker_seen
from streams.kafka.admin import require_topics
from streams.kafka.cluster import cluster_of, no_answer
from streams.kafka.reader import TopicReader
from streams.log import SAYS
from streams.settings import Settings
from streams.topics.alerts import is_alert
from streams.topics.catalog import Topics
from streams.topics.rights import ensure_rights
from streams.wire import codec

_log = logging.getLogger(__name__)

READ_SECONDS: Final = 0.1
SEAL_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 3.0
_MICROSECONDS: Final = 1000  # a millisecond's
_NANOSECONDS: Final = 1000  # a microsecond's


class Progress(NamedTuple):
    """What an archive has taken since it began, by topic, and whether it is at the topics' ends.

    `lag` has the records that each topic held at the last fetch and that are still to be taken.
    """

    taken: Counter[str]
    passed_over: int
    is_at_end: bool
    lag: Mapping[str, int]


class _Source(NamedTuple):
    topic: str
    decode: Callable[[bytes], tuple[RecordSort, Any]]


class Archive:
    """Keeps a store up to date with the topics. One at a time of a store."""

    def __init__(self, settings: Settings, store: Store) -> None:
        topics = Topics.of(settings)
        self._settings = settings
        self._store = store
        self._intake = Intake(store)
        self._sealed_at = -SEAL_SECONDS
        self._sources = (
            _Source(topics.alerts, decoded_alert),
            _Source(topics.dispositions, decoded_disposition),
            _Source(topics.cases, decoded_case),
            _Source(topics.rejections, _rejection),
            _Source(topics.account_days, _account_day),
            _Source(topics.segment_days, _segment_day),
            _Source(topics.completeness, _completeness),
            _Source(topics.policy, _policy),
        )
        self._positions: dict[tuple[str, int], int] = {}
        self._tails: Sequence[TopicReader] = ()
        self._taken: Counter[str] = Counter()
        self._passed_over = 0

    @property
    def topics(self) -> Sequence[str]:
        """The topics that it reads."""
        return [source.topic for source in self._sources]

    async def run(
        self, *, until_end: bool = False, on_progress: Callable[[Progress], None] = lambda _: None
    ) -> Progress:
        """Take what the topics hold, and what comes, until cancelled; or only what they hold now.

        A store that does not answer is asked again, from where it says that it is. Raises
        BrokerError if no broker answers or a topic is not there, and StoreError if the store is of
        other topics than these; `until_end`, StoreAwayError if it does not answer.
        """
        while True:
            try:
                return await self._run(until_end=until_end, on_progress=on_progress)
            except StoreAwayError as error:
                if until_end:
                    raise
                _log.warning("the archive waits: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    def readiness(self) -> Readiness:
        """Return whether the archive can take what comes, and why not. Of any thread."""
        tails = self._tails
        seen = [at for tail in tails if (at := tail.answered_at()) is not None]
        answers = self._store.answers()
        return Readiness(
            {
                "store": Condition(answers, STORE_SAYS[answers]),
                "positions": Condition(
                    bool(tails),
                    f"known of {len(tails)} topics" if tails else "not read from the store yet",
                ),
                "broker": broker_seen(max(seen, default=None)),
            }
        )

    async def _run(self, *, until_end: bool, on_progress: Callable[[Progress], None]) -> Progress:
        try:
            async with AsyncExitStack() as stack:
                self._positions = await asyncio.to_thread(self._intake.positions)
                await asyncio.to_thread(sweep, self._store)  # what a killed one left in the folder
                broker = cluster_of(self._settings)
                partitions = await asyncio.to_thread(require_topics, broker, self.topics)
                await asyncio.to_thread(ensure_rights, "archive", self._settings)
                tails = [
                    await self._tail_of(topic, partitions[topic], stack) for topic in self.topics
                ]
                self._tails = tails
                while True:
                    progress = await self._turn(tails)
                    if progress.is_at_end:
                        await self._seal()
                    on_progress(progress)
                    if until_end and progress.is_at_end:
                        return progress
        except KafkaError as error:
            raise no_answer(cluster_of(self._settings), error) from error
        finally:
            self._tails = ()

    async def _seal(self) -> None:
        """Seal quiet days while there is nothing to take, and not all the time."""
        if time.monotonic() - self._sealed_at < SEAL_SECONDS:
            return
        now = time.time_ns() // _NANOSECONDS
        days = await asyncio.to_thread(seal_quiet_days, self._store, now)
        self._sealed_at = time.monotonic()
        if days:
            logging.getLogger(SAYS).info(
                "sealed: %d business days, %s to %s", len(days), days[0], days[-1]
            )

    async def _tail_of(self, topic: str, partitions: int, stack: AsyncExitStack) -> TopicReader:
        tail = TopicReader(cluster_of(self._settings), topic, partitions)
        stack.push_async_callback(tail.stop)
        await tail.start()
        for number in range(partitions):
            position = self._positions.get((topic, number))
            if position is not None:
                tail.go_to(number, position)
        return tail

    async def _turn(self, tails: Sequence[TopicReader]) -> Progress:
        """Read what has come of each topic, and take it: people's actions after the alerts."""
        is_at_end, lag = True, {}
        for source, tail in zip(self._sources, tails, strict=True):
            records = await tail.read(READ_SECONDS)
            if records:
                self._ensure_follows(source.topic, records)
                read = [self._read(source, record) for record in records]
                await asyncio.to_thread(self._intake.take, read)
                self._taken[source.topic] += len(read)
            is_at_end = is_at_end and not records and await tail.is_at_end()
            lag[source.topic] = await tail.lag()
        return Progress(self._taken, self._passed_over, is_at_end, lag)

    def _ensure_follows(self, topic: str, records: Sequence[Any]) -> None:
        """Raise StoreError if a topic began again: its offsets would be taken for old ones."""
        for record in records:
            place = topic, record.partition
            if record.offset < self._positions.get(place, 0):
                raise StoreError(
                    f"{topic} must hold partition {record.partition} from offset"
                    f" {self._positions[place]} on, and begins again at {record.offset}: the store"
                    " is of other topics. weir archive --rebuild makes it again from these"
                )
            self._positions[place] = record.offset + 1

    def _read(self, source: _Source, record: Any) -> Read:  # noqa: ANN401 - aiokafka's
        try:
            sort, value = source.decode(record.value or b"")
        except (ValueError, KeyError, TypeError) as error:
            _log.warning(
                "passed over: record %d of %s, partition %d: %s",
                record.offset,
                source.topic,
                record.partition,
                error,
            )
            self._passed_over += 1
            sort, value = RecordSort.PASSED_OVER, None
        told_at = record.timestamp * _MICROSECONDS
        return Read(sort, source.topic, record.partition, record.offset, told_at, value)


def _fields(value: bytes) -> dict[str, Any]:
    """Return a record's fields: with U+FFFD for NUL, which PostgreSQL has in no text."""
    fields = codec.plain(value)
    return _without_nul(fields) if rb"\u0000" in value else fields


def _without_nul(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return value


# Each of these returns the sort of a record and what it says; whatever they return can be stored.
# They raise ValueError, KeyError or TypeError if it is none.


def decoded_alert(value: bytes) -> tuple[RecordSort, Any]:
    """Return a record of the alerts topic."""
    fields = _fields(value)
    if not is_alert(fields):
        raise ValueError("it is no alert")
    if not isinstance(fields["evidence"].get("origin"), dict | None):
        raise TypeError("its origin is no object")
    priority_of(fields, None)  # raises what is wrong with its severity, or its evidence
    if fields["kind"] == Kind.SYSTEMIC.value:
        list(explanations_of(fields))  # raises what is wrong with it
    return RecordSort.ALERT, fields


def decoded_disposition(value: bytes) -> tuple[RecordSort, Any]:
    """Return a record of the dispositions topic."""
    try:
        return RecordSort.ACTION, Action.of_disposition(disposed_of(_fields(value), "it"))
    except DispositionError as error:
        raise ValueError("; ".join(error.problems)) from error


def decoded_case(value: bytes) -> tuple[RecordSort, Any]:
    """Return a record of the cases topic."""
    fields = _fields(value)
    try:
        if "proposal_id" in fields:
            return RecordSort.PROPOSAL_STEP, step_of(fields, "it")
        if "task_id" in fields:
            return RecordSort.TASK_STEP, task_step_of(fields, "it")
        return RecordSort.ACTION, action_of(fields, "it")
    except ActionError as error:
        raise ValueError("; ".join(error.problems)) from error


def _policy(value: bytes) -> tuple[RecordSort, Any]:
    if not value:
        raise ValueError("it is the tombstone of a version")
    return RecordSort.POLICY, value.decode(errors="replace").replace("\0", "\ufffd")


def _rejection(value: bytes) -> tuple[RecordSort, Any]:
    fields = codec.plain(value)
    if not fields["reason"]:
        raise ValueError("it has no reason")
    return RecordSort.REJECTION, fields


def _account_day(value: bytes) -> tuple[RecordSort, Any]:
    return RecordSort.ACCOUNT_DAY, account_day_of(_fields(value))


def _segment_day(value: bytes) -> tuple[RecordSort, Any]:
    codec.segment_record(value)  # raises what is wrong with it
    return RecordSort.SEGMENT_DAY, _fields(value)


def _completeness(value: bytes) -> tuple[RecordSort, Any]:
    return RecordSort.COMPLETENESS, completeness_of(_fields(value))
