"""Rows of one file as fields: settled once, at its header."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from monitor.core.business_day import event_time_text
from monitor.core.transaction import Fields, Transaction
from streams.feed.formats.packed import plain_stem
from streams.feed.mapping import FeedError, FeedMap, Form
from streams.feed.maps.source import (
    Column,
    FieldSource,
    FileRows,
    column_source,
    find,
    place_name,
    place_of,
)
from streams.wire import codec


class Shaped(NamedTuple):
    """The fields of some rows and their numbers, and how many rows a [[where]] left out.

    `further` has the cells of columns that are handed on beside the fields, where there are rows.
    `raw` are the rows (number, record) whose cells are none of their fields', each with its fault.
    """

    rows: Sequence[Fields]
    numbers: Sequence[int]
    filtered: int
    further: Mapping[str, Column] = {}
    raw: Sequence[tuple[int, bytes]] = ()


class Shape:
    """The header of one file, and what a map makes of its columns.

    Raises FeedError if the header lacks a column, or has one twice.
    """

    def __init__(self, path: Path, header: Sequence[str], feed_map: FeedMap) -> None:
        self.path = path
        self.header = list(header)
        self.where = feed_map.where
        fields, required = feed_map.form[:2]
        sources = feed_map.fields
        if not sources:
            sources = {name: column_source((name,)) for name in fields if name in header}
        self.further = feed_map.further or _left_over(header, sources, feed_map.form)
        wanted = {names: field for field, source in sources.items() for names in source.needs} | {
            where.names: "[[where]]" for where in feed_map.where
        }
        self.places = _places_of(wanted, self.header)
        known = {*header, *self.places}
        problems = [
            f"{field} comes from column {' or '.join(names)}, and there is none"
            for names, field in wanted.items()
            if not set(names) & known
        ]
        problems += [f"there is no column {name}" for name in self.further if name not in header]
        missing = [name for name in required if name not in sources]
        problems += [f"there is no column {name}" for name in missing]
        self.needed = [
            next(name for name in names if name in known)
            for names in (*wanted, *((name,) for name in self.further))
            if set(names) & known
        ]
        counts = Counter(header)
        problems += [
            f"there are {counts[name]} columns {name}: which is it? A map may name it by its number"
            for name in dict.fromkeys(self.needed)
            if counts[name] > 1
        ]
        if problems:
            problems.append(f"its columns are {', '.join(header) or 'none'}")
            if missing:
                first = "" if feed_map.form.takes_further else "; weir map FILE writes a first one"
                problems.append(f"name the columns' meaning by a map (--map){first}")
            raise FeedError(problems, str(path))
        exact = [sources[name].needs for name in feed_map.form.exact if name in sources]
        exact.append(tuple(where.names for where in feed_map.where))
        self._exact = {name for needs in exact for names in needs for name in names}
        self._fields = fields
        self._ids = [fields.index(name) for name in feed_map.form.ids]
        self._sources = [_begun(sources.get(name)) for name in fields]
        is_plain = not feed_map.fields and not self.further
        self._is_own = is_plain and self.header == list(fields)

    def is_exact(self, number: int) -> bool:
        """Say whether what a column's cells say must not be guessed at; the first is number 0."""
        return bool({self.header[number], place_name(number + 1)} & self._exact)

    def place(self, name: str) -> int:
        """Return the place of a column, from 0, by its name or its number."""
        return self.places[name] if name in self.places else self.header.index(name)

    def of_rows(self, rows: list[list[str]], numbers: Sequence[int]) -> Shaped:
        """Return the fields of rows that have a cell for each column of the header, in order."""
        if self._is_own or not rows:
            self._strip_ids(rows)
            return Shaped(rows, numbers, 0)
        cells = list(zip(*rows, strict=True))
        columns = dict(zip(self.header, cells, strict=True))
        columns.update((name, cells[place]) for name, place in self.places.items())
        return self.of_columns(columns, numbers)

    def of_columns(self, columns: Mapping[str, Column], numbers: Sequence[int]) -> Shaped:
        """Return the fields of each row, made a column at a time."""
        table = FileRows(columns, plain_stem(self.path), numbers)
        for where in self.where:
            table = _kept(table, [where.keeps(cell) for cell in find(table, where.names)])
        filtered = len(numbers) - len(table.numbers)
        if not table.numbers:
            return Shaped([], [], filtered)
        nothing = [None] * len(table.numbers)
        made = [nothing if source is None else source.make(table) for source in self._sources]
        for place in self._ids:
            made[place] = [text.strip() if text else text for text in made[place]]
        faults = self._faults_of(made)
        if faults:
            keeps = [place not in faults for place in range(len(table.numbers))]
            raw = [(table.numbers[place], record) for place, record in faults.items()]
            made = [list(compress(column, keeps)) for column in made]
            table = _kept(table, keeps)
        else:
            raw = []
        further = {name: table.columns[name] for name in self.further}
        return Shaped(list(zip(*made, strict=True)), table.numbers, filtered, further, raw)

    def number_of(self, field: str) -> int | None:
        """Return the number of the one column that a field comes from, from 0; None if none."""
        source = self._sources[self._fields.index(field)]
        if source is None or len(source.needs) != 1:
            return None
        known = {*self.header, *self.places}
        return next(self.place(name) for name in source.needs[0] if name in known)

    def of_column(self, number: int, cells: Column) -> list[Fields]:
        """Return rows of the one field of the form, which comes from a column."""
        (source,) = self._sources
        assert source is not None
        columns = {self.header[number]: cells, place_name(number + 1): cells}
        table = FileRows(columns, plain_stem(self.path), range(len(cells)))
        return list(zip(source.make(table), strict=True))

    def _strip_ids(self, rows: list[list[str]]) -> None:
        """Take the blanks around ids off, in place: nearly no file has any."""
        for place in self._ids:
            texts = [*map(itemgetter(place), rows)]
            stripped = [*map(str.strip, texts)]
            if texts != stripped:
                for row, text in zip(rows, stripped, strict=True):
                    row[place] = text

    def _faults_of(self, made: Sequence[Column]) -> dict[int, bytes]:
        """Return the records of rows with a fault, which the monitor rejects, by their places."""
        faults: dict[int, bytes] = {}
        for name, source, column in zip(self._fields, self._sources, made, strict=True):
            if source is None or source.fault_of is None:
                continue
            for place, text in enumerate(column):
                if text and place not in faults and (fault := source.fault_of(text)):
                    row = dict(zip(self._fields, (cells[place] for cells in made), strict=True))
                    faults[place] = codec.faulty_bytes(row, f"{name} is {text[:40]!r}: {fault}")
        return faults


