"""Made days as rows of text, and their labels."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any, Final

from monitor.core.transaction import CREDIT, DEBIT, FIELDS
from monitor.population import anomaly, incident
from monitor.population.behaviour import CHANNELS, SEGMENTS
from monitor.population.incident import LABEL_FIRST, Incident
from monitor.population.made_day import MadeDay, Population
from monitor.population.movements import USUAL

COLUMNS: Final = FIELDS

Row = tuple[str, ...]


def rows_of(population: Population) -> Iterator[tuple[MadeDay, list[Row]]]:
    """Yield each day and its rows, in the order of time; a row has a text for each of `COLUMNS`."""
    number = 0
    for made in population.made_days():
        rows = _rows(population, made, number)
        number += len(rows)
        yield made, rows


def transaction_id(number: int) -> str:
    """Return the id of the row of a number (from 0) in the run."""
    return f"T{number:010d}"


def account_id(number: int) -> str:
    """Return the id of an account by its number."""
    return f"A{number:07d}"


def _rows(population: Population, made: MadeDay, number: int) -> list[Row]:
    movements, accounts = made.movements, population.drawn
    account = movements.account.tolist()
    times = _times()
    day = made.day.isoformat()
    count = len(account)
    return list(
        zip(
            map(transaction_id, range(number, number + count)),
            map(account_id, account),
            [f"{day}T{times[second]}Z" for second in movements.second.tolist()],
            [f"{a // 100}.{a % 100:02d}" for a in movements.amount.tolist()],
            [population.currency] * count,
            [CREDIT if is_credit else DEBIT for is_credit in movements.is_credit.tolist()],
            [f"C{c:010d}" for c in movements.counterparty.tolist()],
            [f"BANK{i:02d}" for i in movements.institution.tolist()],
            [CHANNELS[c] for c in movements.channel.tolist()],
            [SEGMENTS[t] for t in accounts.type[movements.account].tolist()],
            [f"B{b:02d}" for b in accounts.branch[movements.account].tolist()],
            [transaction_id(number + p) if p >= 0 else "" for p in made.reverses.tolist()],
            strict=True,
        )
    )


@cache
def _times() -> list[str]:
    return [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)]


def labels_of(made: MadeDay, rows: list[Row]) -> Iterator[dict[str, Any]]:
    """Yield what is special of a day: each transaction, then each account-day."""
    labels = made.movements.label
    places = labels.nonzero()[0].tolist()
    account_days: dict[tuple[str, str], None] = {}
    for place in places:
        kind = kind_of(int(labels[place]))
        row = rows[place]
        yield {
            "level": "transaction", "transaction_id": row[0], "account_id": row[1], "kind": kind,
        }  # fmt: skip
        account_days[row[1], kind] = None
    for account, kind in account_days:
        yield {
            "level": "account-day", "account_id": account, "business_day": made.day.isoformat(),
            "kind": kind,
        }  # fmt: skip


def incident_labels_of(population: Population) -> Iterator[dict[str, Any]]:
    """Yield what is true of each incident."""
    for one in population.incidents:
        yield _incident_label(one, population.start)


def kind_of(label: int) -> str:
    """Return the kind that a label of a movement stands for."""
    assert label != USUAL
    if label >= LABEL_FIRST:
        return incident.KINDS[label - LABEL_FIRST]
    return anomaly.KINDS[label - 1]


def _incident_label(one: Incident, start: date) -> dict[str, Any]:
    first = start.toordinal()
    return {
        "level": "incident",
        "kind": one.kind,
        "days": [date.fromordinal(first + number).isoformat() for number in one.days],
        "branch": None if one.branch is None else f"B{one.branch:02d}",
        "institution": None if one.institution is None else f"BANK{one.institution:02d}",
        "accounts": [] if one.accounts is None else [account_id(a) for a in one.accounts.tolist()],
    }
