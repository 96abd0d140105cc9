"""Kernels that write and read msgpack (the specification at github.com/msgpack).

Each number and head is as short as it can be. Who calls sees that there is room.
"""

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import borrowed, compiled
from monitor.ordinary.layout import Table

NIL = 0xC0
LEAST_SHORT, GREATEST_SHORT = -32, 127
"""Numbers that take one byte."""

NUMBER_BYTES = 9
"""Of a whole number, at most."""

HEAD_BYTES = 5
"""Before a text, an array or a map, at most."""


@compiled
def put_big_endian(into: Bytes, at: int, value: int, count: int) -> int:
    """Write the lowest bytes of a number, the highest of them first; return the place behind."""
    for place in range(count):
        into[at + place] = (value >> (8 * (count - 1 - place))) & 0xFF
    return at + count


@compiled
def put_number(into: Bytes, at: int, value: int) -> int:
    """Write a whole number; return the place behind."""
    if LEAST_SHORT <= value <= GREATEST_SHORT:
        into[at] = value & 0xFF
        return at + 1
    # One below 0 takes a bit more than ~value does, and has other heads.
    head, sign, size = (0xCC, 0, value) if value >= 0 else (0xD0, 1, ~value)
    if size < 1 << (8 - sign):
        into[at] = head
        return put_big_endian(into, at + 1, value, 1)
    if size < 1 << (16 - sign):
        into[at] = head + 1
        return put_big_endian(into, at + 1, value, 2)
    if size < 1 << (32 - sign):
        into[at] = head + 2
        return put_big_endian(into, at + 1, value, 4)
    into[at] = head + 3
    return put_big_endian(into, at + 1, value, 8)


@compiled
def put_array_head(into: Bytes, at: int, count: int) -> int:
    """Write the head of an array of so many values; return the place behind."""
    if count < 1 << 4:
        into[at] = 0x90 | count
        return at + 1
    if count < 1 << 16:
        into[at] = 0xDC
        return put_big_endian(into, at + 1, count, 2)
    into[at] = 0xDD
    return put_big_endian(into, at + 1, count, 4)


@compiled
def put_text_head(into: Bytes, at: int, length: int) -> int:
    """Write the head of a text of so many bytes; return the place behind."""
    if length < 1 << 5:
        into[at] = 0xA0 | length
        return at + 1
    for size in range(2):
        if length < 1 << (8 << size):
            into[at] = 0xD9 + size
            return put_big_endian(into, at + 1, length, 1 << size)
    into[at] = 0xDB
    return put_big_endian(into, at + 1, length, 4)


@compiled
def put_bytes(into: Bytes, at: int, texts: Bytes, there: int, length: int) -> int:
    """Copy bytes; return the place behind."""
    for place in range(length):
        into[at + place] = texts[there + place]
    return at + length


@compiled
def put_text(into: Bytes, at: int, texts: Bytes, there: int, length: int) -> int:
    """Write a text that stands in `texts`; return the place behind."""
    return put_bytes(into, put_text_head(into, at, length), texts, there, length)


@compiled
def packed_numbers(values: Ints) -> Bytes:
    """Return an array of whole numbers."""
    made = np.empty(HEAD_BYTES + NUMBER_BYTES * values.size, np.uint8)
    into = borrowed(made)
    at = put_array_head(into, 0, values.size)
    for value in values:
        at = put_number(into, at, value)
    return made[:at]


@compiled
def packed_texts(texts: Bytes, begins: Ints, lengths: Ints) -> Bytes:
    """Return an array of texts, each of which begins at a place of `texts`."""
    texts = borrowed(texts)
    made = np.empty(HEAD_BYTES * (1 + lengths.size) + lengths.sum(), np.uint8)
    into = borrowed(made)
    at = put_array_head(into, 0, lengths.size)
    for number in range(lengths.size):
        at = put_text(into, at, texts, begins[number], lengths[number])
    return made[:at]


@compiled
def packed_joined(texts: Bytes, begins: Ints, lengths: Ints) -> Bytes:
    """Return texts as one, one after the other."""
    texts = borrowed(texts)
    size = lengths.sum()
    made = np.empty(HEAD_BYTES + size, np.uint8)
    into = borrowed(made)
    at = put_text_head(into, 0, size)
    for number in range(lengths.size):
        at = put_bytes(into, at, texts, begins[number], lengths[number])
    return made[:at]


@compiled
def numbered(values: Table) -> tuple[Ints, Ints]:
    """Return where each value that differs comes first, and the number of each value among them."""
    mask = 1
    while mask < 2 * values.size:
        mask *= 2
    mask -= 1
    index = np.zeros(mask + 1, np.int64)  # by hash: the number and 1; 0 is an empty place
    firsts = np.empty(values.size, np.int64)
    numbers = np.empty(values.size, np.int64)
    count = 0
    for place in range(values.size):
        value = values[place]
        at = (np.int64(value) * 0x9E3779B1 >> 12) & mask
        while index[at] != 0 and values[firsts[index[at] - 1]] != value:
            at = (at + 1) & mask
        if index[at] == 0:
            firsts[count] = place
            count += 1
            index[at] = count
        numbers[place] = index[at] - 1
    return firsts[:count], numbers


# -- reading: every byte may be anybody's, so nothing is read beside `end` ------------------------

BROKEN = -1
"""As the place behind what is no value, or not the one that was asked for."""

