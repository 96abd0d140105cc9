"""The brokers that tests run on, one of each kind for the whole session."""

from tests.kafka.broker import apache_kafka, kafka_jars, own_apache_kafka
from tests.rigs import broker, embedded_broker

__all__ = ["apache_kafka", "broker", "embedded_broker", "kafka_jars", "own_apache_kafka"]
