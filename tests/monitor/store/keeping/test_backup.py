"""A backup is of one state, is checked, and is restored where no store is, as it was."""

import json
import random
import sqlite3
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from monitor.store.desk import act
from monitor.store.intake import Intake
from monitor.store.keeping.backup import MANIFEST, BackupError, backup, restore
from monitor.store.people import Role, add_user, login, person_of, users
from monitor.store.schema import alerts, audit, metadata
from monitor.store.sealing import seal_quiet_days
from monitor.store.standing import Action, Does
from monitor.store.store import Store
from tests.support.account_days import DAYS, files_in, made, rows_of, take
from tests.support.stored import NOW, contents, made_records, sqlite_store

PASSWORD = "a password that is long enough"  # noqa: S105 - of a made person


def worked(store: Store) -> str:
    """Let a store have alerts, people and decisions; return the token of a session."""
    Intake(store).take(made_records(3, 80))
    add_user(store, "Ann", Role.ADMIN, PASSWORD, NOW)
    with store.begin() as connection:
        alert_id = connection.execute(select(alerts.c.alert_id)).scalars().first()
        assert alert_id is not None
        act(connection, [Action(alert_id, Does.COMMENT, "Ann", NOW, 1, {"note": "seen"})])
    return login(store, "Ann", PASSWORD, "127.0.0.1", NOW)


def audited(store: Store) -> list[object]:
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(select(audit).order_by(audit.c.number))]


def test_a_restored_store_is_the_one_that_was_backed_up(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    token = worked(store)
    rng = random.Random(1)  # noqa: S311 - made data
    take(store, 0, [made(rng, "A1", day) for day in DAYS])
    assert seal_quiet_days(store, NOW) == DAYS[:3]
    (tmp_path / "weir.db.days" / "2026-01-05.9.parquet").write_bytes(b"left by a killed one")
    manifest = backup(store, tmp_path / "b.tar", NOW)
    before, entries = contents(store), audited(store)
    Intake(store).take(made_records(3, 120))
    assert contents(store) != before
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert restore(url, tmp_path / "b.tar", NOW + 1) == manifest
    new = Store.open(url)
    assert contents(new) == before
    assert users(new) == users(store)
    assert person_of(new, token, NOW + 2) is None  # everybody logs in again
    assert audited(new)[:-1] == entries[:-1]  # then the backup is told here, the restore there
    assert rows_of(new) == rows_of(store)
    assert files_in(tmp_path / "new.db.days") == [f"{day}.parquet" for day in DAYS[:3]]
    assert [name for name in manifest.files if name.startswith("days/")] == [
        f"days/{day}.parquet" for day in reversed(DAYS[:3])
    ]
    assert manifest.positions == {f"{row[0]}/{row[1]}": row[2] for row in before["progress"]}


def test_a_restored_postgresql_is_the_one_that_was_backed_up(
    postgres_url: str, tmp_path: Path
) -> None:
    store = Store.open(postgres_url)
    worked(store)
    backup(store, tmp_path / "b.tar", NOW)
    before, entries = contents(store), audited(store)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE another"))
    url = make_url(postgres_url).set(database="another").render_as_string(hide_password=False)
    restore(url, tmp_path / "b.tar", NOW + 1)
    with pytest.raises(BackupError, match="has tables"):
        restore(url, tmp_path / "b.tar", NOW + 1)
    new = Store.open(url)
    assert (contents(new), audited(new)[:-1]) == (before, entries[:-1])
    new.close()
    store.close()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    backup(store, tmp_path / "b.tar", NOW)
    with pytest.raises(BackupError, match="there already"):
        backup(store, tmp_path / "b.tar", NOW)
    with pytest.raises(BackupError, match="there already"):
        restore(f"sqlite:///{tmp_path / 'weir.db'}", tmp_path / "b.tar", NOW)
    (tmp_path / "other.db.days").mkdir()
    (tmp_path / "other.db.days" / "2026-01-05.parquet").touch()
    with pytest.raises(BackupError, match="there already"):
        restore(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "b.tar", NOW)


def test_a_damaged_backup_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    worked(store)
    file = tmp_path / "b.tar"
    backup(store, file, NOW)
    content = bytearray(file.read_bytes())
    with tarfile.open(file) as tar:
        at = tar.getmember("weir.db").offset_data + 4096
    content[at] ^= 1
    for damaged in (bytes(content), file.read_bytes()[:2000], b"none"):
        (tmp_path / "damaged.tar").write_bytes(damaged)
        with pytest.raises(BackupError):
            restore(f"sqlite:///{tmp_path / 'new.db'}", tmp_path / "damaged.tar", NOW)
        assert not list(tmp_path.glob("new.db*"))


def test_a_store_whose_audit_is_broken_is_not_backed_up(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    worked(store)
    with store.begin() as connection:
        connection.execute(audit.update().where(audit.c.number == 2).values(actor="Eve"))
    with pytest.raises(BackupError, match="entry 2"):
        backup(store, tmp_path / "b.tar", NOW)
    assert not list(tmp_path.glob("*.tar"))


def test_the_manifest_lies_in_the_backup_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    manifest = backup(store, tmp_path / "b.tar", NOW)
    with tarfile.open(tmp_path / "b.tar") as tar:
        content = tar.extractfile(MANIFEST)
        assert content is not None
        assert json.loads(content.read()) == manifest._asdict()
    assert (tmp_path / "b.tar").stat().st_mode & 0o077 == 0
    assert (
        manifest.migration
        == sqlite3.connect(tmp_path / "weir.db")
        .execute("SELECT version_num FROM alembic_version")
        .fetchone()[0]
    )
    assert set(manifest.counts) == set(metadata.tables)
