"""The one-line rule that every learned score has to beat: an amount over the account's own mean."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints

WINDOW_DAYS: Final = 30
PSEUDO_AMOUNT: Final = 50.0
"""Of one payment that every account is taken to have made, in major units."""


def ratio_rule(account: Ints, time: Ints, amount: Floats, window: int, pseudo: float) -> Floats:
    """Return each amount over its account's mean of the window before it.

    Rows stand in the order of time; a row's past is the rows of its account above it that are less
    than `window` older (in the unit of `time`), and one payment of `pseudo` (in that of `amount`).
    Sums are exact as long as the amounts are whole and add up to less than 2**53.
    """
    count = account.size
    order = np.argsort(account, kind="stable")
    # A place in the table is as good as a time: with the account it makes one ascending key.
    keys = account[order] * count + order
    oldest: NDArray[np.int64] = np.searchsorted(time, time - window, "right")
    first = np.searchsorted(keys, account[order] * count + oldest[order])
    place = np.arange(count)
    sums = np.concatenate(([0.0], np.cumsum(amount[order])))
    mean = (sums[place] - sums[first] + pseudo) / (place - first + 1)
    ratios = np.empty(count)
    ratios[order] = amount[order] / mean
    return ratios
