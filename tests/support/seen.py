"""What a learner says of payments, however they are cut into runs, and all that it has learned."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import models.learner.learner
from models.detectors.half_space_trees import HalfSpaceTrees
from models.learner.columns import Columns
from models.learner.learner import Learner
from models.profile import baseline


class Told(NamedTuple):
    """One thing that was due; `record` is counted from the first payment of all."""

    record: int
    row: int
    before: int | None
    probability: float
    threshold: float
    features: tuple[float, ...] | None
    account: tuple[Any, ...]

    @property
    def is_raised(self) -> bool:
        """Whether the alert was new."""
        return self.before is None

    def of(self, name: str) -> Any:  # noqa: ANN401 - a field of an account, of any type
        """Return a field of the account as it was then."""
        return self.account[(baseline.ACCOUNT.names or ()).index(name)]


class Seen(NamedTuple):
    """What was said of all payments."""

    scores: NDArray[np.float64]
    day_scores: NDArray[np.float64]
    dues: list[Told]
    closed: list[tuple[int, int, float]]
    changed: set[int]


def part(columns: Columns, first: int, end: int) -> Columns:
    """Return the payments from `first` to before `end`."""
    return Columns._make(column[first:end] for column in columns)


def observed(learner: Learner, columns: Columns, cuts: Iterable[int] = ()) -> Seen:
    """Let a learner take payments, cut into runs at these places."""
    count = len(columns.row)
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < count}), count]
    seen = Seen(np.empty(count), np.empty(count), [], [], set())
    for first, end in pairwise(edges):
        outcome = learner.observe(part(columns, first, end))
        seen.scores[first:end], seen.day_scores[first:end] = outcome.scores, outcome.day_scores
        for due in outcome.dues:
            features = None if due.features is None else tuple(due.features.tolist())
            account = tuple(due.account.tolist())
            seen.dues.append(Told(first + due.record, *due[1:5], features, account))
        for closed in outcome.closed:
            seen.closed.extend(zip(*(column.tolist() for column in closed), strict=True))
        seen.changed.update(outcome.changed.tolist(), columns.row[first:end].tolist())
    return seen


def same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    """Return whether two arrays are the same to the last bit; any NaN is like another."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.kind == "f":
        left, right = (np.where(np.isnan(values), np.nan, values) for values in (left, right))
    return left.tobytes() == right.tobytes()


def assert_same(left: Seen, right: Seen) -> None:
    """Hold two tellings of the same payments against each other, to the last bit."""
    for number, (score, again) in enumerate(zip(left.scores, right.scores, strict=True)):
        assert same(score, again), f"payment {number}: {score} and {again}"
    assert same(left.day_scores, right.day_scores)
    assert [text(due) for due in left.dues] == [text(due) for due in right.dues]
    assert [text(closed) for closed in left.closed] == [text(closed) for closed in right.closed]


def text(found: tuple[Any, ...]) -> str:
    return repr(found)  # every float to its last bit, and NaN like NaN


def learned(learner: Learner) -> dict[str, NDArray[Any]]:
    """Return the arrays of all that a learner keeps, by name: each field of accounts by itself."""
    accounts = learner.accounts[: learner.count]
    arrays = {f"account {name}": accounts[name] for name in accounts.dtype.names or ()}
    arrays |= {f"group {name}": learner.groups[name] for name in learner.groups.dtype.names or ()}
    arrays |= {f"budget {name}": learner.budget[name] for name in learner.budget.dtype.names or ()}
    forests = {"day forest": learner.day_forest}
    if isinstance(learner.detector, HalfSpaceTrees):
        forests["forest"] = learner.detector
    for name, trees in forests.items():
        arrays |= {f"{name} leaves": trees.forest.leaves, f"{name} state": trees.forest.state}
    arrays |= {f"tail {name}": array for name, array in learner.tails.tail._asdict().items()}
    arrays |= {f"tails of day {day}": counts for day, counts in learner.tails.days.items()}
    for day, few in learner.tails.older.items():
        arrays |= {f"{name} of day {day}": array for name, array in few._asdict().items()}
    arrays |= {"levels": learner.levels.places, "all levels": learner.levels.whole}
    return {name: array.copy() for name, array in arrays.items()}


def assert_learned_alike(left: Learner, right: Learner) -> None:
    """Hold what two learners keep against each other, to the last bit."""
    first, second = learned(left), learned(right)
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert same(array, second[name]), name


def everything(learner: Learner, columns: Columns) -> dict[str, NDArray[Any]]:
    """Let a learner take payments; return all that the kernels said, and what it has learned."""
    tolds: list[Any] = []
    learner_module: Any = models.learner.learner  # it exports no name that it has from elsewhere
    room_for = learner_module.room_for

    def kept_room_for(records: int, dues: int) -> Any:  # noqa: ANN401 - the kernels' own arrays
        tolds.append(room_for(records, dues))
        return tolds[-1]

    learner_module.room_for = kept_room_for
    try:
        seen = observed(learner, columns)
    finally:
        learner_module.room_for = room_for
    said = {
        name: getattr(tolds[0], name)
        for name in ("features", "learned", "scores", "day_scores", "given")
    }
    accounts = np.array([due.account for due in seen.dues], baseline.ACCOUNT)
    said |= {f"due account {name}": accounts[name] for name in accounts.dtype.names or ()}
    for number, name in enumerate(("record", "row", "before", "probability", "threshold")):
        said[f"due {name}"] = np.array([due[number] or 0 for due in seen.dues])
    for number, name in enumerate(("row", "day", "score")):
        said[f"closed {name}"] = np.array([closed[number] for closed in seen.closed])
    return said | learned(learner)
