"""What a partition stands on, and what it says of a flush."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streams.outbox import Outgoing


class Sender(Protocol):
    """What a partition needs of the outbox."""

    async def send(
        self, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[asyncio.Future[object]]:
        """Queue records; return their acknowledgements."""
        ...


class Acknowledged(Protocol):
    """What is acknowledged when its records are included for good: Faust's event is one."""

    def ack(self) -> bool:
        """Let the offset be committed."""
        ...


class Flushed(NamedTuple):
    """What one flush wrote."""

    records: int
    bytes: int
    seconds: float
