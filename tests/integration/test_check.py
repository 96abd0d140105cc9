"""`weir check`: what it finds of a broker, and what it exits with."""

import json

import pytest

from streams.lab.broker import free_port
from tests.kafka.apache_kafka import ApacheKafka
from tests.support.rigs import Broker, command


def test_the_embedded_broker_is_said_to_answer_wrongly_where_a_topic_ends(
    embedded_broker: Broker,
) -> None:
    given = {"WEIR_BROKER": embedded_broker.address, "WEIR_TOPIC_PREFIX": "checked."}
    given["WEIR_GROUP"] = "checked"
    missing = command("check", "--json", **given)
    assert missing.returncode == 3
    found = json.loads(missing.stdout)
    assert found["ready"] is False
    assert "checked.transactions.v1" in found["missing"]
    assert found["latest_offset_right"] is False

    created = command("check", "--create-topics", "--json", **given)
    assert created.returncode == 0, created.stderr
    found = json.loads(created.stdout)
    assert (found["ready"], found["missing"]) == (True, [])
    assert "checked-state-changelog" in found["created"]
    assert found["latest_offset_right"] is False

    told = command("check", **given)
    assert told.returncode == 0
    assert "answers wrongly where a topic ends" in told.stdout
    assert f"{embedded_broker.address}: ready" in told.stdout

    other = command("check", "--json", **given | {"WEIR_PARTITIONS": "5"})
    assert other.returncode == 3
    assert any("WEIR_PARTITIONS makes it 5" in why for why in json.loads(other.stdout)["wrong"])


@pytest.mark.kafka
def test_kafka_is_said_to_answer_rightly(apache_kafka: ApacheKafka) -> None:
    given = {"WEIR_BROKER": apache_kafka.bootstrap, "WEIR_TOPIC_PREFIX": "checked."}
    given["WEIR_GROUP"] = "checked"
    created = command("check", "--create-topics", "--json", **given)
    assert created.returncode == 0, created.stderr
    found = json.loads(created.stdout)
    assert found["latest_offset_right"] is True
    told = command("check", **given)
    assert told.returncode == 0
    assert "wrongly" not in told.stdout


@pytest.mark.slow
def test_without_a_broker_it_says_so_with_status_3() -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = command("check", WEIR_BROKER=address)
    assert ended.returncode == 3
    assert f"no broker answers at {address}" in ended.stderr
