"""A database that has the store's tables: SQLite or PostgreSQL, by its URL."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from importlib.resources import files
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    Text,
    any_,
    create_engine,
    event,
    func,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from monitor.store.schema import metadata

BUSY_SECONDS: Final = 10
ROWS_MAX: Final = 500
"""Of one statement: a database takes so many parameters, and no more."""

DAYS_FOLDER: Final = "days_folder"
"""The option of a connection that has the folder of sealed days' files (a Path, or None)."""
LOG_BYTES: Final = 64 * 2**20
"""SQLite's log may grow so long before it is written into the database."""

SHORTEN_MILLISECONDS: Final = 100

_LOCK: Final = 7353714
"""Whoever makes the tables, or gives them another form, has it."""

STORE_SAYS: Final = {True: "answers", False: "does not answer"}
"""Whether a store answers, as readiness says it."""

SUPPORTED: Final = ("sqlite", "postgresql")


class StoreError(Exception):
    """A database that cannot be used: the message says why, and what to do."""


class StoreAwayError(StoreError):
    """A database that does not answer now, or is busy for too long: it is worth asking again."""


class Store:
    """The database of an archive and of consoles. Use `Store.open`, which brings it up to date."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        database = engine.url.database if engine.dialect.name == "sqlite" else None
        self._log = Path(f"{database}-wal") if database else None

    @classmethod
    def open(cls, url: str, days: Path | None = None) -> Self:
        """Connect, and bring the tables to their newest form.

        `days` is the folder of sealed days' files; beside an SQLite file it is FILE.days without
        that, and of another database no day is sealed.

        Raises StoreError if the URL is no database's that is supported, or it cannot be reached.
        """
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):  # it is not shown: a password may be in it
            raise StoreError(
                "the store must be a database's URL, as sqlite:///FILE or"
                " postgresql+psycopg://USER:PASSWORD@HOST:5432/NAME, and this is none"
            ) from None
        if parsed.get_backend_name() not in SUPPORTED:
            raise StoreError(
                f"the store must be sqlite:///FILE or postgresql+psycopg://..., not {parsed!r}"
            )
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            folder = Path(parsed.database).parent
            if not folder.is_dir():
                raise StoreError(f"the store's folder {folder} must be there: make it first")
        try:
            days = days or days_beside(parsed)
            engine = create_engine(
                parsed,
                execution_options={DAYS_FOLDER: days},
                # A connection that a restarted server has ended is found out before it is used.
                pool_pre_ping=parsed.get_backend_name() != "sqlite",
            )
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", _prepare_sqlite)
                event.listen(engine, "begin", _begin_sqlite)
            _bring_up_to_date(engine)
        except ModuleNotFoundError as error:
            raise StoreError(
                f"{error.name} must be installed for {parsed.drivername}: pip install '.[postgres]'"
            ) from None
        except CommandError as error:
            raise StoreError(
                f"the store at {parsed!r} must have tables of this version of Weir, or of one"
                f" before it ({error}): use the version that it was last opened with"
            ) from error
        except OperationalError as error:
            raise StoreError(f"the store at {parsed!r} cannot be reached: {error.orig}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"the store at {parsed!r} cannot be used: {error}") from error
        return cls(engine)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Begin a transaction that is committed at the end, or undone by an exception.

        Raises StoreAwayError if the database does not answer, or ends meanwhile.
        """
        with _saying_if_away(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read all of one state of the database; nothing may be written.

        Raises StoreAwayError as `begin`.
        """
        with _saying_if_away(), self.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.execution_options(is_reading=True)
            else:  # as it is, each statement would see what was committed before it
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    def answers(self) -> bool:
        """Return whether the database answers."""
        try:
            with self.reading() as connection:
                connection.execute(text("SELECT 1"))
        except (StoreAwayError, SQLAlchemyError):
            return False
        return True

    def shorten_log(self) -> None:
        """Write SQLite's log into the database if it has grown, and let it begin again.

        SQLite does that by itself only if nobody reads at that moment; with some readers at once
        that never comes, the log grows without end, and each page takes longer to find.
        """
        if self._log is not None and self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            with closing(self.engine.raw_connection()) as connection:
                cursor = connection.cursor()
                # Others cannot write while it waits for readers: it soon gives up, and tries later.
                cursor.execute(f"PRAGMA busy_timeout={SHORTEN_MILLISECONDS}")
                cursor.execute("PRAGMA wal_checkpoint(RESTART)")
                cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")

    def close(self) -> None:
        """Give up the connections."""
        self.engine.dispose()


def days_beside(url: URL) -> Path | None:
    """Return where files of sealed days lie beside an SQLite store: FILE.days; else None."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(f"{url.database}.days").absolute()


@contextmanager
def _saying_if_away() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        is_busy = "database is locked" in str(error.orig)
        if not is_busy and not error.connection_invalidated and error.statement is not None:
            raise
        raise StoreAwayError(f"the store does not answer: {error.orig}") from error


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:  # noqa: ANN401 - DBAPI's
    connection.isolation_level = None  # transactions are begun by _begin_sqlite
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "foreign_keys=ON",
        "cache_size=-65536",
        "wal_autocheckpoint=4096",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first could not get it later."""
    is_reading = connection.get_execution_options().get("is_reading")
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _bring_up_to_date(engine: Engine) -> None:
    try:
        with engine.begin() as connection:
            if MigrationContext.configure(connection).get_current_revision() != _newest():
                take_turns(connection, _LOCK)  # another one may make the tables at this moment
                if MigrationContext.configure(connection).get_current_revision() is None:
                    _ensure_no_tables(connection)
                bring_to(connection, "head")
    except BaseException:
        engine.dispose()  # nobody will
        raise


def _ensure_no_tables(connection: Connection) -> None:
    """Raise StoreError if there are tables of the store, and nothing says of which version."""
    there = set(inspect(connection).get_table_names()) & set(metadata.tables)
    if there:
        raise StoreError(
            f"the store at {connection.engine.url!r} must say of which version its tables are, and"
            f" its table alembic_version does not; {min(there)} is there. Restore a backup (weir"
            " store restore), or name another database"
        )


@cache
def _newest() -> str | None:
    """Return the revision of the newest tables. To read the migrations takes a while."""
    return ScriptDirectory.from_config(_migrations()).get_current_head()


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("monitor.store") / "migrations"))
    return config


def bring_to(connection: Connection, revision: str) -> None:
    """Bring the tables to the form that a revision of the migrations has."""
    config = _migrations()
    take_turns(connection, _LOCK)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def take_turns(connection: Connection, lock: int) -> None:
    """Wait until no other transaction has this lock, and keep it until the end of this one.

    Each transaction that writes to SQLite has the whole database, so there is nothing to wait for.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})


