"""The lines of a file that are no rows: above its table, below it, and comments between rows."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from monitor.core.table_reader import TableReader
from streams.feed.quotes import Quotes

LAYOUT_KEYS: Final = (
    "skip_lines",
    "header",
    "comments",
    "footer",
    "skip_empty_rows",
    "fill_short_rows",
    "fixed",
)
FOOTER_KEYS: Final = ("lines", "begins")

LINES_MAX: Final = 10_000
"""Lines above or below a table that a map may state, or that a header is looked for in."""

PREAMBLE, COMMENT, FOOTER, BLANK, EMPTY = "preamble", "comment", "footer", "blank", "empty row"
"""Why a line is no row, as it is told."""


class Layout(NamedTuple):
    """Which lines of a file are its table.

    `names` are the columns of a file without a header: None if it has one, empty if they have
    numbers alone. `contains` are the names by which the header's line is found. `fixed` are columns
    of fixed width: the places (from 0) where each begins and ends.
    """

    skip_lines: int = 0
    names: tuple[str, ...] | None = None
    contains: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    footer_lines: int = 0
    footer_begins: tuple[str, ...] = ()
    skip_empty_rows: bool = False
    fill_short_rows: bool = False
    fixed: Mapping[str, tuple[int, int]] = {}

    @property
    def is_plain(self) -> bool:
        """Whether a file is its header and rows, and nothing else."""
        return self == _PLAIN

    @property
    def is_for_rows_alone(self) -> bool:
        """Whether nothing is said of lines and headers, but of short and of empty rows at most."""
        return self._replace(skip_empty_rows=False, fill_short_rows=False).is_plain

    def cells_of(self, line: str) -> list[str]:
        """Return the cells of a line of fixed width."""
        text = line.rstrip("\r\n")
        return [text[begin:end].strip() for begin, end in self.fixed.values()]


_PLAIN: Final = Layout()


class TableLines(Iterator[str]):
    """The lines of a table below its header; what is no row is counted in `passed`.

    A comment comes as an empty line, so that rows keep their numbers. The marks of comments and
    footers are looked for where a row begins alone: within a cell in quotes they are its text.
    """

    def __init__(self, lines: Iterator[str], layout: Layout, quotes: Quotes | None = None) -> None:
        self._lines = lines
        self._layout = layout
        self._quotes = quotes
        self._ahead: deque[str] = deque()  # lines that were looked at to see where a row ends
        self._within = 0  # of them, those of a row that has begun
        self._held: deque[str] = deque()
        self._rows_held = 0
        self._is_over = False
        self.passed: Counter[str] = Counter()

    def __next__(self) -> str:
        layout = self._layout
        while not self._is_over and self._rows_held <= layout.footer_lines:
            line = self._take()
            if line is None:
                self._end()
            elif self._within:
                self._within -= 1
                self._keep(line)
            elif layout.footer_begins and line.startswith(layout.footer_begins):
                self._end_with_footer()
            else:
                self._within = self._lines_within(line)
                self._hold(line)
            if not layout.footer_lines:
                break
        if not self._held:
            raise StopIteration
        line = self._held.popleft()
        self._rows_held -= bool(line.strip())
        return line

    def _take(self) -> str | None:
        return self._ahead.popleft() if self._ahead else next(self._lines, None)

    def _lines_within(self, line: str) -> int:
        """Return how many lines below one are of the row that begins with it."""
        if self._quotes is None or not line.count(self._quotes.quote) % 2:
            return 0
        return self._quotes.lines_of_row(line, self._look_ahead()) - 1

    def _look_ahead(self) -> Iterator[str]:
        place = 0
        while True:
            if place == len(self._ahead):
                self._ahead.extend(islice(self._lines, 1))
            if place == len(self._ahead):
                return
            yield self._ahead[place]
            place += 1

    def _hold(self, line: str) -> None:
        if self._layout.comments and line.startswith(self._layout.comments):
            self.passed[COMMENT] += 1
            self.passed[BLANK] -= 1  # the reader counts the empty line
            line = "\n"
        self._keep(line)

    def _keep(self, line: str) -> None:
        self._held.append(line)
        self._rows_held += bool(line.strip())

    def _end(self) -> None:
        """Take the last lines as a footer, the blank ones among them, too."""
        self._is_over = True
        if self._layout.footer_lines:
            for line in self._held:
                self.passed[FOOTER if line.strip() else BLANK] += 1
            self._held.clear()

    def _end_with_footer(self) -> None:
        """Take a line and all below it as a footer."""
        self._is_over = True
        self.passed[FOOTER] += 1
        for line in iter(self._take, None):
            self.passed[FOOTER if line.strip() else BLANK] += 1


def passed_text(passed: Mapping[str, int]) -> str:
    """Return how many lines were no rows, and why; nothing if none were.

    >>> passed_text({"preamble": 7, "blank": 1})
    'lines that are no rows: 7 preamble, 1 blank'
    """
    said = ", ".join(f"{count:,} {why}" for why, count in passed.items() if count)
    return f"lines that are no rows: {said}" if said else ""


def layout_of(document: TableReader) -> Layout:
    """Return the layout that a map states. Problems are noted."""
    table = document.table
    skip_lines = document.whole("skip_lines", 0, LINES_MAX, 0)
    names, contains = _header(table.get("header", True), document)
    comments = _texts(table.get("comments", []), "comments", document)
    footer_lines, begins = _footer(table.get("footer", {}), document)
    skip_empty, fill_short = (
        _switch(key, document) for key in ("skip_empty_rows", "fill_short_rows")
    )
    fixed = _fixed(table.get("fixed", {}), document)
    if fixed and "header" in table:
        document.refuse("header is not known beside [fixed]: skip its line by skip_lines")
    return Layout(
        skip_lines, names, contains, comments, footer_lines, begins, skip_empty, fill_short, fixed
    )


def _switch(key: str, document: TableReader) -> bool:
    stated = document.table.get(key, False)
    if not isinstance(stated, bool):
        document.refuse(f"{key} is {stated!r}: write true or false")
    return stated is True


def _header(
    stated: object, document: TableReader
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Return the columns' names, if the file has none, and those by which they are found."""
    if stated is True:
        return None, ()
    if stated is False:
        return (), ()
    if isinstance(stated, dict) and stated.keys() == {"contains"}:
        return None, _texts(stated["contains"], "header.contains", document)
    if isinstance(stated, list) and stated and all(isinstance(name, str) for name in stated):
        return tuple(name.strip() for name in stated), ()
    document.refuse(
        f"header is {stated!r}: write false if there is no header, a list of the columns' names"
        ' in its place, or { contains = ["NAME", "OTHER NAME"] } to find its line'
    )
    return None, ()


