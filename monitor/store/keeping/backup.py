"""Backup of a store into one file, and restore of it into an empty place.

The file is a tar: a manifest, the database as its own tools copy it, and the account-days that lie
beside the store. Archive and console may go on meanwhile: the copy is of one state of the database,
and its positions in the topics are of that state.
"""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, delete, func, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from monitor.store.audit import append, verify
from monitor.store.days import LAST, files_of, folder_of, sealed_between
from monitor.store.people import COMMAND_LINE
from monitor.store.schema import begun_logins, metadata, progress, sessions, setup_tokens
from monitor.store.store import Store, StoreError, days_beside

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DATABASE: Final = {"sqlite": "weir.db", "postgresql": "weir.dump"}
"""The name of the database in a backup, by the sort of the database."""

DAYS: Final = "days"
SUBJECT: Final = "store"
_PIECE: Final = 1 << 20


class BackupError(StoreError):
    """A backup that cannot be made or used: the message says why, and what to do."""


class Manifest(NamedTuple):
    """What a backup has.

    `positions` are the next offsets by `topic/partition`, `counts` the rows of each table,
    `audit` the number and hash of the last audit entry, and `files` the SHA-256 of each file.
    """

    format: int
    database: str
    migration: str
    made_at: int
    positions: Mapping[str, int]
    counts: Mapping[str, int]
    audit: Mapping[str, Any]
    files: Mapping[str, str]

    @classmethod
    def of_json(cls, content: bytes) -> Self:
        """Return the manifest of its JSON. Raises BackupError if it has another format."""
        try:
            fields = json.loads(content)
            found = cls(**fields)
        except (ValueError, TypeError) as error:
            raise BackupError(f"the manifest of the backup cannot be read: {error}") from error
        if found.format != FORMAT or found.database not in DATABASE:
            raise BackupError(
                f"the backup must have format {FORMAT} of {' or '.join(DATABASE)}, not format"
                f" {found.format} of {found.database!r}: use the version of Weir that made it"
            )
        return found


def backup(store: Store, file: Path, now: int) -> Manifest:
    """Write a backup of a store into a file that is not there yet, and return its manifest.

    The copy is checked before the file has its name. Raises BackupError if the file is there, the
    copy is not whole, the file of a sealed day is not there or is not the one that was written, or
    a program that it needs is missing.
    """
    if file.exists():
        raise BackupError(f"{file} is there already: name another file, or remove it first")
    if not file.absolute().parent.is_dir():
        raise BackupError(f"the folder of {file} must be there: make it first")
    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as made:
        folder = Path(made)
        name = DATABASE[store.engine.dialect.name]
        copied = _copied_sqlite if name == "weir.db" else _copied_postgres
        stated, sealed = copied(store, folder / name)
        paths = {name: folder / name, **_day_files(store, sealed, folder / DAYS)}
        whole = folder / "backup.tar"
        manifest = _packed(whole, paths, {**stated, "made_at": now})
        _ensure_sealed(sealed, manifest.files)
        with whole.open("rb") as written:
            os.fsync(written.fileno())
        whole.chmod(0o600)
        whole.replace(file)
    with store.begin() as connection:
        after = {"sha256": manifest.files[name], "counts": dict(manifest.counts)}
        append(
            connection, at=now, actor=COMMAND_LINE, action="backup", subject=SUBJECT, after=after
        )
    return manifest


def restore(url: str, file: Path, now: int, days: Path | None = None) -> Manifest:
    """Make a store of a backup, at a URL where none is, and return the backup's manifest.

    `days` is the folder of sealed days' files, as `Store.open` has it; there must be none yet.
    Nobody is logged in there, and links to make an administrator are void. Raises BackupError if
    there is a store already, or the backup is damaged or of another sort of database.
    """
    target = make_url(url)
    days = days or days_beside(target)
    with tempfile.TemporaryDirectory(dir=_place_of(target, days)) as made:
        folder = Path(made)
        manifest = _unpacked(file, folder)
        if manifest.database != target.get_backend_name():
            raise BackupError(
                f"the backup is of {manifest.database}, and the store {target!r} is not: name one"
                " that is"
            )
        _place_days(folder / DAYS, days)
        if manifest.database == "sqlite":
            assert target.database is not None, "of a file"
            (folder / DATABASE["sqlite"]).replace(target.database)
        else:
            _run_postgres(
                "pg_restore",
                target,
                "--exit-on-error",
                "--single-transaction",
                "--no-owner",
                f"--dbname={_libpq(target)}",
                str(folder / DATABASE["postgresql"]),
            )
    store = Store.open(url, days)
    try:
        with store.begin() as connection:
            _ensure_same(connection, manifest)
            files_of(connection, sealed_between(connection, "", LAST))
            connection.execute(delete(sessions))
            connection.execute(delete(setup_tokens))
            connection.execute(delete(begun_logins))
            after = {"made_at": manifest.made_at, "positions": dict(manifest.positions)}
            append(
                connection,
                at=now,
                actor=COMMAND_LINE,
                action="restore",
                subject=SUBJECT,
                after=after,
            )
    finally:
        store.close()
    return manifest


