"""Reads a table of customers, accounts or alerts whole: each column as text.

It is CSV, Parquet or JSON Lines. Alerts as JSON Lines have the columns that they have as CSV.
"""

import codecs
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv, parquet

from monitor.insight.table import Table, table_of
from streams.alert_file import is_alert
from streams.alert_table import texts_of as texts_of_alert
from streams.feed_map import DELIMITERS, FeedError
from streams.feed_parquet import texts_of

PARQUET_ENDS: Final = (".parquet", ".pq")
LINES_ENDS: Final = (".jsonl", ".ndjson")


def read_table(path: Path, ignore: tuple[str, ...] = ()) -> Table:
    """Read a table without the columns to ignore.

    Raises FeedError where the file is no such table, InsightError where it has not a column to
    ignore, OSError.
    """
    if path.suffix.lower() in LINES_ENDS:
        return table_of(_lines(path, ignore)).without(ignore)
    is_parquet = path.suffix.lower() in PARQUET_ENDS
    try:
        read = parquet.read_table(path) if is_parquet else _csv(path)
    except pa.ArrowException as error:
        raise FeedError([str(error).strip()], str(path)) from error
    twice = [name for name, count in Counter(read.column_names).items() if count > 1]
    if twice:
        raise FeedError([f"two columns are called {name!r}" for name in twice], str(path))
    if not read.num_rows:
        raise FeedError(["it has no rows"], str(path))
    nested = [field.name for field in read.schema if pa.types.is_nested(field.type)]
    if nested:
        raise FeedError([f"column {name} is a list or a struct" for name in nested], str(path))
    columns = {name: texts_of(read.column(name).combine_chunks()) for name in read.column_names}
    return table_of(columns).without(ignore)


def _csv(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Read CSV as text; its header says the delimiter."""
    with path.open("rb") as file:
        header = file.readline().removeprefix(codecs.BOM_UTF8).decode(errors="replace")
    delimiter = max(DELIMITERS, key=lambda mark: (header.count(mark), mark == ","))
    options = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    with csv.open_csv(path, parse_options=options) as reader:
        names = reader.schema.names
    return csv.read_csv(
        path,
        parse_options=options,
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )


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
    nested = {name for name, of in fields.items() if isinstance(of, dict | list)}
    if refused := sorted(nested.difference(ignore)):
        problems = [f"line {number}: {name} is a list or an object" for name in refused]
        raise FeedError(problems, str(path))
    return {
        name: None if of is None or name in nested else _text(of) for name, of in fields.items()
    }


def _text(value: object) -> str:
    """Return a value as it was written."""
    return str(value).lower() if isinstance(value, bool) else str(value)
