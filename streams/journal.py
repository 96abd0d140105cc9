"""The journal: the transactions of one day that one flush took in, by column.

Ids are 64-bit hashes: what tells a duplicate, and what a reversal takes back. A chunk is kept until
its day is closed.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from monitor.core.account import SERIES, SERIES_INDEX
from monitor.ledger import NOTHING, SERIES_BITS, Entry
from streams.kept_format import packed, unpacked

_SERIES_MASK: Final = (1 << SERIES_BITS) - 1


ENTRIES_MAX: Final = 10_000
"""Of a chunk: an entry takes 30 bytes at most, and there is room for twice as much."""


class Chunk(NamedTuple):
    """A journal chunk that is kept, by its key, until its day is closed."""

    key: bytes
    day: int


def journal_chunks(day: int, entries: Sequence[Entry]) -> Iterator[bytes]:
    """Yield entries of one day as chunks, each of which fits a record."""
    for first in range(0, len(entries), ENTRIES_MAX):
        yield journal_bytes(day, entries[first : first + ENTRIES_MAX])


def journal_bytes(day: int, entries: Sequence[Entry]) -> bytes:
    """Return a journal chunk: entries of one day, by column, about 16 bytes each."""
    offsets, buckets, hashes, _, contents = zip(*entries, strict=True)
    places = [content & _SERIES_MASK for content in contents]
    series = sorted({of for of, c in zip(places, contents, strict=True) if c != NOTHING})
    series_index = {of: index for index, of in enumerate(series)}
    series_index.setdefault(NOTHING & _SERIES_MASK, 0)
    return packed(
        (
            day,
            offsets[0],
            [later - earlier for earlier, later in pairwise(offsets)],
            [SERIES[of] for of in series],
            buckets,
            struct.pack(f">{len(entries)}Q", *hashes),
            [NOTHING if content == NOTHING else content >> SERIES_BITS for content in contents],
            [series_index[of] for of in places],
        )
    )


def entries_of(value: bytes) -> tuple[int, list[Entry]]:
    """Return the day and the entries of a journal chunk."""
    day, offset, gaps, series, buckets, hashes, amounts, series_indexes = unpacked(value)
    series = [SERIES_INDEX[direction][currency] for direction, currency in series]
    rows = zip(
        accumulate(gaps, initial=offset), buckets, struct.unpack(f">{len(buckets)}Q", hashes),
        amounts, series_indexes, strict=True,
    )  # fmt: skip
    return day, [
        tuple.__new__(
            Entry,
            (
                offset, bucket, id_hash, day,
                NOTHING if amount == NOTHING else amount << SERIES_BITS | series[series_index],
            ),
        )
        for offset, bucket, id_hash, amount, series_index in rows
    ]  # fmt: skip
