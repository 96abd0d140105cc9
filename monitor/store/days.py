"""Account-days, wherever they stand: the young ones in the table, those of sealed days in files.

A row of the table comes before the file's of the same account and day: it was told later. So an
answer does not depend on which days are sealed. Amounts are whole minor units: never floats.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Row, func, select

from models.arrays import Ints
from monitor.core.money import EXPONENT, minor_units
from monitor.core.threshold import Scope
from monitor.store.schema import account_days, sealed_days
from monitor.store.store import DAYS_FOLDER, StoreError

READ_AT_A_TIME: Final = 5000
FILES_AT_A_TIME: Final = 64
LAST: Final = "9999-99-99"
"""After every business day."""

_MINOR: Final = pa.decimal128(38, 0)
_TOTALS: Final = pa.struct(
    [
        ("currency", pa.string()),
        ("debit_count", pa.int64()),
        ("debit_amount", _MINOR),
        ("credit_count", pa.int64()),
        ("credit_amount", _MINOR),
    ]
)
ATTRIBUTES: Final = ("segment", "branch", "product", "peer_group")
SCHEMA: Final = pa.schema(
    [
        ("account_id", pa.string()),
        ("business_day", pa.string()),
        *((name, pa.string()) for name in ATTRIBUTES),
        ("totals", pa.list_(_TOTALS)),
        ("record", pa.string()),
    ]
)
"""A row is an account-day; amounts are minor units of the currency, `record` is the topic's.

`totals` is null where the record's cannot be read: such a day is not sealed.
"""


_SCOPE: Final = pa.schema(
    [(name, pa.string()) for name in ("own", "segment", "peer_group", "product")]
)


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""Two of them fit 64 bits."""

_GREAT: Final = re.compile(r"[0-9]{1,28}(?:\.[0-9]{1,4})?")
"""A day's amount of many transactions: two of them fit `_MINOR`."""


class _Totals(msgspec.Struct):
    currency: str
    debit_count: _Count
    debit_amount: str
    credit_count: _Count
    credit_amount: str


class _Record(msgspec.Struct):
    totals: list[_Totals]


_totals_of: Final = msgspec.json.Decoder(_Record).decode


def folder_of(connection: Connection) -> Path | None:
    """Return the folder of the files of sealed days; None if the store has none."""
    folder: Path | None = connection.get_execution_options().get(DAYS_FOLDER)
    return folder


def row_of(record: str) -> dict[str, Any]:
    """Return a record of the topic (JSON) as a row of SCHEMA."""
    fields = json.loads(record)
    groups = {name: fields.get(name) for name in ATTRIBUTES}
    return {
        "account_id": fields["account_id"],
        "business_day": fields["business_day"],
        **{name: value if isinstance(value, str) else None for name, value in groups.items()},
        "totals": _written_totals(record),
        "record": record,
    }


def _minor_units(text: str, exponent: int) -> int | None:
    """Return the minor units of a day's amount: it may be greater than a transaction's."""
    found = minor_units(text, exponent)
    if found is None and _GREAT.fullmatch(text):
        whole, _, decimals = text.partition(".")
        decimals, more = decimals[:exponent].ljust(exponent, "0"), decimals[exponent:]
        return None if more.strip("0") else int(whole + decimals)
    return found


def _written_totals(record: str) -> list[dict[str, Any]] | None:
    try:
        found = _totals_of(record).totals
    except msgspec.ValidationError:
        return None
    by_currency = {}
    for total in found:
        exponent = EXPONENT.get(total.currency)
        if exponent is None:
            return None
        debit = _minor_units(total.debit_amount, exponent)
        credit = _minor_units(total.credit_amount, exponent)
        if debit is None or credit is None:
            return None
        by_currency[total.currency] = {
            "currency": total.currency,
            "debit_count": total.debit_count,
            "debit_amount": debit,
            "credit_count": total.credit_count,
            "credit_amount": credit,
        }
    return list(by_currency.values())


def table_of(records: Iterator[str]) -> pa.Table:
    """Return records of the topic (JSON) as a table of SCHEMA."""
    batches, rows = [], []
    for record in records:
        rows.append(row_of(record))
        if len(rows) == READ_AT_A_TIME:
            batches.append(pa.RecordBatch.from_pylist(rows, SCHEMA))
            rows = []
    batches.append(pa.RecordBatch.from_pylist(rows, SCHEMA))
    return pa.Table.from_batches(batches, SCHEMA)


def young_records(connection: Connection, first: str, last: str) -> Iterator[str]:
    """Yield the records that stand in the table, of business days, by account within a day."""
    chosen = (
        select(account_days.c.record)
        .where(account_days.c.business_day.between(first, last))
        .order_by(account_days.c.business_day, account_days.c.account_id)
    )
    for row in connection.execute(chosen, execution_options={"yield_per": READ_AT_A_TIME}):
        yield row.record


