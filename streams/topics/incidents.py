"""Follows the systemic alerts, so that every worker knows which days are explained."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from monitor.core.business_day import day_of_text, day_text
from monitor.review.membership import Explanations, Verdicts
from streams.kafka.cluster import Cluster
from streams.kafka.reader import Follower, TopicReader
from streams.wire import codec

DECIDED_HEADER: Final = "decided"
"""Of a record of what the detection goes on by: the last business day that it has decided."""


def decided_headers(day: int) -> list[tuple[str, bytes]]:
    """Return the headers that say up to which business day the systemic agent has decided."""
    return [(DECIDED_HEADER, day_text(day).encode())]


class IncidentFollower(Follower):
    """Reads the whole topic of systemic alerts, then follows it. Every worker has one of its own.

    It follows the detection's state beside, for the day that its records' headers say is decided:
    the agent writes them once that day's alerts are acknowledged, so what stands on the topic of
    alerts then is all that explains anything up to that day. `on_change` is given both together.
    """

    def __init__(
        self, broker: Cluster, topic: str, state_topic: str, on_change: Callable[[Verdicts], None]
    ) -> None:
        super().__init__(TopicReader(broker, topic, partitions=1))
        self._state = TopicReader(broker, state_topic, partitions=1)
        self._on_change = on_change
        self._explanations = Explanations()
        self._decided = 0

    async def start(self) -> None:
        """Take all that both topics hold now: the state first, which is written last."""
        await self._state.start()
        decided = 0
        while not await self._state.is_at_end():
            decided = _decided_by(await self._state.read()) or decided
        await super().start()
        self._decide(decided)

    async def stop(self) -> None:
        """Disconnect."""
        await self._state.stop()
        await super().stop()

    async def _read(self) -> None:
        await super()._read()
        decided = _decided_by(await self._state.read(seconds=0.0))
        if decided is not None:
            await self._tail.look_again()
            while not await self._tail.is_at_end():
                await super()._read()
            self._decide(decided)

    def _take_in(self, records: Sequence[Any]) -> None:
        alerts = [codec.plain(record.value) for record in records if record.value is not None]
        for alert in alerts:
            self._explanations.take(alert)
        if alerts:
            self._tell()

    def _decide(self, day: int) -> None:
        if day > self._decided:
            self._decided = day
            self._tell()

    def _tell(self) -> None:
        self._on_change(self._explanations.verdicts(self._decided))


def _decided_by(records: Sequence[Any]) -> int | None:
    """Return the day that the last of some records says is decided; None if none does."""
    for record in reversed(records):
        for name, value in record.headers:
            if name == DECIDED_HEADER:
                return day_of_text(value.decode())
    return None
