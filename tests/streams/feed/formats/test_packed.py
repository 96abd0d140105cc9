"""A compressed file is read as what is in it, and says so if it was cut."""

import gzip
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest

from monitor.core.transaction import REQUIRED
from streams.feed.formats.packed import open_bytes
from streams.feed.mapping import FeedError, feed_map_of
from streams.feed.maps.draft import draft_of
from streams.feed.order import in_order
from streams.feed.reader import Batch, files_of, read
from tests.support.statements import Booking, Statement, camt_of, mt940_of, ofx_of, rows_in

HEADER: Final = ",".join(REQUIRED).encode() + b"\n"
ROWS: Final = [
    b"t%d,A%d,2026-01-%02dT09:00:00Z,%d.00,EUR,debit\n"
    % (number, number * 7919, 1 + number % 28, number)
    for number in range(20_000)
]
TABLE: Final = HEADER + b"".join(ROWS)
BOOKINGS: Final = [
    Booking(Decimal(number), is_credit=True, day=date(2026, 1, 5), reference=f"REFERENCE{number}")
    for number in range(500)
]
LINES: Final = b"".join(
    b'{"transaction_id":"t%d","account_id":"A","booked_at":"2026-01-05T09:00:00Z"}\n' % number
    for number in range(6000)
)


def packed(data: bytes, end: str) -> bytes:
    if end == ".gz":
        return gzip.compress(data, mtime=0)
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


@pytest.mark.parametrize("end", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_a_packed_table_is_the_same_rows(name: str, end: str, tmp_path: Path) -> None:
    plain, file = tmp_path / name, tmp_path / f"{name}{end}"
    plain.write_bytes(TABLE)
    file.write_bytes(packed(TABLE, end))
    batches = list(read(files_of([file])))
    assert rows_in(batches) == rows_in(list(read([plain])))
    shares = [batch.share_read for batch in batches]
    assert shares == sorted(shares)
    assert 0 < shares[0] <= shares[-1] <= 1
    assert rows_in(list(in_order([file]))) == rows_in(list(in_order([plain])))


@pytest.mark.parametrize("end", [".gz", ".zst"])
def test_packed_lines_are_the_same_records(end: str, tmp_path: Path) -> None:
    file = tmp_path / f"a.jsonl{end}"
    file.write_bytes(packed(LINES, end))
    records = [record for batch in read(files_of([file])) for _, record in batch.raw]
    assert records == LINES.splitlines()


@pytest.mark.parametrize("end", [".gz", ".zst"])
def test_packed_lines_and_tables_are_the_same_by_a_map(end: str, tmp_path: Path) -> None:
    mapped = tmp_path / "map.toml"
    mapped.write_text(
        '[columns]\ntransaction_id = { template = "{file}:{row}" }\naccount_id = "account_id"\n'
        'booked_at = "booked_at"\namount = { column = "size", number = "1234.50" }\n'
        'currency = { constant = "EUR" }\ndirection = { constant = "debit" }\n'
    )
    feed_map = feed_map_of(mapped)
    lines = LINES.replace(b"}", b',"size":"12.50"}')
    table = TABLE.replace(b"amount", b"size", 1)
    for name, data in (("a.jsonl", lines), ("a.csv", table)):
        plain, file = tmp_path / name, tmp_path / f"{name}{end}"
        plain.write_bytes(data)
        file.write_bytes(packed(data, end))
        rows = rows_in(list(in_order(files_of([file], feed_map), feed_map)))
        assert rows == rows_in(list(in_order([plain], feed_map)))
        assert len(rows) == data.count(b"T09:00:00Z")
        assert draft_of(file).text.splitlines()[1:] == draft_of(plain).text.splitlines()[1:]


@pytest.mark.parametrize("end", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["a.xml", "a.sta", "a.ofx"])
def test_packed_statements_are_read(name: str, end: str, tmp_path: Path) -> None:
    write = {"a.xml": camt_of, "a.sta": mt940_of, "a.ofx": ofx_of}[name]
    plain, file = tmp_path / name, tmp_path / f"{name}{end}"
    plain.write_bytes(write(Statement(Decimal(1), BOOKINGS)))
    file.write_bytes(packed(plain.read_bytes(), end))
    assert rows_in(list(read(files_of([file])))) == rows_in(list(read([plain])))


@pytest.mark.parametrize("end", [".gz", ".zst"])
def test_a_file_that_was_cut_says_how_far_it_is_whole(end: str, tmp_path: Path) -> None:
    file = tmp_path / f"a.csv{end}"
    data = packed(TABLE, end)
    file.write_bytes(data[:-3])
    with pytest.raises(FeedError, match=r"ends in the middle, after ([0-9,]+) whole lines") as cut:
        list(read([file]))
    whole = int(str(cut.value).split("after ")[1].split(" whole")[0].replace(",", ""))
    assert 15_000 < whole <= 20_001
    file.write_bytes(data[:40])
    with pytest.raises(FeedError, match="after 0 whole lines"):
        list(read([file]))


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    data = bytearray(packed(TABLE, ".gz"))
    data[-6] ^= 0xFF  # of its checksum
    file = tmp_path / "a.csv.gz"
    file.write_bytes(data)
    with pytest.raises(FeedError, match="is damaged"):
        list(read([file]))


def test_rows_above_the_cut_were_handed_on(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    file.write_bytes(packed(TABLE, ".gz")[:-3])
    batches = read([file])
    rows: list[tuple[str, ...]] = []

    def take(batches: Iterator[Batch]) -> None:
        for batch in batches:
            rows.extend(rows_in([batch]))

    with pytest.raises(FeedError, match="ends in the middle"):
        take(batches)
    assert rows == [(*row.decode().strip().split(","), *[""] * 6) for row in ROWS[: len(rows)]]
    assert len(rows) >= 10_000


def test_several_members_are_one_file(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    file.write_bytes(packed(HEADER, ".gz") + packed(ROWS[0], ".gz") + packed(ROWS[1], ".gz"))
    assert len(rows_in(list(read([file])))) == 2


def test_its_content_says_that_a_file_is_packed(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(packed(TABLE, ".gz"))
    with open_bytes(file) as unpacked:
        assert unpacked.read(20) == TABLE[:20]
    assert len(rows_in(list(read(files_of([file]))))) == len(ROWS)


def test_a_folder_has_its_packed_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(packed(TABLE, ".gz"))
    (tmp_path / "b.csv.zst").write_bytes(packed(TABLE, ".zst"))
    (tmp_path / "c.tar.gz").write_bytes(b"")
    assert [file.name for file in files_of([tmp_path])] == ["a.csv.gz", "b.csv.zst"]


def test_packed_parquet_and_workbooks_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx.gz"
    file.write_bytes(packed(b"PK\x03\x04", ".gz"))
    with pytest.raises(FeedError, match="unpack it first"):
        files_of([file])
