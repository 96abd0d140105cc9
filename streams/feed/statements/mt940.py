"""Reads MT940 and MT942 (SWIFT): one statement after the other, with or without their blocks.

A field begins in a line with its tag, `:61:`, and goes on up to the next one. Of `:61:` the fixed
parts are read as the standard has them; texts may be longer than it allows.
"""

import codecs
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import IO, Final, NamedTuple

from streams.feed.iban import iban_fault
from streams.feed.mapping import FeedError
from streams.feed.statements.entry import (
    EntryFault,
    Item,
    Note,
    Skip,
    StatementEntry,
    balance_fault,
    decimal_of,
    is_reference,
)
from streams.feed.statements.narrative import Narrative, narrative_of

REFERENCE_CHARACTERS_MIN: Final = 6
"""Characters of a bank's reference from which on it is taken for its own; less is a number."""

EXPECTED: Final = "expected"
FIELD_CHARACTERS_MAX: Final = 1 << 20

_TAG: Final = re.compile(r":(\d\d[A-Z]?|NS):(.*)", re.DOTALL)
_BALANCE: Final = re.compile(r"([CD])\s*(\d{6})\s*([A-Z]{3})?\s*([\d,.]+)")
_SUM: Final = re.compile(r"(\d{1,5})\s*([A-Z]{3})\s*([\d,.]+)")
_ENTRY: Final = re.compile(
    r"(?P<value>\d{6})\s?(?P<entry>\d{4})?\s?(?P<mark>R[CD]|E[CD]|[CD])(?P<funds>[A-Z])?\s?"
    r"(?P<amount>\d{0,15}[,.]\d{0,6}|\d{1,15}(?=[NFS]))(?![\d,.])\s?(?P<code>[NFS][A-Z0-9]{3})?(?P<rest>.*)"
)
_BALANCES: Final = frozenset(("60F", "60M", "62F", "62M"))
_SIGNS: Final = _BALANCES | {"61", "34F", "90D", "90C"}
_END: Final = re.compile(r"-\}?(?:\{5:.*)?$|\{[15]:")
_TEXT_BLOCK: Final = "{4:"
_CURRENCY: Final = re.compile(r"[A-Z]{3}$")
_CENTURY: Final = 69
"""Two digits of a year from here on are of the last century, as in POSIX."""


class _Field(NamedTuple):
    tag: str  # empty: the end of a message
    text: str
    line: int


class _Message:
    """What was read of one message, up to its closing balance."""

    def __init__(self) -> None:
        self.account = ""
        self.name = ""
        self.currency = ""
        self.opening: Decimal | None = None
        self.total = Decimal(0)
        self.debits: list[Decimal] = []
        self.credits: list[Decimal] = []
        self.pending: _Field | None = None
        self.is_begun = False


def items_of(file: IO[bytes], path: Path) -> Iterator[Item]:
    """Yield the entries of all messages. Raises FeedError if there are none."""
    message, found = _Message(), False
    for field in _fields_of(file, path):
        found = found or field.tag in _SIGNS
        if field.tag == "86" and message.pending is not None:
            yield _item_of(message, message.pending, field.text)
            message.pending = None
            continue
        if message.pending is not None:
            yield _item_of(message, message.pending, "")
            message.pending = None
        if (field.tag == "20" and message.is_begun) or not field.tag:
            message = _Message()
        yield from _taken(message, field)
    if message.pending is not None:
        yield _item_of(message, message.pending, "")
    if not found:
        problem = "it has no entry (:61:) and no balance (:60F:, :62F:): is it MT940 or MT942?"
        raise FeedError([problem], str(path))


def _taken(message: _Message, field: _Field) -> Iterator[Item]:
    """Take a field; yield what is wrong with the balance or the sum that it is."""
    tag, text = field.tag, field.text.strip()
    message.is_begun = message.is_begun or bool(tag)
    if tag in {"25", "25P"}:
        message.account = _account_of(text.splitlines()[0] if text else "")
    elif tag in {"28", "28C"}:
        message.name = text
    elif tag == "34F":
        message.currency = message.currency or text[:3]
    elif tag == "61":
        message.pending = field
    elif tag in _BALANCES:
        yield from _balance_faults(message, field)
    elif tag in {"90D", "90C"}:
        yield from _sum_faults(message, field)


def _balance_faults(message: _Message, field: _Field) -> Iterator[Note]:
    """Take an opening or a closing balance: of a page, or of a whole statement."""
    balance = _BALANCE.match(field.text.strip())
    if balance is None:
        yield Note(f"line {field.line}: :{field.tag}: is no balance, so sums are not compared")
        return
    amount = _number(balance[4]) * (1 if balance[1] == "C" else -1)
    message.currency = balance[3] or message.currency  # old ones name it in the opening one alone
    if field.tag.startswith("60"):
        message.opening, message.total = amount, Decimal(0)
    elif message.opening is not None:
        where = f"line {field.line}, statement {message.name} of account {message.account}"
        fault = balance_fault(where, message.currency, message.opening, message.total, amount)
        message.opening = None
        if fault:
            yield fault


def _sum_faults(message: _Message, field: _Field) -> Iterator[Note]:
    """Compare the number and the sum of debits or credits with what the report says of them."""
    stated = _SUM.match(field.text.strip())
    if stated is None:
        return
    entries = message.debits if field.tag == "90D" else message.credits
    count, amount, total = int(stated[1]), _number(stated[3]), sum(entries, Decimal(0))
    if (count, amount) != (len(entries), total):
        side = "debits" if field.tag == "90D" else "credits"
        yield Note(
            f"line {field.line}, account {message.account}: it says {count:,} {side} of"
            f" {amount:f} {stated[2]}, and has {len(entries):,} of {total:f}: ask the bank for the"
            " whole report"
        )


