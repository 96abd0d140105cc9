"""Nothing is left out, on a broker: late records are told of, and idle partitions close days."""

import json
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.core.transaction import Heartbeat
from streams.lab.rig import WorkerProcess
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.wire import codec
from tests.support.rigs import (
    Broker,
    command,
    has_partitions,
    own_rig,
    records_of,
    running,
    until,
    until_taken_in,
)

POLICY = """
version = 1
[calendar]
allowed_lateness = "1h"
idle_closes_after = "1m"
[systemic]
[[limit]]
id = "daily-count"
measure = "count"
above = 100
"""
RECORDS = 40


def written(path: Path, *, day: int) -> Path:
    """Write a file of transactions of some days ago, of five accounts."""
    booked_at = datetime.fromtimestamp(time.time(), UTC) - timedelta(days=day)
    rows = [
        {
            "transaction_id": f"T{day}-{number}", "account_id": f"A{number % 5}",
            "booked_at": booked_at.isoformat(), "amount": "10.00", "currency": "EUR",
            "direction": "debit",
        }
        for number in range(RECORDS)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def told(settings: Settings, kind: str) -> list[dict[str, Any]]:
    last = {
        (record.partition, record.key): json.loads(record.value)
        for record in records_of(settings, Topics.of(settings).completeness)
    }
    return [fields for fields in last.values() if fields["kind"] == kind]


def on_gauges(worker: WorkerProcess) -> float:
    samples = worker.samples()
    return sum(its for (name, _), its in samples.items() if name == "weir_not_monitored_records")


def send_file(settings: Settings, path: Path, *words: str) -> None:
    done = command(
        "send", path, *words, WEIR_BROKER=settings.broker, WEIR_TOPIC_PREFIX=settings.topic_prefix
    )
    assert done.returncode == 0, done.stderr


def test_records_that_came_while_no_worker_was_there_are_told_of_and_all_are_counted(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(
        embedded_broker, tmp_path, POLICY, partitions="3", not_monitored_seconds="5"
    ) as settings:
        first, second = (written(tmp_path / f"{day}.jsonl", day=day) for day in (2, 1))
        with running(settings) as worker:
            until(partial(has_partitions, worker, 3), "it has all partitions", worker)
            send_file(settings, first)
            until_taken_in(worker, RECORDS)
            worker.terminate()
        late_before = sum(notice["records"] for notice in told(settings, "not-monitored"))
        send_file(settings, second)
        time.sleep(5.5)  # so long they wait at least: it is the threshold
        with running(settings) as worker:
            until_taken_in(worker, RECORDS)
            until(
                lambda: (
                    sum(notice["records"] for notice in told(settings, "not-monitored"))
                    == late_before + RECORDS
                ),
                "all are told of",
                worker,
            )
            until(lambda: on_gauges(worker) >= RECORDS, "the gauges say it, too", worker)
            worker.terminate()
        hours = told(settings, "hour")
        assert sum(hour["received"] for hour in hours) == 2 * RECORDS
        assert all(hour["received"] == hour["decided"] + hour["rejected"] for hour in hours)


def test_heartbeats_that_are_sent_close_the_days_of_every_partition(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(embedded_broker, tmp_path, POLICY, partitions="3") as settings:
        with running(settings) as worker:
            send_file(settings, written(tmp_path / "t.jsonl", day=3), "--heartbeat", "now")
            topics = Topics.of(settings)
            until(lambda: len(records_of(settings, topics.account_days)) == 5, "they close", worker)
        beats = [codec.decode(sent.value) for sent in records_of(settings, topics.transactions)]
        assert sum(isinstance(beat, Heartbeat) for beat in beats) == 3
        assert not records_of(settings, topics.rejections)


@pytest.mark.slow
def test_an_idle_partition_closes_its_days(embedded_broker: Broker, tmp_path: Path) -> None:
    """It takes the minute that the policy may say at least."""
    with own_rig(embedded_broker, tmp_path, POLICY, partitions="3") as settings:
        with running(settings) as worker:
            send_file(settings, written(tmp_path / "t.jsonl", day=3))
            until_taken_in(worker, RECORDS)
            topics = Topics.of(settings)
            until(
                lambda: len(records_of(settings, topics.account_days)) == 5, "they close", worker,
                seconds=180,
            )  # fmt: skip
        beats = [codec.decode(sent.value) for sent in records_of(settings, topics.transactions)]
        assert sum(isinstance(beat, Heartbeat) for beat in beats) >= 1
