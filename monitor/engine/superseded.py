"""The gauges that are measured: those that a limit in force asks for, or that may still be told of.

A gauge that only superseded versions of the policy ask for is needed until nothing can change any
more of the last day on which one of them decides. It follows from the policies, since when each
gauge has measured, and the first open day: so a replay, and a worker that recovers, measure what
the stream did.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from monitor.core.business_day import MICROSECONDS
from monitor.gauges.gauge import Gauge
from monitor.gauges.period import PeriodSpan
from monitor.policy.policy import Policy

_DAY_LENGTH: Final = 86_400 * MICROSECONDS

_DAYS: Final = {PeriodSpan.DAY: 1, PeriodSpan.WEEK: 7, PeriodSpan.MONTH: 31}


class Superseded(NamedTuple):
    """A gauge that the policy in force does not ask for.

    `ended` is the first business day on which no version that asks for it decides. `later` has, by
    their names, the gauges of later versions whose limits have the ids of its own: until these are
    measured whole, it decides in their place.
    """

    name: str
    ended: int
    later: Mapping[str, Gauge]


class SupersededGauges:
    """The gauges that only superseded versions of some policies ask for; they come in order."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._reach = max(
            (_days_reached(limit.gauge) for policy in policies for limit in policy.gauges),
            default=0,
        )
        self._found = _superseded(policies)

    def needless(
        self, since: Mapping[str, int], changed: int, day_open_first: int | None
    ) -> set[str]:
        """Return the names of those that nothing can be told of any more.

        `since` has the first business day that each gauge measures whole. Up to the day `changed`
        there may be accounts of which is still to be told what another version has decided since.
        """
        if day_open_first is None or not self._found:
            return set()
        needless: set[str] = set()
        while True:
            known = {name: day for name, day in since.items() if name not in needless}
            found = {
                each.name
                for each in self._found
                if self._last_asked(each, known, changed) < day_open_first
            }
            if found == needless:
                return needless
            needless = found

    def _last_asked(self, gauge: Superseded, since: Mapping[str, int], changed: int) -> int:
        """Return the last first open day at which something of a gauge may still be told."""
        whole = (
            _whole_from(later, since[name]) for name, later in gauge.later.items() if name in since
        )
        return max(gauge.ended, changed, *whole) + self._reach


def _whole_from(gauge: Gauge, since: int) -> int:
    """Return a business day from which on a gauge measures every period whole."""
    return since + gauge.days_before + _days_reached(gauge) if since else 0


def _superseded(policies: Sequence[Policy]) -> list[Superseded]:
    by_id = [{limit.limit_id: limit.gauge for limit in policy.gauges} for policy in policies]
    stated: dict[str, list[tuple[int, str]]] = {}  # by which versions, as which limits
    for place, gauges in enumerate(by_id):
        for limit_id, gauge in gauges.items():
            stated.setdefault(gauge.name, []).append((place, limit_id))
    found = []
    for name, limits in stated.items():
        last, _ = limits[-1]
        if last == len(policies) - 1:
            continue
        later = {
            version[limit_id]
            for place, limit_id in limits
            for version in by_id[place + 1 :]
            if limit_id in version
        }
        others = {gauge.name: gauge for gauge in later if gauge.name != name}
        found.append(Superseded(name, policies[last + 1].effective_from, others))
    return found


def _days_reached(gauge: Gauge) -> int:
    """Return how many days before an open one a gauge's periods begin, or its alerts' windows."""
    period = gauge.period
    if period.is_rolling:
        return 2 * period.length // _DAY_LENGTH + 2
    return _DAYS[period.span]
