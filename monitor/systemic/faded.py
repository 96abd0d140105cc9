"""Counts of days, each day's fading: what was usual, until yesterday."""

from collections.abc import Mapping
from typing import Any, Final

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
