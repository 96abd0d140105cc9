"""Notices a worker that is alive but does not work, and ends it: its partitions must move.

A Kafka consumer can go on sending heartbeats from a thread of its own while nothing is consumed
any more; the group sees a healthy member, and the partition stands still. So a thread that shares
nothing with the event loop compares what waits in the topic with what was decided last.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from monitor.settings import Settings

_log = logging.getLogger(__name__)

EXIT_STALLED: Final = 4
"""Exit status of a worker that did not get on."""


class Working(Protocol):
    """What is watched: the last offset taken in by partition, and when a run was decided last."""

    offsets_taken: dict[int, int]
    progress_at: float  # of time.monotonic


class Liveness:
    """Watches one worker from a thread of its own.

    Where records wait and nothing is decided for WEIR_LIVENESS_SECONDS, or no broker answers for
    as long, `on_stalled` is called with the reason.
    """

    def __init__(
        self, settings: Settings, topic: str, working: Working, on_stalled: Callable[[str], None]
    ) -> None:
        self._broker = settings.broker
        self._seconds = settings.liveness_seconds
        self._topic = topic
        self._working = working
        self._on_stalled = on_stalled
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="liveness", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; returns at once, the thread is a daemon."""
        self._stop.set()

    def _watch(self) -> None:
        consumer: KafkaConsumer | None = None
        answered_at = time.monotonic()
        while not self._stop.wait(self._seconds / 4):
            try:
                if consumer is None:
                    consumer = KafkaConsumer(bootstrap_servers=self._broker.split(","))
                waiting = self._waiting(consumer)
                answered_at = time.monotonic()
            except KafkaError as error:
                _log.warning("liveness: the broker does not answer: %r", error)
                if time.monotonic() - answered_at >= self._seconds:
                    self._on_stalled(f"no broker answers for {self._seconds:g} s")
                continue
            idle = time.monotonic() - self._working.progress_at
            if waiting and idle >= self._seconds:
                self._on_stalled(f"{waiting} records wait, and none was decided for {idle:.0f} s")

    def _waiting(self, consumer: KafkaConsumer) -> int:
        taken = dict(self._working.offsets_taken)
        partitions = [TopicPartition(self._topic, number) for number in taken]
        if not partitions:
            return 0
        ends = consumer.end_offsets(partitions)
        return sum(max(end - 1 - taken[tp.partition], 0) for tp, end in ends.items())
