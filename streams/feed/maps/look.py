"""Look at a file that nobody described: its encoding, its delimiter, and where its table is."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from streams.feed.formats.packed import buffered, open_bytes
from streams.feed.mapping import DELIMITERS, FeedError

LOOK_BYTES: Final = 16 << 20
"""Bytes of a file that are looked at, from its beginning."""

_ODD_RUN: Final = re.compile(rb"[\x80-\xff]+")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNUSED_IN_CP1252: Final = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_VALUE: Final = re.compile(r"[^0-9]*[0-9][0-9\W]*[^0-9]{0,4}|.*[0-9]{2}[-./:][0-9]{2}.*")
_NEXT: Final = 5
_MOST: Final = 0.8
_FOOTER_MAX: Final = 100


class FileLook(NamedTuple):
    """What a file looks like: `header` is None if it has none; `notes` say what is not sure."""

    encoding: str
    delimiter: str
    above: int  # lines above the header, or above the first row
    header: list[str] | None
    rows: list[list[str]]
    footer: list[str]  # the lines below the table, if the file was read to its end
    is_whole: bool
    notes: list[str]

    @property
    def width(self) -> int:
        """Cells of a row."""
        return len(self.header or self.rows[0])


def look_at(path: Path) -> FileLook:
    """Return what a CSV file looks like. Raises FeedError if it shows no table, OSError."""
    with open_bytes(path) as file:
        data = buffered(file).read(LOOK_BYTES + 1)
    is_whole = len(data) <= LOOK_BYTES
    encoding, notes = _encoding_of(data)
    if not is_whole and encoding != "utf-16":
        data = data[: data.rfind(b"\n") + 1]
    text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")
    lines = text.splitlines(keepends=True)
    delimiter, width = _delimiter_of(lines[:2000])
    if width < 2:  # noqa: PLR2004 - a table
        problem = (
            "it shows no table: no delimiter among ; , tab and a bar cuts its lines into cells."
            " If its columns have a fixed width, write a map with [fixed]"
        )
        raise FeedError([problem], str(path))
    numbered = _rows_of(lines, delimiter)
    first = _first_of(numbered, width)
    last = max(place for place, (_, cells) in enumerate(numbered) if len(cells) == width)
    below = [cells for _, cells in numbered[last + 1 :]] if is_whole else []
    table = numbered[first : last + 1]
    header = None
    if not any(_is_value(cell) for cell in table[0][1]) and len(table) > 1:
        header = [cell.strip() for cell in table[0][1]]
    rows = [cells for _, cells in table[header is not None :] if len(cells) == width]
    ends = _totals_below(rows) if is_whole else 0
    below = [*rows[len(rows) - ends :], *below]
    rows = rows[: len(rows) - ends]
    if not rows:
        raise FeedError(["it has a header and no rows: look at a file with rows"], str(path))
    footer = [delimiter.join(cells) for cells in below[:_FOOTER_MAX]]
    return FileLook(encoding, delimiter, table[0][0] - 1, header, rows, footer, is_whole, notes)


def _encoding_of(data: bytes) -> tuple[str, list[str]]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, []
    if data[:200].count(0) > len(data[:200]) // 3:
        return "utf-16", ["encoding: every other byte is 0, as in UTF-16 without a mark"]
    whole = data[: data.rfind(b"\n") + 1] or data
    try:
        whole.decode()
    except UnicodeDecodeError:
        runs = _ODD_RUN.findall(whole)
    else:
        return "utf-8", []
    if all(len(run) % 2 == 0 for run in runs) and _is_text(whole, "gb18030"):
        return "gb18030", ["encoding: bytes beyond ASCII come in pairs, as Chinese text does"]
    encoding = "latin-1" if _UNUSED_IN_CP1252.search(whole) else "cp1252"
    (sample, _), *_ = Counter(runs).most_common(1)
    shown = sample.decode(encoding, errors="replace")
    return encoding, [
        f"encoding: it is not UTF-8; the bytes {sample.hex(' ')} are read as {shown!r}"
    ]


def _is_text(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter_of(lines: Sequence[str]) -> tuple[str, int]:
    """Return the delimiter that cuts most lines into the same number of cells, and that number."""
    best = (0.0, 0, "", 0)
    for place, mark in enumerate(DELIMITERS):
        widths = Counter(len(cells) for _, cells in _rows_of(lines, mark) if len(cells) > 1)
        if widths:
            width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
            best = max(best, (float(count), -place, mark, width))
    return best[2], best[3]


def _rows_of(lines: Sequence[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the rows of lines that are not blank, each with the number of its first line."""
    reader = csv.reader(lines, delimiter=delimiter)
    found, line = [], 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)) or len(cells) > 1:
                found.append((line, cells))
            line = reader.line_num + 1
    except csv.Error:  # a cell of a megabyte: a quote that nobody closes
        return found
    return found


def _first_of(numbered: Sequence[tuple[int, list[str]]], width: int) -> int:
    """Return the place of the first row of a table: most of those below have its width, too."""
    for place, (_, cells) in enumerate(numbered):
        below = [len(other) == width for _, other in islice(numbered, place + 1, place + 1 + _NEXT)]
        if len(cells) == width and sum(below) >= _MOST * len(below):
            return place
    return next(place for place, (_, cells) in enumerate(numbered) if len(cells) == width)


def _totals_below(rows: Sequence[Sequence[str]]) -> int:
    """Return how many of the last rows have at most half the cells that rows have, as totals do."""
    if len(rows) <= _NEXT:
        usual = max((_filled(row) for row in rows), default=0)
    else:
        usual = int(median(_filled(row) for row in rows))
    below = 0
    while below < len(rows) - 1 and below < _NEXT and _filled(rows[-1 - below]) * 2 <= usual:
        below += 1
    return below


def _filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _is_value(cell: str) -> bool:
    """Say whether a cell has a number or a date, as no name of a column does."""
    cell = cell.strip()
    return bool(cell) and len(cell) <= 40 and bool(_VALUE.fullmatch(cell))  # noqa: PLR2004 - a cell
