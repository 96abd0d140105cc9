"""Tails of three probability laws, and a bound on false discoveries, without a library."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

_NEGLIGIBLE: Final = 1e-12
"""Terms are added until one is so small a part of the sum."""


def normal_tail(z: float) -> float:
    """Return P(Z > z) of the standard normal law."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def binomial_tail(count: int, trials: int, share: float) -> float:
    """Return P(X >= count) for X of `trials` that each come true with `share`.

    A count that is not above the mean gives 1: nothing here asks how usual the usual is.
    """
    if count <= trials * share or share >= 1:
        return 1.0
    if share <= 0 or count > trials:
        return 0.0
    log_first = (
        _log_choose(trials, count) + count * math.log(share) + (trials - count) * math.log1p(-share)
    )
    odds = share / (1 - share)
    term = total = 1.0
    for taken in range(count, trials):
        term *= (trials - taken) / (taken + 1) * odds
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return min(math.exp(log_first) * total, 1.0)


def gamma_poisson_tail(count: int, mean: float, size: float) -> float:
    """Return P(X >= count) for a Poisson count whose own mean is of a gamma law.

    That is the negative binomial law with this mean and the variance `mean + mean ** 2 / size`.
    A count that is not above the mean gives 1.
    """
    if count <= mean:
        return 1.0
    if mean <= 0:
        return 0.0
    success = mean / (mean + size)
    log_first = (
        math.lgamma(count + size)
        - math.lgamma(size)
        - math.lgamma(count + 1)
        + size * math.log1p(-success)
        + count * math.log(success)
    )
    term = total = 1.0
    taken = count
    while term >= total * _NEGLIGIBLE:
        term *= (taken + size) / (taken + 1) * success
        total += term
        taken += 1
    return min(math.exp(log_first) * total, 1.0)


def discoveries(probabilities: Sequence[float], rate: float, asked: int = 0) -> list[bool]:
    """Return which of many tests hold, with false discoveries at most `rate` of them in the mean.

    Benjamini & Hochberg 1995: the greatest p at or below rate * rank / m, and all below it. `asked`
    is m where more was asked than is given here (the rest had a p of 1).
    """
    asked = max(asked, len(probabilities))
    line = -1.0
    for rank, probability in enumerate(sorted(probabilities), 1):
        if probability <= rate * rank / asked:
            line = probability
    return [probability <= line for probability in probabilities]


def _log_choose(trials: int, count: int) -> float:
    return math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)


FADES: Final = 0.93
"""What yesterday's counts still are today: a memory of a fortnight."""

_FORGOTTEN: Final = 0.01

PAIRS_MAX: Final = 10_000
"""Pairs that are remembered, those of the greatest counts: what is usual is among these."""

Pair = tuple[str, str]


class FadedCounts:
    """Counts by pairs of texts over `days` days; `weight` is what those days weigh together now."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self.days = int(state.get("days", 0))
        self.weight = float(state.get("weight", 0.0))
        self.counts: dict[Pair, float] = {
            (first, second): count for first, second, count in state.get("counts", ())
        }

    def dump(self) -> dict[str, Any]:
        """Return its state, as JSON has it."""
        return {
            "days": self.days,
            "weight": self.weight,
            "counts": [[*pair, count] for pair, count in sorted(self.counts.items())],
        }

    def take_in(self, counts: Mapping[Pair, float]) -> None:
        """Take in a day."""
        self.counts = {
            pair: count
            for pair in sorted(self.counts.keys() | counts.keys())
            if (count := self.counts.get(pair, 0.0) * FADES + counts.get(pair, 0)) >= _FORGOTTEN
        }
        if len(self.counts) > PAIRS_MAX:
            kept = sorted(self.counts, key=lambda pair: (-self.counts[pair], pair))[:PAIRS_MAX]
            self.counts = {pair: self.counts[pair] for pair in sorted(kept)}
        self.weight = self.weight * FADES + 1
        self.days += 1
