"""Any bytes of an account's record become an account or a rejection, and files likewise."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from monitor.core.attributes import REASONS, AccountRecord, Attributes
from monitor.core.business_day import day_of_text
from monitor.core.transaction import Reason, Rejection
from streams.feed.accounts import AccountRow, accounts_of, attributes_of, usable
from streams.feed.mapping import ACCOUNTS, feed_map_of
from streams.feed.reader import FeedError, FeedMap, files_of, read
from streams.wire.accounts import (
    account_record_bytes,
    change_of,
    decode_account,
    decode_account_line,
)

WHOLE = {
    "account_id": "A1", "segment": "retail", "branch": "Praha", "product": "giro",
    "opened": "2019-04-30", "attributes": {"risk": "low"},
}  # fmt: skip
ACCOUNT = AccountRecord(
    "A1", Attributes("retail", "Praha", "giro"), day_of_text("2019-04-30"), {"risk": "low"}
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from([*WHOLE, "other"]), json_values | st.text())


# -- records -------------------------------------------------------------------------------------


@given(st.binary() | objects.map(lambda fields: json.dumps(fields).encode()), st.booleans())
def test_any_bytes_become_an_account_or_a_rejection(value: bytes, of_file: bool) -> None:  # noqa: FBT001 - drawn
    made = decode_account_line(value) if of_file else decode_account(value)
    if isinstance(made, Rejection):
        assert made.reason in REASONS
        assert made.detail
    else:
        assert decode_account(account_record_bytes(made)) == made


def test_what_is_written_is_read() -> None:
    assert decode_account(json.dumps(WHOLE | {"unknown": [1]}).encode()) == ACCOUNT
    assert json.loads(account_record_bytes(ACCOUNT)) == WHOLE
    assert json.loads(account_record_bytes(AccountRecord("A1", Attributes(), None, {}))) == {
        "account_id": "A1"
    }


@pytest.mark.parametrize(
    ("key", "value", "change", "reason"),
    [
        (b"A1", WHOLE, ("A1", ACCOUNT.attributes), None),
        (b"A1", None, ("A1", None), None),
        (b"A1", WHOLE | {"opened": "soon"}, ("A1", None), Reason.BAD_TIME),
        (b"A1", WHOLE | {"segment": 7}, ("A1", None), Reason.MALFORMED),
        (b"A2", WHOLE, ("A2", None), Reason.WRONG_KEY),
        (b"A1", {"segment": "x"}, ("A1", None), Reason.MISSING_FIELD),
        (b"\xff", WHOLE, None, Reason.WRONG_KEY),
        (None, WHOLE, None, Reason.WRONG_KEY),
    ],
)
def test_what_cannot_be_used_forgets_what_was_there_and_says_why(
    key: bytes | None, value: object, change: object, reason: Reason | None
) -> None:
    """Compaction would have forgotten it: so the answer is one before and after it."""
    written = None if value is None else json.dumps(value).encode()
    made, rejection = change_of(key, written)
    assert made == change
    assert (None if rejection is None else rejection.reason) is reason


# -- files ---------------------------------------------------------------------------------------


def rows_of(path: Path, feed_map: FeedMap | None = None) -> list[AccountRow]:
    feed_map = feed_map or FeedMap(form=ACCOUNTS)
    return list(accounts_of(read(files_of([path], feed_map), feed_map)))


HEADER = "risk,account_id,segment,branch,product,opened,note\n"


def test_columns_that_are_no_field_are_free_attributes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "low,A1,retail,Praha,giro,2019-04-30,\n,A2,,,,,x\n", encoding="utf-8")
    first, second = rows_of(path)
    assert first == AccountRow("a.csv", 1, ACCOUNT)
    assert second.record == AccountRecord("A2", Attributes(), None, {"note": "x"})


def test_csv_json_lines_and_parquet_say_the_same(tmp_path: Path) -> None:
    table = {
        "account_id": ["A1", "A2"], "segment": ["retail", None], "opened": ["2019-04-30", None],
        "risk": ["low", "7"],
    }  # fmt: skip
    parquet.write_table(pa.table(table), tmp_path / "a.parquet")
    lines = ["account_id,segment,opened,risk", "A1,retail,2019-04-30,low", "A2,,,7"]
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    rows = zip(*table.values(), strict=True)
    objects: list[dict[str, object]] = [dict(zip(table, row, strict=True)) for row in rows]
    objects[1]["risk"] = 7  # a number is taken as it is written
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    made = [[row.record for row in rows_of(tmp_path / f"a.{form}")] for form in ("csv", "jsonl")]
    assert made[0] == made[1] == [row.record for row in rows_of(tmp_path / "a.parquet")]
    found = [record for record in made[0] if isinstance(record, AccountRecord)]
    assert [record.further for record in found] == [{"risk": "low"}, {"risk": "7"}]


def test_rows_that_are_no_account_are_told_and_the_last_of_an_account_holds(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "account_id,segment,opened\nA1,x,\n,x,\nA2,x\nA3,x,soon\nA1,y,\n", encoding="utf-8"
    )
    told: list[AccountRow] = []
    book = attributes_of(usable(rows_of(path), told.append))
    assert book.known == {"A1": Attributes("y")}
    assert sorted((row.row, row.record[0]) for row in told) == [
        (2, Reason.MISSING_FIELD), (3, Reason.MALFORMED), (4, Reason.BAD_TIME),
    ]  # fmt: skip


MAP = """
[columns]
account_id = ["ACCOUNT", "ACCT"]
segment = { column = "SEG", values = { R = "retail" } }
opened = { column = "OPENED", format = "%d.%m.%Y" }
"""


def test_a_map_names_foreign_columns_and_leaves_the_others_free(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    path = tmp_path / "a.csv"
    path.write_text("ACCT;SEG;OPENED;REGION\nA1;R;30.04.2019;north\n", encoding="utf-8")
    (row,) = rows_of(path, feed_map_of(tmp_path / "map.toml", ACCOUNTS))
    assert row.record == AccountRecord(
        "A1", Attributes("retail"), day_of_text("2019-04-30"), {"REGION": "north"}
    )


def test_a_map_for_accounts_has_their_fields_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('[columns]\namount = "x"\n', encoding="utf-8")
    with pytest.raises(FeedError) as caught:
        feed_map_of(path, ACCOUNTS)
    assert caught.value.problems == [
        "columns.amount is no field: use account_id, segment, branch, product, opened",
        "columns.account_id is missing",
    ]
