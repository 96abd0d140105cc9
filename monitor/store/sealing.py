"""Seals business days: the account-days of a day that is quiet move from the table into a file.

The file is whole and on the disk before a transaction says that it counts, and takes the rows out
of the table. So the store gives the same answers at whatever moment it is killed; what a killed
one left in the folder is swept away by the next pass.
"""

import hashlib
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Row, delete, select, update

from monitor.core.business_day import day_of_text, day_text, is_day_text
from monitor.store.days import (
    SCHEMA,
    LostFileError,
    closed_day,
    files_of,
    folder_of,
    sealed_between,
    table_of,
    young_records,
)
from monitor.store.schema import account_days, sealed_days
from monitor.store.store import Store, StoreError, days_beside, take_turns, upsert

QUIET_DAYS: Final = 7
"""A day is sealed once a day is closed that is so many days later."""
GROUP_ROWS: Final = 10_000
"""Of a group of a file: one account is found by the bounds of its group."""

MARK: Final = "of-store.txt"
"""The file of a folder that says whose it is."""

_LOCK: Final = 7353719
"""Whoever takes account-days in, lets files count, or takes either away, has it."""

_OWN_NAME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\.[0-9]+)?\.parquet(?:\.[0-9a-f]{16}\.tmp)?"
)

_log = logging.getLogger(__name__)

OnStep = Callable[[str], None]


@contextmanager
def _saying_what_failed() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{error.filename or 'the disk'} cannot be used for sealed days ({error.strerror}):"
            " WEIR_STORE_DAYS (FILE.days beside an SQLite store) must be a folder that can be"
            " written to, and the folder that it is in must be there"
        ) from error


def _pass_on(step: str) -> None:
    del step


def quiet_days(store: Store, quiet: int = QUIET_DAYS) -> list[str]:
    """Return the business days that can be sealed: those with rows in the table, in order."""
    with store.reading() as connection:
        latest = closed_day(connection)
        if latest is None or folder_of(connection) is None or not is_day_text(latest):
            return []
        until = day_text(day_of_text(latest) - quiet)
        chosen = select(account_days.c.business_day).where(account_days.c.business_day <= until)
        days = connection.execute(chosen.distinct().order_by("business_day")).scalars()
        return [day for day in days if is_day_text(day)]


def seal_quiet_days(
    store: Store, now: int, quiet: int = QUIET_DAYS, on_step: OnStep = _pass_on
) -> list[str]:
    """Seal the days that are quiet, and return them; `now` is in microseconds since 1970.

    `on_step` is told each step before it is made. If the file of a day is lost, what came of the
    day since stays in the table, and the log says so. Raises StoreError if a file is not the one
    that was written, or the folder is not there.
    """
    sweep(store)
    done = []
    for day in quiet_days(store, quiet):
        try:
            if seal(store, day, now, on_step):
                done.append(day)
        except LostFileError as error:
            _log.warning("a day is not sealed again, and is incomplete: %s", error)
    return done


@_saying_what_failed()
def seal(store: Store, day: str, now: int, on_step: OnStep = _pass_on) -> bool:
    """Seal a business day, or seal it again with what came since; return whether it was.

    A day with a record whose totals cannot be read stays in the table. Raises StoreError as
    `files_of`, and if the folder cannot be written to.
    """
    on_step("read")
    with store.reading() as connection:
        folder = folder_of(connection)
        assert folder is not None, "a store with a folder for its days"
        _ensure_own(store, folder)
        records = list(young_records(connection, day, day))
        sealed = sealed_between(connection, day, day)
        rows = table_of(iter(records))
        if rows["totals"].null_count:
            return False
        if sealed:
            rows = _merged(sealed_rows(connection, sealed[0]), rows)
    written = _write(rows, folder, _next_name(day, sealed[0].file if sealed else None), on_step)
    with store.begin() as connection:
        hold_days(connection)
        is_other = list(young_records(connection, day, day)) != records
        if is_other or sealed_between(connection, day, day) != sealed:
            return False  # something came or went meanwhile: the next pass seals it
        on_step("rename")
        if not _put(written):
            return False  # another one swept it away: the next pass writes it again
        on_step("commit")
        upsert(connection, sealed_days, [{"business_day": day, "sealed_at": now, **_said(written)}])
        connection.execute(delete(account_days).where(account_days.c.business_day == day))
        on_step("committing")
    on_step("done")
    return True


def _ensure_own(store: Store, folder: Path) -> None:
    """Let a folder that a setting names say whose it is: another store's files must stay."""
    url = store.engine.url
    if folder.absolute() == days_beside(url):
        return
    is_file = url.get_backend_name() == "sqlite"
    place = (
        Path(str(url.database)).absolute() if is_file else f"{url.host}:{url.port} {url.database}"
    )
    its, mark = f"{url.get_backend_name()} {place}\n", folder / MARK
    folder.mkdir(exist_ok=True, mode=0o700)
    if not mark.exists():  # and never there in part: this may be killed, and another one reads it
        temporary = folder / f"{MARK}.{secrets.token_hex(8)}.tmp"
        temporary.write_text(its, "utf-8")
        temporary.replace(mark)
    said = mark.read_text("utf-8", errors="replace")
    if said != its:
        raise StoreError(
            f"{folder} must be the folder of this store alone ({its.strip()}), and its file {MARK}"
            f" says {said.strip()!r}: let WEIR_STORE_DAYS name another folder, or remove that file"
            " if the store only has another address"
        )


