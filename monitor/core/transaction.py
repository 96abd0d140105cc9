"""A transaction, and why a record is set aside instead of becoming one."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from monitor.core.business_day import day_text, event_time_of
from monitor.core.money import EXPONENT, EXPONENT_MAX, minor_units

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

Fields = Sequence[str | None]
"""One text for each of `FIELDS`; None or empty where the record has none."""

ID_LENGTH_MAX: Final = 256
"""Characters of an id or a name; a longer one is malformed (state and alerts carry them)."""

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
    exponent = EXPONENT.get(currency)
    amount_minor = minor_units(amount, EXPONENT_MAX if exponent is None else exponent)
    moment = event_time_of(booked_at)
    if (
        exponent is None
        or amount_minor is None
        or moment is None
        or (direction != DEBIT and direction != CREDIT)  # noqa: PLR1714 - hot: a set test hashes
        or len(transaction_id) > ID_LENGTH_MAX
        or len(account_id) > ID_LENGTH_MAX
        or not (transaction_id.isascii() and account_id.isascii())
        or (segment and not (segment.isascii() and len(segment) <= ID_LENGTH_MAX))
        or (reverses and not (reverses.isascii() and len(reverses) <= ID_LENGTH_MAX))
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
    for name in ("transaction_id", "account_id", "segment", "reverses"):
        text = named[name] or ""
        if fault := text_fault(name, text):
            return fault
    return None


def text_fault(name: str, text: str) -> Rejection | None:
    """Return why the text of an id or a name cannot be taken; None where it can."""
    if len(text) > ID_LENGTH_MAX:
        return Rejection(Reason.MALFORMED, f"{name} is longer than {ID_LENGTH_MAX} characters")
    if any("\ud800" <= character <= "\udfff" for character in text):
        return Rejection(Reason.MALFORMED, f"{name} is not valid text in its encoding")
    return None


def _incomplete(fields: Fields) -> Rejection:
    if malformed := _malformed(fields):
        return malformed
    missing = [name for name, text in zip(FIELDS, fields, strict=True) if not text]
    return Rejection(Reason.MISSING_FIELD, ", ".join(n for n in missing if n in REQUIRED))


def _fault_of(fields: Fields) -> Rejection | None:
    """Return the first fault, by precedence, of a complete record; None where there is none."""
    if malformed := _malformed(fields):
        return malformed
    named = dict(zip(FIELDS, fields, strict=True))
    amount, booked_at, currency = named["amount"], named["booked_at"], named["currency"]
    assert amount is not None
    assert booked_at is not None
    assert currency is not None
    exponent = EXPONENT.get(currency)
    decimals = EXPONENT_MAX if exponent is None else exponent
    if minor_units(amount, decimals) is None:
        return Rejection(
            Reason.BAD_AMOUNT,
            f"amount is {amount[:40]!r}: it is a number from 0 on with at most {decimals} decimals"
            " and 18 digits",
        )
    if event_time_of(booked_at) is None:
        return Rejection(
            Reason.BAD_TIME,
            f"booked_at is {booked_at[:40]!r}: it is RFC 3339 with an offset, years 1900 to 2999",
        )
    if exponent is None:
        return Rejection(Reason.UNKNOWN_CURRENCY, f"currency is {currency[:40]!r}: not in ISO 4217")
    return None


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
