"""The answer to `weir cluster`: tables for a person, named fields, and rows with their groups."""

import csv
import io
from typing import Any, Final

import numpy as np
from rich.table import Table as Shown

from monitor.insight.cluster import NOT_ASKED_FOR, Group, Groups
from monitor.insight.table import Table
from monitor.insight.weights import FrequentValue
from streams.cli.views.describe import condition, console, mark_fields, number, percent, shown
from streams.cli.views.text import plain

MARKS_SHOWN: Final = 4
LIFT_SHOWN: Final = 1.1
"""What is hardly more frequent in a group than in all rows is not shown."""

COARSE, FINE = "group_coarse", "group_fine"


def group_fields(groups: Groups, rows: int) -> dict[str, Any]:
    """Return groups as named fields, each coarse group with its fine ones."""
    found: list[dict[str, Any]] = []
    for group in groups.groups:
        made = _fields(group, rows)
        if "." in group.name:
            found[-1]["fine"].append(made)
        else:
            found.append({**made, "fine": []})
    return {
        "rows": rows,
        "columns": groups.columns,
        "left_out": groups.left_out,
        "explained_coarse": groups.explained_coarse,
        "explained": groups.explained,
        "means": groups.means,
        "groups": found,
    }


def show_groups(groups: Groups, rows: int) -> None:
    """Print groups for a person."""
    to = console()
    to.print(f"{rows:,} rows, grouped by {plain(', '.join(groups.columns))}")
    told = {name: why for name, why in groups.left_out.items() if why != NOT_ASKED_FOR}
    if told:
        reasons = "; ".join(f"{name} ({why})" for name, why in told.items())
        to.print(f"not by {plain(reasons)}")
    to.print(
        f"of their spread, {percent(groups.explained_coarse)} lies between the coarse groups, and"
        f" {percent(groups.explained)} between the fine ones\n"
    )
    to.print(_groups(groups, rows))
    if groups.means:
        to.print()
        to.print(_means(groups))


def grouped_csv(table: Table, groups: Groups) -> bytes:
    """Return the table as CSV, with the coarse and the fine group of each row."""
    names = {COARSE: np.full(table.rows, "", object), FINE: np.full(table.rows, "", object)}
    for group in groups.groups:
        names[FINE][group.is_row] = group.name
        if "." not in group.name:
            names[COARSE][group.is_row] = group.name
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*table.names, *names])
    writer.writerows(
        zip(*(table.columns[name] for name in table.names), *names.values(), strict=True)
    )
    return text.getvalue().encode()


def _fields(group: Group, rows: int) -> dict[str, Any]:
    return {
        "group": group.name,
        "rows": group.rows,
        "share": group.rows / rows,
        "marks": [mark_fields(mark) for mark in group.marks],
        "means": [mean._asdict() for mean in group.means],
    }


def _groups(groups: Groups, rows: int) -> Shown:
    table = shown("Groups, and what is more frequent in them than elsewhere", ("group", "rows", ""))
    table.add_column("what sets it apart: its share (elsewhere)")
    for place, group in enumerate(groups.groups):
        if place and "." not in group.name:
            table.add_section()
        marks = [mark for mark in group.marks if mark.lift >= LIFT_SHOWN][:MARKS_SHOWN]
        table.add_row(
            group.name if "." not in group.name else f"  {group.name}",
            f"{group.rows:,}",
            percent(group.rows / rows),
            "\n".join(map(_mark, marks)),
        )
    return table


def _mark(mark: FrequentValue) -> str:
    shares = f"{percent(mark.t_weight)} ({percent(mark.share_elsewhere)})"
    return f"{condition(mark.attribute, mark.value)}: {shares}"


def _means(groups: Groups) -> Shown:
    names = [plain(name.replace("_", " ")) for name in groups.means]  # to be wrapped by the word
    table = shown("Means, of the rows that have a number", ("group", *names))
    for group in groups.groups:
        table.add_row(group.name, *(number(mean.mean) for mean in group.means))
    table.add_section()
    table.add_row("all", *map(number, groups.means.values()))
    return table
