"""Weekly profiles of a made population, and how well a grouping agrees with the truth."""

from functools import cache
from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from monitor.population import Population

DAYS_FIRST = 14
COARSE_CLASS = np.array([0, 0, 0, 0, 1, 2, 2, 2])
"""Of the eight types of behaviour: people, savers, businesses."""


class Week(NamedTuple):
    """Profiles of the accounts that are known enough at a week's end, by account."""

    day: int
    account: Ints
    profiles: Floats


class Behaviours(NamedTuple):
    weeks: list[Week]
    type: Ints  # of each account of the population
    coarse: Ints


@cache
def behaviours(seed: int, accounts: int, weeks: int) -> Behaviours:
    """Profiles of all days so far, a week apart, of accounts with ten transactions or more."""
    population = Population(accounts, DAYS_FIRST + 7 * (weeks - 1), seed)
    sums = np.zeros((accounts, 14))
    made_weeks = []
    for number, made in enumerate(population.made_days(), start=1):
        m = made.movements
        amount = np.log(m.amount / 100 + 1)
        columns = [
            np.ones(m.account.size), amount, amount * amount, m.is_credit,
            *(m.second // 21_600 == part for part in (1, 2, 3)),
            *(m.channel == channel for channel in range(6)),
            np.full(m.account.size, made.day.weekday() >= 5),
        ]  # fmt: skip
        for place, column in enumerate(columns):
            sums[:, place] += np.bincount(m.account, column, accounts)
        if number >= DAYS_FIRST and (number - DAYS_FIRST) % 7 == 0:
            account = np.flatnonzero(sums[:, 0] >= 10)
            made_weeks.append(Week(made.day.toordinal(), account, _profiles(sums[account], number)))
    type_ = population.drawn.type
    return Behaviours(made_weeks, type_, COARSE_CLASS[type_])


def _profiles(sums: Floats, days: int) -> Floats:
    count = sums[:, :1]
    mean, square = sums[:, 1:2] / count, sums[:, 2:3] / count
    sd = np.sqrt(np.maximum(square - mean * mean, 0))
    shares = sums[:, 3:14] / count
    return np.hstack([mean, sd, np.log(count / days + 0.05), shares])


def adjusted_rand_index(left: Ints, right: Ints) -> float:
    """How alike two groupings are: 1 where they are the same, 0 on average by chance."""
    _, rows = np.unique(left, return_inverse=True)
    _, columns = np.unique(right, return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)
    both, in_one, in_other = _pairs(table), _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    by_chance = in_one * in_other / _pairs(np.array([len(left)]))
    return (both - by_chance) / ((in_one + in_other) / 2 - by_chance)


def _pairs(counts: Floats) -> float:
    return float((counts * (counts - 1) / 2).sum())
