"""What Explore says of money that leaves, against the transactions that it was made from."""

import csv
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.store.cubes import ONE_PAYMENT, SEVERAL, SEVERAL_PAYMENTS, CubeQuestion, cube_of
from monitor.store.intake import Intake, Read, RecordSort
from tests.support.command_line import weir_of
from tests.support.stored import sqlite_store

POLICY = """version = 1
[calendar]
time_zone = "Europe/Berlin"
[[limit]]
id = "daily-amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "500.00"
"""

Payments = dict[tuple[str, str], Counter[str]]


def paid(path: Path) -> Payments:
    """Return the minor units that went to each institution, by account and business day.

    What was reversed did not go: it is taken out of the day and the institution of its payment.
    """
    with path.open(encoding="utf-8") as file:
        rows = {row["transaction_id"]: row for row in csv.DictReader(file)}
    found: Payments = {}
    for row in rows.values():
        its = rows[row["reverses"]] if row["reverses"] else row
        assert not its["reverses"], "made without chains"
        if its["direction"] == "debit":
            at = datetime.fromisoformat(its["booked_at"]).astimezone(ZoneInfo("Europe/Berlin"))
            day = found.setdefault((its["account_id"], at.date().isoformat()), Counter())
            units, cents = row["amount"].split(".")
            minor = int(units) * 100 + int(cents)
            day[its["counterparty_institution"]] += -minor if row["reverses"] else minor
    return {key: +its for key, its in found.items()}


def records_of(path: Path, sort: RecordSort) -> list[Read]:
    lines = path.read_bytes().splitlines()
    return [Read(sort, sort.value, 0, n, 1, json.loads(line)) for n, line in enumerate(lines)]


def test_no_institution_is_said_to_have_got_more_than_it_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weir = weir_of(monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)
    Path("policy.toml").write_text(POLICY, encoding="utf-8")
    assert weir("generate", "--accounts", 400, "--days", 8, "--out", "t.csv").status == 0
    outputs = ("--alerts", "a.jsonl", "--account-days", "d.jsonl")
    assert weir("replay", "t.csv", "--policy", "policy.toml", *outputs).status == 0
    store = sqlite_store(tmp_path)
    days = records_of(Path("d.jsonl"), RecordSort.ACCOUNT_DAY)
    Intake(store).take([*records_of(Path("a.jsonl"), RecordSort.ALERT), *days])
    closed = {(read.value["account_id"], read.value["business_day"]) for read in days}
    truth = {key: its for key, its in paid(Path("t.csv")).items() if key in closed}

    def asked(rows: str, **filters: str) -> Any:  # noqa: ANN401 - a cube
        with store.reading() as connection:
            columns = "day" if rows == "known" else "known"
            return cube_of(connection, CubeQuestion("leaves", rows, columns, None, None, filters))

    assert asked("known").total == sum(sum(its.values()) for its in truth.values())
    checked: Counter[str] = Counter()
    for institution in asked("institution", known=ONE_PAYMENT).rows:
        for item in asked("day", known=ONE_PAYMENT, institution=institution).listed:
            minor = int(item.value.replace(".", ""))
            assert truth[item.account_id, item.business_day] == {institution: minor}
            checked[ONE_PAYMENT] += 1
    for institution in asked("institution", known=SEVERAL_PAYMENTS).rows:
        for item in asked("day", known=SEVERAL_PAYMENTS, institution=institution).listed:
            its = truth[item.account_id, item.business_day]
            assert sum(its.values()) == int(item.value.replace(".", ""))
            assert institution == SEVERAL or its[institution] > 0
            checked[SEVERAL_PAYMENTS] += 1
    assert checked[ONE_PAYMENT] > 10
    assert checked[SEVERAL_PAYMENTS] > 100
    store.close()
