"""A workbook's sheet is the table that a person sees: its numbers and dates exactly."""

import zipfile
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.transaction import FIELDS, REQUIRED
from streams.feed.formats.cells import date_text, is_date_format, number_text
from streams.feed.formats.reading import FileReading
from streams.feed.mapping import FeedError, FeedMap, feed_map_of
from streams.feed.maps.layout import Layout
from tests.support.statements import batches_of, notes_in, rows_in
from tests.support.workbooks import ZERO, Cell, workbook_of

DAY: Final = date(2026, 1, 5)
GOOD: Final[tuple[Cell, ...]] = ("t1", "A", DAY, Decimal("85.65"), "EUR", "debit")
BOOK: Final = {"May": [REQUIRED, GOOD]}


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 12))
@example(8565, 2)
@example(10**15 - 1, 2)
def test_a_number_of_up_to_15_digits_comes_back_exactly(digits: int, places: int) -> None:
    number = Decimal(digits).scaleb(-places)
    assert Decimal(number_text(f"{float(number):.17g}")) == number


@given(st.text(max_size=12))
def test_what_is_no_number_is_handed_on(text: str) -> None:
    made = number_text(text)
    try:
        number = Decimal(text)
    except ArithmeticError:
        assert made == text
    else:
        assert not number.is_finite() or abs(Decimal(made) - number) <= abs(number) * Decimal(
            "1e-14"
        )


@given(st.integers(10**15, 10**30))
def test_a_whole_number_is_an_id_and_is_not_rounded(number: int) -> None:
    assert number_text(str(number)) == str(number)


@given(st.integers(61 * 86400, 73_000 * 86400).map(lambda seconds: ZERO + timedelta(0, seconds)))
def test_a_time_comes_back_to_the_millisecond(moment: datetime) -> None:
    days = (moment - ZERO).total_seconds() / 86400
    text = date_text(repr(days), is_from_1904=False)
    assert datetime.fromisoformat(text) == moment
    assert len(text) == (10 if moment.time() == datetime.min.time() else 19)


@pytest.mark.parametrize(
    ("text", "is_from_1904", "meant"),
    [
        ("1", False, "1900-01-01"),
        ("59", False, "1900-02-28"),
        ("61", False, "1900-03-01"),
        ("0", True, "1904-01-01"),
        ("0.5", False, "12:00:00"),
        ("-1", False, "-1"),
        ("x", False, "x"),
    ],
)
def test_the_days_of_excel_are_counted_as_excel_does(
    text: str,
    is_from_1904: bool,  # noqa: FBT001 - a parameter
    meant: str,
) -> None:
    assert date_text(text, is_from_1904=is_from_1904) == meant


