"""A statement in any format is the same transactions, and adds up to its own balance."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feed.formats.reading import FileReading, day_time_of
from streams.feed.mapping import ACCOUNTS, FeedError, FeedMap, feed_map_of
from streams.feed.maps.check import checked
from streams.feed.maps.draft import draft_of
from streams.feed.maps.layout import Layout
from streams.feed.order import in_order
from streams.feed.statements import reader as statement_reader
from tests.support.laws import law
from tests.support.statements import (
    ACCOUNT,
    OTHER,
    Booking,
    Statement,
    batches_of,
    camt_of,
    mt940_of,
    noon,
    notes_in,
    ofx_of,
    rows_in,
    signed_in,
    statements,
)

WRITERS: Final[dict[str, Callable[[Statement], bytes]]] = {
    "camt.053.001.02.xml": partial(camt_of, version="02"),
    "camt.053.001.08.xml": camt_of,
    "statement.sta": mt940_of,
    "statement.ofx": ofx_of,
    "two.ofx": partial(ofx_of, is_xml=True),
}
FORMATS_BY_END: Final = {".xml": "camt", ".sta": "mt940", ".ofx": "ofx"}
writers = st.sampled_from(sorted(WRITERS))
changes = st.tuples(st.integers(0, 4000), st.integers(0, 3), st.binary(max_size=4))
balanced = st.sampled_from([name for name in sorted(WRITERS) if not name.endswith(".ofx")])
"""Statements with an opening balance, and with entries that are not booked."""

ONE: Final = Statement(
    Decimal("10.00"),
    [Booking(Decimal("1.50"), is_credit=False, day=date(2026, 1, 5), reference="REFERENCE1")],
)


def written(statement: Statement) -> list[tuple[str, ...]]:
    return [
        (
            each.reference, statement.account, noon(each.day), f"{each.amount:f}",
            statement.currency, "credit" if each.is_credit else "debit", OTHER, "ABNANL2A",
            "", "", "", "",
        )
        for each in statement.bookings
    ]  # fmt: skip


@given(statements(), writers)
def test_a_statement_reads_back_as_the_same_transactions(statement: Statement, name: str) -> None:
    with TemporaryDirectory() as folder:
        batches = batches_of(Path(folder), WRITERS[name](statement), name)
    rows = [(*row[:3], f"{Decimal(row[3]):.2f}", *row[4:]) for row in rows_in(batches)]
    assert rows == [(*row[:3], f"{Decimal(row[3]):.2f}", *row[4:]) for row in written(statement)]
    assert [batch.raw for batch in batches if batch.raw] == []


@given(statements(("BOOK", "PDNG", "INFO")), balanced)
def test_sums_are_closing_less_opening_and_every_entry_counts_once(
    statement: Statement, name: str
) -> None:
    with TemporaryDirectory() as folder:
        batches = batches_of(Path(folder), WRITERS[name](statement), name)
    assert signed_in(batches) == statement.closing - statement.opening
    assert notes_in(batches) == []
    skips: Counter[str] = Counter()
    for batch in batches:
        skips.update(batch.skips)
    booked = sum(each.status == "BOOK" for each in statement.bookings)
    assert len(rows_in(batches)) == booked
    assert skips.total() == len(statement.bookings) - booked
    assert sum(batch.skipped for batch in batches) == skips.total()


@given(statements(), balanced, st.integers(1, 99))
def test_a_balance_that_does_not_hold_is_told(statement: Statement, name: str, cents: int) -> None:
    missing = Decimal(cents).scaleb(-2)
    data = WRITERS[name](statement._replace(missing=missing))
    with TemporaryDirectory() as folder:
        notes = notes_in(batches_of(Path(folder), data, name))
    assert len(notes) == 1
    assert "does not add up" in notes[0]
    assert f"so {missing:f} is missing" in notes[0]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_batches_do_not_matter_and_numbers_are_those_of_entries(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bookings = [ONE.bookings[0]._replace(reference=f"REFERENCE{number}") for number in range(7)]
    data = WRITERS[name](ONE._replace(bookings=bookings))
    whole = batches_of(tmp_path, data, name)
    monkeypatch.setattr(statement_reader, "BATCH_ROWS", 3)
    parts = batches_of(tmp_path, data, name)
    assert [len(batch.rows) for batch in parts] == [3, 3, 1]
    assert rows_in(parts) == rows_in(whole)
    assert [number for batch in parts for number in batch.numbers] == list(range(1, 8))
    assert [batch.share_read for batch in parts][-1] == 1.0
    assert all(0 < batch.share_read <= 1 for batch in parts)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_the_time_of_a_day_is_noon_or_as_asked_for(name: str, tmp_path: Path) -> None:
    data = WRITERS[name](ONE)
    assert rows_in(batches_of(tmp_path, data, name))[0][2] == "2026-01-05T12:00:00Z"
    asked = FeedMap(reading=day_time_of("00:30 Europe/Berlin"))
    assert rows_in(batches_of(tmp_path, data, name, asked))[0][2] == "2026-01-05T00:30:00+01:00"


@pytest.mark.parametrize("stated", ["", "noon", "12:00 Nowhere", "12:00 UTC 3", "12:00+01:00 UTC"])
def test_a_time_of_day_that_is_none_is_refused(stated: str) -> None:
    with pytest.raises(ValueError, match=r"must be|Invalid isoformat"):
        day_time_of(stated)


@given(st.text(max_size=30))
def test_a_date_that_is_none_is_handed_on(text: str) -> None:
    moment = FileReading().moment_of(text)
    assert moment == text.strip() or moment[:10] == text.strip()[:10] or moment.endswith("Z")


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_rows_come_in_the_order_of_their_days_with_what_is_told(name: str, tmp_path: Path) -> None:
    days = [date(2026, 1, 7), date(2026, 1, 5), date(2026, 1, 6)]
    bookings = [ONE.bookings[0]._replace(day=day, reference=f"REF{day}") for day in days]
    path = tmp_path / name
    path.write_bytes(WRITERS[name](ONE._replace(bookings=bookings)))
    batches = list(in_order([path]))
    assert [row[2] for row in rows_in(batches)] == [noon(day) for day in sorted(days)]
    assert len(notes_in(batches)) == (1 if name.endswith(".ofx") else 0)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_map_takes_other_columns_of_a_statement(name: str, tmp_path: Path) -> None:
    map_file = tmp_path / "map.toml"
    map_file.write_text(
        "[columns]\n"
        + "".join(
            f'{field} = "{field}"\n'
            for field in ("transaction_id", "account_id", "booked_at", "currency", "direction")
        )
        + 'amount = "amount"\nchannel = { column = "bank_code", values = { OTHER = "transfer",'
        ' NTRF = "transfer" } }\ncounterparty_id = "counterparty_name"\n'
    )
    rows = rows_in(batches_of(tmp_path, WRITERS[name](ONE), name, feed_map_of(map_file)))
    assert [row[6] for row in rows] == ["Ann"]
    assert [row[8] for row in rows] == ["" if name.endswith(".xml") else "transfer"]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_statement_has_no_accounts_attributes(name: str, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="no attributes"):
        batches_of(tmp_path, WRITERS[name](ONE), name, FeedMap(form=ACCOUNTS))


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_what_was_sent_before_has_the_same_ids(name: str, tmp_path: Path) -> None:
    twins = [ONE.bookings[0]._replace(reference="")] * 2
    data = WRITERS[name](ONE._replace(bookings=twins))
    first = [row[0] for row in rows_in(batches_of(tmp_path, data, name))]
    again = [row[0] for row in rows_in(batches_of(tmp_path, data, name))]
    assert first == again
    assert first[1] == f"{first[0]}/2"
    assert ACCOUNT not in first[0]


@law(300)
@given(statements(), writers, st.lists(changes, min_size=1, max_size=4))
def test_damage_is_said_in_a_line_and_is_never_a_crash(
    statement: Statement, name: str, damage: list[tuple[int, int, bytes]]
) -> None:
    data = WRITERS[name](statement)
    for place, length, new in damage:
        at = place % len(data)
        data = data[:at] + new + data[at + length :]
    asked = FeedMap(reading=FileReading(format=FORMATS_BY_END[Path(name).suffix]))
    with TemporaryDirectory() as folder:
        problems, batches = [], []
        try:
            batches = batches_of(Path(folder), data, name, asked)
        except FeedError as error:
            problems = error.problems
    assert all("\n" not in problem for problem in problems)
    assert len(problems) <= 1
    numbers = [number for batch in batches for number in batch.numbers]
    raw = [number for batch in batches for number, _ in batch.raw]
    assert len({*numbers, *raw}) == len(numbers) + len(raw)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_what_a_map_says_of_lines_is_refused_for_a_statement(name: str, tmp_path: Path) -> None:
    data = WRITERS[name](Statement(Decimal(1), []))
    with pytest.raises(FeedError, match="lines and headers are for CSV"):
        batches_of(tmp_path, data, name, FeedMap(layout=Layout(footer_lines=1)))


def test_a_check_counts_what_a_statement_leaves_out_by_its_reason(tmp_path: Path) -> None:
    booked, pending = (
        Booking(
            Decimal(1), is_credit=True, day=date(2026, 1, 5), reference=status * 2, status=status
        )
        for status in ("BOOK", "PDNG")
    )
    data = camt_of(Statement(Decimal(1), [booked, pending]))
    found = checked(tmp_path / "a.xml", batches_of(tmp_path, data, "a.xml"), FeedMap())
    assert (found.readable, dict(found.passed)) == (1, {"pending": 1})


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_no_first_map_is_made_of_a_statement(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(WRITERS[name](Statement(Decimal(1), [])))
    with pytest.raises(FeedError, match="which needs no map"):
        draft_of(tmp_path / name)
