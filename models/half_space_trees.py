"""River's half-space trees, exactly, at a small part of their cost.

River grows the trees; models/forest.py scores and learns, record by record in one kernel, with the
same result to the last bit however the records are cut into batches (the tests hold both side by
side). `to_river` gives River's own object back, masses and all.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from river import anomaly

from models.arrays import Bools, Floats
from models.forest import (
    BEFORE,
    COUNT,
    HEIGHT_MAX,
    IS_WARM,
    LEARNED,
    SLOT_OF_LEAF,
    WINDOW_MAX,
    Structure,
    forest_of,
    score_learn,
    weigh,
)
from models.inputs import input_names, mask, rows, whole
from models.snapshot import SnapshotError, expect, pack, reading, unpack

KIND: Final = "half-space-trees"
VERSION: Final = 1
TREES_MAX: Final = 1000


class HalfSpaceTrees:
    """A detector: River's HalfSpaceTrees over named inputs of known limits.

    `window` is how many learned records a score is made of (the window before the present one);
    it is warm once the first is full. `limits` are River's, 0 to 1 where none is given.
    `structure` takes trees as they are instead of growing them.
    """

    def __init__(
        self,
        inputs: tuple[str, ...],
        seed: int,
        *,
        n_trees: int = 25,
        height: int = HEIGHT_MAX,
        window: int = 2000,
        limits: Mapping[str, tuple[float, float]] | None = None,
        structure: Structure | None = None,
    ) -> None:
        self.inputs = input_names(inputs)
        self.seed = whole("seed", seed, -(2**63), 2**63 - 1)
        self.n_trees = whole("n_trees", n_trees, 1, TREES_MAX)
        self.height = whole("height", height, 1, HEIGHT_MAX)
        self.window = whole("window", window, 1, WINDOW_MAX)
        self.limits = _checked_limits(limits or {}, self.inputs)
        self.structure = self._structure() if structure is None else structure
        _check_structure(self.structure, self.n_trees, self.height, len(self.inputs))
        self.forest = forest_of(self.structure, len(self.inputs), self.height, self.window)

    @property
    def is_warm(self) -> bool:
        """Whether a window was full."""
        return bool(self.forest.state[IS_WARM])

    def score(self, x: Floats) -> Floats:
        """Return the scores of records, 0 to 1. Raises ValueError if an input is missing."""
        return self.score_learn(x, np.zeros(len(x), np.bool_))

    def score_learn(self, x: Floats, learn: Bools) -> Floats:
        """Score each record, and then learn it where `learn`. Raises ValueError as `score` does."""
        x = rows(x, self.inputs)
        scores = np.empty(len(x))
        score_learn(self.forest, x, mask(learn, len(x)), scores)
        return scores

    def to_river(self) -> anomaly.HalfSpaceTrees:
        """Return River's object of the same trees and masses: it goes on as this one does."""
        river = self._grown()
        left = _all_masses(self._masses(COUNT))
        right = _all_masses(self._masses(BEFORE))
        for tree, root in enumerate(river.trees):
            for place, node in enumerate(_by_level(root)):
                if place < self.structure.feature.shape[1]:
                    node.feature = self.inputs[self.structure.feature[tree, place]]
                    node.threshold = float(self.structure.threshold[tree, place])
                node.l_mass, node.r_mass = int(left[tree, place]), int(right[tree, place])
        river.counter = int(self.forest.state[LEARNED])
        river._first_window = not self.is_warm  # noqa: SLF001 - River has no other way in
        return river

    def snapshot(self, key: bytes | None = None) -> bytes:
        """Return what it is and has learned."""
        meta = {
            "inputs": self.inputs, "seed": self.seed, "n_trees": self.n_trees,
            "height": self.height, "window": self.window, "limits": self.limits,
            "learned": int(self.forest.state[LEARNED]), "is_warm": self.is_warm,
        }  # fmt: skip
        arrays = self.structure._asdict() | {
            "now": self._masses(COUNT), "before": self._masses(BEFORE),
        }  # fmt: skip
        return pack(KIND, VERSION, meta, arrays, key)

    @classmethod
    def restore(cls, data: bytes, key: bytes | None = None) -> "HalfSpaceTrees":
        """Return the detector of a snapshot. Raises SnapshotError if it is not one of this."""
        meta, arrays = unpack(data, KIND, VERSION, key)
        with reading(KIND):
            learned, is_warm = meta.pop("learned"), meta.pop("is_warm")
            structure = Structure(arrays.pop("feature"), arrays.pop("threshold"))
            limits = {name: (low, high) for name, (low, high) in dict(meta.pop("limits")).items()}
            made = cls(**meta, limits=limits, structure=structure)
            whole("learned", learned, 0, made.window - 1)
            leaves = ("int32", (made.n_trees, 2**made.height))
            expect(arrays, {"now": leaves, "before": leaves})
            for masses, total in (("now", learned), ("before", made.window if is_warm else 0)):
                if (arrays[masses] < 0).any() or (arrays[masses].sum(1) != total).any():
                    raise SnapshotError(f"the masses of {masses} are not of {total} records")
            slots, forest = SLOT_OF_LEAF[: 2**made.height], made.forest
            forest.leaves[:, slots, COUNT] = arrays["now"]
            forest.leaves[:, slots, BEFORE] = arrays["before"]
            forest.state[LEARNED], forest.state[IS_WARM] = learned, bool(is_warm)
            weigh(forest.leaves, forest.state)
        return made

    def _masses(self, column: int) -> NDArray[np.int32]:
        """Return the masses of the leaves, from left to right, a row a tree."""
        return self.forest.leaves[:, SLOT_OF_LEAF[: 2**self.height], column]

    def _grown(self) -> anomaly.HalfSpaceTrees:
        """Return River's object with trees grown by its seed, and one made record learned."""
        river = anomaly.HalfSpaceTrees(
            n_trees=self.n_trees,
            height=self.height,
            window_size=self.window,
            limits=dict(self.limits.items()),
            seed=self.seed,
        )
        # It is what makes River grow them.
        river.learn_one(dict.fromkeys(self.inputs, 0.5))  # type: ignore[no-untyped-call]  # its
        return river

    def _structure(self) -> Structure:
        column = {name: number for number, name in enumerate(self.inputs)}
        feature, threshold = [], []
        for root in self._grown().trees:
            inner = _by_level(root)[: 2**self.height - 1]
            feature.append([column[node.feature] for node in inner])
            threshold.append([node.threshold for node in inner])
        return Structure(np.array(feature, np.uint8), np.array(threshold))


