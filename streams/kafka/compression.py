"""Find out by which codecs a broker takes records, and whether this installation reads them."""

import asyncio
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import Cluster
from streams.kafka.reader import first_record

CODECS: Final = ("gzip", "snappy", "lz4", "zstd")
"""Every compression that Kafka knows, by the names of `compression.type`."""

TIMEOUT_SECONDS: Final = 10.0

_VALUE: Final = b"compressed " * 100


class Compression(NamedTuple):
    """What is not as it should be: codecs that the broker refuses, or that we cannot read."""

    refused: tuple[str, ...]
    unreadable: tuple[str, ...]


def compression_of(broker: Cluster, topic: str) -> Compression:
    """Write a record by each codec to the first partition of a topic, and read it back."""
    refused, unreadable = [], []
    for codec in CODECS:
        try:
            offset = asyncio.run(_written(broker, topic, codec))
        except (KafkaError, TimeoutError):
            refused.append(codec)
            continue
        except RuntimeError:  # aiokafka has no library for it
            unreadable.append(codec)
            continue
        try:
            found = first_record(broker, (topic, 0), offset, offset + 1, TIMEOUT_SECONDS)
        except BrokerError:
            found = None
        if found != offset:
            unreadable.append(codec)
    return Compression(tuple(refused), tuple(unreadable))


async def _written(broker: Cluster, topic: str, codec: str) -> int:
    """Write a record by a codec; return its offset. Raises RuntimeError without its library."""
    producer = AIOKafkaProducer(**broker.for_aiokafka(), compression_type=codec, acks="all")
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await producer.start()
        try:
            written = await producer.send_and_wait(topic, _VALUE, partition=0)
            return int(written.offset)
        finally:
            await producer.stop()
