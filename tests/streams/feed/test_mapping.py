"""Maps of foreign columns: what they make of a cell, and what is wrong with one, all at once."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.money import minor_units
from monitor.core.table_reader import TableReader
from monitor.core.transaction import FIELDS
from streams.feed.mapping import MAP_KEYS, WHERE_KEYS, feed_map_of
from streams.feed.reader import Batch, FeedError, files_of, read
from streams.feed.sources import _KINDS, is_negative, refuse_steps, steps_of

ROOT = Path(__file__).parents[3]

PLAIN = """
[columns]
transaction_id = "id"
account_id = ["account", "ACCOUNT NO"]
booked_at = "at"
amount = { column = "amount", absolute = true }
currency = { constant = "EUR" }
direction = { sign_of = "amount" }
"""

WHERE = """
[[where]]
column = ["state", "status"]
is_not = ["PENDING", ""]
[[where]]
column = "kind"
is = "card"
"""


def made(cell: str, **stated: object) -> str:
    reader = TableReader(stated, "x.")
    refuse_steps(reader)
    assert reader.problems == []
    for step in steps_of(stated):
        cell = step(cell)
    return cell


def mapped(folder: Path, map_text: str, data: bytes, name: str = "x.csv") -> list[Batch]:
    (folder / "x.map.toml").write_text(map_text, encoding="utf-8")
    feed_map = feed_map_of(folder / "x.map.toml")
    (folder / name).write_bytes(data)
    return list(read(files_of([folder / name], feed_map), feed_map))


@given(st.integers(0, 10**13))
def test_a_float_of_whole_cents_is_its_cents_again(cents: int) -> None:
    assert minor_units(made(repr(cents / 100), decimals=2), 2) == cents


@given(st.integers(1, 10**8), st.integers(2, 9))
def test_the_noise_of_a_sum_of_floats_is_taken_off(cents: int, times: int) -> None:
    total = sum([cents / 100] * times)
    assert minor_units(made(repr(total), decimals=2), 2) == cents * times


@given(st.integers(1, 10**9).filter(lambda mills: mills % 10))
def test_a_real_third_decimal_is_never_rounded_away(mills: int) -> None:
    text = repr(mills / 1000)
    assert made(text, decimals=2) == text


@given(st.integers(0, 10**15))
def test_thousands_separators_go_and_the_number_stays(cents: int) -> None:
    english = f"{cents // 100:,}.{cents % 100:02}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert minor_units(made(english, thousands=","), 2) == cents
    assert minor_units(made(german, thousands=".", decimal=","), 2) == cents


def test_a_mark_in_another_place_than_thousands_is_left_for_the_monitor_to_reject() -> None:
    for cell in ("12,50", "1,2345", ",123", "1,,000", "1.234,50"):
        assert made(cell, thousands=",") == cell
        assert minor_units(made(cell, thousands=","), 2) is None
    assert minor_units(made("1.234,50", decimal=","), 2) is None


@given(st.integers(1, 10**9), st.sampled_from(["-{}", "{}-", "({})", " -{} ", "- {}"]))
def test_a_negative_amount_has_a_sign_and_a_size_however_it_is_written(
    cents: int, form: str
) -> None:
    size = f"{cents // 100}.{cents % 100:02}"
    assert is_negative(form.format(size))
    assert made(form.format(size), absolute=True) == size
    assert not is_negative(size)
    assert made(size, absolute=True) == size


@given(
    st.dates(date(1970, 1, 1), date(2037, 12, 31)),
    st.sampled_from(["UTC", "Europe/Prague", "Pacific/Auckland", "America/Los_Angeles"]),
)
def test_a_day_without_a_time_is_that_day_in_its_own_zone(day: date, zone: str) -> None:
    text = made(f"{day:%d/%m/%Y}", format="%d/%m/%Y", time="12:00", time_zone=zone)
    moment = datetime.fromisoformat(text)
    assert moment.astimezone(ZoneInfo(zone)).date() == day
    assert moment.astimezone(ZoneInfo(zone)).hour == 12


@given(st.text(max_size=12), st.sampled_from([
    {"values": {"DR": "debit"}}, {"thousands": ",", "absolute": True}, {"decimal": ","},
    {"decimals": 2}, {"format": "%d/%m/%y"}, {"time_zone": "Europe/Prague", "time": "12:00"},
]))  # fmt: skip
def test_no_text_of_a_cell_stops_a_map(cell: str, stated: dict[str, object]) -> None:
    assert isinstance(made(cell, **stated), str)


def test_a_cell_that_is_no_such_time_or_word_is_handed_on_as_it_was() -> None:
    assert made("31/02/2017", format="%d/%m/%Y") == "31/02/2017"
    assert made("XX", values={"DR": "debit"}) == "XX"
    assert made(" DR ", values={"DR": "debit"}) == "debit"


def test_a_column_may_be_called_otherwise_in_another_file(tmp_path: Path) -> None:
    for header in (b"id,account,at,amount\n", b" id ; ACCOUNT NO;at; amount\n"):
        row = b"7,A,2026-01-05T09:00:00Z,-5.00\n"
        data = header + (row.replace(b",", b";") if b";" in header else row)
        batch = mapped(tmp_path, PLAIN, data)[0]
        assert list(batch.rows) == [
            ("7", "A", "2026-01-05T09:00:00Z", "5.00", "EUR", "credit", *[None] * 6)
        ]


def test_rows_that_a_where_leaves_out_are_counted(tmp_path: Path) -> None:
    data = b"id,account,at,amount,status,kind\n" + b"".join(
        b"%d,A,2026-01-05T09:00:00Z,5.00,%s,%s\n" % (number, state, kind)
        for number, (state, kind) in enumerate(
            [(b"BOOKED", b"card"), (b"PENDING", b"card"), (b"", b"card"), (b" BOOKED ", b"cash")], 1
        )
    )  # fmt: skip
    batch = mapped(tmp_path, WHERE + PLAIN, data)[0]
    assert [row[0] for row in batch.rows] == ["1"]
    assert list(batch.numbers) == [1]
    assert (batch.filtered, batch.skipped) == (3, 3)


def test_a_last_line_that_was_cut_is_skipped_only_where_the_map_says_so(tmp_path: Path) -> None:
    data = b"id,account,at,amount\n1,A,2026-01-05T09:00:00Z,5.00\n2,A,2026-01-05T09:00:00Z,5.0"
    batches = mapped(tmp_path, PLAIN, data)
    assert sum(len(batch.rows) for batch in batches) == 2
    batches = mapped(tmp_path, "skip_incomplete_last_line = true\n" + PLAIN, data)
    assert [row[0] for batch in batches for row in batch.rows] == ["1"]
    assert sum(batch.skipped for batch in batches) == 1
    batches = mapped(tmp_path, "skip_incomplete_last_line = true\n" + PLAIN, data + b"0\n")
    assert [row[0] for batch in batches for row in batch.rows] == ["1", "2"]
    assert sum(batch.skipped for batch in batches) == 0


def test_a_template_makes_an_id_of_file_and_row(tmp_path: Path) -> None:
    text = PLAIN.replace('"id"', '{ template = "{file}:{row}" }')
    data = b"id,account,at,amount\n1,A,2026-01-05T09:00:00Z,5.00\nbroken\n3,A,x,5.00\n"
    batch = mapped(tmp_path, text, data, "january.csv")[0]
    assert [row[0] for row in batch.rows] == ["january:1", "january:3"]
    assert batch.raw == [(2, b"broken")]


BROKEN = r"""
quote = "ab"
files = "/abs/*.csv"
delimiter = "ab"
encoding = "nope"
zzz = 1
skip_incomplete_last_line = "yes"
[columns]
transaction_id = { template = "{x" }
account_id = { column = 0 }
booked_at = { column = "a", format = "%Q", time_zone = "Mars", time = "25:00" }
amount = { column = "a", decimal = ",", thousands = ",", absolute = "yes", decimals = 9 }
currency = { constant = "XX" }
direction = { column = "t", values = { a = "in" }, foo = 1 }
channel = 5.5
segment = { colum = "a" }
nope = "x"
[[where]]
column = "a"
[[where]]
is = "a"
is_not = "b"
[[where]]
column = ""
is = 5
"""


def test_all_problems_of_a_map_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(BROKEN, encoding="utf-8")
    with pytest.raises(FeedError) as caught:
        feed_map_of(path)
    starts = {problem.split(" ")[0] for problem in caught.value.problems}
    assert starts == {
        "quote", "files", "delimiter", "encoding", "zzz", "skip_incomplete_last_line",
        "columns.transaction_id.template", "columns.account_id.column", "columns.booked_at.format",
        "columns.booked_at.time_zone", "columns.booked_at.time", "columns.amount.thousands",
        "columns.amount.absolute", "columns.amount.decimals", "columns.currency",
        "columns.direction.foo", "columns.direction", "columns.channel", "columns.segment",
        "columns.nope", "where",
    }  # fmt: skip
    assert sum(problem.startswith("where") for problem in caught.value.problems) == 5


@pytest.mark.parametrize("text", ["[columns", "", "columns = 1", "where = 1\n[columns]\nx = 1"])
def test_a_file_that_is_no_map_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FeedError, match=r"broken\.toml cannot be read"):
        feed_map_of(path)


def test_every_key_of_a_map_stands_in_the_documentation() -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    beside = {key for keys, _ in _KINDS.values() for key in keys}
    missing = [
        key for key in {*MAP_KEYS, *WHERE_KEYS, *_KINDS, *beside, *FIELDS} if f"`{key}`" not in page
    ]
    assert missing == []


def test_every_map_among_the_examples_is_whole() -> None:
    maps = sorted((ROOT / "examples").glob("*.map.toml"))
    assert maps
    for path in maps:
        assert feed_map_of(path).fields
