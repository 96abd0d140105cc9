"""Reads CSV: rows that are whole as fields, and every other line as the bytes that it was."""

import codecs
import csv
import io
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from monitor.core.transaction import Fields
from streams.feed.formats.packed import open_bytes
from streams.feed.lines import LineRows, LineSource, dialect_of
from streams.feed.mapping import DELIMITERS, TIMES, FeedError, FeedMap
from streams.feed.maps.layout import BLANK, EMPTY, PREAMBLE, TableLines, header_found
from streams.feed.maps.source import place_name
from streams.feed.quotes import Quotes
from streams.feed.rows import BATCH_ROWS, Batch, Shape, Shaped
from streams.wire.lines import Dialect

if TYPE_CHECKING:
    import _csv

CELL_CHARACTERS_MAX: Final = 1 << 20

_LINE_ENDS: Final = "\r\n"


class CsvFile(NamedTuple):
    """A CSV file whose header was read: `above` lines stand above its first row."""

    shape: Shape
    feed_map: FeedMap
    delimiter: str
    above: int
    passed: Mapping[str, int] = {}  # lines above the first row that are no header


class _Row(NamedTuple):
    cells: list[str] | None  # None: no row
    text: str
    lines: int = 1


def open_csv(path: Path, feed_map: FeedMap) -> CsvFile:
    """Read the header of a CSV file. Raises FeedError if it has not the columns, OSError."""
    delimiter = feed_map.delimiter or _delimiter(path, feed_map)
    with _text_of(path, feed_map) as (_, file):
        if not feed_map.layout.is_plain:
            return _open_laid_out(path, feed_map, iter(file))
        header, above = _header_of(path, file, delimiter, feed_map.quote)
    return CsvFile(_shape_of(path, header, feed_map), feed_map, delimiter, above)


def _open_laid_out(path: Path, feed_map: FeedMap, lines: Iterator[str]) -> CsvFile:
    """Find the header, or the first row, of a file that has other lines, too."""
    layout, quote = feed_map.layout, feed_map.quote

    def cells_of(line: str) -> list[str]:
        delimiter = feed_map.delimiter or _delimiter_of(line)
        return _cells_of([line], delimiter, quote) or line.split(delimiter)

    line, above = header_found(lines, layout, cells_of)
    if line is None and layout.contains:
        missing = ", ".join(layout.contains)
        raise FeedError([f"no line among its first {above:,} has the columns {missing}"], str(path))
    if layout.fixed:
        shape = Shape(path, list(layout.fixed), feed_map)
        return CsvFile(shape, feed_map, "", above, {PREAMBLE: above})
    delimiter = feed_map.delimiter or _delimiter_of(line or "")
    first = iter(()) if line is None else chain([line], lines)
    cells, count = _header_of(path, first, delimiter, quote)
    if layout.names is None:
        return CsvFile(
            _shape_of(path, cells, feed_map), feed_map, delimiter, above + count, {PREAMBLE: above}
        )
    if layout.names and line is not None and len(layout.names) != len(cells):
        problem = (
            f"its first row, in line {above + 1}, has {len(cells)} cells, and the map's header has"
            f" {len(layout.names)} columns: write a name for each, or header = false"
        )
        raise FeedError([problem], str(path))
    width = len(cells) if line is not None else feed_map.numbered_width
    header = layout.names or [place_name(number) for number in range(1, width + 1)]
    return CsvFile(_shape_of(path, header, feed_map), feed_map, delimiter, above, {PREAMBLE: above})


def _shape_of(path: Path, header: Sequence[str], feed_map: FeedMap) -> Shape:
    return Shape(path, [cell.strip() for cell in header], feed_map)


def read_csv(csv_file: CsvFile) -> Iterator[Batch]:
    """Yield the rows below the header. Raises FeedError if the encoding is another, OSError."""
    shape, feed_map, delimiter, above, passed = csv_file
    size = max(shape.path.stat().st_size, 1)
    dialect = dialect_of(shape, feed_map, delimiter)
    if dialect is not None:
        yield from _read_by_kernels(csv_file, dialect, size)
        return
    with _text_of(shape.path, feed_map) as (binary, file):
        deque(islice(file, above), maxlen=0)
        cut: list[str] = []
        more = _whole_lines(file, cut) if feed_map.skip_incomplete_last_line else iter(file)
        layout = feed_map.layout
        quotes = Quotes(delimiter, feed_map.quote, len(shape.header))
        table = None
        if not layout.is_plain:
            table = TableLines(more, layout, None if layout.fixed else quotes)
        more = table or more
        number, lines = 0, list(islice(more, BATCH_ROWS))
        while lines:
            batch, count, left = _batch_of(lines, more, csv_file, number)
            number += count
            yield batch._replace(share_read=binary.tell() / size, lines_above=above)
            above += sum(batch.spans.values())
            lines = left + list(islice(more, max(0, BATCH_ROWS - len(left))))
        total = Counter(passed)
        if table is not None:
            total.update(table.passed)
        if cut or total:
            yield Batch(shape.path, [], [], [], 1.0, skipped=len(cut), passed=dict(total))


