"""Exports: the same rows in every format, exact, streamed, and run by no spreadsheet."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from monitor.console.exports import FORMATS, ROWS_AT_A_TIME
from monitor.console.filters import CHOICES
from monitor.store.programs.exports import COLUMNS, NUMBERS
from tests.monitor.console.made_console import MadeConsole, identity, limit_alert
from tests.support.laws import law

FORMULA = ("=", "+", "-", "@", "\t", "\r")
EXPORT = "/api/v1/exports/alerts"
INCIDENT = identity("systemic 2026-02-14")


def read_csv(content: bytes) -> list[dict[str, Any]]:
    lines = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return [{name: value or None for name, value in line.items()} for line in lines]


def read_json(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.decode().splitlines()]


def read_parquet(content: bytes) -> list[dict[str, Any]]:
    return list(parquet.read_table(io.BytesIO(content)).to_pylist())


READ = {"csv": read_csv, "jsonl": read_json, "parquet": read_parquet}


def exported(console: MadeConsole, name: str, query: str = "") -> list[dict[str, Any]]:
    with console.client("vera") as client:
        answer = client.get(f"{EXPORT}?format={name}&{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == FORMATS[name].media_type
    assert f'filename="alerts.{name}"' in answer.headers["content-disposition"]
    return READ[name](answer.content)


def as_text(row: dict[str, Any]) -> dict[str, str | None]:
    return {
        name: None
        if value is None
        else str(Decimal(value).normalize())
        if name in NUMBERS
        else str(value)
        for name, value in row.items()
    }


def test_every_format_has_every_alert_once_with_the_same_values(console: MadeConsole) -> None:
    with console.client("ana") as client:
        address = f"/api/v1/alerts/{identity('A2 2026-02-14')}/dispositions"
        assert client.post(address, json={"disposition": "suspicious"}).status_code == 201
        listed = client.get("/api/v1/alerts").json()["items"]
    found = {name: [as_text(row) for row in exported(console, name)] for name in FORMATS}
    assert found["csv"] == found["jsonl"] == found["parquet"]
    assert [row["alert_id"] for row in found["csv"]] == sorted(row["alert_id"] for row in listed)
    assert all(tuple(row) == COLUMNS for rows in found.values() for row in rows)
    states = {row["alert_id"]: (row["state"], row["told_at"], row["kind"]) for row in listed}
    for row in exported(console, "jsonl"):
        assert (row["state"], row["told_at"], row["kind"]) == states[row["alert_id"]]


def test_a_row_says_what_the_alert_says_and_who_closed_it(console: MadeConsole) -> None:
    with console.client("ana") as client:
        address = f"/api/v1/alerts/{identity('A2 2026-02-14')}/dispositions"
        done = client.post(address, json={"disposition": "suspicious"}).json()
    rows = {row["alert_id"]: row for row in exported(console, "jsonl")}
    row = rows[done["alert_id"]]
    assert row == {
        "alert_id": done["alert_id"],
        "revision": 1,
        "told_at": done["told_at"],
        "kind": "daily-amount",
        "account_id": "A2",
        "business_day": "2026-02-14",
        "segment": "current",
        "threshold_id": "daily-amount",
        "currency": "EUR",
        "value": "1234567.80",
        "limit": "2000.00",
        "times": "617.28",
        "severity": "medium",
        "state": "closed",
        "assignee": None,
        "incident_id": INCIDENT,
        "reading": None,
        "disposition": "suspicious",
        "by": "ana",
        "at": done["actions"][-1]["at"],
    }
    assert rows[identity("review A1")]["reading"] == "suspicion"
    assert rows[INCIDENT]["reading"] == "population-shift"


def test_decimals_of_parquet_are_exact(console: MadeConsole) -> None:
    value = "98765432109876543210.1234"  # no float has it
    console.take(limit_alert("Big", value=value))
    rows = exported(console, "parquet", "account_id=Big")
    assert [row["value"] for row in rows] == [Decimal(value)]
    assert exported(console, "csv", "account_id=Big")[0]["value"] == value


@pytest.mark.parametrize(
    ("query", "accounts"),
    [
        ("account_id=A1", {"A1"}),
        (f"incident_id={INCIDENT}", {"A1", "A2", "A3"}),
        ("kind=review", {"A1"}),
        ("severity=critical", {"C1"}),
        ("status=closed", set()),
        ("is_back=true", set()),
        ("q=A", {"A1", "A2", "A3"}),
    ],
)
def test_the_filters_are_those_of_the_list(
    console: MadeConsole, query: str, accounts: set[str]
) -> None:
    for name in FORMATS:
        assert {row["account_id"] for row in exported(console, name, query)} == accounts


def test_an_export_is_kept_in_the_audit_with_its_filters(console: MadeConsole) -> None:
    exported(console, "csv", "account_id=A1")
    with console.store.reading() as connection:
        last = connection.exec_driver_sql(
            "select actor, action, subject, after from audit order by number desc limit 1"
        ).one()
    assert tuple(last[:3]) == ("vera", "export", "alerts as csv")
    assert json.loads(last[3]) == {"account_id": "A1", "format": "csv"}


def test_pages_lead_to_exports_of_what_they_show(console: MadeConsole) -> None:
    pages = (
        "/queue",
        "/queue?tab=back",
        "/queue?tab=mine",
        "/queue?tab=all&kind=review",
        "/accounts/A1",
        f"/incidents/{INCIDENT}",
    )
    with console.client("ana") as client:
        address = f"/api/v1/alerts/{identity('A2 2026-02-14')}/actions"
        assert client.post(address, json={"action": "assign"}).status_code == 201
        for page in pages:
            text = client.get(page).text.replace("&amp;", "&")
            if "tab=back" in page:
                assert EXPORT not in text  # there is none
                continue
            address = text.partition(f'"{EXPORT}?format=csv')[2].partition('"')[0]
            rows = read_csv(client.get(f"{EXPORT}?format=csv{address}").content)
            assert rows
            for row in rows:  # the open ones of an account are one row
                its = (f"/alerts/{row['alert_id']}", f"/accounts/{row['account_id']}")
                assert any(name in text for name in its), (page, row)


@pytest.mark.parametrize("query", ["format=xlsx", "is_back=1", "limit=5", "tab=open"])
def test_an_odd_export_is_a_problem(console: MadeConsole, query: str) -> None:
    with console.client("vera") as client:
        assert client.get(f"{EXPORT}?{query}").status_code == 400


def row_of(**other: Any) -> dict[str, Any]:  # noqa: ANN401 - cells
    return {**dict.fromkeys(COLUMNS), "revision": 1, **other}


def test_no_more_than_a_piece_is_read_before_it_is_written() -> None:
    for chosen in FORMATS.values():
        taken = 0

        def rows() -> Iterator[dict[str, Any]]:
            nonlocal taken
            for number in range(3 * ROWS_AT_A_TIME):
                taken += 1
                yield row_of(alert_id=f"{number:064}")

        pieces = chosen.write(rows())
        sizes = []
        for _ in range(2):
            sizes.append(len(next(pieces)))
            assert taken <= len(sizes) * ROWS_AT_A_TIME
        assert all(sizes)
        pieces.close()  # type: ignore[attr-defined]


@law(100)
@given(texts=st.lists(st.text(max_size=20) | st.sampled_from(["=1+1", "@x", "\tx", "\r", "-1"])))
def test_no_cell_of_csv_begins_as_a_formula_and_none_is_lost(texts: list[str]) -> None:
    rows = [row_of(account_id=text, by=text) for text in texts]
    content = b"".join(FORMATS["csv"].write(rows)).decode()
    cells = list(csv.reader(io.StringIO(content, newline="")))[1:]
    place = COLUMNS.index("account_id")
    assert len(cells) == len(texts)
    for line, text in zip(cells, texts, strict=True):
        assert not any(cell.startswith(FORMULA) for cell in line)
        kept = text.encode("utf-8", "replace").decode()
        assert line[place] == (f"'{kept}" if text.startswith(FORMULA) else kept)


def test_the_formats_are_those_that_may_be_asked_for() -> None:
    assert tuple(FORMATS) == CHOICES["format"]