def _checked_limits(
    limits: Mapping[str, tuple[float, float]], inputs: tuple[str, ...]
) -> dict[str, tuple[float, float]]:
    for name, (low, high) in limits.items():
        if name not in inputs or not np.isfinite([low, high]).all() or low >= high:
            raise ValueError(f"{name}: {low!r} to {high!r} are not limits of one of {inputs}")
    return dict(limits)


def _check_structure(structure: Structure, trees: int, height: int, inputs: int) -> None:
    nodes = (trees, 2**height - 1)
    expect(structure._asdict(), {"feature": ("uint8", nodes), "threshold": ("float64", nodes)})
    if (structure.feature >= inputs).any() or not np.isfinite(structure.threshold).all():
        raise ValueError("the trees split by what is no input, or at what is no number")


def _by_level(root: Any) -> list[Any]:
    """Return the nodes of a tree from the root down, each level from left to right."""
    nodes = [root]
    for node in nodes:
        nodes += getattr(node, "children", ())
    return nodes


def _all_masses(leaves: NDArray[Any]) -> NDArray[Any]:
    """Return the masses of all nodes by level, of those of the leaves, a row a tree."""
    levels = [leaves]
    while levels[0].shape[1] > 1:
        levels.insert(0, levels[0].reshape(len(leaves), -1, 2).sum(2))
    return np.concatenate(levels, axis=1)