def _read_by_kernels(csv_file: CsvFile, dialect: Dialect, size: int) -> Iterator[Batch]:
    """Yield the rows below the header: those of plain lines as columns, the others as elsewhere."""
    shape, feed_map, delimiter = csv_file[:3]
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    with open_bytes(shape.path) as binary:
        source = LineSource(binary)
        _header_of(shape.path, source, delimiter, feed_map.quote)
        number = 0
        while True:
            columns = source.take_whole(dialect, BATCH_ROWS)
            if columns is not None:
                count, rows = len(columns.rows), LineRows(columns, shape, delimiter)
                numbers = range(number + 1, number + 1 + count)
                yield Batch(shape.path, rows, numbers, [], binary.tell() / size)
            else:
                lines = list(islice(source, BATCH_ROWS))
                if not lines:
                    return
                batch, count, left = _batch_of(lines, source, csv_file, number)
                source.give_back(left)
                yield batch._replace(share_read=binary.tell() / size)
            number += count


def _batch_of(
    lines: list[str], more: Iterator[str], csv_file: CsvFile, number: int
) -> tuple[Batch, int, list[str]]:
    """Return the rows that begin in lines, how many, and the lines below that were read for them.

    `number` rows stand above. What share of the file is read is not known here.
    """
    shape = csv_file.shape
    if (times := _times_of(lines, csv_file)) is not None:
        numbers = range(number + 1, number + 1 + len(lines))
        return Batch(shape.path, times, numbers, [], 0.0), len(lines), []
    layout, tells_lines = csv_file.feed_map.layout, csv_file.feed_map.tells_lines
    plain = None
    if not (layout.fixed or layout.skip_empty_rows):
        plain = _plain_rows(lines, csv_file)
        if plain and tells_lines and len(plain) < len(lines):
            plain = None  # one by one: it says how many lines a row has
    rows: list[_Row] = []
    left: list[str] = []
    if layout.fixed:
        rows = [_Row(layout.cells_of(line) if line.strip() else None, line) for line in lines]
    elif not plain:
        rows, left = _careful_rows(lines, more, csv_file)
    count = len(plain or rows)
    numbers = range(number + 1, number + 1 + count)
    shaped, raw, passed = (
        (shape.of_rows(plain, numbers), [], {}) if plain else _sorted_out(rows, numbers, csv_file)
    )
    batch = Batch(
        shape.path, shaped.rows, shaped.numbers, [*raw, *shaped.raw], 0.0,
        shaped.filtered, shaped.filtered, shaped.further, passed=passed,
    )  # fmt: skip
    if tells_lines:
        spans = {
            row_number: row.lines - 1
            for row_number, row in zip(numbers, rows, strict=False)
            if row.lines > 1
        }
        batch = batch._replace(spans=spans)
    return batch, count, left


def _header_of(
    path: Path, file: Iterator[str], delimiter: str, quote: str
) -> tuple[list[str], int]:
    """Read the header, and count its lines. Raises FeedError if a quote in it is never closed."""
    lines = list(islice(file, 1))
    if not lines:
        return [], 0
    cells = _cells_of(lines, delimiter, quote)
    if cells is None:
        kept = _Kept(file, lines)
        count = Quotes(delimiter, quote).lines_of_row(lines[0], kept.after(0))
        cells = _cells_of(lines, delimiter, quote) if 1 < count == len(lines) else None
    if cells is None:
        problem = (
            f"its header has a quote {quote} that nobody closes, or a name that is too long:"
            " mend its first line"
        )
        raise FeedError([problem], str(path))
    return cells, len(lines)


def _times_of(lines: list[str], csv_file: CsvFile) -> list[Fields] | None:
    """Return the times of lines where these alone are asked for and no line has a quote.

    Splitting costs a fourth of reading whole rows. What is no row may have a time then, too: that
    can make files that are in order look as if they were not, and never the other way round.
    """
    shape, feed_map, delimiter = csv_file[:3]
    if feed_map.form is not TIMES or feed_map.layout.fixed or feed_map.quote in "".join(lines):
        return None
    column = shape.number_of(TIMES.fields[0])
    if column is None:
        return None
    try:
        cells = [line.split(delimiter, column + 1)[column] for line in lines]
    except IndexError:  # a line with too few cells
        return None
    if column == len(shape.header) - 1:
        cells = [cell.rstrip(_LINE_ENDS) for cell in cells]
    return shape.of_column(column, cells)


