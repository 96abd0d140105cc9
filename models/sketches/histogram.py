"""A histogram in little room, whose buckets widen with the values.

The rule is DDSketch's (Masson, Rim & Lee 2019): a bucket is so narrow that its middle differs from
every value in it by the relative error at most. Values here are whole and from 0 on (minor units,
or transactions), so the bounds are whole numbers too, found without a logarithm: small values have
a bucket each, and are exact. Counts are exact; sketches of one relative error add up and subtract.

>>> sketch = Sketch()
>>> sketch.add(np.arange(1, 10_001))
>>> round(sketch.quantile(0.5)), sketch.limit_for(100)  # exactly 5000 and 9900
(5016, 10025)
>>> sketch.count_above(9_000)
CountAbove(least=931, likely=1000.0, most=1111)
"""

from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple, Self

import numpy as np

from models.arrays import Floats, Ints
from models.snapshot import SnapshotError, expect, pack, reading, unpack

RELATIVE_ERROR: Final = 0.01
RELATIVE_ERROR_LEAST: Final = 0.001
RELATIVE_ERROR_MOST: Final = 0.5
VALUE_MAX: Final = 2**63 - 1
"""The greatest value; with 1 % there are about 2,000 buckets up to it."""

KIND: Final = "sketch"
VERSION: Final = 1


class CountAbove(NamedTuple):
    """How many values are greater than a limit: between `least` and `most`, both included.

    They differ by the values in the limit's own bucket; at a bucket's greatest value by none.
    `likely` takes those as evenly spread.
    """

    least: int
    likely: float
    most: int


class CountsAbove(NamedTuple):
    """`CountAbove` for many limits."""

    least: Ints
    likely: Floats
    most: Ints


