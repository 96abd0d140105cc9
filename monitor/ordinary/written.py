"""Writes closed account-days from their rows: the bytes of their records, many at a time.

They are those that the wire form has of the same account-day as an object; the tests hold the two
together. So a field that is added there must be added here.
"""

import json
from collections.abc import Callable
from typing import Final

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import borrowed, compiled
from monitor.core.currency import CURRENCIES
from monitor.ordinary.layout import CURRENCY_CODES, NONE, Arrays, Table
from monitor.ordinary.packing import put_bytes
from monitor.ordinary.tables import drop_day

WRITTEN_MAX: Final = 1 << 16
"""Bytes of one record at most; the row of a longer one is made an object."""

PIECE_BYTES: Final = 1 << 20
"""Bytes that are written in one go."""

OPENING = np.frombuffer(b'{"account_id":"', np.uint8)
TOTALS = np.frombuffer(b',"totals":[{"currency":"', np.uint8)
COUNT_DEBIT = np.frombuffer(b'","debit_count":', np.uint8)
AMOUNT_DEBIT = np.frombuffer(b',"debit_amount":"', np.uint8)
COUNT_CREDIT = np.frombuffer(b'","credit_count":', np.uint8)
AMOUNT_CREDIT = np.frombuffer(b',"credit_amount":"', np.uint8)
KEY_AT: Final = len(OPENING)
"""Where the id of the account begins in a record."""

FIXED_MAX = 256 + 4 * 21
"""Bytes that a record has at most beside its texts: the names of fields, and four numbers."""

NULL = np.frombuffer(b"null", np.uint8)
BLANK, QUOTE, BACKSLASH, LAST = 0x20, 0x22, 0x5C, 0x7F
POINT, ZERO, BRACE = 0x2E, 0x30, 0x7D

CURRENCY_TEXTS: Final = np.array([list(code.encode()) for code in CURRENCY_CODES], np.uint8)
"""The codes of currencies, by their numbers."""

EXPONENTS: Final = np.array([CURRENCIES[code].exponent for code in CURRENCY_CODES], np.int64)
"""Their decimals."""


def json_text(text: str | None) -> bytes:
    """Return a text as JSON, or null."""
    return json.dumps(text, ensure_ascii=False).encode()


class TextTable:
    """Bytes by number, for kernels; each is made when it is needed first."""

    def __init__(self, text_of: Callable[[int], bytes]) -> None:
        self.texts: Bytes = np.zeros(1 << 10, np.uint8)
        self.spans: Ints = np.zeros((16, 2), np.int64)  # by number: where it begins and ends
        self._used = 0
        self._text_of = text_of

    def know(self, numbers: Ints) -> None:
        """See that the texts of some numbers are there."""
        last = int(numbers.max(initial=0))
        if last >= len(self.spans):
            more = max(len(self.spans), last + 1)
            self.spans = np.concatenate([self.spans, np.zeros((more, 2), np.int64)])
        for number in np.unique(numbers[self.spans[numbers, 1] == 0]).tolist():
            data = self._text_of(number)
            end = self._used + len(data)
            if end > self.texts.size:
                self.texts = np.concatenate([self.texts, np.zeros(max(self._used, end), np.uint8)])
            self.texts[self._used : end] = np.frombuffer(data, np.uint8)
            self.spans[number] = self._used, end
            self._used = end


@compiled
def put_number(out: Bytes, at: int, number: int, decimals: int) -> int:
    """Write a whole number from 0 on, a point before so many decimals; return the place behind."""
    digits, rest = 1, number // 10
    while rest > 0:
        digits += 1
        rest //= 10
    digits = max(digits, decimals + 1)
    end = at + digits + (1 if decimals else 0)
    place, rest = end, number
    for digit in range(digits):
        if digit == decimals and decimals:
            place -= 1
            out[place] = POINT
        place -= 1
        out[place] = ZERO + rest % 10
        rest //= 10
    return end


@compiled
def is_plain(texts: Bytes, at: int, length: int) -> bool:
    """Return whether a text stands in JSON as it is, and is ASCII."""
    for letter in texts[at : at + length]:
        if letter < BLANK or letter > LAST or letter in (QUOTE, BACKSLASH):
            return False
    return True


