"""River's LODA, exactly: sparse random projections, each with a histogram that adapts its bins.

River draws the projections. Its histograms are small lists of bins, whose arithmetic is done again
here over arrays, in one kernel: a record costs about a tenth of River's, and so the histograms may
learn every record. Scores and bins are equal to River's to the last bit (tested; for a
projection of three inputs or more, from nine inputs on, only on Python 3.11, because later ones
sum floats with compensation). `to_river` gives River's own object back.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from river import anomaly, sketch
from river.sketch.histogram import Bin

from models.arrays import Bools, Floats, Ints
from models.detectors.inputs import input_names, mask, rows, whole
from models.kernels import compiled
from models.snapshot import SnapshotError, expect, pack, reading, unpack

KIND: Final = "loda"
VERSION: Final = 1
CUTS_MAX: Final = 1000
BINS_MAX: Final = 1000
DENSITY_MIN: Final = 1e-12
"""What is outside every bin has this density: River's floor."""

LEFT, RIGHT = 0, 1
"""Columns of `Histograms.edges`."""

LEARNED, OFFERED = 0, 1
"""Places of `Histograms.state`: records learned, and offered since the last one that was."""


class Histograms(NamedTuple):
    """What the kernel needs: projections, and a histogram of each, its bins in order."""

    columns: Ints  # (cuts, inputs of a cut)
    weights: Floats  # (cuts, inputs of a cut)
    edges: Floats  # (cuts, n_bins + 1, 2): LEFT and RIGHT
    counts: Ints  # (cuts, n_bins + 1)
    used: Ints  # (cuts,): bins in use, n_bins at most: one more for a moment
    state: Ints


@compiled
def _score_learn(
    histograms: Histograms, warm_up: int, every: int, x: Floats, learn: Bools, scores: Floats
) -> None:
    columns, weights, edges, counts, used, state = histograms
    cuts = columns.shape[0]
    for number in range(x.shape[0]):
        is_learned = False
        if learn[number]:
            is_learned = state[OFFERED] == 0
            state[OFFERED] = (state[OFFERED] + 1) % every
        is_warm = state[LEARNED] >= warm_up
        score = 0.0
        for cut in range(cuts):
            value = 0.0
            for place in range(columns.shape[1]):
                value += weights[cut, place] * x[number, columns[cut, place]]
            if is_warm:
                density = _density(edges[cut], counts[cut], used[cut], state[LEARNED], value)
                score -= math.log(max(density, DENSITY_MIN))
            if is_learned:
                used[cut] = _update(edges[cut], counts[cut], used[cut], value)
        scores[number] = score / cuts if is_warm else np.nan
        state[LEARNED] += is_learned


@compiled
def _bin(edges: Floats, used: int, value: float) -> int:
    """Return the first bin that does not end before a value; `used` where there is none."""
    low, high = 0, used
    while low < high:
        middle = (low + high) // 2
        if edges[middle, RIGHT] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _density(edges: Floats, counts: Ints, used: int, learned: int, value: float) -> float:
    place = _bin(edges, used, value)
    if place == used or value < edges[place, LEFT]:
        return 0.0
    share = counts[place] / learned
    width = edges[place, RIGHT] - edges[place, LEFT]
    if width <= 0:  # a bin of one value is as wide as the nearer gap beside it
        width = np.inf
        if place > 0:
            width = edges[place, LEFT] - edges[place - 1, RIGHT]
        if place + 1 < used:
            width = min(width, edges[place + 1, LEFT] - edges[place, RIGHT])
        if not 0 < width < np.inf:
            return float(share)
    return float(share / width)


@compiled
def _update(edges: Floats, counts: Ints, used: int, value: float) -> int:
    """Count a value, in a bin of its own where none has it; return the bins in use then."""
    place = _bin(edges, used, value)
    if place < used and value >= edges[place, LEFT]:
        counts[place] += 1
        return used
    for later in range(used, place, -1):
        edges[later, LEFT], edges[later, RIGHT] = edges[later - 1, LEFT], edges[later - 1, RIGHT]
        counts[later] = counts[later - 1]
    edges[place, LEFT] = edges[place, RIGHT] = value
    counts[place] = 1
    if used + 1 < counts.shape[0]:
        return used + 1
    _merge(edges, counts)
    return used


@compiled
def _merge(edges: Floats, counts: Ints) -> None:
    """Make one bin of the two, of all, that end nearest to each other."""
    nearest, gap_least = 0, np.inf
    for place in range(counts.shape[0] - 1):
        gap = edges[place + 1, RIGHT] - edges[place, RIGHT]
        if gap < gap_least:
            nearest, gap_least = place, gap
    edges[nearest, RIGHT] = edges[nearest + 1, RIGHT]
    counts[nearest] += counts[nearest + 1]
    for place in range(nearest + 1, counts.shape[0] - 1):
        edges[place, LEFT], edges[place, RIGHT] = edges[place + 1, LEFT], edges[place + 1, RIGHT]
        counts[place] = counts[place + 1]


