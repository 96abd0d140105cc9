"""River's half-space trees, exactly, at a small part of their cost.

River grows the trees; models/detectors/half_space_trees.py scores and learns, record by record in
one kernel, with the same result to the last bit however the records are cut into batches (the tests
hold both side by side). `to_river` gives River's own object back, masses and all.
"""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import anomaly

from models.arrays import Bools, Floats
from models.detectors.inputs import input_names, mask, rows, whole
from models.kernels import compiled
from models.snapshot import Packed, SnapshotError, expect, pack, packed, reading, unpack

HEIGHT_MAX: Final = 6
"""Leaves are the bits of a word of 64. Deeper trees were no better on one-sided inputs."""

WINDOW_MAX: Final = 10_000_000  # so that a leaf's term of the score, window * 127, is 32 bits

CELLS: Final = 1024
"""Equal parts of an input's range, each with the thresholds in it: mostly none or one."""

ONE: Final = np.uint64(1)
DE_BRUIJN: Final = 0x03F79D71B4CB0A89
DE_BRUIJN_SHIFT: Final = 58
"""A single bit times this number has other upper six bits for each of the 64 bits: its slot."""

FACTOR: Final = np.uint64(DE_BRUIJN)
SHIFT: Final = np.uint64(DE_BRUIJN_SHIFT)
SLOT_OF_LEAF: Final = np.array(
    [(DE_BRUIJN << leaf) % 2**64 >> DE_BRUIJN_SHIFT for leaf in range(64)]
)

TABLES_KEPT: Final = 8

LOW, SCALE = 0, 1
"""Columns of `Forest.grid`: where an input's first cell begins, and its cells a unit."""

TERM, COUNT, BEFORE = range(3)
"""Columns of `Forest.leaves`: a leaf's term of the score, and the records that fell into it in this
window and in the one before."""

LEARNED, IS_WARM, WINDOW, HEIGHT = range(4)
"""Places of `Forest.state`: records learned in this window, whether one was full, and options."""

UInts = NDArray[np.uint64]
Ints32 = NDArray[np.int32]
State = NDArray[np.int64]


class Structure(NamedTuple):
    """How the trees split, a row a tree; the children of node i are the nodes 2i+1 and 2i+2."""

    feature: NDArray[np.uint8]  # the input that a node asks for
    threshold: Floats  # what is less goes left


class Tables(NamedTuple):
    """What does not change in a forest (see there): forests of equal trees share it.

    At a megabyte each they would push each other out of the processor's cache.
    """

    grid: Floats
    first: Ints32
    thresholds: Floats
    possible: UInts


class Forest(NamedTuple):
    """What kernels need of the trees: few arrays, for each one costs a kernel that is handed it."""

    grid: Floats  # (inputs, 2): LOW and SCALE
    first: Ints32  # (inputs, CELLS + 1): the first threshold of a cell
    thresholds: Floats  # by input, and then by size
    possible: UInts  # (thresholds + inputs, trees): the leaves left by a place among them
    slots: UInts  # (trees,): where in `leaves` the latest record belongs
    leaves: Ints32  # (trees, 64, 3): by slot, TERM, COUNT and BEFORE
    state: State


@compiled
def score(forest: Forest, record: Floats) -> float:
    """Return River's score of a record, 0 to 1; NaN while no window was full.

    For kernels that take a record at a time; `learn_scored` may follow.
    """
    grid, first, thresholds, possible, slots, leaves, state = forest
    _reach(grid, first, thresholds, possible, slots, record)
    if state[IS_WARM] == 0:
        return np.nan
    return _share(_total(leaves, slots, np.int32(0)), slots, state)


@compiled
def learn_scored(forest: Forest) -> None:
    """Learn the record that was scored last."""
    leaves, state = forest.leaves, forest.state
    _total(leaves, forest.slots, np.int32(1))
    state[LEARNED] += 1
    if state[LEARNED] == state[WINDOW]:
        _turn(leaves, state)


@compiled
def score_learn(forest: Forest, x: Floats, learn: Bools, scores: Floats) -> None:
    """Score each record, and then learn it where `learn` says so: `score` and `learn_scored`."""
    grid, first, thresholds, possible, slots, leaves, state = forest
    for number in range(x.shape[0]):
        _reach(grid, first, thresholds, possible, slots, x[number])
        learned = np.int32(learn[number])
        total = _total(leaves, slots, learned)
        scores[number] = _share(total, slots, state) if state[IS_WARM] else np.nan
        state[LEARNED] += learned
        if state[LEARNED] == state[WINDOW]:
            _turn(leaves, state)


@compiled
def weigh(leaves: Ints32, state: State) -> None:
    """Set each leaf's term: the masses on the way to it, each times two to its depth.

    The way ends where a mass is less than a tenth of the window, as in River.
    """
    height = state[HEIGHT]
    count = 1 << height
    mass = np.zeros(2 * count, np.int64)  # the children of node i are 2i and 2i + 1 here
    for tree in range(leaves.shape[0]):
        for leaf in range(count):
            mass[count + leaf] = leaves[tree, SLOT_OF_LEAF[leaf], BEFORE]
        for node in range(count - 1, 0, -1):
            mass[node] = mass[2 * node] + mass[2 * node + 1]
        for leaf in range(count):
            term = 0
            for depth in range(height + 1):
                here = mass[(count + leaf) >> (height - depth)]
                term += here << depth
                if here < 0.1 * state[WINDOW]:
                    break
            leaves[tree, SLOT_OF_LEAF[leaf], TERM] = term


