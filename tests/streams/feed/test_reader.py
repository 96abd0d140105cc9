"""Reading files: nothing is lost, nothing is judged, and whatever a batch holds changes nothing."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import parquet

from monitor.core.transaction import FIELDS, IDS, REQUIRED, Fields
from streams.feed import csv_file as feed_csv
from streams.feed.mapping import Where
from streams.feed.reader import Batch, FeedError, FeedMap, files_of, read

Quoting = Literal[0, 1]

GOOD = ("t1", "A", "2026-01-05T09:00:00Z", "1.00", "EUR", "debit")
LINE = ",".join(GOOD).encode() + b"\n"
HEADER = ",".join(REQUIRED).encode() + b"\n"


def batches_of(data: bytes, feed_map: FeedMap | None = None, name: str = "x.csv") -> list[Batch]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return list(read(files_of([path], feed_map), feed_map))


def rows_of(batches: Sequence[Batch]) -> list[tuple[int, tuple[str, ...]]]:
    return [
        (number, tuple(cell or "" for cell in row))
        for batch in batches
        for number, row in zip(batch.numbers, batch.rows, strict=True)
    ]


def raw_of(batches: Sequence[Batch]) -> list[tuple[int, bytes]]:
    return [item for batch in batches for item in batch.raw]


@contextmanager
def batches_of_at_most(rows: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_csv, "BATCH_ROWS", rows)
        yield


quotings: st.SearchStrategy[Quoting] = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
cells = st.text(st.sampled_from('ab1 ,;"\n\r\té€\x00'), max_size=8)
tables = st.lists(st.lists(cells, min_size=12, max_size=12), max_size=12)


def written(table: Sequence[Sequence[str]], header: Sequence[str], quoting: Quoting) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=quoting)
    writer.writerow(header)
    writer.writerows(table)
    return out.getvalue().encode()


def stripped(row: Sequence[str]) -> tuple[str, ...]:
    """Return a row's cells as they are read: no blanks around ids."""
    named = zip(FIELDS, row, strict=True)
    return tuple(cell.strip() if name in IDS else cell for name, cell in named)


@given(tables, st.integers(1, 7), quotings)
def test_what_a_csv_writer_wrote_comes_back_whatever_the_size_of_a_batch(
    table: list[list[str]], size: int, quoting: Quoting
) -> None:
    with batches_of_at_most(size):
        batches = batches_of(written(table, FIELDS, quoting))
    assert rows_of(batches) == [(n, stripped(row)) for n, row in enumerate(table, 1)]
    assert raw_of(batches) == []


@given(tables, st.permutations(range(12)))
def test_the_order_of_the_columns_changes_nothing(table: list[list[str]], order: list[int]) -> None:
    turned = [[row[place] for place in order] for row in table]
    header = [FIELDS[place] for place in order]
    batches = batches_of(written(turned, header, csv.QUOTE_ALL))
    assert [row for _, row in rows_of(batches)] == [stripped(row) for row in table]


@given(
    st.lists(
        st.binary(max_size=30).filter(lambda line: not set(line) & set(b'\r\n"')), max_size=20
    ),
    st.integers(1, 7),
)
@example([LINE.strip(), b"\xff" + LINE.strip(), b"t1,A", LINE.strip() + b",,", LINE.strip()], 2)
def test_every_line_of_any_bytes_is_a_row_or_is_handed_on_as_it_was(
    lines: list[bytes], size: int
) -> None:
    with batches_of_at_most(size):
        batches = batches_of(HEADER + b"\n".join(lines))
    raw, rows = dict(raw_of(batches)), dict(rows_of(batches))
    assert not set(raw) & set(rows)
    for number, line in enumerate(lines, 1):
        if number in raw:
            assert raw[number] == line
        elif number in rows:
            cells = line.decode().rstrip(",").split(",")
            assert rows[number][:6] == stripped([*cells, *[""] * (12 - len(cells))])[:6]
        else:
            assert not line.decode(errors="surrogateescape").strip()


@given(st.lists(st.binary(max_size=25), max_size=15), st.integers(1, 7))
def test_any_bytes_below_a_header_are_read_to_the_end(lines: list[bytes], size: int) -> None:
    data = HEADER + b"\n".join(lines) + b"\n" + LINE.replace(b"t1", b"the-last")
    with batches_of_at_most(size):
        batches = batches_of(data)
    found = [row[0] for _, row in rows_of(batches)] + [raw for _, raw in raw_of(batches)]
    assert any("the-last" in str(item) for item in found)


def test_an_unclosed_quote_costs_its_own_line_only() -> None:
    broken = b'"t2,A,2026-01-05T09:00:00Z,1.00,EUR,debit'
    data = HEADER + LINE + broken + b"\n" + LINE * 300
    for size in (2, 50, 5000):
        with batches_of_at_most(size):
            batches = batches_of(data)
        assert raw_of(batches) == [(2, broken)]
        assert [number for number, _ in rows_of(batches)] == [1, *range(3, 303)]


