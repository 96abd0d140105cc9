"""The brokers that tests run on, one of each kind for the whole session."""

from hypothesis import settings

from tests.kafka.broker import apache_kafka, kafka_jars, own_apache_kafka
from tests.support.rigs import broker, embedded_broker

__all__ = ["apache_kafka", "broker", "embedded_broker", "kafka_jars", "own_apache_kafka"]

# What is slow on a busy machine is not wrong: nothing is judged by the clock.
settings.register_profile("weir", deadline=None)
settings.load_profile("weir")
