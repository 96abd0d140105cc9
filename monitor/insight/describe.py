"""A class of rows described: attribute-oriented induction, after Han and Kamber.

The rows of a class and those of a contrasting one are made alike, column by column: a column with
too many values climbs its hierarchy, or is removed where it has none; then equal tuples are merged
and counted. The columns that tell most of the class are taken first, as long as the tuples are few
enough to read.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from models.arrays import Bools, Ints
from monitor.insight.cut import Cut, attributes_of
from monitor.insight.hierarchy import Hierarchy
from monitor.insight.table import Attribute, Table, classes_of
from monitor.insight.weights import (
    Crosstab,
    FrequentValue,
    Weight,
    crosstab,
    information_gain,
    marks_of,
    weights_of,
)


class Question(NamedTuple):
    """What is to be described, and how far it is generalised.

    `target` and `against` are conditions COL=VALUE; no `against` is all other rows. A column keeps
    at most `values_max` values; the description has at most `tuples_max` tuples.
    """

    target: Sequence[str]
    against: Sequence[str] = ()
    hierarchies: Mapping[str, Hierarchy] = {}
    cuts: Mapping[str, Cut] = {}
    crosstab: tuple[str, str] | None = None
    values_max: int = 8
    tuples_max: int = 20


class ColumnRelevance(NamedTuple):
    """What became of a column.

    `values` were there and `values_left` are after `levels` climbed in its hierarchy; `gain` (bits)
    and `gain_ratio` are what it tells of the class then. `removed` says why it is not in the
    tuples, and is empty where it is.
    """

    attribute: str
    gain: float
    gain_ratio: float
    values: int
    values_left: int
    levels: int
    removed: str


class CountedTuple(NamedTuple):
    """Values that rows have in common, with the weights in both classes."""

    values: dict[str, str]
    target: Weight
    contrast: Weight


class Description(NamedTuple):
    """A class described; attributes and marks by what they tell, tuples by their t-weight.

    `marks` are the values more frequent in the target, `marks_against` those in the contrast.
    """

    target: str
    against: str
    target_rows: int
    against_rows: int
    attributes: list[ColumnRelevance]
    tuples: list[CountedTuple]
    marks: list[FrequentValue]
    marks_against: list[FrequentValue]
    crosstab: Crosstab | None


class _Column(NamedTuple):
    """A column on its way up; `depth` of its hierarchy is the level that it has come to."""

    attribute: Attribute
    hierarchy: Hierarchy | None
    depth: int
    values: int
    levels: int = 0


def describe(table: Table, question: Question) -> Description:
    """Describe a class. Raises InsightError if it, or a column that is named, is not there."""
    table.check(*question.cuts, *(question.crosstab or ()))
    names, is_target, is_contrast = classes_of(table, question.target, question.against)
    is_of_either = is_target | is_contrast
    rows = table.rows_where(is_of_either)
    is_target = is_target[is_of_either]
    columns = _columns(rows.without(names), question, is_target)
    climbed = [_climb(column, question.values_max) for column in columns]
    few, removed = _few(climbed, question.values_max, is_target)
    taken, kept, codes = _taken(few, question.tuples_max, is_target)
    return Description(
        " or ".join(question.target),
        " or ".join(question.against) or "all other rows",
        int(is_target.sum()),
        int((~is_target).sum()),
        sorted(
            kept + removed,
            key=lambda relevance: (bool(relevance.removed), -relevance.gain, relevance.attribute),
        ),
        _tuples(taken, codes, is_target),
        marks_of([column.attribute for column in few], is_target),
        marks_of([column.attribute for column in few], ~is_target),
        None
        if question.crosstab is None
        else _crosstab(rows, climbed, question.crosstab, is_target),
    )


def _columns(table: Table, question: Question, is_target: Bools) -> list[_Column]:
    """Return the columns as categories at the lowest level of their hierarchies."""
    hierarchies = {
        name: hierarchy
        for name, hierarchy in question.hierarchies.items()
        if name in table.columns and name not in question.cuts
    }
    of_numbers = {
        name: hierarchy.cut for name, hierarchy in hierarchies.items() if hierarchy.cut is not None
    }
    words = [name for name in hierarchies if name not in of_numbers]
    cuts = {name: cut for name, cut in question.cuts.items() if name in table.columns}
    attributes = attributes_of(table.as_words(words), of_numbers | cuts, is_target.astype(np.int64))
    keys = set(table.keys()) - set(question.crosstab or ())
    return [
        _Column(
            attribute,
            hierarchies.get(name),
            _deepest(attribute, hierarchies.get(name)),
            len(attribute.values),
        )
        for name, attribute in attributes.items()
        if name not in keys
    ]


def _deepest(attribute: Attribute, hierarchy: Hierarchy | None) -> int:
    return 0 if hierarchy is None else max(map(hierarchy.depth, attribute.values))


def _climb(column: _Column, values_max: int) -> _Column:
    """Climb until there are few enough values, or no level is left."""
    while len(column.attribute.values) > values_max and column.depth:
        column = _up(column)
    return column


def _up(column: _Column) -> _Column:
    """Climb a level."""
    assert column.hierarchy is not None
    depth = column.depth - 1
    lifted = column.hierarchy.lifted(column.attribute.values, depth)
    attribute = column.attribute.mapped(lifted)
    return column._replace(attribute=attribute, depth=depth, levels=column.levels + 1)


def _few(
    columns: Sequence[_Column], values_max: int, is_target: Bools
) -> tuple[list[_Column], list[ColumnRelevance]]:
    """Return the columns that can be in a description, those that tell most first; and the others.

    The others are those with too many values, and those with one, which tells nothing.
    """
    few, removed = [], []
    for column in columns:
        values = len(column.attribute.values)
        if 1 < values <= values_max:
            few.append(column)
            continue
        says = "no hierarchy" if column.hierarchy is None else "its hierarchy ends there"
        reason = "one value" if values == 1 else f"{values:,} values, and {says}"
        removed.append(_relevance(column, is_target, reason))
    gains = {
        column.attribute.name: information_gain(column.attribute, is_target)[0] for column in few
    }
    few.sort(key=lambda column: (-gains[column.attribute.name], column.attribute.name))
    return few, removed


def _relevance(column: _Column, is_target: Bools, removed: str) -> ColumnRelevance:
    gain, ratio = information_gain(column.attribute, is_target)
    return ColumnRelevance(
        column.attribute.name,
        gain,
        ratio,
        column.values,
        len(column.attribute.values),
        column.levels,
        removed,
    )


def _taken(
    columns: list[_Column], tuples_max: int, is_target: Bools
) -> tuple[list[Attribute], list[ColumnRelevance], Ints]:
    """Take columns in their order as long as the tuples are few enough, climbing where it helps.

    Return the attributes taken, what became of each column, and the tuple of each row.
    """
    codes = np.zeros(len(is_target), np.int64)
    taken: list[Attribute] = []
    relevances = []
    for column in columns:
        fits = column
        merged = _merged(codes, fits.attribute)
        while merged.max() >= tuples_max and fits.depth:
            fits = _up(fits)
            merged = _merged(codes, fits.attribute)
        if merged.max() >= tuples_max or len(fits.attribute.values) == 1:
            reason = f"more than {tuples_max} tuples with it"
            relevances.append(_relevance(column, is_target, reason))
            continue
        codes = merged
        taken.append(fits.attribute)
        relevances.append(_relevance(fits, is_target, ""))
    return taken, relevances, codes


def _merged(codes: Ints, attribute: Attribute) -> Ints:
    """Return the tuple of each row, with one attribute more."""
    _, merged = np.unique(codes * len(attribute.values) + attribute.codes, return_inverse=True)
    return np.asarray(merged, np.int64)


def _tuples(taken: list[Attribute], codes: Ints, is_target: Bools) -> list[CountedTuple]:
    _, first = np.unique(codes, return_index=True)
    target = np.bincount(codes[is_target], minlength=len(first)).tolist()
    contrast = np.bincount(codes[~is_target], minlength=len(first)).tolist()
    totals = (int(is_target.sum()), int((~is_target).sum()))
    tuples = [
        CountedTuple(
            {attribute.name: attribute.values[attribute.codes[row]] for attribute in taken},
            *weights_of((target[place], contrast[place]), totals),
        )
        for place, row in enumerate(first.tolist())
    ]
    return sorted(
        tuples,
        key=lambda group: (-group.target.rows, group.contrast.rows, list(group.values.values())),
    )


def _crosstab(
    rows: Table, columns: Sequence[_Column], names: tuple[str, str], is_target: Bools
) -> Crosstab:
    """Return the crosstab of two attributes, as far generalised as they are for the tuples."""
    rows.check(*names)
    known = {column.attribute.name: column.attribute for column in columns}
    further = attributes_of(rows.only([name for name in names if name not in known]))
    first, second = (known[name] if name in known else further[name] for name in names)
    return crosstab(first, second, is_target)
