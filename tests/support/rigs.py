"""Brokers and worker processes for tests: what is started here is ended here.

A test asks for `broker` (the embedded one, and once more real Kafka under the marker `kafka`), or
for `embedded_broker` where one is enough, and makes a rig on it: topics and a group of its own.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streams.kafka.admin import committed_of
from streams.kafka.cluster import cluster_of
from streams.lab.broker import EmbeddedBroker
from streams.lab.rig import Samples, WorkerProcess, rig, taken_in, total_of, without_weir
from streams.settings import Settings
from streams.topics.catalog import Topics
from tests.support.forked import forked_worker, run_command

WAIT_SECONDS_MAX: Final = 180.0
POLL_SECONDS: Final = 0.1

MARK: Final = b"a mark of the tests"

QUICK: Final = {"WEIR_SESSION_TIMEOUT_SECONDS": "3", "WEIR_HEARTBEAT_SECONDS": "0.75"}
"""The embedded broker lets a first join wait for half the session timeout."""

KAFKA: Final = {"WEIR_SESSION_TIMEOUT_SECONDS": "6", "WEIR_HEARTBEAT_SECONDS": "1.5"}
"""Kafka takes no session timeout below 6 s."""


class Broker(NamedTuple):
    """A broker that runs: its address, and settings of a worker that fit it."""

    address: str
    settings: dict[str, str]


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[Broker]:
    """One embedded broker for the whole session."""
    with EmbeddedBroker() as broker:
        yield Broker(broker.address, QUICK)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """The embedded broker, and then real Kafka."""
    if request.param == "embedded":
        embedded: Broker = request.getfixturevalue("embedded_broker")
        return embedded
    return Broker(request.getfixturevalue("apache_kafka").bootstrap, KAFKA)


@contextmanager
def own_rig(broker: Broker, folder: Path, policy: str, **given: str) -> Iterator[Settings]:
    """Make topics and a group of one's own; `given` are settings by their names."""
    file = folder / "policy.toml"
    file.write_text(policy, encoding="utf-8")
    name = f"test-{uuid4().hex[:8]}"
    own = {"WEIR_GROUP": name, "WEIR_TOPIC_PREFIX": f"{name}."}
    settings = {f"WEIR_{key.upper()}": value for key, value in given.items()}
    with rig(broker.address, file, broker.settings | own | settings) as made:
        yield made


@contextmanager
def running(settings: Settings, *command: str) -> Iterator[WorkerProcess]:
    """Run a worker (or another program of its kind), and see that it is gone afterwards."""
    worker = WorkerProcess(settings, command) if command else forked_worker(settings)
    try:
        yield worker
    finally:
        worker.close()


def command(*words: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a `weir` command to its end, with these settings (by their variables) and no others."""
    return run_command([*map(str, words)], without_weir(os.environ) | settings)


def until(
    reached: Callable[[], bool], what: str, worker: WorkerProcess | None = None,
    seconds: float = WAIT_SECONDS_MAX,
) -> None:  # fmt: skip
    """Wait until something is so; fails where the worker ends, or it takes too long."""
    deadline = time.monotonic() + seconds
    while not reached():
        if worker is not None:
            worker.ensure_running()
        if time.monotonic() > deadline:
            said = worker.last_words() if worker is not None else ""
            pytest.fail(f"not within {seconds:g} s: {what}. The worker said: {said}")
        time.sleep(POLL_SECONDS)


def has_partitions(worker: WorkerProcess, count: int) -> bool:
    """Return whether a worker has so many partitions."""
    return total_of(worker.samples(), "weir_partitions_assigned") == count


def until_taken_in(worker: WorkerProcess, records: int) -> None:
    """Wait until a worker has taken so many records in."""
    until(lambda: taken_in(worker.samples()) >= records, f"{records} records are taken in", worker)


def until_committed(settings: Settings, offset: int, partition: int = 0) -> None:
    """Wait until the group has committed a partition up to an offset.

    What a worker took in and did not commit, the next one takes in once more.
    """
    topic, cluster = Topics.of(settings).transactions, cluster_of(settings)
    until(
        lambda: committed_of(cluster, settings.group, topic, partition) >= offset,
        f"{offset} are committed",
    )


def until_ended(worker: WorkerProcess, seconds: float = WAIT_SECONDS_MAX) -> int:
    """Wait until a worker ends by itself, and return its exit status."""
    until(lambda: not worker.is_running(), "the worker ends", seconds=seconds)
    status = worker.exit_status()
    assert status is not None
    return status


def value_of(samples: Samples, name: str, *labels: str) -> float:
    """Return the value of a metric."""
    return samples[name, labels]


def records(first: int, count: int) -> list[tuple[bytes, bytes]]:
    """Return plain transactions of one account to send, with ids from `first` on."""
    return [
        (
            b"L",
            b'{"transaction_id": "%d", "account_id": "L", "booked_at": "2026-01-05T10:00:00Z",'
            b' "amount": "1.00", "currency": "EUR", "direction": "debit"}' % number,
        )
        for number in range(first, first + count)
    ]


def send(
    settings: Settings, records: Iterable[tuple[bytes | None, bytes | None]], partition: int = 0
) -> list[int]:
    """Send records (key, value) as they are to a partition of the transactions; their offsets."""
    producer = KafkaProducer(bootstrap_servers=settings.broker.split(","), acks="all", linger_ms=20)
    topic = Topics.of(settings).transactions
    sent = [producer.send(topic, value, key, partition=partition) for key, value in records]
    offsets = [future.get(30).offset for future in sent]
    producer.close()
    return offsets


def records_of(settings: Settings, topic: str) -> list[Any]:
    """Return every record of a topic, partition by partition, in order.

    A topic's end is found by a mark of our own that is put behind it: some brokers answer wrongly
    where one ends.
    """
    partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
    producer = KafkaProducer(bootstrap_servers=settings.broker.split(","), acks="all")
    mark = uuid4().bytes
    for tp in partitions:
        producer.send(topic, mark, MARK, partition=tp.partition).get(30)
    producer.close()
    consumer = KafkaConsumer(
        bootstrap_servers=settings.broker.split(","), auto_offset_reset="earliest",
        consumer_timeout_ms=30_000,
    )  # fmt: skip
    consumer.assign(partitions)
    records: dict[int, list[Any]] = {tp.partition: [] for tp in partitions}
    open_partitions = set(records)
    for record in consumer:
        if record.value == mark:
            open_partitions.discard(record.partition)
            if not open_partitions:
                break
        elif record.key != MARK:
            records[record.partition].append(record)
    consumer.close()
    assert not open_partitions, f"{topic} was not read to its end"
    return [record for batch in records.values() for record in batch]
