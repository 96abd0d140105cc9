"""Reads a table of customers, accounts or alerts whole: CSV or Parquet, each column as text."""

import codecs
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv, parquet

from monitor.insight.table import Table, table_of
from streams.feed_map import DELIMITERS, FeedError
from streams.feed_parquet import texts_of

PARQUET_ENDS: Final = (".parquet", ".pq")


def read_table(path: Path, ignore: tuple[str, ...] = ()) -> Table:
    """Read a table without the columns to ignore.

    Raises FeedError where the file is no such table, InsightError where it has not a column to
    ignore, OSError.
    """
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
