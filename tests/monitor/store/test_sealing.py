"""Sealed days: whatever is done to a store, it answers as one that has all in its table."""

import json
import random
import threading
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text
from sqlalchemy.engine import make_url

from monitor.store import days
from monitor.store.days import LostFileError, lost_days, young_records
from monitor.store.intake import Intake
from monitor.store.keeping import erasure, retention
from monitor.store.keeping.backup import BackupError, backup, restore
from monitor.store.keeping.erasure import erase
from monitor.store.keeping.retention import Retention, prune
from monitor.store.people import DAY
from monitor.store.schema import erasure_secrets, sealed_days, users
from monitor.store.sealing import MARK, seal, seal_quiet_days, sweep
from monitor.store.store import Store, StoreError
from tests.support.account_days import DAYS, files_in, in_table, made, rows_of, take
from tests.support.laws import law
from tests.support.stored import NOW, sqlite_store

ACCOUNTS: Final = ["A1", "A2", "A10", "A\"é,'"]
STEPS: Final = ("take", "take", "seal", "seal", "seal", "prune", "erase", "restore", "killed")
LATER: Final = NOW + 10**12


def noon(day: str) -> int:
    """Return noon of a day in UTC, in microseconds since 1970."""
    return (date.fromisoformat(day) - date(1970, 1, 1)).days * DAY + DAY // 2


class KilledError(Exception):
    pass


class Twins:
    """A store that seals, and one that never does, to which the same is done."""

    def __init__(self, sealing: Store, plain: Store, folder: Path, rng: random.Random) -> None:
        self.sealing, self.plain, self._folder, self._rng = sealing, plain, folder, rng
        self._offset = self._restored = 0
        for store in (sealing, plain):
            with store.begin() as connection:
                connection.execute(insert(users).values(ANN))

    def do(self, step: str) -> None:
        getattr(self, f"_{step}")()
        assert rows_of(self.sealing) == rows_of(self.plain), step

    def _take(self) -> None:
        records = [
            made(self._rng, self._rng.choice(ACCOUNTS), self._rng.choice(DAYS))
            for _ in range(self._rng.randrange(1, 25))
        ]
        for store in (self.sealing, self.plain):
            take(store, self._offset, records)
        self._offset += len(records)

    def _seal(self) -> None:
        for day in self._rng.sample(DAYS, 4):
            seal(self.sealing, day, NOW)

    def _prune(self) -> None:
        now = noon(self._rng.choice(DAYS))
        kept = Retention(account_days=self._rng.randrange(1, 6))
        dry = prune(self.sealing, kept, now, is_dry_run=True)
        assert prune(self.sealing, kept, now) == dry == prune(self.plain, kept, now)

    def _erase(self) -> None:
        account = self._rng.choice(ACCOUNTS)
        dry = erase(self.sealing, account, LATER, by="Ann", reason="request", is_dry_run=True)
        done = erase(self.sealing, account, LATER, by="Ann", reason="request")
        with self.plain.begin() as connection:  # the pseudonyms are those of one secret
            connection.execute(delete(erasure_secrets))
            with self.sealing.reading() as reading:
                secrets: Sequence[Any] = reading.execute(select(erasure_secrets)).all()
            connection.execute(insert(erasure_secrets), [row._asdict() for row in secrets])
        plain = erase(self.plain, account, LATER, by="Ann", reason="request")
        for name in ("taken_away", "changed", "mentions"):
            assert getattr(done, name) == getattr(plain, name) == getattr(dry, name)
        assert files_in(self._folder / "days") == sorted(_named(self.sealing))

    def _restore(self) -> None:
        if self.sealing.engine.dialect.name == "postgresql":
            return  # a test of its own restores one
        self._restored += 1
        place = self._folder / f"{self._restored}"
        place.mkdir()
        backup(self.sealing, place / "b.tar", LATER)
        url, days = f"sqlite:///{place / 'weir.db'}", self._folder / "days"
        self.sealing.close()
        if days.is_dir():
            days.replace(place / "before")
        restore(url, place / "b.tar", LATER, days)
        self.sealing = Store.open(url, days)

    def _killed(self) -> None:
        killed_at = self._rng.choice(["read", "write", "fsync", "rename", "commit", "committing"])

        def kill(step: str) -> None:
            if step == killed_at:
                raise KilledError

        for day in self._rng.sample(DAYS, 2):
            with pytest.raises(KilledError):
                seal(self.sealing, day, NOW, kill)


ANN: Final = {
    "name": "Ann",
    "password_hash": "x",
    "role": "admin",
    "is_active": True,
    "created_at": NOW,
}


def _named(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(select(sealed_days.c.file)).scalars())


