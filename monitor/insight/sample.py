"""Labelled rows of a table: what trees are grown from and rules are counted over."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats
from models.rules.condition import Row
from monitor.insight.cut import Cut, attributes_of
from monitor.insight.table import (
    NONE,
    Attribute,
    InsightError,
    Table,
    attribute_of,
    attribute_of_codes,
)

LABELS_MAX: Final = 20
"""More different labels than this are no classes."""


class Numbers(NamedTuple):
    """A column of numbers, NaN where one is missing."""

    name: str
    values: Floats


Feature = Attribute | Numbers


class Sample(NamedTuple):
    """Rows with a label: features to ask for, and why some columns or rows are not there."""

    features: tuple[Feature, ...]
    label: Attribute
    keys: tuple[str, ...]
    """Columns that only number or name the rows: left out."""
    unlabelled: int
    """Rows without a label: left out."""

    @property
    def nominal(self) -> frozenset[str]:
        """The features that are categories."""
        return frozenset(
            feature.name for feature in self.features if isinstance(feature, Attribute)
        )

    def rows(self) -> list[Row]:
        """Return the rows as conditions take them."""
        columns: dict[str, list[str | None] | list[float]] = {
            feature.name: feature.values.tolist()
            if isinstance(feature, Numbers)
            else _texts(feature)
            for feature in self.features
        }
        return [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]

    def part(self, chosen: np.ndarray) -> "Sample":
        """Return some of the rows, by their places; the labels keep their numbers."""
        features = tuple(_part(feature, chosen) for feature in self.features)
        label = self.label._replace(codes=self.label.codes[chosen])
        return self._replace(features=features, label=label)


def sample_of(
    table: Table,
    label: str,
    cuts: Mapping[str, Cut] | None = None,
    classes_of: Mapping[str, str] | None = None,
) -> Sample:
    """Return the labelled rows of a table.

    Columns of numbers are cut where `cuts` say so, and stay numbers else; `classes_of` names the
    classes of some of the label's values, the others are one each. Raises InsightError if the
    label is no column, has one value or too many, or not one that `classes_of` has, and where no
    other column is left.
    """
    cuts = cuts or {}
    classes = _label(table, label, cuts)
    for value in classes_of or ():
        if value not in classes.values:
            there = ", ".join(classes.values[:LABELS_MAX])
            raise InsightError(f"no row has {label}={value[:80]}: the column has {there}")
    classes = _sorted(classes.mapped(classes_of or {}))
    chosen = np.flatnonzero(np.array([value != NONE for value in classes.values])[classes.codes])
    classes = attribute_of_codes(label, classes.values, classes.codes[chosen])
    if not 1 < len(classes.values) <= LABELS_MAX:
        raise InsightError(
            f"label {label} has {len(classes.values)} different values: rules need 2 to"
            f" {LABELS_MAX}{' (--cut makes classes of numbers)' if label in table.numbers else ''}"
        )
    others = table.without([label])
    given = {name: cut for name, cut in cuts.items() if name != label}
    cut_columns = attributes_of(others.only(list(given)), given)
    features: list[Feature] = []
    keys: list[str] = []
    ids = set(table.keys()) - set(given)
    for name in others.names:
        feature = _part(cut_columns.get(name) or _feature(others, name), chosen)
        if name in ids or _is_key(feature, len(chosen)):
            keys.append(name)
        else:
            features.append(feature)
    if not features:
        raise InsightError(f"no column but {label} says anything about the rows")
    return Sample(tuple(features), classes, tuple(keys), table.rows - len(chosen))


def _label(table: Table, label: str, cuts: Mapping[str, Cut]) -> Attribute:
    table.check(label)
    cut = {label: cuts[label]} if label in cuts else {}
    return attributes_of(table.only([label]), cut, distinct_max=table.rows)[label]


def _sorted(attribute: Attribute) -> Attribute:
    """Return it with its values by the alphabet: what is named anew comes in no other order."""
    order = sorted(range(len(attribute.values)), key=lambda code: attribute.values[code])
    places = np.argsort(np.array(order))
    values = tuple(attribute.values[code] for code in order)
    return Attribute(attribute.name, values, places[attribute.codes])


def class_of(text: str) -> dict[str, str]:
    """Return what `--class` states: of `bad=B,D` that B is bad, and D. Raises InsightError."""
    name, _, stated = text.partition("=")
    values = [value.strip() for value in stated.split(",")]
    if not name.strip() or not all(values):
        raise InsightError(f"class {text[:80]!r} is none: write NAME=VALUE,VALUE")
    return dict.fromkeys(values, name.strip())


def _feature(table: Table, name: str) -> Feature:
    if name in table.numbers:
        return Numbers(name, table.numbers[name])
    return attribute_of(name, table.columns[name])


def _part(feature: Feature, chosen: np.ndarray) -> Feature:
    if isinstance(feature, Numbers):
        return Numbers(feature.name, feature.values[chosen])
    return attribute_of_codes(feature.name, feature.values, feature.codes[chosen])


def _is_key(feature: Feature, rows: int) -> bool:
    """Return whether a column is another text in every row, or the rows' own numbers."""
    if isinstance(feature, Attribute):
        return len(feature.values) == rows > 1
    return rows > 1 and bool((np.diff(feature.values) == 1).all())


def _texts(attribute: Attribute) -> list[str | None]:
    return [None if text == NONE else text for text in attribute.texts()]