@compiled
def write_days(  # noqa: PLR0913, PLR0915, PLR0917 - a kernel has its arrays one by one
    arrays: Arrays,
    places: Ints,
    begin: int,
    end: int,
    currencies: Bytes,
    exponents: Ints,
    of_day: Bytes,
    closing: Bytes,
    segment_texts: Bytes,
    segment_spans: Ints,
    own_texts: Bytes,
    own_spans: Ints,
    peer_texts: Bytes,
    peer_spans: Ints,
    scores: Bytes,
    score_ends: Ints,
    out: Bytes,
    written: Table,
) -> tuple[int, int]:
    """Write the account-days of rows at some places, and give these rows up.

    `of_day` is what follows the account's id, `closing` what follows the totals; texts of segments
    are by number and 1. Scores as they are written stand one after the other, with their ends by
    number; where there are none, nobody knows any. Each that is written has where it begins and
    ends, and the length of its id, in `written`, and its place is -1 from then on. Returns the
    number of the first that is left because `out` or `written` is full, and how many are written.
    What is longer than `out`, is over a limit, has further currencies or an id that is not plain,
    keeps its place.
    """
    numbers, accounts, days = arrays.numbers, borrowed(arrays.accounts), borrowed(arrays.days)
    texts, facts, out = borrowed(arrays.texts), borrowed(arrays.facts), borrowed(out)
    more = borrowed(arrays.more)
    at = count = 0
    for number in range(begin, end):
        place = int(places[number])
        if place == NONE:
            continue
        row = days[place]
        account = accounts[row["account"]]
        id_at, id_length = int(account["id_at"]), int(account["id_length"])
        segment_at, segment_end = segment_spans[row["segment"] + 1]
        own_at, own_end = own_spans[max(account["own"], 0)]
        peer_at, peer_end = peer_spans[row["peer"]]
        score_at, score_end = 0, NULL.size
        if score_ends.size:
            score_at = int(score_ends[number - 1]) if number else 0
            score_end = int(score_ends[number])
        most = FIXED_MAX + id_length + segment_end - segment_at + own_end - own_at
        most += peer_end - peer_at + score_end - score_at
        is_odd = row["told"] != 0 or row["more"] != NONE
        if most > WRITTEN_MAX or is_odd or not is_plain(texts, id_at, id_length):
            continue
        if at + most > out.size or count == len(written):
            return number, count
        written[count, 0] = at
        at = put_bytes(out, at, OPENING, 0, OPENING.size)
        at = put_bytes(out, at, texts, id_at, id_length)
        at = put_bytes(out, at, of_day, 0, of_day.size)
        at = put_bytes(out, at, segment_texts, segment_at, segment_end - segment_at)
        at = put_bytes(out, at, own_texts, own_at, own_end - own_at)
        at = put_bytes(out, at, peer_texts, peer_at, peer_end - peer_at)
        at = put_bytes(out, at, TOTALS, 0, TOTALS.size)
        currency = int(row["currency"])
        at = put_bytes(out, at, currencies[currency], 0, 3)
        at = put_bytes(out, at, COUNT_DEBIT, 0, COUNT_DEBIT.size)
        at = put_number(out, at, row["totals"][0], 0)
        at = put_bytes(out, at, AMOUNT_DEBIT, 0, AMOUNT_DEBIT.size)
        at = put_number(out, at, row["totals"][1], exponents[currency])
        at = put_bytes(out, at, COUNT_CREDIT, 0, COUNT_CREDIT.size)
        at = put_number(out, at, row["totals"][2], 0)
        at = put_bytes(out, at, AMOUNT_CREDIT, 0, AMOUNT_CREDIT.size)
        at = put_number(out, at, row["totals"][3], exponents[currency])
        at = put_bytes(out, at, closing, 0, closing.size)
        at = put_bytes(out, at, scores if score_ends.size else NULL, score_at, score_end - score_at)
        out[at] = BRACE
        at += 1
        written[count, 1], written[count, 2] = at, id_length
        count += 1
        arrays.bucket_dirty[account["bucket"]] = 1
        drop_day(numbers, accounts, days, facts, more, place)
        places[number] = NONE
    return end, count
