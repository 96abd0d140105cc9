"""OFX 1, OFX 2 and QFX: zones, corrections, and files that are not as the standard has them."""

from pathlib import Path
from typing import Final

import pytest

from streams.feed.mapping import FeedError
from tests.support.statements import batches_of, notes_in, rows_in

HEAD: Final = "OFXHEADER:100\nDATA:OFXSGML\nCHARSET:1252\n\n"


def ofx_with(*entries: str, end: str = "</OFX>") -> bytes:
    return (
        f"{HEAD}<OFX><STMTRS><CURDEF>EUR<BANKACCTFROM><ACCTID>A1</BANKACCTFROM><BANKTRANLIST>"
        + "".join(f"<STMTTRN>{entry}</STMTTRN>\n" for entry in entries)
        + f"</BANKTRANLIST></STMTRS>{end}"
    ).encode("cp1252")


def entry(number: int, amount: str = "1.00", posted: str = "20260105", further: str = "") -> str:
    return f"<DTPOSTED>{posted}<TRNAMT>{amount}<FITID>F{number}{further}"


@pytest.mark.parametrize(
    ("posted", "meant"),
    [
        ("20260105", "2026-01-05T12:00:00Z"),
        ("20260105000000", "2026-01-05T12:00:00Z"),
        ("20260105093000", "2026-01-05T09:30:00Z"),
        ("20260105093000.250[-5:EST]", "2026-01-05T09:30:00.250-05:00"),
        ("20260105093000[+5.5:IST]", "2026-01-05T09:30:00+05:30"),
        ("20260105093000[5.75]", "2026-01-05T09:30:00+05:45"),
        ("20260105093000[0:GMT]", "2026-01-05T09:30:00Z"),
        ("yesterday", "yesterday"),
    ],
)
def test_a_time_is_in_the_zone_that_it_names(posted: str, meant: str, tmp_path: Path) -> None:
    (row,) = rows_in(batches_of(tmp_path, ofx_with(entry(1, posted=posted)), "a.ofx"))
    assert row[2] == meant


@pytest.mark.parametrize(
    ("amount", "meant"),
    [
        ("-12.50", ("12.50", "debit")),
        ("+12,5", ("12.5", "credit")),
        ("1 234,50", ("1234.50", "credit")),
        ("-1,234.50", ("1234.50", "debit")),
    ],
)
def test_an_amount_has_its_sign(amount: str, meant: tuple[str, str], tmp_path: Path) -> None:
    (row,) = rows_in(batches_of(tmp_path, ofx_with(entry(1, amount)), "a.ofx"))
    assert (row[3], row[5]) == meant


@pytest.mark.parametrize("amount", ["", "$12", "1-2", "--1"])
def test_an_amount_that_is_none_is_rejected_with_its_line(amount: str, tmp_path: Path) -> None:
    (batch,) = batches_of(tmp_path, ofx_with(entry(1), entry(2, amount)), "a.ofx")
    assert len(batch.rows) == 1
    ((number, record),) = batch.raw
    assert number == 2
    assert b"line 6: TRNAMT must be a number" in record


def test_a_deletion_is_a_reversal(tmp_path: Path) -> None:
    further = "<CORRECTFITID>F1<CORRECTACTION>DELETE"
    rows = rows_in(batches_of(tmp_path, ofx_with(entry(1), entry(2, "-1.00", further=further)), "a"
                              ".ofx"))  # fmt: skip
    assert [(row[0], row[11]) for row in rows] == [("F1", ""), ("F2", "F1")]


def test_a_deletion_of_another_files_transaction_names_it(tmp_path: Path) -> None:
    further = "<CORRECTFITID>F1<CORRECTACTION>DELETE"
    batches = batches_of(tmp_path, ofx_with(entry(2, "-1.00", further=further)), "a.ofx")
    assert [row[11] for row in rows_in(batches)] == ["F1"]
    assert notes_in(batches) == []


def test_a_replacement_takes_the_original_back_in_full(tmp_path: Path) -> None:
    further = "<CORRECTFITID>F1<CORRECTACTION>REPLACE"
    data = ofx_with(entry(1, "5.00"), entry(2, "3.00", further=further), entry(3))
    (batch,) = batches_of(tmp_path, data, "a.ofx")
    assert [(row[0], row[3], row[5], row[11]) for row in batch.rows] == [
        ("F1", "5.00", "credit", ""),
        ("F2/correction", "5.00", "debit", "F1"),
        ("F2", "3.00", "credit", ""),
        ("F3", "1.00", "credit", ""),
    ]
    assert list(batch.numbers) == [1, 2, 3, 4]


def test_a_replacement_of_what_is_not_there_is_told(tmp_path: Path) -> None:
    further = "<CORRECTFITID>F1<CORRECTACTION>REPLACE"
    batches = batches_of(tmp_path, ofx_with(entry(2, "3.00", further=further)), "a.ofx")
    assert [row[0] for row in rows_in(batches)] == ["F2"]
    assert "1 reversals take back" in notes_in(batches)[0]


def test_text_is_what_was_meant(tmp_path: Path) -> None:
    names = ("M&amp;S &#233;", "<![CDATA[M&S <b> &amp;]]>", "Café", "&xxe;")
    data = ofx_with(*(entry(1, further=f"<NAME>{name}") for name in names))
    rows = rows_in(batches_of(tmp_path, data, "a.qfx"))
    assert [row[6] for row in rows] == ["M&S é", "M&S <b> &amp;", "Café", "&xxe;"]


def test_investment_transactions_are_counted_and_skipped(tmp_path: Path) -> None:
    data = ofx_with(entry(1)).replace(b"</OFX>", b"<INVTRAN><FITID>9</INVTRAN></OFX>")
    (batch,) = batches_of(tmp_path, data, "a.ofx")
    assert (len(batch.rows), batch.skips) == (1, {"investment transaction": 1})


def test_a_file_that_was_cut_says_so(tmp_path: Path) -> None:
    batches = batches_of(tmp_path, ofx_with(entry(1), end=""), "a.ofx")
    assert "ends without </OFX>" in notes_in(batches)[0]


def test_what_has_no_tags_is_no_ofx(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="no <OFX>"):
        batches_of(tmp_path, HEAD.encode(), "a.ofx")
