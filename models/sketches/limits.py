"""Sketches of account-days by scope, subject and business day, to try limits on.

The latest business days are kept, a window that slides: so a limit can be suggested for a budget,
and the alerts that any limit would raise can be told, for a segment, a peer group or all accounts.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final, NamedTuple, Self

import numpy as np

from models.arrays import Ints
from models.sketches.histogram import RELATIVE_ERROR, Sketch
from models.snapshot import SnapshotError, expect, pack, reading, unpack

DAYS_MAX: Final = 28
SERIES_MAX: Final = 200
"""Scopes times subjects; with 28 days of usual amounts they hold some 25 MB, of any amounts 90."""

KIND: Final = "limit-sketches"
VERSION: Final = 1


class Suggestion(NamedTuple):
    """The limit that a budget needs, by what the days of the window were like.

    `limit` keeps the budget in the mean of the days, and so does no limit below `limit_least`;
    both are of the values' unit. `values_above` is exact.
    """

    limit: int
    limit_least: int
    values: int
    values_above: int
    days: int


class LimitSketches:
    """Sketches by scope ("all", "segment/business"), subject ("amount/debit/EUR") and day.

    Days are whole numbers that count up. Scopes and subjects are any texts; of more than
    `series_max` pairs the first are kept, since segments come with the data.
    """

    def __init__(
        self,
        days_max: int = DAYS_MAX,
        relative_error: float = RELATIVE_ERROR,
        series_max: int = SERIES_MAX,
    ) -> None:
        if days_max < 1 or series_max < 1:
            raise ValueError("a window has a day, and a series, at least")
        self.days_max = days_max
        self.relative_error = relative_error
        self.series_max = series_max
        self._days: dict[int, dict[tuple[str, str], Sketch]] = {}
        Sketch(relative_error)  # refuses an error that is none

    @property
    def days(self) -> tuple[int, ...]:
        """The days that the window holds, in order."""
        return tuple(sorted(self._days))

    @property
    def series(self) -> tuple[tuple[str, str], ...]:
        """The (scope, subject) pairs that the window holds, in the order of their names."""
        return tuple(sorted({pair for sketches in self._days.values() for pair in sketches}))

    def add(self, day: int, scope: str, subject: str, values: Ints) -> bool:
        """Count what account-days of a day came to; return whether they have a place.

        A new day drops those that the window has moved past. A day before the window has no place,
        nor has a scope and subject beyond `series_max`. Raises ValueError as `Sketch.add` does.
        """
        sketch = Sketch(self.relative_error)
        sketch.add(values)
        return self._merge(day, (scope, subject), sketch)

    def merge(self, other: "LimitSketches") -> None:
        """Count what another partition's sketches have, too."""
        for day, pair, sketch in other.each():
            self._merge(day, pair, sketch)

    def drop(self, day: int) -> None:
        """Forget a day, if it is there."""
        self._days.pop(day, None)

    def over(
        self, scope: str, subject: str, first: int | None = None, last: int | None = None
    ) -> Sketch:
        """Return one sketch over the days of the window from `first` to `last`."""
        merged = Sketch(self.relative_error)
        for day in self._between(first, last):
            sketch = self._days[day].get((scope, subject))
            if sketch is not None:
                merged.merge(sketch)
        return merged

    def suggest(
        self,
        scope: str,
        subject: str,
        alerts_per_day: float | Fraction,
        first: int | None = None,
        last: int | None = None,
    ) -> Suggestion | None:
        """Return the limit that so many alerts a day need; None if the days hold no value.

        It is Q(1 - B / N) of the N account-days, B being the budget of all days together, taken up
        to the greatest value of its bucket, so that no more than B are above.
        """
        days = len(self._between(first, last))
        sketch = self.over(scope, subject, first, last)
        if not sketch.total:
            return None
        # As it is written: 0.29 a day is 29 alerts in 100 days, and not 28.
        limit = sketch.limit_for(int(Fraction(str(alerts_per_day)) * days))
        limit_least, _ = sketch.bucket(limit)
        above = sketch.count_above(limit).most
        return Suggestion(limit, limit_least, sketch.total, above, days)

    def snapshot(self, key: bytes | None = None) -> bytes:
        """Return all it holds as bytes."""
        entries, counts = [], []
        for day, (scope, subject), sketch in self.each():
            entries.append([day, scope, subject, sketch.counts.size])
            counts.append(sketch.counts)
        meta = {
            "days_max": self.days_max,
            "relative_error": self.relative_error,
            "series_max": self.series_max,
            "entries": entries,
        }
        joined = np.concatenate(counts) if counts else np.zeros(0, np.int64)
        return pack(KIND, VERSION, meta, {"counts": joined}, key)

    @classmethod
    def restore(cls, data: bytes, key: bytes | None = None) -> Self:
        """Return the sketches that a snapshot holds. Raises SnapshotError if it holds none."""
        meta, arrays = unpack(data, KIND, VERSION, key)
        with reading(KIND):
            made = cls(meta["days_max"], meta["relative_error"], meta["series_max"])
            counts = arrays["counts"]
            expect(arrays, {"counts": ("int64", (counts.size,))})
            place = 0
            for day, scope, subject, size in meta["entries"]:
                _check_entry(day, scope, subject, size)
                sketch = Sketch(made.relative_error)
                sketch.add_counts(counts[place : place + size])
                place += size
                if not made._merge(day, (scope, subject), sketch):
                    raise SnapshotError("the snapshot has more days or series than it may")
            if place != counts.size:
                raise SnapshotError(f"the snapshot names {place} of {counts.size} counts")
        return made

    def _merge(self, day: int, pair: tuple[str, str], sketch: Sketch) -> bool:
        if day <= max(self._days, default=day) - self.days_max:
            return False
        for old in [old for old in self._days if old <= day - self.days_max]:
            del self._days[old]
        if not self._has_place(pair):
            return False
        sketches = self._days.setdefault(day, {})
        known = sketches.get(pair)
        if known is None:
            sketches[pair] = sketch.copy()
        else:
            known.merge(sketch)
        return True

    def _has_place(self, pair: tuple[str, str]) -> bool:
        if any(pair in sketches for sketches in self._days.values()):
            return True
        return len(self.series) < self.series_max

    def _between(self, first: int | None, last: int | None) -> list[int]:
        return [
            day
            for day in self.days
            if (first is None or day >= first) and (last is None or day <= last)
        ]

    def each(self) -> Iterator[tuple[int, tuple[str, str], Sketch]]:
        """Yield day, (scope, subject) and sketch of all there are, in their order."""
        for day in self.days:
            for pair in sorted(self._days[day]):
                yield day, pair, self._days[day][pair]


def _check_entry(day: Any, scope: Any, subject: Any, size: Any) -> None:
    whole = all(type(number) is int for number in (day, size)) and size >= 0
    if not (whole and isinstance(scope, str) and isinstance(subject, str)):
        raise SnapshotError("the snapshot names no day, scope, subject and size")
