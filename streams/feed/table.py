"""Reads a table of customers, accounts or alerts whole: each column as text.

It is CSV, Parquet or JSON Lines. Alerts as JSON Lines have the columns that they have as CSV.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from monitor.insight.table import Table, table_of
from streams.feed.csv_file import open_csv, read_csv
from streams.feed.mapping import FeedError, FeedMap, Form
from streams.feed.parquet_file import texts_of
from streams.feed.rows import Batch
from streams.feed.sources import Column
from streams.topics.alert_table import texts_of as texts_of_alert
from streams.topics.alerts import is_alert

PARQUET_ENDS: Final = (".parquet", ".pq")
LINES_ENDS: Final = (".jsonl", ".ndjson")
PROBLEMS_MAX: Final = 20

_COLUMNS: Final = Form((), (), (), (), takes_further=True)
_NOTHING: Final = Form((), (), (), ())


def read_table(path: Path, ignore: tuple[str, ...] = ()) -> Table:
    """Read a table without the columns to ignore.

    Raises FeedError if the file is no such table, InsightError if it has not a column to
    ignore, OSError.
    """
    if path.suffix.lower() in LINES_ENDS:
        return table_of(_lines(path, ignore)).without(ignore)
    columns = _parquet(path) if path.suffix.lower() in PARQUET_ENDS else _csv(path)
    if not any(columns.values()):
        raise FeedError(["it has no rows"], str(path))
    return table_of(columns).without(ignore)


def _parquet(path: Path) -> Mapping[str, Column]:
    try:
        with path.open("rb") as file:
            read = parquet.read_table(file)
    except pa.ArrowException as error:
        raise FeedError([str(error).strip()], str(path)) from error
    _refuse_twins(read.column_names, path)
    nested = [field.name for field in read.schema if pa.types.is_nested(field.type)]
    if nested:
        raise FeedError([f"column {name} is a list or a struct" for name in nested], str(path))
    return {name: texts_of(read.column(name).combine_chunks()) for name in read.column_names}


def _csv(path: Path) -> Mapping[str, Column]:
    """Read CSV as text, by the reader of transactions; its header says the delimiter."""
    try:
        csv_file = open_csv(path, FeedMap(form=_COLUMNS))
    except FeedError:
        _refuse_twins(open_csv(path, FeedMap(form=_NOTHING)).shape.header, path)
        raise
    header = csv_file.shape.header
    if not any(header):
        raise FeedError(["it is empty: its first line names no column"], str(path))
    columns: dict[str, list[str | None]] = {name: [] for name in header if name}
    problems: list[str] = []
    for batch in read_csv(csv_file):
        problems += _problems_of(batch, len(header))
        for name, cells in batch.further.items():
            columns[name].extend(cells)
    if problems:
        more = len(problems) - PROBLEMS_MAX
        shown = problems[:PROBLEMS_MAX] + ([f"and {more:,} rows more"] if more > 0 else [])
        raise FeedError(shown, str(path))
    return columns


def _problems_of(batch: Batch, width: int) -> list[str]:
    problems = []
    for number, line in batch.raw:
        try:
            said = f"must have {width} cells as the header, not {line.decode()[:80]!r}"
        except UnicodeDecodeError:
            said = f"must be UTF-8 text, not {line[:80]!r}"
        problems.append(f"row {number} {said}")
    return problems


def _refuse_twins(names: list[str], path: Path) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FeedError([f"two columns are called {name!r}" for name in twice], str(path))


def _lines(path: Path, ignore: tuple[str, ...]) -> dict[str, list[str | None]]:
    """Read JSON Lines: a column for each field that any line has. Raises FeedError, OSError."""
    rows: list[dict[str, str | None]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except ValueError as error:
                raise FeedError([f"line {number} is no JSON: {error}"], str(path)) from None
            if not isinstance(fields, dict):
                raise FeedError([f"line {number} is no JSON object"], str(path))
            if is_alert(fields):
                rows.append(texts_of_alert(fields))
                continue
            fields = json.loads(line, parse_float=str, parse_int=str)  # as it is written
            rows.append(_texts(fields, number, path, ignore))
    if not rows:
        raise FeedError(["it has no rows"], str(path))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _texts(
    fields: dict[str, Any], number: int, path: Path, ignore: tuple[str, ...]
) -> dict[str, str | None]:
    """Return the fields of a line as text; nested ones are refused, unless they are ignored."""
    nested = {name for name, value in fields.items() if isinstance(value, dict | list)}
    if refused := sorted(nested.difference(ignore)):
        problems = [f"line {number}: {name} is a list or an object" for name in refused]
        raise FeedError(problems, str(path))
    return {
        name: None if value is None or name in nested else _text(value)
        for name, value in fields.items()
    }


def _text(value: object) -> str:
    """Return a value as it was written."""
    return str(value).lower() if isinstance(value, bool) else str(value)
