"""A decision tree that learns row by row: River's HoeffdingTreeClassifier by information gain.

A leaf splits as soon as Hoeffding's bound says that its best attribute stays the best (Domingos and
Hulten, Mining High-Speed Data Streams, 2000). The settings are for hundreds or thousands of labels,
not for millions: on 10,717 labelled alerts they made 27 leaves where River's own made 8.

The rules are read from River's private `_root`, so River is pinned, and the tests hold them against
`predict` for every leaf. They carry no counts: those of a leaf begin with an estimate of the split,
so whoever shows a rule counts it over stored rows.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from zlib import crc32

from river.tree import HoeffdingTreeClassifier
from river.tree.nodes.branch import (
    DTBranch,
    NominalBinaryBranch,
    NominalMultiwayBranch,
    NumericBinaryBranch,
)

from models.rules.condition import (
    Among,
    Between,
    Condition,
    NotAmong,
    Row,
    Rule,
    category,
    merged,
    number,
)

DELTA: Final = 1e-3
"""How probably a split's attribute may be another than with endless rows."""

GRACE_PERIOD: Final = 50
"""So many rows come to a leaf between two looks at its splits."""

TAU: Final = 0.1
"""Attributes that are nearer than this (in bits) are a tie: the leaf splits all the same."""

DEPTH_MAX: Final = 5

Shares = dict[str, float]


class _Category(str):
    """A text whose hash is the same in every process.

    River goes over sets of values, and among equal splits it takes the first: with Python's own
    hash the same rows would make another tree in another process.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return crc32(self.encode("utf-8", "surrogatepass"))


class StreamTree:
    """A tree of rows and labels in their order; the same rows in the same order, the same tree.

    `nominal` are the attributes whose values are categories; all others are numbers.
    """

    def __init__(self, nominal: frozenset[str]) -> None:
        self.nominal = nominal
        self._tree: Any = HoeffdingTreeClassifier(
            split_criterion="info_gain",
            delta=DELTA,
            grace_period=GRACE_PERIOD,
            tau=TAU,
            max_depth=DEPTH_MAX,
            leaf_prediction="mc",
            nominal_attributes=sorted(nominal),
        )

    def learn(self, row: Row, label: str) -> None:
        """Learn one row. Raises ValueError if a number is a text; then nothing is learned."""
        self._tree.learn_one(self._known(row), _Category(label))

    def predict(self, row: Row) -> Shares:
        """Return the share of each label where this row comes to; empty before the first row.

        A row that meets no rule (a value is missing, or was never seen) goes where most rows went.
        """
        shares: Mapping[str, float] = self._tree.predict_proba_one(self._known(row))
        return {str(label): share for label, share in shares.items()}

    def rules(self) -> list[Rule]:
        """Return one rule for each leaf, from left to right; none before the first row.

        No row meets two of them. Bounds of one attribute along a path are merged into one.
        """
        root: Any = self._tree._root  # noqa: SLF001 - River has no public way in
        if root is None:
            return []
        return [
            Rule(merged(conditions), label) for conditions, label in _leaves(root, (), root.stats)
        ]

    def _known(self, row: Row) -> dict[str, str | float]:
        """Return the row as River takes it: without what is missing, categories as texts."""
        known: dict[str, str | float] = {}
        for attribute, value in row.items():
            if attribute in self.nominal:
                text = category(value)
                if text is not None:
                    known[attribute] = _Category(text)
                continue
            try:
                figure = number(value)
            except ValueError as error:
                raise ValueError(f"{attribute}: {error}, and it is not nominal") from None
            if figure is not None:
                known[attribute] = figure
        return known


def _leaves(
    node: Any, path: tuple[Condition, ...], above: Mapping[str, float]
) -> Iterator[tuple[tuple[Condition, ...], str]]:
    """Yield path and label of each leaf; one that has seen nothing says what its parent does."""
    stats = node.stats if any(node.stats.values()) else above
    if not isinstance(node, DTBranch):
        yield path, _majority(stats)
        return
    for place, child in enumerate(node.children):
        yield from _leaves(child, (*path, _condition(node, place)), stats)


def _condition(branch: Any, place: int) -> Condition:
    """Return what leads to a branch's child. Raises TypeError for a kind that River adds."""
    attribute: str = branch.feature
    if isinstance(branch, NumericBinaryBranch):
        threshold = float(branch.threshold)
        return Between(attribute, None, threshold) if not place else Between(
            attribute, threshold, None
        )  # fmt: skip
    if isinstance(branch, NominalBinaryBranch):
        values = (str(branch.value),)
        return NotAmong(attribute, values) if place else Among(attribute, values)
    if isinstance(branch, NominalMultiwayBranch):
        return Among(attribute, (branch.repr_branch(place, shorten=True),))
    raise TypeError(f"a branch of River's that is not known here: {type(branch).__name__}")


def _majority(stats: Mapping[str, float]) -> str:
    """Return the label with the greatest weight, the first by name among equal ones."""
    return str(min(stats, key=lambda label: (-stats[label], label)))
