"""Parse the value of a record: a flat JSON object of plain ASCII texts, as nearly all are.

Fields may stand in any order, with blanks between them. Not ordinary, and so left to Python, are:
an escape, a character that is not of printable ASCII, a known field twice, a nested value, true and
false, a number with a sign or a power, and the field by which a sender reports a fault.
"""

from typing import Any

from models.kernels import compiled
from streams.wire.rows.layout import (
    AMOUNT,
    FAULT,
    FIELD,
    FIELD_LENGTH,
    FIELDS_MAX,
    PLAIN,
    QUOTE,
    TEXT_MAX,
    Source,
)

TAB, LINE_FEED, RETURN, BLANK = 0x09, 0x0A, 0x0D, 0x20
COMMA, COLON, OPEN, CLOSE = 0x2C, 0x3A, 0x7B, 0x7D
ZERO, NINE, POINT = 0x30, 0x39, 0x2E
LETTER_N, LETTER_U, LETTER_L = 0x6E, 0x75, 0x6C

TEXT, NUMBER, NULL, OTHER = 0, 1, 2, 3
"""Sorts of values."""

UNKNOWN = FAULT + 1
"""The number of every field that a transaction does not have."""

NUMBER_MAX = 40
NULL_LENGTH = 4


@compiled
def skip(data: Source, at: int, end: int) -> int:
    """Return the place of the first character from a place on that is no blank of JSON."""
    while at < end and (
        data[at] == BLANK or data[at] == LINE_FEED or data[at] == RETURN or data[at] == TAB
    ):
        at += 1
    return at


@compiled
def text_end(data: Source, at: int, end: int) -> int:
    """Return where the quote after a plain text stands; -1 if the text is not plain."""
    while at < end and PLAIN[data[at]]:
        at += 1
    return at if at < end and data[at] == QUOTE else -1


@compiled
def number_end(data: Source, at: int, end: int) -> int:
    """Return the place after digits, perhaps with a point among them; -1 if they are no number.

    A leading zero stands alone before the point.
    """
    begin, point = at, -1
    while at < end and (ZERO <= data[at] <= NINE or (data[at] == POINT and point < 0)):
        if data[at] == POINT:
            point = at
        at += 1
    whole_end = at if point < 0 else point
    if whole_end == begin or point == at - 1 or at - begin > NUMBER_MAX:
        return -1
    return -1 if data[begin] == ZERO and whole_end > begin + 1 else at


@compiled
def value_at(data: Source, at: int, end: int) -> tuple[int, int, int, int]:
    """Return the sort of a value, where its characters stand, how many, and the place after it."""
    if at >= end:
        return OTHER, at, 0, at
    if data[at] == QUOTE:
        close = text_end(data, at + 1, end)
        return (TEXT, at + 1, close - at - 1, close + 1) if close >= 0 else (OTHER, at, 0, at)
    if data[at] == LETTER_N:
        after = at + NULL_LENGTH
        is_null = after <= end and data[at + 1] == LETTER_U
        is_null = is_null and data[at + 2] == LETTER_L and data[at + 3] == LETTER_L
        return (NULL, at, -1, after) if is_null else (OTHER, at, 0, at)
    close = number_end(data, at, end)
    return (NUMBER, at, close - at, close) if close >= 0 else (OTHER, at, 0, at)


@compiled
def is_named(data: Source, at: int, length: int, field: int) -> bool:
    """Return whether a text is the name of a field."""
    if FIELD_LENGTH[field] != length:
        return False
    for place in range(length):
        if data[at + place] != FIELD[field, place]:
            return False
    return True


@compiled
def field_of(data: Source, at: int, length: int) -> int:
    """Return the number of the field that has a name."""
    for field in range(FAULT + 1):
        if is_named(data, at, length, field):
            return field
    return UNKNOWN


@compiled
def name_at(data: Source, at: int, end: int, guess: int) -> tuple[int, int]:
    """Return the number of the field whose name begins at a place, and where the quote after it is.

    The quote's place is -1 if the name is not plain. `guess` is tried first: order is mostly kept.
    """
    length = FIELD_LENGTH[guess]
    close = at + length
    if close < end and data[close] == QUOTE and is_named(data, at, length, guess):
        return guess, close
    close = text_end(data, at, end)
    if close < 0:
        return UNKNOWN, -1
    return field_of(data, at, close - at), close


@compiled
def take_value(data: Source, at: int, end: int, field: int, row: Any) -> int:
    """Note the value of a field, and return the place after it; -1 if it is not ordinary there."""
    sort, begin, length, after = value_at(data, at, end)
    if sort == OTHER or field == FAULT:
        return -1
    if field == UNKNOWN:
        return after
    if length > TEXT_MAX or (sort == NUMBER and field != AMOUNT):
        return -1
    row["at"][field] = begin - row["value_at"]
    row["length"][field] = length
    return after


@compiled
def take_name(data: Source, at: int, end: int, guess: int) -> tuple[int, int]:
    """Return the number of the field whose name comes next, and the place of its value.

    The place is -1 if there is no plain name, or no colon after it.
    """
    at = skip(data, at, end)
    if at >= end or data[at] != QUOTE:
        return UNKNOWN, -1
    field, at = name_at(data, at + 1, end, guess)
    if at < 0:
        return UNKNOWN, -1
    at = skip(data, at + 1, end)
    if at >= end or data[at] != COLON:
        return UNKNOWN, -1
    return field, skip(data, at + 1, end)


@compiled
def parse(data: Source, row: Any) -> bool:
    """Note where the fields of a record stand, and return whether the object is ordinary."""
    at = row["value_at"]
    end = at + row["value_length"]
    for field in range(FIELDS_MAX):
        row["length"][field] = -1
    at = skip(data, at, end)
    if at >= end or data[at] != OPEN:
        return False
    separator, met, guess = COMMA, 0, 0
    while separator == COMMA:
        field, at = take_name(data, at + 1, end, guess)
        if at < 0:
            return False
        if field != UNKNOWN:
            if met >> field & 1:
                return False
            met |= 1 << field
            guess = field + 1
        at = take_value(data, at, end, field, row)
        if at < 0:
            return False
        at = skip(data, at, end)
        if at >= end:
            return False
        separator = data[at]
    return separator == CLOSE and skip(data, at + 1, end) == end
