"""Rows of delimited lines, texts and records without a key, for engines with arrays.

Kernels read them; where they are not loaded, nothing here is called.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Ints
from monitor.core.transaction import FIELDS, Fields
from streams.wire.columns import CURRENCY_TABLE
from streams.wire.rows import lines
from streams.wire.rows.layout import NOWHERE, RunColumns, room_for_rows

LATEST: Final = (1 << 63) - 1
"""As the latest time at which a row may be dated: any time."""

_CELL_END: Final = "\x1f"
_OWN_COLUMNS: Final = np.arange(len(FIELDS), dtype=np.int64)
_NO_TEXT: Final = chr(lines.NO_TEXT)


class Dialect(NamedTuple):
    """How lines are cut into cells: the field of each column (-1 of none), and two characters."""

    columns: Ints
    delimiter: int
    quote: int


class Placed(NamedTuple):
    """Lines whose cells are known: their columns, where they end, and whether all is ASCII."""

    columns: RunColumns
    end: int
    is_ascii: bool


def place_lines(data: bytes, begin: int, dialect: Dialect, count: int) -> Placed | None:
    """Return the cells of so many lines from a place on, or of all whole ones if there are fewer.

    None if one of them is not whole by itself.
    """
    rows = room_for_rows(count)
    array = np.frombuffer(data, np.uint8)
    found, end, is_ascii = lines.place_cells(
        array, begin, dialect.columns, dialect.delimiter, dialect.quote, rows
    )
    return None if found < 0 else Placed(RunColumns(array, rows[:found]), end, is_ascii)


def check_cells(columns: RunColumns, latest: int = LATEST) -> None:
    """Say which rows are ordinary: those that pass every check, and are not dated too late."""
    lines.read_cells(columns.data, columns.rows, CURRENCY_TABLE, latest)


def times_of(columns: RunColumns) -> Ints:
    """Return the event time of each row; `NO_TIME` of those that a kernel does not read."""
    times = np.empty(columns.rows.size, np.int64)
    lines.read_times(columns.data, columns.rows, times)
    return times


def dealt(columns: RunColumns, partitions: int) -> Ints:
    """Return the partition of each ordinary row; -1 of the others."""
    numbers = np.empty(columns.rows.size, np.int64)
    lines.deal(columns.data, columns.rows, partitions, numbers)
    return numbers


def rows_of_texts(rows: Sequence[Fields], latest: int = LATEST) -> RunColumns:
    """Return the rows of texts, checked; all are odd if their texts have a character of lines."""
    text = "\n".join(
        [_CELL_END.join([_NO_TEXT if cell is None else cell for cell in row]) for row in rows]
    )
    data = f"{text}\n".encode(errors="surrogatepass")
    placed = place_lines(data, 0, Dialect(_OWN_COLUMNS, ord(_CELL_END), lines.NO_QUOTE), len(rows))
    is_ambiguous = text.count(_NO_TEXT) != sum(row.count(None) for row in rows)
    if placed is None or is_ambiguous or len(placed.columns.rows) != len(rows):
        return _all_odd(len(rows))
    check_cells(placed.columns, latest)
    return placed.columns


def rows_of_records(values: Sequence[bytes], latest: int = LATEST) -> RunColumns:
    """Return the rows of records that have no key, read and checked."""
    columns = RunColumns(np.frombuffer(b"".join(values), np.uint8), room_for_rows(len(values)))
    rows = columns.rows
    sizes = np.array([len(value) for value in values], np.int64)
    rows["value_length"], rows["value_at"] = sizes, np.cumsum(sizes) - sizes
    rows["headers_at"] = NOWHERE
    lines.read_records(columns.data, rows, CURRENCY_TABLE, latest)
    return columns


def _all_odd(count: int) -> RunColumns:
    columns = RunColumns(np.frombuffer(b"", np.uint8), room_for_rows(count))
    columns.rows["value_at"] = 0
    return columns


class _Known:
    """Whether the kernels are loaded."""

    are_loaded = False


def are_loaded() -> bool:
    """Return whether the kernels are loaded; nobody begins to, for a file may be short."""
    return _Known.are_loaded


def load() -> None:
    """Load or compile the kernels, by one row."""
    placed = place_lines(b"1\n", 0, Dialect(_OWN_COLUMNS[:1], ord(","), ord('"')), 1)
    assert placed is not None
    check_cells(placed.columns)
    times_of(placed.columns)
    dealt(placed.columns, 1)
    rows_of_records([b"{}"])
    _Known.are_loaded = True
