"""The days on which an account has paid whom: by them a counterparty is new to it, or not."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from monitor.core.gauged import Cell, Gauged, Group, MeasuredItem
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
        self._days = _days_by_whom(paid)

    def is_new(self, whom: str, day: int, within: int) -> bool:
        """Return whether nothing was paid to somebody on so many days before a day."""
        return is_new_in(self._days, whom, day, within)


def _days_by_whom(paid: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    days: dict[str, list[int]] = {}
    for day, whom in paid:
        days.setdefault(whom, []).append(day)
    return days


def is_new_in(days: Mapping[str, Sequence[int]], whom: str, day: int, within: int) -> bool:
    """Return whether nothing was paid to somebody on so many days before a day, by their days."""
    of_whom = days.get(whom)
    if of_whom is None or of_whom[-1] < day - within or of_whom[0] >= day:
        return True
    return bisect_left(of_whom, day) == bisect_left(of_whom, day - within)


def paid_days(gauged: Gauged) -> dict[str, list[int]]:
    """Return the days on which an account has paid each counterparty, as its cells say."""
    if gauged.paid is None:
        cells = gauged.cells.get(PAID, ())
        gauged.paid = _days_by_whom((cell.at, str(cell.what)) for cell in cells)
    return gauged.paid


def note_paid(gauged: Gauged, whom: str, day: int) -> None:
    """Note that the cell of a counterparty and a day has come, or has gone."""
    if gauged.paid is None:
        return
    days = gauged.paid.setdefault(whom, [])
    place = bisect_left(days, day)
    if place < len(days) and days[place] == day:
        del days[place]
        if not days:
            del gauged.paid[whom]
    else:
        days.insert(place, day)


def of_new(
    gauge: Gauge,
    cells: Sequence[Cell],
    paid: Mapping[str, Sequence[int]],
    day_of: Callable[[int], int],
) -> list[Cell]:
    """Return the cells of a gauge whose counterparty is new, as its filter asks for.

    `paid` are the days on which the account has paid each counterparty.
    """
    within, is_rolling = gauge.where.new_within, gauge.period.is_rolling
    assert within is not None, "it asks for new ones"
    return [
        cell
        for cell in cells
        if is_new_in(paid, str(cell.what), day_of(cell.at) if is_rolling else cell.at, within)
    ]
