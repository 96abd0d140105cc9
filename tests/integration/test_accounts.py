"""Account attributes through a broker: a worker has them before it decides, wherever it works."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.kafka.partitioner import dealer
from streams.lab.broker import free_port
from streams.lab.rig import WorkerProcess
from streams.settings import Settings
from streams.topics.catalog import Topics
from tests.support.rigs import (
    Broker,
    command,
    own_rig,
    records_of,
    running,
    send,
    until,
    until_taken_in,
    value_of,
)
from tests.support.scoped_limits import SCOPED

PARTITIONS = 2
ACCOUNTS = ("A1", "A2")  # one of each partition


def booked(transaction_id: str, account_id: str, amount: str) -> tuple[bytes, bytes]:
    fields = {
        "transaction_id": transaction_id, "account_id": account_id, "amount": amount,
        "booked_at": "2026-01-05T10:00:00Z", "currency": "EUR", "direction": "debit",
    }  # fmt: skip
    return account_id.encode(), json.dumps(fields).encode()


def pay(settings: Settings, name: str, account_id: str, amount: str) -> None:
    deal = dealer(PARTITIONS)
    send(settings, [booked(name, account_id, amount)], deal(account_id))


def told(settings: Settings) -> list[tuple[str, str, str]]:
    """Return what was told: account, limit and status."""
    alerts = [
        json.loads(record.value) for record in records_of(settings, Topics.of(settings).alerts)
    ]
    return [(alert["account_id"], alert["threshold_id"], alert["status"]) for alert in alerts]


def until_told(settings: Settings, worker: WorkerProcess, *alerts: tuple[str, str, str]) -> None:
    until(lambda: set(alerts) <= set(told(settings)), f"told: {alerts}", worker)


def say(settings: Settings, folder: Path, lines: str, *options: str) -> dict[str, object]:
    """Send accounts by the command, and return what it says of it."""
    path = folder / "accounts.csv"
    path.write_text("account_id,segment,product,risk\n" + lines, encoding="utf-8")
    done = command("send", "--accounts", path, "--json", *options, **settings.variables())
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


@pytest.fixture
def rig(broker: Broker, tmp_path: Path) -> Iterator[Settings]:
    with own_rig(broker, tmp_path, SCOPED, partitions=str(PARTITIONS)) as settings:
        yield settings


def test_the_accounts_are_of_two_partitions() -> None:
    assert len({dealer(PARTITIONS)(account_id) for account_id in ACCOUNTS}) == PARTITIONS


def _has_rejected_one(worker: WorkerProcess, reason: str) -> bool:
    return value_of(worker.samples(), "weir_account_rejections_total", reason) == 1


@pytest.mark.slow
def test_attributes_decide_change_and_are_forgotten(rig: Settings, tmp_path: Path) -> None:
    said = say(rig, tmp_path, "A1,business,,low\nA2,,savings,\n,x,,\n")
    assert (said["accounts_sent"], said["accounts_rejected"]) == (2, 1)
    with running(rig) as worker:
        pay(rig, "T1", "A1", "600.00")
        pay(rig, "T2", "A2", "250.00")
        until_told(rig, worker, ("A2", "savings", "raised"))
        assert told(rig) == [("A2", "savings", "raised")]  # A1 has the limit of its segment
        # A record that cannot be used forgets what was known, is counted, and ends nothing.
        producer = KafkaProducer(bootstrap_servers=rig.broker.split(","), acks="all")
        topic = Topics.of(rig).accounts
        for key, value in ((b"A1", b"no JSON"), (b"A9", b'{"account_id": "A1"}')):
            producer.send(topic, value, key, partition=dealer(PARTITIONS)("A1")).get(30)
        producer.close()
        until_told(rig, worker, ("A1", "daily-amount", "raised"))
        for reason in ("malformed", "wrong-key"):
            until(
                partial(_has_rejected_one, worker, reason),
                "it is counted",
                worker,
            )
        say(rig, tmp_path, "A1,business,,\n")
        until_told(rig, worker, ("A1", "daily-amount", "withdrawn"))
        forgotten = say(rig, tmp_path, "A2,,,\n", "--forget")
        assert forgotten["accounts_sent"] == 1
        until_told(rig, worker, ("A2", "savings", "withdrawn"))


@pytest.mark.slow
def test_after_a_crash_and_where_a_partition_moves_to_they_are_known(
    rig: Settings, tmp_path: Path
) -> None:
    say(rig, tmp_path, "A1,business,,\nA2,business,,\n")
    with running(rig) as first:
        for account_id in ACCOUNTS:
            pay(rig, f"T-{account_id}", account_id, "600.00")
        until_taken_in(first, 2)
        until(
            lambda: value_of(first.samples(), "weir_last_flush_timestamp_seconds") > 0,
            "state is written",
            first,
        )
        first.kill()
    assert told(rig) == []
    say(rig, tmp_path, "A1,retail,savings,\n")
    with running(rig) as second:
        pay(rig, "T3", "A1", "1.00")
        until_told(rig, second, ("A1", "savings", "raised"))
        until_taken_in(second, 1)
        assert second.terminate() == 0
    with running(replace(rig, metrics_port=free_port())) as third:
        for account_id in ACCOUNTS:
            pay(rig, f"U-{account_id}", account_id, "90.00")
        pay(rig, "T4", "A2", "10.01")
        until_told(rig, third, ("A2", "business", "raised"))
    assert ("A2", "daily-amount", "raised") not in told(rig)
