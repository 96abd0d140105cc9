"""Concept hierarchies: what each value of a column is a case of, level over level.

[hierarchy.district]
"Kolin" = "central Bohemia"     # a value and its parent; the parent may have one in turn
"central Bohemia" = "Bohemia"

[hierarchy.age]
cuts = [[20, 30, 55], [30]]     # levels of cut points, the finest first
"""

import tomllib
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from monitor.insight.cut import Cut, check_points, interval_names
from monitor.insight.table import InsightError

_CUTS: Final = "cuts"


class Hierarchy(NamedTuple):
    """The parent of each value that has one; `cut` is how numbers become the lowest values."""

    parents: Mapping[str, str]
    cut: Cut | None = None

    def depth(self, value: str) -> int:
        """Return how many parents are above a value."""
        steps = 0
        while value in self.parents:
            value, steps = self.parents[value], steps + 1
        return steps

    def lifted(self, values: Iterable[str], depth: int) -> dict[str, str]:
        """Return for each value its ancestor with at most `depth` parents above it.

        So nothing that was generalised stands beside a case of it, even where some branches have
        more levels than others.
        """
        return {value: self._ancestor(value, self.depth(value) - depth) for value in values}

    def _ancestor(self, value: str, steps: int) -> str:
        for _ in range(steps):
            value = self.parents[value]
        return value


def hierarchies_of(text: str, name: str) -> dict[str, Hierarchy]:
    """Return the hierarchies that TOML states, by column; `name` is the file's, for messages.

    Raises InsightError with the first thing that is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InsightError(f"{name} is no TOML: {error}") from error
    stated = document.get("hierarchy")
    if not isinstance(stated, dict) or len(document) > 1:
        raise InsightError(f"{name}: write tables [hierarchy.COLUMN], and nothing else")
    try:
        return {column: _hierarchy(column, table) for column, table in stated.items()}
    except InsightError as error:
        raise InsightError(f"{name}: {error}") from error


def _hierarchy(column: str, table: object) -> Hierarchy:
    where = f"hierarchy.{column}"
    if not isinstance(table, dict) or not table:
        raise InsightError(f"{where} is no table of values and their parents")
    if isinstance(table.get(_CUTS), list):
        if len(table) > 1:
            raise InsightError(f"{where} has cuts, so it can have nothing else")
        return _of_cuts(column, table[_CUTS])
    for value, parent in table.items():
        if not isinstance(parent, str) or not parent:
            raise InsightError(f"{where}: the parent of {value!r} is {parent!r}: write a text")
    _refuse_circles(where, table)
    return Hierarchy(table)


def _refuse_circles(where: str, parents: Mapping[str, str]) -> None:
    safe: set[str] = set()
    for start in parents:
        value, path = start, {start}
        while value in parents and value not in safe:
            value = parents[value]
            if value in path:
                raise InsightError(f"{where}: {value!r} is above itself")
            path.add(value)
        safe |= path


def _of_cuts(column: str, stated: list[object]) -> Hierarchy:
    """Return the hierarchy of levels of cut points; each level has some of the one below."""
    where = f"hierarchy.{column}.cuts"
    levels = stated if stated and isinstance(stated[0], list) else [stated]
    points: list[list[float]] = []
    for level in levels:
        if not isinstance(level, list) or not all(
            isinstance(point, int | float) and not isinstance(point, bool) for point in level
        ):
            raise InsightError(f"{where}: write cut points, or a list of cut points for each level")
        check_points(where, level)
        points.append([float(point) for point in level])
    parents: dict[str, str] = {}
    for fine, coarse in pairwise(points):
        if not set(coarse) < set(fine):
            raise InsightError(
                f"{where}: each level has some of the cut points below, and no other"
            )
        names = interval_names(column, coarse)
        places = np.searchsorted(coarse, [*fine, np.inf])
        for low, place in zip(interval_names(column, fine), places.tolist(), strict=True):
            if low != names[place]:
                parents[low] = names[place]
    return Hierarchy(parents, Cut(tuple(points[0])))