def _ensure_there(store: Store, connection: Connection, folder: Path | None) -> None:
    """Raise StoreError if there are sealed days, and their folder is not the one that was there.

    It may be a file system that is not mounted: a new folder would be filled in its place. An empty
    folder that a setting names is such a place; one beside SQLite's file has only lost its files.
    """
    names = connection.execute(select(sealed_days.c.file)).scalars().all()
    if not names:
        return
    if folder is None:
        raise StoreError(
            f"WEIR_STORE_DAYS must name the folder of sealed days: {len(names)} are in files"
        )
    is_marked = folder.absolute() == days_beside(store.engine.url) or (folder / MARK).exists()
    if folder.is_dir() and (is_marked or any((folder / name).is_file() for name in names)):
        return
    raise StoreError(
        f"{folder} must have the files of {len(names)} sealed days, and is"
        f" {'empty' if folder.is_dir() else 'not there'}: mount it or put it back, or"
        " weir archive --rebuild makes them again from the topics"
    )


def hold_days(connection: Connection) -> None:
    """Let nobody else take account-days in, or seal, rewrite or sweep files, until the end of this.

    Whoever holds alerts too does so first, and nobody changes rows before: so none waits in a ring.
    """
    take_turns(connection, _LOCK)


def sealed_rows(connection: Connection, sealed: Row[Any]) -> pa.Table:
    """Return the rows of a sealed day's file. Raises StoreError as `files_of`."""
    (path,) = files_of(connection, [sealed])
    return pq.read_table(path, schema=SCHEMA)


@_saying_what_failed()
def rewrite(connection: Connection, sealed: Row[Any], rows: pa.Table) -> None:
    """Let a sealed day have other rows, in this transaction, which must hold the days.

    They are in a file of another name, so that the one before counts if this is undone. Whichever
    does not count is swept away.
    """
    its = sealed_days.c.business_day == sealed.business_day
    if not rows.num_rows:
        connection.execute(delete(sealed_days).where(its))
        return
    folder = folder_of(connection)
    assert folder is not None, "its file was read"
    written = _write(rows, folder, _next_name(sealed.business_day, sealed.file), _pass_on)
    is_put = _put(written)
    assert is_put, "nobody sweeps while the days are held"
    connection.execute(update(sealed_days).where(its).values(_said(written)))


def _merged(old: pa.Table, new: pa.Table) -> pa.Table:
    """Return the rows of both, by account: the new one of an account that both have."""
    by_account = {row["account_id"]: row for row in old.to_pylist()}
    by_account |= {row["account_id"]: row for row in new.to_pylist()}
    return pa.Table.from_pylist([by_account[name] for name in sorted(by_account)], SCHEMA)


def _next_name(day: str, before: str | None) -> str:
    """Return another name than the file has that counts: readers may be at that one."""
    if before is None:
        return f"{day}.parquet"
    number = before.removeprefix(f"{day}.").removesuffix("parquet").rstrip(".")
    return f"{day}.{int(number or 1) + 1}.parquet"


class _Written(NamedTuple):
    temporary: Path
    path: Path
    rows: int
    sha256: str


def _said(written: _Written) -> dict[str, Any]:
    return {"rows": written.rows, "sha256": written.sha256, "file": written.path.name}


def _write(rows: pa.Table, folder: Path, name: str, on_step: OnStep) -> _Written:
    """Write rows beside where they are to be, and let the disk have them."""
    folder.mkdir(exist_ok=True, mode=0o700)
    temporary = folder / f"{name}.{secrets.token_hex(8)}.tmp"
    on_step("write")
    with temporary.open("w+b") as file:
        pq.write_table(rows, file, compression="zstd", row_group_size=GROUP_ROWS)
        file.flush()
        on_step("fsync")
        os.fsync(file.fileno())
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return _Written(temporary, folder / name, rows.num_rows, sha256)


def _put(written: _Written) -> bool:
    """Give a file its name, and let the disk have it; return False if it was swept away."""
    try:
        written.temporary.replace(written.path)
    except FileNotFoundError:
        return False
    folder = os.open(written.path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _is_own_name(name: str) -> bool:
    """Whether a file may be one of ours: whoever has others in the folder is to keep them."""
    found = _OWN_NAME.fullmatch(name)
    return found is not None and is_day_text(found[1])


@_saying_what_failed()
def sweep(store: Store) -> int:
    """Remove the files that no sealed day names: what a killed one left, or what was replaced.

    Return how many. A file that is being written is swept too, and then is written again. Raises
    StoreError if the folder is another store's, cannot be used, or has files and is not there.
    """
    with store.begin() as connection:
        folder = folder_of(connection)
        _ensure_there(store, connection, folder)
        if folder is None or not folder.is_dir():
            return 0
        _ensure_own(store, folder)
        hold_days(connection)
        named = set(connection.execute(select(sealed_days.c.file)).scalars())
        left = [
            path
            for pattern in ("*.parquet", "*.parquet.*tmp")
            for path in folder.glob(pattern)
            if path.name not in named and _is_own_name(path.name)
        ]
        for path in left:
            path.unlink(missing_ok=True)
    return len(left)
