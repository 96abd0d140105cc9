"""Follows the accounts topic: the attributes of the accounts of the partitions that we have.

A partition decides nothing before all that the topic holds of it is read; what comes later changes
its open days. So the end is the same, whichever of the two topics is read first.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

from monitor.core.attributes import AttributeBook
from monitor.core.transaction import Rejection
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import Cluster
from streams.kafka.reader import TopicReader
from streams.wire.accounts import Change, change_of

_log = logging.getLogger(__name__)

READ_SECONDS: Final = 0.05
"""Who waits for a partition's book waits about so long where there is nothing new."""


class AccountsFollower:
    """Reads the assigned partitions of the accounts topic from their beginning, then follows them.

    `on_changed` is called with the partition and the id of each account whose attributes changed,
    `on_rejected` with each record that cannot be used.

    `all_partitions`, if it is not 0: so many are read, and each book has the accounts of all. So it
    is if the transactions have keys of another form, by which accounts are dealt otherwise.
    """

    def __init__(
        self,
        broker: Cluster,
        topic: str,
        on_changed: Callable[[int, str], None],
        on_rejected: Callable[[Rejection], None],
        all_partitions: int = 0,
    ) -> None:
        self.books: dict[int, AttributeBook] = {}
        self.read_at = time.monotonic()  # when records came last
        self._on_changed = on_changed
        self._on_rejected = on_rejected
        self._tail = TopicReader(broker, topic, partitions=0)
        self._wanted: frozenset[int] = frozenset()
        self._asked: dict[int, asyncio.Event] = {}  # since the last look at where the topic ends
        self._looked: dict[int, asyncio.Event] = {}  # since then it is read up to there
        self._has_ended = False
        self._everyone = AttributeBook() if all_partitions else None
        self._all = range(all_partitions)

    async def start(self) -> None:
        """Connect."""
        await self._tail.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._tail.stop()

    def want(self, partitions: Iterable[int]) -> None:
        """Follow these partitions, and forget the others."""
        self._wanted = frozenset(partitions)

    async def book(self, partition: int) -> AttributeBook:
        """Return a partition's book once all is read that the topic holds of it now.

        One asks for a partition at a time. Raises BrokerError if nothing is read any more.
        """
        event = self._asked[partition] = asyncio.Event()
        if not self._has_ended:
            await event.wait()
        if self._has_ended:
            raise BrokerError("the accounts topic is not read any more")
        return self.books[partition]

    async def follow(self) -> None:
        """Take what comes, until cancelled."""
        try:
            while True:
                await self._follow_wanted()
                if not self.books:
                    await asyncio.sleep(READ_SECONDS)
                    continue
                self._take(await self._tail.read(READ_SECONDS))
                await self._note_read()
        finally:  # whoever waits for a book would wait for ever
            self._has_ended = True
            for event in (*self._asked.values(), *self._looked.values()):
                event.set()

    async def _follow_wanted(self) -> None:
        asked, self._asked = self._asked, {}
        self._looked |= asked
        wanted = self._wanted | self._looked.keys()
        if wanted == self.books.keys() and not asked:
            return
        for partition in self.books.keys() - wanted:
            del self.books[partition]
        for partition in wanted - self.books.keys():
            everyone = self._everyone
            self.books[partition] = AttributeBook() if everyone is None else everyone
        # Also where they are the same: where the topic was said to end, more may have come since.
        await self._tail.assign(self._all or sorted(wanted))

    def _take(self, records: Iterable[object]) -> None:
        for record in records:
            self.read_at = time.monotonic()
            partition: int = record.partition  # type: ignore[attr-defined]  # aiokafka's has no types
            change, rejection = change_of(record.key, record.value)  # type: ignore[attr-defined]
            if rejection is not None:
                _log.warning(  # without its detail, which may name an account
                    "accounts topic, partition %d, offset %d: %s",
                    partition, record.offset, rejection.reason.value,  # type: ignore[attr-defined]
                )  # fmt: skip
                self._on_rejected(rejection)
            if change is not None:
                self._apply(partition, change)

    def _apply(self, partition: int, change: Change) -> None:
        if self._everyone is None:
            if self.books[partition].take(*change):
                self._on_changed(partition, change[0])
        elif self._everyone.take(*change):
            for number in self.books:
                self._on_changed(number, change[0])

    async def _is_read(self, partition: int) -> bool:
        for number in self._all or (partition,):
            if not await self._tail.is_read(number):
                return False
        return True

    async def _note_read(self) -> None:
        for partition, event in tuple(self._looked.items()):
            if await self._is_read(partition):
                known = len(self.books[partition].known)
                _log.info("partition %d: the attributes of %d accounts are known", partition, known)
                del self._looked[partition]
                event.set()
