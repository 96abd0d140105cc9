"""Faults of a feed: records that come twice, a clock that is wrong, a file that is played again.

Rejections are counted by reason and branch (a branch is a feed), each against its own history: a
gamma-Poisson tail below 1e-6, at least 20 records, and five times what is usual. Amounts that are a
power of ten too great show in the accounts of one branch.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from models.arrays import Floats
from models.sketches.histogram import Sketch
from monitor.core.transaction import Reason
from monitor.systemic.concentration import Concentrated
from monitor.systemic.tails import FadedCounts, gamma_poisson_tail

RECORDS_LEAST: Final = 20
LIFT_LEAST: Final = 5.0
PROBABILITY: Final = 1e-6
SIZE: Final = 2.0
"""Of the gamma law: rejections come in clumps."""

EXPECTED_LEAST: Final = 0.5
HISTORY_LEAST: Final = 7
BRANCHES_OF_A_FILE: Final = 3
"""So many branches with a burst at once are one file, not so many feeds."""

DUPLICATES: Final = "duplicates"
CLOCK: Final = "clock"
REPLAYED: Final = "replayed-file"

REJECTED: Final = (DUPLICATES, CLOCK, REPLAYED)
"""Faults whose records were rejected: they are in no total."""

_KINDS: Final = {
    Reason.DUPLICATE.value: DUPLICATES,
    Reason.FUTURE.value: CLOCK,
    Reason.TOO_LATE.value: CLOCK,
}


class Fault(NamedTuple):
    """A fault of a feed on one day: of one branch, or of several ("").

    `number` decided it: how many times the usual records, or by what the amounts are too great.
    """

    kind: str
    branch: str
    records: int
    lift: float
    number: float
    share: float
    probability: float


class Rejected:
    """Every feed's rejections by reason, as they were until yesterday."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._usual = FadedCounts(state)

    def dump(self) -> dict[str, Any]:
        """Return its state, as JSON has it."""
        return self._usual.dump()

    def look(self, rejections: Mapping[tuple[str, str], int]) -> list[Fault]:
        """Return the faults of a day, and change nothing."""
        if self._usual.days < HISTORY_LEAST:
            return []
        bursts = [
            fault
            for (reason, branch), records in sorted(rejections.items())
            if reason in _KINDS
            and (fault := self._burst(reason, branch, records, rejections)) is not None
        ]
        return _as_files(bursts)

    def learn(self, rejections: Mapping[tuple[str, str], int], found: list[Fault]) -> None:
        """Take in a day without its bursts."""
        out = {(fault.branch, fault.kind) for fault in found}
        is_file = {fault.branch for fault in found if fault.kind == REPLAYED}
        everywhere = "" in is_file
        self._usual.take_in(
            {
                (reason, branch): count
                for (reason, branch), count in rejections.items()
                if not (
                    reason in _KINDS
                    and (everywhere or branch in is_file or (branch, _KINDS[reason]) in out)
                )
            }
        )

    def _burst(
        self, reason: str, branch: str, records: int, rejections: Mapping[tuple[str, str], int]
    ) -> Fault | None:
        before = self._usual.counts.get((reason, branch), 0.0) / self._usual.weight
        usual = max(before, EXPECTED_LEAST)
        if records < RECORDS_LEAST or records < LIFT_LEAST * usual:
            return None
        probability = gamma_poisson_tail(records, usual, SIZE)
        if probability > PROBABILITY:
            return None
        of_reason = sum(count for (other, _), count in rejections.items() if other == reason)
        lift = records / usual
        return Fault(_KINDS[reason], branch, records, lift, lift, records / of_reason, probability)


def _as_files(bursts: list[Fault]) -> list[Fault]:
    """Return bursts, those that only a file played again can make taken together.

    A branch whose records come twice while others of it are too late sends closed days again; and
    many branches at once are no feed of one branch.
    """
    kinds: dict[str, set[str]] = {}
    for burst in bursts:
        kinds.setdefault(burst.branch, set()).add(burst.kind)
    replayed = {
        branch
        for branch, kinds_of_branch in kinds.items()
        if kinds_of_branch == {DUPLICATES, CLOCK}
    }
    twice = {branch for branch, kinds_of_branch in kinds.items() if DUPLICATES in kinds_of_branch}
    if len(twice) >= BRANCHES_OF_A_FILE:
        return [_together([burst for burst in bursts if burst.branch in twice], "")]
    files = [
        _together([burst for burst in bursts if burst.branch == branch], branch)
        for branch in sorted(replayed)
    ]
    return files + [burst for burst in bursts if burst.branch not in replayed]


def _together(bursts: list[Fault], branch: str) -> Fault:
    records = sum(burst.records for burst in bursts)
    most = max(bursts, key=lambda burst: burst.lift)
    by_kind = Counter({burst.kind: burst.share for burst in bursts if burst.branch == most.branch})
    share = max(by_kind.values()) if branch else 1.0
    return Fault(REPLAYED, branch, records, most.lift, most.lift, share, most.probability)


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


def amounts_fault(branch: Concentrated, values: Iterable[Values]) -> Fault | None:
    """Return the fault that a concentration on a branch is, by all segments of its limit."""
    decades = jump_of(values)
    if decades < DECADES_LEAST:
        return None
    return Fault(
        AMOUNTS,
        branch.value,
        branch.cases,
        branch.lift,
        10**decades,
        branch.share,
        branch.probability,
    )


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
