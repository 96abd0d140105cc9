"""Labelled changes of single accounts that are nothing to fear: their owners need more.

They are what reviews are to tell from suspicions, and none of them is an anomaly to find.
"""

from typing import Final, NamedTuple

import numpy as np

from models.arrays import Bools, Floats, Ints
from monitor.population.behaviour import Accounts
from monitor.population.movements import USUAL, Movements

KINDS: Final = ("growing-shop", "seasonal-trade", "salary-change")
LABEL_FIRST: Final = 21
"""Label 21 stands for KINDS[0], and so on."""

SHARE: Final = 0.03
"""Of the accounts whose type may have it, for each kind."""

_TYPES: Final = {"growing-shop": (5, 6), "seasonal-trade": (5, 6), "salary-change": (1, 3)}
_FACTORS: Final = dict(zip(KINDS, [(2.0, 4.0), (2.0, 4.0), (1.5, 2.5)], strict=True))
_BEGIN_DAYS: Final = (10, 30)
_GROWTH_DAYS: Final = 30
_SEASON_DAYS: Final = (10, 21)
_EVER: Final = 1 << 31


class Needs(NamedTuple):
    """Needs by column: each one's kind and account, its days in the run, and what it comes to.

    A shop grows for a month to so many times the transactions, and keeps them; a season has so
    many from its first day to its last; with another salary, amounts are so many times as great.
    """

    kind: Ints
    account: Ints
    begin: Ints
    end: Ints
    factor: Floats

    def active(self, number: int) -> Bools:
        """Return which of them there are on the day of a number in the run, from 0."""
        return (self.begin <= number) & (number < self.end)

    def changed(self, accounts: Accounts, number: int) -> Accounts:
        """Return accounts as they are on a day."""
        of_day = self.active(number)
        kind, factor = self.kind[of_day], self.factor[of_day]
        grown = np.minimum((number - self.begin[of_day] + 1) / _GROWTH_DAYS, 1)
        factor = np.where(kind == KINDS.index("growing-shop"), factor**grown, factor)
        count, log_mean = accounts.daily_count.copy(), accounts.amount_log_mean.copy()
        is_salary = kind == KINDS.index("salary-change")
        whose = self.account[of_day]
        log_mean[whose[is_salary]] += np.log(factor[is_salary])
        count[whose[~is_salary]] *= factor[~is_salary]
        return accounts._replace(daily_count=count, amount_log_mean=log_mean)

    def labelled(self, movements: Movements, accounts: int, number: int) -> Movements:
        """Return ordinary movements of a day with the labels of their accounts' needs."""
        labels = np.full(accounts, USUAL)
        of_day = self.active(number)
        labels[self.account[of_day]] = LABEL_FIRST + self.kind[of_day]
        return movements._replace(label=labels[movements.account])


def drawn_needs(rng: np.random.Generator, accounts: Accounts) -> Needs:
    """Draw needs of a share of the accounts; no account has two."""
    found: list[tuple[Ints, ...]] = []
    factors: list[Floats] = []
    taken = np.zeros(accounts.type.size, np.bool_)
    for number, kind in enumerate(KINDS):
        pool = np.flatnonzero(np.isin(accounts.type, _TYPES[kind]))
        count = round(SHARE * pool.size)
        whose = np.sort(rng.permutation(pool[~taken[pool]])[:count])
        taken[whose] = True
        begin = rng.integers(*_BEGIN_DAYS, whose.size)
        end = np.full_like(begin, _EVER)
        if kind == "seasonal-trade":
            end = begin + rng.integers(*_SEASON_DAYS, whose.size)
        found.append((np.full_like(whose, number), whose, begin, end))
        factors.append(rng.uniform(*_FACTORS[kind], whose.size))
    kind_, account, begin_, end_ = (np.concatenate(column) for column in zip(*found, strict=True))
    return Needs(kind_, account, begin_, end_, np.concatenate(factors))
