from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from monitor.store import people
from monitor.store.intake import RecordSort
from tests.monitor.console.made_console import (
    POLICY,
    REJECTION,
    Begun,
    MadeConsole,
    account_day,
    cheap_hashes,
    limit_alert,
    outlier,
    review,
    segment_day,
    systemic,
)


@cache
def filled() -> Begun:
    """A console with alerts of every kind: an incident with three members, and A1 with three."""
    with TemporaryDirectory() as folder:
        made = MadeConsole(Path(folder))
        made.take(
            limit_alert("A1"), limit_alert("A2"), limit_alert("A3"), systemic(), outlier("A1"),
            review("A1"), review("A1", 2, 4), limit_alert("C1", "2026-02-10", severity="critical"),
        )  # fmt: skip
        made.take(
            *(account_day("A1", f"2026-02-{day:02d}") for day in range(1, 16)),
            sort=RecordSort.ACCOUNT_DAY,
        )
        made.take(segment_day("2026-02-15"), sort=RecordSort.SEGMENT_DAY)
        made.take(REJECTION, sort=RecordSort.REJECTION)
        made.take(POLICY, sort=RecordSort.POLICY)
        return made.begun()


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeConsole]:
    """A console as `filled` makes it."""
    monkeypatch.setattr(people, "HASHER", cheap_hashes())
    made = MadeConsole(tmp_path, begun=filled())
    yield made
    made.close()
