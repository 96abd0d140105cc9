"""A branch whose amounts are a power of ten too great: a decimal point lost on the way.

Two things together tell it from a branch that is busy. Breaching account-days are concentrated on
it (`concentration.py`). And the day's values are best explained as a mixture of the history's own
and of the same ones far further up: neither a fund-raising nor a pay-day moves a branch by that
much. The jump is the shift of greatest likelihood, in a mixture of two parts with the history's
shape each (McLachlan & Peel 2000, 2; the share is free by segment).
"""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats
from models.sketch import Sketch
from monitor.systemic.concentration import Concentrated
from monitor.systemic.faults import Fault

AMOUNTS: Final = "amounts"
STEPS: Final = 20
"""In one power of ten."""

DECADES_LEAST: Final = 1.25
"""Ten times one's usual is a good day; a hundred times is a decimal point.

What is measured is a day's sum, and the day's right amounts are in it: a hundred times too great
shows as 20 to 130 times.
"""

ABOVE: Final = 0.25
"""Decades that chance may add to a jump."""

_DECADES_MAX: Final = 20
_JUMPS: Final = range(STEPS // 2, 4 * STEPS + 1)
_SHARES: Final = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5])
_NEVER_SEEN: Final = 0.01
"""Cases that a step without any counts as: nothing is impossible."""


class Values(NamedTuple):
    """The values that one limit measured in one segment: before, and on the day."""

    before: Sketch
    now: Sketch


def amounts_fault(one: Concentrated, values: Iterable[Values]) -> Fault | None:
    """Return the fault that a concentration on a branch is, by all segments of its limit."""
    decades = jump_of(values)
    if decades < DECADES_LEAST:
        return None
    return Fault(AMOUNTS, one.value, one.cases, one.lift, 10**decades, one.share, one.probability)


def likely_factor(fault: Fault) -> int:
    """Return the power of ten that amounts are likely too great by: the one that dilution left."""
    return int(10 ** math.ceil(math.log10(fault.number) - ABOVE))


def jump_of(values: Iterable[Values]) -> float:
    """Return by how many powers of ten a part of the day's values has jumped; 0 where none has."""
    gains = np.zeros(len(_JUMPS))
    for before, now in values:
        if before.total and now.total:
            gains += _gains(_steps(before), _steps(now))
    best = int(np.argmax(gains))
    return _JUMPS[best] / STEPS if gains[best] > 0 else 0.0


def _gains(before: Floats, now: Floats) -> Floats:
    """Return by how much each jump of a part makes the day likelier than the history alone."""
    usual = (before + _NEVER_SEEN) / (before + _NEVER_SEEN).sum()
    alone = float(now @ np.log(usual))
    gains = np.zeros(len(_JUMPS))
    for place, jump in enumerate(_JUMPS):
        jumped = np.concatenate([np.zeros(jump), usual[:-jump]])
        mixed = _SHARES[:, None] * jumped + (1 - _SHARES[:, None]) * usual
        gains[place] = max(float((np.log(mixed) @ now).max()) - alone, 0.0)
    return gains


def _steps(sketch: Sketch) -> Floats:
    """Return how many values are at each step of a power of ten; those of 0 tell nothing."""
    counts = sketch.counts
    used = np.flatnonzero(counts[1:]) + 1
    bounds = np.array([sketch.bounds(int(place)) for place in used], np.float64).reshape(-1, 2)
    steps = np.rint(STEPS * np.log10(bounds.mean(axis=1))).astype(np.int64)
    return np.bincount(steps, counts[used], _DECADES_MAX * STEPS).astype(np.float64)
