"""Commands that read files take statements and workbooks, and tell what these say of themselves."""

import json
import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from streams.cli.options import OfFormat
from streams.feed.formats.reading import FORMATS
from tests.support.command_line import Weir, weir_of
from tests.support.statements import Booking, Statement, camt_of, mt940_of
from tests.support.workbooks import workbook_of

PAID = Booking(Decimal("4000.00"), is_credit=False, day=date(2026, 1, 5), reference="REFERENCE1")
MAY = Statement(Decimal(1), [PAID, PAID._replace(status="PDNG", reference="REFERENCE2")])
POLICY = """version = 1
[calendar]
time_zone = "Europe/Berlin"
[[limit]]
id = "a"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "100.00"
"""
GIVEN = ("--policy", "p.toml", "--as-of", "2026-02-01T00:00:00Z")


@pytest.fixture
def weir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Weir:
    """Run the command line here, in a folder of its own with a policy."""
    monkeypatch.setattr("streams.interpreter.configure_interpreter", lambda: None)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        monkeypatch.delenv(name)
    (tmp_path / "p.toml").write_text(POLICY, encoding="utf-8")
    return weir_of(monkeypatch, capsys)


def test_the_formats_are_those_that_are_read() -> None:
    assert tuple(each.value for each in OfFormat) == FORMATS


def test_a_statement_is_replayed_and_what_it_skips_is_told(weir: Weir, tmp_path: Path) -> None:
    (tmp_path / "may.xml").write_bytes(camt_of(MAY._replace(missing=Decimal("0.05"))))
    said = weir("replay", "may.xml", *GIVEN, "--json")
    result = json.loads(said.out)
    assert (result["records"], result["alerts"], result["skipped"]) == (1, 1, 1)
    assert result["skipped_by_reason"] == {"pending": 1}
    first, second = said.err.splitlines()
    assert first.startswith(
        "weir: may.xml: statement S1 of account DE89370400440532013000: it does"
    )
    assert second == "weir: skipped: 1 pending"


@pytest.mark.parametrize(
    ("day_time", "day"),
    [("12:00 Europe/Berlin", "2026-01-05"), ("23:30 UTC", "2026-01-06")],
)
def test_the_time_of_a_day_decides_its_business_day(
    day_time: str, day: str, weir: Weir, tmp_path: Path
) -> None:
    (tmp_path / "may.sta").write_bytes(mt940_of(MAY))
    said = weir("replay", "may.sta", *GIVEN, "--day-time", day_time, "--alerts", "a.jsonl")
    assert said.status == 0
    alert = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])
    assert alert["business_day"] == day


def test_options_choose_a_sheet_and_a_format(weir: Weir, tmp_path: Path) -> None:
    header = ("transaction_id", "account_id", "booked_at", "amount", "currency", "direction")
    row = ("t1", "A", date(2026, 1, 5), Decimal("200.10"), "EUR", "debit")
    (tmp_path / "a.bin").write_bytes(workbook_of({"May": [header], "June": [header, row]}))
    asked = (*GIVEN, "--format", "xlsx", "--json")
    may, june = (json.loads(weir("replay", "a.bin", *asked, "--sheet", sheet).out)["records"]
                 for sheet in ("May", "June"))  # fmt: skip
    assert (may, june) == (0, 1)
    wrong = weir("replay", "a.bin", *GIVEN, "--format", "camt")
    assert (wrong.status, "no whole XML" in wrong.err) == (2, True)


def test_a_wrong_time_of_day_is_refused(weir: Weir, tmp_path: Path) -> None:
    (tmp_path / "may.sta").write_bytes(mt940_of(MAY))
    said = weir("replay", "may.sta", *GIVEN, "--day-time", "noon")
    assert (said.status, "--day-time" in said.err) == (2, True)


def test_what_if_reads_statements_too(weir: Weir, tmp_path: Path) -> None:
    (tmp_path / "may.sta").write_bytes(mt940_of(MAY))
    said = weir(
        "whatif", "--limit", "a", "--above", "5000.00", "--file", "may.sta", *GIVEN, "--json"
    )
    answer = json.loads(said.out)
    assert (answer["now"]["alerts"], answer["then"]["alerts"]) == (1, 0)
    assert said.err.splitlines()[-1] == "weir: skipped: 1 expected"
