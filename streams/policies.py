"""Policy versions that come at run time: read from their topic, checked whole, taken or refused."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from monitor.policy import Policy, PolicyBook, PolicyError
from monitor.policy_text import policy_of

_log = logging.getLogger(__name__)

POLL_MS: Final = 500


class Refused(NamedTuple):
    """A policy record that cannot be used: where it stands, and every problem of it."""

    offset: int
    problems: tuple[str, ...]


def policies_of(records: Iterable[tuple[int, bytes | None]]) -> list[Policy | Refused]:
    """Return what each record (offset, TOML text) of the policy topic states."""
    read: list[Policy | Refused] = []
    for offset, value in records:
        if value is None:
            continue  # a tombstone of compaction
        try:
            read.append(policy_of(value.decode(), f"record {offset} of the policy topic"))
        except UnicodeDecodeError as error:
            read.append(Refused(offset, (f"not UTF-8 text: {error}",)))
        except PolicyError as error:
            read.append(Refused(offset, tuple(error.problems)))
    return read


class PolicyFollower:
    """Reads the whole policy topic, then follows it. Every worker has one of its own.

    `on_change` is called when a version was taken, `on_refused` with each that was not: the old
    ones stay in force then. `book` begins with the policy file's version, if there is one.
    """

    def __init__(
        self,
        broker: str,
        topic: str,
        book: PolicyBook | None,
        on_change: Callable[[PolicyBook], None],
        on_refused: Callable[[Refused], None],
    ) -> None:
        self.book = book
        self._partition = TopicPartition(topic, 0)
        self._on_change = on_change
        self._on_refused = on_refused
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=broker, enable_auto_commit=False, auto_offset_reset="earliest"
        )

    async def start(self) -> PolicyBook | None:
        """Read all that the topic holds now; return the book, None where no policy is anywhere."""
        await self._consumer.start()
        self._consumer.assign([self._partition])
        await self._consumer.seek_to_beginning(self._partition)
        while True:
            await self._read()
            # The fetch tells where the topic ends; asking for its end is wrong on some brokers.
            highwater = self._consumer.highwater(self._partition)
            if highwater is not None:
                position = await self._consumer.position(self._partition)
                if position >= highwater:
                    return self.book

    async def follow(self) -> None:
        """Take what comes, until cancelled."""
        while True:
            await self._read()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def _read(self) -> None:
        fetched = await self._consumer.getmany(timeout_ms=POLL_MS)
        records = [(r.offset, r.value) for run in fetched.values() for r in run]
        for read in policies_of(records):
            if isinstance(read, Refused):
                self._refuse(read)
            else:
                self._take(read)
        await asyncio.sleep(0)

    def _take(self, policy: Policy) -> None:
        try:
            if self.book is None:
                self.book = PolicyBook([policy])
                changed = True
            else:
                changed = self.book.add(policy)
        except PolicyError as error:
            self._refuse(Refused(policy.version, tuple(error.problems)))
            return
        if changed:
            _log.info("policy version %d is taken", policy.version)
            self._on_change(self.book)

    def _refuse(self, refused: Refused) -> None:
        _log.error("a policy is refused, the old one stays: %s", "; ".join(refused.problems))
        self._on_refused(refused)
