"""A ledger's own totals are held against what was monitored."""

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.store.figures.control_totals import ControlKey, ControlTotals, differences
from monitor.store.intake import Intake
from monitor.store.records import Read, RecordSort
from streams.feed.control_file import NEEDED, control_totals_of
from streams.feed.mapping import FeedError
from tests.support.laws import law
from tests.support.rigs import command
from tests.support.stored import NOW, sqlite_store

HEADER = "transaction_id,account_id,booked_at,amount,currency,direction,reverses\n"
ROWS = """\
a,A,2026-01-05T10:00:00Z,10.10,EUR,debit,
a,A,2026-01-05T10:00:00Z,10.10,EUR,debit,
b,A,2026-01-05T11:00:00Z,5.00,USD,credit,
c,B,2026-01-05T11:00:00Z,7.25,EUR,credit,
d,B,2026-01-06T11:00:00Z,3,EUR,debit,
e,B,2026-01-06T12:00:00Z,1,EUR,debit,d
f,C,2026-01-06T12:00:00Z,200,JPY,debit,
g,C,2026-01-07T12:00:00Z,9,EUR,debit,
h,C,2026-01-07T13:00:00Z,9,EUR,debit,g
z,Z,2026-01-20T12:00:00Z,1,EUR,debit,
y,Y,2026-01-20T12:00:00Z,1,EUR,debit,
"""
LEDGER = """\
business_day,account_id,currency,debit_count,debit_amount,credit_count,credit_amount
2026-01-05,A,EUR,1,10.10,0,0
2026-01-05,A,USD,0,0,1,5.00
2026-01-05,B,EUR,0,0.00,1,7.25
2026-01-06,B,EUR,1,2.00,0,0
2026-01-06,C,JPY,1,200,0,0
2026-01-07,C,EUR,0,0,0,0
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a store that has the account-days of ROWS, as a replay tells them."""
    folder = tmp_path_factory.mktemp("reconciled")
    rows, days = folder / "rows.csv", folder / "days.jsonl"
    rows.write_text(HEADER + ROWS, encoding="utf-8")
    replayed = command("replay", str(rows), "--partitions", "1", "--account-days", str(days))
    assert replayed.returncode == 0, replayed.stderr
    records = [json.loads(line) for line in days.read_text(encoding="utf-8").splitlines()]
    Intake(sqlite_store(folder)).take(
        [
            Read(RecordSort.ACCOUNT_DAY, "account-days", 0, at, NOW, record)
            for at, record in enumerate(records)
        ]
    )
    return f"sqlite:///{folder / 'weir.db'}"


def test_a_ledger_that_says_the_same_is_reconciled(store: str, tmp_path: Path) -> None:
    by_account = tmp_path / "by-account.csv"
    by_account.write_text(LEDGER, encoding="utf-8")
    done = command("reconcile", str(by_account), "--store", store, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["differences"] == []
    assert (found["compared"], found["first_day"]) == (6, "2026-01-05")
    by_day = tmp_path / "by-day.csv"
    by_day.write_text(summed_by_day(LEDGER), encoding="utf-8")
    done = command("reconcile", str(by_day), "--store", store)
    assert done.returncode == 0, done.stdout + done.stderr


def summed_by_day(ledger: str) -> str:
    """Return the totals of all accounts, by decimals."""
    sums: defaultdict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal()] * 4)
    for row in csv.DictReader(ledger.splitlines()):
        key = row["business_day"], row["currency"]
        values = [Decimal(row[name]) for name in ControlTotals._fields]
        sums[key] = [a + b for a, b in zip(sums[key], values, strict=True)]
    lines = [
        ",".join([*key, str(int(a)), str(b), str(int(c)), str(d)])
        for key, (a, b, c, d) in sums.items()
    ]
    return "\n".join([",".join(NEEDED), *lines])


def test_what_was_not_monitored_is_named(store: str, tmp_path: Path) -> None:
    file = tmp_path / "ledger.csv"
    more = "2026-01-06,D,EUR,2,30.00,0,0\n"
    changed = LEDGER.replace("2026-01-05,A,EUR,1,10.10", "2026-01-05,A,EUR,2,10.11")
    file.write_text(changed.replace("2026-01-06,C,JPY,1,200,0,0\n", more), encoding="utf-8")
    done = command("reconcile", str(file), "--store", store)
    assert done.returncode == 1
    differing, *others = done.stdout.splitlines()[:3]
    due = "2026-01-05 A EUR: the ledger has 2 debits of 10.11, 0 credits of 0.00; Weir has 1 debit"
    assert differing == f"{due} of 10.10, 0 credits of 0.00"
    assert others == [
        "2026-01-06 C JPY: the ledger has nothing; Weir has 1 debit of 200, 0 credits of 0",
        "2026-01-06 D EUR: the ledger has 2 debits of 30.00, 0 credits of 0.00; Weir has nothing",
    ]
    found = json.loads(command("reconcile", str(file), "--store", store, "--json").stdout)
    assert (found["differing"], found["not_in_ledger"], found["not_in_store"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2026-01-05,A,EUR", "2026-13-05,A,EUR", "line 2: business_day must be a day"),
        (",A,EUR", ",A,XXQ", "line 2: there is no currency 'XXQ'"),
        (",A,EUR", ",,EUR", "line 2: account_id is empty"),
        ("1,10.10", "-1,10.10", "line 2: debit_count must be a whole number, not '-1'"),
        ("10.10", "10.101", "line 2: debit_amount must be an amount of EUR"),
        ("A,USD", "A,EUR", "line 3: 2026-01-05 A EUR comes twice"),
        ("debit_amount", "amount", "there is no debit_amount"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    file = tmp_path / "ledger.csv"
    file.write_text(LEDGER.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FeedError, match=said):
        control_totals_of(file)


keys = st.builds(
    ControlKey,
    st.sampled_from(["2026-01-05", "2026-01-06"]),
    st.sampled_from(["", "A", "B"]),
    st.sampled_from(["EUR", "JPY"]),
)
ledgers = st.dictionaries(keys, st.builds(ControlTotals, *[st.integers(0, 3)] * 4))


@law(200)
@given(ledgers, ledgers)
def test_differences_are_all_that_differs(
    ledger: Mapping[ControlKey, ControlTotals], store: Mapping[ControlKey, ControlTotals]
) -> None:
    found = {difference.key: difference for difference in differences(ledger, store)}
    for key in ledger.keys() | store.keys():
        due = ledger.get(key, ControlTotals()), store.get(key, ControlTotals())
        assert (key in found) == (due[0] != due[1])
    assert list(differences(ledger, ledger)) == []
    assert all(difference.text() for difference in found.values())
