"""An archive that is killed at random moments: the store equals the topics by a recount."""

import json
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.store.queries import AlertFilter, alert_page
from monitor.store.store import Store
from streams.settings import Settings
from streams.topics.catalog import Topics
from tests.support.rigs import (
    Broker,
    command,
    own_rig,
    records_of,
    running,
    until_ended,
    until_taken_in,
)
from tests.support.stored import contents
from tests.support.transactions import POLICY

KILLS = 20
COMMAND = ("streams.cli", "archive")

pytestmark = pytest.mark.slow


def recount(settings: Settings) -> tuple[dict[str, Any], int, int]:
    """Return what the topics say: each alert's last revision, revisions, and rejections."""
    last: dict[str, Any] = {}
    told: set[tuple[str, int]] = set()
    for record in records_of(settings, Topics.of(settings).alerts):
        alert = json.loads(record.value)
        told.add((alert["alert_id"], alert["revision"]))
        held = last.get(alert["alert_id"])
        if held is None or held["revision"] < alert["revision"]:
            last[alert["alert_id"]] = alert
    rejected = len(records_of(settings, Topics.of(settings).rejections))
    return last, len(told), rejected


def test_killed_at_random_moments_it_loses_and_doubles_nothing(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'weir.db'}"
    made = tmp_path / "made.csv"
    assert (
        command(
            "generate", "--accounts", "400", "--days", "12", "--faults", "--out", made
        ).returncode
        == 0
    )
    rows = len(made.read_text(encoding="utf-8").splitlines()) - 1
    rng = random.Random(7)  # noqa: S311 - moments
    policy = POLICY.replace('"1000.00"', '"100.00"')
    sending = ("streams.cli", "send", str(made), "--rate", "500")
    with (
        own_rig(embedded_broker, tmp_path, policy, store=url) as settings,
        running(settings) as worker,
        running(settings, *sending) as sender,
    ):
        quiet = replace(settings, metrics_port=0)  # the port is the worker's
        for _ in range(KILLS):
            with running(quiet, *COMMAND) as archive:
                time.sleep(rng.uniform(1.0, 3.0))  # it has begun after some 1.5 s
                archive.ensure_running()
                archive.kill()
        assert until_ended(sender, 200) in {0, 1}
        until_taken_in(worker, rows)
        worker.terminate()  # it flushes: the topics have all that it says
        done = command("archive", "--until-end", "--json", **settings.variables())
        assert done.returncode == 0, done.stderr
        last, told, rejected = recount(settings)
    assert told > 200
    assert rejected > 0
    store = Store.open(url)
    held: dict[str, Any] = {}
    with store.reading() as connection:
        cursor = None
        while True:
            page = alert_page(connection, AlertFilter(), limit=500, cursor=cursor)
            held |= {row.alert_id: json.loads(row.record) for row in page.rows}
            cursor = page.next
            if cursor is None:
                break
    assert held == last
    tables = contents(store)
    assert len(tables["revisions"]) == told
    assert sum(row[2] for row in tables["rejection_counts"]) == rejected
