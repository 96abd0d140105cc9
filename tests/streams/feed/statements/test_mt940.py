"""MT940 and MT942: marks, years, subfields, and what a report says of its own sums."""

from pathlib import Path
from typing import Final

import pytest

from monitor.core.transaction import Rejection
from streams.feed.mapping import FeedError
from streams.feed.statements.narrative import Narrative, narrative_of
from streams.wire import codec
from tests.support.statements import batches_of, notes_in, rows_in

HEAD: Final = ":20:X\n:25:37040044/532013000\n:28C:1/1\n"


def read_mt940(folder: Path, *lines: str) -> list[tuple[str, ...]]:
    text = HEAD + ":60F:C260105EUR100,\n" + "\n".join(lines)
    return rows_in(batches_of(folder, text.encode(), "a.sta"))


@pytest.mark.parametrize(
    ("mark", "direction"),
    [("C", "credit"), ("D", "debit"), ("RC", "debit"), ("RD", "credit"), ("CR", "credit")],
)
def test_a_mark_says_the_direction(mark: str, direction: str, tmp_path: Path) -> None:
    rows = read_mt940(tmp_path, f":61:260105{mark}12,5NTRFNONREF")
    assert [(row[3], row[5]) for row in rows] == [("12.5", direction)]


@pytest.mark.parametrize(
    ("value", "entry", "booked"),
    [
        ("251231", "0102", "2026-01-02"),
        ("260102", "1231", "2025-12-31"),
        ("240228", "0229", "2024-02-29"),
        ("260230", "0301", "2026-03-01"),
        ("260105", "", "2026-01-05"),
        ("991231", "0103", "2000-01-03"),
    ],
)
def test_the_entry_date_is_of_the_nearest_year(
    value: str, entry: str, booked: str, tmp_path: Path
) -> None:
    (row,) = read_mt940(tmp_path, f":61:{value}{entry}C1,NTRFNONREF")
    assert row[2] == f"{booked}T12:00:00Z"


@pytest.mark.parametrize(
    "line",
    ["260105X1,NTRFNONREF", "C1,", "260105C", "260105C1.234,56NTRFNONREF", "26010C1,NTRF", ""],
)
def test_what_is_no_entry_is_rejected_with_its_line(line: str, tmp_path: Path) -> None:
    text = f"{HEAD}:60F:C260105EUR100,\n:61:{line}\n:86:x\n:61:260105C1,NTRFNONREF\n"
    (batch,) = batches_of(tmp_path, text.encode(), "a.sta")
    assert list(batch.numbers) == [2]
    ((number, record),) = batch.raw
    assert number == 1
    rejection = codec.decode(record)
    assert isinstance(rejection, Rejection)
    assert rejection.reason.value == "malformed"
    assert "line 5: :61: must have a date" in rejection.detail


def test_a_reversal_names_its_original_by_the_banks_reference(tmp_path: Path) -> None:
    rows = read_mt940(
        tmp_path, ":61:260105C5,NTRFNONREF//BANK0001", ":61:260106RC5,NTRFNONREF//BANK0001"
    )
    assert [(row[0], row[5], row[11]) for row in rows] == [
        ("BANK0001", "credit", ""),
        ("BANK0001/reversal", "debit", "BANK0001"),
    ]


def test_a_report_is_held_against_its_own_sums(tmp_path: Path) -> None:
    text = (
        ":20:X\n:25:1\n:28C:1\n:34F:EUR0,\n:13D:2601051200+0000\n:61:260105D0,42NMSCNONREF\n"
        ":61:260105EC9,NMSCNONREF\n:90D:1EUR2,30\n:90C:0EUR0,\n"
    )
    (batch,) = batches_of(tmp_path, text.encode(), "a.942")
    assert [row[3:6] for row in batch.rows] == [("0.42", "EUR", "debit")]
    assert batch.skips == {"expected": 1}
    (note,) = batch.notes
    assert "it says 1 debits of 2.30 EUR, and has 1 of 0.42" in note


def test_each_page_is_held_against_its_own_balances(tmp_path: Path) -> None:
    pages = [
        f"{HEAD}:60F:C260105EUR1,\n:61:260105C2,NTRFNONREF\n:62M:C260105EUR3,\n-\n",
        f"{HEAD}:60M:C260105EUR3,\n:61:260105D4,NTRFNONREF\n:62F:D260105EUR2,\n-\n",
    ]
    batches = batches_of(tmp_path, "".join(pages).encode(), "a.sta")
    assert notes_in(batches)[0].endswith("so -1 is missing: ask the bank for the whole statement")
    assert len(rows_in(batches)) == 2


@pytest.mark.parametrize(
    ("text", "narrative"),
    [
        (
            "166?00RENT?20EREF+E1?21SVWZ+May?30ABNANL2A?31NL91ABNA0417164300?32Ann?33 Lee",
            Narrative(
                "166", "NL91ABNA0417164300", "ABNANL2A", "Ann Lee", "E1",
                "RENT EREF+E1SVWZ+May",
            ),
        ),
        (
            "/EREF/E2//CNTP/NL91ABNA0417164300/ABNANL2A/Ann///REMI/USTD//May/",
            Narrative(
                "", "NL91ABNA0417164300", "ABNANL2A", "Ann", "E2", "USTD//May"
            ),
        ),
        (
            "/TRTP/SEPA/IBAN/NL91ABNA0417164300/BIC/ABNANL2A/NAME/Ann/REMI/May/EREF/E3",
            Narrative("SEPA", "NL91ABNA0417164300", "ABNANL2A", "Ann", "E3", "May"),
        ),
        ("free text,\nin lines", Narrative(details="free text, in lines")),
        ("", Narrative()),
    ],
)  # fmt: skip
def test_a_narrative_has_its_parts(text: str, narrative: Narrative) -> None:
    assert narrative_of(text, "REF") == narrative


def test_an_account_with_its_currency_behind_is_the_account(tmp_path: Path) -> None:
    text = ":20:X\n:25:NL91ABNA0417164300EUR\n:60F:C260105EUR0,\n:61:260105C1,NTRFNONREF\n"
    assert [row[1] for row in rows_in(batches_of(tmp_path, text.encode(), "a.sta"))] == [
        "NL91ABNA0417164300"
    ]


def test_a_file_without_entries_and_balances_is_none(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="no entry"):
        batches_of(tmp_path, b":20:X\n:25:1\n", "a.sta")
