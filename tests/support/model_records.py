"""Made records for detectors: ordinary ones near 0, and planted ones that are strange."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from models.arrays import Bools, Floats


class Records(NamedTuple):
    x: Floats
    is_strange: Bools


def made_records(seed: int, count: int, inputs: int, share: float = 0.01) -> Records:
    """One-sided inputs from 0 to 1; a strange record has all of them great."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(0.06, (count, inputs))
    is_strange = rng.random(count) < share
    x[is_strange] = rng.uniform(0.6, 1, (int(is_strange.sum()), inputs))
    return Records(np.minimum(x, 1), is_strange)


def area_under_curve(scores: Floats, is_strange: Bools) -> float:
    """The probability that a strange record scores higher than another; equal ones count half."""
    others = np.sort(scores[~is_strange])
    below = np.searchsorted(others, scores[is_strange], "left")
    not_above = np.searchsorted(others, scores[is_strange], "right")
    return float((below + not_above).mean() / (2 * len(others)))


def cut(count: int, places: list[int]) -> list[slice]:
    """The batches that so many records are cut into at these places."""
    edges = [0, *sorted(place % (count + 1) for place in places), count]
    return [slice(start, end) for start, end in pairwise(edges)]
