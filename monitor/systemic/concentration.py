"""Causes that the account-days over a limit share, compared with the days before.

For each value of an institution, branch, channel or counterparty: P(Bin(b, 1.15 p) >= a), with a of
the day's b breaching account-days having it and p its share of the breaching account-days before.
Only breaching account-days are compared: busy accounts pay everybody, so that breaching against
all the others finds every institution (194 false ones in 460 days, where this found none). p is the
mean of the segments' own, weighted by the day's: a week-end without businesses is no card fraud.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from monitor.systemic.tails import (
    FADES,
    FadedCounts,
    binomial_tail,
    discoveries,
    gamma_poisson_tail,
)

SLACK: Final = 1.15
"""A share is never so steady as a binomial law has it."""

LIFT_LEAST: Final = 1.8
CASES_LEAST: Final = 5
FALSE_DISCOVERIES: Final = 0.01
HISTORY_LEAST: Final = 300
"""Breaching account-days of a limit, older ones faded, before it is asked."""

HISTORY_DAYS_LEAST: Final = 14
"""Of a limit: two week-ends at least."""

SEGMENT_PRIOR: Final = 10.0
"""A segment's share is shrunk to that of all segments as by so many breaching account-days."""

LIMIT_MOVED: Final = 0.1
"""Where a limit moves by more, others breach it: their history begins anew."""

VALUES_MAX: Final = 5_000
"""Values that are remembered of one limit and segment; of more, those with the greatest share."""

_FORGOTTEN: Final = 0.5

Value = tuple[str, str]
"""(type, value)."""


class Concentrated(NamedTuple):
    """A value that breaching account-days have far more often than before.

    `cases` of the day's breaching account-days have it, which is `lift` times its usual share.
    """

    threshold_id: str
    type: str
    value: str
    cases: int
    share: float
    lift: float
    probability: float


class Breaching(NamedTuple):
    """One limit in one segment on one day: breaching account-days, all and by value."""

    above: int
    account_days: int
    causes: Mapping[Value, int]


BySegment = Mapping[str, Breaching]
"""By segment ("" where there is none)."""


