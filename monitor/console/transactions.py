"""The transactions behind an alert: what a page asks for, and what it makes of them. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from monitor.core.business_day import Calendar, day_text, event_time_text
from monitor.core.money import EXPONENT, amount_text
from monitor.core.transaction import DEBIT, Transaction


class NotReachableError(Exception):
    """The transactions cannot be had now: the message says why."""


class SeenTransaction(NamedTuple):
    """A transaction with its offset in its partition."""

    offset: int
    transaction: Transaction


class FoundTransactions(NamedTuple):
    """An account's transactions among the records of its partition that were read.

    These are the records from the offset `first` to `last`; what is before or after is not known.
    """

    transactions: Sequence[SeenTransaction]
    first: int
    last: int


class Transactions(Protocol):
    """Where transactions are found."""

    async def of_account(self, account_id: str, partition: int, offset: int) -> FoundTransactions:
        """Return an account's transactions around a record. Raises NotReachableError."""


class Partner(NamedTuple):
    """Whom an account had to do with: money out and in, by currency, as decimal text."""

    counterparty: str
    institution: str
    currency: str
    transactions: int
    debit_amount: str
    credit_amount: str


def lines_of(
    found: Iterable[SeenTransaction], calendar: Calendar, business_day: str, offset: int
) -> list[dict[str, Any]]:
    """Return transactions as a page and the API show them, the latest record first.

    `is_of_day` marks those of the alert's business day, `is_cause` the record that it names, and
    `is_again` a transaction_id that has come before: it counted once.
    """
    ids: set[str] = set()
    lines = []
    for seen in found:
        transaction = seen.transaction
        day = day_text(calendar.day_of(transaction.event_time))
        lines.append(
            {
                "offset": seen.offset,
                "transaction_id": transaction.transaction_id,
                "booked_at": event_time_text(transaction.event_time),
                "business_day": day,
                "amount": _amount(transaction.amount_minor, transaction.currency),
                "currency": transaction.currency,
                "direction": transaction.direction,
                "counterparty_id": transaction.counterparty_id,
                "counterparty_institution": transaction.counterparty_institution,
                "channel": transaction.channel,
                "branch": transaction.branch,
                "reverses": transaction.reverses,
                "is_of_day": day == business_day,
                "is_cause": seen.offset == offset,
                "is_again": transaction.transaction_id in ids,
            }
        )
        ids.add(transaction.transaction_id)
    return lines[::-1]


def partners_of(found: Iterable[SeenTransaction]) -> list[Partner]:
    """Return whom an account had to do with, the most money first; reversals are left out.

    A transaction_id that comes again counts once.
    """
    ids: set[str] = set()
    counts: Counter[tuple[str, str, str]] = Counter()
    out: Counter[tuple[str, str, str]] = Counter()
    into: Counter[tuple[str, str, str]] = Counter()
    for seen in found:
        transaction = seen.transaction
        if transaction.transaction_id in ids or transaction.reverses:
            continue
        ids.add(transaction.transaction_id)
        key = (
            transaction.counterparty_id or "",
            transaction.counterparty_institution or "",
            transaction.currency,
        )
        counts[key] += 1
        (out if transaction.direction == DEBIT else into)[key] += transaction.amount_minor
    ordered = sorted(counts, key=lambda key: (-(out[key] + into[key]), key))
    return [
        Partner(*key, counts[key], _amount(out[key], key[2]), _amount(into[key], key[2]))
        for key in ordered
    ]


def _amount(minor: int, currency: str) -> str:
    return amount_text(minor, EXPONENT[currency])
