"""The days on which an account has paid whom: by them a counterparty is new to it, or not."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from monitor.core.gauged import Cell, Group, MeasuredItem
from monitor.core.transaction import DEBIT
from monitor.gauges.gauge import Gauge

PAID: Final[Group] = ("paid", "")
"""Where an account keeps its cells of whom it has paid: one for each day and counterparty."""


def is_payment(item: MeasuredItem) -> bool:
    """Return whether an item has paid somebody."""
    return item.direction == DEBIT and bool(item.counterparty)


class PaidDays:
    """The business days on which an account has paid each counterparty; they come in order."""

    def __init__(self, paid: Iterable[tuple[int, str]]) -> None:
        self._days: dict[str, list[int]] = {}
        for day, whom in paid:
            self._days.setdefault(whom, []).append(day)

    def is_new(self, whom: str, day: int, within: int) -> bool:
        """Return whether nothing was paid to somebody on so many days before a day."""
        days = self._days.get(whom, ())
        return bisect_left(days, day) == bisect_left(days, day - within)


def of_new(
    gauge: Gauge, cells: Sequence[Cell], paid: Iterable[Cell], day_of: Callable[[int], int]
) -> list[Cell]:
    """Return the cells of a gauge whose counterparty is new, as its filter asks for."""
    assert gauge.where.new_within is not None, "it asks for new ones"
    asked = {cell.what for cell in cells}
    days = PaidDays((cell.at, str(cell.what)) for cell in paid if cell.what in asked)
    return [
        cell
        for cell in cells
        if days.is_new(
            str(cell.what),
            day_of(cell.at) if gauge.period.is_rolling else cell.at,
            gauge.where.new_within,
        )
    ]
