"""`weir store`: what an operator sees of backup, restore and pruning."""

import json
from pathlib import Path

from monitor.store.intake import Intake
from tests.support.rigs import command
from tests.support.stored import contents, made_records, sqlite_store


def test_old_alerts_are_pruned_by_the_settings(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    Intake(store).take(made_records(5, 120))
    before = contents(store)
    words = ("store", "prune", "--json", "--store", f"sqlite:///{tmp_path / 'weir.db'}")
    kept = command(*words)
    assert (kept.returncode, json.loads(kept.stdout)["pruned"]) == (0, {}), kept.stderr
    dry = command(*words, "--dry-run", WEIR_KEEP_ALERTS="1")
    counts = json.loads(dry.stdout)["pruned"]
    assert counts["alerts"] > 0
    assert contents(store) == before
    done = command(*words, WEIR_KEEP_ALERTS="1")
    assert json.loads(done.stdout)["pruned"] == counts
    assert len(before["alerts"]) - len(contents(store)["alerts"]) == counts["alerts"]


def test_a_mistake_is_one_message(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'weir.db'}"
    missing = command("store", "backup", tmp_path / "b.tar", "--store", url)
    assert missing.returncode == 2
    assert "weir.db" in missing.stderr
    assert not (tmp_path / "weir.db").exists()
    (tmp_path / "b.tar").write_text("none")
    odd = command("store", "restore", tmp_path / "b.tar", "--store", url)
    assert odd.returncode == 2
    assert "cannot be read as a backup" in odd.stderr
    bad = command("store", "prune", WEIR_KEEP_ALERTS="never")
    assert "Traceback" not in missing.stderr + odd.stderr + bad.stderr
