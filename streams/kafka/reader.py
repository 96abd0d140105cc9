"""Reads a topic from its beginning, and knows when it has read all that is there."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import Cluster
from streams.kafka.connections import end_with_broker

READ_COMMITTED: Final = "read_committed"
"""The isolation of every consumer: a record of an aborted transaction never was."""

_Found = TypeVar("_Found")

FETCH_WAIT_MS: Final = 50
"""A broker that does not answer as records come is asked again so soon."""


class TopicReader:
    """A reader of all partitions of a topic (a number of them), or of those named; of no group.

    Only committed records are read. Where a topic ends is taken from what a fetch says: asking for
    its end is answered wrongly by some brokers. It ends before the first transaction that is still
    open; and it is read once the position is there, because a commit marker, an aborted record and
    one that compaction removed have offsets, too, and are never seen.
    """

    def __init__(
        self,
        broker: Cluster,
        topic: str,
        partitions: int | Iterable[int],
        fetch_wait_ms: int = FETCH_WAIT_MS,
    ) -> None:
        numbers = range(partitions) if isinstance(partitions, int) else partitions
        self._topic = topic
        self._partitions = [TopicPartition(topic, number) for number in numbers]
        self._consumer = AIOKafkaConsumer(
            **broker.for_aiokafka(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level=READ_COMMITTED,
            fetch_max_wait_ms=fetch_wait_ms,
        )
        end_with_broker(self._consumer._client)  # noqa: SLF001 - nothing public leads there
        self._answered_at: float | None = None

    async def start(self) -> None:
        """Connect, at the beginning. Raises aiokafka.errors.KafkaConnectionError.

        What could not be started is closed; it need not be stopped.
        """
        is_started = False
        try:
            await self._consumer.start()
            is_started = True
        finally:
            if not is_started:
                await self._consumer.stop()
        numbers = [partition.partition for partition in self._partitions]
        self._partitions = []
        await self.assign(numbers)

    async def assign(self, numbers: Iterable[int]) -> None:
        """Read these partitions from now on: new ones from the beginning, the others go on."""
        at = {partition: await self._consumer.position(partition) for partition in self._partitions}
        self._partitions = [TopicPartition(self._topic, number) for number in numbers]
        self._consumer.assign(self._partitions)
        for partition in at.keys() & set(self._partitions):
            self._consumer.seek(partition, at[partition])
        new = [partition for partition in self._partitions if partition not in at]
        if new:
            await self._consumer.seek_to_beginning(*new)

    def go_to(self, partition: int, offset: int) -> None:
        """Read a partition on from an offset."""
        topic = self._partitions[0].topic
        self._consumer.seek(TopicPartition(topic, partition), offset)

    def answered_at(self) -> float | None:
        """Return when a broker answered last, of time.monotonic; None before it ever did."""
        connections = tuple(self._consumer._client._conns.values())  # noqa: SLF001 - nothing public says it
        times = [connection._last_action for connection in connections]  # noqa: SLF001 - of an answer
        if times:
            self._answered_at = max(times)
        return self._answered_at

    async def position(self, partition: int) -> int:
        """Return the offset that is read next of a partition: all before it was read."""
        position: int = await self._consumer.position(TopicPartition(self._topic, partition))
        return position

    def end_of(self, number: int) -> int | None:
        """Return where a partition ended at its last fetch; None before the first."""
        partition = TopicPartition(self._topic, number)
        consumer = self._consumer
        return end_of(consumer.last_stable_offset(partition), consumer.highwater(partition))

    def has_uncommitted(self, number: int) -> bool:
        """Return whether records waited for the end of a transaction at a partition's last fetch.

        None of them is read before that.
        """
        partition = TopicPartition(self._topic, number)
        highwater, end = self._consumer.highwater(partition), self.end_of(number)
        return highwater is not None and end is not None and highwater > end

    async def read(self, seconds: float = 0.2) -> list[Any]:
        """Return the records that came within so many seconds (none may have)."""
        self._ensure_reading()
        fetched = await self._consumer.getmany(timeout_ms=round(seconds * 1000))
        return [record for run in fetched.values() for record in run]

    async def read_of(self, number: int, seconds: float = 0.2) -> list[Any]:
        """Return the records of one partition that came; what comes of others waits."""
        partition = TopicPartition(self._topic, number)
        self._ensure_reading()
        fetched = await self._consumer.getmany(partition, timeout_ms=round(seconds * 1000))
        return [record for run in fetched.values() for record in run]

    async def last_of(self, number: int, count: int) -> list[Any]:
        """Return the records among the last `count` offsets of a partition, as it ends now."""
        self.go_to(number, 0)
        while (end := self.end_of(number)) is None:
            await self.read_of(number)
        self.go_to(number, max(end - count, 0))
        records: list[Any] = []
        while await self.position(number) < end:
            records += await self.read_of(number)
        return records

    def _ensure_reading(self) -> None:
        """Raise KafkaError if aiokafka's task that fetches has ended: nothing would come for ever.

        It logs an error that it does not know, and ends.
        """
        if self._consumer._fetcher._fetch_task.done():  # noqa: SLF001 - nothing public says it
            raise KafkaError(f"the reading of {self._topic} has ended by an error: see the log")

    async def look_again(self) -> None:
        """Forget where the topic was said to end: what has come since then is to be read, too."""
        positions = [await self._consumer.position(partition) for partition in self._partitions]
        self._consumer.assign(self._partitions)
        for partition, position in zip(self._partitions, positions, strict=True):
            self._consumer.seek(partition, position)

    async def is_at_end(self) -> bool:
        """Return whether all that every partition held at its last fetch was read.

        That may be long ago: who knows that no more is written asks `look_again` first.
        """
        return all([await self.is_read(partition.partition) for partition in self._partitions])

    async def is_read(self, number: int) -> bool:
        """Return whether all that a partition held at its last fetch was read."""
        partition = TopicPartition(self._topic, number)
        end = self.end_of(number)
        return end is not None and await self._consumer.position(partition) >= end

    async def lag(self) -> int:
        """Return how many offsets of all partitions were not read, of those of the last fetch."""
        lag = 0
        for partition in self._partitions:
            end = self.end_of(partition.partition)
            if end is not None:
                lag += max(0, end - await self._consumer.position(partition))
        return lag

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()


def end_of(last_stable_offset: int | None, highwater: int | None) -> int | None:
    """Return where a partition ended at a consumer's last fetch; None if there was none yet.

    That is its last stable offset: the end of what is committed or aborted. A broker without
    transactions has none.
    """
    if last_stable_offset is None or last_stable_offset < 0:
        return highwater
    return last_stable_offset


def first_record(
    broker: Cluster, partition: tuple[str, int], begin: int, end: int, seconds: float
) -> int | None:
    """Return the offset of the first committed record from `begin` on; None if there is none.

    It is looked for before `end`, in a loop of its own, for a thread that has none. Raises
    BrokerError if the broker does not answer within so many seconds.
    """
    found = asyncio.run(_first_from(broker, partition, begin, seconds, end))
    return found if found is not None and found < end else None


async def has_record(broker: Cluster, topic: str, number: int, begin: int, seconds: float) -> bool:
    """Return whether a partition has a record at an offset or behind it.

    That is a committed one, or one whose transaction is open: it may be committed yet. Raises
    BrokerError if the broker does not answer within so many seconds.
    """

    async def look(tail: TopicReader) -> bool:
        tail.go_to(number, begin)
        while not await tail.is_read(number):
            if await tail.read():
                return True
        return tail.has_uncommitted(number)

    return await _looked(broker, (topic, number), seconds, look)


async def end_now(broker: Cluster, topic: str, number: int, begin: int, seconds: float) -> int:
    """Return where a partition ends now, by a fetch that begins now at an offset.

    Raises BrokerError if the broker does not answer within so many seconds.
    """

    async def look(tail: TopicReader) -> int:
        tail.go_to(number, begin)
        while (end := tail.end_of(number)) is None:
            await tail.read()
        return end

    return await _looked(broker, (topic, number), seconds, look)


async def _first_from(
    broker: Cluster, partition: tuple[str, int], begin: int, seconds: float, end: int
) -> int | None:
    """Return the offset of the first committed record from `begin` on, or None.

    It is not looked for behind `end`.
    """
    number = partition[1]

    async def look(tail: TopicReader) -> int | None:
        tail.go_to(number, begin)
        while await tail.position(number) < end:
            if records := await tail.read():
                return int(records[0].offset)
        return None

    return await _looked(broker, partition, seconds, look)


async def _looked(
    broker: Cluster,
    partition: tuple[str, int],
    seconds: float,
    look: Callable[[TopicReader], Awaitable[_Found]],
) -> _Found:
    """Return what a look at a partition finds, by a reader of its own.

    Raises BrokerError if the broker does not answer within so many seconds.
    """
    topic, number = partition
    tail = TopicReader(broker, topic, [number])
    try:
        async with asyncio.timeout(seconds):
            await tail.start()
            try:
                return await look(tail)
            finally:
                await tail.stop()
    except (TimeoutError, KafkaError) as error:
        raise BrokerError(f"the broker at {broker} does not answer: {error!r}") from error


async def records_of_topic(
    broker: Cluster, topic: str, partitions: int | Iterable[int], *, follow: bool = False
) -> AsyncIterator[Any]:
    """Yield every record that a topic's partitions hold; and go on if told to."""
    tail = TopicReader(broker, topic, partitions)
    await tail.start()
    try:
        while follow or not await tail.is_at_end():
            for record in await tail.read():
                yield record
    finally:
        await tail.stop()


class Follower(ABC):
    """Takes all that a topic holds, and then what comes."""

    def __init__(self, tail: TopicReader) -> None:
        self._tail = tail

    async def start(self) -> None:
        """Take all that the topic holds now."""
        await self._tail.start()
        while not await self._tail.is_at_end():
            await self._read()

    async def follow(self) -> None:
        """Take what comes, until cancelled."""
        while True:
            await self._read()

    def answered_at(self) -> float | None:
        """Return when a broker answered last, of time.monotonic; None before it ever did."""
        return self._tail.answered_at()

    async def stop(self) -> None:
        """Disconnect."""
        await self._tail.stop()

    async def _read(self) -> None:
        self._take_in(await self._tail.read())

    @abstractmethod
    def _take_in(self, records: Sequence[Any]) -> None:
        """Take what was read; that may be nothing."""
