"""Follows the systemic alerts, so that every worker knows which days are explained."""

from collections.abc import Callable
from typing import Final

from monitor.systemic_run import Grouped, grouped_by
from streams import codec
from streams.tail import Tail

DAYS_KEPT: Final = 400
"""Days that an alert explains are of interest so long: no window of a review is longer."""


class IncidentFollower:
    """Reads the whole topic of systemic alerts, then follows it. Every worker has one of its own.

    `on_change` is given all (segment, threshold_id, business day) that are explained now.
    """

    def __init__(
        self, broker: str, topic: str, on_change: Callable[[frozenset[Grouped]], None]
    ) -> None:
        self._on_change = on_change
        self._tail = Tail(broker, topic, partitions=1)
        self._grouped: dict[str, set[Grouped]] = {}

    async def start(self) -> None:
        """Read all that the topic holds now."""
        await self._tail.start()
        while not await self._tail.is_at_end():
            await self._read()

    async def follow(self) -> None:
        """Take what comes, until cancelled."""
        while True:
            await self._read()

    async def stop(self) -> None:
        """Disconnect."""
        await self._tail.stop()

    async def _read(self) -> None:
        records = [record for record in await self._tail.read() if record.value is not None]
        for record in records:
            alert = codec.plain(record.value)
            self._grouped[alert["alert_id"]] = grouped_by(alert)
        if records:
            self._on_change(self._all())

    def _all(self) -> frozenset[Grouped]:
        days = [day for of in self._grouped.values() for _, _, day in of]
        first = max(days, default=0) - DAYS_KEPT
        return frozenset(of for group in self._grouped.values() for of in group if of[2] > first)
