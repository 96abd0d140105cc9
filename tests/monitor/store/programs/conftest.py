from collections.abc import Iterator

import pytest

from monitor.store.store import Store
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
    made = Store.open(request.getfixturevalue("postgres_url"))
    yield made
    made.close()
