"""Counts the same rows by other means: SQL over whole cents. Nothing of the engine is used."""

import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, Self

from monitor.core.transaction import FIELDS, Fields

DayKey = tuple[str, str]
"""Account and business day (YYYY-MM-DD)."""

_COLUMNS = {name: place for place, name in enumerate(FIELDS)}

_TABLE = """
create table rows (
    transaction_id text primary key, account_id text, day text, cents integer, is_debit integer,
    segment text, reverses text
)
"""

_TOTALS = """
select account_id, day, sum(is_debit), sum(is_debit * cents), sum(1 - is_debit),
       sum((1 - is_debit) * cents), max(segment)
from rows
where reverses is null
  and transaction_id not in (select reverses from rows where reverses is not null)
group by account_id, day
"""


class DayTotals(NamedTuple):
    """What an account did on a day: counts, and whole cents."""

    debits: int
    debit_cents: int
    credits: int
    credit_cents: int
    segment: str | None


class Recount:
    """An independent count of well-formed rows in one currency of two decimals, days in UTC.

    A row sent twice counts once; a reversed one, and the one that reverses it, not at all.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute(_TABLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, rows: Iterable[Fields]) -> None:
        """Add rows of a feed."""
        self._database.executemany(
            "insert or ignore into rows values (?, ?, ?, ?, ?, ?, ?)", map(_values, rows)
        )

    def totals(self) -> dict[DayKey, DayTotals]:
        """Return the totals of every account-day that has any."""
        return {(row[0], row[1]): DayTotals(*row[2:]) for row in self._database.execute(_TOTALS)}


def _values(fields: Fields) -> Sequence[object]:
    def text(name: str) -> str | None:
        return fields[_COLUMNS[name]]

    amount, booked_at = text("amount"), text("booked_at")
    assert amount is not None
    assert booked_at is not None
    return (
        text("transaction_id"),
        text("account_id"),
        booked_at[:10],
        int(Decimal(amount).scaleb(2)),
        int(text("direction") == "debit"),
        text("segment"),
        text("reverses") or None,
    )
