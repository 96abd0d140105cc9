"""Runs of records as rows and as items: read by kernels if a record is ordinary, else by the codec.

The items are those of `codec.decode_run`, whatever the bytes. Until the kernels are compiled on a
machine, a thread compiles them, and the codec decodes every record.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import repeat
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import Loading, plain
from monitor.core.as_of import judged
from monitor.core.currency import CURRENCIES
from monitor.core.transaction import CREDIT, DEBIT, FIELDS, Rejection, Transaction
from streams.wire import codec
from streams.wire.records import RecordBatch
from streams.wire.rows import checks, texts, walk
from streams.wire.rows.layout import (
    FIELD_NAMES,
    NAME_BYTES,
    NOWHERE,
    ODD,
    ODD_HEADERS,
    ORDINARY,
    PAIR_BYTES,
    RECORDS,
    Batches,
    Rows,
    RunColumns,
    currency_table,
    room_for_rows,
    room_for_texts,
)

Piece = RecordBatch | Sequence[codec.Record]

_Place = tuple[int, int, int, int]
"""Of a batch: what `Batches` has of it."""

RECORD_BYTES_LEAST: Final = 7
"""Of a record in a batch: each of its parts has a byte at least."""

CURRENCY_CODES: Final = tuple(sorted(CURRENCIES))
"""The currencies by their numbers in `RunColumns`."""

# An array hands out its objects in a fourth of the time that a function called for each takes.
_CODES: Final = np.array(CURRENCY_CODES, np.object_)
_DIRECTIONS: Final = np.array((DEBIT, CREDIT), np.object_)


class DamagedBatchError(ValueError):
    """Bytes of a record batch that are no records."""


class BatchRecord(NamedTuple):
    """A record of a batch, as `codec.Record` has it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, Any], ...]  # a value is bytes or None


