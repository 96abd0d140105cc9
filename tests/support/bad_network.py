"""A network between clients and brokers that turns bad: proxies that wait, end and forget.

TCP sends again what a network loses. So what a client sees of lost packets is that its bytes come
late, that for some seconds there are no more, or that its connection ends; and where something in
between (a firewall, say) has forgotten a connection, that nothing comes at all and nobody says so.
"""

import asyncio
import random
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections import Counter, defaultdict
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from streams.lab.broker import free_port

CHUNK_BYTES: Final = 1 << 16
PROXY_SECONDS_MAX: Final = 30.0

DELAY_SECONDS_MAX: Final = 0.2
"""Whatever passes a bad network waits up to so long."""

STALL_CHANCE: Final = 0.01
STALL_SECONDS: Final = (1.0, 8.0)
"""The longest are longer than a worker's session timeout in the tests (6 s)."""

RESET_CHANCE: Final = 0.005
REFUSED_CHANCE: Final = 0.2
"""Of new connections."""

RESETS: Final = struct.pack("ii", 1, 0)
"""SO_LINGER by which a socket that is closed tells the other side of an error."""


class BadNetwork:
    """Ways through proxies on loopback; what happens on them is drawn by a seed.

    `happened` counts what was done to the clients, by its name.
    """

    def __init__(self, seed: int) -> None:
        self.happened: Counter[str] = Counter()
        self.is_bad = False
        self._random = random.Random(seed)  # noqa: S311 - when a packet is lost is no secret
        self._open: defaultdict[int, set[_Connection]] = defaultdict(set)
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def way_to(self, port: int) -> int:
        """Return a port of its own through which this one is reached, for as long as it is used."""
        own = free_port()
        self._done(self._listen(own, port))
        return own

    def forget(self, port: int) -> None:
        """Let nothing more pass on the connections that are open to a port; new ones are well."""
        for connection in tuple(self._open[port]):
            connection.is_forgotten = True
            self.happened["forgotten"] += 1

    def suffers(self) -> float:
        """Return how long (s) the next bytes have to wait. Raises ConnectionError for never."""
        if not self.is_bad:
            return 0.0
        drawn = self._random.random()
        if drawn < RESET_CHANCE:
            self.happened["reset"] += 1
            raise ConnectionResetError
        if drawn < RESET_CHANCE + STALL_CHANCE:
            self.happened["stalled"] += 1
            return self._random.uniform(*STALL_SECONDS)
        return self._random.uniform(0, DELAY_SECONDS_MAX)

    async def _listen(self, own: int, port: int) -> None:
        async def serve(reader: StreamReader, writer: StreamWriter) -> None:
            if self.is_bad and self._random.random() < REFUSED_CHANCE:
                self.happened["refused"] += 1
                _reset(writer)
                return
            connection = _Connection(self)
            self._open[port].add(connection)
            try:
                await connection.run(reader, writer, port)
            finally:
                self._open[port].remove(connection)

        self._servers.append(await asyncio.start_server(serve, "127.0.0.1", own))

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.1)  # connections that are aborted end in the loop's next turns

    def _done(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PROXY_SECONDS_MAX)


class _Connection:
    """A client's connection, and ours behind it."""

    def __init__(self, network: BadNetwork) -> None:
        self.is_forgotten = False
        self._network = network

    async def run(self, reader: StreamReader, writer: StreamWriter, port: int) -> None:
        """Pass on what comes from either side, until one of them ends."""
        try:
            there = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            _reset(writer)
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, there[1]))
                both.create_task(self._pass(there[0], writer))
        except* (OSError, EOFError):
            pass
        finally:
            _reset(writer)
            _reset(there[1])

    async def _pass(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if self.is_forgotten:
                continue
            await asyncio.sleep(self._network.suffers())
            writer.write(data)
            await writer.drain()
        raise EOFError  # the other direction ends, too


def _reset(writer: StreamWriter) -> None:
    with suppress(OSError):  # the other side has ended it before
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
    writer.transport.abort()
