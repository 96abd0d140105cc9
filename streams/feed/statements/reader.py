"""Reads a statement as rows: ids, reversals and counts are the same for every format."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Final, NamedTuple

from streams.feed.formats.packed import open_bytes
from streams.feed.formats.reading import CAMT, MT940, OFX
from streams.feed.mapping import TIMES, FeedError, FeedMap
from streams.feed.rows import BATCH_ROWS, Batch, Shape
from streams.feed.statements.entry import (
    COLUMNS,
    EntryFault,
    EntryNames,
    Item,
    Note,
    Skip,
    StatementEntry,
    decimal_of,
)
from streams.wire import codec

NOTES_MAX: Final = 20
"""Notes of a file that are told one by one; the others are counted."""

READ_BYTES: Final = 1 << 16
MARK_BYTES_MAX: Final = 128
"""Bytes that a mark of a reversal may have."""

_MARKS: Final = re.compile(
    rb"RvslInd[^>]{0,60}>\s{0,20}(?:true|1)|:61:\s?\d{6}\s?(?:\d{4})?\s?R[CD]|CORRECTFITID|\x00",
    re.IGNORECASE,
)
"""Marks of reversals in camt, MT940 and OFX; or of text with two bytes a character."""

_UNNAMED: Final = "take back what is not in this file: each counts as a transaction of its own"

Parse = Callable[[IO[bytes], Path], Iterator[Item]]


class StatementFile(NamedTuple):
    """A file of statements, and what a map makes of its columns."""

    shape: Shape
    feed_map: FeedMap
    parse: Parse


class _Original(NamedTuple):
    """A transaction that another one may take back."""

    transaction_id: str
    entry: StatementEntry


Originals = dict[tuple[str, str, str], list[_Original]]
"""Transactions of a file by account, currency and a reference that a reversal seeks."""


def open_statements(path: Path, feed_map: FeedMap, kind: str) -> StatementFile:
    """Return the file to be read. Raises FeedError if a map says what it has not."""
    if not feed_map.layout.is_plain:
        problem = f"it is a statement ({kind}): the map's keys of lines and headers are for CSV"
        raise FeedError([problem], str(path))
    return StatementFile(Shape(path, COLUMNS, feed_map), feed_map, _parser_of(kind))


def read_statements(file: StatementFile) -> Iterator[Batch]:
    """Yield the booked transactions of all statements of a file, numbered as its entries are.

    Raises FeedError if the file is no such statement, or damaged; OSError.
    """
    shape, feed_map, _ = file
    path, reading = shape.path, feed_map.reading
    is_whole = feed_map.form is not TIMES and _may_take_back(path)
    originals = _originals_of(file) if is_whole else {}
    size = max(path.stat().st_size, 1)
    names, number = EntryNames(), 0
    taken = _Taken(shape)
    with open_bytes(path) as binary:
        for item in file.parse(binary, path):
            if isinstance(item, Note):
                taken.notes.append(item.text)
                continue
            number += 1
            if isinstance(item, Skip):
                taken.skips[item.reason] += 1
            elif isinstance(item, EntryFault):
                taken.raw.append((number, codec.faulty_bytes(item.fields, item.text)))
            else:
                name = names.id_of(item)
                original = _original_of(item, originals)
                reverses = original.transaction_id if original and not item.replaces else ""
                if item.seeks and not (original or item.reverses):
                    taken.unnamed += 1
                if original and item.replaces:
                    taken.add(
                        number,
                        _taking_back(original).row(
                            f"{name}/correction", original.transaction_id, reading
                        ),
                    )
                    number += 1
                taken.add(number, item.row(name, reverses or item.reverses, reading))
            if len(taken.rows) + len(taken.raw) >= BATCH_ROWS:
                yield taken.batch(min(binary.tell() / size, 1.0))
    yield taken.batch(1.0)._replace(notes=taken.all_notes())


class _Taken:
    """What was read of a file until it is a batch."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.rows: list[list[str]] = []
        self.raw: list[tuple[int, bytes]] = []
        self.skips: Counter[str] = Counter()
        self.notes: list[str] = []
        self.unnamed = 0
        self._numbers: list[int] = []

    def add(self, number: int, row: list[str]) -> None:
        self.rows.append(row)
        self._numbers.append(number)

    def batch(self, share: float) -> Batch:
        shaped = self._shape.of_rows(self.rows, self._numbers)
        skipped = shaped.filtered + self.skips.total()
        batch = Batch(
            self._shape.path,
            shaped.rows,
            shaped.numbers,
            [*self.raw, *shaped.raw],
            share,
            skipped,
            shaped.filtered,
            shaped.further,
            skips=dict(self.skips),
        )
        self.rows, self._numbers, self.raw, self.skips = [], [], [], Counter()
        return batch

    def all_notes(self) -> list[str]:
        shown, more = self.notes[:NOTES_MAX], len(self.notes) - NOTES_MAX
        if more > 0:
            shown.append(f"and {more:,} notes more")
        if self.unnamed:
            shown.append(f"{self.unnamed:,} reversals {_UNNAMED}")
        return [f"{self._shape.path.name}: {note}" for note in shown]


def _parser_of(kind: str) -> Parse:
    if kind == CAMT:
        from streams.feed.statements import camt  # noqa: PLC0415 - an extra

        return camt.items_of
    if kind == MT940:
        from streams.feed.statements import mt940  # noqa: PLC0415 - only if there is one

        return mt940.items_of
    assert kind == OFX
    from streams.feed.statements import ofx  # noqa: PLC0415 - only if there is one

    return ofx.items_of


def _may_take_back(path: Path) -> bool:
    """Say whether a file has the mark of any reversal; far faster than to read its entries."""
    rest = b""
    with open_bytes(path) as binary:
        while data := binary.read(READ_BYTES):
            seen = rest + data
            if _MARKS.search(seen):
                return True
            rest = seen[-MARK_BYTES_MAX:]
    return False


def _originals_of(file: StatementFile) -> Originals:
    """Return the transactions that entries of the file seek; the file is read again for them."""
    sought = {
        (entry.account, entry.currency, reference)
        for entry in _entries_of(file)
        for reference in entry.seeks
    }
    found: Originals = defaultdict(list)
    if sought:
        names = EntryNames()
        for entry in _entries_of(file):
            name = names.id_of(entry)
            if entry.is_reversal:
                continue
            for reference in entry.called:
                key = entry.account, entry.currency, reference
                if key in sought:
                    found[key].append(_Original(name, entry))
    return dict(found)


def _entries_of(file: StatementFile) -> Iterator[StatementEntry]:
    path = file.shape.path
    with open_bytes(path) as binary:
        for item in file.parse(binary, path):
            if isinstance(item, StatementEntry):
                yield item


def _original_of(entry: StatementEntry, originals: Originals) -> _Original | None:
    """Return the one transaction that an entry takes back; None unless exactly one fits.

    It is of the other direction, and at least as great, unless the bank names it by its id.
    """
    for reference in entry.seeks:
        found = [
            original
            for original in originals.get((entry.account, entry.currency, reference), ())
            if entry.reverses or entry.replaces or _fits(entry, original.entry)
        ]
        if len(found) == 1:
            return found[0]
    return None


def _fits(entry: StatementEntry, original: StatementEntry) -> bool:
    amount: Decimal = decimal_of(entry.amount)
    return original.is_credit != entry.is_credit and amount <= decimal_of(original.amount)


def _taking_back(original: _Original) -> StatementEntry:
    entry = original.entry
    return entry._replace(is_credit=not entry.is_credit)
