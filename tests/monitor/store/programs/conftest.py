from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from monitor.store.store import Store
from tests.support.postgres import PostgresUnavailableError, postgres
from tests.support.stored import sqlite_store


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """An empty store of a module on each database."""
    if request.param == "sqlite":
        made = sqlite_store(tmp_path_factory.mktemp("programs"))
        yield made
        made.close()
        return
    try:
        with TemporaryDirectory() as own, postgres(Path(own)) as url:
            made = Store.open(url)
            yield made
            made.close()
    except PostgresUnavailableError as error:
        pytest.skip(f"NO POSTGRESQL, programs were tried on SQLite alone: {error}")