def _places_of(wanted: Iterable[tuple[str, ...]], header: Sequence[str]) -> dict[str, int]:
    """Return the places, from 0, of the columns that are called by their number."""
    numbers = {name: place_of(name) for names in wanted for name in names if name not in header}
    return {
        name: number - 1
        for name, number in numbers.items()
        if number is not None and 1 <= number <= len(header)
    }


def _begun(source: FieldSource | None) -> FieldSource | None:
    """Return the source of one file: of one that keeps something, with nothing kept yet."""
    if source is None or source.begin is None:
        return source
    return source._replace(make=source.begin())


def _left_over(
    header: Sequence[str], sources: Mapping[str, FieldSource], form: Form
) -> tuple[str, ...]:
    """Return the columns that no field comes from, where the form takes any."""
    if not form.takes_further:
        return ()
    used = {name for source in sources.values() for names in source.needs for name in names}
    by_number = [place_of(name) for name in used]
    used |= {header[number - 1] for number in by_number if number and number <= len(header)}
    return tuple(dict.fromkeys(name for name in header if name and name not in used))


def _kept(table: FileRows, keeps: list[bool]) -> FileRows:
    if all(keeps):
        return table
    return table._replace(
        columns={name: list(compress(cells, keeps)) for name, cells in table.columns.items()},
        numbers=list(compress(table.numbers, keeps)),
    )


BATCH_ROWS: Final = 5000


class Batch(NamedTuple):
    """Some rows of a file.

    `rows` has the fields of each readable row and `numbers` its number (1 is the first below the
    header); `raw` has the others (number, bytes): records as they are, or rows that are none.
    `further` has the columns that were asked for beside the fields, a cell for each of `rows`;
    where there are no rows it may be empty. `files` has the file of each of `rows`, then of `raw`,
    where they are of several; where it is empty, all are of `path`. `passed` counts lines that are
    no rows, by the reason. `lines_above` and `spans` say in which line a row begins, where a map
    asks for it. `skips` counts those of `skipped` that a format left out, by the reason, and
    `notes` says what is to be reported of the file.
    """

    path: Path
    rows: Sequence[Fields]
    numbers: Sequence[int]
    raw: Sequence[tuple[int, bytes]]
    share_read: float  # of the file, 0 to 1
    skipped: int = 0  # rows that the map says to pass over: filtered, or an incomplete last line
    filtered: int = 0  # those of `skipped` that a [[where]] of the map leaves out
    further: Mapping[str, Column] = {}
    files: Sequence[Path] = ()
    passed: Mapping[str, int] = {}
    lines_above: int = 0  # above row 1, the header among them, and within rows of earlier batches
    spans: Mapping[int, int] = {}  # of rows of several lines: how many beside the first
    skips: Mapping[str, int] = {}
    notes: Sequence[str] = ()

    def line_of(self, number: int) -> int:
        """Return the line of the file in which a row of this batch begins; the first is 1."""
        within = sum(lines for row, lines in self.spans.items() if row < number)
        return number + self.lines_above + within

    def file_of(self, place: int) -> Path:
        """Return the file of what stands at a place: `rows` first, then `raw`."""
        return self.files[place] if self.files else self.path


def records_of(batch: Batch) -> Iterator[tuple[str | None, bytes, str | None]]:
    """Yield account id (None if a record names none), record and booked_at of each row, to send.

    In the order in which `Replay` takes them, so that a stream and a replay give one answer.
    """
    for fields in batch.rows:
        yield fields[1] or None, codec.transaction_bytes(fields), fields[2]
    for _, value in batch.raw:
        item = codec.decode(value)
        if isinstance(item, Transaction):
            yield item.account_id, value, event_time_text(item.event_time)
        else:
            yield None, value, None
