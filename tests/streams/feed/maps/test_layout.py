"""Lines that are no rows, files without a header, columns of one name and of fixed width."""

from collections import Counter
from pathlib import Path

import pytest

from streams.feed.mapping import feed_map_of
from streams.feed.order import in_order
from streams.feed.reader import Batch, FeedError, files_of, read

COLUMNS = """
[columns]
transaction_id = "id"
account_id = { constant = "A" }
booked_at = { column = "day", format = "%d.%m.%Y" }
amount = { column = "size", number = "1234,50" }
currency = { constant = "EUR" }
direction = { constant = "debit" }
"""
NUMBERED = COLUMNS.replace('"id"', "1").replace('"day"', "2").replace('"size"', "3")


def batches_of(folder: Path, map_text: str, data: str, name: str = "x.csv") -> list[Batch]:
    (folder / "x.toml").write_text(map_text, encoding="utf-8")
    (folder / name).write_text(data, encoding="utf-8")
    feed_map = feed_map_of(folder / "x.toml")._replace(tells_lines=True)
    return list(read(files_of([folder / name], feed_map), feed_map))


def ids_of(batches: list[Batch]) -> list[str | None]:
    return [row[0] for batch in batches for row in batch.rows]


def passed_of(batches: list[Batch]) -> Counter[str]:
    passed: Counter[str] = Counter()
    for batch in batches:
        passed.update(batch.passed)
    return +passed


def test_every_line_that_is_no_row_is_counted_with_its_reason(tmp_path: Path) -> None:
    data = (
        "Konto;DE1\n\nid;Saldo\nid;day;size;\n7;05.01.2026;1,00;\n\n#8;05.01.2026;1,00;\n"
        ";;;\n9;05.01.2026;2,00;\nSaldo;;5,00;\nnach;;;\n\n"
    )
    map_text = (
        'header = { contains = ["day", "id"] }\ncomments = ["#", "//"]\n'
        'footer = { begins = ["Saldo"] }\nskip_empty_rows = true\n'
    ) + COLUMNS
    batches = batches_of(tmp_path, map_text, data)
    assert ids_of(batches) == ["7", "9"]
    assert passed_of(batches) == {
        "preamble": 3, "blank": 2, "comment": 1, "empty row": 1, "footer": 2,
    }  # fmt: skip
    (batch,) = [batch for batch in batches if batch.rows]
    assert [batch.line_of(number) for number in batch.numbers] == [5, 9]


@pytest.mark.parametrize(
    "layout",
    [
        'footer = { begins = "Total" }\ncomments = "#"',
        'footer = { begins = "Total" }\ncomments = "#"\nskip_lines = 1',
        'footer = { lines = 1 }\ncomments = ["#", "Total f"]',
    ],
)
def test_a_mark_within_a_cell_in_quotes_is_its_text(tmp_path: Path, layout: str) -> None:
    memo = '"hello\n#no comment\nTotal fee"'
    data = (
        f"id;day;size;memo\n1;05.01.2026;1,00;{memo}\n#2;05.01.2026;9,00;\n"
        f'3;05.01.2026;1,00;a "stray\n4;05.01.2026;1,00;{memo}\n5;05.01.2026;1,00;"x\n'
        "6;05.01.2026;1,00;\nTotal;;9,00;\n"
    )
    data = "Bank\n" + data if "skip_lines" in layout else data
    batches = batches_of(tmp_path, layout + "\n" + COLUMNS, data)
    assert ids_of(batches) == ["1", "3", "4", "5", "6"]
    passed = passed_of(batches)
    assert (passed["comment"], passed["footer"]) == (1, 1)


def test_the_last_lines_are_a_footer_whatever_they_say(tmp_path: Path) -> None:
    rows = "".join(f"{number};05.01.2026;1,00\n" for number in range(12_000))
    data = f"id;day;size\n{rows}12000;05.01.2026;1,00\n\nEnd\n\n"
    batches = batches_of(tmp_path, "footer = { lines = 2 }\n" + COLUMNS, data)
    assert ids_of(batches) == [str(number) for number in range(12_000)]
    assert passed_of(batches) == {"footer": 2, "blank": 2}


def test_counts_come_through_the_order_of_the_world(tmp_path: Path) -> None:
    data = "Bank\nid;day;size\n1;06.01.2026;1,00\n2;05.01.2026;1,00\nEnd\n"
    (tmp_path / "x.toml").write_text("skip_lines = 1\nfooter = { lines = 1 }\n" + COLUMNS)
    (tmp_path / "x.csv").write_text(data)
    feed_map = feed_map_of(tmp_path / "x.toml")
    batches = list(in_order([tmp_path / "x.csv"], feed_map))
    assert ids_of(batches) == ["2", "1"]
    assert passed_of(batches) == {"preamble": 1, "footer": 1}


