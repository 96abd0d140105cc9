"""Formats of an export: CSV that no spreadsheet runs, JSON Lines, and Parquet, piece by piece."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, Final, NamedTuple

import pyarrow as pa
from pyarrow import parquet

from monitor.store.programs.exports import COLUMNS, NUMBERS, Flat

ROWS_AT_A_TIME: Final = 2000
"""Rows of a piece, and of a row group of Parquet."""

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so may be run by a spreadsheet."""

DECIMAL: Final = pa.decimal128(38, 10)
SCHEMA: Final = pa.schema(
    [
        (name, DECIMAL if name in NUMBERS else pa.int32() if name == "revision" else pa.string())
        for name in COLUMNS
    ]
)


class Format(NamedTuple):
    """How rows are written: the type of the text, and what writes pieces of it."""

    media_type: str
    write: Callable[[Iterable[Flat]], Iterator[bytes]]


def _pieces(rows: Iterable[Flat]) -> Iterator[list[Flat]]:
    left = iter(rows)
    while piece := list(islice(left, ROWS_AT_A_TIME)):
        yield piece


def safe_cell(value: object) -> object:
    """Return a cell of CSV: an apostrophe keeps a spreadsheet from running it as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _csv(rows: Iterable[Flat]) -> Iterator[bytes]:
    yield (",".join(COLUMNS) + "\r\n").encode()
    for piece in _pieces(rows):
        text = io.StringIO()
        lines = csv.writer(text)
        lines.writerows([safe_cell(row[name]) for name in COLUMNS] for row in piece)
        yield text.getvalue().encode("utf-8", "replace")


def _json_lines(rows: Iterable[Flat]) -> Iterator[bytes]:
    for piece in _pieces(rows):
        lines = (
            json.dumps({name: row[name] for name in COLUMNS}, ensure_ascii=False) for row in piece
        )
        yield "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


class _Sink(io.RawIOBase):
    """Takes what a writer of Parquet writes, until it is taken from here."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - a buffer
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held


def _parquet(rows: Iterable[Flat]) -> Iterator[bytes]:
    sink = _Sink()
    with parquet.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        for piece in _pieces(rows):
            columns = [[_typed(name, row[name]) for row in piece] for name in COLUMNS]
            writer.write_table(pa.table(columns, schema=SCHEMA))
            yield sink.taken()
    yield sink.taken()


def _typed(name: str, value: Any) -> object:  # noqa: ANN401 - a cell
    if name in NUMBERS and value is not None:
        return Decimal(value)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


FORMATS: Final[Mapping[str, Format]] = {
    "csv": Format("text/csv", _csv),
    "jsonl": Format("application/jsonl", _json_lines),
    "parquet": Format("application/vnd.apache.parquet", _parquet),
}
