"""Faults of a feed: rows that come late, twice, or broken.

A fault is a row added to a day, never one changed: without its faults a feed is the same feed.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from models.arrays import Ints
from monitor.population.movements import USUAL, Movements

if TYPE_CHECKING:
    from monitor.population.movements import MadeDay

KINDS: Final = (
    "duplicate", "late", "malformed", "missing-field", "bad-amount", "bad-time", "unknown-currency",
)  # fmt: skip
"""Fault n is KINDS[n - 1]: a reason to reject, or `late`, which a policy may allow."""

SOUND: Final = 0
"""The fault of a row that has none."""

SHARE: Final = 0.002
"""Faults a row, of all kinds together."""

LATE_DAYS_MAX: Final = 5
NUMBERS_FROM: Final = 9_000_000_000
"""Added rows are numbered from here, so that they shift no other row's number."""

_A_DAY_MAX: Final = 100_000
_DUPLICATE, _LATE = 1, 2
_DAY_SECONDS: Final = 86_400


def with_faults(rng: np.random.Generator, made: "MadeDay", number: int) -> "MadeDay":
    """Return a day with its faults among its rows; `number` is its place in the run, from 0."""
    usual = made.movements.label == USUAL
    usual[made.reverses >= 0] = False
    usual[made.reverses[made.reverses >= 0]] = False
    pool = np.flatnonzero(usual)
    count = min(int(rng.poisson(SHARE * pool.size)), _A_DAY_MAX)
    if not pool.size or not count:
        return made
    sources = rng.choice(pool, count)
    kinds = rng.integers(1, len(KINDS) + 1, count)
    again_after = rng.integers(60, 3600, count)
    days_late = rng.integers(1, LATE_DAYS_MAX + 1, count)
    own_numbers = NUMBERS_FROM + number * _A_DAY_MAX + np.arange(count)
    arrivals = made.movements.second[sources] + np.where(kinds == _DUPLICATE, again_after, 0)
    order = np.argsort(np.concatenate([made.movements.second, arrivals]), kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    reverses = np.where(made.reverses >= 0, place[made.reverses], -1)
    return made._replace(
        movements=Movements.joined([made.movements, made.movements.taken(sources)]).taken(order),
        moments=_added(
            made.moments,
            made.moments[sources] - np.where(kinds == _LATE, days_late * _DAY_SECONDS, 0),
        )[order],
        numbers=_added(
            made.numbers, np.where(kinds == _DUPLICATE, made.numbers[sources], own_numbers)
        )[order],
        reverses=_added(reverses, np.full(count, -1))[order],
        faults=_added(made.faults, kinds)[order],
    )


def broken(cells: tuple[str, ...], fault: int) -> tuple[str, ...]:
    """Return the texts of a row as a fault leaves them (`duplicate` and `late`: as they are)."""
    # Places by monitor.core.transaction.FIELDS.
    match KINDS[fault - 1]:
        case "malformed":
            return (*cells[:5], cells[5][0].upper(), *cells[6:])  # D or C, as some banks write it
        case "missing-field":
            return (cells[0], "", *cells[2:])
        case "bad-amount":
            return (*cells[:3], "-" + cells[3], *cells[4:])
        case "bad-time":
            return (*cells[:2], cells[2].removesuffix("Z"), *cells[3:])
        case "unknown-currency":
            return (*cells[:4], cells[4].lower(), *cells[5:])
        case "duplicate" | "late":
            return cells


def _added(column: Ints, more: Ints) -> Ints:
    return np.concatenate([column, more])