def test_without_a_header_columns_are_numbers_or_have_the_names_of_the_map(tmp_path: Path) -> None:
    data = "\n7;05.01.2026;1,00\n8;05.01.2026;1,00\n"
    for map_text in ("header = false\n" + NUMBERED, 'header = ["id", "day", "size"]\n' + COLUMNS):
        batches = batches_of(tmp_path, map_text, data)
        assert ids_of(batches) == ["7", "8"]
        assert passed_of(batches) == {"preamble": 1}
    with pytest.raises(FeedError, match="first row, in line 2, has 3 cells"):
        batches_of(tmp_path, 'header = ["id", "day"]\n' + COLUMNS.replace("size", "id"), data)


def test_an_empty_file_without_a_header_has_no_rows(tmp_path: Path) -> None:
    assert ids_of(batches_of(tmp_path, "header = false\n" + NUMBERED, "\n")) == []


def test_of_two_columns_with_one_name_the_number_says_which(tmp_path: Path) -> None:
    data = "id;day;size;size\n7;05.01.2026;1,00;2,00\n"
    with pytest.raises(FeedError, match=r"there are 2 columns size.*by its number"):
        batches_of(tmp_path, COLUMNS, data)
    for number, size in ((3, "1.00"), (4, "2.00")):
        map_text = COLUMNS.replace('"size"', str(number))
        (batch,) = batches_of(tmp_path, map_text, data)
        assert batch.rows[0][3] == size
    with pytest.raises(FeedError, match="number\u00a05, and there is none"):
        batches_of(tmp_path, COLUMNS.replace('"size"', "5"), data)


def test_columns_of_fixed_width_are_cut_by_their_places(tmp_path: Path) -> None:
    map_text = (
        'kind = "csv"\nskip_lines = 1\ncomments = "*"\nfooter = { begins = "T" }\n'
        "[fixed]\nid = [1, 3]\nday = [4, 13]\nsize = [14, 20]\n"
    ) + COLUMNS
    data = "HEAD\n  705.01.2026   1,00ignored\n*\n  805.01.2026   2,0\xf6\n\nT\n  9\n"
    batches = batches_of(tmp_path, map_text, data, "x.dat")
    assert ids_of(batches) == ["7", "8"]
    assert [row[3] for batch in batches for row in batch.rows] == ["1.00", "2,0\xf6"]
    assert passed_of(batches) == {"preamble": 1, "comment": 1, "blank": 1, "footer": 2}


def test_a_header_that_is_not_there_is_told(tmp_path: Path) -> None:
    map_text = 'header = { contains = ["zzz"] }\n' + COLUMNS
    with pytest.raises(FeedError, match="no line among its first 1 has the columns zzz"):
        batches_of(tmp_path, map_text, "id;day;size\n")


def test_blank_lines_are_counted_without_a_map_too(tmp_path: Path) -> None:
    header = "transaction_id,account_id,booked_at,amount,currency,direction\n"
    (tmp_path / "x.csv").write_text(header + "\n1,A,2026-01-05T09:00:00Z,1,EUR,debit\n\n")
    batches = list(read([tmp_path / "x.csv"]))
    assert ids_of(batches) == ["1"]
    assert passed_of(batches) == {"blank": 2}


@pytest.mark.parametrize(
    "line",
    [
        "skip_lines = -1", "header = 1", "header = []", "header = { contains = 5 }", "footer = 2",
        "footer = { line = 2 }", 'footer = { lines = 2, begins = "x" }', 'comments = [""]',
        "skip_empty_rows = 1", "fill_short_rows = 1",
        "[fixed]\nx = [0, 3]", "[fixed]\nx = [3, 2]", "[fixed]\nx = 3",
        "header = false\n[fixed]\nx = [1, 2]", 'kind = "xlsx"', "fixed = 1",
    ],
)  # fmt: skip
def test_a_layout_that_cannot_be_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(FeedError):
        batches_of(tmp_path, f"{line}\n{COLUMNS}", "id;day;size\n")


def test_a_row_that_ends_early_is_filled_only_if_the_map_says_so(tmp_path: Path) -> None:
    data = "id;day;size;text\n7;05.01.2026;1,00\n8;05.01.2026\n9;05.01.2026;1,00;a;b\n\n"
    (batch, *_) = batches_of(tmp_path, COLUMNS, data)
    assert (ids_of([batch]), [number for number, _ in batch.raw]) == ([], [1, 2, 3])
    (batch, *_) = batches_of(tmp_path, "fill_short_rows = true\n" + COLUMNS, data)
    assert [(row[0], row[3]) for row in batch.rows] == [("7", "1.00"), ("8", None)]
    assert ([number for number, _ in batch.raw], dict(batch.passed)) == ([3], {"blank": 1})


def test_the_line_of_a_row_is_known_far_below_rows_of_several_lines(tmp_path: Path) -> None:
    rows = "".join(f'{number};05.01.2026;1,00;"a\nb"\n' for number in range(6000))
    batches = batches_of(tmp_path, COLUMNS, "id;day;size;text\n" + rows)
    found = [batch.line_of(number) for batch in batches for number in batch.numbers]
    assert found == [2 + 2 * number for number in range(6000)]
