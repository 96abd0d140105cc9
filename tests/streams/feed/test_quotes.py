"""Quotes in CSV: rows are joined as RFC 4180 has it, and no stray quote costs a row of its own."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.attributes import AccountRecord
from monitor.core.transaction import FIELDS, Fields
from streams.feed import csv_file as feed_csv
from streams.feed.accounts import accounts_of
from streams.feed.mapping import ACCOUNTS, Where
from streams.feed.quotes import ROW_LINES_MAX, Quotes
from streams.feed.reader import FeedError, FeedMap, read
from streams.feed.sources import column_source
from streams.replay.replay import Replay
from tests.support.laws import law
from tests.support.transactions import book

HEADER = ",".join(FIELDS) + "\n"
PAYEES = ("SHOP", "", '"ACME, Inc"', '""', '"say ""hi"""', '",Inc"', '"a, b"', "5 cm")


def line(number: int, payee: str = "SHOP", branch: str = "") -> str:
    return (
        f"Q{number},A{number},2026-03-02T09:{number % 60:02d}:00Z,1500.00,EUR,debit,"
        f"{payee},,,,{branch},\n"
    )


def fields(text: str) -> tuple[str, ...]:
    """Return the cells of a line that is one whole row."""
    (cells,) = csv.reader([text])
    return tuple(cells)


Rows = tuple[list[tuple[int, tuple[str | None, ...]]], list[tuple[int, bytes]]]


def rows_of(text: str, size: int = 5000, feed_map: FeedMap | None = None) -> Rows:
    """Return the rows of a file, and the lines that are none, each with its number."""
    rows: list[tuple[int, tuple[str | None, ...]]] = []
    raw: list[tuple[int, bytes]] = []
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_csv, "BATCH_ROWS", size)
        path = Path(folder) / "x.csv"
        path.write_text(text, encoding="utf-8", newline="")
        for batch in read([path], feed_map):
            rows += zip(batch.numbers, map(tuple, batch.rows), strict=True)
            raw += batch.raw
    return rows, raw


@contextmanager
def the_careful_path_alone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_csv, "_plain_rows", lambda lines, csv_file: None)  # noqa: ARG005
        yield


good_lines = st.lists(
    st.tuples(st.sampled_from(PAYEES), st.sampled_from(PAYEES)), min_size=1, max_size=9
).map(lambda cells: [line(number, *cells_of_line) for number, cells_of_line in enumerate(cells)])


@st.composite
def strayed(draw: st.DrawFn) -> tuple[list[str], set[int]]:
    """Return lines of good rows with quotes put anywhere, and which of them have got one."""
    lines = draw(good_lines)
    hit = draw(st.sets(st.integers(0, len(lines) - 1), max_size=4))
    for place in hit:
        text = lines[place].removesuffix("\n")
        ends = [at for at in range(len(text) + 1) if at == len(text) or text[at] == ","]
        begins = [0, *(at + 1 for at in ends[:-1])]
        edges = st.sampled_from([*ends, *begins])
        for at in draw(st.lists(edges | st.integers(0, len(text)), min_size=1, max_size=3)):
            text = text[:at] + '"' + text[at:]
        lines[place] = text + "\n"
    return lines, hit


TWO_STRAYS_IN_ONE_CELL = line(2, "").replace("debit,,,", 'debit,",",",')


@law(600)
@given(strayed(), st.integers(1, 5))
@example(([line(0), line(1, '"SHOP'), line(2, 'SHOP"'), line(3)], {1, 2}), 5)
@example(([line(1, '"SHOP'), line(2, 'SHOP"', '"B'), line(3, "", 'B"')], {0, 1, 2}), 5)
@example(([TWO_STRAYS_IN_ONE_CELL, line(3, 'SHOP"').replace("Q3", 'Q3""')], {0, 1}), 1)
def test_no_line_of_a_file_with_stray_quotes_is_lost(
    made: tuple[list[str], set[int]], size: int
) -> None:
    lines, hit = made
    rows, raw = rows_of(HEADER + "".join(lines), size)
    found = dict(rows)
    assert sorted([*found, *dict(raw)]) == list(range(1, len(lines) + 1))
    for place, text in enumerate(lines):
        if place not in hit:
            assert found[place + 1] == fields(text)
    for number, value in raw:
        assert value.decode() + "\n" == lines[number - 1]


@law(300)
@given(strayed())
def test_lines_are_taken_rejected_or_skipped(made: tuple[list[str], set[int]]) -> None:
    lines, hit = made
    kept = FeedMap(
        fields={name: column_source((name,)) for name in FIELDS},
        where=(Where(("account_id",), frozenset({"A3"}), is_one=False),),
    )
    replay = Replay(book(), 2)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_text(HEADER + "".join(lines), encoding="utf-8")
        for batch in read([path], kept):
            replay.observe(batch)
    counts = replay.totals.fields(0)
    # A quote may make a text of the last column, which is then a reversal that waits.
    taken = replay.totals.transactions + replay.totals.waiting
    skipped = replay.totals.skipped
    assert taken + sum(replay.totals.rejections.values()) + skipped == len(lines)
    assert taken + skipped >= len(lines) - len(hit)
    assert counts["records"] == len(lines) - skipped


@law(300)
@given(
    st.lists(st.text(st.sampled_from('aA1,"\n\r é'), max_size=20), max_size=8).map("\n".join),
    st.integers(1, 7),
    st.sampled_from(["account_id,note\n", "account_id,a,b,c\n"]),
)
def test_the_quick_path_the_careful_one_and_every_size_of_a_batch_agree(
    text: str, size: int, header: str
) -> None:
    form = FeedMap(form=ACCOUNTS)
    once = rows_of(header + text, feed_map=form)
    assert rows_of(header + text, size, form) == once
    with the_careful_path_alone():
        assert rows_of(header + text, size, form) == once


