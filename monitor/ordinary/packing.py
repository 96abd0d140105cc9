"""Kernels that write msgpack (the specification at github.com/msgpack): numbers, texts, columns.

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
