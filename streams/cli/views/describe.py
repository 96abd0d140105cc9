"""The answer to `weir describe`: tables for a person, and named fields."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table as Shown

from monitor.insight.describe import Description
from monitor.insight.weights import Crosstab, FrequentValue, Weight
from streams.cli.views.text import plain


def condition(attribute: str, value: str) -> str:
    """Return a value with its attribute: `card = gold`; an interval has its own in it."""
    return plain(value if _is_interval(attribute, value) else f"{attribute} = {value}")


def under(attribute: str, value: str) -> str:
    """Return a value as it stands under the name of its attribute: `> 30 to 55`, `> 55`."""
    if not _is_interval(attribute, value):
        return plain(value)
    low, _, high = value.partition(f"{attribute} ")
    return plain(f"> {low.removesuffix(' < ')} to {high.removeprefix('<= ')}" if low else high)


def _is_interval(attribute: str, value: str) -> bool:
    return any(f"{attribute} {mark} " in value for mark in ("<=", ">"))


def percent(share: float) -> str:
    """Return a share for a person: 68.4 %."""
    return f"{100 * share:.1f} %"


def number(value: float | None) -> str:
    """Return a mean for a person, in its own unit."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"  # noqa: PLR2004 - digits enough


def chance(p_value: float) -> str:
    """Return a p-value for a person."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"  # noqa: PLR2004 - digits enough


def weight_fields(weight: Weight) -> dict[str, Any]:
    """Return a weight as named fields."""
    return {"count": weight.rows, "t_weight": weight.t_weight, "d_weight": weight.d_weight}


def mark_fields(mark: FrequentValue) -> dict[str, Any]:
    """Return what is more frequent in a class as named fields."""
    return {
        "attribute": mark.attribute,
        "value": mark.value,
        "count": mark.rows,
        "t_weight": mark.t_weight,
        "d_weight": mark.d_weight,
        "share_elsewhere": mark.share_elsewhere,
        "lift": mark.lift,
        "information_gain": mark.gain,
        "p_value": mark.p_value,
    }


def shown(title: str, columns: Sequence[str], words: int = 1) -> Shown:
    """Return an empty table; all but the first columns of `words` are numbers."""
    table = Shown(title=title, title_justify="left", title_style="bold")
    for place, name in enumerate(columns):
        table.add_column(plain(name), justify="left" if place < words else "right", overflow="fold")
    return table


def console() -> Console:
    """Return where tables are shown. What brackets a value has are its own, and no markup."""
    return Console(markup=False, highlight=False)


def marks_shown(title: str, marks: Iterable[FrequentValue]) -> Shown:
    """Return a table of marks."""
    names = ("value", "rows", "t-weight", "share elsewhere", "d-weight", "lift", "p")
    table = shown(title, names)
    for mark in marks:
        table.add_row(
            condition(mark.attribute, mark.value), f"{mark.rows:,}", percent(mark.t_weight),
            percent(mark.share_elsewhere), percent(mark.d_weight), f"{mark.lift:.2f}",
            chance(mark.p_value),
        )  # fmt: skip
    return table


MARKS_SHOWN: Final = 10
P_SHOWN: Final = 0.05
"""What is as likely as this by chance alone is not shown; the named fields have it."""


def description_fields(description: Description) -> dict[str, Any]:
    """Return a description as named fields; `rows` are its tuples."""
    return {
        "target": description.target,
        "against": description.against,
        "target_rows": description.target_rows,
        "against_rows": description.against_rows,
        "attributes": [
            {
                "attribute": relevance.attribute,
                "information_gain": relevance.gain,
                "gain_ratio": relevance.gain_ratio,
                "values": relevance.values,
                "values_left": relevance.values_left,
                "levels_climbed": relevance.levels,
                "removed": relevance.removed or None,
            }
            for relevance in description.attributes
        ],
        "rows": [
            {
                "values": group.values,
                **weight_fields(group.target),
                "against": weight_fields(group.contrast),
            }
            for group in description.tuples
        ],
        "marks": [mark_fields(mark) for mark in description.marks],
        "marks_against": [mark_fields(mark) for mark in description.marks_against],
        "crosstab": None if description.crosstab is None else _cells(description.crosstab),
    }


def show_description(description: Description) -> None:
    """Print a description for a person."""
    to = console()
    to.print(
        f"target: {plain(description.target)} ({description.target_rows:,} rows);"
        f" against: {plain(description.against)} ({description.against_rows:,} rows)\n"
    )
    to.print(_attributes(description))
    to.print()
    for side, marks in (("target", description.marks), ("contrast", description.marks_against)):
        told = [mark for mark in marks if mark.p_value < P_SHOWN][:MARKS_SHOWN]
        to.print(marks_shown(f"Values more frequent in the {side}", told) if told else
                 f"no value is more frequent in the {side}, but by chance")  # fmt: skip
        to.print()
    to.print(_tuples(description))
    if description.crosstab is not None:
        to.print()
        to.print(_crosstab(description.crosstab))
    to.print(
        "\nt-weight: share of the target's rows that have the values. d-weight: share of the rows"
        " with the values that are the target's. p: how likely as much is by chance alone."
    )


def _attributes(description: Description) -> Shown:
    names = ("attribute", "in the tuples", "values", "gain, bits", "gain ratio")
    table = shown("Attributes: first those in the tuples, by information gain", names, words=2)
    for relevance in description.attributes:
        values = f"{relevance.values_left}"
        if relevance.levels:
            values += f" of {relevance.values:,}"
        table.add_row(
            plain(relevance.attribute),
            f"no: {relevance.removed}" if relevance.removed else "yes",
            values,
            f"{relevance.gain:.4f}",
            f"{relevance.gain_ratio:.4f}",
        )
    return table


def _tuples(description: Description) -> Shown:
    names = [relevance.attribute for relevance in description.attributes if not relevance.removed]
    figures = ("rows", "t-weight", "d-weight", "rows against", "its t-weight")
    titles = [name.replace("_", " ") for name in names]  # to be wrapped by the word
    table = shown("Tuples of values", (*titles, *figures), words=len(names))
    for group in description.tuples:
        table.add_row(
            *(under(name, group.values[name]) for name in names),
            f"{group.target.rows:,}",
            percent(group.target.t_weight),
            percent(group.target.d_weight),
            f"{group.contrast.rows:,}",
            percent(group.contrast.t_weight),
        )
    totals = [f"{description.target_rows:,}", f"{description.against_rows:,}"]
    rows = description.target_rows + description.against_rows
    table.add_section()
    table.add_row(
        *("all" if not place else "" for place in range(len(names))), totals[0], percent(1),
        percent(description.target_rows / rows), totals[1],
        percent(1 if description.against_rows else 0),
    )  # fmt: skip
    return table


def _crosstab(crosstab: Crosstab) -> Shown:
    title = (
        f"{plain(crosstab.row.name)} by {plain(crosstab.column.name)}: the target's rows of all"
        " that have both values (d-weight)"
    )
    columns = [under(crosstab.column.name, value) for value in crosstab.column.values]
    table = shown(title, ("", *columns, "all"))
    for row in (*crosstab.row.values, None):
        if row is None:
            table.add_section()
        table.add_row(
            "all" if row is None else under(crosstab.row.name, row),
            *(_cell(crosstab, row, column) for column in (*crosstab.column.values, None)),
        )
    return table


def _cell(crosstab: Crosstab, row: str | None, column: str | None) -> str:
    """Return a cell of a crosstab, or with None the sum over its row or column."""
    pairs = [
        pair
        for (of_row, of_column), pair in crosstab.weights.items()
        if row in (None, of_row) and column in (None, of_column)
    ]
    target = sum(pair[0].rows for pair in pairs)
    both = target + sum(pair[1].rows for pair in pairs)
    return f"{target:,} of {both:,} ({percent(target / both)})" if both else "-"


def _cells(crosstab: Crosstab) -> dict[str, Any]:
    def cell(values: tuple[str, str], weights: tuple[Weight, Weight]) -> dict[str, Any]:
        target, contrast = weights
        named = dict(zip((crosstab.row.name, crosstab.column.name), values, strict=True))
        return {"values": named, **weight_fields(target), "against": weight_fields(contrast)}

    return {
        "row": crosstab.row.name,
        "column": crosstab.column.name,
        "cells": [cell(values, weights) for values, weights in crosstab.weights.items()],
    }
