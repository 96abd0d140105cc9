"""Rows of a file by columns, and the source of a field that is made of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from monitor.core.table_reader import TableReader

Column = Sequence[str | None]
Source = Callable[["FileRows"], Column]
"""Makes a field's column of a table."""

_PLACE: Final = "number\u00a0"
"""With a no-break space: hardly a header has it."""


class FileRows(NamedTuple):
    """Some rows of a file: its columns by name, and where the rows stand."""

    columns: Mapping[str, Column]
    file_stem: str
    numbers: Sequence[int]


class FieldSource(NamedTuple):
    """Where a field comes from: the columns it needs (one of each group), and how it is made.

    `fault_of` says what is wrong with a text that was made, where its row is to be rejected for it.
    `begin` makes the source of one file, if it keeps something from row to row.
    """

    needs: tuple[tuple[str, ...], ...]
    make: Source
    fault_of: Callable[[str], str | None] | None = None
    begin: Callable[[], Source] | None = None


def names_of(stated: object, where: str, document: TableReader) -> tuple[str, ...]:
    """Return the names of a column, as a name, a number or a list states them.

    None, with a problem said, if they are none.
    """
    names = stated if isinstance(stated, list) else [stated]
    if names and all(_is_column(name) for name in names):
        return tuple(place_name(name) if isinstance(name, int) else str(name) for name in names)
    document.problems.append(
        f"{where} is {stated!r}: write a column's name, its number from 1 on, or a list of which"
        " the first found counts"
    )
    return ()


def _is_column(stated: object) -> bool:
    if isinstance(stated, int):
        return not isinstance(stated, bool) and stated > 0
    return isinstance(stated, str) and stated != ""


def place_name(number: int) -> str:
    """Return what a column is called by its number, from 1."""
    return f"{_PLACE}{number}"


def place_of(name: str) -> int | None:
    """Return the number of a column that is called by it; None of any other name."""
    digits = name.removeprefix(_PLACE)
    return int(digits) if name.startswith(_PLACE) and digits.isdecimal() else None


def column_source(names: tuple[str, ...]) -> FieldSource:
    """Return the source that hands a column on as it is; the first of the names that is there."""
    return FieldSource((names,), lambda table: find(table, names))


def find(table: FileRows, names: tuple[str, ...]) -> Column:
    """Return the first of the named columns that a table has; the reader saw that one is there."""
    return next(table.columns[name] for name in names if name in table.columns)