def _plain_rows(lines: list[str], csv_file: CsvFile) -> list[list[str]] | None:
    """Return the rows of lines where each is one whole row of valid text; None elsewhere."""
    shape, feed_map, delimiter = csv_file[:3]
    try:
        # An empty line at the end is a row of its own, unless a cell above it is still open.
        rows = list(_reader([*lines, "\n"], delimiter, feed_map.quote))
    except csv.Error:
        return None
    if len(rows) <= len(lines) or rows.pop():
        return None
    if set(map(len, rows)) != {len(shape.header)}:
        return None
    text = "".join(lines)
    return rows if text.isascii() or _is_valid(text) else None


def _careful_rows(
    lines: list[str], more: Iterator[str], csv_file: CsvFile
) -> tuple[list[_Row], list[str]]:
    """Return the rows that begin in lines, one by one, and the lines below that were read for them.

    A quote that nobody closes costs its own line, and not all the lines down to the next quote.
    """
    delimiter, quote = csv_file.delimiter, csv_file.feed_map.quote
    quotes = Quotes(delimiter, quote, len(csv_file.shape.header))
    kept, rows, start, end = _Kept(more, lines), [], 0, len(lines)
    while start < end:
        count = 1
        cells = _cells_of(lines[start : start + 1], delimiter, quote)
        if cells is None:
            count = quotes.lines_of_row(lines[start], kept.after(start))
            if count > 1:
                cells = _cells_of(lines[start : start + count], delimiter, quote)
            if cells is None:
                count, cells = 1, _cells_with_stray(lines[start], quotes, csv_file.shape)
        rows.append(_Row(cells, "".join(lines[start : start + count]), count))
        start += count
    return rows, lines[start:]


def _cells_of(lines: list[str], delimiter: str, quote: str) -> list[str] | None:
    """Return the cells of the lines of one row; None if a quote is open, or a cell too long."""
    try:
        cells, *after = _reader([*lines, "\n"], delimiter, quote)
    except csv.Error:  # a cell longer than CELL_CHARACTERS_MAX
        return None
    return cells if after else None


def _cells_with_stray(line: str, quotes: Quotes, shape: Shape) -> list[str] | None:
    """Return the cells of a line by itself without the quote that it leaves open.

    None if it has not the header's cells then, or where a cell that must be exact had the quote.
    """
    mended = quotes.without_stray(line)
    if mended is None:
        return None
    text, number = mended
    cells = _cells_of([text], quotes.delimiter, quotes.quote)
    if cells is None or not number < len(shape.header) <= len(cells) or shape.is_exact(number):
        return None
    return cells


class _Kept(NamedTuple):
    """Lines of a file of which those that were looked at ahead are kept."""

    more: Iterator[str]
    lines: list[str]

    def after(self, place: int) -> Iterator[str]:
        """Yield the lines after one that is kept."""
        while True:
            place += 1
            if place == len(self.lines):
                self.lines.extend(islice(self.more, 1))
            if place == len(self.lines):
                return
            yield self.lines[place]


def _sorted_out(
    rows: list[_Row], numbers: range, csv_file: CsvFile
) -> tuple[Shaped, list[tuple[int, bytes]], Mapping[str, int]]:
    """Return the rows that have a valid cell for each column, the others as they were, and counts.

    What is counted are lines that are no rows.
    """
    shape, encoding = csv_file.shape, csv_file.feed_map.encoding
    layout = csv_file.feed_map.layout
    width = len(shape.header)
    needed = [shape.place(name) for name in shape.needed]
    whole, whole_numbers, raw = [], [], []
    passed: Counter[str] = Counter()
    for number, (cells, text, _) in zip(numbers, rows, strict=True):
        if layout.fill_short_rows and cells is not None and text.strip():
            cells.extend([""] * (width - len(cells)))
        if (
            layout.skip_empty_rows
            and text.strip()
            and cells is not None
            and not any(map(str.strip, cells))
        ):
            passed[EMPTY] += 1
            continue
        if cells is not None and len(cells) >= width and not any(cells[width:]):
            if text.isascii() or _is_valid("".join([cells[place] for place in needed])):
                whole.append(cells[:width])
                whole_numbers.append(number)
                continue
        elif not text.strip():
            passed[BLANK] += 1  # an empty line is no row
            continue
        raw.append((number, text.rstrip(_LINE_ENDS).encode(encoding, errors="surrogateescape")))
    return shape.of_rows(whole, whole_numbers), raw, passed


@contextmanager
def _text_of(path: Path, feed_map: FeedMap) -> Iterator[tuple[IO[bytes], IO[str]]]:
    """Open a file as bytes and as text; what is not valid in its encoding stays, as surrogates."""
    is_utf_8 = codecs.lookup(feed_map.encoding).name == "utf-8"
    encoding = "utf-8-sig" if is_utf_8 else feed_map.encoding
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    try:
        with (
            open_bytes(path) as binary,
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


def _delimiter(path: Path, feed_map: FeedMap) -> str:
    with _text_of(path, feed_map) as (_, file):
        return _delimiter_of(file.readline())


def _delimiter_of(header: str) -> str:
    return max(DELIMITERS, key=lambda mark: (header.count(mark), mark == ","))


def _is_valid(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
