"""JSON Lines of others: paths into objects, numbers as they are written, and lines without."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feed.mapping import feed_map_of
from streams.feed.maps.json_lines import leaves_of, path_of
from streams.feed.order import in_order
from streams.feed.reader import Batch, FeedError, files_of
from streams.wire.codec import decode

MAP = """
[columns]
transaction_id = "id"
account_id = ["acct.iban", "acct.other[0].id"]
booked_at = { column = "at", epoch = "milliseconds" }
amount = { column = "size.value", number = "1234.50" }
direction = { sign_of = "size.value", positive = "credit", negative = "debit" }
currency = "size.ccy"
"""


def batches_of(folder: Path, text: str, map_text: str = MAP) -> list[Batch]:
    (folder / "x.toml").write_text(map_text, encoding="utf-8")
    (folder / "x.jsonl").write_text(text, encoding="utf-8")
    feed_map = feed_map_of(folder / "x.toml")
    return list(in_order(files_of([folder / "x.jsonl"], feed_map), feed_map))


def line(**changes: object) -> str:
    size = {"value": -12.10, "ccy": "EUR"}
    return json.dumps({"id": 7, "acct": {"iban": "A"}, "at": 1700000000000, "size": size} | changes)


def test_a_number_is_the_text_that_was_written(tmp_path: Path) -> None:
    first = line().replace("-12.1", "-12345678901234.10")
    other = line(id="8", acct={"iban": None, "other": [{"id": "B"}]}, at=1600000000000)
    batches = batches_of(tmp_path, f"{first}\n\n{other}\n")
    assert [row[:6] for batch in batches for row in batch.rows] == [
        ("8", "B", "2020-09-13T12:26:40Z", "12.1", "EUR", "debit"),
        ("7", "A", "2023-11-14T22:13:20Z", "12345678901234.10", "EUR", "debit"),
    ]
    assert [dict(batch.passed) for batch in batches if batch.passed] == [{"blank": 1}]


def test_compressed_lines_are_read_by_a_map_as_the_plain_ones(tmp_path: Path) -> None:
    text = "".join(f"{line(id=number)}\n" for number in range(3000))
    plain = [row for batch in batches_of(tmp_path, text) for row in batch.rows]
    packed = tmp_path / "x.jsonl.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    feed_map = feed_map_of(tmp_path / "x.toml")
    batches = in_order(files_of([packed], feed_map), feed_map)
    found = [row for batch in batches for row in batch.rows]
    assert len(plain) == 3000
    assert found == plain
    assert leaves_of(packed, 3000) == leaves_of(tmp_path / "x.jsonl", 3000)


def test_a_line_without_a_row_is_rejected_with_its_fault(tmp_path: Path) -> None:
    lines = [
        line(), "no json", "[1]", '{"id": 1, "id": 2}', line(id={"a": 1}), line(id="\ud800"),
        "[" * 100_000,
    ]  # fmt: skip
    batches = batches_of(tmp_path, "\n".join(lines) + "\n")
    raw = [record for batch in batches for record in batch.raw]
    assert [number for number, _ in raw] == [2, 3, 4, 5, 6, 7]
    said = [getattr(decode(value), "detail", "") for _, value in raw]
    assert all("no JSON object" in text for text in (*said[:3], said[5]))
    assert "id is a list or an object" in said[3]
    assert "id is broken text" in said[4]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"id"', '"idd"', "transaction_id comes from idd, and none of the first 1 lines has it"),
        ('"id"', '"a..b"', "is no path"),
        ('"id"', "5", "none of the first"),
        ("[columns]", "skip_lines = 1\n[columns]", "for CSV"),
        ('"id"', '["acct.iban", "id"]', "begins as another list"),
    ],
)
def test_a_map_that_does_not_fit_is_told_before_the_first_row(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    with pytest.raises(FeedError, match=problem):
        batches_of(tmp_path, line() + "\n", MAP.replace(old, new, 1))


@given(
    st.lists(
        st.one_of(st.integers(0, 99), st.from_regex(r"[^.\[\]\"]+", fullmatch=True)), min_size=1
    )
)
def test_a_path_is_its_steps(steps: list[int | str]) -> None:
    written = "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in steps)
    assert path_of(written) == tuple(steps)
    dotted = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    assert path_of(dotted.removeprefix(".")) == tuple(steps)


@pytest.mark.parametrize(
    "text", ["", ".", ".a", "a.", "a..b", "a[b]", "a[0]b", "a[", 'a["b"', "a[-1]"]
)
def test_a_text_that_is_no_path_has_no_steps(text: str) -> None:
    assert path_of(text) is None
