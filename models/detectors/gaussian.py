"""River's GaussianScorer for each input; the strangest input gives the score.

A score is twice the distance of the normal distribution function from one half: 0 at an input's
mean, towards 1 on either side. River keeps mean and sum of squares in objects of its own, so that
arithmetic (Welford's) is done again here in a kernel, held against River's by the tests. One thing
differs: an input that never varied says 0 of its usual value and 1 of any other, where River says 1
of both, and so would drown the other inputs.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Bools, Floats
from models.detectors.inputs import input_names, mask, rows, whole
from models.kernels import compiled
from models.snapshot import SnapshotError, expect, pack, reading, unpack

KIND: Final = "gaussian"
VERSION: Final = 1


class Moments(NamedTuple):
    """What the kernel needs."""

    mean: Floats  # (inputs,)
    squares: Floats  # (inputs,): the sum of squared distances from the mean
    learned: NDArray[np.int64]  # (1,): records


@compiled
def _score_learn(moments: Moments, warm_up: int, x: Floats, learn: Bools, scores: Floats) -> None:
    mean, squares, learned = moments
    for number in range(x.shape[0]):
        scores[number] = np.nan
        if learned[0] >= warm_up:
            scores[number] = 0.0
            for column in range(x.shape[1]):
                variance = squares[column] / (learned[0] - 1)
                score = _score(x[number, column] - mean[column], variance)
                scores[number] = max(scores[number], score)
        if learn[number]:
            learned[0] += 1
            for column in range(x.shape[1]):
                before = x[number, column] - mean[column]
                mean[column] += 1.0 / learned[0] * before
                squares[column] += before * (x[number, column] - mean[column])


@compiled
def _score(distance: float, variance: float) -> float:
    if variance <= 0:
        return 0.0 if distance == 0 else 1.0
    share = 0.5 * (1.0 + math.erf(distance / variance**0.5 / math.sqrt(2.0)))
    return 2 * abs(share - 0.5)


class Gaussian:
    """A detector: the greatest of its inputs' Gaussian scores, 0 to 1.

    It has no randomness: `seed` is only kept. It is warm when it has learned `warm_up` records.
    """

    def __init__(self, inputs: tuple[str, ...], seed: int, *, warm_up: int = 100) -> None:
        self.inputs = input_names(inputs)
        self.seed = whole("seed", seed, -(2**63), 2**63 - 1)
        self.warm_up = whole("warm_up", warm_up, 2, 2**31)
        count = len(self.inputs)
        self.moments = Moments(np.zeros(count), np.zeros(count), np.zeros(1, np.int64))

    @property
    def is_warm(self) -> bool:
        """Whether it has learned enough records."""
        return bool(self.moments.learned[0] >= self.warm_up)

    def score(self, x: Floats) -> Floats:
        """Return the scores of records. Raises ValueError if an input is missing."""
        return self.score_learn(x, np.zeros(len(x), np.bool_))

    def score_learn(self, x: Floats, learn: Bools) -> Floats:
        """Score each record, and then learn it where `learn`. Raises ValueError as `score` does."""
        x = rows(x, self.inputs)
        scores = np.empty(len(x))
        _score_learn(self.moments, self.warm_up, x, mask(learn, len(x)), scores)
        return scores

    def snapshot(self, key: bytes | None = None) -> bytes:
        """Return what it is and has learned."""
        meta = {"inputs": self.inputs, "seed": self.seed, "warm_up": self.warm_up}
        return pack(KIND, VERSION, meta, self.moments._asdict(), key)

    @classmethod
    def restore(cls, data: bytes, key: bytes | None = None) -> "Gaussian":
        """Return the detector of a snapshot. Raises SnapshotError if it is not one of this."""
        meta, arrays = unpack(data, KIND, VERSION, key)
        with reading(KIND):
            made = cls(**meta)
            fresh = made.moments._asdict()
            expect(arrays, {name: (a.dtype.name, a.shape) for name, a in fresh.items()})
            made.moments = Moments(**arrays)
            if made.moments.learned[0] < 0 or not all(np.isfinite(a).all() for a in made.moments):
                raise SnapshotError("the moments are not numbers")
        return made
