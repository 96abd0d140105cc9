"""Fixtures: a real Apache Kafka for the tests that need one, or a loud skip with the reason.

A test asks for `apache_kafka` (one node for the whole session; its topics are yours to name) or
for `own_apache_kafka` (a node of its own, to be stopped, killed and started again), and carries
`@pytest.mark.kafka`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.apache_kafka import SHORT_SESSION, ApacheKafka
from tests.kafka.jars import KafkaUnavailableError, jars, java


@pytest.fixture(scope="session")
def kafka_jars() -> Path:
    """The folder with Kafka's jars; skips where Java or the jars cannot be had."""
    try:
        java()
        return jars()
    except KafkaUnavailableError as error:
        pytest.skip(f"NO APACHE KAFKA, this was not tested against the real thing: {error}")


@pytest.fixture(scope="session")
def apache_kafka(
    kafka_jars: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApacheKafka]:
    """One running Kafka for the whole session."""
    with ApacheKafka(kafka_jars, tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture
def own_apache_kafka(kafka_jars: Path, tmp_path: Path) -> Iterator[ApacheKafka]:
    """A Kafka of the test's own, not started yet."""
    kafka = ApacheKafka(kafka_jars, tmp_path / "kafka", SHORT_SESSION)
    yield kafka
    kafka.stop()
