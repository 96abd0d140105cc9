"""A changelog that was deleted or truncated is said; it is never taken for a beginning."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, TopicPartition

from monitor.policy.document import DEFAULT_POLICY
from streams.kafka.admin import TopicSpec, create_topics, delete_topics, partitions_of
from streams.kafka.cluster import cluster_of
from streams.settings import Settings, settings_of
from streams.topics.catalog import Topics
from tests.kafka.apache_kafka import ApacheKafka
from tests.support.rigs import (
    KAFKA,
    Broker,
    command,
    own_rig,
    records,
    running,
    send,
    until,
    until_ended,
    until_taken_in,
)

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def settings(apache_kafka: ApacheKafka, tmp_path: Path) -> Iterator[Settings]:
    """A group that has committed ten transactions of one partition, in several flushes."""
    broker = Broker(apache_kafka.bootstrap, KAFKA)
    with own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="1", flush_seconds="0.1") as made:
        # Kafka lets nobody delete records of a topic that is compacted alone.
        _make_anew(made, {"cleanup.policy": "compact,delete"})
        with running(made) as worker:
            for first in range(0, 10, 2):
                send(made, records(first, 2))
                until_taken_in(worker, first + 2)
            assert worker.terminate() == 0
        yield made


def test_a_changelog_that_was_made_anew_ends_a_worker_with_status_3(settings: Settings) -> None:
    _make_anew(settings, {"cleanup.policy": "compact"})
    ended = command("worker", **settings.variables())
    assert ended.returncode == 3
    assert "state is lost: the group" in ended.stderr
    assert "WEIR_ACCEPT_STATE_LOSS=yes" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_changelog_whose_beginning_is_gone_ends_a_worker_with_status_3(
    settings: Settings,
) -> None:
    topic = TopicPartition(Topics.of(settings).changelog, 0)
    admin = KafkaAdminClient(bootstrap_servers=[settings.broker])
    end = admin.list_partition_offsets({topic: -1})[topic].offset
    admin.delete_records({topic: end - 1}, timeout_ms=10_000)  # all but the last seal
    with running(settings) as worker:
        send(settings, records(10, 1))
        assert until_ended(worker) == 3
        assert "of 1 buckets and 0 of" in worker.last_words()
        assert "Traceback" not in worker.last_words()
    accepted = settings.variables() | {"WEIR_ACCEPT_STATE_LOSS": "yes"}
    with running(settings_of(accepted)) as worker:
        until_taken_in(worker, 1)
        assert "WEIR_ACCEPT_STATE_LOSS=yes: state of partition 0 is lost" in worker.last_words()
        assert worker.terminate() == 0
    with running(settings) as worker:  # what was accepted is as it is now
        send(settings, records(11, 1))
        until_taken_in(worker, 1)
        assert worker.terminate() == 0
    # And all of it, behind the worker's look at its start.
    end = admin.list_partition_offsets({topic: -1})[topic].offset
    admin.delete_records({topic: end}, timeout_ms=10_000)
    admin.close()
    ended = command("worker", **settings.variables())
    assert ended.returncode == 3
    assert "has nothing of them" in ended.stderr


def _make_anew(settings: Settings, config: dict[str, str]) -> None:
    """Delete the changelog, and create it again."""
    spec = TopicSpec(Topics.of(settings).changelog, 1, config)
    delete_topics(cluster_of(settings), [spec])
    until(lambda: partitions_of(cluster_of(settings), spec.name) is None, "it is deleted")
    create_topics(cluster_of(settings), [spec], 1)
    until(lambda: partitions_of(cluster_of(settings), spec.name) == 1, "it is there again")
