"""Control totals: what a ledger says of its days, held against the account-days of a store.

A store has account-days of closed days alone, and the last record of each.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

from sqlalchemy import Connection

from monitor.core.currency import CURRENCIES
from monitor.core.money import amount_text
from monitor.store.days import rows_between
from monitor.store.store import StoreError


class ControlKey(NamedTuple):
    """What totals are of; an empty account is all accounts of the day."""

    business_day: str
    account_id: str
    currency: str


class ControlTotals(NamedTuple):
    """Counts, and amounts in minor units of the currency."""

    debit_count: int = 0
    debit_amount: int = 0
    credit_count: int = 0
    credit_amount: int = 0

    def plus(self, other: Self) -> "ControlTotals":
        """Return both together."""
        return ControlTotals(*(a + b for a, b in zip(self, other, strict=True)))

    def text(self, currency: str) -> str:
        """Return them in words, as messages have them."""
        exponent = CURRENCIES[currency].exponent
        return ", ".join(
            f"{count} {name if count == 1 else name + 's'} of {amount_text(amount, exponent)}"
            for name, count, amount in (
                ("debit", self.debit_count, self.debit_amount),
                ("credit", self.credit_count, self.credit_amount),
            )
        )


NOTHING = ControlTotals()


class Difference(NamedTuple):
    """Where a ledger and a store do not say the same; None is nothing at all."""

    key: ControlKey
    ledger: ControlTotals | None
    store: ControlTotals | None

    def text(self) -> str:
        """Return it as a line."""
        day, account_id, currency = self.key
        of_account = f" {account_id}" if account_id else ""
        ledger, store = (
            "nothing" if totals is None else totals.text(currency)
            for totals in (self.ledger, self.store)
        )
        return f"{day}{of_account} {currency}: the ledger has {ledger}; Weir has {store}"


def stored_totals(
    connection: Connection, first: str, last: str, *, by_account: bool
) -> dict[ControlKey, ControlTotals]:
    """Return the totals of a store's account-days of a range of days, both included.

    Those of which nothing is left (all was reversed) are none. Raises StoreError if an account-day
    cannot be read.
    """
    found: dict[ControlKey, ControlTotals] = {}
    table = rows_between(connection, first, last, ("account_id", "business_day", "totals"))
    for row in table.to_pylist():
        if row["totals"] is None:
            raise StoreError(
                f"the account-day {row['business_day']} of {row['account_id']} has totals that"
                " cannot be read"
            )
        for its in row["totals"]:
            account_id = row["account_id"] if by_account else ""
            key = ControlKey(row["business_day"], account_id, its["currency"])
            totals = ControlTotals(*(int(its[name]) for name in ControlTotals._fields))
            if totals != NOTHING:
                found[key] = found.get(key, NOTHING).plus(totals)
    return found


def differences(
    ledger: Mapping[ControlKey, ControlTotals], store: Mapping[ControlKey, ControlTotals]
) -> Iterator[Difference]:
    """Yield where they differ, by day, account and currency; totals of nothing are none."""
    for key in sorted(ledger.keys() | store.keys()):
        due, told = ledger.get(key, NOTHING), store.get(key, NOTHING)
        if due != told:
            yield Difference(key, ledger.get(key), store.get(key))
