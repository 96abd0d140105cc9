"""Laws of maps: a file written in any format reads back as it was, and no line is lost."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from hypothesis import given

from monitor.core.business_day import event_time_of
from monitor.core.transaction import FIELDS, Fields
from streams.feed.mapping import feed_map_of
from streams.feed.reader import Batch, files_of, read
from tests.support.foreign import BOOKINGS, FORMATS, Booking, Format, written_out

AMOUNT, DIRECTION, ACCOUNT = map(FIELDS.index, ("amount", "direction", "account_id"))
BOOKED_AT, PAYEE = map(FIELDS.index, ("booked_at", "counterparty_id"))


def batches_of(data: bytes, map_text: str) -> list[Batch]:
    with TemporaryDirectory() as folder:
        map_file, file = Path(folder, "x.map.toml"), Path(folder, "x.csv")
        map_file.write_text(map_text, encoding="utf-8")
        file.write_bytes(data)
        feed_map = feed_map_of(map_file)._replace(tells_lines=True)
        return list(read(files_of([file], feed_map), feed_map))


def rows_of(batches: Sequence[Batch]) -> list[Fields]:
    return [row for batch in batches for row in batch.rows]


def passed_of(batches: Sequence[Batch]) -> Counter[str]:
    passed: Counter[str] = Counter()
    for batch in batches:
        passed.update(batch.passed)
    return passed


def sums_of(pairs: Sequence[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for direction, amount in pairs:
        sums[direction] += amount
    return sums


def micros(booking: Booking) -> int:
    moment = booking.at.replace(tzinfo=ZoneInfo("Europe/Berlin"))
    return int(moment.timestamp()) * 1_000_000


@given(BOOKINGS, FORMATS)
def test_a_file_of_any_format_reads_back_as_it_was_meant(
    bookings: list[Booking], made: Format
) -> None:
    written = written_out(bookings, made)
    batches = batches_of(written.data, written.map_text)
    rows = rows_of(batches)
    assert [batch.raw for batch in batches if batch.raw] == []
    assert [
        (row[ACCOUNT], event_time_of(row[BOOKED_AT] or ""), Decimal(row[AMOUNT] or "NaN"),
         row[DIRECTION], row[PAYEE] or "")
        for row in rows
    ] == [
        (each.account, micros(each), Decimal(each.cents).scaleb(-2), each.direction, each.payee)
        for each in bookings
    ]  # fmt: skip
    assert len({row[0] for row in rows}) == len(rows)
    assert sums_of(
        [(row[DIRECTION] or "", Decimal(row[AMOUNT] or "NaN")) for row in rows]
    ) == sums_of([(each.direction, Decimal(each.cents).scaleb(-2)) for each in bookings])


@given(BOOKINGS, FORMATS)
def test_every_line_is_counted_once(bookings: list[Booking], made: Format) -> None:
    written = written_out(bookings, made)
    batches = batches_of(written.data, written.map_text)
    assert +passed_of(batches) == +written.passed
    in_rows = sum(1 + each.payee.count("\n") for each in bookings)
    header = made.header in ("true", "contains")
    lines = written.data.decode(made.encoding).count("\n")
    assert in_rows + header + passed_of(batches).total() == lines


@given(BOOKINGS, FORMATS)
def test_a_row_is_told_with_its_line(bookings: list[Booking], made: Format) -> None:
    written = written_out(bookings, made)
    lines = written.data.decode(made.encoding).split("\n")
    numbers = [
        (batch.line_of(number), row[ACCOUNT])
        for batch in batches_of(written.data, written.map_text)
        for number, row in zip(batch.numbers, batch.rows, strict=True)
    ]
    assert len(numbers) == len(bookings)
    for (line, account), booking in zip(numbers, bookings, strict=True):
        assert lines[line - 1].startswith(f"{booking.number}{made.delimiter}{account}")