class Sketch:
    """Counts of values by buckets, from the one of 0 to the last one in use."""

    __slots__ = ("_counts", "_greatest", "relative_error")

    def __init__(self, relative_error: float = RELATIVE_ERROR) -> None:
        self.relative_error = relative_error
        self._greatest = _greatest_of(relative_error)
        self._counts: Ints = np.zeros(0, np.int64)

    @property
    def total(self) -> int:
        """How many values it holds."""
        return int(self._counts.sum())

    @property
    def counts(self) -> Ints:
        """The values of each bucket, from that of 0 on (a copy)."""
        return self._counts.copy()

    @property
    def limit_error(self) -> float:
        """By how much of the exact limit `limit_for` is greater, at most."""
        return 2 * self.relative_error / (1 - self.relative_error)

    def add(self, values: Ints) -> None:
        """Count values. Raises ValueError for a negative one, or what is no whole number."""
        values = np.asarray(values)
        if not values.size:
            return
        if values.dtype.kind not in "iu":
            raise ValueError(f"values are {values.dtype}: a sketch takes whole numbers")
        if values.min() < 0 or values.max() > VALUE_MAX:
            raise ValueError(f"a value is not from 0 to {VALUE_MAX}")
        places = np.searchsorted(self._greatest, values.astype(np.int64, copy=False))
        self._take(np.bincount(places.ravel()).astype(np.int64, copy=False))

    def merge(self, other: "Sketch") -> None:
        """Count what another sketch has, too. Raises ValueError if its error is another."""
        self._fits(other)
        self._take(other.counts)

    def subtract(self, other: "Sketch") -> None:
        """Take out what was merged or added before.

        Raises ValueError if its error is another, or if it holds what this one does not.
        """
        self._fits(other)
        counts, size = self.counts, other.counts.size
        if size <= counts.size:
            counts[:size] -= other.counts
        if size > counts.size or counts.min(initial=0) < 0:
            raise ValueError("more would be taken out of a bucket than is in it")
        self._counts = _trimmed(counts)

    def copy(self) -> "Sketch":
        """Return a sketch of its own with the same counts."""
        made = Sketch(self.relative_error)
        made._take(self._counts)
        return made

    def bucket(self, value: int) -> tuple[int, int]:
        """Return the least and the greatest value of the bucket that a value from 0 on is in."""
        return self.bounds(int(np.searchsorted(self._greatest, value)))

    def bounds(self, place: int) -> tuple[int, int]:
        """Return the least and the greatest value of the bucket at a place of `counts`."""
        return int(self._greatest[place - 1]) + 1 if place else 0, int(self._greatest[place])

    def quantile(self, share: float) -> float:
        """Return the value that so much of all lies at or below, within the relative error.

        It is the value at place floor(share * (total - 1)) of all in order, from place 0 on.
        Raises ValueError for a share that is not from 0 to 1, and for an empty sketch.
        """
        if not 0 <= share <= 1 or not self._counts.size:
            raise ValueError(f"no quantile {share!r} of {self.total} values")
        place = int(share * (self.total - 1))
        bucket = int(np.searchsorted(np.cumsum(self._counts), place, side="right"))
        first, last = self.bounds(bucket)
        return 2 * first * last / (first + last) if last else 0.0

    def count_above(self, limit: int) -> CountAbove:
        """Return how many values are greater than a limit."""
        counts = self.counts_above(np.array([limit], np.int64))
        return CountAbove(int(counts.least[0]), float(counts.likely[0]), int(counts.most[0]))

    def counts_above(self, limits: Ints) -> CountsAbove:
        """Return how many values are greater than each limit."""
        limits = np.asarray(limits, np.int64)
        at_or_after = self._at_or_after()
        # The first bucket with a value above the limit, or the empty one behind the last.
        bucket = np.searchsorted(self._greatest, limits, side="right")
        bucket = np.minimum(bucket, self._counts.size)
        last = self._greatest[np.minimum(bucket, self._greatest.size - 1)]
        before = np.where(bucket > 0, self._greatest[bucket - 1], -1)
        is_cut = (limits > before) & (bucket < self._counts.size)
        most = at_or_after[bucket]
        least = np.where(is_cut, at_or_after[np.minimum(bucket + 1, self._counts.size)], most)
        width = np.maximum(last.astype(np.float64) - before, 1)
        share = np.where(is_cut, (last - limits.astype(np.float64)) / width, 1)
        return CountsAbove(least, least + share * (most - least), most)

    def limit_for(self, values_above: int) -> int:
        """Return the least limit, of the buckets' greatest values, with at most so many above it.

        The least limit of all is in the same bucket: never greater than this one, and less than it
        by no more than `limit_error` of itself. The count above the one returned is exact.
        Raises ValueError for a number below 0.
        """
        if values_above < 0:
            raise ValueError(f"no limit has {values_above} values above it")
        above = self._at_or_after()[1:]
        bucket = int(np.searchsorted(-above, -min(values_above, self.total)))
        return int(self._greatest[bucket])

    def snapshot(self, key: bytes | None = None) -> bytes:
        """Return all it holds as bytes."""
        meta = {"relative_error": self.relative_error}
        return pack(KIND, VERSION, meta, {"counts": self._counts}, key)

    @classmethod
    def restore(cls, data: bytes, key: bytes | None = None) -> Self:
        """Return the sketch that a snapshot holds. Raises SnapshotError if it is none."""
        meta, arrays = unpack(data, KIND, VERSION, key)
        with reading(KIND):
            sketch = cls(meta["relative_error"])
            counts = arrays["counts"]
            expect(arrays, {"counts": ("int64", (counts.size,))})
            sketch.add_counts(counts)
        return sketch

    def add_counts(self, counts: Ints) -> None:
        """Count what `counts` of a sketch of this error was. Raises SnapshotError if it is none."""
        if counts.size > self._greatest.size or counts.min(initial=0) < 0:
            raise SnapshotError(
                "the counts of a sketch are negative, or of more buckets than it has"
            )
        self._take(counts)

    def _fits(self, other: "Sketch") -> None:
        if other.relative_error != self.relative_error:
            raise ValueError(
                f"sketches of relative errors {self.relative_error} and {other.relative_error}"
                " have other buckets"
            )

    def _take(self, counts: Ints) -> None:
        if counts.size > self._counts.size:
            self._counts = np.concatenate(
                [self._counts, np.zeros(counts.size - self._counts.size, np.int64)]
            )
        self._counts[: counts.size] += counts
        self._counts = _trimmed(self._counts)

    def _at_or_after(self) -> Ints:
        """Return the values in each bucket and those after it, and 0 behind the last."""
        return np.append(np.cumsum(self._counts[::-1])[::-1], 0)


def _trimmed(counts: Ints) -> Ints:
    used = np.flatnonzero(counts)
    return counts[: used[-1] + 1] if used.size else counts[:0]


@lru_cache(maxsize=8)
def _greatest_of(relative_error: float) -> Ints:
    """Return the greatest value of every bucket, from that of 0 on.

    From `first` to `first * (1 + e) / (1 - e)`, rounded down: the harmonic middle of the two, which
    stands for all between them, differs from each by e of it at most.
    """
    if not RELATIVE_ERROR_LEAST <= relative_error <= RELATIVE_ERROR_MOST:
        raise ValueError(
            f"the relative error is {relative_error!r}: from {RELATIVE_ERROR_LEAST}"
            f" to {RELATIVE_ERROR_MOST}"
        )
    error = Fraction(str(relative_error))
    ratio = (1 + error) / (1 - error)
    greatest = [0]
    while greatest[-1] < VALUE_MAX:
        last = (greatest[-1] + 1) * ratio.numerator // ratio.denominator
        greatest.append(min(last, VALUE_MAX))
    bounds = np.array(greatest, np.int64)
    bounds.flags.writeable = False  # shared by every sketch of this error
    return bounds
