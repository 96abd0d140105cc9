"""The arrays that the kernels of rows read and fill.

A kernel and its plain function differ in one thing: the plain one takes `bytes` for the bytes that
it reads, so that it reckons in Python's own numbers.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from models.arrays import Bytes, Ints

Source = bytes | Bytes
"""The bytes that a kernel reads; its plain function takes them as `bytes`."""

ODD: Final = 0
"""Of `state`: Python decodes the record, and says why if it is no transaction."""

ORDINARY: Final = 1
"""Of `state`: a transaction, read and checked; its key is its account."""

ODD_HEADERS: Final = 2
"""Of `state` before records are parsed: a header's name is not ASCII, so Python reads it first."""

NOWHERE: Final = -1

FIELDS_MAX: Final = 12
ID, ACCOUNT, BOOKED_AT, AMOUNT, CURRENCY, DIRECTION, COUNTERPARTY = range(7)
INSTITUTION, CHANNEL, SEGMENT, BRANCH, REVERSES = range(7, FIELDS_MAX)
REQUIRED_MAX: Final = DIRECTION + 1
"""The fields before it are required."""

FAULT: Final = 12
"""The number of the field by which a sender says that its row was no transaction."""

NAMES_MAX: Final = FIELDS_MAX - COUNTERPARTY
"""Texts of a record that others may have as well; the field COUNTERPARTY is their first."""

TEXT_MAX: Final = 256
"""Characters of an ordinary text."""

BLANK, QUOTE, BACKSLASH, DELETE = 0x20, 0x22, 0x5C, 0x7F
LETTERS: Final = 26
LETTER_A: Final = 0x41

SLOTS_LEAST: Final = 64


class Batches(NamedTuple):
    """Where the records' sections of batches stand in the bytes, and which rows are theirs."""

    start: Any
    end: Any
    first_row: Any
    end_row: Any


ROW: Final = np.dtype(
    [
        ("offset", "i8"),
        ("timestamp", "i8"),
        ("key_at", "i8"),
        ("key_length", "i8"),
        ("value_at", "i8"),
        ("value_length", "i8"),
        ("headers_at", "i8"),
        ("headers", "i8"),
        ("event_time", "i8"),
        ("amount", "i8"),
        ("at", "i4", (FIELDS_MAX,)),
        ("length", "i2", (FIELDS_MAX,)),
        ("currency", "i2"),
        ("is_credit", "u1"),
        ("state", "u1"),
    ],
    align=True,
)
"""A record of a run; places and lengths are in bytes of the run's data. The length of null is -1.

`timestamp` is in milliseconds and `event_time` in microseconds since 1970, `amount` in minor units.
`currency` is a place in `CURRENCY_CODES`. `at` and `length` have a text for each field of a
transaction; `at` counts from `value_at`, and a length of -1 is also that of a field that is not
there. All from `event_time` on holds if `state` is ORDINARY. `headers_at` is where the headers
begin, after their number; -1 if the record came by itself and not in a batch.
"""


Rows = Any
"""An array of `ROW`; numpy has no static type for it."""


class RunColumns(NamedTuple):
    """The records of a run: their bytes, and a `ROW` for each, in order."""

    data: Bytes
    rows: Rows


def room_for_rows(count: int) -> Rows:
    """Return room for so many records, all of them odd."""
    rows = np.empty(count, ROW)
    rows["state"] = ODD
    return rows


FIELD_NAMES: Final = (
    b"transaction_id",
    b"account_id",
    b"booked_at",
    b"amount",
    b"currency",
    b"direction",
    b"counterparty_id",
    b"counterparty_institution",
    b"channel",
    b"segment",
    b"branch",
    b"reverses",
    b"weir_fault",
)
"""The names of the fields by their numbers: constants of the kernels, so they stand here, too."""

FIELD_LENGTH: Final = np.array([len(name) for name in FIELD_NAMES], np.int64)
FIELD: Final = np.array([[*name.ljust(FIELD_LENGTH.max())] for name in FIELD_NAMES], np.uint8)


def _plain() -> Bytes:
    plain = np.zeros(256, np.uint8)
    plain[BLANK:DELETE] = 1
    plain[[QUOTE, BACKSLASH]] = 0
    return plain


PLAIN: Final = _plain()
"""By its byte, whether a character is one of plain texts: printable ASCII that needs no escape."""

NUMBER, EXPONENT, END = range(3)
"""Columns of `currency_table`."""


def currency_table(currencies: Sequence[tuple[str, int, int]]) -> Ints:
    """Return number, decimals and end of currencies, by the code as a number of base 26.

    Each is given as its code, its decimals and its end (an event time). The number is its place
    among those given; -1 stands where there is no currency.
    """
    table = np.full((LETTERS**3, 3), -1, np.int64)
    for number, (code, exponent, end) in enumerate(currencies):
        first, second, third = (ord(letter) - LETTER_A for letter in code)
        table[(first * LETTERS + second) * LETTERS + third] = number, exponent, end
    return table


class Texts(NamedTuple):
    """The texts of ordinary records, each followed by a line feed, which no such text has.

    `pairs` has transaction and account by turns. `names` has the other texts, a frequent one once;
    `name` has the numbers of each ordinary record's, -1 for none. `used` counts the bytes of both,
    the names and the records. `slots` finds a name that was met, and `place` has where each stands
    in `names` and its length.
    """

    pairs: Any
    names: Any
    name: Any
    used: Ints
    slots: Any
    place: Any


PAIR_BYTES, NAME_BYTES, NAMES, RECORDS = range(4)
"""Of `used`."""


def room_for_texts(size: int, records: int) -> Texts:
    """Return room for the texts of so many records, which have so many bytes together."""
    names = NAMES_MAX * records
    slots = max(SLOTS_LEAST, 1 << (2 * names).bit_length())
    return Texts(
        # In a record each text stands between two quotes: there is room for its line feed.
        pairs=np.empty(size, np.uint8),
        names=np.empty(size, np.uint8),
        name=np.empty((records, NAMES_MAX), np.int32),
        used=np.zeros(4, np.int64),
        slots=np.full(slots, -1, np.int32),
        place=np.empty((names, 2), np.int64),
    )
