"""A client waits for no answer of a broker that is given up, or on a connection that is mute."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import CloseReason
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest
from aiokafka.protocol.metadata import MetadataResponse_v1
from aiokafka.protocol.produce import ProduceRequest
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka import connections
from streams.kafka.connections import (
    LOOK_SECONDS,
    SILENT_SECONDS,
    MuteConnections,
    end_with_broker,
)
from tests.support.laws import law


class Connection:
    """A connection on which answers are due, and of which the end is looked at."""

    def __init__(self) -> None:
        self.reasons: list[CloseReason] = []
        self._requests: deque[tuple[int, object, object]] = deque()
        self._reader = SimpleNamespace(_buffer=bytearray())

    def ask(self, number: int, request: type) -> None:
        """Let the answer to a request be due."""
        self._requests.append((number, request, None))

    def hear(self, *, whole: bool) -> None:
        """Let some bytes of the answer come, or the rest of it."""
        self._reader._buffer += b"."
        if whole:
            number, request, _ = self._requests.popleft()
            self._reader._buffer.clear()
            self.ask(number + 1, request)  # type: ignore[arg-type]

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


# -- connections that are mute --------------------------------------------------------------------


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


looks = st.lists(
    st.tuples(
        st.floats(0.1, 60.0),  # seconds before a look
        st.sampled_from(["nothing", "some bytes", "the rest"]),  # what has come since the last one
    ),
    max_size=40,
)


@law(100)
@given(looks)
def test_a_connection_is_mute_if_nothing_came_of_what_is_due_for_so_long(
    looks: list[tuple[float, str]],
) -> None:
    clock = Clock()
    mute, connection = MuteConnections(clock), Connection()
    connection.ask(1, FetchRequest)
    assert mute.among([connection]) == []
    heard_at, gaps = clock.now, list[float]()
    for seconds, came in looks:
        clock.now += seconds
        gaps.append(seconds)
        if came != "nothing":
            connection.hear(whole=came == "the rest")
            heard_at, gaps = clock.now, []
        found = mute.among([connection])
        if clock.now - heard_at < SILENT_SECONDS or len(gaps) < SILENT_SECONDS / LOOK_SECONDS / 2:
            # A client that stood still itself has not read what came: one look says little.
            assert found == []
        if sum(seconds >= LOOK_SECONDS for seconds in gaps) > SILENT_SECONDS / LOOK_SECONDS:
            assert found == [connection]


@pytest.mark.parametrize("request_of", [ProduceRequest, JoinGroupRequest, SyncGroupRequest])
def test_a_broker_may_leave_a_request_unanswered_that_waits_for_others(request_of: type) -> None:
    clock = Clock()
    mute, connection = MuteConnections(clock), Connection()
    connection.ask(1, request_of)
    connection.ask(2, FetchRequest)  # answered in their order
    for _ in range(40):
        clock.now += LOOK_SECONDS
        assert mute.among([connection]) == []


def test_nothing_is_due_on_a_connection_without_requests() -> None:
    clock = Clock()
    mute, connection = MuteConnections(clock), Connection()
    for _ in range(40):
        clock.now += LOOK_SECONDS
        assert mute.among([connection]) == []


@pytest.mark.parametrize("is_answered", [True, False], ids=["others-answer", "none-answers"])
def test_a_client_ends_a_connection_that_is_mute(
    monkeypatch: pytest.MonkeyPatch, *, is_answered: bool
) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.03)

    async def work(client: AIOKafkaClient) -> None:
        client._metadata_update = hang
        end_with_broker(client)
        names = [(1, ConnectionGroup.DEFAULT), (1, ConnectionGroup.COORDINATION)]
        made = client._conns = {name: Connection() for name in names}
        made[names[0]].ask(1, FetchRequest)
        async with asyncio.timeout(30):
            while not made[names[0]].reasons:
                if is_answered:
                    cluster_has(client, 1, 2, 3)
                    await asyncio.sleep(0.01)
                else:
                    await client._metadata_update(ClusterMetadata(), set())
        assert made[names[0]].reasons[0] == CloseReason.CONNECTION_BROKEN
        assert made[names[1]].reasons == []

    with_client(work)
