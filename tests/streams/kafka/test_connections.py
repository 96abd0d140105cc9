"""A client waits for no answer of a broker that the cluster has given up."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import CloseReason
from aiokafka.protocol.metadata import MetadataResponse_v1

from streams.kafka import connections
from streams.kafka.connections import LOOK_SECONDS, end_with_broker


class Connection:
    """A connection of which only its end is looked at."""

    def __init__(self) -> None:
        self.reasons: list[CloseReason] = []

    def close(self, reason: CloseReason) -> None:
        self.reasons.append(reason)


async def hang(*_: object, **__: object) -> None:
    """Be a broker that stands still."""
    await asyncio.Event().wait()


def cluster_has(client: AIOKafkaClient, *nodes: int) -> None:
    """Let a client hear that the cluster has these brokers."""
    brokers = [(node, "127.0.0.1", 9000 + node, None) for node in nodes]
    client.cluster.update_metadata(MetadataResponse_v1(brokers, nodes[0], []))


def with_client(work: Callable[[AIOKafkaClient], Awaitable[None]]) -> None:
    async def run() -> None:
        await work(AIOKafkaClient(bootstrap_servers="127.0.0.1:1"))

    asyncio.run(run())


def test_connections_to_brokers_that_the_cluster_has_no_more_are_ended_and_no_others() -> None:
    async def work(client: AIOKafkaClient) -> None:
        end_with_broker(client)
        names = [
            (1, ConnectionGroup.DEFAULT), (2, ConnectionGroup.DEFAULT),
            (2, ConnectionGroup.COORDINATION), ("bootstrap", ConnectionGroup.DEFAULT),
        ]  # fmt: skip
        made = client._conns = {name: Connection() for name in names}
        cluster_has(client, 1, 2, 3)
        assert not any(connection.reasons for connection in made.values())
        cluster_has(client, 1, 3)
        ended = {name for name, connection in made.items() if connection.reasons}
        assert ended == {(2, group) for group in ConnectionGroup}
        # By this reason the client asks who leads the partitions now.
        assert made[2, ConnectionGroup.DEFAULT].reasons == [CloseReason.CONNECTION_BROKEN]

    with_client(work)


def test_a_broker_that_does_not_answer_is_asked_for_the_others_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.05)

    async def work(client: AIOKafkaClient) -> None:
        client._metadata_update = client._get_conn = hang
        end_with_broker(client)
        async with asyncio.timeout(30):
            assert await client._metadata_update(ClusterMetadata(), set()) is False
            assert await client._get_conn(2, group=ConnectionGroup.DEFAULT) is None
        assert client._md_update_waiter.done(), "others are asked at once"

    with_client(work)


def test_a_client_asks_often_which_brokers_there_are() -> None:
    async def work(client: AIOKafkaClient) -> None:
        end_with_broker(client)
        assert client._metadata_max_age_ms == LOOK_SECONDS * 1000

    with_client(work)
