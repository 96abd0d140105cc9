"""Levels of counterparties: by how much their amounts are above what accounts usually pay.

Kept by the counterparty's hash, in a table that does not grow: two counterparties of one place are
taken for one. A landlord's amounts are great for most of the accounts that pay him, and then a
great amount is no surprise. Where counterparties say nothing of amounts, nothing is made of them:
a counterparty's level counts by its payments against those that it would take to tell levels from
chance (empirical Bayes). That number follows from how much levels differ: the mean product of a
payment's surprise and its counterparty's level before it is the variance of levels, however few
payments each has.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.kernels import compiled
from models.profile.baseline import COUNT_MAX, VARIANCE_WEIGHT
from models.profile.learning import CLIP_SD, GROUP_STEP

PLACES: Final = 1 << 14
PAGES: Final = 64
"""Parts of the places that are kept by themselves, when they have changed."""

PAGE_PLACES: Final = PLACES // PAGES

LEVEL: Final = np.dtype([("count", "f4"), ("mean", "f4"), ("variance", "f4")])
"""A counterparty's payments, at most COUNT_MAX, and their surprises, clipped."""

LEVELS: Final = np.dtype(
    [
        ("count", "f8"),
        ("mean", "f8"),
        ("variance", "f8"),  # of all surprises
        ("between", "f8"),  # the variance of levels
    ]
)
"""All counterparties together."""

SURPRISE_MAX: Final = 8.0
VARIANCE_MIN: Final = 1e-3
SHARE_MIN: Final = 1e-3
"""Levels differ by no less of the variance: counterparties tell nothing then, all but."""


class CounterpartyLevels:
    """The levels of a partition's counterparties."""

    def __init__(self) -> None:
        self.places: NDArray[Any] = np.zeros(PLACES, LEVEL)
        self.whole: NDArray[Any] = np.zeros(1, LEVELS)
        self.whole["variance"] = 1.0
        self.changed = np.zeros(PAGES, np.uint8)

    def page(self, number: int) -> NDArray[Any]:
        """Return a page of places, to read and to write."""
        return self.places[number * PAGE_PLACES : (number + 1) * PAGE_PLACES]

    def take_changed(self) -> list[int]:
        """Return the pages that have changed since the last call."""
        numbers: list[int] = np.flatnonzero(self.changed).tolist()
        self.changed[:] = 0
        return numbers


@compiled
def given_counterparty(models: Any, counterparty: int, surprise: float) -> tuple[float, float]:
    """Return a payment's surprise given its counterparty, and how much of it is known: 0 to 1.

    Surprises are in standard deviations above the account's usual (AMOUNT_Z).
    """
    place, whole = models.places[counterparty % PLACES], models.levels[0]
    count = np.float64(place["count"])
    needed = whole["variance"] / max(whole["between"], SHARE_MIN * whole["variance"])
    mean = (count * np.float64(place["mean"]) + needed * whole["mean"]) / (count + needed)
    variance = _variance(place, whole)
    spread = math.sqrt(variance * (1 + 1 / (count + needed)) + 0.01)
    return (surprise - mean) / spread, count / (count + needed)


@compiled
def learn_level_of(models: Any, counterparty: int, surprise: float) -> None:
    """Learn the surprise of a payment with a counterparty: clipped, so that one teaches little.

    Nothing is learned where nobody is named (0).
    """
    if counterparty == 0:
        return
    number = counterparty % PLACES
    place, whole = models.places[number], models.levels[0]
    count, mean = np.float64(place["count"]), np.float64(place["mean"])
    taken = min(max(surprise, -SURPRISE_MAX), SURPRISE_MAX)
    if count > 0:
        limit = CLIP_SD * whole["variance"]
        product = (taken - whole["mean"]) * (mean - whole["mean"])
        step = max(1 / (whole["count"] + 1), GROUP_STEP)
        whole["between"] += step * (min(max(product, -limit), limit) - whole["between"])
        limit = CLIP_SD * math.sqrt(_variance(place, whole))
        residual = min(max(taken - mean, -limit), limit)
        step = max(1 / (count + 1), 1 / COUNT_MAX)
        place["variance"] = (1 - step) * (
            np.float64(place["variance"]) + step * residual * residual
        )
        place["mean"] = mean + step * residual
    else:
        place["mean"], place["variance"] = taken, 1.0
    place["count"] = min(count + 1, COUNT_MAX)
    step = max(1 / (whole["count"] + 2), GROUP_STEP)  # the first one is not all that is known
    residual = taken - whole["mean"]
    whole["mean"] += step * residual
    square = min(residual * residual, CLIP_SD * CLIP_SD * whole["variance"])
    whole["variance"] = max(whole["variance"] + step * (square - whole["variance"]), VARIANCE_MIN)
    whole["count"] += 1
    models.changed[number // PAGE_PLACES] = 1


@compiled
def _variance(place: Any, whole: Any) -> float:
    count = np.float64(place["count"])
    total = count * np.float64(place["variance"]) + VARIANCE_WEIGHT * whole["variance"]
    return total / (count + VARIANCE_WEIGHT)  # type: ignore[no-any-return]  # fields of a record have no types