_INSERT: Final[Mapping[str, Callable[[Table], Any]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert_into(connection: Connection, table: Table) -> Any:  # noqa: ANN401 - a dialect's own
    """Return an insert that can say what to do if a key is there already."""
    return _INSERT[connection.dialect.name](table)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to a table; those whose key is there already are left as they are."""
    if rows:
        write_many(connection, insert_into(connection, table).on_conflict_do_nothing(), rows)


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to a table, or write them over those of the same key."""
    if not rows:
        return
    statement = insert_into(connection, table)
    keys = [column.name for column in table.primary_key]
    values = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    write_many(connection, statement.on_conflict_do_update(index_elements=keys, set_=values), rows)


def write_many(
    connection: Connection,
    statement: Any,  # noqa: ANN401 - an insert or an update of a dialect
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Execute a statement for each row, which has its parameters by their names.

    The values go to the driver as they are: to prepare each by its type takes SQLAlchemy as long as
    the database takes to write it.
    """
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    names = compiled.positiontup
    if names is None:
        connection.exec_driver_sql(compiled.string, [dict(row) for row in rows])
    else:
        values = itemgetter(*names)
        alone = len(names) == 1  # then a getter gives the value itself
        parameters = [(values(row),) if alone else values(row) for row in rows]
        connection.exec_driver_sql(compiled.string, parameters)


def is_among(
    connection: Connection, column: ColumnElement[str], values: Sequence[str]
) -> ColumnElement[bool]:
    """Return the condition that a column has one of some texts, which are one parameter of it.

    An `in_` has a parameter for each, and a text of its own for each number of them: to write and
    to read that takes longer than to find the rows.
    """
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(values), postgresql.ARRAY(Text)))
    listed = func.json_each(msgspec.json.encode(values).decode()).table_valued("value")
    return column.in_(select(listed.c.value))


def in_pieces(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield values in pieces that a statement takes."""
    for begin in range(0, len(values), ROWS_MAX):
        yield values[begin : begin + ROWS_MAX]
