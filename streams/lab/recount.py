"""Counts the same rows by other means: SQL over whole cents. Nothing of the engine is used."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Self

from monitor.core.threshold import Direction, Measure, Threshold
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


class Discrepancies(NamedTuple):
    """What the topics say at the end, beside the recount; all but `repeated` should be 0.

    `lost` and `doubled` are transactions that account-days have too few or too many of, and alerts
    that are missing; `wrong` are account-days of other sums, alerts that should not stand, and
    rejections, of which none is due.
    `repeated` are alerts told again with the same id and revision: harmless, and said.
    """

    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    repeated: int = 0
    alerts: int = 0
    account_days: int = 0


def totals_of(fields: Mapping[str, Any]) -> DayTotals:
    """Return the totals of a closed account-day as it was told, in one currency."""
    if not fields["totals"]:
        return DayTotals(0, 0, 0, 0, fields["segment"])
    (totals,) = fields["totals"]
    return DayTotals(
        totals["debit_count"],
        int(totals["debit_amount"].replace(".", "")),
        totals["credit_count"],
        int(totals["credit_amount"].replace(".", "")),
        fields["segment"],
    )


def compare_days(
    expected: Mapping[DayKey, DayTotals], told: Mapping[DayKey, DayTotals]
) -> Discrepancies:
    """Return what account-days have too few, too many, or wrongly."""
    lost = doubled = wrong = 0
    nothing = DayTotals(0, 0, 0, 0, None)
    for key in expected.keys() | told.keys():
        right, said = expected.get(key, nothing), told.get(key, nothing)
        more = said.debits + said.credits - right.debits - right.credits
        lost += max(-more, 0)
        doubled += max(more, 0)
        wrong += more == 0 and said[:4] != right[:4]
    return Discrepancies(lost, doubled, wrong)


def compare_alerts(
    found: Discrepancies,
    expected: Mapping[DayKey, DayTotals],
    thresholds: Sequence[Threshold],
    alerts: Iterable[Mapping[str, Any]],
) -> Discrepancies:
    """Add what alerts are missing, or should not stand, or were told twice in different words."""
    due = {
        (threshold.threshold_id, *key)
        for key, totals in expected.items()
        for threshold in _deciding(thresholds, totals.segment)
        if _value(threshold, totals) > threshold.above
    }
    names = {threshold.threshold_id for threshold in thresholds}
    by_revision: dict[tuple[str, int], Mapping[str, Any]] = {}
    last: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    repeated = wrong = 0
    for alert in alerts:
        first = by_revision.setdefault((alert["alert_id"], alert["revision"]), alert)
        if first is not alert:
            repeated += 1
            wrong += first != alert
        if alert["kind"] == "systemic" or alert["threshold_id"] not in names:
            continue  # it follows from the others, and so does a review
        key = alert["threshold_id"], alert["account_id"], alert["business_day"]
        if key not in last or last[key]["revision"] <= alert["revision"]:
            last[key] = alert
    standing = {key for key, alert in last.items() if alert["status"] != "withdrawn"}
    return found._replace(
        lost=found.lost + len(due - standing),
        wrong=found.wrong + wrong + len(standing - due),
        repeated=repeated,
        alerts=len(by_revision),
    )


def _deciding(thresholds: Sequence[Threshold], segment: str | None) -> list[Threshold]:
    """Return the limits for a segment, where a limit of the segment comes before the default."""
    own = [t for t in thresholds if t.segment == segment and t.account_id is None and segment]
    subjects = {t.subject for t in own}
    return own + [t for t in thresholds if t.specificity == 0 and t.subject not in subjects]


def _value(threshold: Threshold, totals: DayTotals) -> int:
    amount = threshold.measure is Measure.AMOUNT
    debit = totals.debit_cents if amount else totals.debits
    credit = totals.credit_cents if amount else totals.credits
    return {Direction.DEBIT: debit, Direction.CREDIT: credit, Direction.BOTH: debit + credit}[
        threshold.direction
    ]
