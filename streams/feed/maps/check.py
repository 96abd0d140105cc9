"""Reads a file by a map to its end, and counts: rows, sums, and the lines that cannot be read."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from monitor.core.money import EXPONENT, amount_text
from monitor.core.transaction import FIELDS, Fields, Reason, Rejection, transaction_of
from streams.feed.mapping import FeedMap
from streams.feed.rows import Batch
from streams.wire import codec

ROWS_SHOWN: Final = 10

_ADVICE: Final = {
    "transaction_id": "take another column, or make ids by content = [...] or or_content = [...]",
    "account_id": "take another column, or a constant if the file is of one account",
    "booked_at": "say how it is written: format, time_zone, epoch or step",
    "amount": 'say how it is written: number = "1.234,50", signs or minor_units',
    "currency": "take another column, a constant, or values = { ... }",
    "direction": "take sign_of, the columns debit and credit, or values = { ... }",
    "line": "mend it, or say by skip_lines, footer, comments or [[where]] that it is no row",
}
_OTHERWISE: Final = "mend the cell, or take another column"


class Unread(NamedTuple):
    """Lines that cannot be read for one reason: how many, and the first of them."""

    reason: Reason
    field: str  # "line" if it is no row at all
    columns: tuple[str, ...]
    rows: int
    line: int
    said: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return _ADVICE.get(self.field, _OTHERWISE)


class Sum(NamedTuple):
    """All readable rows of one currency and direction, exactly."""

    currency: str
    direction: str
    rows: int
    amount: str


class Check(NamedTuple):
    """What came of a file that was read by a map; each of its rows is counted once."""

    readable: int
    unreadable: int
    left_out: int
    passed: Counter[str]
    sums: list[Sum]
    faults: list[Unread]
    repeated_ids: int
    first_rows: list[Fields]

    @property
    def is_good(self) -> bool:
        """Whether there are rows, and all can be read."""
        return self.readable > 0 and not self.unreadable


def checked(path: Path, batches: Iterable[Batch], feed_map: FeedMap) -> Check:
    """Return what comes of the rows of a file, which is read to its end.

    Raises FeedError if the file cannot be read on, OSError.
    """
    counting = _Counting(path, feed_map)
    for batch in batches:
        counting.take(batch)
    return counting.result()


class _Counting:
    def __init__(self, path: Path, feed_map: FeedMap) -> None:
        self._path = path
        self._feed_map = feed_map
        self._readable = self._unreadable = self._left_out = 0
        self._passed: Counter[str] = Counter()
        self._sums: dict[tuple[str, str], list[int]] = {}
        self._faults: dict[tuple[Reason, str], Unread] = {}
        self._ids: set[tuple[str, str]] = set()
        self._repeated = 0
        self._first_rows: list[Fields] = []

    def take(self, batch: Batch) -> None:
        self._left_out += batch.filtered
        self._passed.update(batch.passed)
        self._passed.update(batch.skips)
        if cut := batch.skipped - batch.filtered - sum(batch.skips.values()):
            self._passed["incomplete last line"] += cut
        for number, row in zip(batch.numbers, batch.rows, strict=True):
            item = transaction_of(row)
            if isinstance(item, Rejection):
                self._note(item, batch.line_of(number))
                continue
            self._readable += 1
            counted = self._sums.setdefault((item.currency, item.direction), [0, 0])
            counted[0] += 1
            counted[1] += item.amount_minor
            key = item.account_id, item.transaction_id
            self._repeated += key in self._ids
            self._ids.add(key)
            if len(self._first_rows) < ROWS_SHOWN:
                self._first_rows.append(row)
        for number, value in batch.raw:
            item = codec.decode(value)
            detail = item.detail if isinstance(item, Rejection) and value[:1] == b"{" else ""
            if not detail:
                text = value[:80].decode(errors="replace")
                detail = f"it is no row: other cells than the header has, or broken text: {text!r}"
            self._note(Rejection(Reason.MALFORMED, detail), batch.line_of(number))

    def _note(self, item: Rejection, line: int) -> None:
        self._unreadable += 1
        field = _field_of(item)
        known = self._faults.get((item.reason, field))
        if known is not None:
            first = min(
                known, known._replace(line=line, said=item.detail), key=lambda fault: fault.line
            )
            self._faults[item.reason, field] = first._replace(rows=known.rows + 1)
            return
        source = self._feed_map.fields.get(field)
        columns = (
            tuple(dict.fromkeys(" or ".join(names) for names in source.needs)) if source else ()
        )
        said = f"missing: {item.detail}" if item.reason is Reason.MISSING_FIELD else item.detail
        self._faults[item.reason, field] = Unread(item.reason, field, columns, 1, line, said)

    def result(self) -> Check:
        sums = [
            Sum(currency, direction, count, amount_text(total, EXPONENT[currency]))
            for (currency, direction), (count, total) in sorted(self._sums.items())
        ]
        faults = sorted(self._faults.values(), key=lambda fault: (-fault.rows, fault.line))
        return Check(
            self._readable,
            self._unreadable,
            self._left_out,
            +self._passed,
            sums,
            faults,
            self._repeated,
            self._first_rows,
        )


def _field_of(item: Rejection) -> str:
    """Return the field that a rejection names first; "line" if it names none."""
    word = item.detail.replace(",", " ").split(" ", 1)[0]
    if item.reason is Reason.UNKNOWN_CURRENCY:
        return "currency"
    return word if word in FIELDS else "line"