class DecodedRun:
    """A run of records: when each was written, what each is, and the columns of all.

    `offsets` and `written_at` (microseconds since 1970) have a number for each record.
    """

    def __init__(
        self,
        columns: RunColumns,
        pieces: Sequence[Piece],
        aside: Mapping[int, Rejection] = MappingProxyType({}),
    ) -> None:
        self.columns = columns
        self._aside = aside  # what records are that have no bytes of ours, by their offsets
        self.offsets: list[int] = columns.rows["offset"].tolist()
        self._single = [piece for piece in pieces if not isinstance(piece, RecordBatch)]

    @cached_property
    def written_at(self) -> list[int]:
        """When each record was written: for Python, whose numbers have no end."""
        times: list[int] = self.columns.rows["timestamp"].tolist()
        return [time * codec.TIMESTAMP_UNIT for time in times]

    @cached_property
    def items(self) -> list[Transaction | Rejection]:
        """What each record is by itself: exactly what `codec.decode_run` says."""
        odd = np.flatnonzero(self.columns.rows["state"] != ORDINARY).tolist()
        items: list[Transaction | Rejection] = []
        if len(odd) < len(self.offsets):
            items += _transactions(self.columns)
        if odd:
            items = _merged(items, odd, self._decoded(odd))
        return items

    def _decoded(self, places: Sequence[int]) -> list[Transaction | Rejection]:
        """Return what odd records are, by their places."""
        items = codec.decode_run(map(self.bare_record, places))
        if self._aside:
            known = [self._aside.get(self.offsets[place]) for place in places]
            return [found or item for found, item in zip(known, items, strict=True)]
        return items

    @property
    def data(self) -> Bytes:
        """The bytes in which the texts of ordinary rows stand."""
        return self.columns.data

    @property
    def rows(self) -> Rows:
        """The rows of all records."""
        return self.columns.rows

    @property
    def has_heartbeats(self) -> bool:
        """Whether a record may be a heartbeat: then no kernel takes the run."""
        data, rows = self.columns
        length = rows["value_length"]
        may = (rows["state"] != ORDINARY) & (length > 0) & (length <= codec.HEARTBEAT_BYTES_MAX)
        return any(
            codec.HEARTBEAT in data[at : at + size].tobytes()
            for at, size in zip(rows["value_at"][may].tolist(), length[may].tolist(), strict=True)
        )

    def judged(self, clock_skew: int) -> list[Transaction | Rejection]:
        """Return what each record is as of its writing: `future` if it is dated too far ahead."""
        return judged(self.items, self.written_at, clock_skew)

    def judge_rows(self, clock_skew: int) -> None:
        """Let no row be ordinary that is dated too far ahead: Python says so."""
        rows = self.columns.rows
        # A producer may have written any time: in microseconds it may not fit 64 bits.
        earliest = -((clock_skew - rows["event_time"]) // codec.TIMESTAMP_UNIT)
        ahead = rows["timestamp"] < earliest
        rows["state"][ahead & (rows["state"] == ORDINARY)] = ODD

    def judged_at(self, places: Sequence[int], clock_skew: int) -> list[Transaction | Rejection]:
        """Return what some of the records are, by their places in order, as `judged` has it."""
        data, rows = self.columns
        some = rows[list(places)]
        odd = np.flatnonzero(some["state"] != ORDINARY).tolist()
        items: list[Transaction | Rejection] = []
        if len(odd) < len(some):
            items += _transactions(RunColumns(data, some))
        if odd:
            items = _merged(items, odd, self._decoded([places[place] for place in odd]))
        written_at = [time * codec.TIMESTAMP_UNIT for time in some["timestamp"].tolist()]
        return judged(items, written_at, clock_skew)

    def first_written(self, offsets: Iterable[int]) -> tuple[int, int] | None:
        """Return when the earliest of these records was written, and its offset.

        The time is in microseconds since 1970; of records with the same, the first offset.

        Offsets that no record of the run has are ignored; None if that is all of them.
        """
        timestamps, found = self.columns.rows["timestamp"], []
        for offset in offsets:
            row = bisect_left(self.offsets, offset)
            if row < len(self.offsets) and self.offsets[row] == offset:
                found.append((int(timestamps[row]) * codec.TIMESTAMP_UNIT, offset))
        return min(found, default=None)

    def record(self, offset: int) -> codec.Record:
        """Return the record that has an offset. Raises KeyError if none has it."""
        row = bisect_left(self.offsets, offset)
        if row == len(self.offsets) or self.offsets[row] != offset:
            raise KeyError(offset)
        if self.columns.rows["headers_at"][row] == NOWHERE:
            return self._single_records[offset]
        return self.bare_record(row)._replace(headers=_headers(self.columns, row))

    @cached_property
    def _single_records(self) -> dict[int, codec.Record]:
        return {record.offset: record for piece in self._single for record in piece}

    def bare_record(self, place: int) -> BatchRecord:
        """Return a record without its headers, which no decision asks for."""
        data, row = self.columns.data, self.columns.rows[place]
        return BatchRecord(
            int(row["offset"]),
            int(row["timestamp"]),
            _bytes_at(data, row["key_at"], row["key_length"]),
            _bytes_at(data, row["value_at"], row["value_length"]),
            (),
        )


def read_run(pieces: Iterable[Piece]) -> DecodedRun:
    """Return the records of a run, whose pieces are in the order of their offsets.

    A piece is a batch, or records as a consumer hands them on. Raises DamagedBatchError if the
    bytes of a batch are no records: a reader of Kafka's refuses the same batches.
    """
    pieces = list(pieces)
    return DecodedRun(_read(pieces), pieces)


def records_of(pieces: Iterable[Piece]) -> list[codec.Record]:
    """Return the records of a run, without headers. Raises DamagedBatchError as `read_run`."""
    pieces = list(pieces)
    run = DecodedRun(_walked(pieces, is_compiled=_KERNELS.are_ready()), pieces)
    return [run.bare_record(place) for place in range(len(run.offsets))]


def run_of_made(
    originals: Sequence[codec.Record],
    made: Sequence[codec.Record],
    aside: Mapping[int, Rejection],
) -> DecodedRun:
    """Return a run of records that were made of others, one of each, with the same offsets.

    `record` hands the originals out. `aside` says what those are of which nothing was made: their
    records have neither key nor value.
    """
    return DecodedRun(_read([made]), [originals], aside)


def _read(pieces: Sequence[Piece]) -> RunColumns:
    is_compiled = _KERNELS.are_ready()
    columns = _walked(pieces, is_compiled=is_compiled)
    if is_compiled:
        checks.read_values(*columns, CURRENCY_TABLE)
    return columns


# -- pieces to rows -------------------------------------------------------------------------------


def _walked(pieces: Sequence[Piece], *, is_compiled: bool) -> RunColumns:
    """Return the rows of all records, none of them parsed."""
    counts = [_count(piece) for piece in pieces]
    rows = [0, *np.cumsum(counts, dtype=np.int64).tolist()]
    parts: list[bytes] = []
    size = 0
    batches: list[_Place] = []
    single: list[tuple[int, int, Sequence[codec.Record]]] = []
    for row, end_row, piece in zip(rows, rows[1:], pieces, strict=False):
        if isinstance(piece, RecordBatch):
            parts.append(piece.data)
            batches.append((size, size + len(piece.data), row, end_row))
            size += len(piece.data)
        else:
            single.append((row, size, piece))
            for record in piece:
                key, value = record.key or b"", record.value or b""
                parts += (key, value)
                size += len(key) + len(value)
    data = b"".join(parts)
    columns = RunColumns(np.frombuffer(data, np.uint8), room_for_rows(rows[-1]))
    for row, at, records in single:
        _put_records(records, at, columns.rows[row : row + len(records)])
    of_batches = [piece for piece in pieces if isinstance(piece, RecordBatch)]
    if of_batches:
        _walk(data, batches, of_batches, columns, is_compiled=is_compiled)
        columns = _based(columns, of_batches)
    return columns


def _count(piece: Piece) -> int:
    """Return how many records a piece has. Raises DamagedBatchError if its bytes have not so many.

    So no memory is taken for a number that is wrong.
    """
    if not isinstance(piece, RecordBatch):
        return len(piece)
    if not 0 <= piece.count * RECORD_BYTES_LEAST <= len(piece.data):
        raise _damaged(piece)
    return piece.count


def _damaged(batch: RecordBatch) -> DamagedBatchError:
    return DamagedBatchError(
        f"the batch at offset {batch.first_offset} must have {batch.count} whole records"
        f" in its {len(batch.data)} bytes, and has not: it is damaged"
    )


def _put_records(records: Sequence[codec.Record], at: int, rows: Rows) -> None:
    """Fill the rows of records whose keys and values stand one after the other from a place on."""
    rows["offset"] = [record.offset for record in records]
    rows["timestamp"] = [record.timestamp for record in records]
    rows["key_length"] = [_length(record.key) for record in records]
    rows["value_length"] = [_length(record.value) for record in records]
    rows["headers_at"] = NOWHERE
    key_sizes = np.maximum(rows["key_length"], 0)
    sizes = key_sizes + np.maximum(rows["value_length"], 0)
    rows["key_at"] = at + np.cumsum(sizes) - sizes
    rows["value_at"] = rows["key_at"] + key_sizes


def _length(part: bytes | None) -> int:
    return -1 if part is None else len(part)


def _walk(
    data: bytes,
    places: Sequence[_Place],
    batches: Sequence[RecordBatch],
    columns: RunColumns,
    *,
    is_compiled: bool,
) -> None:
    """Fill the rows of batches. Raises DamagedBatchError if the bytes of one are no records."""
    by_column = list(zip(*places, strict=True))
    if is_compiled:
        arrays = Batches._make(np.array(column, np.int64) for column in by_column)
        damaged = walk.walk(columns.data, arrays, columns.rows)
    else:
        damaged = plain(walk.walk)(data, Batches._make(by_column), columns.rows)
    if damaged != NOWHERE:
        raise _damaged(batches[damaged])
    for row in np.flatnonzero(columns.rows["state"] == ODD_HEADERS).tolist():
        try:
            _headers(columns, row)
        except UnicodeDecodeError as error:
            within = next(n for n, (*_, end_row) in enumerate(places) if row < end_row)
            raise _damaged(batches[within]) from error
        columns.rows["state"][row] = ODD


def _based(columns: RunColumns, batches: Sequence[RecordBatch]) -> RunColumns:
    """Return rows whose offsets and times are no longer counted from those of their batches.

    Records before the offset to begin from are left out. So is one whose offset is not above all
    before it, as a consumer passes over it.
    """
    rows = columns.rows
    places = np.flatnonzero(rows["headers_at"] != NOWHERE)
    counts = [batch.count for batch in batches]

    def of_each(numbers: Sequence[int]) -> Ints:
        """Return the number of its batch for each record."""
        return np.repeat(np.array(numbers, np.int64), counts)

    offsets = rows["offset"][places] + of_each([batch.first_offset for batch in batches])
    rows["offset"][places] = offsets
    rows["timestamp"][places] *= of_each([batch.append_time is None for batch in batches])
    rows["timestamp"][places] += of_each(
        [b.first_timestamp if b.append_time is None else b.append_time for b in batches]
    )
    keep = offsets >= of_each([batch.from_offset for batch in batches])
    keep[1:] &= offsets[1:] > np.maximum.accumulate(offsets)[:-1]
    if keep.all():
        return columns
    return columns._replace(rows=np.delete(rows, places[~keep]))


def _bytes_at(data: Bytes, at: int, length: int) -> bytes | None:
    """Return some of the bytes of a run; None for a length of -1."""
    return None if length < 0 else data[at : at + length].tobytes()


def _headers(columns: RunColumns, row: int) -> tuple[tuple[str, Any], ...]:
    """Return the headers of a record. Raises UnicodeDecodeError if a name is not UTF-8."""
    part, view = plain(walk.part), columns.data.data
    at, end = int(columns.rows["headers_at"][row]), columns.data.size
    headers = []
    for _ in range(columns.rows["headers"][row]):
        name_at, name_length, at = part(view, at, end)
        value_at, value_length, at = part(view, at, end)
        name = _bytes_at(columns.data, name_at, name_length)
        assert name is not None, "the walk refuses a name that is null"
        headers.append((name.decode(), _bytes_at(columns.data, value_at, value_length)))
    return tuple(headers)


# -- rows to items --------------------------------------------------------------------------------


def _transactions(columns: RunColumns) -> list[Transaction]:
    """Return the transactions of the ordinary rows."""
    data, rows = columns
    room = room_for_texts(data.size, rows.size)
    texts.gather(data, rows, room)
    count = int(room.used[RECORDS])
    if count < rows.size:
        rows = rows[rows["state"] == ORDINARY]
    pairs = _split(room.pairs, room.used[PAIR_BYTES])
    # The text behind the last line feed is no text: it becomes that of the number -1.
    names = np.array(_split(room.names, room.used[NAME_BYTES]), np.object_)
    names[-1] = None
    fields = zip(
        pairs[0 : 2 * count : 2],
        pairs[1 : 2 * count : 2],
        rows["event_time"].tolist(),
        rows["amount"].tolist(),
        _CODES[rows["currency"]].tolist(),
        _DIRECTIONS[rows["is_credit"]].tolist(),
        *names[room.name[:count].T].tolist(),
        strict=True,
    )
    # A NamedTuple's own constructor costs twice as much as this.
    return list(map(tuple.__new__, repeat(Transaction), fields))


def _split(room: Bytes, used: int) -> list[str]:
    """Return the texts that a line feed follows each, and an empty one."""
    return bytes(room[:used].data).decode("ascii").split("\n")


def _merged(
    ordinary: Sequence[Transaction | Rejection],
    odd_rows: Sequence[int],
    odd: Sequence[Transaction | Rejection],
) -> list[Transaction | Rejection]:
    """Return the items of all rows in order; the odd ones are of these rows."""
    items: list[Transaction | Rejection] = []
    taken = 0
    for before, (row, item) in enumerate(zip(odd_rows, odd, strict=True)):
        items += ordinary[taken : row - before]
        taken = row - before
        items.append(item)
    items += ordinary[taken:]
    return items


# -- the kernels ----------------------------------------------------------------------------------


CURRENCY_TABLE: Final = currency_table([(code, *CURRENCIES[code]) for code in CURRENCY_CODES])

assert [name.decode() for name in FIELD_NAMES] == [*FIELDS, codec.FAULT]


def _load() -> None:
    """Load or compile all kernels, by one record."""
    columns = _walked([_SAMPLE], is_compiled=True)
    checks.read_values(*columns, CURRENCY_TABLE)
    _transactions(columns)


_SAMPLE: Final = RecordBatch(bytes((12, 0, 0, 0, 1, 1, 0)), 1, 0, 0, None, 0)
"""A record without a key and a value."""

_KERNELS: Final = Loading(_load, "kernels of rows")


def prepare() -> None:
    """Load the kernels now: a second; the first time on a machine they are compiled."""
    _KERNELS.load()


def prepare_soon() -> None:
    """Load them in a thread, if nobody does yet; until they are there the codec reads."""
    _KERNELS.are_ready()
