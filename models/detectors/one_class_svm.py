"""River's OneClassSVM, exactly: a plane, moved by each record; the score is how far out one lies.

As River's `score_one`, the score is w.x: for inputs that say by greater values that something is
stranger, all weights stay at or above zero, and so a greater input never lowers it. With `scaled`
River's StandardScaler stands before it. It is off by default: centred inputs pull both ways, so the
weights waver about zero, and a high score may then be of an ordinary record (on simulated accounts
.35 of the seven highest account-days a day were right with the inputs as they are, .16 scaled).

River keeps weights in an object of its own, so the arithmetic (hinge loss, plain gradient steps)
is done again here in a kernel; the tests hold it against River's, record by record.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Bools, Floats
from models.detectors.inputs import input_names, mask, rows, whole
from models.kernels import compiled
from models.snapshot import SnapshotError, expect, pack, reading, unpack

KIND: Final = "one-class-svm"
VERSION: Final = 1
STEP: Final = 0.01
"""River's learning rate, of the weights and of the intercept."""

MEAN, VARIANCE = 0, 1
"""Rows of `Plane.moments`."""


class Plane(NamedTuple):
    """What the kernel needs."""

    weights: Floats  # (inputs,)
    intercept: Floats  # (1,)
    moments: Floats  # (2, inputs): MEAN and VARIANCE of what was learned
    learned: NDArray[np.int64]  # (1,): records


@compiled
def _score_learn(
    plane: Plane, nu: float, is_scaled: bool, warm_up: int,  # noqa: FBT001 - a kernel has no keywords
    x: Floats, learn: Bools, scores: Floats,
) -> None:  # fmt: skip
    weights, intercept, moments, learned = plane
    record = np.zeros(x.shape[1])
    for number in range(x.shape[0]):
        scores[number] = np.nan
        if learned[0] >= warm_up:
            _scale(moments, is_scaled, x[number], record)
            raw = _dot(weights, record) + intercept[0]
            scores[number] = raw - intercept[0]  # rounded as River rounds
        if learn[number]:
            learned[0] += 1
            if is_scaled:
                _learn_moments(moments, learned[0], x[number])
            _scale(moments, is_scaled, x[number], record)
            # The gradient of the hinge loss; every record counts as an ordinary one.
            slope = -1.0 if _dot(weights, record) + intercept[0] <= 1 else 0.0
            intercept[0] -= STEP * slope + 2.0 * STEP * (nu / 2)
            for column in range(x.shape[1]):
                weights[column] -= STEP * (record[column] * slope + weights[column] * (nu / 2))


@compiled
def _dot(weights: Floats, record: Floats) -> float:
    total = 0.0
    for column in range(record.shape[0]):
        total += weights[column] * record[column]
    return total


@compiled
def _learn_moments(moments: Floats, learned: int, record: Floats) -> None:
    for column in range(record.shape[0]):
        before = record[column] - moments[MEAN, column]
        moments[MEAN, column] += before / learned
        after = record[column] - moments[MEAN, column]
        moments[VARIANCE, column] += (before * after - moments[VARIANCE, column]) / learned


@compiled
def _scale(moments: Floats, is_scaled: bool, record: Floats, out: Floats) -> None:  # noqa: FBT001 - a kernel has no keywords
    for column in range(record.shape[0]):
        out[column] = record[column]
        if is_scaled:
            deviation = moments[VARIANCE, column] ** 0.5
            centred = record[column] - moments[MEAN, column]
            out[column] = centred / deviation if deviation > 0 else 0.0


class OneClassSvm:
    """A detector: River's OneClassSVM, with its StandardScaler before it where `scaled`.

    `nu` is about the share of records that are taken for strange. It has no randomness: `seed` is
    only kept. It is warm when it has learned `warm_up` records.
    """

    def __init__(
        self,
        inputs: tuple[str, ...],
        seed: int,
        *,
        nu: float = 0.1,
        scaled: bool = False,
        warm_up: int = 100,
    ) -> None:
        self.inputs = input_names(inputs)
        self.seed = whole("seed", seed, -(2**63), 2**63 - 1)
        if not 0 < nu < 1:
            raise ValueError(f"nu is a share of the records, between 0 and 1, not {nu!r}")
        self.nu = float(nu)
        self.scaled = bool(scaled)
        self.warm_up = whole("warm_up", warm_up, 1, 2**31)
        count = len(self.inputs)
        self.plane = Plane(np.zeros(count), np.ones(1), np.zeros((2, count)), np.zeros(1, np.int64))

    @property
    def is_warm(self) -> bool:
        """Whether it has learned enough records."""
        return bool(self.plane.learned[0] >= self.warm_up)

    def score(self, x: Floats) -> Floats:
        """Return the scores of records. Raises ValueError if an input is missing."""
        return self.score_learn(x, np.zeros(len(x), np.bool_))

    def score_learn(self, x: Floats, learn: Bools) -> Floats:
        """Score each record, and then learn it where `learn`. Raises ValueError as `score` does."""
        x = rows(x, self.inputs)
        learn = mask(learn, len(x))
        scores = np.empty(len(x))
        _score_learn(self.plane, self.nu, self.scaled, self.warm_up, x, learn, scores)
        return scores

    def snapshot(self, key: bytes | None = None) -> bytes:
        """Return what it is and has learned."""
        meta = {
            "inputs": self.inputs, "seed": self.seed, "nu": self.nu, "scaled": self.scaled,
            "warm_up": self.warm_up,
        }  # fmt: skip
        return pack(KIND, VERSION, meta, self.plane._asdict(), key)

    @classmethod
    def restore(cls, data: bytes, key: bytes | None = None) -> "OneClassSvm":
        """Return the detector of a snapshot. Raises SnapshotError if it is not one of this."""
        meta, arrays = unpack(data, KIND, VERSION, key)
        with reading(KIND):
            made = cls(**meta)
            fresh = made.plane._asdict()
            expect(arrays, {name: (a.dtype.name, a.shape) for name, a in fresh.items()})
            made.plane = Plane(**arrays)
            if made.plane.learned[0] < 0 or not all(np.isfinite(a).all() for a in made.plane):
                raise SnapshotError("the plane is not one of numbers")
        return made
