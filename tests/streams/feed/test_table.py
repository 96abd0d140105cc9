from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from monitor.insight.table import InsightError
from streams.feed.mapping import FeedError
from streams.feed.table import read_table


def csv(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "customers.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_is_read_by_the_delimiter_of_its_header(tmp_path: Path, delimiter: str) -> None:
    rows = ['"name"', "age", "code"], ['"a, b; c"', "30", "007"], ["é", "", "12"]
    text = "".join(delimiter.join(row) + "\r\n" for row in rows)
    table = read_table(csv(tmp_path, text, "utf-8-sig"))
    assert table.names == ("name", "age", "code")
    assert table.column("name") == ["a, b; c", "é"]
    assert table.column("code") == ["007", "12"]
    np.testing.assert_array_equal(table.numbers["age"], [30, np.nan])
    assert list(table.numbers) == ["age"]


def test_a_line_end_in_quotes_ends_no_row(tmp_path: Path) -> None:
    assert read_table(csv(tmp_path, 'a,b\n"x\ny",1\n')).column("a") == ["x\ny"]


def test_parquet_is_read_as_the_text_of_its_values(tmp_path: Path) -> None:
    path = tmp_path / "customers.parquet"
    columns = {
        "sex": pa.array(["m", None, "f"]).dictionary_encode(),
        "balance": [0.1, None, 1e16],
        "loans": [1, 2, None],
        "member": [True, False, None],
    }
    parquet.write_table(pa.table(columns), path)
    table = read_table(path)
    assert table.column("sex") == ["m", None, "f"]
    assert table.column("member") == ["true", "false", None]
    np.testing.assert_array_equal(table.numbers["balance"], [0.1, np.nan, 1e16])
    np.testing.assert_array_equal(table.numbers["loans"], [1, 2, np.nan])


def test_columns_are_left_out(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b\n1,2\n")
    assert read_table(path, ("a",)).names == ("b",)
    with pytest.raises(InsightError, match="no column 'c' in the table: it has a, b"):
        read_table(path, ("c",))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "[Ee]mpty"),
        ("a,b\n", "no rows"),
        ("a,a\n1,2\n", "two columns are called 'a'"),
        ("a,b\n1,2\n1\n", "row 2 must have 2 cells as the header, not '1'"),
    ],
)
def test_what_is_no_table_is_told_with_its_file(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(FeedError, match=rf"(?s)customers.csv.*{problem}"):
        read_table(csv(tmp_path, text))


def test_text_that_is_not_utf_8_and_values_that_are_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="row 1 must be UTF-8 text"):
        read_table(csv(tmp_path, "a\né\n", "latin-1"))
    path = tmp_path / "nested.parquet"
    parquet.write_table(pa.table({"a": [[1], [2]]}), path)
    with pytest.raises(FeedError, match="column a is a list or a struct"):
        read_table(path)
    path.write_bytes(b"no parquet")
    with pytest.raises(FeedError, match=r"nested.parquet"):
        read_table(path)


def test_two_stray_quotes_swallow_no_row_between_them(tmp_path: Path) -> None:
    rows = [f"{number},a,b,x,z" for number in range(60)]
    for place in (1, 50):
        rows[place] = f'{place},a,"b,x,z'
    table = read_table(csv(tmp_path, "n,p,q,r,s\n" + "\n".join(rows) + "\n"))
    assert table.column("n") == [str(number) for number in range(60)]
    assert set(table.column("q")) == {"b"}


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("no.parquet", "no.csv"):
        with pytest.raises(FileNotFoundError) as caught:
            read_table(tmp_path / name)
        assert str(caught.value.filename) == str(tmp_path / name)
        assert caught.value.strerror
