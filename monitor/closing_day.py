"""A business day that has closed, and what of it is still to be told."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Protocol

from monitor.core.account import AccountDay

NOT_ASKED: Final = math.nan
"""The score of a closed account-day that the models were not asked for yet."""


class Summing(Protocol):
    """What sums up the account-days of a closed day, some at a time."""

    is_done: bool

    def work(self, units: int) -> int:
        """Do so many units of what is left; return how many were done."""
        ...

    @property
    def segment_days(self) -> tuple[Any, ...]:
        """The sums by segment, once it is done."""
        ...

    def others(self) -> Counter[str]:
        """Return how much was counted under no name of its own, by table."""
        ...


class ClosingDay:
    """The account-days of a closed day, each with its score, until all are emitted.

    `version` is that of the policy that decided. They are emitted once `summing` is done, and None.
    """

    __slots__ = ("_account_days", "_place", "_scores", "summing", "version")

    def __init__(
        self,
        account_days: Sequence[AccountDay],
        version: int,
        scores: Sequence[float | None],
        summing: Summing | None = None,
    ) -> None:
        self._account_days = account_days
        self._scores = scores
        self._place = 0
        self.version = version
        self.summing = summing

    @property
    def is_done(self) -> bool:
        """Whether all account-days were handed on."""
        return self._place >= len(self._account_days)

    def next_ones(self, count: int) -> list[tuple[AccountDay, float | None]]:
        """Return the next account-days with their scores, at most so many; they are done with."""
        place = slice(self._place, self._place + count)
        self._place += count
        return list(zip(self._account_days[place], self._scores[place], strict=True))
