"""Evidence for what a column can be: how many of its cells read as it, and as something else."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import product
from typing import Final, NamedTuple

from monitor.core.money import EXPONENT
from monitor.core.transaction import CREDIT, DEBIT
from streams.feed.iban import iban_fault
from streams.feed.maps.money import AmountReader, Notation, Written, writing_of

SAMPLE: Final = 200_000
"""Cells of a column that are read for evidence."""

WRITINGS: Final = (
    "1234.50",
    "1,234.50",
    "1.234,50",
    "1234,50",
    "1 234,50",
    "1 234.50",
    "1'234.50",
    "1'234,50",
    "1,23,456.50",
)
SIGNS: Final = {
    "€": "EUR",
    "$": "USD",
    "£": "GBP",
    "kr": "SEK",
    "zł": "PLN",
    "Kč": "CZK",
    "R$": "BRL",
    "Fr.": "CHF",
    "₹": "INR",
    "Ft": "HUF",
    "¥": "JPY",
    "US$": "USD",
}
WORDS: Final = (
    ("D", "C"),
    ("DR", "CR"),
    ("DEBIT", "CREDIT"),
    ("S", "H"),
    ("SOLL", "HABEN"),
    ("AF", "BIJ"),
    ("OUT", "IN"),
    ("DEBET", "KREDIT"),
    ("DEBET", "CREDIT"),
    ("D", "K"),
    ("DBIT", "CRDT"),
    ("WITHDRAWAL", "DEPOSIT"),
    ("DEBE", "HABER"),
    ("DÉBIT", "CRÉDIT"),
    ("-", "+"),
    ("VYDAJ", "PRIJEM"),
    ("MONEY OUT", "MONEY IN"),
    ("EXPENSE", "INCOME"),
)
"""Words for a debit and a credit that stand in a column of their own."""

_DAYS: Final = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d-%m-%y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %b %y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%d %B %Y",
    "%d.%m.%Y.",
    "%Y.%m.%d.",
    "%d%m%Y",
)
_TIMES: Final = (
    "",
    " %H:%M:%S",
    " %H:%M",
    "T%H:%M:%S",
    " %H.%M",
    " / %H:%M",
    "%H%M%S",
    " %I:%M %p",
)
_OF_DAY: Final = ("%H:%M:%S", "%H:%M", "%H%M%S", "%H.%M")
_EPOCHS: Final = {10: "seconds", 13: "milliseconds", 16: "microseconds"}
_EPOCH_NAME: Final = re.compile(r"time|date|stamp|epoch|when|\bts\b|\bat\b|_at$", re.IGNORECASE)
_PLAUSIBLE: Final = range(1970, 2100)
_EPOCH_LEAST: Final = 500_000_000
_FIRST: Final = 20
_ENOUGH: Final = 0.95
_DAY_CHARACTERS: Final = 6


class DateCells(NamedTuple):
    """A column of times: the formats that read it best, and cells that the second cannot read."""

    format: str | None  # None: ISO 8601, or an epoch
    epoch: str | None
    rival: str | None
    read: int
    told_apart: int  # cells that only the first of the two reads
    has_time: bool


class NumberCells(NamedTuple):
    """A column of numbers: the writing that reads it best, and what its cells have beside."""

    number: str
    rival: str | None
    read: int
    told_apart: int
    negative: int
    signs: dict[str, str]
    codes: Counter[str]
    marks: int
    has_decimals: bool


class Evidence(NamedTuple):
    """All that is known of one column."""

    name: str
    filled: int
    distinct: int
    dates: DateCells | None
    of_day: str | None
    numbers: NumberCells | None
    is_currency: bool
    is_iban: bool
    words: tuple[dict[str, str], int] | None  # of directions, and how many cells have one


def evidence_of(name: str, cells: Iterable[str | None]) -> Evidence:
    """Return what the cells of a column can be."""
    texts = Counter(cell.strip() for cell in cells if cell and cell.strip())
    filled = texts.total()
    return Evidence(
        name,
        filled,
        len(texts),
        _dates_of(texts) or _epoch_of(texts, name),
        _time_of_day_of(texts),
        _numbers_of(texts),
        bool(texts) and all(text in EXPONENT for text in texts),
        bool(texts) and all(not iban_fault(text) for text in list(texts)[:1000]),
        _words_of(texts),
    )


def _count(texts: Counter[str], reads: Callable[[str], bool]) -> int:
    return sum(count for text, count in texts.items() if reads(text))


def _dates_of(texts: Counter[str]) -> DateCells | None:
    filled = texts.total()
    if not filled or not all(map(str.isascii, list(texts)[:_FIRST])):
        return None
    iso = _count(texts, _is_iso)
    if iso >= _ENOUGH * filled:
        return DateCells(None, None, None, iso, iso, any(len(text) > 10 for text in texts))  # noqa: PLR2004 - a day
    first = [text for text in texts if len(text) >= _DAY_CHARACTERS][:_FIRST]
    formats = [
        day + of_day
        for day, of_day in product(_DAYS, _TIMES)
        if first and sum(_reads(day + of_day)(text) for text in first) >= _ENOUGH * len(first) / 2
    ]
    found = sorted(
        (
            (_count(texts, _reads(written)), -place, written)
            for place, written in enumerate(formats)
        ),
        reverse=True,
    )
    if found and found[0][0] >= _ENOUGH * filled:
        read, _, best = found[0]
        other = best.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
        reads, reads_otherwise = _reads(best), _reads(other)
        apart = _count(texts, lambda text: reads(text) and not reads_otherwise(text))
        rival = other if other != best and apart < read else None
        return DateCells(best, None, rival, read, apart, "%H" in best or "%I" in best)
    return None


def _epoch_of(texts: Counter[str], name: str) -> DateCells | None:
    """Return what a column counts since 1970: its name must say that it is a time, too."""
    lengths = {len(text) for text in texts}
    unit = _EPOCHS.get(lengths.pop()) if len(lengths) == 1 else None
    if unit is None or not _EPOCH_NAME.search(name) or not all(map(_is_digits, texts)):
        return None
    filled = texts.total()
    is_late = min(int(text[:10]) for text in texts) > _EPOCH_LEAST
    return DateCells(None, unit, None, filled, filled, has_time=True) if is_late else None


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _is_iso(text: str) -> bool:
    if "-" not in text[:5]:
        return False
    try:
        return datetime.fromisoformat(text).year in _PLAUSIBLE
    except ValueError:
        return False


def _reads(written: str) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            return datetime.strptime(text, written).year in _PLAUSIBLE  # noqa: DTZ007 - the year alone
        except ValueError:
            return False

    return reads


def _time_of_day_of(texts: Counter[str]) -> str | None:
    for written in _OF_DAY:
        if texts and all(_is_of_day(text, written) for text in list(texts)[:1000]):
            return written
    return None


def _is_of_day(text: str, written: str) -> bool:
    if len(text) < len("0:00") or (written == "%H%M%S" and len(text) != len("000000")):
        return False
    try:
        datetime.strptime(text, written)  # noqa: DTZ007 - a time of day
    except ValueError:
        return False
    return True


def _numbers_of(texts: Counter[str]) -> NumberCells | None:
    filled = texts.total()
    candidates = []
    for place, example in enumerate(WRITINGS):
        writing = writing_of(example)
        assert writing is not None
        reader = AmountReader(Notation(writing, SIGNS))
        read = {text: written for text in texts if (written := reader(text)) is not None}
        count = sum(texts[text] for text in read)
        if filled and count >= _ENOUGH * filled:
            candidates.append((count, -place, example, read))
    if not candidates:
        return None
    candidates.sort(key=lambda candidate: candidate[:2], reverse=True)
    count, _, example, read = candidates[0]
    rival, apart = _rival(texts, read, candidates[1:])
    used = {
        sign: code for sign, code in SIGNS.items() if any(_has_sign(text, sign) for text in read)
    }
    codes = Counter(written.code for written in read.values() if written.code)
    return NumberCells(
        example,
        rival,
        count,
        apart,
        sum(texts[text] for text, written in read.items() if written.is_negative),
        {sign: code for sign, code in used.items() if sign != "€"},
        Counter({str(code): number for code, number in codes.items()}),
        sum(texts[text] for text, written in read.items() if written.mark),
        any("." in written.text for written in read.values()),
    )


def _rival(
    texts: Counter[str],
    read: dict[str, Written],
    others: Sequence[tuple[int, int, str, dict[str, Written]]],
) -> tuple[str | None, int]:
    """Return the writing that reads some cell as another number, and how many cells it cannot."""
    for _, _, example, other in others:
        if any(other[text].text != written.text for text, written in read.items() if text in other):
            return example, sum(texts[text] for text in read if text not in other)
    return None, sum(texts[text] for text in read)


def _has_sign(text: str, sign: str) -> bool:
    return sign in re.sub(r"[0-9.,' \u00a0\u202f+()-]+", " ", text).split()


def _words_of(texts: Counter[str]) -> tuple[dict[str, str], int] | None:
    """Return the words of a column that say a direction, if all of its cells do."""
    for debit, credit in WORDS:
        meant = {debit: DEBIT, credit: CREDIT}
        found = {text: meant[text.upper()] for text in texts if text.upper() in meant}
        if found and len(found) == len(texts):
            return found, texts.total()
    return None
