"""As many alerts as the team can work: a threshold that follows the stream.

For every account-day that opens, the threshold goes down by its share of a day's alerts; for every
alert it goes up by one step. At a day's end what was not yet taken off is. So over T days there are
at most (the threshold's range) / (the step) more alerts than T days' budget, whatever the stream
does, and as many fewer at most where days have account-days enough: the differences telescope
(Gibbs & Candes 2021, adaptive conformal inference, argue so). It bounds the alerts, not how many of
them are right.
"""

from typing import Any, Final

import numpy as np

from models.compiled import compiled
from models.evidence import SCORE_MIN

STEP: Final = 0.1
"""In natural logarithms of evidence."""

BEGIN: Final = 5.0
THRESHOLD_MIN: Final = SCORE_MIN - STEP
"""Below every score. Lower still, alerts that there were no account-days for would be saved up."""

FORGETS: Final = 0.2
"""Weight of the latest day in the expected number of account-days."""

BUDGET: Final = np.dtype([
    ("threshold", "f8"),
    ("alerts_per_day", "f8"),
    ("expected", "f8"),  # account-days of a day
    ("seen", "f8"),  # account-days of this day
    ("days", "f8"),
    ("is_told", "i8"),  # 0 while warming up: alerts move the threshold, and nobody is told
])  # fmt: skip


def new_budget(alerts_per_day: float) -> np.ndarray[Any, Any]:
    """Return a tracker (an array of one) for so many alerts a day."""
    budget = np.zeros(1, BUDGET)
    budget["threshold"], budget["alerts_per_day"] = BEGIN, alerts_per_day
    return budget


@compiled
def _take_off(budget: Any, account_days: float) -> None:
    lower = STEP * budget["alerts_per_day"] * account_days / budget["expected"]
    budget["threshold"] = max(budget["threshold"] - lower, THRESHOLD_MIN)


@compiled
def account_day_opens(budget: Any) -> None:
    """Take an account-day's share of the day's alerts off the threshold."""
    left = budget["expected"] - budget["seen"]
    if left > 0:  # of the last one that is expected, maybe a part
        _take_off(budget, min(left, 1.0))
    budget["seen"] += 1


@compiled
def alert_is_raised(budget: Any) -> None:
    """Move the threshold up: one alert of the day's is used."""
    budget["threshold"] += STEP


@compiled
def day_ends(budget: Any) -> None:
    """Take off what the day's account-days were too few for, and expect as many tomorrow."""
    seen, expected = budget["seen"], budget["expected"]
    if expected > 0:
        _take_off(budget, max(expected - seen, 0.0))
        budget["expected"] = expected + FORGETS * (seen - expected)
    else:
        budget["expected"] = seen
    budget["seen"] = 0
    budget["days"] += 1