@pytest.mark.parametrize(
    ("code", "is_date"),
    [
        ("dd/mm/yyyy", True), ("[$-407]d. mmm", True), ("h:mm AM/PM", True), ("#,##0.00", False),
        ('0.00 "days"', False), ("[Red]0.00", False), ("General", False), ("0.00E+00", False),
    ],
)  # fmt: skip
def test_a_format_is_a_date_by_its_marks(code: str, is_date: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_date_format(164, code) is is_date


def test_a_sheet_is_read_as_rows(tmp_path: Path) -> None:
    (row,) = rows_in(batches_of(tmp_path, workbook_of(BOOK), "a.xlsx"))
    assert row[:6] == ("t1", "A", "2026-01-05T12:00:00Z", "85.65", "EUR", "debit")


def test_a_sheet_is_the_first_or_that_of_a_name(tmp_path: Path) -> None:
    sheets = {"May": [REQUIRED, GOOD], "June": [REQUIRED, ("t2", *GOOD[1:])]}
    data = workbook_of(sheets)
    assert rows_in(batches_of(tmp_path, data, "a.xlsx"))[0][0] == "t1"
    june = FeedMap(reading=FileReading(sheet="June"))
    assert rows_in(batches_of(tmp_path, data, "a.xlsx", june))[0][0] == "t2"
    with pytest.raises(FeedError, match=r"no sheet 'July'.*its sheets are May, June"):
        batches_of(tmp_path, data, "a.xlsx", FeedMap(reading=FileReading(sheet="July")))


def test_blank_rows_are_counted_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    rows: list[tuple[Cell, ...]] = [(), REQUIRED, GOOD, (), ("  ",), GOOD, ()]
    (batch,) = batches_of(tmp_path, workbook_of({"S": rows}), "a.xlsx")
    assert list(batch.numbers) == [1, 4]
    assert (batch.skips, batch.skipped) == ({"blank row": 2}, 2)


def test_rows_with_merged_cells_are_told(tmp_path: Path) -> None:
    data = workbook_of({"S": [REQUIRED, GOOD, GOOD, GOOD]}, merged=["A2:A3", "A4:B4", "A1:A1"])
    assert "2 rows have merged cells" in notes_in(batches_of(tmp_path, data, "a.xlsx"))[0]


def test_a_row_that_is_wider_than_the_header_is_rejected(tmp_path: Path) -> None:
    (batch,) = batches_of(tmp_path, workbook_of({"S": [REQUIRED, (*GOOD, "more")]}), "a.xlsx")
    assert list(batch.rows) == []
    assert [number for number, _ in batch.raw] == [1]
    assert batch.raw[0][1].endswith(b"\tmore")


def test_a_map_takes_the_columns_of_a_sheet(tmp_path: Path) -> None:
    map_file = tmp_path / "map.toml"
    map_file.write_text(
        '[columns]\ntransaction_id = "No"\naccount_id = "Account"\namount = "Sum"\n'
        'booked_at = { column = "Day", time = "09:00", time_zone = "Europe/Berlin" }\n'
        'currency = { constant = "EUR" }\ndirection = { constant = "debit" }\n'
    )
    sheet: list[tuple[Cell, ...]] = [
        ("No", "Account", "Day", "Sum"), (Decimal(7), "A", DAY, Decimal("0.10")),
    ]  # fmt: skip
    batches = batches_of(tmp_path, workbook_of({"S": sheet}), "a.xlsx", feed_map_of(map_file))
    assert rows_in(batches)[0][:4] == ("7", "A", "2026-01-05T09:00:00+01:00", "0.10"[:3])


@pytest.mark.parametrize(
    "layout",
    [
        Layout(names=()), Layout(skip_lines=1), Layout(footer_lines=1),
        Layout(contains=("amount",)),
        Layout(comments=("#",)), Layout(footer_begins=("Total",)), Layout(fixed={"a": (0, 1)}),
    ],
)  # fmt: skip
def test_what_a_map_says_of_lines_is_refused_for_a_sheet(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="for CSV, so save the sheet as CSV"):
        batches_of(tmp_path, workbook_of(BOOK), "a.xlsx", FeedMap(layout=layout))


def test_what_a_map_says_of_short_and_empty_rows_holds_for_a_sheet(tmp_path: Path) -> None:
    feed_map = FeedMap(layout=Layout(skip_empty_rows=True, fill_short_rows=True))
    header = (*REQUIRED, "channel")
    data = workbook_of({"S": [header, (), GOOD]})
    assert len(rows_in(batches_of(tmp_path, data, "a.xlsx", feed_map))) == 1


def test_times_and_switches_are_texts(tmp_path: Path) -> None:
    header = (*REQUIRED, "channel")
    row = (*GOOD[:2], ZERO + timedelta(46027, 34200), *GOOD[3:], True)
    (read,) = rows_in(batches_of(tmp_path, workbook_of({"S": [header, row]}), "a.xlsx"))
    assert (read[2], read[FIELDS.index("channel")]) == ("2026-01-05T09:30:00Z", "true")


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="no column direction"):
        batches_of(tmp_path, workbook_of({"S": [REQUIRED[:5]]}), "a.xlsx")
    with pytest.raises(FeedError, match="is empty"):
        batches_of(tmp_path, workbook_of({"S": []}), "a.xlsx")


def test_entities_in_a_workbook_are_refused(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    with pytest.raises(FeedError, match="DOCTYPE"):
        batches_of(tmp_path, workbook_of(BOOK, further=laughs), "a.xlsx")


def renamed(data: bytes, target: bytes) -> bytes:
    """Return a workbook whose relation to a part leads nowhere."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(target, target.replace(b"s.xml", b"z.xml")))
    return out.getvalue()


def test_a_damaged_workbook_says_so(tmp_path: Path) -> None:
    data = workbook_of(BOOK)
    with pytest.raises(FeedError, match="no whole workbook"):
        batches_of(tmp_path, data[: len(data) // 2], "a.xlsx")
    with pytest.raises(FeedError, match="old or encrypted workbook"):
        batches_of(tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.xls")
    with pytest.raises(FeedError, match=r"damaged.*sharedStringz"):
        batches_of(tmp_path, renamed(data, b"/xl/sharedStrings.xml"), "a.xlsx")
    path = tmp_path / "other.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(FeedError, match="so it is no workbook"):
        batches_of(tmp_path, path.read_bytes(), "a.xlsx")
