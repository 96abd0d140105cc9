"""Usual amounts of a counterparty, whoever pays it.

Mean and spread of the logarithm of amounts are kept by the counterparty's hash, in a table that
does not grow: two counterparties of one place are taken for one. A counterparty of few transactions
leans on all of them together, as an account leans on its group (models/profile/baseline.py), and a
great amount is clipped before it is learned.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.kernels import compiled
from models.profile.baseline import COUNT_MAX, MEAN_WEIGHT, VARIANCE_WEIGHT
from models.profile.learning import CLIP_SD, GROUP_STEP

PLACES: Final = 1 << 16
COUNTERPARTY: Final = np.dtype([("count", "f8"), ("log_mean", "f8"), ("log_var", "f8")])


class Counterparties:
    """The usual amounts of a partition's counterparties."""

    def __init__(self) -> None:
        self._places, self._whole = new_counterparties()

    def measure(self, counterparty: Ints, amount: Floats) -> Floats:
        """Return how far each amount is above its counterparty's usual, then learn it.

        In standard deviations of the logarithm; 0 where nobody is named (the hash is 0). Amounts
        are in hundreds of minor units.
        """
        surprise = np.zeros(amount.size)
        measure_amounts(self._places, self._whole[0], counterparty, amount, surprise)
        return surprise


def new_counterparties() -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the places of counterparties of which nothing is known, and that of all together."""
    whole = np.zeros(1, COUNTERPARTY)
    whole["log_mean"], whole["log_var"] = 4.0, 1.0
    return np.zeros(PLACES, COUNTERPARTY), whole


@compiled
def measure_amounts(places: Any, whole: Any, counterparty: Any, amount: Any, out: Any) -> None:
    """Put the surprise of each amount into `out`, in order, and learn it."""
    for i in range(amount.size):
        if counterparty[i] != 0:
            place = places[counterparty[i] % PLACES]
            out[i] = measure_amount(place, whole, amount[i])


@compiled
def measure_amount(place: Any, whole: Any, amount: float) -> float:
    """Return the surprise of an amount at a counterparty's place, and learn it."""
    count, log_amount = place["count"], math.log(amount + 1)
    mean = (count * place["log_mean"] + MEAN_WEIGHT * whole["log_mean"]) / (count + MEAN_WEIGHT)
    variance = (count * place["log_var"] + VARIANCE_WEIGHT * whole["log_var"]) / (
        count + VARIANCE_WEIGHT
    )
    surprise = (log_amount - mean) / math.sqrt(variance * (1 + 1 / (count + MEAN_WEIGHT)) + 0.01)
    if count == 0:
        place["log_mean"], place["log_var"] = log_amount, 1.0
    else:
        step = 1 / (count + 1) if count < COUNT_MAX else 1 / COUNT_MAX
        limit = CLIP_SD * math.sqrt(variance)
        residual = max(-limit, min(limit, log_amount - place["log_mean"]))
        place["log_var"] = (1 - step) * (place["log_var"] + step * residual * residual)
        place["log_mean"] += step * residual
    place["count"] = min(count + 1, COUNT_MAX)
    step = max(1 / (whole["count"] + 1), GROUP_STEP)
    residual = log_amount - whole["log_mean"]
    whole["log_mean"] += step * residual
    whole["log_var"] += step * (min(residual * residual, 16 * whole["log_var"]) - whole["log_var"])
    whole["count"] += 1
    return surprise  # type: ignore[no-any-return]  # fields of a record have no types
