"""The real Kafka of the tests does what the other tests rely on."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from streams.kafka.admin import TopicSpec, check
from streams.kafka.cluster import Cluster
from tests.kafka.apache_kafka import ApacheKafka
from tests.kafka.jars import KafkaUnavailableError, jars, java, kafka_version

pytestmark = pytest.mark.kafka


def a_topic(kafka: ApacheKafka, partitions: int = 1) -> str:
    name = f"topic-{uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=[kafka.bootstrap])
    admin.create_topics([NewTopic(name, partitions, 1)])
    admin.close()
    return name


def produce(kafka: ApacheKafka, topic: str, values: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=[kafka.bootstrap], acks="all", linger_ms=50)
    sent = [producer.send(topic, value=value, partition=0) for value in values]
    for future in sent:
        future.get(10)
    producer.close()


def consume(kafka: ApacheKafka, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        bootstrap_servers=[kafka.bootstrap],
        auto_offset_reset="earliest",
        consumer_timeout_ms=10_000,
    )
    consumer.assign([TopicPartition(topic, 0)])
    values = []
    for record in consumer:
        values.append(record.value)
        if len(values) == count:
            break
    consumer.close()
    return values


def test_what_is_produced_is_consumed(apache_kafka: ApacheKafka) -> None:
    topic = a_topic(apache_kafka)
    values = [b"%d" % number for number in range(1000)]
    produce(apache_kafka, topic, values)
    assert consume(apache_kafka, topic, 1000) == values


def test_a_topic_that_was_not_created_is_an_error(apache_kafka: ApacheKafka) -> None:
    producer = KafkaProducer(
        bootstrap_servers=[apache_kafka.bootstrap], max_block_ms=1000, retries=0
    )
    with pytest.raises(KafkaError):
        producer.send("never-created", value=b"1").get(5)
    producer.close()


def test_weir_check_finds_it_right(apache_kafka: ApacheKafka) -> None:
    spec = TopicSpec(f"topic-{uuid4().hex[:8]}", 3, {})
    found = check(Cluster(apache_kafka.bootstrap), [spec], create=True, replication=1)
    assert found.latest_offset_right
    assert found.created == (spec.name,)
    assert found.brokers == 1
    assert not check(Cluster(apache_kafka.bootstrap), [spec], create=False, replication=1).missing


@pytest.mark.slow
def test_a_restart_and_a_kill_keep_the_port_and_what_was_acknowledged(
    own_apache_kafka: ApacheKafka,
) -> None:
    kafka = own_apache_kafka
    kafka.start()
    bootstrap, pid = kafka.bootstrap, kafka.pid
    topic = a_topic(kafka)
    produce(kafka, topic, [b"before"])
    kafka.restart()
    assert (kafka.bootstrap, kafka.pid == pid) == (bootstrap, False)
    produce(kafka, topic, [b"between"])
    kafka.kill()
    assert not kafka.is_running()
    kafka.start()
    assert consume(kafka, topic, 2) == [b"before", b"between"]


def test_a_start_that_cannot_work_says_why_and_leaves_nothing_running(
    kafka_jars: Path, tmp_path: Path
) -> None:
    kafka = ApacheKafka(kafka_jars, tmp_path, {"log.retention.ms": "soon"})
    with pytest.raises((RuntimeError, subprocess.CalledProcessError)):
        kafka.start()
    assert not kafka.is_running()


def test_without_java_or_maven_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("WEIR_KAFKA_HOME", str(tmp_path / "home"))
    with pytest.raises(KafkaUnavailableError, match="install Java"):
        java()
    with pytest.raises(KafkaUnavailableError, match="install Maven"):
        jars()
    assert not (tmp_path / "home" / kafka_version()).exists()


def test_the_jars_are_told_on_the_command_line(kafka_jars: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tests.kafka.jars"],
        capture_output=True, text=True, check=True, env=dict(os.environ),
    )  # fmt: skip
    assert said.stdout.strip() == str(kafka_jars)
