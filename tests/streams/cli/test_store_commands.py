"""`weir store`: what an operator sees of backup, restore and pruning."""

import json
from pathlib import Path

from sqlalchemy import insert

from monitor.store.intake import Intake
from monitor.store.schema import users
from tests.support.rigs import command
from tests.support.stored import NOW, contents, made_records, sqlite_store


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


def test_an_account_is_erased_by_an_administrator(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    Intake(store).take(made_records(5, 120))
    row = {"name": "Ann", "password_hash": "x", "role": "admin", "is_active": True}
    with store.begin() as connection:
        connection.execute(insert(users).values(**row, created_at=NOW))
    before = contents(store)
    url = f"sqlite:///{tmp_path / 'weir.db'}"
    words = ("store", "erase", "A1", "--reason", "request 12", "--store", url, "--by")
    refused = command(*words, "Bob")
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert "--by must be an administrator" in refused.stderr
    dry = json.loads(command(*words, "Ann", "--json", "--dry-run").stdout)
    assert contents(store) == before
    done = command(*words, "Ann")
    assert done.returncode == 0, done.stderr
    assert f"alerts: {dry['taken_away']['alerts']} taken away" in done.stdout
    left = len(contents(store)["alerts"])
    assert len(before["alerts"]) - left == dry["taken_away"]["alerts"] > 0
    assert "nothing of the account" not in done.stderr
    mistyped = command(*["a1" if word == "A1" else word for word in words], "Ann", "--dry-run")
    assert "the store has nothing of the account 'a1'" in mistyped.stderr


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
