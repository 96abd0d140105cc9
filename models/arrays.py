"""Arrays of numpy, by what they hold: one name for each kind, everywhere; and how they grow."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


def longer(array: NDArray[Any], least: int) -> NDArray[Any]:
    """Return an array of one dimension with twice the room, or what is needed; zeros are new.

    It is copied as bytes: numpy copies records field by field, in some thirty times as long. What
    nobody has written to yet takes no memory.
    """
    made = np.zeros(max(2 * array.size, least), array.dtype)
    made.view(np.uint8)[: array.nbytes] = array.view(np.uint8)
    return made
