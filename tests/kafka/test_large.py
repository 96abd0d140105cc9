"""Records as large as a topic of Kafka takes them do not stop a worker."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from kafka import KafkaProducer

from monitor.policy.document import DEFAULT_POLICY
from streams.topics.catalog import Topics
from tests.kafka.apache_kafka import ApacheKafka
from tests.support.rigs import (
    KAFKA,
    Broker,
    own_rig,
    records,
    records_of,
    running,
    send,
    until_taken_in,
)

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_a_megabyte_of_escapes_is_rejected_once_and_the_next_record_is_taken(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    largest = b"\x01" * 1_048_400
    sent = [(b"L", largest), (largest, b"x"), (b"L", b"\xff" * 1_048_400)]
    broker = Broker(apache_kafka.bootstrap, KAFKA)
    with own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="1") as settings:
        topics = Topics.of(settings)
        producer = KafkaProducer(
            bootstrap_servers=settings.broker, acks="all", max_request_size=2_000_000
        )
        for key, value in sent:
            producer.send(topics.transactions, value, key, partition=0).get(30)
        producer.close()
        send(settings, records(0, 1))
        with running(settings) as worker:
            until_taken_in(worker, 4)
            assert worker.terminate() == 0
        with running(settings) as worker:  # nothing of it comes again
            send(settings, records(1, 1))
            until_taken_in(worker, 1)
            assert worker.samples()["weir_transactions_total", ()] == 1
            assert worker.terminate() == 0
        told = [json.loads(record.value) for record in records_of(settings, topics.rejections)]
    for fields, (key, value) in zip(told, sent, strict=True):
        assert (fields["key_bytes"], fields["record_bytes"]) == (len(key), len(value))
        assert fields["record_sha256"] == sha256(value).hexdigest()
        assert fields["key_sha256"] == sha256(key).hexdigest()
