"""Ids that are made of rows: the same if a file comes again, and another for every row."""

from pathlib import Path

import pytest

from monitor.core.transaction import Fields
from streams.feed.mapping import feed_map_of
from streams.feed.reader import FeedError, files_of, read

REST = """
account_id = "acct"
booked_at = { constant = "2026-01-05T09:00:00Z" }
amount = "size"
currency = { constant = "EUR" }
direction = { constant = "debit" }
"""


def fields_of(folder: Path, columns: str, text: str, name: str = "x.csv") -> list[Fields]:
    (folder / "x.toml").write_text("[columns]\n" + columns + REST, encoding="utf-8")
    (folder / name).write_text(text, encoding="utf-8")
    feed_map = feed_map_of(folder / "x.toml")
    return [
        row for batch in read(files_of([folder / name], feed_map), feed_map) for row in batch.rows
    ]


def test_equal_rows_have_ids_by_their_place_among_equals(tmp_path: Path) -> None:
    columns = 'transaction_id = { content = ["acct", "size", "text"] }'
    rows = ["A,1.00,x", "A,1.00, x ", "A,1.00,y", "A,1.00,x"]
    header = "acct,size,text,balance\n"
    first = fields_of(tmp_path, columns, header + "".join(f"{row},7\n" for row in rows))
    ids = [row[0] for row in first]
    assert ids[1:] == [f"{ids[0]}-2", ids[2], f"{ids[0]}-3"]
    assert ids[2] != ids[0]
    # Sent again in another file, the other way round, with other balances.
    again = header + "".join(f"{row},8\n" for row in reversed(rows))
    assert sorted(row[0] or "" for row in fields_of(tmp_path, columns, again, "y.csv")) == sorted(
        id_ or "" for id_ in ids
    )


def test_the_cells_of_a_content_do_not_run_into_each_other(tmp_path: Path) -> None:
    columns = 'transaction_id = { content = ["acct", "size", "text"] }'
    found = fields_of(tmp_path, columns, "acct,size,text\nA,1,23\nA,12,3\nA1,2,3\n")
    assert len({row[0] for row in found}) == 3


def test_only_a_row_without_an_id_gets_one_of_its_content(tmp_path: Path) -> None:
    columns = 'transaction_id = { column = "id", or_content = ["acct", "size"] }'
    found = fields_of(tmp_path, columns, "id,acct,size\n7,A,1\n,A,1\n  ,A,1\n")
    assert found[0][0] == "7"
    assert found[2][0] == f"{found[1][0]}-2"


def test_a_template_over_columns_names_a_row_and_the_one_that_it_reverses(tmp_path: Path) -> None:
    columns = """
transaction_id = { template = "{DAY}-{SEQ (no)}" }
reverses = { template = "{ODAY}-{OSEQ}" }
"""
    text = "DAY,SEQ (no),ODAY,OSEQ,acct,size\n0105,1,,,A,1\n0106, 2 ,0105,1,A,1\n,,,,A,1\n"
    found = fields_of(tmp_path, columns, text)
    assert [(row[0], row[-1]) for row in found] == [
        ("0105-1", None), ("0106-2", "0105-1"), (None, None),
    ]  # fmt: skip


def test_a_template_takes_columns_by_number_beside_file_and_row(tmp_path: Path) -> None:
    columns = 'transaction_id = { template = "{{{file}}}:{row}:{2}" }'
    assert [row[0] for row in fields_of(tmp_path, columns, "acct,size\nA,5\n", "{}.csv")] == [
        "{{}}:1:5"
    ]
    columns = 'transaction_id = { template = "{file}-{row}" }'
    assert [row[0] for row in fields_of(tmp_path, columns, "acct,size\nA,5\n", "{}.csv")] == [
        "{}-1"
    ]


@pytest.mark.parametrize(
    "columns",
    [
        'transaction_id = { template = "{" }',
        'transaction_id = { template = "{}" }',
        'transaction_id = { template = "" }',
        "transaction_id = { content = [] }",
        'transaction_id = { content = "acct" }',
        'transaction_id = { column = "id", or_content = ["acct"], upper = true }',
        'transaction_id = "id"\nreverses = { content = ["acct"] }',
        'transaction_id = { template = "{nope}" }',
    ],
)
def test_an_id_that_cannot_be_made_is_refused(tmp_path: Path, columns: str) -> None:
    with pytest.raises(FeedError):
        fields_of(tmp_path, columns, "id,acct,size\n")
