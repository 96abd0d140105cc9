"""Deals records out to the partitions of their accounts, and waits for the broker now and then."""

import asyncio
from collections.abc import Iterable
from typing import Final, Self

from monitor.settings import RECORD_BYTES_MAX
from streams.dealing import dealer
from streams.outbox import Outbox, Outgoing, acknowledged, record_bytes

IN_FLIGHT_MAX: Final = 16
"""Batches that wait for the broker's acknowledgement at most."""


class Dispatch:
    """Sends records to a topic, in order, each to the partition of its account.

    Records without an account go to the first partition. `sent` counts them. What is larger than a
    topic takes is not sent, and stands in `too_large`, as the bytes that it has.
    """

    def __init__(self, outbox: Outbox, topic: str, partitions: int) -> None:
        self.sent = 0
        self.too_large: list[int] = []
        self._outbox = outbox
        self._topic = topic
        self._deal = dealer(partitions)
        self._acks: list[asyncio.Future[object]] = []

    @classmethod
    async def to(cls, outbox: Outbox, topic: str) -> Self:
        """Return one for a topic, whose partitions the broker is asked for."""
        return cls(outbox, topic, await outbox.partitions(topic))

    async def send(self, records: Iterable[tuple[str | None, Outgoing]]) -> None:
        """Send records, each with the id of its account; wait where too many are under way."""
        dealt: dict[int, list[Outgoing]] = {}
        for account_id, outgoing in records:
            if (size := record_bytes(outgoing)) > RECORD_BYTES_MAX:
                self.too_large.append(size)
                continue
            partition = self._deal(account_id) if account_id else 0
            dealt.setdefault(partition, []).append(outgoing)
        for partition, outgoings in dealt.items():
            self._acks += await self._outbox.send(self._topic, partition, outgoings)
            self.sent += len(outgoings)
        if len(self._acks) > IN_FLIGHT_MAX:
            await acknowledged(self._acks[:-IN_FLIGHT_MAX])
            del self._acks[:-IN_FLIGHT_MAX]

    async def finish(self) -> None:
        """Wait until the broker has them all."""
        await acknowledged(self._acks)
