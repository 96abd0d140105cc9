"""Movements of money as columns, before they are written as rows."""

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple, Self

import numpy as np

from models.arrays import Floats, Ints

USUAL = 0
"""The label of a movement that is nothing special."""

AMOUNT_MAX: Final = 1_000_000_000
"""In major units: the tails are heavy, and a greater amount would be no amount of a bank's day."""


class Movements(NamedTuple):
    """Movements of one day, by column.

    `second` is of the day, `amount` in minor units; `label` stands for one of the `KINDS` of
    anomalies, incidents or needs; accounts, counterparties and institutions are numbers.
    """

    account: Ints
    second: Ints
    amount: Ints
    is_credit: Ints
    channel: Ints
    institution: Ints
    counterparty: Ints
    label: Ints

    @classmethod
    def joined(cls, parts: "Iterable[Movements]") -> "Movements":
        """Return the movements of several parts, one after the other."""
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def taken(self, places: Ints) -> Self:
        """Return the movements at some places, in their order."""
        return type(self)(*(column[places] for column in self))


def minor_amounts(amounts: Floats) -> Ints:
    """Return amounts in major units as whole minor units, from one to `AMOUNT_MAX`."""
    return np.clip(np.rint(amounts * 100), 1, AMOUNT_MAX * 100).astype(np.int64)


def seconds_of_day(hours: Floats) -> Ints:
    """Return hours as whole seconds of a day."""
    return np.clip(hours * 3600, 0, 86_399).astype(np.int64)


class MadeDay(NamedTuple):
    """One business day of the population's time zone, by column, in the order of the feed.

    `moments` is in whole seconds since 1970 (UTC); `numbers` is each transaction's number in the
    run; `reverses` has the place in this day of the row that a row takes back, or -1; `faults`
    stands for `fault.KINDS`, 0 for a sound row. Without faults, the feed is in the order of time.
    """

    day: date
    movements: Movements
    moments: Ints
    numbers: Ints
    reverses: Ints
    faults: Ints