def test_a_quote_that_the_end_of_the_file_leaves_open_is_no_row() -> None:
    broken = b't2,A,2026-01-05T09:00:00Z,1.00,EUR,"debit'
    batches = batches_of(HEADER + LINE + broken)
    assert raw_of(batches) == [(2, broken)]
    assert len(rows_of(batches)) == 1


def test_a_cell_without_end_is_no_row_and_the_next_one_is() -> None:
    huge = b"x" * (feed_csv.CELL_CHARACTERS_MAX + 1)
    batches = batches_of(HEADER + huge + b"\n" + LINE)
    assert raw_of(batches) == [(1, huge)]
    assert [number for number, _ in rows_of(batches)] == [2]


def test_invalid_text_in_a_column_that_nobody_needs_does_not_matter() -> None:
    batches = batches_of(HEADER.strip() + b",note\n" + LINE.strip() + b",\xff\n")
    assert [row[:6] for _, row in rows_of(batches)] == [GOOD]


def test_a_byte_order_mark_is_no_part_of_the_first_column_or_line() -> None:
    mark = b"\xef\xbb\xbf"
    assert [row[:6] for _, row in rows_of(batches_of(mark + HEADER + LINE))] == [GOOD]
    assert raw_of(batches_of(mark + b"{}\n", name="x.jsonl")) == [(1, b"{}")]


def test_json_lines_are_handed_on_as_they_are_but_for_empty_ones() -> None:
    data = b'{"a": 1}\r\n\n\xff\n  {"b":2}'
    assert raw_of(batches_of(data, name="x.ndjson")) == [
        (1, b'{"a": 1}'), (3, b"\xff"), (4, b'  {"b":2}'),
    ]  # fmt: skip


moments = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants its bounds bare
    datetime(2100, 1, 1),  # noqa: DTZ001 - hypothesis wants its bounds bare
)
channels = st.none() | st.sampled_from(["web", "é"])


