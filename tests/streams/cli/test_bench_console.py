"""`weir bench --console`: the store is filled, and every page is measured."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.store.intake import Intake
from monitor.store.store import Store
from streams.lab.console.client import PAGES
from streams.lab.console.made import MadeAlerts
from tests.support.stored import filled, made_records, sqlite_store


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams.cli", "bench", "--console", *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ, timeout=300
    )


@pytest.mark.slow
def test_every_page_is_measured_at_rest_and_while_alerts_arrive() -> None:
    done = bench("--alerts", "2000", "--accounts", "300", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["intake_alone"]["per_second"] > 0
    assert [(run["open"], run["clients"]) for run in result["runs"]] == [
        (opened, clients) for opened in (400, 100) for _ in range(2) for clients in (1, 4)
    ]
    assert [run["arriving_per_second"] > 0 for run in result["runs"]] == [
        False, False, True, True, False, False, True, True,
    ]  # fmt: skip
    for run in result["runs"]:
        assert set(run["pages"]) == set(PAGES)
        assert all(0 < page["median_ms"] <= page["max_ms"] for page in run["pages"].values())
    assert result["runs"][-1]["events"] > 0


def test_a_store_that_holds_something_is_refused(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    filled(store, made_records(1))
    store.close()
    done = bench("--store", f"sqlite:///{tmp_path / 'weir.db'}")
    assert done.returncode == 2
    assert "must be empty" in done.stderr


def test_made_alerts_are_of_every_kind_with_revisions_and_members(tmp_path: Path) -> None:
    made = MadeAlerts(2000, 300, seed=1, end=1_790_000_000_000_000)
    reads = list(made.records(0, 2000, 0))
    assert [read.offset for read in reads] == list(range(len(reads)))
    assert reads == list(made.records(0, 2000, 0))
    kinds = {read.value["kind"] for read in reads}
    assert kinds == {"daily-amount", "daily-count", "outlier", "review", "systemic"}
    restated = sum(read.value["revision"] == 2 for read in reads)
    assert 0.05 < restated / 500 < 0.2
    store = Store.open(f"sqlite:///{tmp_path / 'made.db'}")
    Intake(store).take(reads)
    held = filled(store, [])["alerts"]
    assert len(held) == 2000
    assert sum(row[12] is not None for row in held) > 100
