"""As many reports as the team can work: a threshold that follows the stream, and an allowance.

A report is an alert that is raised or restated; both are work. For every account-day that opens,
the threshold goes down by its share of a day's reports; for every report it goes up by one step. At
a day's end what was not yet taken off is. So the number of reports follows the budget: the
differences telescope (Gibbs & Candes 2021, adaptive conformal inference, argue so). The threshold
never goes below `floor`, where account-days are no longer remarkable: a budget that is greater than
the number of remarkable days is not used up.

The threshold alone would let (its range) / (the step) more reports pass than the budget, some two
hundred. So there is an allowance too: each day adds a day's budget, each report takes one, and at
most `allowance_max` is saved up. Over any N days there are then at most (N + 1) days' budget and
one reports, whatever the stream does. It bounds the reports, not how many of them are right.
"""

from typing import Any, Final

import numpy as np

from models.evidence.evidence import SCORE_MIN
from models.kernels import compiled

STEP: Final = 0.1
"""In natural logarithms of evidence."""

BEGIN: Final = 5.0
THRESHOLD_MIN: Final = SCORE_MIN - STEP
"""Below every score. Lower still, alerts that there were no account-days for would be saved up."""

ALLOWED_DAYS: Final = 2
"""Days' budgets that can be saved up: a quiet Sunday makes room for a busy Monday, no more."""

FORGETS: Final = 0.2
"""Weight of the latest day in the expected number of account-days."""

BUDGET: Final = np.dtype([
    ("threshold", "f8"),
    ("floor", "f8"),  # the threshold never goes below
    ("one_in_at_least", "f8"),  # an account-day that is less rare is not reported
    ("alerts_per_day", "f8"),
    ("allowance", "f8"),  # reports that may be made now
    ("held_back", "f8"),  # account-days that ended unreported, because there was no allowance
    ("expected", "f8"),  # account-days of a day
    ("seen", "f8"),  # account-days of this day
    ("days", "f8"),
    ("is_told", "i8"),  # 0 while warming up: alerts move the threshold, and nobody is told
])  # fmt: skip


def new_budget(alerts_per_day: float, one_in_at_least: int = 1) -> np.ndarray[Any, Any]:
    """Return a tracker (an array of one) for so many reports a day."""
    budget = np.zeros(1, BUDGET)
    budget["threshold"], budget["floor"] = BEGIN, THRESHOLD_MIN
    budget["alerts_per_day"], budget["one_in_at_least"] = alerts_per_day, one_in_at_least
    budget["allowance"] = allowance_max(alerts_per_day)
    return budget


@compiled
def allowance_max(alerts_per_day: float) -> float:
    """Return how many reports can be saved up: one at least, however small a partition's share."""
    return ALLOWED_DAYS * alerts_per_day + 1


@compiled
def _take_off(budget: Any, account_days: float) -> None:
    lower = STEP * budget["alerts_per_day"] * account_days / budget["expected"]
    budget["threshold"] = max(budget["threshold"] - lower, budget["floor"])


@compiled
def account_day_opens(budget: Any) -> None:
    """Take an account-day's share of the day's alerts off the threshold."""
    left = budget["expected"] - budget["seen"]
    if left > 0:  # of the last one that is expected, maybe a part
        _take_off(budget, min(left, 1.0))
    budget["seen"] += 1


@compiled
def may_report(budget: Any) -> bool:
    """Return whether the allowance has room for a report; a warm-up reports nothing, so always."""
    return budget["is_told"] == 0 or budget["allowance"] >= 1  # type: ignore[no-any-return]  # numpy's own bool


@compiled
def report(budget: Any) -> None:
    """Move the threshold up, and take one of the allowance."""
    budget["threshold"] += STEP
    if budget["is_told"] != 0:
        budget["allowance"] -= 1


@compiled
def day_ends(budget: Any) -> None:
    """Take off what the day's account-days were too few for, and expect as many tomorrow.

    The allowance gets the day's budget.
    """
    seen, expected = budget["seen"], budget["expected"]
    if expected > 0:
        _take_off(budget, max(expected - seen, 0.0))
        budget["expected"] = expected + FORGETS * (seen - expected)
    else:
        budget["expected"] = seen
    budget["seen"] = 0
    budget["days"] += 1
    allowed = budget["allowance"] + budget["alerts_per_day"]
    budget["allowance"] = min(allowed, allowance_max(budget["alerts_per_day"]))
