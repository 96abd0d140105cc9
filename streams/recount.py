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
    transaction_id text, account_id text, day text, cents integer, is_debit integer,
    segment text, reverses text, primary key (account_id, transaction_id)
);
create index reversals on rows (account_id, reverses) where reverses is not null;
"""

_TOTALS = """
with recursive chain (account_id, root, transaction_id, cents, sign, is_of_nothing) as (
    select account_id, transaction_id, transaction_id, cents, 1, cents = 0
    from rows
    where reverses is null
    union all
    select rows.account_id, root, rows.transaction_id, rows.cents, -sign, is_of_nothing
    from chain join rows
    on rows.account_id = chain.account_id and rows.reverses = chain.transaction_id
), rests as (
    select account_id, root, sum(sign * iif(is_of_nothing, 1, cents)) as rest
    from chain
    group by account_id, root
)
select rows.account_id, day, sum(is_debit), sum(is_debit * iif(cents, rest, 0)),
       sum(1 - is_debit), sum((1 - is_debit) * iif(cents, rest, 0)), max(segment)
from rows join rests on rows.account_id = rests.account_id and transaction_id = root
where rest > 0
group by rows.account_id, day
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

    A row sent twice counts once. A reversal counts for nothing itself, and takes its own amount out
    of the row that it names; a reversal of that one adds, and so on. All of them must fit: their
    signed sum is what is left of a row, and a row of which nothing is left does not count.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.executescript(_TABLE)

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