def sealed_between(connection: Connection, first: str, last: str) -> Sequence[Row[Any]]:
    """Return the sealed days of a range, the latest first."""
    chosen = select(sealed_days).where(sealed_days.c.business_day.between(first, last))
    return connection.execute(chosen.order_by(sealed_days.c.business_day.desc())).all()


def lost_days(connection: Connection) -> list[str]:
    """Return the sealed days whose files are not there, in order."""
    folder = folder_of(connection)
    return [
        row.business_day
        for row in reversed(sealed_between(connection, "", LAST))
        if folder is None or not (folder / row.file).is_file()
    ]


class LostFileError(StoreError):
    """The file of a sealed day that is not there."""


def files_of(connection: Connection, sealed: Sequence[Row[Any]]) -> list[str]:
    """Return the paths of sealed days' files.

    Raises StoreError if a file is not there (LostFileError), or is not the one that was written.
    """
    folder = folder_of(connection)
    paths = []
    for row in sealed:
        path = None if folder is None else folder / row.file
        sha256 = None
        try:
            if path is not None:
                found = path.stat()
                sha256 = _sha256_of(str(path), found.st_size, found.st_mtime_ns)
        except (FileNotFoundError, NotADirectoryError):
            sha256 = None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from error
        if sha256 is None:
            raise LostFileError(
                f"the account-days of {row.business_day} must be in {path or row.file}, and that"
                f" file is not there: {_MADE_AGAIN}"
            )
        if sha256 != row.sha256:
            raise StoreError(
                f"{path} must be as it was written, and its sha256 is another one: {_MADE_AGAIN}"
            )
        paths.append(str(path))
    return paths


_MADE_AGAIN: Final = (
    "put it back into the folder that WEIR_STORE_DAYS names (FILE.days beside an SQLite store), or"
    " weir archive --rebuild makes it again from the topics"
)


@lru_cache(maxsize=4096)
def _sha256_of(path: str, size: int, changed_at: int) -> str:
    """Return the hash of a file: read once, as long as its size and time are the same."""
    del size, changed_at
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def count_before(connection: Connection, first: str) -> int:
    """Return how many account-days there are of business days before one, wherever they stand.

    Those of a file that is not there, or is not the one that was written, are not there.
    """
    is_old = account_days.c.business_day < first
    chosen = select(account_days.c.business_day, func.count()).where(is_old)
    young = {row[0]: row[1] for row in connection.execute(chosen.group_by("business_day"))}
    count: int = sum(young.values())
    for row in connection.execute(select(sealed_days).where(sealed_days.c.business_day < first)):
        try:
            (path,) = files_of(connection, [row])
        except StoreError:
            continue
        count += row.rows
        if row.business_day in young:
            names = select(account_days.c.account_id).where(
                account_days.c.business_day == row.business_day
            )
            later = set(connection.execute(names).scalars())
            its = pq.read_table(path, columns=["account_id"])["account_id"].to_pylist()
            count -= sum(name in later for name in its)
    return count


def closed_day(connection: Connection, *, is_latest: bool = True) -> str | None:
    """Return the latest business day of which an account-day is there, or the first one."""
    pick = func.max if is_latest else func.min
    found = [
        connection.execute(select(pick(table.c.business_day))).scalar()
        for table in (account_days, sealed_days)
    ]
    days = [day for day in found if day is not None]
    return (max(days) if is_latest else min(days)) if days else None