# -- the copy of a database ------------------------------------------------------------------------


class _Copied(NamedTuple):
    """What a copy of a database states of itself, and the hashes of its sealed days by file."""

    stated: Mapping[str, Any]
    sealed: Mapping[str, str]


def _sealed_of(connection: Connection) -> dict[str, str]:
    return {row.file: row.sha256 for row in sealed_between(connection, "", LAST)}


def _copied_sqlite(store: Store, path: Path) -> _Copied:
    with (
        closing(sqlite3.connect(str(store.engine.url.database))) as source,
        closing(sqlite3.connect(path)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise BackupError(f"the copy is not whole, and so the store may not be: {found}")
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        copied = _Copied(_stated(connection), _sealed_of(connection))
    engine.dispose()
    return copied


def _copied_postgres(store: Store, path: Path) -> _Copied:
    """Dump the very state of the database that is counted: the dump takes its snapshot."""
    with store.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        copied = _Copied(_stated(connection), _sealed_of(connection))
        url = store.engine.url
        _run_postgres(
            "pg_dump",
            url,
            "--format=custom",
            f"--snapshot={snapshot}",
            f"--file={path}",
            _libpq(url),
        )
    return copied


def _stated(connection: Connection) -> dict[str, Any]:
    """Return what a database states of itself. Raises BackupError if its audit is broken."""
    chain = verify(connection)
    if chain.broken is not None:
        raise BackupError(
            f"entry {chain.broken} of the audit is broken: {chain.why}. A backup of it would hide"
            " that: keep the database as it is, and see weir verify"
        )
    return {
        "format": FORMAT,
        "database": connection.dialect.name,
        "migration": MigrationContext.configure(connection).get_current_revision() or "",
        "positions": {
            f"{row.topic}/{row.partition}": row.next_offset
            for row in connection.execute(
                select(progress).order_by(progress.c.topic, progress.c.partition)
            )
        },
        "counts": _counts(connection),
        "audit": {"number": chain.entries, "hash": chain.last},
    }


def _counts(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has; of those that an older store lacks, none."""
    there = set(inspect(connection).get_table_names())
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
        if table.name in there
    }


def _ensure_same(connection: Connection, manifest: Manifest) -> None:
    """Raise BackupError if a store is not what the manifest says."""
    counts, chain = _counts(connection), verify(connection)
    for name, count in manifest.counts.items():
        if counts.get(name) != count:
            raise BackupError(
                f"{name} must have {count} rows, as the backup's manifest says, not"
                f" {counts.get(name)}: remove what was restored, and take another backup"
            )
    if (chain.broken, chain.last) != (None, manifest.audit["hash"]):
        raise BackupError("the audit is not as the manifest says: take another backup")


def _libpq(url: URL) -> str:
    """Return a URL as PostgreSQL's programs take it, without its password."""
    return URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, url.query
    ).render_as_string()


def _run_postgres(program: str, url: URL, *words: str) -> None:
    """Run a program of PostgreSQL. Raises BackupError if it is missing, or fails."""
    if shutil.which(program) is None:
        raise BackupError(
            f"{program} must be on the PATH (Debian: postgresql-client). Or run it where it is:"
            f" {' '.join([program, *words])}"
        )
    password = {} if url.password is None else {"PGPASSWORD": str(url.password)}
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own program
        [program, *words], env={**os.environ, **password}, capture_output=True, check=False
    )
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.decode(errors='replace').strip()}")


# -- the file --------------------------------------------------------------------------------------


