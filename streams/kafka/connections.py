"""Connections to brokers that stand still: ended as soon as the cluster has given the broker up.

A broker that hangs, or that the network hides, keeps its connections open. aiokafka then waits for
an answer for 40 s, and Faust's consumer for 90 s, though another broker leads the partitions after
`broker.session.timeout.ms` (9 s). So a client asks often which brokers there are, and not for long,
and ends its connections to all others: it asks the next leader again.
"""

import asyncio
from typing import Any, Final

from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import CloseReason

LOOK_SECONDS: Final = 3.0
"""So often a client asks which brokers there are."""

ANSWER_SECONDS: Final = 5.0
"""So long it waits for the answer, or for a connection, before it asks another broker."""


def end_with_broker(client: Any) -> None:  # noqa: ANN401 - aiokafka's, which ships no types
    """Let a client that is not started yet end its connections to brokers that are given up."""
    client._metadata_max_age_ms = round(LOOK_SECONDS * 1000)  # noqa: SLF001 - no setting of all clients leads there
    connect, update = client._get_conn, client._metadata_update  # noqa: SLF001 - all that is sent goes through them

    async def connect_soon(*given: object, **options: object) -> object:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await connect(*given, **options)
        except TimeoutError:
            client.force_metadata_update()
            return None  # as aiokafka has it where it cannot connect

    async def update_soon(*given: object) -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                updated: bool = await update(*given)
        except TimeoutError:
            return False
        return updated

    def end_others(cluster: ClusterMetadata) -> None:
        there = {broker.nodeId for broker in cluster.brokers()}
        for (node, _), connection in tuple(client._conns.items()):  # noqa: SLF001 - nothing public says it
            if isinstance(node, int) and node not in there:
                connection.close(reason=CloseReason.CONNECTION_BROKEN)

    client._get_conn, client._metadata_update = connect_soon, update_soon  # noqa: SLF001 - as above
    client.cluster.add_listener(end_others)
