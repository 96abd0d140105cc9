"""Seals business days: the account-days of a day that is quiet move from the table into a file.

The file is whole and on the disk before a transaction says that it counts, and takes the rows out
of the table. So the store gives the same answers at whatever moment it is killed; what a killed
one left in the folder is swept away by the next pass.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import delete, func, select

from monitor.core.business_day import day_of_text, day_text
from monitor.store.days import (
    SCHEMA,
    closed_day,
    files_of,
    folder_of,
    sealed_between,
    table_of,
    young_records,
)
from monitor.store.schema import account_days, sealed_days
from monitor.store.store import Store, StoreError, upsert

QUIET_DAYS: Final = 7
"""A day is sealed once a day is closed that is so many days later."""
GROUP_ROWS: Final = 10_000
"""Of a group of a file: one account is found by the bounds of its group."""

OnStep = Callable[[str], None]


def _pass_on(step: str) -> None:
    del step


def quiet_days(store: Store, quiet: int = QUIET_DAYS) -> list[str]:
    """Return the business days that can be sealed: those with rows in the table, in order."""
    with store.reading() as connection:
        latest = closed_day(connection)
        if latest is None or folder_of(connection) is None or not _is_day(latest):
            return []
        until = day_text(day_of_text(latest) - quiet)
        chosen = select(account_days.c.business_day).where(account_days.c.business_day <= until)
        days = connection.execute(chosen.distinct().order_by("business_day")).scalars()
        return [day for day in days if _is_day(day)]


def _is_day(text: str) -> bool:
    try:
        return day_text(day_of_text(text)) == text
    except ValueError:
        return False


def seal_quiet_days(
    store: Store, now: int, quiet: int = QUIET_DAYS, on_step: OnStep = _pass_on
) -> list[str]:
    """Seal the days that are quiet, and return them; `now` is in microseconds since 1970.

    `on_step` is told each step before it is made. Raises StoreError if a day's file is not there,
    or is not the one that was written.
    """
    sweep(store)
    return [day for day in quiet_days(store, quiet) if seal(store, day, now, on_step)]


def seal(store: Store, day: str, now: int, on_step: OnStep = _pass_on) -> bool:
    """Seal a business day, or seal it again with what came since; return whether it was.

    A day with a record whose totals cannot be read stays in the table.
    """
    on_step("read")
    with store.reading() as connection:
        folder = folder_of(connection)
        assert folder is not None, "a store with a folder for its days"
        records = list(young_records(connection, day, day))
        sealed = sealed_between(connection, day, day)
        rows = table_of(iter(records))
        if rows["totals"].null_count:
            return False
        if sealed:
            (path,) = files_of(connection, sealed)
            if _sha256_of(Path(path)) != sealed[0].sha256:
                raise StoreError(
                    f"{path} must be as it was written, and its sha256 is another one:"
                    " weir archive --rebuild makes it again from the topics"
                )
            rows = _merged(pq.read_table(path, schema=SCHEMA), rows)
    name = _next_name(day, sealed[0].file if sealed else None)
    sha256 = _write(rows, folder / name, on_step)
    on_step("commit")
    with store.begin() as connection:
        if list(young_records(connection, day, day)) != records:
            return False  # something came meanwhile: the next pass seals it, and sweeps this file
        file = {"rows": rows.num_rows, "sha256": sha256, "sealed_at": now, "file": name}
        upsert(connection, sealed_days, [{"business_day": day, **file}])
        connection.execute(delete(account_days).where(account_days.c.business_day == day))
        on_step("committing")
    on_step("done")
    return True


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


def _write(rows: pa.Table, path: Path, on_step: OnStep) -> str:
    path.parent.mkdir(exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.tmp")
    on_step("write")
    with temporary.open("wb") as file:
        pq.write_table(rows, file, compression="zstd", row_group_size=GROUP_ROWS)
        file.flush()
        on_step("fsync")
        os.fsync(file.fileno())
    sha256 = _sha256_of(temporary)
    on_step("rename")
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return sha256


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(store: Store) -> int:
    """Remove the files that no sealed day names: what a killed one left; return how many."""
    with store.reading() as connection:
        folder = folder_of(connection)
        if folder is None or not folder.is_dir():
            return 0
        named = set(connection.execute(select(sealed_days.c.file)).scalars())
    left = [
        path
        for pattern in ("*.parquet", "*.parquet.tmp")
        for path in folder.glob(pattern)
        if path.name not in named and _is_day(path.name[:10])
    ]
    for path in left:
        path.unlink()
    return len(left)


def sealed_count(store: Store) -> int:
    """Return how many account-days are in files."""
    with store.reading() as connection:
        return int(connection.execute(select(func.sum(sealed_days.c.rows))).scalar() or 0)
