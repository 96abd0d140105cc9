"""A producer with Kafka's transactions, for tests on a real broker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from aiokafka import AIOKafkaProducer

Sent = tuple[bytes | None, bytes | None]
"""Key and value of a record."""


@asynccontextmanager
async def a_transaction(
    broker: str, topic: str, records: Sequence[Sent], partition: int = 0
) -> AsyncIterator[AIOKafkaProducer]:
    """Have a transaction open that has written records; whoever asks for it ends it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=broker, transactional_id=f"test-{uuid4().hex[:8]}", acks="all"
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        answers = [
            await producer.send(topic, value, key, partition=partition) for key, value in records
        ]
        for answer in answers:  # a flush says nothing of a record that the broker refused
            await answer
        yield producer
    finally:
        await producer.stop()


async def transact(
    broker: str, topic: str, records: Sequence[Sent], partition: int = 0, *, commits: bool
) -> None:
    """Write records in a transaction of their own, and commit or abort it."""
    async with a_transaction(broker, topic, records, partition) as producer:
        if commits:
            await producer.commit_transaction()
        else:
            await producer.abort_transaction()


def committed(broker: str, topic: str, records: Sequence[Sent], partition: int = 0) -> None:
    """Write records in a transaction that is committed: a marker stands behind them."""
    asyncio.run(transact(broker, topic, records, partition, commits=True))


def aborted(broker: str, topic: str, records: Sequence[Sent], partition: int = 0) -> None:
    """Write records in a transaction that is aborted: they never were."""
    asyncio.run(transact(broker, topic, records, partition, commits=False))
