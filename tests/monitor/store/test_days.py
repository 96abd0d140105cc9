"""Account-days: the same answer whichever days are sealed, and at whatever moment it is killed."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from monitor.store.days import (
    latest_of_account,
    lost_days,
    rows_between,
    table_of,
)
from monitor.store.intake import Intake
from monitor.store.schema import sealed_days
from monitor.store.sealing import quiet_days, seal, seal_quiet_days, sweep
from monitor.store.store import Store, StoreError
from tests.support.account_days import DAYS, in_table, made, rows_of, take
from tests.support.laws import law
from tests.support.stored import sqlite_store

STEPS = ["read", "write", "fsync", "rename", "commit", "committing", "done"]


class KilledError(Exception):
    pass


def everything(store: Store) -> list[dict[str, Any]]:
    rows = rows_of(store)
    with store.reading() as connection:
        for account in {row["account_id"] for row in rows}:
            its = [row["record"] for row in rows if row["account_id"] == account][-3:]
            latest = latest_of_account(connection, account, 3)
            assert [record["business_day"] for record in latest] == [
                row["business_day"] for row in table_of(iter(its)).to_pylist()
            ]
    return rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = sqlite_store(tmp_path)
    yield opened
    opened.close()


@law(8)
@given(seed=st.integers(0, 10**6), sealed=st.sets(st.sampled_from(DAYS)))
def test_any_split_into_sealed_and_young_days_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, seed: int, sealed: set[str]
) -> None:
    rng = random.Random(seed)  # noqa: S311 - made data
    store = sqlite_store(tmp_path_factory.mktemp("split"))
    plain = sqlite_store(tmp_path_factory.mktemp("plain"))
    offset = 0
    for turn in range(3):
        records = [
            made(rng, f"A{rng.randrange(6)}", rng.choice(DAYS)) for _ in range(rng.randrange(1, 30))
        ]
        take(store, offset, records)
        take(plain, offset, records)
        offset += len(records)
        for day in sorted(sealed)[turn % 2 :]:
            assert seal(store, day, turn)
        assert everything(store) == everything(plain)
    store.close()
    plain.close()


@pytest.mark.parametrize("killed_at", STEPS)
@pytest.mark.parametrize("is_again", [False, True])
def test_a_kill_at_any_step_leaves_the_same_answer(
    store: Store, *, killed_at: str, is_again: bool
) -> None:
    rng = random.Random(4)  # noqa: S311 - made data
    take(store, 0, [made(rng, f"A{number}", day) for number in range(6) for day in DAYS])
    if is_again:
        assert seal(store, DAYS[0], 1)
        take(store, 500, [made(rng, f"A{number}", DAYS[0]) for number in range(4, 8)])
    before = everything(store)

    def kill(step: str) -> None:
        if step == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        seal(store, DAYS[0], 2, kill)
    assert everything(store) == before
    seal_quiet_days(store, 3)
    assert everything(store) == before
    assert quiet_days(store) == []
    sweep(store)
    with store.reading() as connection:
        files = connection.execute(select(sealed_days.c.file)).scalars().all()
        folder = Path(str(store.engine.url.database) + ".days")
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)


def test_rows_leave_the_table_only_for_quiet_days(store: Store) -> None:
    rng = random.Random(5)  # noqa: S311 - made data
    take(store, 0, [made(rng, "A1", day) for day in DAYS])
    assert seal_quiet_days(store, 7) == DAYS[:3]
    assert in_table(store) == len(DAYS) - 3
    with store.reading() as connection:
        rows = connection.execute(select(sealed_days)).all()
    assert [(row.rows, row.sealed_at, row.file) for row in rows] == [
        (1, 7, f"{day}.parquet") for day in DAYS[:3]
    ]


def test_a_lost_or_changed_file_is_told(store: Store) -> None:
    rng = random.Random(6)  # noqa: S311 - made data
    take(store, 0, [made(rng, "A1", day) for day in DAYS])
    seal_quiet_days(store, 7)
    folder = Path(str(store.engine.url.database) + ".days")
    changed = folder / f"{DAYS[0]}.parquet"
    changed.write_bytes(changed.read_bytes() + b"\0")
    with pytest.raises(StoreError, match=r"sha256 is another one.*--rebuild"):
        rows_of(store)
    take(store, 50, [made(rng, "A2", DAYS[0])])
    with pytest.raises(StoreError, match=r"sha256 is another one.*--rebuild"):
        seal_quiet_days(store, 8)
    (folder / f"{DAYS[1]}.parquet").unlink()
    with store.reading() as connection:
        assert lost_days(connection) == [DAYS[1]]
        with pytest.raises(StoreError, match=r"weir archive --rebuild"):
            rows_between(connection, DAYS[0], DAYS[-1], ["account_id"])
        assert rows_between(connection, DAYS[2], DAYS[-1], ["account_id"]).num_rows == 8


def test_a_rebuild_forgets_sealed_days_and_their_files(store: Store) -> None:
    rng = random.Random(7)  # noqa: S311 - made data
    take(store, 0, [made(rng, "A1", day) for day in DAYS])
    seal_quiet_days(store, 7)
    Intake(store).forget()
    assert everything(store) == []
    assert list(Path(str(store.engine.url.database) + ".days").iterdir()) == []


def test_a_day_whose_totals_cannot_be_read_stays_in_the_table(store: Store) -> None:
    rng = random.Random(8)  # noqa: S311 - made data
    broken = {**made(rng, "A2", DAYS[0]), "totals": [{"currency": "no such"}]}
    take(store, 0, [made(rng, "A1", day) for day in DAYS] + [broken])
    assert seal_quiet_days(store, 7) == DAYS[1:3]
    assert len(everything(store)) == len(DAYS) + 1


def total(**other: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a record's
    its = {"currency": "EUR", "debit_count": 1, "debit_amount": "1.00"}
    return [{**its, "credit_count": 0, "credit_amount": "0.00", **other}]


@pytest.mark.parametrize(
    "other",
    [
        {"debit_count": 2**63},
        {"debit_count": 2**70},
        {"debit_count": -1},
        {"debit_amount": "9" * 40 + ".00"},
        {"debit_amount": "-1.00"},
        {"debit_amount": "1.005"},
    ],
)
def test_a_total_that_no_day_has_is_not_read_and_stays(store: Store, other: dict[str, Any]) -> None:
    rng = random.Random(8)  # noqa: S311 - made data
    broken = {**made(rng, "A2", DAYS[0]), "totals": total(**other)}
    take(store, 0, [made(rng, "A1", day) for day in DAYS] + [broken])
    assert seal_quiet_days(store, 7) == DAYS[1:3]
    assert [row["account_id"] for row in everything(store) if row["totals"] is None] == ["A2"]


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [
        ("EUR", "19999999999999999.98", 1999999999999999998),
        ("JPY", "1999999999999999998", 1999999999999999998),
        ("EUR", "1999999999999999999.9800", 199999999999999999998),
    ],
)
def test_a_day_may_come_to_more_than_a_transaction_may(
    store: Store, currency: str, text: str, minor: int
) -> None:
    rng = random.Random(8)  # noqa: S311 - made data
    totals = total(currency=currency, debit_amount=text)
    great = {**made(rng, "A2", DAYS[0]), "totals": totals}
    take(store, 0, [made(rng, "A1", day) for day in DAYS] + [great])
    assert seal_quiet_days(store, 7) == DAYS[:3]
    (its,) = (row for row in everything(store) if row["account_id"] == "A2")
    assert its["totals"][0]["debit_amount"] == minor