@contextmanager
def open_days(connection: Connection, first: str, last: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database whose view `days` has the account-days of a range, as SCHEMA has them.

    Raises StoreError as `files_of`.
    """
    files = files_of(connection, sealed_between(connection, first, last))
    young = table_of(young_records(connection, first, last))
    with _database() as database:
        database.register("young", young)
        names = ", ".join(SCHEMA.names)
        view = f"SELECT {names} FROM young"  # noqa: S608 - our own names
        if files:
            quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
            old = f"(SELECT {names} FROM read_parquet([{quoted}]))"  # noqa: S608 - our own paths
            if young.num_rows:
                old += " old ANTI JOIN young USING (account_id, business_day)"
            view = f"SELECT {names} FROM {old} UNION ALL {view}"  # noqa: S608
        database.execute(f"CREATE VIEW days AS {view}")
        yield database


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory. Raises StoreError if a file went while it was read."""
    try:
        with duckdb.connect(config={"threads": 1}) as database:
            yield database
    except duckdb.IOException as error:
        raise StoreError(
            f"a file of account-days went while it was read: ask again ({error})"
        ) from error


def rows_between(connection: Connection, first: str, last: str, columns: Sequence[str]) -> pa.Table:
    """Return columns of the account-days of a range, by business day and account.

    Raises StoreError as `files_of`.
    """
    assert set(columns) <= set(SCHEMA.names), "the columns of an account-day"
    with open_days(connection, first, last) as database:
        names = ", ".join(columns)
        wanted = f"SELECT {names} FROM days ORDER BY business_day, account_id"  # noqa: S608
        return database.sql(wanted).to_arrow_table()


def latest_of_account(
    connection: Connection, account_id: str, limit: int
) -> list[Mapping[str, Any]]:
    """Return the latest closed days of an account, by day: the records of the topic."""
    its = select(account_days.c.business_day, account_days.c.record)
    chosen = its.where(account_days.c.account_id == account_id)
    ordered = chosen.order_by(account_days.c.business_day.desc()).limit(limit)
    found = {row.business_day: row.record for row in connection.execute(ordered)}
    sealed = sealed_between(connection, "", LAST)
    for begin in range(0, len(sealed), FILES_AT_A_TIME):
        piece = sealed[begin : begin + FILES_AT_A_TIME]
        later = [day for day in found if day > piece[0].business_day]
        if len(later) >= limit:
            break
        with _database() as database:
            rows = database.execute(
                "SELECT business_day, record FROM read_parquet(?) WHERE account_id = ?",
                [files_of(connection, piece), account_id],
            ).fetchall()
        found = {**dict(rows), **found}
    return [json.loads(found[day]) for day in sorted(found)[-limit:]]


class DayValues(NamedTuple):
    """What account-days come to by one limit: of each its account, business day and value.

    `accounts` are names, at whose places `places` point; `days` are texts, one an account-day;
    `business_days` are all those of the range on which any account did anything.
    """

    business_days: Sequence[str]
    accounts: Sequence[str]
    places: Ints
    days: Sequence[str]
    values: Ints


class Summed(NamedTuple):
    """What a limit adds up: amounts and counts of an account-day's totals, in a currency or all."""

    members: Sequence[str]
    currency: str | None
    greatest: int  # what is more is cut there


class UnreadDaysError(StoreError):
    """Account-days whose totals cannot be read: the message says how many, and one of them."""


def _ensure_read(database: duckdb.DuckDBPyConnection) -> None:
    unread, count, example = database.sql(
        "SELECT count(*) FILTER (is_unread), count(*),"
        " min((business_day, account_id)) FILTER (is_unread) FROM valued"
    ).fetchall()[0]
    if unread:
        day, account_id = example
        raise UnreadDaysError(
            f"the totals of {unread} of {count} account-days cannot be read, as of {account_id!r}"
            f" on {day}: choose days after it, or publish that account-day again as it must be"
        )


def values_between(
    connection: Connection,
    first: str,
    last: str,
    summed: Summed,
    own: Sequence[str],
    decides: Callable[[Scope], bool],
) -> DayValues:
    """Return what the account-days of a range come to, of those that a limit decides for.

    `decides` is asked once for each scope that there is: with an account of `own`, else with "".
    Raises StoreError as `files_of`, and UnreadDaysError if totals cannot be read: an answer
    without them would be another one.
    """
    assert set(summed.members) <= set(_TOTALS.names), "members of a total"
    added = " + ".join(f"total.{name}" for name in summed.members)
    chosen = "" if summed.currency is None else "IF total.currency = $currency"
    each = f"[({added})::DECIMAL(38, 0) FOR total IN totals {chosen}]"
    asked: dict[str, Any] = {"own": list(own), "greatest": summed.greatest}
    if summed.currency is not None:
        asked["currency"] = summed.currency
    with open_days(connection, first, last) as database:
        value = f"least(coalesce(list_sum({each}), 0), $greatest)::BIGINT AS value"
        is_own = "list_contains($own::VARCHAR[], account_id)"
        groups = "segment, peer_group, product, totals IS NULL AS is_unread"
        valued = (
            f"SELECT account_id, business_day, CASE WHEN {is_own} THEN account_id ELSE '' END own,"  # noqa: S608
            f" {groups}, {value} FROM days"
        )
        database.execute(f"CREATE TEMP TABLE valued AS {valued}", asked)
        _ensure_read(database)
        scopes = database.execute(
            "SELECT DISTINCT own, segment, peer_group, product FROM valued"
        ).fetchall()
        decided = [scope for scope in scopes if decides(scope)]
        places = pa.Table.from_pylist(
            [dict(zip(_SCOPE.names, scope, strict=True)) for scope in decided], _SCOPE
        )
        database.register("decided", places)
        same = " AND ".join(f"v.{name} IS NOT DISTINCT FROM d.{name}" for name in _SCOPE.names)
        found = database.sql(
            f"SELECT account_id, business_day, value FROM valued v JOIN decided d ON {same}"  # noqa: S608
        ).to_arrow_table()
        days = database.execute(
            "SELECT DISTINCT business_day FROM valued ORDER BY business_day"
        ).fetchall()
    accounts = found["account_id"].combine_chunks().dictionary_encode()
    if isinstance(accounts, pa.ChunkedArray):
        accounts = accounts.combine_chunks()
    return DayValues(
        [day for (day,) in days],
        accounts.dictionary.to_pylist(),
        accounts.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        found["business_day"].to_pylist(),
        found["value"].to_numpy(),
    )
