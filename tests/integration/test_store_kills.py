"""Archive, console and database are killed while people work: nothing is lost or doubled."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from tests.support.postgres import PostgresUnavailableError
from tests.support.rigs import Broker
from tests.support.store_kills import own_kills

KILLS: Final = 8
"""`python -m tests.support.store_kills` runs longer storms."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_store_equals_the_topics_after_kills(embedded_broker: Broker, database: str) -> None:
    try:  # not in pytest's folder, which is of one user alone
        with (
            TemporaryDirectory() as folder,
            own_kills(
                embedded_broker, Path(folder), 1, is_postgres=database == "postgresql"
            ) as kills,
        ):
            outcome = kills.run(KILLS)
    except PostgresUnavailableError as error:
        pytest.skip(f"NO POSTGRESQL, kills were tried on SQLite alone: {error}")
    assert outcome.found == []
    assert sum(outcome.kills.values()) == KILLS
    assert sum(outcome.answered.values()) > KILLS
