"""A broker in memory: it writes and acknowledges when it likes, and crashes where it is told."""

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

from streams.kafka.producer import Outgoing, ensure_fits
from streams.settings import Settings
from streams.state import changelog
from streams.state.keys import is_seal
from streams.topics.catalog import Topics

TOPICS = Topics.of(Settings(broker="nowhere:1"))

Told = tuple[str, str, tuple[bytes | None, ...]]
"""What happened, on which topic, to which keys."""

MOVED: Told = ("moved", "", ())
"""The partition was given to another worker."""

Batch = tuple[tuple[Outgoing, ...], "asyncio.Future[object]"]


class CrashError(RuntimeError):
    """The process is gone: what is not written by now never will be."""


class Receipt(NamedTuple):
    """What a broker says of a batch that it has."""

    offset: int


class Log:
    """What survives a crash: the topics, and the offset from which records come again.

    Of a compacted changelog only the last record of each key is left.
    """

    def __init__(self, *, is_compacted: bool = False) -> None:
        self._is_compacted = is_compacted
        self.topics: defaultdict[str, list[Outgoing]] = defaultdict(list)
        self.committed = 0
        self.generation = 0

    def kept(self) -> dict[bytes, bytes]:
        """Return what a worker makes of the changelog when it recovers."""
        kept: dict[bytes, bytes] = {}
        records = [(r.key, r.value) for r in self.topics[TOPICS.changelog] if r.key is not None]
        changelog.keep(kept, dict(records).items() if self._is_compacted else records)
        return kept

    def sealed(self) -> int:
        """Return the offset of the seal that holds; -1 where there is none."""
        seals = [r.value for r in self.topics[TOPICS.changelog] if is_seal(r.key or b"")]
        return max((changelog.sealed_offset(value) for value in seals if value), default=-1)


class FakeOutbox:
    """One process's way to the log. Each write, each acknowledgement and each commit is a step.

    Batches of a topic keep their order; else they are written and acknowledged in any. `story` has
    what happened, in order: ("sent" | "written" | "acked" | "committed", topic, keys).
    """

    def __init__(
        self, log: Log, rng: random.Random, *, batch_records: int = 1, crash_at: int | None = None,
        moves_at: int | None = None,
    ) -> None:  # fmt: skip
        self.log = log
        self.generation = log.generation  # in which this process was given the partition
        self.steps = 0
        self.story: list[Told] = []
        self._rng = rng
        self._batch_records = batch_records
        self._crash_at = crash_at
        self._moves_at = moves_at
        self._crashed = False
        self._queued: defaultdict[str, deque[Batch]] = defaultdict(deque)
        self._written: defaultdict[str, deque[Batch]] = defaultdict(deque)
        self._writing: asyncio.Task[None] | None = None

    async def send(
        self, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[asyncio.Future[object]]:
        assert partition == 0
        self.story.append(("sent", topic, tuple(record.key for record in records)))
        for record in records:
            ensure_fits(topic, record)
        for _ in range(self._rng.choice([0, 0, 1, 3])):
            await asyncio.sleep(0)  # a producer that waits for metadata, or for room
        self.step(costs=0)
        acks = []
        for first in range(0, len(records), self._batch_records):
            batch = tuple(records[first : first + self._batch_records])
            ack: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            self._queued[topic].append((batch, ack))
            acks.append(ack)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return acks

    def step(self, costs: int = 1) -> None:
        """Go one step further, or crash before it. Raises CrashError, and ever again then."""
        if self._crashed or self.steps == self._crash_at:
            self._crashed = True
            raise CrashError
        if costs and self.steps == self._moves_at:
            self.story.append(MOVED)
        self.steps += costs

    def outstanding(self) -> int:
        """Return how many batches are not acknowledged."""
        return sum(
            len(records) for queues in (self._queued, self._written) for records in queues.values()
        )

    async def _write(self) -> None:
        try:
            while self.outstanding():
                self._write_or_acknowledge()
                await asyncio.sleep(0)
        except CrashError as crash:
            for queues in (self._queued, self._written):
                for _, ack in [batch for queue in queues.values() for batch in queue]:
                    ack.set_exception(crash)
                    ack.exception()  # seen: nobody may be left to wait for it
                queues.clear()

    def _write_or_acknowledge(self) -> None:
        choices = [(queues, topic) for queues in (self._queued, self._written)
                   for topic, records in queues.items() if records]  # fmt: skip
        queues, topic = self._rng.choice(choices)
        self.step()
        batch, ack = queues[topic].popleft()
        keys = tuple(record.key for record in batch)
        if queues is self._queued:
            self.log.topics[topic] += batch
            self._written[topic].append((batch, ack))
            self.story.append(("written", topic, keys))
        elif not ack.cancelled():
            ack.set_result(Receipt(len(self.log.topics[topic]) - len(self._written[topic]) - 1))
            self.story.append(("acked", topic, keys))


class Event:
    """A run of records that waits to be acknowledged; commits come with it, or with a later one."""

    def __init__(self, outbox: FakeOutbox, rng: random.Random, offset: int) -> None:
        self._outbox = outbox
        self._rng = rng
        self._offset = offset
        self._generation = outbox.generation

    def ack(self) -> bool:
        log = self._outbox.log
        self._outbox.step()
        assert log.sealed() >= self._offset, "acknowledged before it was sealed"
        if log.generation == self._generation:  # else the group's coordinator refuses it
            self._outbox.story.append(("committed", "", ()))
            if self._rng.random() < 0.7:
                log.committed = max(log.committed, self._offset + 1)
        return True