class Concentration:
    """Every limit's breaching account-days by value, as they were until yesterday."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._limits: dict[str, dict[str, _Shares]] = {
            threshold_id: {
                segment: _Shares(**state_of_shares) for segment, state_of_shares in segments.items()
            }
            for threshold_id, segments in (state or {}).items()
        }

    def dump(self) -> dict[str, Any]:
        """Return its state, as JSON has it."""
        return {
            threshold_id: {segment: shares.dump() for segment, shares in sorted(segments.items())}
            for threshold_id, segments in sorted(self._limits.items())
        }

    def look(self, day: Mapping[str, BySegment]) -> list[Concentrated]:
        """Return the values that stand out today, and change nothing."""
        asked = 0
        found: list[Concentrated] = []
        for threshold_id, by_segment in sorted(day.items()):
            known = self._limits.get(threshold_id, {})
            segments = {
                segment: breaching
                for segment, breaching in sorted(by_segment.items())
                if segment in known and known[segment].is_of(breaching.above)
            }
            shares = [known[segment] for segment in segments]
            if (
                sum(known_shares.total for known_shares in shares) < HISTORY_LEAST
                or max(known_shares.days for known_shares in shares) < HISTORY_DAYS_LEAST
            ):
                continue
            values = {value for breaching in segments.values() for value in breaching.causes}
            asked += len(values.union(*(known_shares.values for known_shares in shares)))
            found += _stand_out(threshold_id, segments, known)
        kept = discoveries(
            [concentrated.probability for concentrated in found], FALSE_DISCOVERIES, asked
        )
        return [concentrated for concentrated, is_kept in zip(found, kept, strict=True) if is_kept]

    def learn(self, day: Mapping[str, BySegment], found: list[Concentrated]) -> None:
        """Take in a day. What stood out keeps its share: an incident never becomes usual by it."""
        for threshold_id, segments in sorted(day.items()):
            out = {
                (concentrated.type, concentrated.value)
                for concentrated in found
                if concentrated.threshold_id == threshold_id
            }
            shares = self._limits.setdefault(threshold_id, {})
            for segment, breaching in segments.items():
                known = shares.get(segment)
                if known is None or not known.is_of(breaching.above):
                    known = shares[segment] = _Shares(breaching.above)
                known.learn(breaching, out)


class _Shares:
    """Breaching account-days of one limit and segment, older ones faded: all, and by value."""

    __slots__ = ("above", "days", "total", "values")

    def __init__(
        self, above: int, days: int = 0, total: float = 0.0,
        values: list[tuple[str, str, float]] | None = None,
    ) -> None:  # fmt: skip
        self.above = above
        self.days = days
        self.total = total
        self.values: dict[Value, float] = {
            (type_, name): count for type_, name, count in values or ()
        }

    def dump(self) -> dict[str, Any]:
        values = [[*value, count] for value, count in sorted(self.values.items())]
        return {"above": self.above, "days": self.days, "total": self.total, "values": values}

    def is_of(self, above: int) -> bool:
        """Return whether a limit is about the one that this history is of."""
        return abs(above - self.above) <= LIMIT_MOVED * self.above

    def learn(self, breaching: Breaching, out: set[Value]) -> None:
        before = max(self.total, 1.0)
        values: dict[Value, float] = {}
        for value in sorted(self.values.keys() | breaching.causes.keys()):
            known = self.values.get(value, 0.0)
            seen: float = breaching.causes.get(value, 0)
            if value in out:
                seen = known / before * breaching.account_days
            if (count := known * FADES + seen) >= _FORGOTTEN:
                values[value] = count
        if len(values) > VALUES_MAX:
            kept = sorted(values, key=lambda value: (-values[value], value))[:VALUES_MAX]
            values = {value: values[value] for value in kept}
        self.values = values
        self.total = self.total * FADES + breaching.account_days
        self.days += 1


def _stand_out(
    threshold_id: str, segments: BySegment, known: Mapping[str, _Shares]
) -> list[Concentrated]:
    """Return the values that are frequent enough, however improbable."""
    account_days = sum(breaching.account_days for breaching in segments.values())
    total = sum(known[segment].total for segment in segments)
    cases_of: dict[Value, int] = {}
    for breaching in segments.values():
        for value, cases in breaching.causes.items():
            cases_of[value] = cases_of.get(value, 0) + cases
    found = []
    for value, cases in sorted(cases_of.items()):
        if cases < CASES_LEAST:
            continue
        seen = sum(known[segment].values.get(value, 0.0) for segment in segments)
        anywhere = (seen + 1) / (total + 2)
        expected = sum(
            breaching.account_days
            * (known[segment].values.get(value, 0.0) + SEGMENT_PRIOR * anywhere)
            / (known[segment].total + SEGMENT_PRIOR)
            for segment, breaching in segments.items()
        )
        # What was hardly ever seen anywhere is as frequent as one case would make it.
        expected = max(expected, account_days / (total + 2))
        if cases >= LIFT_LEAST * expected:
            usual = min(SLACK * expected / account_days, 0.999)
            probability = binomial_tail(cases, account_days, usual)
            share, lift = cases / account_days, cases / expected
            found.append(Concentrated(threshold_id, *value, cases, share, lift, probability))
    return found


HOT_CASES_LEAST: Final = 4
HOT_FALSE_DISCOVERIES: Final = 1e-5
"""0.1 % is what is asked for usually; but this is asked every day, and told to a whole team. An
episode of 1 % of the accounts is so clear that it costs nothing (1e-9 with 2,500 accounts)."""

SIZE: Final = 8.0
"""Of the gamma law, for each case expected: the variance of a count is 9 / 8 of its mean."""

HOT_HISTORY_LEAST: Final = 7
PRIOR_DAYS: Final = 4.0
"""A little-known institution is expected to be as the mean one, as by so many days."""

EXPECTED_LEAST: Final = 0.05

Payee = tuple[str, str]
"""("institution", value), as the segment-day has it."""


class Hot(NamedTuple):
    """An institution that `cases` accounts paid strangely, where `expected` would."""

    type: str
    value: str
    cases: int
    expected: float
    share: float
    probability: float

    @property
    def lift(self) -> float:
        """How many times as many as expected."""
        return self.cases / self.expected


class HotPayers:
    """Every institution's hot new payers, as they were until yesterday."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._usual = FadedCounts(state)

    def dump(self) -> dict[str, Any]:
        """Return its state, as JSON has it."""
        return self._usual.dump()

    def look(self, counts: Mapping[Payee, int]) -> list[Hot]:
        """Return the institutions that stand out today, and change nothing."""
        if self._usual.days < HOT_HISTORY_LEAST:
            return []
        # In the order of their names: a sum of floats is to be the same however a day came.
        payees = sorted(counts.keys() | self._usual.counts.keys())
        expected = {payee: self._expected(payee) for payee in payees}
        all_expected, all_seen = sum(expected.values()), sum(counts.values())
        found = []
        for payee, cases in sorted(counts.items()):
            if cases < HOT_CASES_LEAST:
                continue
            others = all_expected - expected[payee]
            rise = max((all_seen - cases) / others, 1.0) if others > 0 else 1.0
            mean = expected[payee] * rise
            probability = gamma_poisson_tail(cases, mean, SIZE * mean)
            found.append(Hot(*payee, cases, mean, cases / all_seen, probability))
        kept = discoveries(
            [payer.probability for payer in found], HOT_FALSE_DISCOVERIES, len(expected)
        )
        return [payer for payer, is_kept in zip(found, kept, strict=True) if is_kept]

    def learn(self, counts: Mapping[Payee, int], found: list[Hot]) -> None:
        """Take in a day; what stood out counts as it was expected to."""
        out = {(payer.type, payer.value) for payer in found}
        self._usual.take_in(
            {
                payee: self._expected(payee) if payee in out else float(cases)
                for payee, cases in counts.items()
            }
        )

    def _expected(self, payee: Payee) -> float:
        """Return the mean of a day, shrunk to that of the mean institution."""
        weight, counts = self._usual.weight, self._usual.counts
        if not weight:
            return EXPECTED_LEAST
        mean = sum(counts.values()) / max(len(counts), 1) / weight
        count = counts.get(payee, 0.0) + PRIOR_DAYS * mean
        return max(count / (weight + PRIOR_DAYS), EXPECTED_LEAST)
