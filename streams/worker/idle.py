"""Write a heartbeat to a partition that is idle, so that its days close: `idle_closes_after`.

A clock decides when it is written, and nothing else: the days close by the record, so a replay of
the partition closes them as the stream did. Two workers that write one each change nothing.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiokafka.errors import KafkaError

from monitor.core.business_day import MICROSECONDS, event_time_text
from monitor.ledger.ledger import Ledger
from streams.kafka.producer import Outgoing, is_of_broker
from streams.wire.codec import heartbeat_bytes

_log = logging.getLogger(__name__)

SENDER: Final = "weir worker"

Write = Callable[[int, Outgoing], Awaitable[None]]
"""Writes a record to a partition of the transactions, and waits until the broker has it."""


class IdlePartitions:
    """The partitions of one worker: since when no record of each has come, and what is done then.

    `clock` is in seconds and only goes on; `now` is the time of day, in seconds since 1970.
    """

    def __init__(
        self,
        write: Write,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._clock = clock
        self._now = now
        self._since: dict[int, float] = {}

    def note_record(self, number: int) -> None:
        """Note that records of a partition came."""
        self._since[number] = self._clock()

    def forget(self, numbers: frozenset[int]) -> None:
        """Forget all partitions but these: one that comes back is idle from then on."""
        for number in self._since.keys() - numbers:
            del self._since[number]

    async def look(self, number: int, ledger: Ledger | None, idle_closes_after: int) -> bool:
        """Write a heartbeat if a partition is idle and that closes a day; return whether it did.

        Nothing of it may wait to be decided. `ledger` is None if no record has come since we have
        the partition: nothing is known of its days then. The duration is in microseconds.
        """
        clock = self._clock()
        since = self._since.setdefault(number, clock)
        if (clock - since) * MICROSECONDS < idle_closes_after:
            return False
        event_time = round(self._now() * MICROSECONDS) - idle_closes_after
        if ledger is not None and event_time < ledger.closes_next:
            return False
        self._since[number] = clock
        record = Outgoing(None, heartbeat_bytes(SENDER, event_time))
        try:
            await self._write(number, record)
        except KafkaError as error:
            if is_of_broker(error):
                return False  # the liveness decides how long it may be away
            _log.error("partition %d is idle, and its heartbeat is refused: %r", number, error)
            return False
        _log.info("partition %d is idle: all up to %s", number, event_time_text(event_time))
        return True
