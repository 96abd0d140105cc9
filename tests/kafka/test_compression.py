"""Every compression of Kafka, by the producer and by the broker, through every reader."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from monitor.policy.document import DEFAULT_POLICY
from streams.kafka.admin import TopicSpec, create_topics
from streams.kafka.cluster import Cluster
from streams.kafka.compression import CODECS, Compression, compression_of
from streams.kafka.reader import records_of_topic
from streams.topics.catalog import Topics
from tests.kafka.apache_kafka import ApacheKafka
from tests.support.rigs import (
    KAFKA,
    Broker,
    command,
    own_rig,
    records_of,
    running,
    send,
    until_taken_in,
)

pytestmark = pytest.mark.kafka

SECONDS_MAX: Final = 60.0


def money(number: int) -> tuple[bytes, bytes]:
    fields = {
        "transaction_id": f"m-{number}", "account_id": "L", "booked_at": "2026-01-05T10:00:00Z",
        "amount": "0.50", "currency": "EUR", "direction": "debit",
    }  # fmt: skip
    return b"L", json.dumps(fields).encode()


async def produce(
    broker: str, topic: str, codec: str | None, records: Sequence[tuple[bytes, bytes]]
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, compression_type=codec, linger_ms=50)
    await producer.start()
    for key, value in records:
        await producer.send(topic, value, key, partition=0)
    await producer.stop()


async def values_of(broker: str, topic: str) -> list[bytes]:
    async with asyncio.timeout(SECONDS_MAX):
        return [record.value async for record in records_of_topic(Cluster(broker), topic, 1)]


@pytest.mark.parametrize("codec", CODECS)
def test_a_topic_that_the_broker_compresses_is_read(apache_kafka: ApacheKafka, codec: str) -> None:
    broker, topic = apache_kafka.bootstrap, f"by-broker-{uuid4().hex[:8]}"
    create_topics(Cluster(broker), [TopicSpec(topic, 1, {"compression.type": codec})], 1)
    records = [money(number) for number in range(500)]
    asyncio.run(produce(broker, topic, None, records))
    assert asyncio.run(values_of(broker, topic)) == [value for _, value in records]


def test_check_writes_and_reads_each_and_deletes_its_topic(apache_kafka: ApacheKafka) -> None:
    broker, topic = apache_kafka.bootstrap, f"probe-{uuid4().hex[:8]}"
    create_topics(Cluster(broker), [TopicSpec(topic, 1, {})], 1)
    assert compression_of(Cluster(broker), topic) == Compression((), ())
    given = {"WEIR_BROKER": broker, "WEIR_TOPIC_PREFIX": "coded.", "WEIR_GROUP": "coded"}
    done = command("check", "--create-topics", "--json", **given)
    found = json.loads(done.stdout)
    assert (done.returncode, found["codecs_unreadable"], found["codecs_refused"]) == (0, [], [])
    admin = KafkaAdminClient(bootstrap_servers=[broker])
    assert not [topic for topic in admin.list_topics() if topic.startswith("weir-probe")]
    admin.close()


def test_check_says_which_topics_would_lose_state_or_refuse_records(
    apache_kafka: ApacheKafka,
) -> None:
    broker, name = apache_kafka.bootstrap, f"wrong-{uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=[broker])
    admin.create_topics([
        NewTopic(f"{name}-state-changelog", 1, 1, topic_configs={"cleanup.policy": "delete"}),
        NewTopic(f"{name}.alerts.v1", 1, 1, topic_configs={"max.message.bytes": "100000"}),
    ])  # fmt: skip
    admin.close()
    given = {"WEIR_BROKER": broker, "WEIR_TOPIC_PREFIX": f"{name}.", "WEIR_GROUP": name}
    done = command("check", "--create-topics", "--json", **given | {"WEIR_PARTITIONS": "1"})
    wrong = json.loads(done.stdout)["wrong"]
    assert done.returncode == 3
    assert any("state-changelog must have cleanup.policy compact, not delete" in w for w in wrong)
    assert any("alerts.v1 must take records of 900000 bytes" in why for why in wrong)


def test_a_codec_without_its_library_is_said(
    apache_kafka: ApacheKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, topic = apache_kafka.bootstrap, f"probe-{uuid4().hex[:8]}"
    create_topics(Cluster(broker), [TopicSpec(topic, 1, {})], 1)
    monkeypatch.setattr("aiokafka.codec.cramjam", None)
    assert compression_of(Cluster(broker), topic) == Compression((), ("snappy", "lz4", "zstd"))


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["run", "records", "plain"])
def test_a_worker_reads_and_writes_topics_of_every_compression(
    apache_kafka: ApacheKafka, tmp_path: Path, transport: str
) -> None:
    broker = Broker(apache_kafka.bootstrap, KAFKA)
    policy = DEFAULT_POLICY.replace('above = "2000.00"', 'above = "999.99"')
    with own_rig(broker, tmp_path, policy, partitions="1", transport=transport) as settings:
        topics = Topics.of(settings)
        admin = KafkaAdminClient(bootstrap_servers=[settings.broker])
        by_broker = [topics.alerts, topics.changelog, topics.account_days, topics.segment_days]
        admin.delete_topics(by_broker)
        admin.create_topics([
            NewTopic(name, 1, 1, topic_configs={"compression.type": codec})
            for name, codec in zip(by_broker, CODECS, strict=True)
        ])  # fmt: skip
        admin.close()
        for place, codec in enumerate(CODECS):
            batch = [money(number) for number in range(place * 500, (place + 1) * 500)]
            asyncio.run(produce(settings.broker, topics.transactions, codec, batch))
        with running(settings) as worker:
            until_taken_in(worker, 2000)
            assert worker.samples()["weir_transactions_total", ()] == 2000
            assert worker.terminate() == 0
        with running(settings) as worker:  # from a changelog that the broker compressed
            send(settings, [money(1999), money(2000)])
            until_taken_in(worker, 2)
            assert worker.samples()["weir_rejections_total", ("duplicate",)] == 1
            assert worker.terminate() == 0
        alerts = asyncio.run(values_of(settings.broker, topics.alerts))
        told = {json.loads(value)["value"] for value in alerts}
        assert "1000.00" in told
        assert records_of(settings, topics.rejections)
