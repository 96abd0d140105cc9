"""Stores for tests on both databases."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import URL, create_engine, make_url

from monitor.store.schema import metadata
from monitor.store.store import Store
from tests.support.postgres import PostgresUnavailableError, postgres
from tests.support.stored import sqlite_store


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[URL]:
    """The URL of a PostgreSQL of the process's own."""
    try:  # not in pytest's folder, which is of one user alone
        with TemporaryDirectory() as folder, postgres(Path(folder)) as url:
            yield make_url(url)
    except PostgresUnavailableError as error:
        pytest.skip(f"NO POSTGRESQL, the store was tried on SQLite alone: {error}")


@pytest.fixture(scope="module")
def postgres_url(postgres_server_url: URL, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of the module's own."""
    name = request.module.__name__.replace(".", "_")[-60:].lstrip("_")
    engine = create_engine(postgres_server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine.dispose()
    return postgres_server_url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store on each database."""
    if request.param == "sqlite":
        opened = sqlite_store(tmp_path)
    else:
        opened = Store.open(request.getfixturevalue("postgres_url"))
        with opened.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
    yield opened
    opened.close()