def twins(sealing: Store, folder: Path, seed: int) -> Twins:
    (folder / "plain").mkdir()
    return Twins(
        sealing,
        sqlite_store(folder / "plain"),
        folder,
        random.Random(seed),  # noqa: S311 - made data
    )


@law(6)
@given(seed=st.integers(0, 10**6), steps=st.lists(st.sampled_from(STEPS), max_size=9))
def test_whatever_is_done_the_answer_is_that_of_a_store_that_never_seals(
    tmp_path_factory: pytest.TempPathFactory, seed: int, steps: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("twins")
    its = twins(Store.open(f"sqlite:///{folder / 'weir.db'}", folder / "days"), folder, seed)
    for step in ("take", *steps):
        its.do(step)
    its.sealing.close()
    its.plain.close()


@pytest.fixture
def store(either_store: Store, tmp_path: Path) -> Iterator[Store]:
    url = either_store.engine.url.render_as_string(hide_password=False)
    opened = Store.open(url, tmp_path / "days")
    yield opened
    opened.close()


@pytest.mark.parametrize("seed", range(3))
def test_each_step_on_both_databases(store: Store, tmp_path: Path, seed: int) -> None:
    its = twins(store, tmp_path, seed)
    for step in ("take", "seal", "take", "erase", "killed", "seal", "take", "prune", "restore"):
        its.do(step)
    its.plain.close()


def filled(store: Store) -> list[dict[str, Any]]:
    rng = random.Random(9)  # noqa: S311 - made data
    with store.begin() as connection:
        connection.execute(insert(users).values(ANN))
    take(store, 0, [made(rng, account, day) for account in ACCOUNTS for day in DAYS])
    assert seal_quiet_days(store, NOW) == DAYS[:3]
    take(store, 500, [made(rng, "A1", DAYS[0])])
    return rows_of(store)


def test_what_is_in_the_table_and_in_a_file_is_counted_once(store: Store) -> None:
    filled(store)  # A1's first day is told again after it was sealed
    assert in_table(store) == len(ACCOUNTS) * (len(DAYS) - 3) + 1
    pruned = prune(store, Retention(account_days=1), noon(DAYS[2]), is_dry_run=True)
    assert pruned == {"account_days": len(ACCOUNTS)}
    dry = erase(store, "A1", LATER, by="Ann", reason="request", is_dry_run=True)
    assert dry.taken_away["account_days"] == len(DAYS)


def test_a_kill_while_an_account_is_erased_leaves_what_was_or_what_must_be(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled(store)

    def kill(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(erasure, "append", kill)  # the files are written, and nothing is committed
        with pytest.raises(KilledError):
            erase(store, "A1", LATER, by="Ann", reason="request")
    assert rows_of(store) == before
    assert len(files_in(tmp_path / "days")) == 6
    with monkeypatch.context() as patched:
        patched.setattr(erasure, "sweep", kill)  # it is committed, and what was is still there
        with pytest.raises(KilledError):
            erase(store, "A1", LATER, by="Ann", reason="request")
    after = rows_of(store)
    assert [row["account_id"] for row in after] == [
        row["account_id"] for row in before if row["account_id"] != "A1"
    ]
    assert seal_quiet_days(store, NOW) == []  # as the archive does when it starts
    assert rows_of(store) == after
    assert files_in(tmp_path / "days") == sorted(_named(store))
    held = b"".join(path.read_bytes() for path in (tmp_path / "days").glob("*.parquet"))
    assert held.startswith(b"PAR1")
    assert not any('"A1"' in row["record"] for row in after)


def test_a_kill_while_it_is_pruned_leaves_no_file_that_counts(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store)
    now = noon(DAYS[2])
    kept = Retention(account_days=1)

    def kill(_: Store) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(retention, "sweep", kill)
        with pytest.raises(KilledError):
            prune(store, kept, now)
    assert min(row["business_day"] for row in rows_of(store)) == DAYS[1]
    assert prune(store, kept, now) == {"account_days": 0}
    assert files_in(tmp_path / "days") == [f"{day}.parquet" for day in DAYS[1:3]]


def test_what_is_swept_while_it_is_written_is_written_again(store: Store, tmp_path: Path) -> None:
    rng = random.Random(9)  # noqa: S311 - made data
    take(store, 0, [made(rng, "A1", day) for day in DAYS])
    before = rows_of(store)

    def sweeping(step: str) -> None:
        if step == "fsync":
            assert sweep(store) == 1

    assert not seal(store, DAYS[0], NOW, sweeping)
    assert rows_of(store) == before
    assert (in_table(store), files_in(tmp_path / "days")) == (len(DAYS), [])
    assert seal(store, DAYS[0], NOW)


def test_what_comes_while_a_day_is_sealed_is_not_taken_away_with_it(
    store: Store, tmp_path: Path
) -> None:
    rng = random.Random(9)  # noqa: S311 - made data
    take(store, 0, [made(rng, "A1", day) for day in DAYS])
    late = [made(rng, "A1", DAYS[0]), made(rng, "A2", DAYS[0])]
    url = store.engine.url.render_as_string(hide_password=False)
    other = Store.open(url, tmp_path / "days")
    coming = threading.Thread(target=take, args=(other, 100, late))

    def comes(step: str) -> None:
        if step == "rename":  # the rows were compared, and are not yet taken away
            coming.start()
            coming.join(0.5)

    assert seal(store, DAYS[0], NOW, comes)
    coming.join()
    other.close()
    its = [row for row in rows_of(store) if row["business_day"] == DAYS[0]]
    assert [json.loads(row["record"]) for row in its] == late


def test_a_day_that_is_sealed_while_it_is_read_is_read_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(9)  # noqa: S311 - made data
    take(store, 0, [made(rng, account, day) for account in ACCOUNTS for day in DAYS])
    before = rows_of(store)
    sealed_between = days.sealed_between

    def sealed_after(*asked: Any) -> Any:  # noqa: ANN401 - as it is
        found = sealed_between(*asked)
        with monkeypatch.context() as patched:
            patched.setattr(days, "sealed_between", sealed_between)
            assert seal_quiet_days(store, NOW) == DAYS[:3]
        return found

    with monkeypatch.context() as patched:
        patched.setattr(days, "sealed_between", sealed_after)
        assert rows_of(store) == before
    assert rows_of(store) == before


def test_an_account_that_is_erased_while_a_day_is_sealed_again_stays_away(store: Store) -> None:
    filled(store)

    def erasing(step: str) -> None:
        if step == "write":
            erase(store, "A2", LATER, by="Ann", reason="request")

    assert not seal(store, DAYS[0], NOW, erasing)
    assert {row["account_id"] for row in rows_of(store)} == {*ACCOUNTS} - {"A2"}


def test_a_folder_that_is_left_over_is_not_believed(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    filled(store)
    store.close()
    for path in tmp_path.glob("weir.db*"):
        if path.is_file():
            path.unlink()
    store = sqlite_store(tmp_path)
    assert rows_of(store) == []
    rng = random.Random(10)  # noqa: S311 - made data
    take(store, 0, [made(rng, "A3", day) for day in DAYS])
    before = rows_of(store)
    assert seal_quiet_days(store, NOW) == DAYS[:3]
    assert rows_of(store) == before
    assert files_in(tmp_path / "weir.db.days") == [f"{day}.parquet" for day in DAYS[:3]]
    store.close()


def test_a_file_that_is_lost_or_changed_ends_backup_and_erasure(
    store: Store, tmp_path: Path
) -> None:
    if store.engine.dialect.name == "postgresql":
        pytest.importorskip("psycopg")
    before = filled(store)
    path = tmp_path / "days" / f"{DAYS[1]}.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(StoreError, match="another one"):
        erase(store, "A1", LATER, by="Ann", reason="request")
    with pytest.raises(BackupError, match="another one"):
        backup(store, tmp_path / "b.tar", LATER)
    path.unlink()
    with pytest.raises(StoreError, match="not there"):
        erase(store, "A1", LATER, by="Ann", reason="request")
    with pytest.raises(BackupError, match="not there"):
        backup(store, tmp_path / "b.tar", LATER)
    assert not (tmp_path / "b.tar").exists()
    path.write_bytes(content)
    assert rows_of(store) == before


def test_a_restored_postgresql_has_its_sealed_days(store: Store, tmp_path: Path) -> None:
    if store.engine.dialect.name != "postgresql":
        return  # the law above restores SQLite
    before = filled(store)
    backup(store, tmp_path / "b.tar", LATER)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE restored"))
    url = make_url(store.engine.url).set(database="restored")
    stated = url.render_as_string(hide_password=False)
    with pytest.raises(BackupError, match="WEIR_STORE_DAYS"):
        restore(stated, tmp_path / "b.tar", LATER)
    restore(stated, tmp_path / "b.tar", LATER, tmp_path / "new")
    new = Store.open(stated, tmp_path / "new")
    assert rows_of(new) == before
    new.close()


def test_a_rebuild_believes_no_file_that_was(store: Store, tmp_path: Path) -> None:
    filled(store)
    Intake(store).forget()
    assert rows_of(store) == []
    assert files_in(tmp_path / "days") == []


def test_files_of_others_in_the_folder_are_left_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    names = [f"{DAYS[0]}-report.parquet", f"{DAYS[0]}.parquet.bak", "all.parquet", "x.parquet.tmp"]
    for name in names:
        (tmp_path / "days" / name).write_text("theirs")
    filled(store)
    sweep(store)
    assert all((tmp_path / "days" / name).read_text() == "theirs" for name in names)


def test_a_mark_is_never_there_in_part(store: Store, tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()

    def kill(*_: object, **__: object) -> None:
        raise KilledError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "replace", kill)
        with pytest.raises(KilledError):
            sweep(store)
    assert not (tmp_path / "days" / MARK).exists()
    assert sweep(store) == 0
    (tmp_path / "days" / MARK).write_bytes(b"\xff")
    with pytest.raises(StoreError, match="this store alone"):
        sweep(store)


@pytest.mark.parametrize("folder", ["file", "missing/days"])
def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("no folder")
    store = Store.open(f"sqlite:///{tmp_path / 'weir.db'}", tmp_path / folder)
    take(store, 0, [made(random.Random(1), "A1", day) for day in DAYS])  # noqa: S311 - made data
    before = rows_of(store)
    with pytest.raises(StoreError, match=rf"{folder} cannot be used .*WEIR_STORE_DAYS"):
        seal_quiet_days(store, NOW)
    assert rows_of(store) == before
    store.close()


@pytest.mark.parametrize(("is_folder", "said"), [(True, "cannot be read"), (False, "not there")])
def test_a_sealed_file_that_cannot_be_read_is_told(
    store: Store, tmp_path: Path, *, is_folder: bool, said: str
) -> None:
    filled(store)
    its = tmp_path / "days" / f"{DAYS[1]}.parquet"
    its.unlink()
    if is_folder:
        its.mkdir()
    else:
        (tmp_path / "days").replace(tmp_path / "gone")
        (tmp_path / "days").write_text("no folder")
    with pytest.raises(StoreError, match=said):
        rows_of(store)


def test_a_late_record_of_a_day_whose_file_is_lost_stays_and_the_others_are_sealed(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = filled(store)
    its = tmp_path / "days" / f"{DAYS[1]}.parquet"
    content = its.read_bytes()
    its.unlink()
    rng = random.Random(5)  # noqa: S311 - made data
    take(store, 900, [made(rng, "A1", DAYS[0]), made(rng, "A1", DAYS[1])])
    assert seal_quiet_days(store, LATER) == [DAYS[0]]
    assert f"the account-days of {DAYS[1]} must be in" in caplog.text
    with store.reading() as connection:
        assert lost_days(connection) == [DAYS[1]], "as Health counts it"
        assert len(list(young_records(connection, DAYS[1], DAYS[1]))) == 1
    with pytest.raises(LostFileError):
        rows_of(store)
    its.write_bytes(content)
    assert seal_quiet_days(store, LATER) == [DAYS[1]]
    assert len(rows_of(store)) == len(before)


def test_a_file_that_was_changed_ends_the_sealing(store: Store, tmp_path: Path) -> None:
    filled(store)
    its = tmp_path / "days" / f"{DAYS[1]}.parquet"
    its.write_bytes(its.read_bytes() + b"x")
    take(store, 900, [made(random.Random(5), "A1", DAYS[1])])  # noqa: S311 - made data
    with pytest.raises(StoreError, match="another one"):
        seal_quiet_days(store, LATER)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_that_is_not_mounted_is_not_made(
    store: Store, tmp_path: Path, *, is_there: bool
) -> None:
    before = filled(store)
    folder = tmp_path / "days"
    folder.replace(tmp_path / "elsewhere")
    if is_there:
        folder.mkdir()
    said = "is empty: mount it" if is_there else "is not there: mount it"
    for step in (sweep, lambda its: seal_quiet_days(its, LATER)):
        with pytest.raises(StoreError, match=said):
            step(store)
    assert folder.exists() == is_there
    if is_there:
        assert files_in(folder) == []
        folder.rmdir()
    (tmp_path / "elsewhere").replace(folder)
    assert sweep(store) == 0
    assert rows_of(store) == before
    (folder / MARK).unlink()  # as a backup that was restored
    assert sweep(store) == 0


def test_a_folder_beside_a_file_may_lose_its_files_but_not_itself(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    filled(store)
    folder = tmp_path / "weir.db.days"
    for path in folder.iterdir():
        path.unlink()
    assert sweep(store) == 0
    folder.rmdir()
    with pytest.raises(StoreError, match="is not there: mount it"):
        sweep(store)
    Intake(store).forget()
    assert sweep(store) == 0, "a rebuild makes it again"
    store.close()


def test_a_folder_of_another_store_is_left_alone(store: Store, tmp_path: Path) -> None:
    before = filled(store)
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "days")
    with pytest.raises(StoreError, match="this store alone"):
        sweep(other)
    take(other, 0, [made(random.Random(1), "A1", day) for day in DAYS])  # noqa: S311 - made data
    with pytest.raises(StoreError, match="this store alone"):
        seal_quiet_days(other, NOW)
    other.close()
    assert rows_of(store) == before
