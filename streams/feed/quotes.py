"""Lines of CSV that belong to one row: a quoted cell really spans lines, or is a stray.

A quote that nobody closes would swallow the rows below it down to the next quote, wherever that
stands. So lines are joined only as RFC 4180 has it, and never over a row that is whole by itself.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

ROW_LINES_MAX: Final = 100
"""Lines that a row in quotes may span."""

ROW_CHARACTERS_MAX: Final = 1 << 21
"""Characters of the lines below its first that a row in quotes may have."""

OWN_CELLS_MIN: Final = 4
"""Cells from which on a line with a cell for each column is a row, whatever its quotes mean.

Text that goes on in another line has as many delimiters by chance next to never; of a table of two
or three columns it may well have.
"""


class Scan(NamedTuple):
    """A line as RFC 4180 has it, from a place where a quoted cell is closed, or open.

    `is_open`: a quoted cell goes on below. `marks` are the delimiters between cells. `cells` are
    those of the line by itself, as if a quote that another line opens or closes were none. `begin`
    is where the text of the open cell begins.
    """

    is_open: bool
    marks: int
    cells: int
    begin: int


class Quotes:
    """How the cells of a file are delimited and quoted; `width` cells a row, 0 for the header."""

    def __init__(self, delimiter: str, quote: str, width: int = 0) -> None:
        self.delimiter = delimiter
        self.quote = quote
        self.width = width

    def lines_of_row(self, line: str, below: Iterator[str]) -> int:
        """Return how many lines the row has that begins with a line: 1 where it stands alone.

        `below` are the lines after it, of which no more are read than a row may have.
        """
        first = self.scan(line, is_open=False)
        if first is None or not first.is_open:
            return 1
        marks, characters = first.marks, 0
        for number, further in enumerate(below, 2):
            scan = self.scan(further, is_open=True)
            if scan is None or self._is_row(further, scan, line, first):
                return 1
            marks += scan.marks
            characters += len(further)
            if not scan.is_open:
                return number if self._is_whole(marks + 1, further) else 1
            if number == ROW_LINES_MAX or characters > ROW_CHARACTERS_MAX:
                return 1
        return 1

    def without_stray(self, line: str) -> tuple[str, int] | None:
        """Return a line without the quote that it leaves open, and the number of the cell, from 0.

        None if its quotes are not those of RFC 4180 up to there.
        """
        scan = self.scan(line, is_open=False)
        if scan is None or not scan.is_open:
            return None
        return line[: scan.begin - len(self.quote)] + line[scan.begin :], scan.marks

    def scan(self, line: str, *, is_open: bool) -> Scan | None:
        """Read a line; None if a quote stands where RFC 4180 has none."""
        delimiter, quote = self.delimiter, self.quote
        at, end = 0, len(line.rstrip("\r\n"))
        begin, is_from_above = 0, is_open  # of the text of the quoted cell
        marks, within = 0, 0  # `within` cells that another line opens or closes
        while is_open or at >= 0:
            if is_open:
                close = line.find(quote, at, end)
                if close < 0:
                    within += line.count(delimiter, begin, end)
                    break
                at = close + 1
                if line.startswith(quote, at, end):
                    at += 1
                    continue
                if is_from_above:
                    within += line.count(delimiter, 0, close)
                is_open = is_from_above = False
                if at < end and not line.startswith(delimiter, at):
                    return None
                at = at if at < end else -1
            elif line.startswith(quote, at, end):
                is_open, at, begin = True, at + 1, at + 1
                continue
            else:
                mark = line.find(delimiter, at, end)
                if line.find(quote, at, end if mark < 0 else mark) >= 0:
                    return None
                at = mark
            if at >= 0:  # a delimiter
                marks, at = marks + 1, at + 1
        return Scan(is_open, marks, marks + within + 1, begin)

    def _is_row(self, line: str, scan: Scan, first_line: str, first: Scan) -> bool:
        """Say whether a line below is a row by itself, so that the quote above it is a stray."""
        width = self.width or first.cells
        is_wide = width >= OWN_CELLS_MIN
        if self.width or is_wide:
            own = self.scan(line, is_open=False)
            if own is not None and not own.is_open and self._is_whole(own.cells, line, width):
                return True
        # With a quote in it, a line is a row if the first one would be one, too, without a quote.
        return (
            is_wide
            and self._may_be_whole(scan.cells, line, width)
            and self._may_be_whole(first.cells, first_line, width)
        )

    def _may_be_whole(self, cells: int, line: str, width: int) -> bool:
        """Say whether a line is a row by its cells as they were read, or with every quote a stray.

        Two strays may make a quoted cell of what were two cells.
        """
        plain = line.count(self.delimiter) + 1
        return self._is_whole(cells, line, width) or self._is_whole(plain, line, width)

    def _is_whole(self, cells: int, line: str, width: int = 0) -> bool:
        """Say whether the cells that a line ends with are a row's; empty ones may be too many."""
        width = width or self.width
        text = line.rstrip("\r\n")
        empty = len(text) - len(text.rstrip(self.delimiter))
        return not width or cells - empty <= width <= cells
