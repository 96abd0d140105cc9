"""One business day over all segments: what a cause or a fault is looked for in."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from monitor.systemic.concentration import Breaching, BySegment
from monitor.systemic.notice import Member
from monitor.systemic.segment_day import CAUSE_TYPES, SegmentDay

_PLACES: Final = {type_: place for place, type_ in enumerate(CAUSE_TYPES)}


class WholeDay(NamedTuple):
    """A day's segments added up: breaching account-days by limit, and what else is counted."""

    breaching: dict[str, BySegment]
    hot_payers: dict[tuple[str, str], int]
    rejections: dict[tuple[str, str], int]

    def cases(self, type_: str, value: str) -> int:
        """Return the breaching account-days with a cause, over all limits."""
        return sum(
            of.causes.get((type_, value), 0)
            for segments in self.breaching.values()
            for of in segments.values()
        )


def members_of(
    day: int, segments: Mapping[str | None, SegmentDay], type_: str, value: str
) -> list[Member]:
    """Return those of a day's named breaching account-days that have a cause, in order."""
    place = _PLACES[type_]
    return sorted(
        Member(day, breach.account_id, threshold_id)
        for of in segments.values()
        for threshold_id, limit in of.limits.items()
        for breach in limit.accounts
        if breach.origin is not None and breach.origin[place] == value
    )


def whole_day(segments: Mapping[str | None, SegmentDay]) -> WholeDay:
    """Return the segments of a day, added up."""
    breaching: dict[str, dict[str, Breaching]] = {}
    hot_payers: Counter[tuple[str, str]] = Counter()
    rejections: Counter[tuple[str, str]] = Counter()
    for segment, of in segments.items():
        hot_payers.update(of.hot_payers)
        rejections.update(of.rejections)
        for threshold_id, limit in of.limits.items():
            by_segment = breaching.setdefault(threshold_id, {})
            by_segment[segment or ""] = Breaching(limit.above, limit.breaches, limit.causes)
    return WholeDay(dict(breaching), dict(hot_payers), dict(rejections))
