"""Detectors of outliers: what each of them does, and which there are.

A detector is one file with one class, whose snapshots are of the kind by which it is found here.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from models.arrays import Bools, Floats
from models.detectors import gaussian, half_space_trees, loda, one_class_svm
from models.detectors.gaussian import Gaussian
from models.detectors.half_space_trees import HalfSpaceTrees
from models.detectors.loda import Loda
from models.detectors.one_class_svm import OneClassSvm
from models.snapshot import SnapshotError, kind_of


class Detector(Protocol):
    """Scores records by what it has learned of those before; a higher score is stranger, always.

    It is deterministic: the same records in the same order give the same scores, however they are
    cut into batches. An input that is missing (NaN) or infinite raises ValueError, before anything
    is learned.
    """

    inputs: tuple[str, ...]
    """Names of the columns of `x`, in order; each from 0 to 1, and greater where stranger."""

    @property
    def is_warm(self) -> bool:
        """Whether it has learned enough to score."""
        ...

    def score(self, x: Floats) -> Floats:
        """Return the scores of records (n, inputs); NaN while not warm. It changes nothing."""
        ...

    def score_learn(self, x: Floats, learn: Bools) -> Floats:
        """Score each record, and then learn it where `learn` says so; NaN while not warm."""
        ...

    def snapshot(self, key: bytes | None = None) -> bytes:
        """Return what it is and has learned; its size does not grow with the records."""
        ...


DETECTORS: Final[Mapping[str, Callable[..., Detector]]] = MappingProxyType({
    half_space_trees.KIND: HalfSpaceTrees,
    loda.KIND: Loda,
    one_class_svm.KIND: OneClassSvm,
    gaussian.KIND: Gaussian,
})  # fmt: skip
"""By name; each takes the inputs, a seed and options of its own."""

_RESTORE: Final[Mapping[str, Callable[[bytes, bytes | None], Detector]]] = {
    half_space_trees.KIND: HalfSpaceTrees.restore,
    loda.KIND: Loda.restore,
    one_class_svm.KIND: OneClassSvm.restore,
    gaussian.KIND: Gaussian.restore,
}


def detector(name: str, inputs: Iterable[str], seed: int, **options: Any) -> Detector:
    """Return a detector that has learned nothing.

    Raises ValueError for a name that is not in `DETECTORS` and for an option that is out of its
    range, TypeError for one that this detector has not.
    """
    if name not in DETECTORS:
        raise ValueError(f"there is no detector {name!r}: there are {', '.join(DETECTORS)}")
    return DETECTORS[name](tuple(inputs), seed, **options)


def restore(data: bytes, key: bytes | None = None) -> Detector:
    """Return the detector of a snapshot. Raises SnapshotError if it is of none."""
    kind = kind_of(data)  # unproven yet: it only says who is to prove it
    if kind not in _RESTORE:
        raise SnapshotError(f"the snapshot is of {kind!r}, which is no detector")
    return _RESTORE[kind](data, key)
