"""Institutions that accounts pay strangely much, and for the first time: the earliest sign.

For each institution the day's accounts of that kind against its own history: a gamma-Poisson
predictive tail with the mean m and the size 8 m, at least 4 accounts, and at most 1e-5 false
discoveries among all institutions of a day. Where all institutions rise together (a pay-day, prices
that grow) the others' rise is taken out of each one's.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from monitor.systemic.faded import FadedCounts
from monitor.systemic.tails import discoveries, gamma_poisson_tail

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
        kept = discoveries([one.probability for one in found], HOT_FALSE_DISCOVERIES, len(expected))
        return [one for one, is_kept in zip(found, kept, strict=True) if is_kept]

    def learn(self, counts: Mapping[Payee, int], found: list[Hot]) -> None:
        """Take in a day; what stood out counts as it was expected to."""
        out = {(one.type, one.value) for one in found}
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
