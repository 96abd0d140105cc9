"""The journal: the transactions of one day that one flush took in, by column.

It says what a duplicate is, and what a reversal takes back. A second sort of chunk has the records
of reversals that wait, as they are rejected where nothing comes for them. A chunk is kept until its
day is closed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import Raw

from models.arrays import Bytes, Ints
from monitor.core.account import SERIES, SERIES_INDEX
from monitor.core.table_reader import is_whole
from monitor.ledger.ledger import NO_AMOUNT, SERIES_BITS, SERIES_MASK, Entry
from monitor.ordinary import packing, restored_ids
from monitor.ordinary.entry_rows import EntryRows
from monitor.ordinary.layout import Table
from monitor.ordinary.restored_ids import KeptIds
from streams.state.keys import FORMAT, decode, packed, unpacked
from streams.state.pieces import PIECE_BYTES_MAX

ORIGINALS_BYTES_MAX: Final = 1 << 18
"""Bytes of originals in one chunk; a greater one has a chunk of its own."""

_PLACE_MASK: Final = SERIES_MASK | NO_AMOUNT


class Original(NamedTuple):
    """The record of a reversal that waits: its key, and its rejection as it would be written."""

    offset: int
    key: bytes | None
    rejection: bytes


ENTRIES_MAX: Final = 10_000
"""Of a chunk: with ids of the usual length so many fit a record twice over."""


class Chunk(NamedTuple):
    """A journal chunk that is kept, by its key, until its day is closed."""

    key: bytes
    day: int


class JournalChunk(NamedTuple):
    """What a journal chunk holds: entries, or originals."""

    day: int
    entries: list[Entry]
    originals: list[Original]


Entries = Sequence[Entry] | EntryRows


def chunks_by_day(
    entries: Iterable[Entry], rows: Sequence[EntryRows]
) -> Iterator[tuple[int, bytes]]:
    """Yield the chunks of entries, some of which are rows, each with its day."""
    by_day: dict[int, list[Entry]] = {}
    for entry in entries:
        by_day.setdefault(entry.day, []).append(entry)
    of_days: list[tuple[int, Entries]] = [*by_day.items()]
    if rows:
        of_days += EntryRows.joined(rows).by_day()
    for day, of_day in of_days:
        for chunk in journal_chunks(day, of_day):
            yield day, chunk


def journal_chunks(day: int, entries: Entries) -> Iterator[bytes]:
    """Yield entries of one day as chunks, each of which fits a record."""
    for first in range(0, len(entries), ENTRIES_MAX):
        yield from _fitting(day, entries[first : first + ENTRIES_MAX])


def _fitting(day: int, entries: Entries) -> Iterator[bytes]:
    chunk = (
        rows_bytes(day, entries) if isinstance(entries, EntryRows) else journal_bytes(day, entries)
    )
    if len(chunk) <= PIECE_BYTES_MAX:
        yield chunk
        return
    half = len(entries) // 2
    assert half, "one entry fits: its ids are bounded"
    yield from _fitting(day, entries[:half])
    yield from _fitting(day, entries[half:])


def journal_bytes(day: int, entries: Sequence[Entry]) -> bytes:
    """Return a journal chunk: entries of one day, by column.

    A transaction takes some 8 bytes and its id; each account stands once. The ids are one text:
    thousands of short ones take longer to write.
    """
    offsets, accounts, names, _, contents, reverses = zip(*entries, strict=True)
    account_index = {account_id: index for index, account_id in enumerate(dict.fromkeys(accounts))}
    places = [content & _PLACE_MASK for content in contents]
    series_index = {series: index for index, series in enumerate(sorted(set(places)))}
    return packed(
        (
            day,
            offsets[0],
            [later - earlier for earlier, later in pairwise(offsets)],
            [(*SERIES[place & SERIES_MASK], bool(place & NO_AMOUNT)) for place in series_index],
            list(account_index),
            list(map(account_index.__getitem__, accounts)),
            "".join(names),
            list(map(len, names)),
            [content >> SERIES_BITS for content in contents],
            list(map(series_index.__getitem__, places)),
            []
            if reverses.count(None) == len(reverses)
            else [(place, *undone) for place, undone in enumerate(reverses) if undone is not None],
        )
    )


def rows_bytes(day: int, entries: EntryRows) -> bytes:
    """Return the journal chunk of entries that are rows: what `journal_bytes` says of them."""
    rows, texts = entries.rows, entries.texts
    offsets, contents = rows["offset"], rows["content"]
    places = contents & _PLACE_MASK
    is_there = np.zeros(_PLACE_MASK + 1, np.int64)
    is_there[places] = 1
    series = np.flatnonzero(is_there).tolist()
    firsts, accounts = packing.numbered(rows["account"].astype(np.int64))
    of_accounts = rows[firsts]
    return packed(
        (
            day,
            int(offsets[0]),
            _numbers(np.diff(offsets)),
            [(*SERIES[place & SERIES_MASK], bool(place & NO_AMOUNT)) for place in series],
            _texts(packing.packed_texts, texts, of_accounts, "account"),
            _numbers(accounts),
            _texts(packing.packed_joined, texts, rows, "id"),
            _numbers(rows["id_length"]),
            _numbers(contents >> SERIES_BITS),
            _numbers((np.cumsum(is_there) - 1)[places]),
            [],
        )
    )


def _numbers(values: Ints) -> Raw:
    return Raw(packing.packed_numbers(values.astype(np.int64, copy=False)).tobytes())


def _texts(pack: Callable[[Bytes, Ints, Ints], Bytes], texts: Bytes, rows: Table, name: str) -> Raw:
    begins, lengths = (rows[name + field].astype(np.int64) for field in ("_at", "_length"))
    return Raw(pack(texts, begins, lengths).tobytes())


def originals_bytes(day: int, originals: Sequence[Original]) -> Iterator[bytes]:
    """Yield journal chunks of the originals of one day."""
    some: list[Original] = []
    size = 0
    for original in originals:
        if some and size + len(original.rejection) > ORIGINALS_BYTES_MAX:
            yield packed((day, some))
            some, size = [], 0
        some.append(original)
        size += len(original.rejection)
    if some:
        yield packed((day, some))


def kept_ids_of(value: bytes) -> KeptIds | None:
    """Return a chunk of entries for kernels; None if they cannot read it."""
    data = np.frombuffer(value, np.uint8)
    begins = packing.begins_of_fields(data, 0, restored_ids.CHUNK_FIELDS)
    if not begins.size:
        return None
    ends = begins.tolist()

    def field(number: int) -> Any:  # noqa: ANN401 - as it was kept
        return decode(value[ends[number] : ends[number + 1]])

    day, first_offset = field(restored_ids.CHUNK_DAY), field(restored_ids.FIRST_OFFSET)
    is_known = field(restored_ids.FORM) == FORMAT
    if not (is_known and is_whole(day) and is_whole(first_offset)):
        return None
    series = [_place_of(*named) for named in field(restored_ids.SERIES)]
    reversing = sorted(place for place, *_ in field(restored_ids.REVERSALS))
    return KeptIds(
        data,
        begins,
        day,
        first_offset,
        np.array(series, np.int64),
        np.array(reversing, np.int64),
    )


def _place_of(direction: str, currency: str, has_no_amount: bool) -> int:  # noqa: FBT001 - as kept
    """Return the lowest bits of the content of transactions, which say their series."""
    return SERIES_INDEX[direction][currency] | (NO_AMOUNT if has_no_amount else 0)


def chunk_of(value: bytes) -> JournalChunk:
    """Return what a journal chunk holds."""
    day, first, *columns = unpacked(value)
    if not columns:
        return JournalChunk(day, [], [Original(*fields) for fields in first])
    gaps, series, account_ids, accounts, names, sizes, amounts, series_indexes, reversals = columns
    places = [_place_of(*named) for named in series]
    reverses = {place: (name, of_day) for place, name, of_day in reversals}
    ends = accumulate(sizes)
    rows = zip(
        accumulate(gaps, initial=first), accounts, sizes, ends, amounts, series_indexes, strict=True
    )
    return JournalChunk(
        day,
        [
            tuple.__new__(
                Entry,
                (
                    offset, account_ids[account], names[end - size : end], day,
                    amount << SERIES_BITS | places[series_index], reverses.get(place),
                ),
            )
            for place, (offset, account, size, end, amount, series_index) in enumerate(rows)
        ],
        [],
    )  # fmt: skip
