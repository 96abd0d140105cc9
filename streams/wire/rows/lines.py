"""Note where the cells of delimited lines stand, as rows of records have their texts.

A line is whole by itself: no quotes, a cell for each column of the header, and an end.
"""

from typing import Any

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import borrowed, compiled
from streams.wire.rows.checks import VALUE_MAX, has_ids, has_required, has_transaction, has_value
from streams.wire.rows.layout import (
    ACCOUNT,
    BOOKED_AT,
    FIELDS_MAX,
    NOWHERE,
    ODD,
    ORDINARY,
    PLAIN,
    TEXT_MAX,
    Source,
)
from streams.wire.rows.values import event_time

LINE_FEED, RETURN, NUL = 0x0A, 0x0D, 0x00
ASCII_END = 0x80
WITHIN = 1
"""Of a byte: one that stands within a cell, and needs no look."""

CELL_MAX = (1 << 15) - 1
"""Bytes of a cell of an ordinary line, so that its length fits 16 bits."""

NO_QUOTE = 256
"""As the quote of texts that are not of a file: no byte is it."""

NO_TEXT = 0x1E
"""Of such texts, a cell of this one character says that there is no text, as null does."""

SEED, MIX, MASK = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF
WORD = 4
SIGN = 0x7FFFFFFF


@compiled
def place_cells(  # noqa: C901, PLR0912, PLR0915 - hot: one loop, a character at a time
    data: Source, begin: int, columns: Ints, delimiter: int, quote: int, rows: Any
) -> tuple[int, int, bool]:
    """Note the cells of lines from a place on, as many as there are rows or whole lines.

    `columns` has the field of each column, -1 of none. Return how many lines, where they end, and
    whether all of it is ASCII; -1 lines if one is not whole by itself.
    """
    data, columns, rows = borrowed(data), borrowed(columns), borrowed(rows)
    kinds = np.zeros(256, np.uint8)
    kinds[:ASCII_END] = WITHIN
    kinds[LINE_FEED] = kinds[RETURN] = kinds[NUL] = kinds[delimiter] = 0
    if quote != NO_QUOTE:
        kinds[quote] = 0
    at, width, size = begin, columns.size, len(data)
    count, end, is_ascii = 0, begin, True
    while count < rows.size and at < size:
        row = rows[count]
        start = at
        row["value_at"], row["headers_at"], row["state"] = start, NOWHERE, ODD
        for field in range(FIELDS_MAX):
            row["length"][field] = -1
        column, cell, last, is_done = 0, start, start, False
        while not is_done:
            if at == size:
                return count, end, is_ascii
            letter = data[at]
            if kinds[letter] == WITHIN:
                at += 1
                continue
            is_end = letter == LINE_FEED
            if is_end or letter == delimiter:
                last = at
                if is_end and at > start and data[at - 1] == RETURN:
                    last = at - 1
                if column >= width or last - cell > CELL_MAX or cell - start > VALUE_MAX:
                    return -1, begin, is_ascii
                field = columns[column]
                if field >= 0:
                    row["at"][field] = cell - start
                    row["length"][field] = last - cell
                    if quote == NO_QUOTE and last - cell == 1 and data[cell] == NO_TEXT:
                        row["length"][field] = -1
                column += 1
                cell = at + 1
                is_done = is_end
            elif letter == quote or letter == NUL:
                return -1, begin, is_ascii
            elif letter == RETURN:
                if at + 1 < size and data[at + 1] != LINE_FEED:
                    return -1, begin, is_ascii
            elif letter >= ASCII_END:
                is_ascii = False
            at += 1
        if column != width:
            return -1, begin, is_ascii
        row["value_length"] = last - start
        count += 1
        end = at
    return count, end, is_ascii


@compiled
def is_plain(data: Source, row: Any) -> bool:
    """Return whether all texts of a record are plain, and none is too long."""
    for field in range(FIELDS_MAX):
        length = row["length"][field]
        if length > TEXT_MAX:
            return False
        at = row["value_at"] + row["at"][field] if length > 0 else 0
        for place in range(at, at + length):
            if not PLAIN[data[place]]:
                return False
    return True


@compiled
def read_cells(data: Source, rows: Any, currencies: Ints, latest: int) -> int:
    """Check the records whose cells are known, and return how many are odd.

    One that is dated after the latest time is odd, too.
    """
    data, currencies = borrowed(data), borrowed(currencies)
    odd = 0
    for place in range(rows.size):
        row = rows[place]
        if (
            has_required(row)
            and is_plain(data, row)
            and has_value(data, row, currencies)
            and has_ids(data, row)
            and row["event_time"] <= latest
        ):
            row["state"] = ORDINARY
        else:
            row["state"] = ODD
            odd += 1
    return odd


@compiled
def read_records(data: Source, rows: Any, currencies: Ints, latest: int) -> int:
    """Read records that have no key, and return how many are odd, as `read_cells` does."""
    data, currencies = borrowed(data), borrowed(currencies)
    odd = 0
    for place in range(rows.size):
        row = rows[place]
        if has_transaction(data, row, currencies) and row["event_time"] <= latest:
            row["state"] = ORDINARY
        else:
            row["state"] = ODD
            odd += 1
    return odd


@compiled
def read_times(data: Source, rows: Any, times: Ints) -> None:
    """Read the time of each row; NO_TIME of those in a rarer form, or in none."""
    data = borrowed(data)
    for place in range(rows.size):
        row = rows[place]
        at = row["value_at"] + row["at"][BOOKED_AT]
        times[place] = event_time(data, at, row["length"][BOOKED_AT])


@compiled
def murmur2(data: Source, at: int, length: int) -> int:
    """Return the hash by which Kafka deals keys to partitions.

    Source: Austin Appleby, MurmurHash2, with the seed of Kafka's Utils.murmur2.
    """
    hash_ = SEED ^ length
    end = at + length
    while at < end:
        word, is_whole = 0, at + WORD <= end
        for place in range(min(at + WORD, end) - 1, at - 1, -1):
            word = word << 8 | int(data[place])
        if is_whole:
            word = word * MIX & MASK
            word = (word ^ word >> 24) * MIX & MASK
            hash_ = hash_ * MIX & MASK ^ word
        else:
            hash_ = (hash_ ^ word) * MIX & MASK
        at += WORD
    hash_ = (hash_ ^ hash_ >> 13) * MIX & MASK
    return hash_ ^ hash_ >> 15


@compiled
def deal(data: Bytes, rows: Any, partitions: int, dealt: Ints) -> None:
    """Say of each ordinary row to which partition its account is dealt; -1 of the others."""
    data = borrowed(data)
    for place in range(rows.size):
        row = rows[place]
        dealt[place] = -1
        if row["state"] == ORDINARY:
            at = row["value_at"] + row["at"][ACCOUNT]
            hash_ = murmur2(data, at, int(row["length"][ACCOUNT]))
            dealt[place] = (hash_ & SIGN) % partitions