def _item_of(message: _Message, field: _Field, narrative: str) -> Item:
    first, _, supplementary = field.text.partition("\n")
    found = _ENTRY.match(first.strip())
    if found is None:
        fault = (
            f"line {field.line}: :61: must have a date, C, D, RC or RD, and an amount with a comma,"
            f" not {first[:60]!r}"
        )
        return EntryFault({"account_id": message.account, "currency": message.currency}, fault)
    mark = found["mark"]
    if mark[0] == "E":
        return Skip(EXPECTED)
    is_reversal = mark[0] == "R"
    is_credit = mark in {"C", "RD"}
    amount = found["amount"].replace(",", ".")
    signed = decimal_of(amount) * (1 if is_credit else -1)
    message.total += signed
    (message.credits if is_credit else message.debits).append(abs(signed))
    reference, _, bank = found["rest"].partition("//")
    reference, bank = reference.strip(), bank.strip()
    value = _value_date(found["value"])
    told = narrative_of(narrative, reference)
    booking = _booking_date(found["entry"], value) if found["entry"] else value
    called = _called(reference, bank, told)
    return StatementEntry(
        message.account,
        amount,
        message.currency,
        is_credit,
        booking or value,
        value,
        bank if _names_one(bank) else "",
        told.account or told.name,
        told.institution,
        is_reversal,
        called,
        called if is_reversal else (),
        further={
            "bank_code": found["code"] or "",
            "proprietary_code": told.code,
            "bank_reference": bank,
            "end_to_end_id": told.end_to_end_id,
            "counterparty_name": told.name,
            "details": " ".join(filter(None, (told.details, " ".join(supplementary.split())))),
        },
    )


def _called(reference: str, bank: str, told: Narrative) -> tuple[str, ...]:
    named = {"bank": bank, "EREF": told.end_to_end_id, "reference": reference}
    return tuple(f"{kind} {text}" for kind, text in named.items() if _names_one(text))


def _names_one(reference: str) -> bool:
    return len(reference) >= REFERENCE_CHARACTERS_MIN and is_reference(reference)


def _number(text: str) -> Decimal:
    return decimal_of(text.replace(",", "."))


def _account_of(text: str) -> str:
    """Return the account of `:25:`; behind an IBAN some banks write its currency.

    >>> _account_of("NL91 ABNA 0417 1643 00EUR"), _account_of("37040044/0532013000")
    ('NL91ABNA0417164300', '37040044/0532013000')
    """
    joined = text.replace(" ", "")
    if iban_fault(joined) is None:
        return joined
    without = _CURRENCY.sub("", joined)
    if without != joined and iban_fault(without) is None:
        return without
    return text.strip()


def _value_date(text: str) -> str:
    """Return the date of YYMMDD as ISO 8601, also if there is no such day.

    >>> _value_date("260105"), _value_date("990230")
    ('2026-01-05', '1999-02-30')
    """
    century = 19 if int(text[:2]) >= _CENTURY else 20
    return f"{century}{text[:2]}-{text[2:4]}-{text[4:6]}"


def _booking_date(text: str, value: str) -> str | None:
    """Return the date of MMDD that is nearest to a value date; None if there is no such day.

    >>> _booking_date("0102", "2025-12-31"), _booking_date("1231", "2026-01-02")
    ('2026-01-02', '2025-12-31')
    """
    year, month, day = int(value[:4]), int(text[:2]), int(text[2:])
    try:
        near = date.fromisoformat(value)
    except ValueError:  # 30 February, as interest is counted: the month is as good
        near = date(year, min(int(value[5:7]) or 1, 12), 15)
    days = [found for each in (year - 1, year, year + 1) if (found := _day(each, month, day))]
    return min(days, key=lambda each: abs(each - near)).isoformat() if days else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _fields_of(file: IO[bytes], path: Path) -> Iterator[_Field]:
    """Yield each field with all its lines; one without a tag where a message ends."""
    tag, lines, begin, length = "", list[str](), 0, 0
    for number, line in enumerate(_lines_of(file), 1):
        text = line.rstrip()
        block = text.rfind(_TEXT_BLOCK)
        is_end = block >= 0 or _END.match(text) is not None
        found = _TAG.match(text[block + len(_TEXT_BLOCK) :] if block >= 0 else text)
        if found or is_end:
            if tag:
                yield _Field(tag, "\n".join(lines), begin)
            if is_end:
                yield _Field("", "", number)
            tag, lines = (found[1], [found[2]]) if found else ("", [])
            begin, length = number, 0
        elif tag:
            lines.append(text)
            length += len(text)
            if length > FIELD_CHARACTERS_MAX:
                problem = f"line {begin}: :{tag}: has over {FIELD_CHARACTERS_MAX:,} characters"
                raise FeedError([problem], str(path))
    if tag:
        yield _Field(tag, "\n".join(lines), begin)


def _lines_of(file: IO[bytes]) -> Iterator[str]:
    """Yield the lines of a file: UTF-8, or where a line is not, ISO 8859-1."""
    rest = b""
    while data := file.read(1 << 16):
        *lines, rest = (rest + data).replace(b"\r\n", b"\n").split(b"\n")
        yield from map(_decoded, lines)
    if rest:
        yield _decoded(rest)


def _decoded(line: bytes) -> str:
    line = line.removeprefix(codecs.BOM_UTF8)
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")
