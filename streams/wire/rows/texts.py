"""Gather the texts of ordinary records, so that Python makes all of them in one go.

Texts that many records have (a channel, say) are gathered once. A text that finds no slot in a few
steps is gathered again: texts that were aimed at one slot cost room, and no time.
"""

from typing import Any

from models.arrays import Bytes
from models.kernels import borrowed, compiled
from streams.wire.rows.layout import (
    ACCOUNT,
    COUNTERPARTY,
    ID,
    NAME_BYTES,
    NAMES,
    NAMES_MAX,
    ORDINARY,
    PAIR_BYTES,
    RECORDS,
    REVERSES,
    SEGMENT,
    Source,
    Texts,
)

LINE_FEED = 0x0A
STEPS_MAX = 8
HASHED_MAX = 16
"""Characters of a text that its hash is made of, the last ones: ids differ there."""


@compiled
def put(data: Source, at: int, length: int, room: Bytes, used: int) -> int:
    """Copy a text and a line feed to a place, and return the place after them."""
    for place in range(length):
        room[used + place] = data[at + place]
    room[used + length] = LINE_FEED
    return used + length + 1


@compiled
def slot_of(data: Source, at: int, length: int, slots: int) -> int:
    """Return the first slot of a text; there are so many of them, a power of two."""
    mixed = int(length)
    for place in range(at + max(0, length - HASHED_MAX), at + length):
        mixed = (mixed * 31 + data[place]) & 0x7FFF_FFFF
    return (mixed ^ (mixed >> 15)) & (slots - 1)


@compiled
def is_name(data: Source, at: int, length: int, names: Bytes, start: int) -> bool:
    """Return whether a text stands among the names at a place."""
    for place in range(length):
        if data[at + place] != names[start + place]:
            return False
    return True


@compiled
def name_of(data: Source, at: int, length: int, texts: Texts) -> int:
    """Return the number of a name, which is put behind the others if it was not met."""
    names, used, slots, places = texts.names, texts.used, texts.slots, texts.place
    new: int = used[NAMES]
    slot = slot_of(data, at, length, slots.size)
    for _ in range(STEPS_MAX):
        name: int = slots[slot]
        if name < 0:
            slots[slot] = new
            break
        if places[name, 1] == length and is_name(data, at, length, names, places[name, 0]):
            return name
        slot = (slot + 1) & (slots.size - 1)
    places[new, 0] = used[NAME_BYTES]
    places[new, 1] = length
    used[NAME_BYTES] = put(data, at, length, names, used[NAME_BYTES])
    used[NAMES] = new + 1
    return new


@compiled
def is_text(row: Any, field: int) -> bool:
    """Return whether a record has a text for a field.

    A segment or a reversal without a character does not count.
    """
    length = row["length"][field]
    return length > 0 or (length == 0 and field != SEGMENT and field != REVERSES)


@compiled
def gather(data: Source, rows: Any, texts: Texts) -> None:
    """Gather the texts of all ordinary records."""
    data, pairs = borrowed(data), borrowed(texts.pairs)
    texts = Texts(
        pairs,
        borrowed(texts.names),
        borrowed(texts.name),
        borrowed(texts.used),
        borrowed(texts.slots),
        borrowed(texts.place),
    )
    used, record = 0, 0
    for place in range(rows.size):
        row = rows[place]
        if row["state"] != ORDINARY:
            continue
        start = row["value_at"]
        used = put(data, start + row["at"][ID], row["length"][ID], pairs, used)
        used = put(data, start + row["at"][ACCOUNT], row["length"][ACCOUNT], pairs, used)
        for number in range(NAMES_MAX):
            field = COUNTERPARTY + number
            at, length = start + row["at"][field], row["length"][field]
            name = name_of(data, at, length, texts) if is_text(row, field) else -1
            texts.name[record, number] = name
        record += 1
    texts.used[PAIR_BYTES] = used
    texts.used[RECORDS] = record
