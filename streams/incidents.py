"""Follows the systemic alerts, so that every worker knows which days are explained."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from monitor.core.noted_day import Grouped
from monitor.systemic_run import grouped_by
from streams import codec
from streams.tail import Follower, Tail

DAYS_KEPT: Final = 400
"""Days that an alert explains are of interest so long: no window of a review is longer."""


class IncidentFollower(Follower):
    """Reads the whole topic of systemic alerts, then follows it. Every worker has one of its own.

    `on_change` is given all (segment, threshold_id, business day) that are explained now.
    """

    def __init__(
        self, broker: str, topic: str, on_change: Callable[[frozenset[Grouped]], None]
    ) -> None:
        super().__init__(Tail(broker, topic, partitions=1))
        self._on_change = on_change
        self._grouped: dict[str, set[Grouped]] = {}

    def _take_in(self, records: Sequence[Any]) -> None:
        alerts = [codec.plain(record.value) for record in records if record.value is not None]
        for alert in alerts:
            self._grouped[alert["alert_id"]] = grouped_by(alert)
        if alerts:
            self._on_change(self._all())

    def _all(self) -> frozenset[Grouped]:
        days = [day for of in self._grouped.values() for _, _, day in of]
        first = max(days, default=0) - DAYS_KEPT
        return frozenset(of for group in self._grouped.values() for of in group if of[2] > first)
