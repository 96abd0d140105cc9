"""From a score to a tail probability, and from that to evidence.

The scores of the latest finished days are kept as histograms, one a day and kind of score. Below
their 98 % point the tail probability is the share that was as great; above it, a generalised
Pareto distribution is fitted to the exceedances by probability-weighted moments (Hosking & Wallis
1987). A probability p becomes an e-value by betting on Beta(a, 1): e = a p^(a - 1), a = 0.05 (Vovk
& Wang 2021). Its mean is one where nothing is wrong, so that e-values of several scores may be
averaged.

A kind's window is the last 14 finished days. If those have fewer than 250 of its scores, it reaches
back until there are 250, or for a year: a partition of few accounts warms up later, and then stays
so. If they have 500, older days change nothing.

Every finished score is learned, also what was told: a tail that leaves its outliers out drifts up
and raises ever more alerts.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.kernels import compiled
from models.snapshot import SnapshotError, pack, unpack

BINS: Final = 2048
WINDOW_DAYS: Final = 14
WINDOW_DAYS_MAX: Final = 366
"""Of a kind with few scores."""

DAYS_MIN: Final = 5
SCORES_MIN: Final = 500
"""Without so many days and scores a tail is not warmed up, and says nothing (NaN)."""

SCORES_FEW: Final = 250
"""So many are enough once there are days before the last 14: more would be older ones, and a tail
of old days calls too much strange. One in 50 is five of them."""

TAIL_SHARE: Final = 0.02
EXCEEDANCES_MIN: Final = 50
SHAPE_MAX: Final = 0.9
SHAPE_MIN: Final = 1e-3  # below, the Pareto is taken for exponential
PROBABILITY_MIN: Final = 1e-9
BET: Final = 0.05
KIND: Final = "tails"
VERSION: Final = 1

Counts = NDArray[np.int32]


class ScoreRange(NamedTuple):
    """The range that a kind of score is kept in, in `BINS` equal bins; beyond it, the end ones.

    `is_bounded`: the score has a greatest value, near which the fitted tail says nothing; then no
    probability is below half of one score's share.
    """

    name: str
    low: float
    high: float
    is_bounded: bool = False


class Tail(NamedTuple):
    """What kernels need of all kinds of score, as arrays with a row for each."""

    today: Counts  # (kinds, BINS): the scores of days that are not finished
    probabilities: (
        Floats  # (kinds, BINS): the share as great as a bin, for the bins below the point
    )
    fit: Floats  # (kinds, 8): see below


class FewScores(NamedTuple):
    """A day's scores without the empty bins: of a day before the last 14, few are needed."""

    places: NDArray[np.int32]  # kind * BINS + bin, ascending
    counts: Counts
    totals: Counts  # (kinds,): the scores of each kind


class TailWarmth(NamedTuple):
    """How far a kind's tail is: the scores of its window, and the finished days that this has."""

    scores: int
    days: int
    is_warm: bool


LOW, WIDTH, POINT, SHARE, SHAPE, SPREAD, FLOOR, IS_WARM = range(8)
"""Columns of `Tail.fit`: the range's low end, a bin's width, the 98 % point and the share above it,
the Pareto's shape and spread, the least probability, and whether it is warmed up (1 or 0)."""


@compiled
def add(tail: Any, kind: int, score: float) -> None:
    """Count a score."""
    tail.today[kind, _bin(tail.fit[kind, LOW], tail.fit[kind, WIDTH], score)] += 1


@compiled
def _bin(low: float, width: float, score: float) -> int:
    place = int((score - low) / width)
    return min(max(place, 0), BINS - 1)


@compiled
def probability(tail: Any, kind: int, score: float) -> float:
    """Return the probability of a score as great or greater; NaN where not warmed up."""
    fit = tail.fit[kind]
    if fit[IS_WARM] == 0:
        return math.nan
    if score <= fit[POINT]:
        p = tail.probabilities[kind, _bin(fit[LOW], fit[WIDTH], score)]
    else:
        above = (score - fit[POINT]) / fit[SPREAD]
        if fit[SHAPE] < SHAPE_MIN:
            p = fit[SHARE] * math.exp(-above)
        else:
            p = fit[SHARE] * (1 + fit[SHAPE] * above) ** (-1 / fit[SHAPE])
    return float(min(max(p, fit[FLOOR]), 1.0))


