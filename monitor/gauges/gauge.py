"""A gauge: what a limit measures of an account, over which period, of which transactions."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from hashlib import sha256
from operator import attrgetter
from typing import Final, NamedTuple

from monitor.core.account import (
    AMOUNT_CREDIT,
    AMOUNT_DEBIT,
    COUNT_CREDIT,
    COUNT_DEBIT,
)
from monitor.core.gauged import Cell, MeasuredItem, NearDay, Share, UsualDays
from monitor.core.threshold import Direction, Measure
from monitor.core.transaction import DEBIT, Transaction
from monitor.gauges.period import AccountSilence, AccountUsual, NearSums, Period
from monitor.gauges.where import GaugeFilter, Takes

WHOLE: Final = 1_000
"""The whole of which a share is said. A share is rounded up: so it exceeds a limit exactly if the
part does."""

HUNDREDTHS: Final = 100
"""What a ratio is said in; it is rounded up, as a share is."""

RATIO_MAX: Final = 100_000 * HUNDREDTHS
"""A ratio is said as this one if it is greater: no limit is so high."""

_NAME_LENGTH: Final = 16

_NOT_SUMMED: Final = frozenset(
    {Measure.LARGEST, Measure.DISTINCT, Measure.SHARE, Measure.RATIO, Measure.NEAR}
)

_OF_SUMS: Final = frozenset({Measure.AMOUNT, Measure.RATIO, Measure.NEAR})

_OTHER: Final = "other"
"""What breaks a silence and is not measured: it has another direction or currency."""

AT: Final = attrgetter("at")


class Party(StrEnum):
    """Who is on the other side of a transaction."""

    COUNTERPARTY = "counterparty"
    INSTITUTION = "institution"


class Gauge(NamedTuple):
    """What is measured: limits of one gauge compete, and the most specific decides alone.

    With `per`, each counterparty's or institution's part is measured by itself; a transaction that
    names none is not. `distinct` is whom the measure of that name counts, or whose share it
    is; what names none is part of the sum then, and nobody's share. The direction of `net` is
    the one that the other is taken off. A count without a currency is of all currencies.

    With a `silence`, what is measured is that of a day after it. All that the filter takes breaks
    it, in any direction and currency. With a `usual`, the sum of a day is said as how many times it
    is the mean of the account's last days with anything. With `near`, the days are counted whose
    sum is near another limit.

    With a `base`, amounts of all currencies are measured as one sum in it: its cells are told apart
    by currency, and what they amount to is `monitor.gauges.conversion`'s to say.
    """

    measure: Measure
    direction: Direction
    currency: str | None
    period: Period
    where: GaugeFilter = GaugeFilter()
    per: Party | None = None
    distinct: Party | None = None
    silence: AccountSilence | None = None
    usual: AccountUsual | None = None
    near: NearSums | None = None
    base: str | None = None

    @property
    def name(self) -> str:
        """A name that says what is measured: the same in every version, and in state."""
        said: list[object] = [
            self.measure,
            self.direction,
            self.currency,
            self.period.text,
            self.per,
        ]
        said += [self.distinct, self.where.stated]
        said += filter(None, [self.silence, self.usual, self.near])
        said += [] if self.base is None else [{"base": self.base}]
        text = json.dumps(said, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()[:_NAME_LENGTH]

    def may_take(self, direction: str, currency: str) -> bool:
        """Return whether transactions of a direction and a currency may be taken."""
        return self.silence is not None or self._counts(direction, currency)

    def parts(self) -> Iterator[Takes]:
        """Yield what is asked of a transaction of a direction and currency that may be taken."""
        yield from self.where.parts()
        named = {self.per, None if self.measure is Measure.SHARE else self.distinct}
        if Party.COUNTERPARTY in named:
            yield lambda item, _, __: bool(item.counterparty_id)
        if Party.INSTITUTION in named:
            yield lambda item, _, __: bool(item.counterparty_institution)

    def _counts(self, direction: str, currency: str) -> bool:
        return self.currency in {None, currency} and (
            self.direction is Direction.BOTH
            or self.measure is Measure.NET
            or self.direction == direction
        )

    def what_of(self, item: MeasuredItem) -> int | str:
        """Return what tells an item's cell from others of the moment."""
        if self.silence is not None and not self._counts(item.direction, item.currency):
            return _OTHER
        if self.base is not None:
            return item.currency
        if self.where.new_within is not None:
            return named_by(item, Party.COUNTERPARTY)
        if self.measure is Measure.LARGEST:
            return item.left
        if self.measure is Measure.SHARE:
            return (
                item.counterparty if self.distinct == "counterparty" else item.institution
            ) or ""
        return "" if self.distinct is None else named_by(item, self.distinct)

    @property
    def is_summed(self) -> bool:
        """Whether its value follows from the sums of its cells."""
        asks_of_each = self.silence is not None or self.where.new_within is not None
        return self.measure not in _NOT_SUMMED and not asks_of_each and self.base is None

    def value_of(self, cells: Sequence[Cell]) -> int:
        """Return what some cells amount to, in minor units or as a count."""
        if self.silence is not None:
            cells = [cell for cell in cells if cell.what != _OTHER]
        if self.measure is Measure.LARGEST:
            return max((cell.what for cell in cells if isinstance(cell.what, int)), default=0)
        if self.measure is Measure.DISTINCT:
            return len({cell.what for cell in cells})
        if self.measure is Measure.SHARE:
            share = self.share_of(cells)
            return 0 if share is None else -(-WHOLE * share.part // share.whole)
        return self.value_of_totals(summed(cells))

    def value_of_totals(self, totals: Sequence[int]) -> int:
        """Return what sums of cells amount to, in minor units or as a count."""
        count_out, paid_out, count_in, paid_in = totals
        measure, direction = self.measure, self.direction
        if measure is Measure.COUNT:
            return count_out + count_in
        if measure is Measure.THROUGH:
            return min(paid_out, paid_in)
        if measure is Measure.NET:
            return paid_in - paid_out if direction is Direction.CREDIT else paid_out - paid_in
        assert measure in _OF_SUMS, "a gauge has a measure of its own"
        return paid_out + paid_in

    def value_at(self, cells: Sequence[Cell], day: int, usual: UsualDays | None) -> int:
        """Return what the cells of the period that a day is in amount to, beside its usual."""
        if self.near is not None:
            return len(self.near_of(cells, day))
        return self.value_of(cells) if self.usual is None else self.ratio_of(usual)

    def near_of(self, cells: Sequence[Cell], day: int) -> tuple[NearDay, ...]:
        """Return the days of some cells whose sum is near another limit; () of other measures.

        Over so many days up to one, there are some only if that one is near.
        """
        if self.near is None:
            return ()
        low, high, days = self.near
        sums = ((cell.at, self.value_of_totals(cell.totals)) for cell in cells)
        near = tuple(NearDay(at, amount) for at, amount in sums if low <= amount <= high)
        is_counted = near and (not days or near[-1].day == day)
        return near if is_counted else ()

    def active_before(self, cells: Sequence[Cell], day: int) -> int:
        """Return the last day of a group's cells before a day, if a silence is between them.

        It is 0 where none is, where the last one is not remembered any more, and of other gauges.
        """
        place = bisect_left(cells, day, key=AT) if self.silence is not None else 0
        if self.silence is None or not place:
            return 0
        active = cells[place - 1].at
        return active if self.silence.days < day - active <= self.silence.remembered else 0

    def usual_of(self, cells: Sequence[Cell], day: int, since: int = 0) -> UsualDays | None:
        """Return the usual that a day of a group's cells has before it; None without, or of others.

        `since` is the first day that is measured whole: those before may lack something.
        """
        if self.usual is None:
            return None
        place = bisect_left(cells, day, key=AT)  # each day has one cell
        before = cells[place - self.usual.days : place] if place >= self.usual.days else ()
        if not before or before[0].at < max(since, day - self.usual.remembered):
            return None
        total = self.value_of_totals(summed(before))
        amount = self.value_of_totals(summed(between(cells, day, day)))
        return UsualDays(before[0].at, before[-1].at, total, amount) if total else None

    def ratio_of(self, usual: UsualDays | None) -> int:
        """Return how many times its usual a day has, in hundredths rounded up; 0 without any.

        So it exceeds a limit exactly if the day has more than so many times the mean.
        """
        if usual is None or self.usual is None:
            return 0
        hundredths = -(-HUNDREDTHS * self.usual.days * usual.amount // usual.total)
        return min(hundredths, RATIO_MAX)

    def share_of(self, cells: Sequence[Cell]) -> Share | None:
        """Return the greatest part of the sum of some cells; None without, or of other measures.

        Of two as great it is the one whose name comes first.
        """
        if self.measure is not Measure.SHARE:
            return None
        parts: dict[str, int] = {}
        for cell in cells:
            whose, totals = str(cell.what), cell.totals
            parts[whose] = parts.get(whose, 0) + totals[AMOUNT_DEBIT] + totals[AMOUNT_CREDIT]
        whole = sum(parts.values())
        parts.pop("", None)
        if not whole or not parts:
            return None
        whose = min(parts, key=lambda name: (-parts[name], name))
        return Share(whose, parts[whose], whole)

    @property
    def days_before(self) -> int:
        """How many days before a period it asks for, too."""
        silent = 0 if self.silence is None else self.silence.days
        return max(silent, self.where.new_within or 0, self.days_near)

    @property
    def days_near(self) -> int:
        """How many days before a day it counts beside it, if their sums are near a limit."""
        return max(self.near.days - 1, 0) if self.near is not None else 0


def party_of(transaction: Transaction, party: Party) -> str | None:
    """Return the counterparty or the institution of a transaction."""
    if party is Party.COUNTERPARTY:
        return transaction.counterparty_id
    return transaction.counterparty_institution


def named_by(item: MeasuredItem, party: Party) -> str:
    """Return the counterparty or the institution of an item that is measured by it."""
    named = item.counterparty if party is Party.COUNTERPARTY else item.institution
    assert named, "only such items are taken"
    return named


def add(cells: list[Cell], at: int, what: int | str, item: MeasuredItem, sign: int) -> None:
    """Add what is left of an item to the cell of a moment, or take it off (`sign` is -1).

    An item of which nothing is left is in no cell.
    """
    if not item.counted:
        return
    last = cells[-1] if cells else None
    place = len(cells)
    if last is None or last.at < at:
        is_debit, left = item.direction == DEBIT, sign * item.left
        totals = [sign, left, 0, 0] if is_debit else [0, 0, sign, left]
        cells.append(Cell(at, what, totals))
        return
    if last.at == at and last.what == what:  # as nearly always: what comes is the latest
        place -= 1
    else:
        place = bisect_left(cells, at, key=AT)
        while place < len(cells) and cells[place].at == at and cells[place].what != what:
            place += 1
        if place == len(cells) or cells[place].at != at:
            cells.insert(place, Cell(at, what, [0, 0, 0, 0]))
        last = cells[place]
    add_to(last.totals, item, sign)
    if sign < 0 and not last.totals[COUNT_DEBIT] and not last.totals[COUNT_CREDIT]:
        del cells[place]


def add_to(totals: list[int], item: MeasuredItem, sign: int) -> None:
    """Add what is left of an item to totals, or take it off (`sign` is -1)."""
    of_count = COUNT_DEBIT if item.direction == DEBIT else COUNT_CREDIT
    totals[of_count] += sign
    totals[of_count + 1] += sign * item.left


def take_off(totals: list[int], its: Sequence[int]) -> None:
    """Take the totals of a cell off those of several."""
    count_out, paid_out, count_in, paid_in = its
    totals[0] -= count_out
    totals[1] -= paid_out
    totals[2] -= count_in
    totals[3] -= paid_in


def summed(cells: Iterable[Cell]) -> list[int]:
    """Return the totals of some cells, as a cell has them."""
    count_out = paid_out = count_in = paid_in = 0
    for cell in cells:
        count_debit, debit, count_credit, credit = cell.totals
        count_out += count_debit
        paid_out += debit
        count_in += count_credit
        paid_in += credit
    return [count_out, paid_out, count_in, paid_in]


def window_values(
    gauge: Gauge,
    cells: Sequence[Cell],
    first: int,
    last: int,
    value_of: Callable[[Gauge, Sequence[Cell]], int] = Gauge.value_of,
) -> Iterator[tuple[int, int, Sequence[Cell]]]:
    """Yield the moments of cells from one on and up to another, and what each window then has.

    Sums go on from one window to the next; where a gauge asks for more than sums, the window's
    cells are given, too, and `value_of` says what they come to.
    """
    length = gauge.period.length
    place, end = bisect_left(cells, first, key=AT), bisect_right(cells, last, key=AT)
    begin = bisect_right(cells, first - length, key=AT)
    totals = summed(cells[begin:place])
    while place < end:
        at = cells[place].at
        while place < end and cells[place].at == at:
            totals = [mine + its for mine, its in zip(totals, cells[place].totals, strict=True)]
            place += 1
        while cells[begin].at <= at - length:
            take_off(totals, cells[begin].totals)
            begin += 1
        if gauge.is_summed:
            yield at, gauge.value_of_totals(totals), ()
        else:
            of_window = cells[begin:place]
            yield at, value_of(gauge, of_window), of_window


def between(cells: Sequence[Cell], first: int, last: int) -> Sequence[Cell]:
    """Return the cells from one moment on and up to another, both included."""
    return cells[bisect_left(cells, first, key=AT) : bisect_right(cells, last, key=AT)]
