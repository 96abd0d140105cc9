"""The gauges of one account: sums by time, transactions of open days, and what was told.

A gauge is what a limit measures beyond a day's totals (see `monitor.gauges`). It is known by its
name, which says what it measures and nothing of the limit; a group of it is the account's whole, or
one counterparty's or institution's part (`per`, an empty text is the whole).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from monitor.core.transaction import Origin


class MeasuredItem(NamedTuple):
    """A transaction of an open day that gauges have taken: what a reversal takes out of them.

    `day` and `event_time` are its own, `left` is what is left of its amount in minor units, and
    `counted` is 0 once nothing is left. `gauges` are the names of those that took it.
    """

    day: int
    event_time: int
    direction: str
    currency: str
    left: int
    counted: int
    counterparty: str | None
    institution: str | None
    gauges: tuple[str, ...]


class Cell:
    """What was measured at one moment of a group: counts and minor units by direction.

    `at` is a business day, or an event time where the gauge has a rolling window. `what` tells
    cells of one moment apart where the gauge asks for it: an amount left, a counterparty.
    """

    __slots__ = ("at", "totals", "what")

    def __init__(self, at: int, what: int | str, totals: list[int]) -> None:
        self.at = at
        self.what = what
        self.totals = totals  # debit count, debit minor units, credit count, credit minor units


class Sums:
    """What some cells of a group come to: those from the place `begin` on, up to a moment `at`.

    `at` is the first day of a period, whose cells they are, or the event time of the last cell.
    `parts` has what each part of them comes to, where a gauge asks for parts, and `most` is the
    greatest.
    """

    __slots__ = ("at", "begin", "most", "parts", "totals")

    def __init__(self, at: int, begin: int, totals: list[int]) -> None:
        self.at = at
        self.begin = begin
        self.totals = totals  # as a cell's
        self.parts: dict[int | str, int] | None = None
        self.most = 0


class Share(NamedTuple):
    """The greatest part of a sum, in minor units: whose it is, and the whole."""

    whose: str
    part: int
    whole: int


class UsualDays(NamedTuple):
    """What an account's own usual is of: its last days with anything, before the day that it has.

    `first` and `last` are the business days that it begins and ends with, `total` is the sum of
    these days and `amount` that of the day itself, in minor units.
    """

    first: int
    last: int
    total: int
    amount: int


class NearDay(NamedTuple):
    """A business day whose sum was near another limit, and that sum in minor units."""

    day: int
    amount: int


class GaugeTold(NamedTuple):
    """What was told last of a limit on one period of a group, as `Told` has it of a day."""

    status: str
    revision: int
    value: int
    limit: int
    severity: str
    origin: Origin | None = None
    share: Share | None = None
    active: int = 0  # the business day of what came last before a silence; 0 of other gauges
    usual: UsualDays | None = None
    near: tuple[NearDay, ...] = ()  # of a limit that counts such days; in order


Group = tuple[str, str]
"""The name of a gauge, and whose part it is."""

OfPeriod = tuple[int, str]
"""A period of a group, by the business day or the event time that it begins with, and a limit."""


class ClosedScope(NamedTuple):
    """By which policy version and scope limits decided on a closed day, and on those after it.

    Until another one is noted: for most accounts it never is.
    """

    day: int
    policy_version: int
    segment: str | None
    peer_group: str | None
    product: str | None


class Gauged:
    """What the gauges of one account hold; each list of cells is in the order of `at`."""

    __slots__ = ("busy", "cells", "closed", "due", "items", "paid", "sums", "told", "trimmed")

    def __init__(self) -> None:
        self.items: dict[str, MeasuredItem] = {}  # by the kept id of the transaction
        self.cells: dict[Group, list[Cell]] = {}
        self.sums: dict[Group, Sums] = {}  # of the latest cells: they follow from these
        self.paid: dict[str, list[int]] | None = None  # days by whom it paid: as its cells say
        self.told: dict[Group, dict[OfPeriod, GaugeTold]] = {}
        self.closed: list[ClosedScope] = []  # in order
        self.due = 0  # after which business day nothing of it is needed
        self.busy = 0  # after which one nothing but what a silence is told by
        self.trimmed = 0  # the first open day when what nobody needs was given back last

    @property
    def size(self) -> int:
        """How many things it holds."""
        groups = (*self.cells.values(), *self.told.values())
        return len(self.items) + sum(map(len, groups))


def gauged_fields(gauged: Gauged, written: Callable[[int], int | str]) -> tuple[object, ...]:
    """Return what gauges hold as state keeps it; `written` writes what may be beyond 64 bits."""
    return (
        gauged.due,
        [(name, *item) for name, item in gauged.items.items()],
        [
            (*group, [(cell.at, cell.what, [*map(written, cell.totals)]) for cell in cells])
            for group, cells in gauged.cells.items()
        ],
        [
            (
                *group,
                *period,
                told.status,
                told.revision,
                written(told.value),
                written(told.limit),
                told.severity,
                told.origin,
                None if told.share is None else (told.share.whose, *map(written, told.share[1:])),
                told.active,
                None if told.usual is None else (*told.usual[:2], *map(written, told.usual[2:])),
                [(each.day, written(each.amount)) for each in told.near],
            )
            for group, of_group in gauged.told.items()
            for period, told in of_group.items()
        ],
        gauged.closed,
    )


def gauged_of(fields: Sequence[Any]) -> Gauged:
    """Return what `gauged_fields` has written."""
    due, items, groups, periods, closed = fields
    gauged = Gauged()
    gauged.due = due
    gauged.closed = [ClosedScope._make(each) for each in closed]
    for name, *others, gauges in items:
        gauged.items[name] = MeasuredItem._make((*others, tuple(gauges)))
    for gauge, per, cells in groups:
        gauged.cells[gauge, per] = [
            Cell(at, what, [*map(int, totals)]) for at, what, totals in cells
        ]
    for gauge, per, at, limit, status, revision, value, *more in periods:
        above, severity, origin, share, active, *last = more
        usual = last[0] if last else None  # a build before had no such limits
        near = last[1] if len(last) > 1 else ()  # nor these
        told = GaugeTold(
            status,
            revision,
            int(value),
            int(above),
            severity,
            None if origin is None else Origin(*origin),
            None if share is None else Share(share[0], int(share[1]), int(share[2])),
            active,
            None if usual is None else UsualDays(*map(int, usual)),
            tuple(NearDay(day, int(amount)) for day, amount in near),
        )
        gauged.told.setdefault((gauge, per), {})[at, limit] = told
    return gauged
