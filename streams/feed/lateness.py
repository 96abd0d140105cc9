"""In which order rows stand, as far as it makes transactions late: to say why many of them are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from models.arrays import Ints

TOO_LATE_SHARE_MAX: Final = 0.01
"""Of the records of a file, or of an hour: a greater share is no accident."""

SAMPLE_PAIRS: Final = 200
"""Pairs of neighbours that are looked at of each batch of rows."""

HOURS_48: Final = 48 * 3_600_000_000
"""The allowed lateness of a policy that states none, in microseconds."""


def is_too_many(too_late: int, records: int) -> bool:
    """Return whether so many of the records are late that it must be reported."""
    return too_late > TOO_LATE_SHARE_MAX * records


class RowOrder:
    """The order of event times (microseconds) in files, from a sample of neighbours.

    `late` counts the rows that are more than `lateness` behind the greatest event time so far.
    """

    def __init__(self, lateness: int = HOURS_48) -> None:
        self.rows = 0
        self.late = 0
        self._lateness = lateness
        self._greatest: int | None = None
        self._path: Path | None = None
        self._later = 0  # neighbours of which the second one is later
        self._earlier = 0
        self._goes_back: list[str] = []  # files that begin before the end of the one before

    def take(self, path: Path, times: Sequence[int] | Ints) -> None:
        """Take the event times of some rows, as they stand in a file."""
        times = np.asarray(times, np.int64)
        if not times.size:
            return
        first = int(times[0])
        if path != self._path:
            if self._greatest is not None and first < self._greatest - self._lateness:
                self._goes_back.append(path.name)
            self._path = path
        stride = max(1, times.size // SAMPLE_PAIRS)
        earlier, later = times[:-1:stride], times[1::stride]
        self._later += int((earlier < later).sum())
        self._earlier += int((earlier > later).sum())
        before = first if self._greatest is None else self._greatest
        greatest = np.maximum.accumulate(np.concatenate([[before], times]))
        self.late += int((times < greatest[:-1] - self._lateness).sum())
        self._greatest = int(greatest[-1])
        self.rows += times.size

    def likely_cause(self) -> str:
        """Return why many rows are late, as a sentence that says what to do."""
        if self._earlier > self._later:
            return "The rows stand newest first: turn them round, oldest first."
        if self._goes_back:
            return (
                f"Files stand in the wrong order: {self._goes_back[0]} begins before the one before"
                " it ends. Name them oldest first."
            )
        return (
            "The rows do not stand in the order of booked_at, or rows of two accounts are dated"
            " ahead of the others: sort them by booked_at, or give the policy a longer"
            " allowed_lateness."
        )


def too_late_text(too_late: int, records: int, cause: str) -> str:
    """Return the report of too many late records."""
    return (
        f"{too_late:,} of {records:,} records ({too_late / records:.1%}) were rejected as too-late:"
        f" their business days were closed. {cause}"
    )
