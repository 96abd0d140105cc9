"""Check the fields of an ordinary record as `monitor.core.transaction.transaction_of` does.

A record that passes is a transaction. One that does not is odd, and Python says why.
"""

from typing import Any

from models.arrays import Ints
from models.kernels import borrowed, compiled
from streams.wire.rows.fields import parse
from streams.wire.rows.layout import (
    ACCOUNT,
    AMOUNT,
    BLANK,
    BOOKED_AT,
    COUNTERPARTY,
    CURRENCY,
    DIRECTION,
    END,
    EXPONENT,
    ID,
    LETTER_A,
    LETTERS,
    NUMBER,
    ODD,
    ORDINARY,
    REQUIRED_MAX,
    REVERSES,
    Source,
)
from streams.wire.rows.values import NO_AMOUNT, NO_TIME, event_time, minor_units

CURRENCY_LENGTH = 3
VALUE_MAX = 1 << 30
"""Bytes of an ordinary value: places in it fit 32 bits."""

CREDIT = (0x63, 0x72, 0x65, 0x64, 0x69, 0x74)
DEBIT = (0x64, 0x65, 0x62, 0x69, 0x74)


@compiled
def is_word(data: Source, at: int, length: int, word: tuple[int, ...]) -> bool:
    """Return whether a text is a word."""
    if length != len(word):
        return False
    for place in range(length):
        if data[at + place] != word[place]:
            return False
    return True


@compiled
def is_same(data: Source, here: int, there: int, length: int) -> bool:
    """Return whether the bytes at two places are the same."""
    for place in range(length):
        if data[here + place] != data[there + place]:
            return False
    return True


@compiled
def is_id(data: Source, at: int, length: int) -> bool:
    """Return whether a plain text is an id, which has no blank around it."""
    return length <= 0 or (data[at] != BLANK and data[at + length - 1] != BLANK)


@compiled
def code_of(data: Source, at: int, length: int) -> int:
    """Return the code of a currency as a number of base 26; -1 if the text is no code."""
    if length != CURRENCY_LENGTH:
        return -1
    code = 0
    for place in range(at, at + length):
        letter = data[place] - LETTER_A
        if letter < 0 or letter >= LETTERS:
            return -1
        code = code * LETTERS + letter
    return code


@compiled
def has_ids(data: Source, row: Any) -> bool:
    """Return whether all ids of a record are spelt as ids are."""
    start = row["value_at"]
    for field in (ID, ACCOUNT, COUNTERPARTY, REVERSES):
        if not is_id(data, start + row["at"][field], row["length"][field]):
            return False
    return True


@compiled
def has_value(data: Source, row: Any, currencies: Ints) -> bool:
    """Read currency, amount, time and direction; return whether each is one."""
    start = row["value_at"]
    at, length = row["at"], row["length"]
    code = code_of(data, start + at[CURRENCY], length[CURRENCY])
    if code < 0 or currencies[code, NUMBER] < 0:
        return False
    amount = minor_units(data, start + at[AMOUNT], length[AMOUNT], currencies[code, EXPONENT])
    moment = event_time(data, start + at[BOOKED_AT], length[BOOKED_AT])
    if amount == NO_AMOUNT or moment == NO_TIME or moment >= currencies[code, END]:
        return False
    direction = start + at[DIRECTION]
    is_credit = is_word(data, direction, length[DIRECTION], CREDIT)
    if not (is_credit or is_word(data, direction, length[DIRECTION], DEBIT)):
        return False
    row["currency"] = currencies[code, NUMBER]
    row["amount"] = amount
    row["event_time"] = moment
    row["is_credit"] = is_credit
    return True


@compiled
def has_required(row: Any) -> bool:
    """Return whether no required text of a record is empty."""
    for field in range(REQUIRED_MAX):
        if row["length"][field] <= 0:
            return False
    return True


@compiled
def has_transaction(data: Source, row: Any, currencies: Ints) -> bool:
    """Read a record into its row, and return whether its value is an ordinary transaction."""
    size = row["value_length"]
    if size < 0 or size > VALUE_MAX or not parse(data, row) or not has_required(row):
        return False
    return has_value(data, row, currencies) and has_ids(data, row)


@compiled
def is_ordinary(data: Source, row: Any, currencies: Ints) -> bool:
    """Read a record into its row, and return whether it is an ordinary transaction."""
    if not has_transaction(data, row, currencies):
        return False
    length = row["length"][ACCOUNT]
    account = row["value_at"] + row["at"][ACCOUNT]
    return row["key_length"] == length and is_same(data, row["key_at"], account, length)


@compiled
def read_values(data: Source, rows: Any, currencies: Ints) -> int:
    """Read all records into their rows, and return how many are odd."""
    data, currencies = borrowed(data), borrowed(currencies)
    odd = 0
    for place in range(rows.size):
        row = rows[place]
        if is_ordinary(data, row, currencies):
            row["state"] = ORDINARY
        else:
            row["state"] = ODD
            odd += 1
    return odd