cells = st.text(st.sampled_from('ab1;"\n\ré'), max_size=9)


@given(
    st.lists(st.lists(cells, min_size=5, max_size=5), max_size=8),
    st.integers(1, 4),
    st.sampled_from(["\n", "\r\n"]),
)
def test_cells_that_really_span_lines_are_one_cell(
    table: list[list[str]], size: int, end: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=end)
    writer.writerow(["account_id", "segment", "branch", "product", "opened"])
    writer.writerows(table)
    rows, raw = rows_of(out.getvalue(), size, FeedMap(form=ACCOUNTS))
    assert [row for _, row in rows] == [(entry[0].strip(), *entry[1:]) for entry in table]
    assert raw == []


@pytest.mark.parametrize(
    ("text", "accounts"),
    [
        # An address is of two lines, and its second one has as many commas as a row.
        ('A1,"12 High St\nLondon, UK"\nA2,x\n', [("A1", "12 High St\nLondon, UK"), ("A2", "x")]),
        ('A1,"a\n\nb"\nA2,x\n', [("A1", "a\n\nb"), ("A2", "x")]),
        ('"A1","a\nb"\n"A2","x"\n', [("A1", "a\nb"), ("A2", "x")]),
        # A line in between that is a row by itself is one: the quote was a stray, and costs itself.
        ('A1,"a\nA2,x\nA3,b"\n', [("A1", "a"), ("A2", "x"), ("A3", 'b"')]),
        ('A1,"a\nA2,x\n', [("A1", "a"), ("A2", "x")]),
        # What follows a closing quote is a delimiter or the end of the line.
        ('A1,"a\nA2,"x\n', [("A1", "a"), ("A2", "x")]),
        ('A1,"a\nb"c\nA3,x\n', [("A1", "a"), ("A3", "x")]),
    ],
)
def test_of_two_columns_text_goes_on_below_where_rfc_4180_lets_it(
    text: str, accounts: list[tuple[str, str]]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_text("account_id,note\n" + text, encoding="utf-8")
        found = [row.record for row in accounts_of(read([path], FeedMap(form=ACCOUNTS)))]
    taken = [
        (record.account_id, record.further["note"])
        for record in found
        if isinstance(record, AccountRecord)
    ]
    assert taken == accounts


def rejected(text: str) -> Sequence[int]:
    return [number for number, _ in rows_of(HEADER + text)[1]]


def test_a_stray_quote_costs_its_row_only_where_it_could_change_who_paid_what_and_when() -> None:
    good = line(1, branch="B1")
    for name, place in ((name, place) for place, name in enumerate(FIELDS)):
        cells = good.rstrip("\n").split(",")
        cells[place] = '"' + cells[place]
        text = ",".join(cells) + "\n"
        exact = (*FIELDS[:6], "reverses")
        assert rejected(line(0) + text + line(2)) == ([2] if name in exact else []), name
        if name not in exact:
            assert dict(rows_of(HEADER + text)[0])[1] == fields(good)


def test_a_row_spans_a_hundred_lines_and_no_more() -> None:
    for count, numbers in ((ROW_LINES_MAX, [1]), (ROW_LINES_MAX + 1, [])):
        text = line(0, '"' + "x\n" * (count - 1) + '"')
        rows, raw = rows_of(HEADER + text + line(1))
        assert [number for number, _ in rows if number == 1 and len(rows) == 2] == numbers
        assert (raw == []) == bool(numbers)
        assert rows[-1][1] == fields(line(1))


@pytest.mark.parametrize(
    "pattern",
    [
        ['a,"b\n'],
        ['a","b\n', 'a"\n'],
        ['a,"\n', *["x\n"] * (ROW_LINES_MAX + 10)],
        ['"\n', '""\n'],
        ['"""\n'],
        ['a,",x,","\n'],
        ['x,",y\n', "z\n", '",\n'],
        ['"\n', "\n"],
    ],
)
def test_a_file_full_of_quotes_is_read_in_a_time_that_is_linear(
    pattern: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned = []
    scan = Quotes.scan

    def counted(self: Quotes, text: str, *, is_open: bool) -> object:
        scanned.append(len(text))
        return scan(self, text, is_open=is_open)

    monkeypatch.setattr(Quotes, "scan", counted)
    lines = pattern * (3000 // len(pattern))
    rows_of(HEADER + "".join(lines))
    assert len(scanned) <= 6 * len(lines)


@pytest.mark.parametrize(
    "header", ['"account_id,segment,branch,product', 'account_id,segment,branch,"product']
)
def test_a_header_with_a_stray_quote_swallows_no_row(header: str) -> None:
    for text in (f"{header}\nA1,s,b,p\nA2,s,b,p\n", f'{header}\nA1,s,b,p"\n', f"{header}"):
        with pytest.raises(FeedError, match='its header has a quote " that nobody closes'):
            rows_of(text, feed_map=FeedMap(form=ACCOUNTS))


def test_a_header_may_span_lines() -> None:
    text = 'account_id,"the\nsegment",segment\nA1,x,y\n'
    rows: list[tuple[int, Fields]] = [*rows_of(text, feed_map=FeedMap(form=ACCOUNTS))[0]]
    assert rows == [(1, ("A1", "y", None, None, None))]
