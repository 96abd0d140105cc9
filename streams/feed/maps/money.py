"""Amounts as banks write them in a cell: with marks, signs, currencies, CR and DR.

Everything is text: no amount is ever a float.

>>> reading = Notation(writing_of("1.234,50"), {"€": "EUR"}, {"S": "debit", "H": "credit"})
>>> read_amount("\u2212 1.234,50 €", reading)
Written(text='1234.50', is_negative=True, mark=None, code='EUR')
>>> read_amount("12,50 H", reading)
Written(text='12.50', is_negative=False, mark='credit', code=None)
>>> read_amount("1.234", reading), read_amount("12.50", reading)
(Written(text='1234', is_negative=False, mark=None, code=None), None)
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from monitor.core.money import EXPONENT
from monitor.core.transaction import CREDIT, DEBIT

MINUS: Final = frozenset("-\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d")
"""Characters that stand for a minus: the hyphens, the figure and en dash, and U+2212."""

MARKS: Final[Mapping[str, str]] = {"CR": CREDIT, "DR": DEBIT}
SIGNS: Final[Mapping[str, str]] = {"€": "EUR"}
"""The one currency sign that means one currency everywhere."""

CELL_MAX: Final = 80
"""Characters of an amount in a cell; a longer cell is not read."""

_UNSEEN: Final = dict.fromkeys(map(ord, "\u200b\u200e\u200f\u2060\ufeff"))
_SPACES: Final = " \u00a0\u2007\u2009\u202f"
_APOSTROPHES: Final = "'\u2019\u02bc"
_EXAMPLE: Final = re.compile(
    rf"[0-9]{{1,3}}(?:(?P<group>[.,{_SPACES}{_APOSTROPHES}])[0-9]{{2,3}})*?"
    r"(?:(?P=group)[0-9]{3})?(?:(?P<decimal>[.,])[0-9]+)?"
)
_PLAIN: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_THOUSAND_DIGITS: Final = 3
_CODE_LETTERS: Final = 3


_new: Final = tuple.__new__


class Writing(NamedTuple):
    """How numbers are written: the decimal mark, and the marks between thousands (or none)."""

    example: str
    decimal: str
    groups: str


class Notation(NamedTuple):
    """What a cell of an amount may have: its writing, currency signs, and marks of a direction."""

    writing: Writing
    signs: Mapping[str, str] = SIGNS
    marks: Mapping[str, str] = MARKS


class Written(NamedTuple):
    """What an amount's cell says: the number without a sign, and what stands around it."""

    text: str
    is_negative: bool
    mark: str | None
    code: str | None


def writing_of(example: object) -> Writing | None:
    """Return how an example such as 1.234,50 is written; None if it can be read in two ways."""
    if not isinstance(example, str):
        return None
    if _PLAIN.fullmatch(example):
        whole, _, decimals = example.replace(",", ".").partition(".")
        if len(decimals) == _THOUSAND_DIGITS and len(whole) <= _THOUSAND_DIGITS:
            return None  # 1,234: is it a thousand?
        decimal = "," if "," in example else "."
        return Writing(example, decimal, "")
    found = _EXAMPLE.fullmatch(example)
    if not found or found["group"] is None or found["decimal"] is None:
        return None
    group, decimal = found["group"], found["decimal"]
    if group == decimal:
        return None
    kin = next((marks for marks in (_SPACES, _APOSTROPHES) if group in marks), group)
    writing = Writing(example, decimal, kin)
    return writing if AmountReader(Notation(writing))(example) else None


PLAIN_WRITING: Final = Writing("1234.50", ".", "")


class AmountReader:
    """Reads cells by one reading; most cells come often, or are plain."""

    def __init__(self, reading: Notation) -> None:
        self.reading = reading
        _, decimal, groups = reading.writing
        point, marks = re.escape(decimal), re.escape(groups)
        grouped = rf"[0-9]{{1,3}}(?P<mark>[{marks}])(?:[0-9]{{2,3}}(?P=mark))*[0-9]{{3}}|"
        whole = rf"(?:{grouped if groups else ''}[0-9]+)"
        self._plain = re.compile(rf"(-?)({whole}(?:{point}[0-9]+)?)")
        self._core = re.compile(
            rf"(?P<before>[^0-9]*?)(?P<core>{whole}(?:{point}[0-9]+)?)(?P<after>[^0-9]*)"
        )
        self._bare = re.compile(
            rf"(?P<before>[^0-9A-Za-z.,]*?)(?P<core>{point}[0-9]+)(?P<after>[^0-9]*)"
        )
        self._decimal, self._groups = decimal, groups
        self._read_any = lru_cache(maxsize=1 << 12)(self._read)

    def __call__(self, cell: str) -> Written | None:
        """Return what a cell says; None if it is not written so, or says two things."""
        plain = self._plain.fullmatch(cell)
        if plain:
            # A NamedTuple's own constructor costs twice as much as this.
            return _new(Written, (self._pointed(plain[2]), plain[1] == "-", None, None))
        return self._read_any(cell) if len(cell) <= CELL_MAX else None

    def _read(self, cell: str) -> Written | None:
        text = cell.translate(_UNSEEN).strip()
        found = self._bare.fullmatch(text) or self._core.fullmatch(text)
        if not found:
            return None
        before, signs_before = _split_signs(found["before"])
        after, signs_after = _split_signs(found["after"])
        sign = _sign_of(signs_before, signs_after)
        if sign is None:
            return None
        words = [word for word in (*before, *after) if word]
        marks = [word for word in words if self._mark_of(word)]
        codes = [word for word in words if not self._mark_of(word)]
        if len(marks) > 1 or len(codes) > 1 or (marks and sign):
            return None
        code = self._code_of(codes[0]) if codes else None
        if codes and code is None:
            return None
        mark = self._mark_of(marks[0]) if marks else None
        digits = self._pointed(found["core"])
        return Written("0" + digits if digits[0] == "." else digits, sign == "-", mark, code)

    def _pointed(self, number: str) -> str:
        """Return a number without marks between thousands, and with a point."""
        for mark in self._groups:
            number = number.replace(mark, "")
        return number if self._decimal == "." else number.replace(self._decimal, ".")

    def _mark_of(self, word: str) -> str | None:
        marks = self.reading.marks
        return marks.get(word) or marks.get(word.upper())

    def _code_of(self, word: str) -> str | None:
        """Return the currency that a text in a cell means; None if nobody said so."""
        stated = self.reading.signs.get(word)
        if stated is not None:
            return stated
        code = word.upper()
        return code if len(code) == _CODE_LETTERS and code in EXPONENT else None


def read_amount(cell: str, reading: Notation) -> Written | None:
    """Return what one cell says; see `AmountReader`."""
    return AmountReader(reading)(cell)


def _split_signs(text: str) -> tuple[list[str], str]:
    """Return the words of what stands beside a number, and the signs that it has."""
    signs = "".join(
        "-" if mark in MINUS else mark for mark in text if mark in MINUS or mark in "+()"
    )
    words = "".join(" " if mark in MINUS or mark in "+()" else mark for mark in text).split()
    return words, signs


def _sign_of(before: str, after: str) -> str | None:
    """Return - or nothing by the signs around a number; None if they contradict themselves."""
    if (before, after) == ("(", ")"):
        return "-"
    if before + after in ("", "-", "+"):
        return before + after
    return None
