"""What of a broker's errors a worker takes for an outage, and what for a crash of its own."""

import asyncio

import aiokafka.errors as kafka
import pytest
from aiokafka.structs import TopicPartition

from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import Cluster
from streams.kafka.producer import Outbox, is_of_broker


@pytest.mark.parametrize(
    "error",
    [
        kafka.KafkaConnectionError("closed"),
        kafka.NodeNotReadyError("not ready"),
        kafka.RequestTimedOutError("40 s"),
        kafka.KafkaTimeoutError("no room in the queue"),
        kafka.NotEnoughReplicasError("1 of 2"),
        BrokerError("no broker answers"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_broker_that_is_away_or_not_able_now_is_at_fault_itself(error: Exception) -> None:
    assert is_of_broker(error)


@pytest.mark.parametrize(
    "error",
    [
        kafka.MessageSizeTooLargeError("1 MB"),
        kafka.TopicAuthorizationFailedError("weir.alerts.v1"),
        kafka.IllegalStateError("of the client"),
        ValueError("of ours"),
        ConnectionError("not Kafka's"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_waiting_mends_is_not(error: Exception) -> None:
    assert not is_of_broker(error)


def test_records_wait_as_long_as_they_are_told_to() -> None:
    async def waits() -> list[tuple[int, float]]:
        outbox = Outbox(Cluster("127.0.0.1:1"), apart=(("t",),))
        outbox.wait_for(120.0)
        found = []
        for producer in outbox._producers:
            builder = producer.create_batch()
            batch = producer._message_accumulator._append_batch(builder, TopicPartition("t", 0))
            found.append((producer._request_timeout_ms, batch._ttl))
            batch.future.cancel()
        await outbox.stop()
        return found

    assert asyncio.run(waits()) == [(120_000, 120.0)] * 2