def _footer(stated: object, document: TableReader) -> tuple[int, tuple[str, ...]]:
    if not isinstance(stated, dict):
        document.refuse(f'footer is {stated!r}: write {{ lines = 2 }} or {{ begins = "Total" }}')
        return 0, ()
    footer = document.reader(stated, "footer.")
    footer.refuse_unknown(FOOTER_KEYS)
    lines = footer.whole("lines", 0, LINES_MAX, 0)
    if len(stated) > 1:
        footer.refuse("it has lines and begins: write one of them")
    return lines, _texts(stated.get("begins", []), "footer.begins", document)


def _texts(stated: object, key: str, document: TableReader) -> tuple[str, ...]:
    texts = stated if isinstance(stated, list) else [stated]
    if all(isinstance(text, str) and text.strip() for text in texts):
        return tuple(texts)
    document.refuse(f"{key} is {stated!r}: write a text, or a list of texts")
    return ()


def _fixed(stated: object, document: TableReader) -> dict[str, tuple[int, int]]:
    if not isinstance(stated, dict):
        document.refuse(f"fixed is {stated!r}: write [fixed], with NAME = [FIRST, LAST]")
        return {}
    made = {}
    for name, places in stated.items():
        if (
            isinstance(places, list)
            and len(places) == 2  # noqa: PLR2004 - the first and the last
            and all(type(place) is int for place in places)
            and 1 <= places[0] <= places[1]
        ):
            made[name] = (places[0] - 1, places[1])
        else:
            document.refuse(
                f"fixed.{name} is {places!r}: write the first and the last character, from 1 on,"
                " e.g. [1, 8]"
            )
    return made


def header_found(
    lines: Iterator[str], layout: Layout, cells_of: Callable[[str], list[str]]
) -> tuple[str | None, int]:
    """Return the line of the header, or of the first row, and how many lines are above it.

    None if it is not found.
    """
    above = 0
    for line in lines:
        is_below = above >= layout.skip_lines
        if is_below and layout.contains:
            cells = {cell.strip() for cell in cells_of(line)}
            if cells.issuperset(name.strip() for name in layout.contains):
                return line, above
        elif is_below and not _is_passed(line, layout):
            return line, above
        above += 1
        if above > LINES_MAX + layout.skip_lines:
            break
    return None, above


def _is_passed(line: str, layout: Layout) -> bool:
    """Say whether a line above a table is blank or a comment."""
    return not line.strip() or bool(layout.comments and line.startswith(layout.comments))
