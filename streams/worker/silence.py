"""Tells a partition that has nothing to say from one that is behind.

Both are quiet: the one's accounts did nothing, the other's worker is starting, or has a backlog.
The day of the first is decided without it; the second has records of that day, so it is waited for.
We may be behind ourselves: then a partition has told of its days, and we have not read it yet.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, NamedTuple

from streams.kafka.admin import committed_of
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.reader import end_now, has_record
from streams.settings import Settings

_log = logging.getLogger(__name__)

SILENT_SECONDS: Final = 60.0
"""A partition of which nothing was heard for so long is silent if no record waits in it."""

STUCK_SECONDS: Final = 900.0
"""So long records may wait, and none of them be taken, before a partition is silent all the same:
its worker is gone or stuck, which has alarms of its own, and the others' days go on."""

LOOK_SECONDS: Final = 10.0
"""The broker is asked of a partition once in so many seconds at most, if it answers or not."""

LOOKS_AT_ONCE: Final = 8
"""Partitions of which the broker is asked at a time: each takes connections of its own."""


class Look(NamedTuple):
    """What the group has committed of a partition, and whether a record waits behind it.

    `told_to` is where the segment-days ended after that was asked. A partition tells of its days
    before it commits: so whatever it had to tell stands before.
    """

    committed: int
    is_waiting: bool
    told_to: int


LookAt = Callable[[int, int], Coroutine[Any, Any, Look]]
"""Takes the number of a partition, and the end of the segment-days that were read."""


class _Seen(NamedTuple):
    look: Look | None  # the last one that the broker answered
    is_answered: bool  # the last one was
    at: float  # of the last one
    since: float  # when what is committed was seen first


class Silence:
    """Who of a topic's partitions is silent, by when they were heard and by what waits in them."""

    def __init__(self, look_at: LookAt, clock: Callable[[], float] = time.monotonic) -> None:
        self._look_at = look_at
        self._clock = clock
        self._heard_at: dict[int, float] = {}
        self._seen: dict[int, _Seen] = {}
        self._began_at = clock()

    def begin(self) -> None:
        """Forget what was heard: nobody has been silent before now."""
        self._began_at = self._clock()
        self._heard_at.clear()
        self._seen.clear()

    def heard(self, number: int) -> None:
        """Note that a partition told something."""
        self._heard_at[number] = self._clock()
        self._seen.pop(number, None)

    async def among(self, numbers: Iterable[int], read_to: int) -> list[int]:
        """Return which of these partitions are silent; `read_to` is the end of what was read.

        Nothing that a partition has told may lie behind that end.
        """
        numbers = list(numbers)
        now = self._clock()
        quiet = [
            number
            for number in numbers
            if now - self._heard_at.get(number, self._began_at) > SILENT_SECONDS
        ]
        due = [
            number
            for number in quiet
            if number not in self._seen or now - self._seen[number].at >= LOOK_SECONDS
        ]
        for begin in range(0, len(due), LOOKS_AT_ONCE):
            some = due[begin : begin + LOOKS_AT_ONCE]
            looks = await asyncio.gather(*(self._looked(number, read_to) for number in some))
            self._seen.update(zip(some, looks, strict=True))
        return [number for number in quiet if self._is_silent(self._seen[number], read_to)]

    async def _looked(self, number: int, read_to: int) -> _Seen:
        seen, now = self._seen.get(number), self._clock()
        before = None if seen is None else seen.look
        since = now if seen is None else seen.since
        try:
            look = await self._look_at(number, read_to)
        except BrokerError as error:
            _log.warning("partition %d is waited for: %s", number, error)
            return _Seen(before, is_answered=False, at=self._clock(), since=since)
        is_same = before is not None and before.committed == look.committed
        return _Seen(look, is_answered=True, at=now, since=since if is_same else now)

    def _is_silent(self, seen: _Seen, read_to: int) -> bool:
        look = seen.look
        if look is None or not seen.is_answered or read_to < look.told_to:
            return False
        return not look.is_waiting or self._clock() - seen.since >= STUCK_SECONDS


def look_of(settings: Settings, topic: str, told: str) -> LookAt:
    """Return what looks at a partition of a topic, at the settings' broker, for their group.

    `told` is the topic of the segment-days. It raises BrokerError if the broker does not answer.
    """

    async def look(number: int, read_to: int) -> Look:
        committed = await asyncio.to_thread(
            committed_of, cluster_of(settings), settings.group, topic, number
        )
        is_waiting = await has_record(cluster_of(settings), topic, number, committed, LOOK_SECONDS)
        told_to = await end_now(cluster_of(settings), told, 0, read_to, LOOK_SECONDS)
        return Look(committed, is_waiting, told_to)

    return look