def _day_files(store: Store, sealed: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Copy the files of sealed days that a copy of a database names, before they are replaced.

    Raises BackupError if one is not there.
    """
    folder.mkdir()
    with store.reading() as connection:
        of_store = folder_of(connection)
    if sealed and of_store is None:
        raise BackupError("the store names files of sealed days: WEIR_STORE_DAYS must say where")
    for name in sealed:
        assert of_store is not None, "it was seen"
        try:
            shutil.copyfile(of_store / name, folder / name)
        except FileNotFoundError as error:
            raise BackupError(
                f"the store names {of_store / name}, of a sealed day, and it is not there. If it"
                " was replaced meanwhile, take the backup again; else weir archive --rebuild makes"
                " it again"
            ) from error
    return {f"{DAYS}/{name}": folder / name for name in sealed}


def _ensure_sealed(sealed: Mapping[str, str], hashes: Mapping[str, str]) -> None:
    """Raise BackupError if a file of a sealed day is not the one that was written."""
    for name, sha256 in sealed.items():
        if hashes[f"{DAYS}/{name}"] != sha256:
            raise BackupError(
                f"the file {name} of a sealed day must be as it was written, and its sha256 is"
                " another one: weir archive --rebuild makes it again, then take the backup"
            )


def _place_days(packed: Path, folder: Path | None) -> None:
    """Put the files of sealed days in their place, before the database that names them.

    Raises BackupError if there is no such place.
    """
    found = sorted(packed.iterdir()) if packed.is_dir() else []
    if not found:
        return
    if folder is None:
        raise BackupError(
            f"the backup has {len(found)} files of sealed days: WEIR_STORE_DAYS must name a folder"
            " for them, which is not there yet or is empty"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in found:
        shutil.copyfile(path, folder / path.name)
        with (folder / path.name).open("rb") as placed:
            os.fsync(placed.fileno())


def _packed(file: Path, paths: Mapping[str, Path], stated: Mapping[str, Any]) -> Manifest:
    """Write a tar of files and of the manifest, and read all of it again."""
    hashes: dict[str, str] = {}
    with tarfile.open(file, "w") as tar:
        for name, path in paths.items():
            with path.open("rb") as content:
                member = tar.gettarinfo(arcname=name, fileobj=content)
                tar.addfile(_plain(member), content)
        manifest_at = tar.offset
    with tarfile.open(file) as tar:
        hashes = {member.name: _sha256(tar, member) for member in tar}
    manifest = Manifest(**stated, files=hashes)
    with tarfile.open(file, "a") as tar:
        assert tar.offset == manifest_at, "the manifest is the last file"
        content_of_it = json.dumps(manifest._asdict(), indent=1).encode()
        member = _plain(tarfile.TarInfo(MANIFEST))
        member.size = len(content_of_it)
        tar.addfile(member, io.BytesIO(content_of_it))
    return manifest


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Name nobody of this machine."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _sha256(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = tar.extractfile(member)
    assert content is not None, "a backup has files alone"
    digest = hashlib.sha256()
    while piece := content.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _unpacked(file: Path, folder: Path) -> Manifest:
    """Write the files of a backup into a folder. Raises BackupError if it is not whole."""
    try:
        with tarfile.open(file) as tar:
            members = {member.name: member for member in tar if member.isfile()}
            content = tar.extractfile(members[MANIFEST]) if MANIFEST in members else None
            if content is None:
                raise BackupError(f"{file} is no backup of weir: it has no {MANIFEST}")
            manifest = Manifest.of_json(content.read())
            for name, expected in manifest.files.items():
                if name not in members or _sha256(tar, members[name]) != expected:
                    raise BackupError(
                        f"{file} is damaged: {name} is not as its manifest says. Take another"
                        " backup"
                    )
                tar.extract(members[name], folder, filter="data")
    except (tarfile.TarError, FileNotFoundError) as error:
        raise BackupError(f"{file} cannot be read as a backup: {error}") from error
    return manifest


def _place_of(url: URL, days: Path | None) -> Path | None:
    """Return where files are unpacked: beside the store. Raises BackupError if one is there."""
    if days is not None and days.exists() and (not days.is_dir() or any(days.iterdir())):
        raise BackupError(f"{days} is there already: a backup is restored where no store is")
    if url.get_backend_name() == "postgresql":
        with _postgres(url) as connection:
            if inspect(connection).get_table_names():
                raise BackupError(f"{url!r} has tables: restore into a database that is empty")
        return None
    if url.get_backend_name() != "sqlite" or not url.database:
        raise BackupError(
            f"the store must be sqlite:///FILE or postgresql+psycopg://..., not {url!r}"
        )
    file = Path(url.database)
    for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
        if path.exists():
            raise BackupError(f"{path} is there already: a backup is restored where no store is")
    if not file.absolute().parent.is_dir():
        raise BackupError(f"the store's folder {file.parent} must be there: make it first")
    return file.absolute().parent


@contextmanager
def _postgres(url: URL) -> Iterator[Connection]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    except OperationalError as error:
        raise BackupError(f"the store at {url!r} cannot be reached: {error.orig}") from error
    finally:
        engine.dispose()
