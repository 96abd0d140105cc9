"""Account-days: the same answer whichever days are sealed, and at whatever moment it is killed."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from monitor.store.days import (
    SCHEMA,
    latest_of_account,
    lost_days,
    rows_between,
    table_of,
)
from monitor.store.intake import Intake, Read, RecordSort
from monitor.store.schema import account_days, sealed_days
from monitor.store.sealing import quiet_days, seal, seal_quiet_days, sweep
from monitor.store.store import Store, StoreError
from tests.support.laws import law
from tests.support.stored import sqlite_store

DAYS = [f"2026-01-{day:02d}" for day in range(5, 15)]
STEPS = ["read", "write", "fsync", "rename", "commit", "committing", "done"]


class KilledError(Exception):
    pass


def made(rng: random.Random, account: str, day: str) -> dict[str, Any]:
    totals = [
        {"currency": currency, "debit_count": rng.randrange(9),
         "debit_amount": f"{rng.randrange(10**rng.choice([1, 6, 14]))}{decimals}",
         "credit_count": rng.randrange(3), "credit_amount": f"0{decimals}"}
        for currency, decimals in (("EUR", ".01"), ("JPY", ""))[: rng.randrange(3)]
    ]  # fmt: skip
    return {
        "account_id": account, "business_day": day, "segment": rng.choice(["a", None]),
        "branch": rng.choice(["B1", "=1+1"]), "product": None, "peer_group": "C1",
        "totals": totals, "breaches": [], "policy_version": 1, "score": None,
    }  # fmt: skip


def take(store: Store, offset: int, records: list[dict[str, Any]]) -> None:
    Intake(store).take(
        [
            Read(RecordSort.ACCOUNT_DAY, "t", 0, offset + at, 0, record)
            for at, record in enumerate(records)
        ]
    )


def everything(store: Store) -> list[dict[str, Any]]:
    with store.reading() as connection:
        found = rows_between(connection, DAYS[0], DAYS[-1], SCHEMA.names)
        rows: list[dict[str, Any]] = found.to_pylist()
        for account in {row["account_id"] for row in rows}:
            its = [row["record"] for row in rows if row["account_id"] == account][-3:]
            latest = latest_of_account(connection, account, 3)
            assert [record["business_day"] for record in latest] == [
                row["business_day"] for row in table_of(iter(its)).to_pylist()
            ]
        return rows


def in_table(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(account_days)).scalar_one()


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
