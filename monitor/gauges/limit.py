"""Limits on gauges: their tiers, and which of them decides for an account-day."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from monitor.core.gauged import Cell
from monitor.core.threshold import Scope, Severity, Threshold
from monitor.gauges.gauge import Gauge, summed


class Tier(NamedTuple):
    """A step of a limit: how much is exceeded, and how much that matters."""

    above: int
    severity: Severity


class GaugeLimit(NamedTuple):
    """A limit on a gauge. `threshold` has its id and its scope, and the lowest of the `tiers`.

    The tiers rise. A share or a ratio counts from the sum `least_whole` on, in minor units.
    """

    threshold: Threshold
    gauge: Gauge
    tiers: tuple[Tier, ...]
    least_whole: int = 0

    @property
    def limit_id(self) -> str:
        """Its name in alerts."""
        return self.threshold.threshold_id

    def tier_of(self, value: int) -> Tier | None:
        """Return the highest tier that a value exceeds; None if it exceeds none."""
        exceeded = [tier for tier in self.tiers if value > tier.above]
        return exceeded[-1] if exceeded else None

    def counted(self, value: int, cells: Sequence[Cell]) -> int:
        """Return a value of some cells as it counts here: 0 where the sum is too small."""
        if not self.least_whole:
            return value
        if self.gauge.usual is not None:
            whole = self.gauge.value_of_totals(summed(cells))
        else:
            share = self.gauge.share_of(cells)
            whole = 0 if share is None else share.whole
        return value if whole >= self.least_whole else 0

    def is_exceeded(self, value: int, cells: Sequence[Cell]) -> bool:
        """Return whether a value of some cells exceeds its lowest tier."""
        return self.counted(value, cells) > self.threshold.above

    def at(self, tier: Tier) -> Threshold:
        """Return the threshold that one of its tiers is."""
        return self.threshold._replace(above=tier.above, severity=tier.severity)


class GaugeLimits:
    """The limits on gauges of one policy version."""

    def __init__(self, limits: Iterable[GaugeLimit]) -> None:
        self.stated = tuple(limits)
        self._by_gauge: dict[str, list[GaugeLimit]] = {}
        for limit in self.stated:
            self._by_gauge.setdefault(limit.gauge.name, []).append(limit)
        self._by_id = {limit.limit_id: limit for limit in self.stated}

    def named(self, limit_id: str) -> GaugeLimit | None:
        """Return the limit of an id; None if none of these has it."""
        return self._by_id.get(limit_id)

    def deciding(self, gauge_name: str, scope: Scope) -> GaugeLimit | None:
        """Return the most specific limit on a gauge for an account-day's scope; None if none is."""
        found: GaugeLimit | None = None
        for limit in self._by_gauge.get(gauge_name, ()):
            threshold = limit.threshold
            if threshold.is_for(*scope) and (
                found is None or threshold.specificity > found.threshold.specificity
            ):
                found = limit
        return found