@compiled
def _reach(
    grid: Floats, first: Ints32, thresholds: Floats, possible: UInts, slots: UInts, record: Floats
) -> None:
    """Set the slots of the leaves that a record falls into."""
    for column in range(record.shape[0]):
        value = record[column]
        cell = _cell(value, grid[column, LOW], grid[column, SCALE])
        place = first[column, cell]
        end = first[column, cell + 1]
        while place < end and value >= thresholds[place]:
            place += 1
        row = possible[place + column]
        if column == 0:
            for tree in range(slots.shape[0]):
                slots[tree] = row[tree]
        else:
            for tree in range(slots.shape[0]):
                slots[tree] &= row[tree]
    for tree in range(slots.shape[0]):
        left = slots[tree]
        slots[tree] = ((left & (~left + ONE)) * FACTOR) >> SHIFT


@compiled
def _cell(value: float, low: float, scale: float) -> int:
    """Return the cell of a value; a greater value is never in a lesser cell."""
    place = (value - low) * scale
    if not place > 0:  # also what is not a number: a kernel never reads beside its arrays
        return 0
    return int(min(place, CELLS - 1))


@compiled
def _total(leaves: Ints32, slots: UInts, learned: np.int32) -> np.int64:
    """Return the sum of the leaves' terms, and count the record there if it is learned (1 or 0)."""
    total = np.int64(0)  # the terms have 32 bits
    for tree in range(slots.shape[0]):
        slot = slots[tree]
        total += leaves[tree, slot, TERM]
        leaves[tree, slot, COUNT] += learned
    return total


@compiled
def _share(total: np.int64, slots: UInts, state: State) -> float:
    return float(1 - total / (slots.shape[0] * state[WINDOW] * ((2 << state[HEIGHT]) - 1)))


@compiled
def _turn(leaves: Ints32, state: State) -> None:
    """Begin a window: the one that is full becomes what scores are made of."""
    for tree in range(leaves.shape[0]):
        for slot in range(leaves.shape[1]):
            leaves[tree, slot, BEFORE] = leaves[tree, slot, COUNT]
            leaves[tree, slot, COUNT] = 0
    weigh(leaves, state)
    state[LEARNED], state[IS_WARM] = 0, 1


def forest_of(structure: Structure, inputs: int, height: int, window: int) -> Forest:
    """Return a forest that has learned nothing."""
    trees = len(structure.feature)
    return Forest(
        *_tables(structure.feature.tobytes(), structure.threshold.tobytes(), trees, inputs, height),
        np.zeros(trees, np.uint64), np.zeros((trees, 64, 3), np.int32),
        np.array([0, 0, window, height]),
    )  # fmt: skip


@lru_cache(maxsize=TABLES_KEPT)
def _tables(features: bytes, splits: bytes, trees: int, inputs: int, height: int) -> Tables:
    feature = np.frombuffer(features, np.uint8).reshape(trees, -1)
    threshold = np.frombuffer(splits).reshape(trees, -1)
    leaves = 2**height
    grid = np.tile((0.0, 1.0), (inputs, 1))
    first = np.zeros((inputs, CELLS + 1), np.int32)
    thresholds: list[Floats] = []
    possible: list[UInts] = []
    count = 0
    for column in range(inputs):
        tree, node = np.nonzero(feature == column)
        order = np.argsort(threshold[tree, node], kind="stable")
        tree, node = tree[order], node[order]
        own = threshold[tree, node]
        if len(own):
            grid[column] = own[0], _cells_a_unit(own[0].item(), own[-1].item())
        cells = [_cell(value, *grid[column]) for value in own]
        first[column] = count + np.searchsorted(cells, np.arange(CELLS + 1))
        thresholds.append(own)
        possible.append(_possible(tree, node, trees, leaves))
        count += len(own)
    tables = Tables(grid, first, np.concatenate(thresholds), np.concatenate(possible))
    for table in tables:
        table.flags.writeable = False
    return tables


def _cells_a_unit(low: float, high: float) -> float:
    scale = (CELLS - 1) / (high - low) if high > low else 1.0
    return scale if 0 < scale < np.inf else 1.0


def _possible(tree: NDArray[np.int64], node: NDArray[np.int64], trees: int, leaves: int) -> UInts:
    """Return the leaves that are possible below the first threshold, the second and so on."""
    possible = np.full((len(node) + 1, trees), 2**leaves - 1, np.uint64)
    for place, (tree_here, node_here) in enumerate(zip(tree, node, strict=True), start=1):
        depth = int(node_here + 1).bit_length() - 1
        below = leaves >> depth  # leaves of the node; at its threshold the left half goes out
        leftmost = (int(node_here) + 1 - (1 << depth)) * below
        gone = ((1 << below // 2) - 1) << leftmost
        possible[place, tree_here] = 2**leaves - 1 & ~gone
    return np.bitwise_and.accumulate(possible, axis=0)


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
        arrays: dict[str, Any] = self._packed_structure | {
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

    @cached_property
    def _packed_structure(self) -> dict[str, Packed]:
        """The trees as snapshots have them: they never change, and take long to deflate."""
        return {name: packed(name, array) for name, array in self.structure._asdict().items()}

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
