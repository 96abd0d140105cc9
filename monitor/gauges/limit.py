"""Limits on gauges: their tiers, and which of them decides for an account-day."""

from collections.abc import Iterable
from typing import NamedTuple

from monitor.core.threshold import Scope, Severity, Threshold
from monitor.gauges.gauge import Gauge


class Tier(NamedTuple):
    """A step of a limit: how much is exceeded, and how much that matters."""

    above: int
    severity: Severity


class GaugeLimit(NamedTuple):
    """A limit on a gauge. `threshold` has its id and its scope, and the lowest of the `tiers`.

    The tiers rise.
    """

    threshold: Threshold
    gauge: Gauge
    tiers: tuple[Tier, ...]

    @property
    def limit_id(self) -> str:
        """Its name in alerts."""
        return self.threshold.threshold_id

    def tier_of(self, value: int) -> Tier | None:
        """Return the highest tier that a value exceeds; None if it exceeds none."""
        exceeded = [tier for tier in self.tiers if value > tier.above]
        return exceeded[-1] if exceeded else None

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
