"""Puts the ids of transactions back into their table, from the chunks of the journal.

As with the accounts (`restored.py`), a kernel believes nothing that it has not looked at.
"""

from typing import NamedTuple

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import borrowed, compiled
from monitor.ordinary.layout import IDS_USED, KEY_0, KEY_1, Table
from monitor.ordinary.packing import (
    ASCII_LAST,
    BROKEN,
    read_array_head,
    read_number,
    read_text_head,
)
from monitor.ordinary.tables import SEPARATOR, crc32, hash_of, place_of_id

ID_MAX = 1 << 10
"""Bytes of an id that kernels put back, of an account or a transaction."""

AMOUNT_MAX = 1 << 49
SERIES_BITS = 12
"""As the ledger has the content of a transaction."""

(
    FORM,
    CHUNK_DAY,
    FIRST_OFFSET,
    GAPS,
    SERIES,
    ACCOUNT_IDS,
    ACCOUNT_NUMBERS,
    NAMES,
    SIZES,
    AMOUNTS,
    SERIES_NUMBERS,
    REVERSALS,
) = range(12)
CHUNK_FIELDS = 12
"""The fields of a journal chunk, as `streams/state/journal.py` writes them."""


@compiled
def restore_ids(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - all columns side by side
    numbers: Ints,
    ids: Table,
    data: Bytes,
    begins: Ints,
    day: int,
    first_offset: int,
    series: Ints,
    reversing: Ints,
    offset_last: int,
    bucket_offsets: Ints,
    left: Ints,
) -> tuple[int, int]:
    """Put the ids of a journal chunk into their table; return how many are new, and how many left.

    Only what is at or below `offset_last`, or the offset of its bucket, counts. `left` gets the
    places of those that Python is to put: the reversals (`reversing`, in order), and those that
    another day holds. They are -1 if the columns are not all as a kernel may believe: Python is to
    put all then, and finds those that are new there already. There is room for all.
    """
    data = borrowed(data)
    count, account_at = read_array_head(data, begins[ACCOUNT_NUMBERS], begins[NAMES])
    steps, gap_at = read_array_head(data, begins[GAPS], begins[SERIES])
    known, text_at = read_array_head(data, begins[ACCOUNT_IDS], begins[ACCOUNT_NUMBERS])
    name_bytes, name_at = read_text_head(data, begins[NAMES], begins[SIZES])
    sizes, size_at = read_array_head(data, begins[SIZES], begins[AMOUNTS])
    amounts, amount_at = read_array_head(data, begins[AMOUNTS], begins[SERIES_NUMBERS])
    kinds, kind_at = read_array_head(data, begins[SERIES_NUMBERS], begins[REVERSALS])
    if min(account_at, gap_at, text_at, name_at, size_at, amount_at, kind_at) == BROKEN:
        return 0, BROKEN
    if not count == steps + 1 == sizes == amounts == kinds or count > left.size:
        return 0, BROKEN
    texts = np.empty((known, 2), np.int64)  # each takes a byte at least, so they are no more
    longest = 0
    for number in range(known):
        length, begin = read_text_head(data, text_at, begins[ACCOUNT_NUMBERS])
        if begin == BROKEN:
            return 0, BROKEN
        texts[number, 0], texts[number, 1] = begin, length
        longest = max(longest, length)
        text_at = begin + length
    names_end = name_at + name_bytes
    for place in range(name_at, names_end):
        if data[place] > ASCII_LAST:
            return 0, BROKEN  # sizes count characters
    if longest > ID_MAX:
        return 0, BROKEN
    joined = np.empty(2 * ID_MAX + 1, np.uint8)
    new = lefts = next_reversing = 0
    offset = first_offset
    for place in range(count):
        if place:
            gap, gap_at = read_number(data, gap_at, begins[SERIES])
            offset += gap
        account, account_at = read_number(data, account_at, begins[NAMES])
        size, size_at = read_number(data, size_at, begins[AMOUNTS])
        amount, amount_at = read_number(data, amount_at, begins[SERIES_NUMBERS])
        kind, kind_at = read_number(data, kind_at, begins[REVERSALS])
        if (
            min(gap_at, account_at, size_at, amount_at, kind_at) == BROKEN
            or not 0 <= account < known
            or not 0 <= size <= min(ID_MAX, names_end - name_at)
            or not 0 <= amount < AMOUNT_MAX
            or not 0 <= kind < series.size
        ):
            return new, BROKEN
        begin, length = texts[account, 0], texts[account, 1]
        id_at = name_at
        name_at += size
        is_reversing = next_reversing < reversing.size and reversing[next_reversing] == place
        next_reversing += is_reversing
        if offset > offset_last:
            bucket = crc32(data, begin, length) % bucket_offsets.size
            if offset > bucket_offsets[bucket]:
                continue
        if is_reversing:
            left[lefts] = place
            lefts += 1
            continue
        for letter in range(length):
            joined[letter] = data[begin + letter]
        joined[length] = SEPARATOR
        for letter in range(size):
            joined[length + 1 + letter] = data[id_at + letter]
        low, high = hash_of(joined, 0, length + 1 + size, numbers[KEY_0], numbers[KEY_1])
        taken = ids[place_of_id(ids, low, high)]
        if taken["day"] != 0 and taken["day"] != day:
            left[lefts] = place
            lefts += 1
            continue
        if taken["day"] == 0:
            numbers[IDS_USED] += 1
            new += 1
        taken["low"], taken["high"], taken["day"] = low, high, day
        taken["content"] = amount << SERIES_BITS | series[kind]
    if name_at != names_end or next_reversing != reversing.size:
        return new, BROKEN
    return new, lefts


class KeptIds(NamedTuple):
    """A journal chunk as bytes: where its fields begin, and those that Python has read.

    `series` has the lowest bits of contents by number; `reversing` the places of the reversals.
    """

    data: Bytes
    begins: Ints
    day: int
    first_offset: int
    series: Ints
    reversing: Ints

    @property
    def size(self) -> int:
        """How many entries the chunk has."""
        size, _ = read_array_head(self.data, int(self.begins[ACCOUNT_NUMBERS]), self.data.size)
        return size