UNSIGNED_8, UNSIGNED_64, SIGNED_8, SIGNED_64 = 0xCC, 0xCF, 0xD0, 0xD3
"""Heads of whole numbers that take more than one byte; those between are of 16 and 32 bits."""

TEXT_8, TEXT_32, ARRAY_16, ARRAY_32, MAP_16, MAP_32 = 0xD9, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF
FALSE, TRUE, FLOAT_64 = 0xC2, 0xC3, 0xCB
"""Heads that are a byte, and all other values that state has."""

SHORT_MAP, SHORT_ARRAY, SHORT_TEXT = 0x80, 0x90, 0xA0
"""What a short head has beside its length: four bits of it, of a text five."""

ASCII_LAST = 0x7F


@compiled
def big_endian(data: Bytes, at: int, count: int) -> int:
    """Return a number of some bytes, the highest of them first."""
    value = 0
    for place in range(at, at + count):
        value = value << 8 | int(data[place])
    return value


@compiled
def read_number(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return a whole number of 64 bits with a sign, and the place behind; -1 if it is not one."""
    if at < 0 or at >= end:
        return 0, BROKEN
    head = int(data[at])
    if head <= GREATEST_SHORT:
        return head, at + 1
    if head >= 0x100 + LEAST_SHORT:
        return head - 0x100, at + 1
    is_signed = SIGNED_8 <= head <= SIGNED_64
    if not is_signed and not UNSIGNED_8 <= head <= UNSIGNED_64:
        return 0, BROKEN
    bits = 8 << (head - (SIGNED_8 if is_signed else UNSIGNED_8))
    behind = at + 1 + bits // 8
    if behind > end:
        return 0, BROKEN
    value = big_endian(data, at + 1, bits // 8)
    if is_signed and bits < 64 and value >> (bits - 1):  # noqa: PLR2004 - of 64 bits it has a sign
        value -= 1 << bits
    if not is_signed and value < 0:
        return 0, BROKEN  # beyond 63 bits
    return value, behind


@compiled
def read_array_head(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return how many values an array has, and the place behind its head; -1 if it is not one."""
    if at < 0 or at >= end:
        return 0, BROKEN
    head = int(data[at])
    if head & 0xF0 == SHORT_ARRAY:
        return head & 0x0F, at + 1
    size = 2 if head == ARRAY_16 else 4 if head == ARRAY_32 else 0
    if not size or at + 1 + size > end:
        return 0, BROKEN
    return big_endian(data, at + 1, size), at + 1 + size


@compiled
def read_text_head(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return the bytes of a text, and where it begins; -1 if it is not one, or is cut short."""
    if at < 0 or at >= end:
        return 0, BROKEN
    head = int(data[at])
    length, begin = head & 0x1F, at + 1
    if head & 0xE0 != SHORT_TEXT:
        if not TEXT_8 <= head <= TEXT_32:
            return 0, BROKEN
        size = 1 << (head - TEXT_8)
        begin = at + 1 + size
        if begin > end:
            return 0, BROKEN
        length = big_endian(data, at + 1, size)
    if begin + length > end:
        return 0, BROKEN
    return length, begin


@compiled
def skip_text(data: Bytes, at: int, end: int) -> int:
    """Return the place behind a text or nil; -1 if it is neither."""
    if 0 <= at < end and data[at] == NIL:
        return at + 1
    length, begin = read_text_head(data, at, end)
    return BROKEN if begin == BROKEN else begin + length


@compiled
def skip_value(  # noqa: C901, PLR0912 - sort by sort
    data: Bytes, at: int, end: int
) -> int:
    """Return the place behind a value of any sort that state has; -1 if no value is there.

    Nothing is called for what is in it, so it may be as deep as it likes.
    """
    left = 1
    while left > 0:
        if at < 0 or at >= end:
            return BROKEN
        head = int(data[at])
        left -= 1
        if head & 0xF0 == SHORT_MAP:
            left += 2 * (head & 0x0F)
            at += 1
        elif head in (MAP_16, MAP_32):
            size = 2 if head == MAP_16 else 4
            if at + 1 + size > end:
                return BROKEN
            left += 2 * big_endian(data, at + 1, size)
            at += 1 + size
        elif head & 0xF0 == SHORT_ARRAY or head in (ARRAY_16, ARRAY_32):
            count, at = read_array_head(data, at, end)
            left += count
        elif head & 0xE0 == SHORT_TEXT or TEXT_8 <= head <= TEXT_32:
            at = skip_text(data, at, end)
        elif head in (NIL, FALSE, TRUE):
            at += 1
        elif head == FLOAT_64:
            at += 9
        elif UNSIGNED_8 <= head <= UNSIGNED_64:  # of 64 bits, too, which `read_number` may refuse
            at += 1 + (1 << (head - UNSIGNED_8))
        elif SIGNED_8 <= head <= SIGNED_64:
            at += 1 + (1 << (head - SIGNED_8))
        elif head <= GREATEST_SHORT or head >= 0x100 + LEAST_SHORT:
            at += 1
        else:
            return BROKEN
    return at if at <= end else BROKEN


@compiled
def begins_of_fields(data: Bytes, at: int, fields: int) -> Ints:
    """Return where each field of an array begins, and where the last one ends.

    Nothing if the bytes are no array of so many values, or if something is behind.
    """
    begins = np.empty(fields + 1, np.int64)
    count, at = read_array_head(data, at, data.size)
    for number in range(fields + 1):
        begins[number] = at
        if number < fields:
            at = skip_value(data, at, data.size)
    if count != fields or at != data.size:
        return begins[:0]
    return begins
