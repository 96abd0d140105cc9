"""The fixtures of tests/kafka/broker.py, for the tests beside it."""

from tests.kafka.broker import apache_kafka, kafka_jars, own_apache_kafka

__all__ = ["apache_kafka", "kafka_jars", "own_apache_kafka"]
