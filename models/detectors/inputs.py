"""Inputs of detectors: names, and rows of numbers with a column for each."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from models.arrays import Bools, Floats

INPUTS_MAX: Final = 64


def input_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of inputs, in order. Raises ValueError for none, too many or one twice."""
    found = tuple(names)
    if not all(isinstance(name, str) for name in found):
        raise ValueError(f"inputs are named by text, not by {found!r}")
    if not 1 <= len(found) <= INPUTS_MAX or len(set(found)) < len(found):
        raise ValueError(f"a detector has 1 to {INPUTS_MAX} inputs of different names: {found!r}")
    return found


def whole(name: str, value: object, low: int, high: int) -> int:
    """Return an option that is a whole number from `low` to `high`. Raises ValueError if not."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is a whole number from {low} to {high}, not {value!r}")
    return value


def rows(x: Floats, inputs: tuple[str, ...]) -> Floats:
    """Return rows as kernels take them. Raises ValueError for other columns, NaN or infinities.

    A missing input is not supported: who has none must say what stands for it.
    """
    made = np.ascontiguousarray(x, np.float64)
    if made.ndim != 2 or made.shape[1] != len(inputs):  # noqa: PLR2004 - rows and columns
        raise ValueError(f"rows of {len(inputs)} inputs are needed, not an array of {made.shape}")
    if not np.isfinite(made).all():
        raise ValueError("an input is missing (NaN) or infinite")
    return made


def mask(learn: Bools, count: int) -> Bools:
    """Return which of so many records are learned. Raises ValueError for another length or type."""
    made = np.ascontiguousarray(learn)
    if made.dtype != np.bool_ or made.shape != (count,):
        raise ValueError(f"{count} true or false are needed, not {made.dtype} of {made.shape}")
    return made
