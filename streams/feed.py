"""Reads transactions out of files, a batch of rows at a time: CSV, JSON Lines and Parquet.

Nothing is judged and nothing is lost: a row that has not the header's cells, or is not valid text,
is handed on as the bytes that it was, and becomes a rejection like any other record.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from monitor.core.transaction import FIELDS, REQUIRED, Fields
from streams.feed_map import DELIMITERS, Column, FeedError, FeedMap, Table, column_source

BATCH_ROWS: Final = 5000
CELL_CHARACTERS_MAX: Final = 1 << 20

_CSV: Final = (".csv", ".asc", ".tsv", ".txt")
_LINES: Final = (".jsonl", ".ndjson")
_PARQUET: Final = (".parquet",)


class Batch(NamedTuple):
    """Some rows of a file.

    `rows` has the fields of each readable row and `numbers` its number (1 is the first below the
    header); `raw` has the others (number, bytes): records as they are, or rows that are none.
    """

    path: Path
    rows: Sequence[Fields]
    numbers: Sequence[int]
    raw: Sequence[tuple[int, bytes]]
    share_read: float  # of the file, 0 to 1
    skipped: int = 0  # incomplete last lines that the map says to pass over


def files_of(paths: Sequence[Path], feed_map: FeedMap | None = None) -> list[Path]:
    """Return the files that the paths name: a folder is those that the map's `files` matches.

    Raises FeedError where one is not there or of an unknown kind, with all such.
    """
    files: list[Path] = []
    problems = []
    for path in paths:
        if path.is_dir():
            pattern = feed_map.files if feed_map else "*"
            found = sorted(path.glob(pattern))
            if not found:
                problems.append(f"{path} has no file {pattern}")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            problems.append(f"{path} is not there")
    problems += [
        f"{path} is no {', '.join((*_CSV, *_LINES, *_PARQUET))} file"
        for path in files
        if path.suffix.lower() not in (*_CSV, *_LINES, *_PARQUET)
    ]
    if problems:
        raise FeedError(problems, "the input")
    return files


def read(files: Sequence[Path], feed_map: FeedMap | None = None) -> Iterator[Batch]:
    """Yield the rows of files, one file after the other, in batches of at most `BATCH_ROWS`.

    Raises FeedError for a file that cannot be read at all: no header, columns missing, broken
    quotes.
    """
    feed_map = feed_map or FeedMap()
    for path in files:
        suffix = path.suffix.lower()
        if suffix in _LINES:
            yield from _read_lines(path)
        elif suffix in _PARQUET:
            yield from _read_parquet(path, feed_map)
        else:
            yield from _read_csv(path, feed_map)


def _read_lines(path: Path) -> Iterator[Batch]:
    size = max(path.stat().st_size, 1)
    number = 0
    with path.open("rb") as file:
        while lines := list(islice(file, BATCH_ROWS)):
            raw = [
                (number + index, line.rstrip(b"\r\n"))
                for index, line in enumerate(lines, 1)
                if line.strip()
            ]
            number += len(lines)
            yield Batch(path, [], [], raw, file.tell() / size)


def _read_csv(path: Path, feed_map: FeedMap) -> Iterator[Batch]:
    size = max(path.stat().st_size, 1)
    encoding = "utf-8-sig" if feed_map.encoding == "utf-8" else feed_map.encoding
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    with (
        path.open("rb") as binary,
        io.TextIOWrapper(binary, encoding, errors="surrogateescape", newline="") as file,
    ):
        drop_last = feed_map.skip_incomplete_last_line and not _ends_with_newline(path)
        delimiter = feed_map.delimiter or _delimiter(file)
        rows = csv.reader(file, delimiter=delimiter, quotechar=feed_map.quote)
        header = [cell.strip() for cell in next(rows, [])]
        shape = _Shape(path, header, feed_map)
        number = 0
        held: list[str] | None = None  # the last row so far, where the very last is to be dropped
        try:
            while cells := list(islice(rows, BATCH_ROWS)):
                if drop_last:
                    cells = cells if held is None else [held, *cells]
                    held = cells.pop()
                yield shape.batch(cells, number, binary.tell() / size, feed_map.encoding)
                number += len(cells)
        except csv.Error as error:
            raise FeedError([f"row {number + 1} or later: {error}"], str(path)) from error
        if held is not None:
            yield Batch(path, [], [], [], 1.0, skipped=1)


class _Shape:
    """How the rows of one file become fields: settled once, at its header."""

    def __init__(self, path: Path, header: list[str], feed_map: FeedMap) -> None:
        self.path = path
        self.header = header
        sources = feed_map.fields
        if not sources:
            sources = {name: column_source((name,)) for name in FIELDS if name in header}
        problems = [
            f"{name} comes from column {' or '.join(names)}, and there is none"
            for name, source in sources.items()
            for names in source.needs
            if not set(names) & set(header)
        ]
        problems += [
            f"there is no column {name}: name the columns' meaning by a map (--map)"
            for name in REQUIRED
            if name not in sources
        ]
        if problems:
            problems.append(f"its columns are {', '.join(header) or 'none'}")
            raise FeedError(problems, str(path))
        self._sources = [sources.get(name) for name in FIELDS]
        self._is_own = not feed_map.fields and header == list(FIELDS)

    def batch(self, rows: list[list[str]], number: int, share_read: float, encoding: str) -> Batch:
        numbers: Sequence[int] = range(number + 1, number + 1 + len(rows))
        width, raw = len(self.header), []
        text = "".join(map("".join, rows))
        if set(map(len, rows)) - {width} or not (text.isascii() or _is_valid(text)):
            whole = []
            for row_number, row in zip(numbers, rows, strict=True):
                if len(row) == width and _is_valid("".join(row)):
                    whole.append((row_number, row))
                elif row:  # an empty line is no row
                    line = ",".join(row).encode(encoding, errors="surrogateescape")
                    raw.append((row_number, line))
            numbers, rows = [n for n, _ in whole], [row for _, row in whole]
        if self._is_own:
            return Batch(self.path, rows, numbers, raw, share_read)
        columns = dict(zip(self.header, zip(*rows, strict=True), strict=True)) if rows else {}
        return Batch(self.path, self.fields(columns, numbers), numbers, raw, share_read)

    def fields(self, columns: Mapping[str, Column], numbers: Sequence[int]) -> list[Fields]:
        """Return the fields of each row, made a column at a time."""
        if not numbers:
            return []
        table = Table(columns, self.path.stem, numbers)
        nothing = [None] * len(numbers)
        made = [nothing if source is None else source.make(table) for source in self._sources]
        return list(zip(*made, strict=True))


def _read_parquet(path: Path, feed_map: FeedMap) -> Iterator[Batch]:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and only needed here
    from pyarrow import parquet  # noqa: PLC0415 - heavy, and only needed here

    try:
        file = parquet.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise FeedError([str(error)], str(path)) from error
    with file:
        shape = _Shape(path, file.schema_arrow.names, feed_map)
        number, count = 0, max(file.metadata.num_rows, 1)
        for rows in file.iter_batches(batch_size=BATCH_ROWS):
            columns = {name: _texts(rows.column(name)) for name in rows.schema.names}
            numbers = range(number + 1, number + 1 + rows.num_rows)
            number += rows.num_rows
            yield Batch(path, shape.fields(columns, numbers), numbers, [], number / count)


def _texts(column: Any) -> Column:  # noqa: ANN401 - pyarrow has no types
    """Return a Parquet column as text; a float as its shortest decimal, which is what was meant."""
    import pyarrow as pa  # noqa: PLC0415 - heavy, and only needed here

    if pa.types.is_floating(column.type):
        return [None if value is None else repr(value) for value in column.to_pylist()]
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return [None if value is None else value.isoformat() for value in column.to_pylist()]
    texts: list[str | None] = column.cast(pa.string()).to_pylist()
    return texts


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 1, 0))
        return file.read(1) in (b"\n", b"")


def _delimiter(file: IO[str]) -> str:
    header = file.readline()
    file.seek(0)
    return max(DELIMITERS, key=lambda mark: (header.count(mark), mark == ","))


def _is_valid(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