@compiled
def evidence(p: float) -> float:
    """Return the e-value of a tail probability; 0 where there is none yet (NaN)."""
    if math.isnan(p):
        return 0.0
    return float(BET * p ** (BET - 1))


class Tails:
    """The kinds of score of one partition, their finished days, and the tails fitted to them."""

    def __init__(self, scales: tuple[ScoreRange, ...]) -> None:
        kinds = len(scales)
        self.scales = scales
        self.tail = Tail(
            np.zeros((kinds, BINS), np.int32), np.ones((kinds, BINS)), np.zeros((kinds, 8))
        )
        self.days: dict[int, Counts] = {}  # the last 14
        self.older: dict[int, FewScores] = {}  # days before them that a window needs
        self._windows = np.zeros((kinds, BINS), np.int64)
        self._days_of = np.zeros(kinds, np.int64)  # finished days of each window
        for row, scale in zip(self.tail.fit, scales, strict=True):
            row[LOW], row[WIDTH] = scale.low, (scale.high - scale.low) / BINS

    @property
    def kept_days(self) -> list[int]:
        """The finished days that a window needs, in order."""
        return sorted([*self.older, *self.days])

    def finish_day(self, day: int) -> None:
        """Take the scores counted since the last call as those of a day, and fit the tails."""
        self.days[day] = self.tail.today.copy()
        self.tail.today[:] = 0
        self._set_older(day)
        self._drop(day)
        self._fit()

    def warmth(self, kind: int) -> TailWarmth:
        """Return how far the tail of a kind is."""
        scores, days = int(self._windows[kind].sum()), int(self._days_of[kind])
        return TailWarmth(scores, days, bool(self.tail.fit[kind, IS_WARM]))

    def _set_older(self, last: int) -> None:
        """Keep the days before the last 14 in less room."""
        for old in [d for d in self.days if d <= last - WINDOW_DAYS]:
            self.older[old] = _few(self.days.pop(old))

    def _drop(self, last: int) -> None:
        """Drop the days before the last 14 that no kind needs, to have 500 scores.

        Windows may need fewer of them; the rest says that the last 14 are not the first.
        """
        if not self.older:
            return
        lacking = np.full(len(self.scales), SCORES_MIN)
        for counts in self.days.values():
            lacking -= counts.sum(axis=1)
        for old in sorted(self.older, reverse=True):
            scores = self.older[old].totals
            if old <= last - WINDOW_DAYS_MAX or not ((lacking > 0) & (scores > 0)).any():
                del self.older[old]
            else:
                lacking -= scores

    def _set_windows(self) -> None:
        """Add up the window of each kind: the last 14 days, and as many older ones as it needs."""
        windows, days = self._windows, self._days_of
        windows[:], days[:] = 0, len(self.days)
        for counts in self.days.values():
            windows += counts
        scores = windows.sum(axis=1)
        for old in sorted(self.older, reverse=True):
            is_lacking = scores < SCORES_FEW
            if not is_lacking.any():
                break
            few = self.older[old]
            is_needed = is_lacking[few.places // BINS]
            windows.reshape(-1)[few.places[is_needed]] += few.counts[is_needed]
            scores += is_lacking * few.totals
            days += is_lacking

    @property
    def scores_needed(self) -> int:
        """How many scores a window must have."""
        first, last = min(self.kept_days, default=0), max(self.days, default=0)
        return SCORES_FEW if first and first <= last - WINDOW_DAYS + 1 else SCORES_MIN

    def _fit(self) -> None:
        self._set_windows()
        needed = self.scores_needed
        for kind, scale in enumerate(self.scales):
            window = self._windows[kind]
            is_enough = bool(self._days_of[kind] >= DAYS_MIN and window.sum() >= needed)
            _fit_one(self.tail, kind, window, scale, is_enough=is_enough)

    def score_above(self, kind: int, share: float) -> float | None:
        """Return the score that at most such a share of the window's scores is above.

        None while there are too few of them.
        """
        if not self.tail.fit[kind, IS_WARM]:
            return None
        counts = self._windows[kind]
        beyond = np.cumsum(counts[::-1])[::-1] - counts
        last = int(np.argmax(beyond <= share * counts.sum()))
        return float(self.tail.fit[kind, LOW] + (last + 1) * self.tail.fit[kind, WIDTH])

    def snapshot_today(self, key: bytes | None = None) -> bytes:
        """Return the scores of days that are not finished."""
        return pack(KIND, VERSION, self._meta(), {"today": self.tail.today}, key)

    def snapshot_day(self, day: int, key: bytes | None = None) -> bytes:
        """Return a finished day: it does not change any more."""
        counts = self.days.get(day)
        if counts is None:
            few = self.older[day]
            counts = np.zeros_like(self.tail.today)
            counts.flat[few.places] = few.counts
        return pack(KIND, VERSION, self._meta(), {"day": counts}, key)

    def restore(self, today: bytes, days: Mapping[int, bytes], key: bytes | None = None) -> None:
        """Put back what was kept. Raises SnapshotError if it is of other kinds of score."""
        arrays = {day: self._restored(data, "day", key) for day, data in days.items()}
        self.tail.today[:] = self._restored(today, "today", key)
        self.days, self.older = dict(sorted(arrays.items())), {}
        if self.days:
            self._set_older(max(self.days))
            self._fit()

    def _restored(self, data: bytes, name: str, key: bytes | None) -> Counts:
        meta, arrays = unpack(data, KIND, VERSION, key)
        scales = meta["scales"]
        if not scales or scales != self._meta()["scales"][: len(scales)] or name not in arrays:
            raise SnapshotError("the snapshot has the tails of other scores")
        if arrays[name].shape != (len(scales), BINS):
            raise SnapshotError("the snapshot's tails have another shape")
        counts = np.zeros_like(self.tail.today)  # a kind that came later has no scores yet
        counts[: len(scales)] = arrays[name]
        return counts

    def _meta(self) -> dict[str, Any]:
        return {"scales": [list(scale) for scale in self.scales]}


def _few(counts: Counts) -> FewScores:
    places = np.flatnonzero(counts).astype(np.int32)
    return FewScores(places, counts.reshape(-1)[places], counts.sum(axis=1, dtype=np.int32))


def _fit_one(
    tail: Tail, kind: int, counts: NDArray[np.int64], scale: ScoreRange, *, is_enough: bool
) -> None:
    fit = tail.fit[kind]
    total = int(counts.sum())
    fit[IS_WARM] = float(is_enough)
    if not fit[IS_WARM]:
        return
    as_great = np.cumsum(counts[::-1])[::-1]  # scores of a bin or a greater one
    tail.probabilities[kind] = (1 + as_great) / (total + 1)
    # The point is the upper edge of the bin above which at most a fiftieth of the scores lies.
    beyond = as_great - counts
    last = int(np.argmax(beyond <= TAIL_SHARE * total))
    above = counts[last + 1 :]
    exceedances = int(above.sum())
    fit[POINT], fit[FLOOR] = math.inf, PROBABILITY_MIN
    if scale.is_bounded:
        fit[FLOOR] = 0.5 / total
    if exceedances <= EXCEEDANCES_MIN:
        return
    middles = (np.arange(above.size) + 0.5) * fit[WIDTH]
    shape, spread = _pareto(middles, above.astype(np.float64))
    fit[POINT] = fit[LOW] + (last + 1) * fit[WIDTH]
    fit[SHARE], fit[SHAPE], fit[SPREAD] = exceedances / total, shape, spread


def _pareto(exceedances: Floats, counts: Floats) -> tuple[float, float]:
    """Return shape and spread by probability-weighted moments, from ascending, counted values.

    The shape is held in [0, `SHAPE_MAX`]: a fitted end of the tail would call anything beyond it
    impossible.
    """
    total = counts.sum()
    mean = float((exceedances * counts).sum() / total)
    ranks = counts.cumsum() - (counts + 1) / 2  # mean rank from 0 of a bin's values
    weighted = float((exceedances * counts * (total - 1 - ranks)).sum() / (total - 1) / total)
    shape = 2 - mean / (mean - 2 * weighted) if mean > 2 * weighted else SHAPE_MAX
    shape = min(max(shape, 0.0), SHAPE_MAX)
    return shape, mean * (1 - shape)
