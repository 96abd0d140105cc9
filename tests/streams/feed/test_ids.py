"""One account, one spelling: what files and maps make of ids."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from monitor.core.attributes import AccountRecord
from monitor.core.transaction import FIELDS, IDS, Reason, Rejection, Transaction
from streams.feed.accounts import accounts_of
from streams.feed.iban import electronic, iban_fault
from streams.feed.mapping import ACCOUNTS, TRANSACTIONS, Form, feed_map_of
from streams.feed.reader import Batch, FeedError, FeedMap, read
from streams.feed.rows import records_of
from streams.replay.replay import Replay
from streams.wire import codec
from tests.support.transactions import book

ROW = ("t1", "A", "2026-01-05T09:00:00Z", "1.00", "EUR", "debit", "P", "", "", "", "", "R")
BLANKS = st.text(st.sampled_from(" \t\xa0\u2003\u3000"), max_size=3)
MAP = """
[columns]
transaction_id = "transaction_id"
account_id = { column = "account_id", %s }
booked_at = "booked_at"
amount = "amount"
currency = "currency"
direction = "direction"
"""


def csv_of(folder: Path, rows: list[list[str]]) -> Path:
    path = folder / "x.csv"
    lines = [",".join(row) for row in [list(FIELDS), *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def mapped(folder: Path, keys: str, form: Form = TRANSACTIONS, text: str = MAP) -> FeedMap:
    path = folder / "map.toml"
    path.write_text(text % keys, encoding="utf-8")
    return feed_map_of(path, form)


def read_ids(folder: Path, keys: str, *accounts: str) -> list[Batch]:
    rows = [[f"t{n}", account, *ROW[2:]] for n, account in enumerate(accounts)]
    return list(read([csv_of(folder, rows)], mapped(folder, keys)))


@given(st.lists(st.tuples(*[BLANKS] * 2 * len(IDS)), min_size=1, max_size=4))
def test_blanks_around_ids_are_taken_off_whatever_the_file(
    tmp_path_factory: pytest.TempPathFactory, blanks: list[tuple[str, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("ids")
    rows = []
    for around in blanks:
        row = list(ROW)
        for number, name in enumerate(IDS):
            place = FIELDS.index(name)
            row[place] = around[2 * number] + ROW[place] + around[2 * number + 1]
        rows.append(row)
    table = {name: [row[place] for row in rows] for place, name in enumerate(FIELDS)}
    parquet.write_table(pa.table(table), folder / "y.parquet")
    turned = folder / "z.csv"  # its columns in another order
    lines = [",".join(reversed(row)) for row in [list(FIELDS), *rows]]
    turned.write_text("\n".join(lines), encoding="utf-8")
    for path in (csv_of(folder, rows), folder / "y.parquet", turned):
        found = [tuple(row) for batch in read([path]) for row in batch.rows]
        assert found == [ROW] * len(rows), path


def test_an_id_of_blanks_alone_is_missing(tmp_path: Path) -> None:
    replay = Replay(book(), 1)
    for batch in read([csv_of(tmp_path, [[" ", *ROW[1:]], [*ROW[:11], " "]])]):
        replay.observe(batch)
    assert replay.totals.rejections == {"missing-field": 1}
    assert replay.totals.transactions == 1


IBAN = "DE89370400440532013000"
SPELLINGS = (
    IBAN, f" {IBAN} ", "DE89 3704 0044 0532 0130 00", "de89370400440532013000",
    "DE89\xa03704\xa00044\xa00532\xa00130\xa000", "IBAN: DE89-3704-0044-0532-0130-00",
    "iban DE89 3704 0044 0532 0130 00", "DE89\u200b370400440532013000",
)  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_an_iban_is_its_electronic_form(spelling: str) -> None:
    assert electronic(spelling) == IBAN


KNOWN = (
    "GB82WEST12345698765432", "FR1420041010050500013M02606", "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S", "SA0380000000608010167519", "CH9300762011623852957",
    "BE68539007547034", IBAN,
)  # fmt: skip


@given(st.sampled_from(KNOWN), st.data())
def test_a_slip_of_the_pen_in_an_iban_is_found(iban: str, data: st.DataObject) -> None:
    assert iban_fault(iban) is None
    place = data.draw(st.integers(2, len(iban) - 1))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != iban[place]))
    assert iban_fault(iban[:place] + other + iban[place + 1 :])
    swapped = iban[: place - 1] + iban[place] + iban[place - 1] + iban[place + 1 :]
    assert swapped == iban or iban_fault(swapped)


@given(st.integers(0, 10**18))
def test_an_account_has_one_pair_of_check_digits(number: int) -> None:
    ibans = [f"DE{digits:02d}{number:018d}" for digits in range(100)]
    assert sum(iban_fault(iban) is None for iban in ibans) == 1


def test_a_wrong_iban_is_rejected_with_what_is_wrong_and_never_another_account(
    tmp_path: Path,
) -> None:
    wrong = "DE88 3704 0044 0532 0130 00"
    batches = read_ids(tmp_path, "iban = true", *SPELLINGS, wrong, "4711", "")
    replay = Replay(book(), 2)
    told = [rejection for batch in batches for rejection in replay.observe(batch).rejections]
    assert replay.totals.transactions == len(SPELLINGS)
    assert {account for account, _ in replay.open_account_days()} == {IBAN}
    details = {
        rejected.row: (rejected.rejection.reason, rejected.rejection.detail) for rejected in told
    }
    assert details == {
        9: (
            Reason.MALFORMED,
            f"account_id is {wrong!r}: its check digits are not those of an IBAN",
        ),
        10: (Reason.MALFORMED, f"account_id is '4711': {iban_fault('4711')}"),
        11: (Reason.MISSING_FIELD, "account_id"),
    }
    # What is sent of it is rejected on the stream with the same words.
    sent = [codec.decode(value) for batch in batches for _, value, _ in records_of(batch)]
    said = {record.detail for record in sent if isinstance(record, Rejection)}
    assert said == {detail for _, detail in details.values()}
    assert {record.account_id for record in sent if isinstance(record, Transaction)} == {IBAN}


@pytest.mark.parametrize(
    ("keys", "account", "made"),
    [
        ("strip = true", " a 1 ", "a 1"),
        ('remove = " -"', "12-34 56", "123456"),
        ('remove = ["ACC:", "-"]', "ACC:12-CA", "12CA"),
        ('remove = "."', "1.2.3", "123"),
        ("upper = true", "ab1é", "AB1É"),
        ('upper = true, remove = " "', "ab 12", "AB12"),
        ('values = { "x" = "de89370400440532013000" }, iban = true', "x", IBAN),
        ("iban = false", "de 1", "de 1"),
    ],
)
def test_a_map_makes_one_spelling_of_an_id(
    tmp_path: Path, keys: str, account: str, made: str
) -> None:
    (batch,) = read_ids(tmp_path, keys, account)
    assert [row[1] for row in batch.rows] == [made]


@pytest.mark.parametrize(
    "keys", ["iban = 1", 'upper = "yes"', "strip = 0", "remove = []", 'remove = ""', "remove = 7"]
)
def test_a_step_that_is_stated_wrongly_is_an_operators_problem(tmp_path: Path, keys: str) -> None:
    with pytest.raises(FeedError, match=rf"columns\.account_id\.{keys.split(maxsplit=1)[0]} is"):
        mapped(tmp_path, keys)


def test_accounts_files_spell_accounts_by_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    lines = [
        "account_id,segment",
        " A1 ,retail",
        *(f"{spelling},x" for spelling in SPELLINGS),
        "DE00 1,y",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    own = [row.record for row in accounts_of(read([path], FeedMap(form=ACCOUNTS)))]
    assert isinstance(own[0], AccountRecord)
    assert own[0].account_id == "A1"
    text = '[columns]\naccount_id = { column = "account_id", %s }\nsegment = "segment"\n'
    feed_map = mapped(tmp_path, "iban = true", ACCOUNTS, text)
    rows = list(accounts_of(read([path], feed_map)))
    accounts = [row.record for row in rows if isinstance(row.record, AccountRecord)]
    assert [account.account_id for account in accounts] == [IBAN] * len(SPELLINGS)
    rejected = {row.row: row.record.detail for row in rows if isinstance(row.record, Rejection)}
    assert list(rejected) == [1, len(SPELLINGS) + 2]
    assert all("it is no IBAN" in detail for detail in rejected.values())


def test_on_a_stream_and_in_json_lines_an_id_with_blanks_around_it_is_malformed() -> None:
    for name in IDS:
        row = dict(zip(FIELDS, ROW, strict=True)) | {name: "x "}
        item = codec.decode(codec.transaction_bytes([*row.values()]))
        assert isinstance(item, Rejection)
        assert item.detail == f"{name} is 'x ': it must have no blanks around"
