"""Columns that the kernels of a partition's models take, and that come of them."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.profile import baseline
from models.teaching.terms import TERMS

CLOSED_A_RECORD: Final = 2
"""Account-days of the day before that each record closes, so that no midnight holds up alerts."""

DUES_MAX: Final = 2 + CLOSED_A_RECORD
"""Of a record: of its account's day before, of its day so far, and of those that are closed."""


class Columns(NamedTuple):
    """Transactions by column, in order.

    `row` is the account's, `second` the event time in whole seconds since 1970, `hour` that of the
    business day, `amount` in hundreds of minor units, `counterparty` a hash (0 is none), `group`
    that of an account that is new, `is_learned` 0 for a transaction of a day in breach,
    `institution` a hash of the counterparty's (0 is none).
    """

    row: Ints
    day: Ints
    second: Ints
    hour: Ints
    is_weekend: Ints
    amount: Floats
    is_credit: Ints
    channel: Ints
    counterparty: Ints
    group: Ints
    is_learned: Ints
    institution: Ints


class ScoredRecords(NamedTuple):
    """What came of records: scores and features of each, and what is due.

    `given` has the scores of a detector that is no kernel, NaN where none; `learned` is 1 for what
    was. `scores` and `day_scores` are logarithms of evidence, NaN while not warmed up. What is due
    is told in order: the record by which, the account and its group (as they were then), what was
    said before (one account-day in so many; 0 is nothing), and the score and the threshold.
    """

    features: Floats
    given: Floats
    learned: Ints
    scores: Floats
    day_scores: Floats
    counts: Ints  # dues, account-days opened, account-days closed, hot payments
    opened: Ints  # rows of the account-days that opened, in order
    closed_row: Ints
    closed_day: Ints
    closed_score: Floats
    hot: Ints  # records of hot first payments to an institution, in order
    due_record: Ints
    due_row: Ints
    due_before: Ints
    due_score: Floats
    due_threshold: Floats
    due_account: Any
    due_group: Any
    due_taught: Floats  # (dues, score before it was taught, and terms where they are measured)


def room_for(records: int, dues: int) -> ScoredRecords:
    """Return room for what comes of so many records, and for so many dues and closed days."""
    return ScoredRecords(
        features=np.empty((records, len(baseline.FEATURES))),
        given=np.full(records, np.nan),
        learned=np.zeros(records, np.int64),
        scores=np.empty(records),
        day_scores=np.empty(records),
        counts=np.zeros(4, np.int64),
        opened=np.empty(records, np.int64),
        closed_row=np.empty(dues, np.int64),
        closed_day=np.empty(dues, np.int64),
        closed_score=np.empty(dues),
        hot=np.empty(records, np.int64),
        due_record=np.empty(dues, np.int64),
        due_row=np.empty(dues, np.int64),
        due_before=np.empty(dues, np.int64),
        due_score=np.empty(dues),
        due_threshold=np.empty(dues),
        due_account=baseline.new_accounts(dues),
        due_group=np.zeros(dues, baseline.GROUP),
        due_taught=np.empty((dues, 1 + len(TERMS))),
    )


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


class DayWeights(NamedTuple):
    """What is added to scores of a business day: weights of the score, and of its scaled terms.

    `version` names them.
    """

    version: int
    score: float
    terms: tuple[float, ...]


class DueTaught(NamedTuple):
    """The terms of an account-day on its partition's scale, and its score before it was taught.

    One account-day in `one_in_before` was as strange before. Without `weights` nothing was taught.
    """

    terms: Floats
    before: float
    one_in_before: int
    weights: DayWeights | None


class Due(NamedTuple):
    """An alert to raise, or to restate: its account has a day that is worse than all before.

    `record` is the place of the transaction by which it is; `before` says how rare the worst day
    before was (one account-day in so many), None for a new alert. `probability` is that an
    account-day is as strange, and `threshold` the same of the budget's threshold; `features` is
    None if the day's end is the cause. `account` and `group` are the account and its group as they
    were then. `taught` is what the day brings to be taught; None if that is not measured.
    """

    record: int
    row: int
    before: int | None
    probability: float
    threshold: float
    features: NDArray[np.float64] | None
    account: Any
    group: Any
    taught: DueTaught | None = None

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
    above the account's usual, to an institution that it never paid before. `features` say of each
    transaction what is strange about it (`baseline.FEATURES`).
    """

    scores: NDArray[np.float64]
    day_scores: NDArray[np.float64]
    dues: list[Due]
    closed: list[Closed]
    changed: Ints
    hot: Ints
    features: Floats
