"""Counts of rejections, as buckets of state keep them until their day is closed."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class RejectionKey(NamedTuple):
    """What rejections are counted by: the day on which they came, and whose they were.

    The day is the clock's, because that of a rejection may be anything; `branch` is empty where the
    record names none.
    """

    day: int
    segment: str | None
    reason: str
    branch: str


RejectionCounts = dict[RejectionKey, int]


def rejection_rows(counts: RejectionCounts) -> list[list[Any]]:
    """Return counts of rejections as they are kept."""
    return [[*key, count] for key, count in counts.items()]


def rejections_of(rows: Iterable[Sequence[Any]]) -> RejectionCounts:
    """Return the counts of rejections that were kept."""
    return {RejectionKey(*key): count for *key, count in rows}
