"""Connections on which nothing comes any more: ended long before a client would give them up.

A broker that hangs, or that the network hides, keeps its connections open. aiokafka then waits for
an answer for 40 s, and Faust's consumer for 90 s, though another broker leads the partitions after
`broker.session.timeout.ms` (9 s). So a client asks often which brokers there are, and not for long,
and ends its connections to all others: it asks the next leader again.

What lies between may forget a connection and say so to nobody, as a firewall does: the broker lives
and leads on. So a client also ends a connection on which an answer is due, and no byte of it comes.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import CloseReason

LOOK_SECONDS: Final = 3.0
"""So often a client asks which brokers there are."""

ANSWER_SECONDS: Final = 5.0
"""So long it waits for the answer, or for a connection, before it asks another broker."""

SILENT_SECONDS: Final = 15.0
"""So long no byte comes of an answer that is due, before its connection is ended.

Longer than `broker.session.timeout.ms`: a broker that hangs is the cluster's to give up.
"""

HELD: Final = frozenset({0, 11, 14})
"""Requests that a broker may leave unanswered for longer, by their keys: Produce waits for copies,
JoinGroup and SyncGroup wait for other members."""


class MuteConnections:
    """How long which connections owe an answer of which nothing comes; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_at = clock()
        self._seen: dict[Any, tuple[tuple[int, int], float]] = {}  # what was due and had come

    def among(self, connections: Iterable[Any]) -> list[Any]:
        """Return those of aiokafka's connections that were mute for SILENT_SECONDS or more.

        Only looks tell: it is to be called every LOOK_SECONDS or so.
        """
        now = self._clock()
        # We may have stood still ourselves, and what has come meanwhile is not read yet.
        since = min(now - self._looked_at, 2 * LOOK_SECONDS)
        self._looked_at = now
        before, self._seen = self._seen, {}
        for connection in connections:
            pending = connection._requests  # noqa: SLF001 - nothing public says what is due
            if not pending or pending[0][1].API_KEY in HELD:
                continue
            come = connection._reader._buffer  # noqa: SLF001 - a long answer comes in pieces
            mark = pending[0][0], len(come)
            seen, silent = before.get(connection, (mark, 0.0))
            self._seen[connection] = mark, silent + since if seen == mark else 0.0
        return [each for each, (_, silent) in self._seen.items() if silent >= SILENT_SECONDS]


def end_with_broker(client: Any) -> None:  # noqa: ANN401 - aiokafka's, which ships no types
    """Let a client that is not started yet end its connections on which nothing will come."""
    mute = MuteConnections()
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
            end_mute()
            return False
        return updated

    def end_mute() -> None:
        for connection in mute.among(tuple(client._conns.values())):  # noqa: SLF001 - nothing public has them
            connection.close(reason=CloseReason.CONNECTION_BROKEN)

    def end_others(cluster: ClusterMetadata) -> None:
        there = {broker.nodeId for broker in cluster.brokers()}
        for (node, _), connection in tuple(client._conns.items()):  # noqa: SLF001 - nothing public says it
            if isinstance(node, int) and node not in there:
                connection.close(reason=CloseReason.CONNECTION_BROKEN)
        end_mute()

    client._get_conn, client._metadata_update = connect_soon, update_soon  # noqa: SLF001 - as above
    client.cluster.add_listener(end_others)