@given(st.lists(st.tuples(st.integers(0, 10**12), moments, channels), min_size=1))
def test_parquet_says_what_its_values_mean(
    values: list[tuple[int, datetime, str | None]],
) -> None:
    columns = {
        "transaction_id": pa.array(range(len(values)), pa.int32()),
        "account_id": pa.array(["A"] * len(values)).dictionary_encode(),
        "booked_at": pa.array([moment for _, moment, _ in values], pa.timestamp("us", "UTC")),
        "amount": pa.array([Decimal(n).scaleb(-2) for n, _, _ in values], pa.decimal128(20, 2)),
        "currency": ["EUR"] * len(values),
        "direction": ["debit"] * len(values),
        "channel": pa.array([channel for _, _, channel in values], pa.string()),
        "nobody_needs_this": [[1]] * len(values),
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        parquet.write_table(pa.table(columns), path)
        rows = [row for batch in read([path]) for row in batch.rows]
    assert [row[0] for row in rows] == [str(number) for number in range(len(values))]
    assert [Decimal(row[3] or "") for row in rows] == [Decimal(n).scaleb(-2) for n, _, _ in values]
    assert [datetime.fromisoformat(row[2] or "") for row in rows] == [
        moment.replace(tzinfo=UTC) for _, moment, _ in values
    ]
    assert [row[8] for row in rows] == [channel for _, _, channel in values]


def parquet_rows(folder: Path, **changed: object) -> list[Fields]:
    columns = {name: [text] for name, text in zip(REQUIRED, GOOD, strict=True)} | changed
    path = folder / "x.parquet"
    parquet.write_table(pa.table(columns), path)
    return [row for batch in read([path]) for row in batch.rows]


def test_a_parquet_float_is_the_shortest_decimal_that_names_it(tmp_path: Path) -> None:
    for kind, value, text in (
        (pa.float64(), 0.1 + 0.2, "0.30000000000000004"),
        (pa.float64(), 85.65, "85.65"),
        (pa.float32(), 0.1, "0.1"),
        (pa.float64(), float("nan"), "nan"),
    ):
        assert parquet_rows(tmp_path, amount=pa.array([value], kind))[0][3] == text


def test_nanoseconds_and_bytes_that_are_no_text_stop_no_parquet_file(tmp_path: Path) -> None:
    nanoseconds = pa.array([1_767_603_600_000_000_001], pa.timestamp("ns", "Europe/Prague"))
    row = parquet_rows(
        tmp_path, booked_at=nanoseconds, counterparty_id=pa.array([b"\xffX"], pa.binary())
    )[0]
    assert row[2] == "2026-01-05T09:00:00Z"
    assert row[6] == "\\xffX"
    not_text = pa.array([b"\xffX"], pa.binary()).view(pa.string())
    assert parquet_rows(tmp_path, counterparty_id=not_text)[0][6] == "\\xffX"


def test_a_damaged_parquet_file_and_one_of_lists_are_an_operators_problem(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(FeedError, match=r"x\.parquet"):
        read([path])
    with pytest.raises(FeedError, match=r"amount has values of kind list"):
        parquet_rows(tmp_path, amount=[[1.0]])
    damaged = tmp_path / "damaged.parquet"
    columns = {
        name: [f"{text}{n}" for n in range(5000)] for name, text in zip(REQUIRED, GOOD, strict=True)
    }
    parquet.write_table(pa.table(columns), damaged, use_dictionary=False)
    data = bytearray(damaged.read_bytes())
    data[4:4000] = b"\xff" * 3996
    damaged.write_bytes(data)
    with pytest.raises(FeedError, match=r"damaged\.parquet"):
        list(read([damaged]))


def test_every_header_is_read_before_the_first_row_of_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(HEADER + LINE)
    (tmp_path / "b.csv").write_bytes(b"transaction_id,amount\n")
    (tmp_path / "c.csv").write_bytes(HEADER.strip() + b",amount\n" + LINE)
    with pytest.raises(FeedError) as caught:
        read(files_of([tmp_path]))
    said = str(caught.value)
    assert "b.csv: there is no column account_id" in said
    assert "c.csv: there are 2 columns amount" in said
    assert "a.csv" not in said


def test_all_paths_that_are_of_no_use_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FeedError) as caught:
        files_of([tmp_path / "a.xls", tmp_path / "none.csv", tmp_path / "empty"])
    assert len(caught.value.problems) == 3


def test_a_folder_is_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a.CSV", "README.md", "c.jsonl"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "z.csv").mkdir()
    assert [file.name for file in files_of([tmp_path])] == ["a.CSV", "b.csv", "c.jsonl"]
    assert [file.name for file in files_of([tmp_path], FeedMap(files="b*"))] == ["b.csv"]


def test_text_that_is_cut_in_an_encoding_of_two_bytes_is_an_operators_problem() -> None:
    data = (HEADER + LINE).decode().encode("utf-16")
    feed_map = FeedMap(encoding="utf-16")
    assert [row[:6] for _, row in rows_of(batches_of(data, feed_map))] == [GOOD]
    with pytest.raises(FeedError, match="it is not utf-16"):
        batches_of(data[:-1], feed_map)


FURTHER = FeedMap(further=("label", "amount"))


def further_of(batches: Sequence[Batch]) -> list[tuple[int, str | None, str | None]]:
    return [
        row
        for batch in batches
        if batch.rows
        for row in zip(batch.numbers, *batch.further.values(), strict=True)
    ]


def test_further_columns_come_beside_the_fields_of_their_rows() -> None:
    header = HEADER[:-1] + b",label\n"
    data = header + LINE[:-1] + b",1\n" + b"too,short\n" + LINE[:-1] + b",\n" + b"\n"
    (batch,) = batches_of(data, FURTHER)
    assert list(batch.further) == ["label", "amount"]
    assert further_of([batch]) == [(1, "1", "1.00"), (3, "", "1.00")]
    assert [tuple(row[:6]) for row in batch.rows] == [GOOD, GOOD]
    assert raw_of([batch]) == [(2, b"too,short")]
    assert batches_of(data)[0].further == {}


def test_a_further_column_may_be_one_of_the_own_columns_and_those_alone() -> None:
    data = written([["t1"] * 12], FIELDS, csv.QUOTE_MINIMAL)
    (batch,) = batches_of(data, FeedMap(further=("segment",)))
    assert batch.further == {"segment": ("t1",)}
    assert rows_of([batch]) == [(1, ("t1",) * 12)]


def test_further_columns_are_filtered_as_their_rows_are() -> None:
    kept = FeedMap(further=("label",), where=(Where(("label",), frozenset({"1"}), is_one=True),))
    rows = b"".join(LINE[:-1] + b",%d\n" % (number % 2) for number in range(5))
    batches = batches_of(HEADER[:-1] + b",label\n" + rows, kept)
    assert [(batch.further["label"], batch.filtered) for batch in batches] == [(["1", "1"], 3)]


def test_further_columns_of_parquet_are_texts(tmp_path: Path) -> None:
    table = {name: [value] * 3 for name, value in zip(REQUIRED, GOOD, strict=True)}
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table(table | {"label": [0, 1, None]}), path)
    assert further_of(list(read([path], FURTHER))) == [
        (1, "0", "1.00"), (2, "1", "1.00"), (3, None, "1.00")
    ]  # fmt: skip


def test_a_further_column_that_is_missing_is_named_with_the_columns_that_there_are() -> None:
    with pytest.raises(FeedError, match=r"there is no column label\n.*its columns are transaction"):
        batches_of(HEADER + LINE, FURTHER)
    with pytest.raises(FeedError, match="there are 2 columns label: which is it"):
        batches_of(HEADER[:-1] + b",label,label\n", FURTHER)
    with pytest.raises(FeedError, match="is JSON Lines, which has no column label, amount"):
        batches_of(b"{}\n", FURTHER, "x.jsonl")
