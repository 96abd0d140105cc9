"""Three public data sets: the same breaches as SQL and pandas found, to the account-day."""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from streams.feed.mapping import feed_map_of
from streams.feed.reader import files_of, read
from tests.support.references import (
    BERKA,
    BIRMINGHAM,
    EXAMPLES,
    HANDBOOK,
    AccountDay,
    Reference,
    digest_of,
    path_of,
)
from tests.support.rigs import command

MANY_ROWS = [pytest.mark.slow, pytest.mark.timeout(1800)]

REFERENCES = pytest.mark.parametrize(
    "reference",
    [pytest.param(HANDBOOK, marks=MANY_ROWS), BERKA, BIRMINGHAM],
    ids=lambda reference: reference.name,
)


@cache
def recounted(reference: Reference) -> tuple[set[AccountDay], set[AccountDay]]:
    """Return the account-days over the limits of amount and count, by the map and plain adding."""
    feed_map = feed_map_of(EXAMPLES / f"{reference.name}.map.toml")
    zone = ZoneInfo(reference.time_zone)

    @cache
    def day_of(booked_at: str) -> str:
        return datetime.fromisoformat(booked_at).astimezone(zone).date().isoformat()

    sums: dict[AccountDay, Decimal] = defaultdict(Decimal)
    counts: dict[AccountDay, int] = defaultdict(int)
    rows = skipped = 0
    for batch in read(files_of([path_of(reference)], feed_map), feed_map):
        rows += len(batch.rows)
        skipped += batch.skipped
        assert not batch.raw
        for _, account, booked_at, amount, _, direction, *_ in batch.rows:
            if direction == "debit" and account and booked_at and amount:
                key = (account, day_of(booked_at))
                sums[key] += Decimal(amount)
                counts[key] += 1
    assert (rows, skipped) == (reference.rows, reference.skipped)
    return (
        {key for key, total in sums.items() if total * 100 > reference.amount_limit_minor},
        {key for key, count in counts.items() if count > reference.count_limit},
    )


@REFERENCES
def test_reading_by_the_map_and_adding_up_gives_the_reference_counts(reference: Reference) -> None:
    amount_days, count_days = recounted(reference)
    assert len(amount_days) == reference.amount_days
    assert len(count_days) == reference.count_days
    assert digest_of(amount_days) == reference.amount_days_sha256


SQL = {
    "handbook": """
        SELECT CAST(CUSTOMER_ID AS VARCHAR) AS account,
               strftime(TX_DATETIME, '%Y-%m-%d') AS day,
               CAST(round(TX_AMOUNT, 2) AS DECIMAL(18, 2)) AS amount
        FROM '{path}/*.parquet'
    """,
    # The last line is cut before its amount: `ignore_errors` leaves it out.
    "berka": """
        SELECT account_id AS account,
               strftime(strptime('19' || date, '%Y%m%d'), '%Y-%m-%d') AS day,
               CAST(amount AS DECIMAL(18, 2)) AS amount
        FROM read_csv('{path}', delim = ';', header = true, quote = '"', all_varchar = true,
                      ignore_errors = true)
        WHERE type <> 'PRIJEM' AND amount IS NOT NULL
    """,
}


@pytest.mark.parametrize(
    "reference",
    [pytest.param(HANDBOOK, marks=MANY_ROWS), BERKA],
    ids=lambda reference: reference.name,
)
def test_sql_over_the_same_file_names_the_same_account_days(reference: Reference) -> None:
    source = SQL[reference.name].format(path=path_of(reference))
    days = f"SELECT account, day FROM ({source}) GROUP BY account, day HAVING "  # noqa: S608 - our own text
    limit = Decimal(reference.amount_limit_minor).scaleb(-2)
    with duckdb.connect() as connection:
        by_amount = set(connection.execute(f"{days} sum(amount) > {limit}").fetchall())
        by_count = set(connection.execute(f"{days} count(*) > {reference.count_limit}").fetchall())
    assert (by_amount, by_count) == recounted(reference)


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


@REFERENCES
def test_a_replay_alerts_on_exactly_the_reference_account_days(
    reference: Reference, tmp_path: Path
) -> None:
    alerts, rejections = tmp_path / "alerts.jsonl", tmp_path / "rejections.jsonl"
    run = command(
        "replay", path_of(reference),
        "--map", EXAMPLES / f"{reference.name}.map.toml",
        "--policy", EXAMPLES / f"{reference.name}.policy.toml",
        "--alerts", alerts, "--rejections", rejections, "--json",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    totals = json.loads(run.stdout)
    assert totals["records"] == reference.rows
    assert totals["skipped"] == reference.skipped
    found: dict[str, list[AccountDay]] = defaultdict(list)
    last = {}
    for alert in lines_of(alerts):
        last[alert["alert_id"]] = alert["status"]
        if alert["status"] == "raised":
            found[alert["kind"]].append((alert["account_id"], alert["business_day"]))
    assert "withdrawn" not in last.values()
    assert len(last) == reference.amount_days + reference.count_days
    for kind, count in (
        ("daily-amount", reference.amount_days),
        ("daily-count", reference.count_days),
    ):
        assert len(found[kind]) == len(set(found[kind])) == count
    assert digest_of(set(found["daily-amount"])) == reference.amount_days_sha256
    rejected = [line["reason"] for line in lines_of(rejections)]
    # Birmingham has one row with nothing in it but cells.
    assert rejected == (["missing-field"] if reference is BIRMINGHAM else [])
