"""Reads CSV: rows that are whole as fields, and every other line as the bytes that it was."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from streams.feed_batch import BATCH_ROWS, Batch
from streams.feed_map import DELIMITERS, FeedError, FeedMap
from streams.feed_shape import Shape, Shaped

if TYPE_CHECKING:
    import _csv

CELL_CHARACTERS_MAX: Final = 1 << 20

ROW_LINES_MAX: Final = 100
"""Lines that a row in quotes may span; what spans more is a quote that nobody closed."""

_LINE_ENDS: Final = "\r\n"


class CsvFile(NamedTuple):
    """A CSV file whose header was read."""

    shape: Shape
    feed_map: FeedMap
    delimiter: str


class _Row(NamedTuple):
    cells: list[str] | None  # None: no row
    text: str


def open_csv(path: Path, feed_map: FeedMap) -> CsvFile:
    """Read the header of a CSV file. Raises FeedError where it has not the columns, OSError."""
    with _text_of(path, feed_map) as (_, file):
        delimiter = feed_map.delimiter or _delimiter(file)
        header = next(_reader(file, delimiter, feed_map.quote), [])
    return CsvFile(Shape(path, [cell.strip() for cell in header], feed_map), feed_map, delimiter)


def read_csv(csv_file: CsvFile) -> Iterator[Batch]:
    """Yield the rows below the header. Raises FeedError where the encoding is another, OSError."""
    shape, feed_map, delimiter = csv_file
    size = max(shape.path.stat().st_size, 1)
    with _text_of(shape.path, feed_map) as (binary, file):
        next(_reader(file, delimiter, feed_map.quote))
        cut: list[str] = []
        more = _whole_lines(file, cut) if feed_map.skip_incomplete_last_line else iter(file)
        number, lines = 0, list(islice(more, BATCH_ROWS))
        while lines:
            plain = _plain_rows(lines, csv_file)
            rows, left = ([], []) if plain else _careful_rows(lines, more, csv_file)
            count = len(plain) if plain else len(rows)
            numbers = range(number + 1, number + 1 + count)
            number += count
            shaped, raw = (
                (shape.of_rows(plain, numbers), [])
                if plain
                else _sorted_out(rows, numbers, csv_file)
            )
            yield Batch(
                shape.path, shaped.rows, shaped.numbers, raw, binary.tell() / size,
                shaped.filtered, shaped.filtered, shaped.further,
            )  # fmt: skip
            lines = left + list(islice(more, max(0, BATCH_ROWS - len(left))))
        if cut:
            yield Batch(shape.path, [], [], [], 1.0, skipped=len(cut))


def _plain_rows(lines: list[str], csv_file: CsvFile) -> list[list[str]] | None:
    """Return the rows of lines where each is one whole row of valid text; None elsewhere."""
    shape, feed_map, delimiter = csv_file
    if lines[-1].count(feed_map.quote) % 2:
        return None  # a row may go on below
    try:
        rows = list(_reader(lines, delimiter, feed_map.quote))
    except csv.Error:
        return None
    if len(rows) < len(lines) or set(map(len, rows)) != {len(shape.header)}:
        return None
    text = "".join(lines)
    return rows if text.isascii() or _is_valid(text) else None


def _careful_rows(
    lines: list[str], more: Iterator[str], csv_file: CsvFile
) -> tuple[list[_Row], list[str]]:
    """Return the rows that begin in lines, one by one, and the lines below that were read for them.

    A quote that nobody closes costs its own line, and not all the lines down to the next quote.
    """
    source = _Lines(lines, more)
    reader = _reader(source, csv_file.delimiter, csv_file.feed_map.quote)
    width, rows, start, end = len(csv_file.shape.header), [], 0, len(lines)
    while start < end:
        source.limit = start + ROW_LINES_MAX
        try:
            cells = next(reader, None)
        except csv.Error:  # a cell longer than CELL_CHARACTERS_MAX
            cells = None
        is_open = source.is_spent or (source.at > start + 1 and cells and len(cells) != width)
        if cells is None or is_open:
            source.resume(start + 1)
            reader = _reader(source, csv_file.delimiter, csv_file.feed_map.quote)
            cells = None
        rows.append(_Row(cells, "".join(lines[start : source.at])))
        start = source.at
    return rows, lines[start:]


class _Lines:
    """Lines of a file, from which a reader takes no more than a row may have."""

    def __init__(self, lines: list[str], more: Iterator[str]) -> None:
        self.at = 0
        self.limit = 0
        self.is_spent = False  # a reader wanted more than there was
        self._lines, self._more = lines, more

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.at == len(self._lines) and self.at < self.limit:
            self._lines.extend(islice(self._more, 1))
        if self.at >= min(self.limit, len(self._lines)):
            self.is_spent = True
            raise StopIteration
        self.at += 1
        return self._lines[self.at - 1]

    def resume(self, at: int) -> None:
        """Go back to a line, for another reader."""
        self.at, self.is_spent = at, False


def _sorted_out(
    rows: list[_Row], numbers: range, csv_file: CsvFile
) -> tuple[Shaped, list[tuple[int, bytes]]]:
    """Return the rows that have a valid cell for each column, and the others as they were."""
    shape, encoding = csv_file.shape, csv_file.feed_map.encoding
    width = len(shape.header)
    needed = [shape.header.index(name) for name in shape.needed]
    whole, whole_numbers, raw = [], [], []
    for number, (cells, text) in zip(numbers, rows, strict=True):
        if cells is not None and len(cells) >= width and not any(cells[width:]):
            if text.isascii() or _is_valid("".join([cells[place] for place in needed])):
                whole.append(cells[:width])
                whole_numbers.append(number)
                continue
        elif not text.strip():
            continue  # an empty line is no row
        raw.append((number, text.rstrip(_LINE_ENDS).encode(encoding, errors="surrogateescape")))
    return shape.of_rows(whole, whole_numbers), raw


@contextmanager
def _text_of(path: Path, feed_map: FeedMap) -> Iterator[tuple[IO[bytes], IO[str]]]:
    """Open a file as bytes and as text; what is not valid in its encoding stays, as surrogates."""
    is_utf_8 = codecs.lookup(feed_map.encoding).name == "utf-8"
    encoding = "utf-8-sig" if is_utf_8 else feed_map.encoding
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    try:
        with (
            path.open("rb") as binary,
            io.TextIOWrapper(binary, encoding, errors="surrogateescape", newline="") as file,
        ):
            yield binary, file
    except UnicodeError as error:
        raise FeedError([f"it is not {feed_map.encoding}: {error}"], str(path)) from error


def _reader(lines: Iterable[str], delimiter: str, quote: str) -> "_csv.Reader":
    return csv.reader(lines, delimiter=delimiter, quotechar=quote)


def _whole_lines(file: IO[str], cut: list[str]) -> Iterator[str]:
    """Yield the lines that have an end; one that has none goes to `cut`."""
    for line in file:
        if line.endswith(("\r", "\n")):
            yield line
        else:
            cut.append(line)


def _delimiter(file: IO[str]) -> str:
    header = file.readline()
    file.seek(0)
    return max(DELIMITERS, key=lambda mark: (header.count(mark), mark == ","))


def _is_valid(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
