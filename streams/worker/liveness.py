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

from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.reader import READ_COMMITTED, first_record
from streams.settings import Settings

_log = logging.getLogger(__name__)

EXIT_STALLED: Final = 4
"""Exit status of a worker that did not get on."""

PATIENCE_SECONDS_MIN: Final = 1.0
"""So long at least an answer of the broker is waited for."""

LOOK_SECONDS_MIN: Final = 10.0
"""And so long at least for a record that may wait: that takes a connection of its own."""


class Working(Protocol):
    """What is watched: the partitions of a worker, and how it gets on with them."""

    offsets_taken: dict[int, int]

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions that the worker has."""
        ...

    @property
    def progress_at(self) -> float:
        """When state was read or a run was decided last, of time.monotonic."""
        ...


class Liveness:
    """Watches one worker from a thread of its own.

    Where records wait in its partitions and nothing is decided for WEIR_LIVENESS_SECONDS, or no
    broker answers for as long, `on_stalled` is called with the reason. `heard_at` says when a
    broker answered the worker itself, of time.monotonic; that we are not answered ourselves counts
    for twice as long.
    """

    def __init__(
        self,
        settings: Settings,
        topic: str,
        working: Working,
        on_stalled: Callable[[str], None],
        heard_at: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._heard_at = heard_at
        self._broker = cluster_of(settings)
        self._group = settings.group
        self._seconds = settings.liveness_seconds
        self._patience_seconds = max(self._seconds / 4, PATIENCE_SECONDS_MIN)
        self._empty_to: dict[TopicPartition, int] = {}  # up to there we saw that no record waits
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

    def join(self) -> None:
        """Wait until the watch has ended."""
        self._thread.join()

    def _watch(self) -> None:
        consumer: KafkaConsumer | None = None
        answered_at = time.monotonic()
        waiting_since: float | None = None
        while not self._stop.wait(self._seconds / 4):
            try:
                if consumer is None:
                    consumer = self._connected()
                waiting = self._waiting(consumer)
                answered_at = time.monotonic()
            except (KafkaError, BrokerError, OSError) as error:  # OSError: of a secret's file
                _log.warning("liveness: the broker does not answer: %r", error)
                now = time.monotonic()
                silent = now - max(answered_at, self._heard_at() or answered_at)
                if silent >= self._seconds or now - answered_at >= 2 * self._seconds:
                    self._on_stalled(f"no broker answers for {self._seconds:g} s")
                continue
            if not waiting:
                waiting_since = None
                continue
            # After a quiet night the last progress is old: what counts is since when records wait.
            waiting_since = waiting_since or answered_at
            idle = answered_at - max(waiting_since, self._working.progress_at)
            if idle >= self._seconds:
                self._on_stalled(
                    f"at least {waiting} records wait, and none was decided for {idle:.0f} s"
                )
        if consumer is not None:
            consumer.close()

    def _connected(self) -> KafkaConsumer:
        """Return a consumer that asks in the group's name, and never joins it."""
        patience_ms = round(self._patience_seconds * 1000)
        return KafkaConsumer(
            **self._broker.for_kafka_python(),
            group_id=self._group,
            enable_auto_commit=False,
            isolation_level=READ_COMMITTED,
            request_timeout_ms=patience_ms,
            bootstrap_timeout_ms=patience_ms,
        )

    def _waiting(self, consumer: KafkaConsumer) -> int:
        """Return how many records wait in the partitions of this worker, at most.

        A partition of which nothing was taken yet, or that comes back from another worker, begins
        at what the group has committed. Offsets alone do not say that a record waits: a commit
        marker and an aborted record have one, too. So while nothing is decided, we look.
        """
        taken = dict(self._working.offsets_taken)
        partitions = [TopicPartition(self._topic, number) for number in self._working.assigned]
        if not partitions:
            return 0
        waiting = 0
        firsts = consumer.beginning_offsets(partitions)
        for tp, end in consumer.end_offsets(partitions).items():
            begin = max(taken.get(tp.partition, -1) + 1, firsts[tp])
            if end > begin:
                begin = max(begin, self._committed(consumer, tp), self._empty_to.get(tp, 0))
            if end > begin and self._is_quiet():
                seconds = max(self._patience_seconds, LOOK_SECONDS_MIN)
                found = first_record(self._broker, tp, begin, end, seconds)
                begin = self._empty_to[tp] = end if found is None else found
            waiting += max(end - begin, 0)
        return waiting

    def _is_quiet(self) -> bool:
        """Return whether nothing was decided since the last look."""
        return time.monotonic() - self._working.progress_at >= self._seconds / 4

    def _committed(self, consumer: KafkaConsumer, tp: TopicPartition) -> int:
        timeout_ms = consumer.config["request_timeout_ms"]
        return consumer.committed(tp, timeout_ms=timeout_ms) or 0
