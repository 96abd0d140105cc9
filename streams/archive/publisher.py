"""Publishes what people decided: from the store's outbox to the topics, as often as it takes."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from aiokafka.errors import KafkaError

from monitor.store.desk import Topic, Unsent, mark_sent, unsent
from monitor.store.store import Store, StoreAwayError
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox, Outgoing
from streams.settings import Settings
from streams.topics.catalog import Topics

_log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.3
RETRY_SECONDS: Final = 3.0
PARTITION: Final = 0
"""What people write has one partition, and so one order."""


class Publisher:
    """Takes decisions out of a store's outbox once the broker has acknowledged them.

    After each turn `on_turn` is given how many decisions wait and how many were published.
    A decision may be published twice (a crash in between); readers know it by its content.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        on_turn: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        topics = Topics.of(settings)
        self._settings = settings
        self._store = store
        self._on_turn = on_turn
        self._says = "connecting to a broker"
        self._topics = {
            Topic.DISPOSITIONS: topics.dispositions,
            Topic.CASES: topics.cases,
            Topic.POLICY: topics.policy,
        }

    async def run(self) -> None:
        """Publish until cancelled. A broker or a store that does not answer is asked again."""
        while True:
            try:
                async with Outbox(cluster_of(self._settings), "weir-console") as outbox:
                    while True:
                        published = await self._publish(outbox)
                        self._says = "no decision waits for a broker"
                        self._on_turn(0, published)
                        if not published:
                            await asyncio.sleep(POLL_SECONDS)
            except (BrokerError, KafkaError) as error:
                self._note_waiting(error)
                await self._tell_waiting()
                await asyncio.sleep(RETRY_SECONDS)
            except StoreAwayError as error:
                self._note_waiting(error)
                await asyncio.sleep(RETRY_SECONDS)

    def state(self) -> str:
        """Return how it gets on, in words. Of any thread."""
        return self._says

    def _note_waiting(self, error: Exception) -> None:
        self._says = f"decisions wait: {error}"
        _log.warning("decisions wait: %s", error)

    async def _tell_waiting(self) -> None:
        with suppress(StoreAwayError):  # the next turn says so
            self._on_turn(len(await asyncio.to_thread(self._waiting)), 0)

    async def drain(self) -> int:
        """Publish all that waits now; return how many decisions that were. Raises BrokerError."""
        published = 0
        async with Outbox(cluster_of(self._settings), "weir-console") as outbox:
            while sent := await self._publish(outbox):
                published += sent
        return published

    async def _publish(self, outbox: Outbox) -> int:
        waiting = await asyncio.to_thread(self._waiting)
        for topic in Topic:
            records = [
                Outgoing(decision.key.encode(), decision.value.encode())
                for decision in waiting
                if decision.topic is topic
            ]
            if records:
                await outbox.write(self._topics[topic], PARTITION, records)
        if waiting:
            await asyncio.to_thread(self._mark, [decision.number for decision in waiting])
        return len(waiting)

    def _waiting(self) -> list[Unsent]:
        with self._store.reading() as connection:
            return unsent(connection)

    def _mark(self, numbers: list[int]) -> None:
        with self._store.begin() as connection:
            mark_sent(connection, numbers, time.time_ns() // 1000)
