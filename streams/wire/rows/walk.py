"""Walk the records of batches (format 2 of Kafka) and note where each of their parts stands.

No kernel here reads beside the bytes of the record that it is at, whatever they are.
Source: https://kafka.apache.org/documentation/#recordbatch
"""

from typing import Any

from models.kernels import borrowed, compiled
from streams.wire.rows.layout import NOWHERE, ODD_HEADERS, Batches, Source

SHIFT_MAX = 63
SIGN_LESS = 0x7FFF_FFFF_FFFF_FFFF


@compiled
def varint(data: Source, at: int, end: int) -> tuple[int, int]:
    """Return the number at a place and the place after it, which is -1 if no number ends there.

    A number has 64 bits (zigzag) in at most ten bytes.
    """
    value, shift = 0, 0
    while at < end and shift <= SHIFT_MAX:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            # The mask makes the shift one without a sign.
            return ((value >> 1) & SIGN_LESS) ^ -(value & 1), at
        shift += 7
    return 0, NOWHERE


@compiled
def part(data: Source, at: int, end: int) -> tuple[int, int, int]:
    """Return where a part with its length before it stands, its length, and the place after it.

    The length is -1 for null. The place after it is -1 if the part does not end before `end`.
    """
    length, at = varint(data, at, end)
    if at < 0 or length > end - at:
        return NOWHERE, NOWHERE, NOWHERE
    if length < 0:
        return at, -1, at
    return at, length, at + length


@compiled
def is_ascii(data: Source, at: int, length: int) -> bool:
    """Return whether all bytes of a text are ASCII."""
    for place in range(at, at + length):
        if data[place] >= 0x80:
            return False
    return True


@compiled
def walk_headers(data: Source, at: int, end: int, row: Any) -> int:
    """Note the headers of a record, and return the place after them; -1 if they are damaged."""
    count, at = varint(data, at, end)
    if at < 0 or count < 0:
        return NOWHERE
    row["headers"] = count
    row["headers_at"] = at
    for _ in range(count):
        name_at, name_length, at = part(data, at, end)
        if at < 0 or name_length < 0:
            return NOWHERE
        if not is_ascii(data, name_at, name_length):
            row["state"] = ODD_HEADERS
        _, _, at = part(data, at, end)
        if at < 0:
            return NOWHERE
    return at


@compiled
def walk_record(data: Source, at: int, end: int, row: Any) -> int:
    """Note where a record's parts stand, and return the place after it; -1 if it is damaged.

    Its offset and its time are those that the record has, which count from the batch's.
    """
    length, at = varint(data, at, end)
    if at < 0 or length < 1 or length > end - at:
        return NOWHERE
    end = at + length
    _, at = varint(data, at, end)  # attributes, a number to aiokafka: nobody uses them yet
    if at < 0:
        return NOWHERE
    timestamp, at = varint(data, at, end)
    if at < 0:
        return NOWHERE
    offset, at = varint(data, at, end)
    if at < 0:
        return NOWHERE
    row["timestamp"] = timestamp
    row["offset"] = offset
    place, size, at = part(data, at, end)
    if at < 0:
        return NOWHERE
    row["key_at"] = place
    row["key_length"] = size
    place, size, at = part(data, at, end)
    if at < 0:
        return NOWHERE
    row["value_at"] = place
    row["value_length"] = size
    at = walk_headers(data, at, end, row)
    return at if at == end else NOWHERE


@compiled
def walk(data: Source, batches: Batches, rows: Any) -> int:
    """Fill rows by the records of batches; return the number of a damaged batch, -1 if none is."""
    data = borrowed(data)
    for number in range(len(batches.start)):
        at, end = batches.start[number], batches.end[number]
        for place in range(batches.first_row[number], batches.end_row[number]):
            at = walk_record(data, at, end, rows[place])
            if at < 0:
                return number
        if at != end:
            return number
    return NOWHERE
