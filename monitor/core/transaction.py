"""A transaction, and why a record is set aside instead of becoming one."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from monitor.core.business_day import MICROSECONDS, day_text, event_time_of, event_time_text
from monitor.core.currency import CURRENCIES, NO_CURRENCY
from monitor.core.money import minor_units

FIELDS: Final = (
    "transaction_id",
    "account_id",
    "booked_at",
    "amount",
    "currency",
    "direction",
    "counterparty_id",
    "counterparty_institution",
    "channel",
    "segment",
    "branch",
    "reverses",
)
"""The fields of a transaction as it comes in, in the order of the columns of a file."""

REQUIRED: Final = FIELDS[:6]

IDS: Final = ("transaction_id", "account_id", "counterparty_id", "reverses")
"""The fields that are compared, one spelling each: no blanks around them, no control characters."""

NAMES: Final = (
    "transaction_id",
    "account_id",
    "counterparty_id",
    "counterparty_institution",
    "channel",
    "segment",
    "branch",
    "reverses",
)
"""The fields that are kept as they are written, so that their length has a bound."""

Fields = Sequence[str | None]
"""One text for each of `FIELDS`; None or empty where the record has none."""

ID_LENGTH_MAX: Final = 256
"""Characters of an id or a name; a longer one is malformed (state and alerts carry them)."""

_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_UNSEENS: Final = _CONTROLS + r"\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_BLANKS: Final = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_CONTROL: Final = re.compile(f"[{_CONTROLS}]")
_UNSEEN: Final = re.compile(f"[{_UNSEENS}]")

ID_PATTERN: Final = rf"^(?![\s\S]*[{_UNSEENS}])(?![{_BLANKS}])[\s\S]*(?<![{_BLANKS}])$"
"""How an id may be written, for a schema: no blanks around it, no character that nobody sees."""

PAYEE_PATTERN: Final = ID_PATTERN.replace(_UNSEENS, _CONTROLS)
"""The same of a payee, who may be a name: some scripts, and emoji, are joined by characters that
nobody sees."""

DEBIT: Final = "debit"
CREDIT: Final = "credit"


class Reason(StrEnum):
    """Why a record was set aside, in precedence: the first that holds is the one given."""

    MALFORMED = "malformed"
    MISSING_FIELD = "missing-field"
    BAD_AMOUNT = "bad-amount"
    BAD_TIME = "bad-time"
    UNKNOWN_CURRENCY = "unknown-currency"
    WRONG_KEY = "wrong-key"
    FUTURE = "future"
    TOO_LATE = "too-late"
    DUPLICATE = "duplicate"
    NOTHING_TO_REVERSE = "nothing-to-reverse"
    REVERSAL_MISMATCH = "reversal-mismatch"


class Rejection(NamedTuple):
    """A record that is set aside: the reason, and what exactly was wrong.

    `branch` and `segment` are those that it names, where it was read so far (a feed that goes wrong
    is known by them).
    """

    reason: Reason
    detail: str
    branch: str | None = None
    segment: str | None = None


class Heartbeat(Rejection):
    """A record by which a feed says that it has sent all up to a time; `detail` is that time.

    It is no transaction, and whoever does not know it rejects it for what it lacks. It is reported
    to nobody: days go on to its time.
    """

    __slots__ = ()

    @property
    def event_time(self) -> int:
        """Up to when all was sent, in microseconds since 1970."""
        moment = event_time_of(self.detail)
        assert moment is not None, "a heartbeat has a time"
        return moment


class LeftOut(Rejection):
    """A record of a topic that its map leaves out: it is no transaction.

    It is counted, and reported to nobody.
    """

    __slots__ = ()


def heartbeat_of(booked_at: str) -> Rejection:
    """Return the heartbeat of a time as it is written, or why it cannot be one."""
    if not booked_at:
        return Rejection(Reason.MISSING_FIELD, "booked_at")
    if event_time_of(booked_at) is None:
        return bad_time(booked_at)
    return Heartbeat(Reason.MISSING_FIELD, booked_at)


class Origin(NamedTuple):
    """Where a transaction came from and went to, as far as its record names it."""

    institution: str | None
    branch: str | None
    channel: str | None
    counterparty: str | None


class Transaction(NamedTuple):
    """One booked movement of money on one account.

    `event_time` is in microseconds since 1970 (UTC), `amount_minor` in minor units of `currency`,
    never negative; `reverses` is the transaction_id that this one takes back.
    """

    transaction_id: str
    account_id: str
    event_time: int
    amount_minor: int
    currency: str
    direction: str
    counterparty_id: str | None
    counterparty_institution: str | None
    channel: str | None
    segment: str | None
    branch: str | None
    reverses: str | None

    @property
    def origin(self) -> Origin:
        """Where it came from and went to; an empty text names nothing."""
        return Origin(
            self.counterparty_institution or None,
            self.branch or None,
            self.channel or None,
            self.counterparty_id or None,
        )


def transaction_of(fields: Fields) -> Transaction | Rejection:
    """Return the transaction that the texts of a record name, or why they name none.

    `fields` has one text for each of `FIELDS`. An empty required text is a missing field.
    """
    (
        transaction_id, account_id, booked_at, amount, currency, direction,
        counterparty_id, institution, channel, segment, branch, reverses,
    ) = fields  # fmt: skip
    if not (transaction_id and account_id and booked_at and amount and currency and direction):
        return _incomplete(fields)
    exponent, end = CURRENCIES.get(currency, NO_CURRENCY)
    amount_minor = minor_units(amount, exponent)
    moment = event_time_of(booked_at)
    # As nearly every record's ids are: short, printable (so valid text, too) and without a blank.
    ids = f"{transaction_id}{account_id}{counterparty_id or ''}"
    if (
        amount_minor is None
        or moment is None
        or moment >= end
        or (direction != DEBIT and direction != CREDIT)  # noqa: PLR1714 - hot: a set test hashes
        or not ids.isprintable()
        or " " in ids
        or len(ids) > ID_LENGTH_MAX
        or (institution and len(institution) > ID_LENGTH_MAX)
        or (channel and len(channel) > ID_LENGTH_MAX)
        or (branch and len(branch) > ID_LENGTH_MAX)
        or (segment and not (segment.isascii() and len(segment) <= ID_LENGTH_MAX))
        or reverses
    ) and (fault := _fault_of(fields)):
        return fault
    assert moment is not None
    assert amount_minor is not None
    # A NamedTuple's own constructor costs twice as much as this.
    return tuple.__new__(
        Transaction,
        (
            transaction_id, account_id, moment, amount_minor, currency, direction,
            counterparty_id, institution, channel, segment or None, branch, reverses or None,
        ),
    )  # fmt: skip


def _malformed(fields: Fields) -> Rejection | None:
    named = dict(zip(FIELDS, fields, strict=True))
    direction = named["direction"]
    if direction and direction not in (DEBIT, CREDIT):
        return Rejection(
            Reason.MALFORMED, f"direction is {direction[:40]!r}: it is debit or credit"
        )
    for name in NAMES:
        text = named[name]
        if text and (fault := text_fault(name, text)):
            return fault
    for name in IDS:
        text = named[name]
        if text and (fault := id_fault(name, text)):
            return fault
    return None


def text_fault(name: str, text: str) -> Rejection | None:
    """Return why the text of an id or a name cannot be taken; None if it can."""
    if len(text) > ID_LENGTH_MAX:
        return Rejection(Reason.MALFORMED, f"{name} is longer than {ID_LENGTH_MAX} characters")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return Rejection(Reason.MALFORMED, f"{name} is not valid text in its encoding")
    return None


def id_fault(name: str, text: str) -> Rejection | None:
    """Return why an id is no spelling of one; None if it is.

    One account in two spellings would be two, each with a part of the total.
    """
    if text.strip() != text:
        return Rejection(
            Reason.MALFORMED, f"{name} is {text[:40]!r}: it must have no blanks around"
        )
    if text.isascii() and text.isprintable():
        return None
    unseen = _CONTROL if name == "counterparty_id" else _UNSEEN
    if found := unseen.search(text):
        return Rejection(
            Reason.MALFORMED,
            f"{name} is {text[:40]!r}: it must have no {_sort_of(found[0])},"
            f" here U+{ord(found[0]):04X}",
        )
    return None


def _sort_of(character: str) -> str:
    return "control character" if _CONTROL.match(character) else "invisible character"


def _incomplete(fields: Fields) -> Rejection:
    if malformed := _malformed(fields):
        return malformed
    missing = [name for name, text in zip(FIELDS, fields, strict=True) if not text]
    return Rejection(Reason.MISSING_FIELD, ", ".join(n for n in missing if n in REQUIRED))


def _fault_of(fields: Fields) -> Rejection | None:
    """Return the first fault, by precedence, of a complete record; None if there is none."""
    if malformed := _malformed(fields):
        return malformed
    named = dict(zip(FIELDS, fields, strict=True))
    amount, booked_at, currency = named["amount"], named["booked_at"], named["currency"]
    assert amount is not None
    assert booked_at is not None
    assert currency is not None
    exponent, end = CURRENCIES.get(currency, NO_CURRENCY)
    if minor_units(amount, exponent) is None:
        return Rejection(
            Reason.BAD_AMOUNT,
            f"amount is {amount[:40]!r}: it is a number from 0 on with at most {exponent} decimals"
            " and 18 digits",
        )
    moment = event_time_of(booked_at)
    if moment is None:
        return bad_time(booked_at)
    if moment < end:
        return None
    said = f"currency is {currency[:40]!r}: "
    if end == NO_CURRENCY.end:
        return Rejection(Reason.UNKNOWN_CURRENCY, f"{said}not in ISO 4217")
    last = event_time_text(end - MICROSECONDS)[:10]
    return Rejection(
        Reason.UNKNOWN_CURRENCY, f"{said}it was money until {last} (ISO 4217, list three)"
    )


def bad_time(booked_at: str) -> Rejection:
    """Return the rejection of a record whose time cannot be read."""
    return Rejection(
        Reason.BAD_TIME,
        f"booked_at is {booked_at[:40]!r}: it is RFC 3339 with an offset, years 1900 to 2999",
    )


def future(item: Transaction | Heartbeat, ahead: int, reference: str) -> Rejection:
    """Return the rejection of a record that is dated so many microseconds ahead of a time."""
    return Rejection(
        Reason.FUTURE,
        f"booked_at is {ahead // 1_000_000} s ahead of {reference}",
        item.branch or None,
        item.segment,
    )


def too_late(transaction: Transaction, day: int, day_open_first: int | None) -> Rejection:
    """Return the rejection of a transaction whose business day is closed."""
    assert day_open_first is not None, "a day is closed by a watermark"
    return Rejection(
        Reason.TOO_LATE,
        f"business day {day_text(day)} is closed: the first open one is {day_text(day_open_first)}",
        transaction.branch or None,
        transaction.segment,
    )


def duplicate(transaction: Transaction, day: int) -> Rejection:
    """Return the rejection of a transaction whose id an open day has already."""
    return Rejection(
        Reason.DUPLICATE,
        f"its transaction_id was taken on {day_text(day)}",
        transaction.branch or None,
        transaction.segment,
    )


def nothing_to_reverse(reverses: str, why: str) -> Rejection:
    """Return the rejection of a reversal whose original is not there."""
    return Rejection(Reason.NOTHING_TO_REVERSE, f"reverses names {reverses[:40]!r}: {why}")


def reversal_mismatch(reverses: str, why: str) -> Rejection:
    """Return the rejection of a reversal that does not fit what is left of its original."""
    return Rejection(Reason.REVERSAL_MISMATCH, f"reverses names {reverses[:40]!r}: {why}")
