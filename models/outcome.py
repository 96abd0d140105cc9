"""What a partition's models are asked to be, and what comes of transactions."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ints

KERNEL_DETECTOR: Final = "half-space-trees"


class LearnerSettings(NamedTuple):
    """What a partition's models are; `alerts_per_day` is the partition's share of the budget.

    An account-day that is less rare than one in `one_in_at_least` is never reported.
    """

    alerts_per_day: float
    warm_up_days: int = 30
    seed: int = 1
    has_amount_term: bool = False
    detector: str = KERNEL_DETECTOR
    one_in_at_least: int = 1


class Due(NamedTuple):
    """An alert to raise, or to restate: its account has a day that is worse than all before.

    `record` is the place of the transaction by which it is; `before` says how rare the worst day
    before was (one account-day in so many), None for a new alert. `probability` is that an
    account-day is as strange, and `threshold` the same of the budget's threshold; `features` is
    None if the day's end is the cause. `account` and `group` are the account and its group as they
    were then.
    """

    record: int
    row: int
    before: int | None
    probability: float
    threshold: float
    features: NDArray[np.float64] | None
    account: Any
    group: Any

    @property
    def is_raised(self) -> bool:
        """Whether the alert is new."""
        return self.before is None


class Closed(NamedTuple):
    """Account-days that ended, by column, with their scores (log evidence)."""

    row: Ints
    day: Ints
    score: NDArray[np.float64]


class Outcome(NamedTuple):
    """What came of transactions: scores (log evidence; NaN while warming up), and what is due.

    `closed` are the account-days that ended; `changed` the rows of accounts that the end of a day
    went through, beside those of the transactions. `hot` are the places of payments that were far
    above the account's usual, to an institution that it never paid before.
    """

    scores: NDArray[np.float64]
    day_scores: NDArray[np.float64]
    dues: list[Due]
    closed: list[Closed]
    changed: Ints
    hot: Ints
