"""A reader of a topic knows where it ends, on the broker that says it wrongly, too."""

import asyncio
from contextlib import suppress
from pathlib import Path

import aiokafka.client
import pytest
from aiokafka.errors import KafkaError

from monitor.policy.document import DEFAULT_POLICY
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox, Outgoing
from streams.kafka.reader import TopicReader
from streams.security import SecretError
from streams.topics.catalog import Topics
from tests.support.rigs import Broker, own_rig


async def read_to_the_end(tail: TopicReader) -> list[bytes]:
    values: list[bytes] = []
    while not await tail.is_at_end():
        values += [record.value for record in await tail.read()]
    return values


def test_what_came_since_the_last_look_is_read_too(broker: Broker, tmp_path: Path) -> None:
    async def run() -> None:
        with own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="3") as settings:
            topic = Topics.of(settings).alerts
            outbox = Outbox(cluster_of(settings))
            tail = TopicReader(cluster_of(settings), topic, partitions=3)
            await outbox.start()
            await tail.start()
            try:
                assert await read_to_the_end(tail) == []
                for number in range(20):
                    values = [b"%d-%d" % (number, place) for place in range(5)]
                    records = [Outgoing(None, value) for value in values]
                    await outbox.write(topic, number % 3, records)
                    await tail.look_again()
                    assert await read_to_the_end(tail) == values
            finally:
                await tail.stop()
                await outbox.stop()

    asyncio.run(run())


def test_a_reader_goes_on_after_an_error_of_the_system_and_tells_of_any_other(
    embedded_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it connects again, a secret's file may be empty for a moment; aiokafka knows such errors.

    Of one that it does not know it logs a line and reads nothing any more, for ever.
    """
    errors: list[Exception] = []
    connect = aiokafka.client.create_conn

    async def create_conn(*given: object, **options: object) -> object:
        if errors:
            raise errors.pop()
        return await connect(*given, **options)

    monkeypatch.setattr(aiokafka.client, "create_conn", create_conn)

    async def run() -> None:
        with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY, partitions="1") as settings:
            topic, tail = Topics.of(settings).alerts, None
            outbox = Outbox(cluster_of(settings))
            tail = TopicReader(cluster_of(settings), topic, partitions=1)
            await outbox.start()
            await tail.start()
            try:
                await read_to_the_end(tail)
                for error, is_known in ((SecretError("empty"), True), (ValueError("?"), False)):
                    errors.append(error)
                    for connection in [*tail._consumer._client._conns.values()]:
                        connection.close()
                    # Only now: what was on its way before would be read without a connection.
                    await outbox.write(topic, 0, [Outgoing(None, b"value")])
                    if is_known:
                        assert await one_of(tail) == b"value"
                    else:
                        with pytest.raises(KafkaError, match="has ended by an error"):
                            await read_on(tail)
                    assert errors == []
            finally:
                await outbox.stop()
                with suppress(KafkaError):  # aiokafka says now what it was that ended
                    await tail.stop()
                await tail._consumer._client.close()

    asyncio.run(run())


async def one_of(tail: TopicReader) -> bytes:
    """Return the next value of a topic, which comes within some seconds."""
    async with asyncio.timeout(20):
        while not (found := await tail.read()):
            pass
    value: bytes = found[0].value
    return value


async def read_on(tail: TopicReader) -> None:
    """Read until that is an error: what had come before may still be there."""
    while True:
        await one_of(tail)
