"""Tells a partition that has nothing to say from one that is behind.

Both are quiet: the one's accounts did nothing, the other's worker is starting, or has a backlog.
The day of the first is decided without it; the second has records of that day, so it is waited for.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, NamedTuple

from streams.kafka.admin import committed_of
from streams.kafka.broker_error import BrokerError
from streams.kafka.reader import has_record
from streams.settings import Settings

_log = logging.getLogger(__name__)

SILENT_SECONDS: Final = 60.0
"""A partition of which nothing was heard for so long is silent if no record waits in it."""

STUCK_SECONDS: Final = 900.0
"""So long records may wait, and none of them be taken, before a partition is silent all the same:
its worker is gone or stuck, which has alarms of its own, and the others' days go on."""

LOOK_SECONDS: Final = 10.0
"""The broker is asked of a partition once in so many seconds at most."""


class Look(NamedTuple):
    """What the group has committed of a partition, and whether a record waits behind it."""

    committed: int
    is_waiting: bool


LookAt = Callable[[int], Coroutine[Any, Any, Look]]


class _Seen(NamedTuple):
    look: Look
    at: float  # of the look
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

    async def among(self, numbers: Iterable[int]) -> list[int]:
        """Return which of these partitions are silent."""
        return [number for number in numbers if await self._is_silent(number)]

    async def _is_silent(self, number: int) -> bool:
        now = self._clock()
        if now - self._heard_at.get(number, self._began_at) <= SILENT_SECONDS:
            return False
        seen = self._seen.get(number)
        if seen is None or now - seen.at >= LOOK_SECONDS:
            try:
                look = await self._look_at(number)
            except BrokerError as error:
                _log.warning("partition %d is waited for: %s", number, error)
                return False
            is_same = seen is not None and seen.look.committed == look.committed
            seen = _Seen(look, now, seen.since if seen is not None and is_same else now)
            self._seen[number] = seen
        return not seen.look.is_waiting or now - seen.since >= STUCK_SECONDS


def look_of(settings: Settings, topic: str) -> LookAt:
    """Return what looks at a partition of a topic, at the settings' broker, for their group.

    It raises BrokerError if the broker does not answer.
    """

    async def look(number: int) -> Look:
        committed = await asyncio.to_thread(
            committed_of, settings.broker, settings.group, topic, number
        )
        is_waiting = await has_record(settings.broker, topic, number, committed, LOOK_SECONDS)
        return Look(committed, is_waiting)

    return look