class Loda:
    """A detector: River's LODA. A score is the mean of minus log densities; it is not bounded.

    It learns the first of every `learn_every` records that it is given to learn, and is warm when
    it has learned `warm_up`.
    """

    def __init__(
        self,
        inputs: tuple[str, ...],
        seed: int,
        *,
        n_bins: int = 20,
        n_random_cuts: int = 20,
        warm_up: int = 100,
        learn_every: int = 1,
    ) -> None:
        self.inputs = input_names(inputs)
        self.seed = whole("seed", seed, -(2**63), 2**63 - 1)
        self.n_bins = whole("n_bins", n_bins, 1, BINS_MAX)
        self.n_random_cuts = whole("n_random_cuts", n_random_cuts, 1, CUTS_MAX)
        self.warm_up = whole("warm_up", warm_up, 1, 2**31)
        self.learn_every = whole("learn_every", learn_every, 1, 2**31)
        column = {name: number for number, name in enumerate(self.inputs)}
        projections = self._drawn().projections_
        self.histograms = Histograms(
            np.array([[column[name] for name in cut] for cut in projections]),
            np.array([list(cut.values()) for cut in projections]),
            np.zeros((n_random_cuts, n_bins + 1, 2)),
            np.zeros((n_random_cuts, n_bins + 1), np.int64),
            np.zeros(n_random_cuts, np.int64),
            np.zeros(2, np.int64),
        )

    @property
    def is_warm(self) -> bool:
        """Whether it has learned enough records."""
        return bool(self.histograms.state[LEARNED] >= self.warm_up)

    def score(self, x: Floats) -> Floats:
        """Return the scores of records. Raises ValueError if an input is missing."""
        return self.score_learn(x, np.zeros(len(x), np.bool_))

    def score_learn(self, x: Floats, learn: Bools) -> Floats:
        """Score each record, and then learn it where `learn`. Raises ValueError as `score` does."""
        x = rows(x, self.inputs)
        scores = np.empty(len(x))
        learn = mask(learn, len(x))
        _score_learn(self.histograms, self.warm_up, self.learn_every, x, learn, scores)
        return scores

    def to_river(self) -> anomaly.LODA:
        """Return River's object of the same projections and bins: it goes on as this one does."""
        river = self._drawn()
        columns, weights, edges, counts, used, state = self.histograms
        for cut in range(self.n_random_cuts):
            names = [self.inputs[column] for column in columns[cut]]
            river.projections_[cut] = dict(zip(names, weights[cut].tolist(), strict=True))
            made = sketch.Histogram(max_bins=self.n_bins)  # type: ignore[no-untyped-call]  # its
            made.n = int(state[LEARNED])
            for place in range(used[cut]):
                left, right = edges[cut, place].tolist()
                made.data.append(Bin(left, right, int(counts[cut, place])))  # type: ignore[no-untyped-call]  # its
            river.histograms_[cut] = made
        return river

    def snapshot(self, key: bytes | None = None) -> bytes:
        """Return what it is and has learned."""
        meta = {
            "inputs": self.inputs, "seed": self.seed, "n_bins": self.n_bins,
            "n_random_cuts": self.n_random_cuts, "warm_up": self.warm_up,
            "learn_every": self.learn_every,
        }  # fmt: skip
        return pack(KIND, VERSION, meta, self.histograms._asdict(), key)

    @classmethod
    def restore(cls, data: bytes, key: bytes | None = None) -> "Loda":
        """Return the detector of a snapshot. Raises SnapshotError if it is not one of this."""
        meta, arrays = unpack(data, KIND, VERSION, key)
        with reading(KIND):
            made = cls(**meta)
            fresh = made.histograms._asdict()
            expect(arrays, {name: (a.dtype.name, a.shape) for name, a in fresh.items()})
            made.histograms = Histograms(**arrays)
            _check(made.histograms, len(made.inputs), made.n_bins, made.learn_every)
        return made

    def _drawn(self) -> anomaly.LODA:
        """Return River's object with projections drawn by its seed, and one made record learned."""
        river = anomaly.LODA(self.n_bins, self.n_random_cuts, self.seed)
        # It is what makes River draw them.
        river.learn_one(dict.fromkeys(self.inputs, 0.0))  # type: ignore[no-untyped-call]  # its
        return river


def _check(histograms: Histograms, inputs: int, n_bins: int, every: int) -> None:
    columns, weights, edges, counts, used, state = histograms
    in_use = np.arange(n_bins + 1) < used[:, None]
    if (
        (columns < 0).any() or (columns >= inputs).any()
        or (used < 0).any() or (used > n_bins).any()
        or not np.isfinite(weights).all() or not np.isfinite(edges).all()
        or (counts < 0).any() or (np.where(in_use, counts, 0).sum(1) != state[LEARNED]).any()
        or not 0 <= state[OFFERED] < every
    ):  # fmt: skip
        raise SnapshotError("the histograms are not of the records that were learned")
