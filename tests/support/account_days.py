"""Account-days as their topic has them, made at random, and what a store answers of them."""

import random
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from monitor.store.days import SCHEMA, rows_between
from monitor.store.intake import Intake, Read, RecordSort
from monitor.store.schema import account_days
from monitor.store.store import Store
from tests.support.stored import NOW

DAYS = [f"2026-01-{day:02d}" for day in range(5, 15)]


def made(rng: random.Random, account: str, day: str) -> dict[str, Any]:
    """Return an account-day with hostile names, great amounts, and others that it names."""
    totals = [
        {
            "currency": currency,
            "debit_count": rng.randrange(9),
            "debit_amount": f"{rng.randrange(10 ** rng.choice([1, 6, 14]))}{decimals}",
            "credit_count": rng.randrange(3),
            "credit_amount": f"0{decimals}",
        }
        for currency, decimals in (("EUR", ".01"), ("JPY", ""))[: rng.randrange(3)]
    ]
    return {
        "account_id": account,
        "business_day": day,
        "segment": rng.choice(["a", None]),
        "branch": rng.choice(["B1", "=1+1"]),
        "product": None,
        "peer_group": "C1",
        "totals": totals,
        "breaches": [],
        "policy_version": 1,
        "score": None,
        "payees": rng.choice([[], ["A1"], ["A2", "see A1"], ["A10"]]),
    }


def take(store: Store, offset: int, records: list[dict[str, Any]]) -> None:
    """Take records as the archive reads them, from an offset on."""
    Intake(store).take(
        [
            Read(RecordSort.ACCOUNT_DAY, "t", 0, offset + at, NOW, record)
            for at, record in enumerate(records)
        ]
    )


def rows_of(store: Store) -> list[dict[str, Any]]:
    """Return all account-days that a store answers with, by day and account."""
    with store.reading() as connection:
        found = rows_between(connection, DAYS[0], DAYS[-1], SCHEMA.names)
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def in_table(store: Store) -> int:
    """Return how many account-days stand in the table."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(account_days)).scalar_one()


def files_in(folder: Path) -> list[str]:
    """Return the names of a folder's files of days, in order; none if it is not there."""
    return sorted(path.name for path in folder.glob("*.parquet*"))
