"""A run of records of one partition, as an engine takes it."""

from collections.abc import Sequence
from typing import Protocol

from models.arrays import Bytes
from monitor.core.transaction import Rejection, Transaction
from monitor.ordinary.layout import Table


class RecordRun(Protocol):
    """A run of records, as bytes and rows; and as what each of them is, where somebody asks."""

    @property
    def offsets(self) -> Sequence[int]:
        """The offsets of all records, in order."""
        ...

    @property
    def data(self) -> Bytes:
        """The bytes in which texts stand."""
        ...

    @property
    def rows(self) -> Table:
        """The rows of all records; `layout.ORDINARY` is the state of those that were read."""
        ...

    @property
    def has_heartbeats(self) -> bool:
        """Whether a record may be a heartbeat: then no kernel takes the run."""
        ...

    def judged(self, clock_skew: int) -> list[Transaction | Rejection]:
        """Return what each record is."""
        ...

    def judge_rows(self, clock_skew: int) -> None:
        """Let no row be ordinary that is dated too far ahead."""
        ...

    def judged_at(self, places: Sequence[int], clock_skew: int) -> list[Transaction | Rejection]:
        """Return what some of the records are, by their places."""
        ...
