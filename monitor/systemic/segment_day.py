"""One segment on one business day, in little room; parts of partitions can be added up.

Each partition makes its own when the day closes; `merged` adds them up in any order. Only some of
the accounts over a limit are named, so that an incident can name some of its members.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

from models.sketches.histogram import Sketch
from monitor.core.transaction import Origin
from monitor.systemic.alert import Member
from monitor.systemic.concentration import Breaching, BySegment

INSTITUTION: Final = "institution"
BRANCH: Final = "branch"
CHANNEL: Final = "channel"
COUNTERPARTY: Final = "counterparty"
CAUSE_TYPES: Final = (INSTITUTION, BRANCH, CHANNEL, COUNTERPARTY)
"""What a cause can be; the first part of a key of `LimitDay.causes`."""

HOT_Z: Final = 1.5
"""An account is hot where its day sum is so many standard deviations above its own usual."""

_Key = TypeVar("_Key")


class Breach(NamedTuple):
    """An account over a limit, and where the transaction came from that took it over."""

    account_id: str
    origin: Origin | None


class LimitDay(NamedTuple):
    """One limit (by its threshold_id) in one segment on one business day.

    `above` is the limit in force: minor units, or transactions. `breaches` is the account-days
    over it when the day closed; `values` has the measured value of every active account-day that
    it watches. `causes` counts, by (type, value) with a type of `CAUSE_TYPES`, the breaching
    account-days whose tipping transaction had it; `accounts` are some of those account-days, by the
    account's id.
    """

    above: int
    breaches: int
    values: Sketch
    causes: dict[tuple[str, str], int]
    accounts: tuple[Breach, ...] = ()

    @property
    def measured(self) -> int:
        """The account-days that have anything to measure: a day of interest alone has no debit."""
        return measured(self.values)


class SegmentDay(NamedTuple):
    """One segment on one business day (a proleptic ordinal); None: the account-days without one.

    `account_days` counts active accounts; `known` those whose own usual the models know, and `hot`
    those of them with a day sum more than `HOT_Z` standard deviations above it. `hot_payers`
    counts, by ("institution", value), accounts with a payment that is as strange for them, to an
    institution that they never paid before. `rejections` counts records by (reason, branch or "").
    """

    day: int
    segment: str | None
    account_days: int
    limits: dict[str, LimitDay]
    known: int
    hot: int
    hot_payers: dict[tuple[str, str], int]
    rejections: dict[tuple[str, str], int]


def measured(values: Sketch) -> int:
    """Return how many account-days have a value above 0."""
    return values.count_above(0).most


def merged(parts: Iterable[SegmentDay]) -> SegmentDay:
    """Return what the partitions' parts of one day and segment make together, in any order.

    Where partitions decided by different limits of one id, as when a policy came while the day
    closed, the greatest is the one that is told. Raises ValueError if there is no part, or where
    they are of several days or segments.
    """
    parts = list(parts)
    if not parts:
        raise ValueError("no segment-day to merge")
    if len({(part.day, part.segment) for part in parts}) > 1:
        raise ValueError("segment-days of several days or segments are not merged")
    limits: dict[str, LimitDay] = {}
    for part in parts:
        for threshold_id, limit in part.limits.items():
            known = limits.get(threshold_id)
            limits[threshold_id] = _copied(limit) if known is None else _added(known, limit)
    return SegmentDay(
        day=parts[0].day,
        segment=parts[0].segment,
        account_days=sum(part.account_days for part in parts),
        limits=limits,
        known=sum(part.known for part in parts),
        hot=sum(part.hot for part in parts),
        hot_payers=_summed(part.hot_payers for part in parts),
        rejections=_summed(part.rejections for part in parts),
    )


def _by_account(breach: Breach) -> tuple[str, bool, list[tuple[bool, str]]]:
    """Return a key that orders any breaches in one way alone, whichever part each came from."""
    origin = breach.origin
    named = [(name is not None, name or "") for name in origin or ()]
    return breach.account_id, origin is not None, named


def _copied(limit: LimitDay) -> LimitDay:
    return limit._replace(values=limit.values.copy(), causes=dict(limit.causes))


def _added(limit: LimitDay, other: LimitDay) -> LimitDay:
    values = limit.values.copy()
    values.merge(other.values)
    return LimitDay(
        above=max(limit.above, other.above),
        breaches=limit.breaches + other.breaches,
        values=values,
        causes=_summed((limit.causes, other.causes)),
        accounts=tuple(sorted(limit.accounts + other.accounts, key=_by_account)),
    )


def _summed(counts: Iterable[Mapping[_Key, int]]) -> dict[_Key, int]:
    total: Counter[_Key] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)


_PLACES: Final = {type_: place for place, type_ in enumerate(CAUSE_TYPES)}


class WholeDay(NamedTuple):
    """A day's segments added up: breaching account-days by limit, and what else is counted."""

    breaching: dict[str, BySegment]
    hot_payers: dict[tuple[str, str], int]
    rejections: dict[tuple[str, str], int]

    def cases(self, type_: str, value: str) -> int:
        """Return the breaching account-days with a cause, over all limits."""
        return sum(
            breaching.causes.get((type_, value), 0)
            for segments in self.breaching.values()
            for breaching in segments.values()
        )


def members_of(
    day: int, segments: Mapping[str | None, SegmentDay], type_: str, value: str
) -> list[Member]:
    """Return those of a day's named breaching account-days that have a cause, in order."""
    place = _PLACES[type_]
    return sorted(
        Member(day, breach.account_id, threshold_id)
        for segment_day in segments.values()
        for threshold_id, limit in segment_day.limits.items()
        for breach in limit.accounts
        if breach.origin is not None and breach.origin[place] == value
    )


def whole_day(segments: Mapping[str | None, SegmentDay]) -> WholeDay:
    """Return the segments of a day, added up."""
    breaching: dict[str, dict[str, Breaching]] = {}
    hot_payers: Counter[tuple[str, str]] = Counter()
    rejections: Counter[tuple[str, str]] = Counter()
    for segment, segment_day in segments.items():
        hot_payers.update(segment_day.hot_payers)
        rejections.update(segment_day.rejections)
        for threshold_id, limit in segment_day.limits.items():
            by_segment = breaching.setdefault(threshold_id, {})
            by_segment[segment or ""] = Breaching(limit.above, limit.breaches, limit.causes)
    return WholeDay(dict(breaching), dict(hot_payers), dict(rejections))
