"""Joins what the partitions tell of a day: when all have told of it, it is summed up and handed on.

Pure: who is silent, by a clock, is for the caller to say.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from monitor.systemic.record import SegmentRecord
from monitor.systemic.segment_day import SegmentDay, merged

SILENT_DAYS: Final = 7
"""A partition that is silent, and so many business days behind, is not waited for."""

Segments = dict[str | None, SegmentDay]
Parts = dict[tuple[str | None, int], SegmentDay]
"""Of one partition: by segment, and by the number of its record."""


class Joining:
    """The segment-days of all partitions, until each day is whole.

    Each partition tells of days in their order. What it tells again, as after a crash, is passed
    over: the first telling counts, because it was complete before anything of the day was dropped.
    """

    def __init__(self, partitions: int, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self.decided: int = state.get("decided", 0)  # the last day that was handed on
        self._first: int | None = state.get("first")  # the first day that anybody told of
        self._last: dict[int, int] = dict(state.get("last", ()))
        self._partitions = partitions
        self._parts: dict[int, Parts] = {}  # of the day that a partition is about to tell of
        self._parts_day: dict[int, int] = {}
        self._days: dict[int, Segments] = {}
        self._offsets: dict[int, int] = {}  # of the first record of each day that is not decided
        self._offset_last = -1
        self.absent: tuple[int, ...] = ()  # partitions that the last such day did not wait for
        self.late = 0  # segment-days that came when their day was decided without them

    def dump(self) -> dict[str, Any]:
        """Return what it goes on by, as JSON has it; its records are read again from `offset`."""
        return {
            "decided": self.decided,
            "first": self._first,
            "last": sorted((number, min(day, self.decided)) for number, day in self._last.items()),
            "offset": min(self._offsets.values(), default=self._offset_last + 1),
        }

    def take(self, told: SegmentRecord, offset: int = 0) -> None:
        """Take a record; `offset` is where it stands on its topic."""
        self._offset_last = max(self._offset_last, offset)
        number, day = told.partition, told.segment_day.day
        if day <= self._last.get(number, 0):
            return
        if day <= self.decided:
            self.late += 1
            return
        if self._first is None or day < self._first:
            self._first = day
        self._offsets.setdefault(day, offset)
        if self._parts_day.get(number) != day:
            self._parts_day[number], self._parts[number] = day, {}
        parts = self._parts[number]
        parts.setdefault((told.segment_day.segment, told.part), told.segment_day)
        if len(parts) == told.segments:
            self._last[number] = day
            self._add(day, self._parts.pop(number))
            del self._parts_day[number]

    def ready(self, silent: Collection[int] = ()) -> Iterator[tuple[int, Segments]]:
        """Yield each day that is whole, in order, and what its segments came to in all partitions.

        A day is whole where each partition has told of it or of a later one; one of nothing is not
        handed on. Of the `silent` ones, those that are far behind are not waited for.
        """
        for day in sorted(self._days):
            if any(self._is_awaited(number, day, silent) for number in range(self._partitions)):
                return
            self.decided = day
            self.absent = tuple(
                number for number in range(self._partitions) if self._last.get(number, 0) < day
            )
            self._offsets = {
                business_day: at for business_day, at in self._offsets.items() if business_day > day
            }
            segments = {
                name: segment_day
                for name, segment_day in self._days.pop(day).items()
                if _is_any(segment_day)
            }
            if segments:
                yield day, segments

    def far_behind(self) -> list[int]:
        """Return the partitions that the days wait for, and that need not be if they are silent."""
        if not self._days:
            return []
        newest = max(self._days)
        return [
            number
            for number in range(self._partitions)
            if newest - self._told_to(number) > SILENT_DAYS
        ]

    def _is_awaited(self, number: int, day: int, silent: Collection[int]) -> bool:
        last = self._told_to(number)
        if last >= day:
            return False
        return number not in silent or max(self._days) - last <= SILENT_DAYS

    def _told_to(self, number: int) -> int:
        """Return the last day that a partition told of; the one before the first, at least."""
        assert self._first is not None, "a day was told of"
        return self._last.get(number, self._first - 1)

    def _add(self, day: int, parts: Parts) -> None:
        segments = self._days.setdefault(day, {})
        for (name, _), part in parts.items():
            segments[name] = merged([segments[name], part]) if name in segments else part


def _is_any(segment_day: SegmentDay) -> bool:
    """Return whether anything happened; a partition tells of a day of nothing, too."""
    return bool(segment_day.account_days or segment_day.rejections or segment_day.hot_payers)
