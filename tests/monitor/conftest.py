"""Stores for tests on both databases."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from monitor.store.schema import metadata
from monitor.store.store import Store
from tests.support.postgres import PostgresUnavailableError, postgres
from tests.support.stored import sqlite_store


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL of the module's own."""
    try:  # not in pytest's folder, which is of one user alone
        with TemporaryDirectory() as folder, postgres(Path(folder)) as url:
            yield url
    except PostgresUnavailableError as error:
        pytest.skip(f"NO POSTGRESQL, the store was tried on SQLite alone: {error}")


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
