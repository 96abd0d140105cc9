"""Filters of a gauge: which transactions it takes."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import date
from typing import Final, NamedTuple

from monitor.core.business_day import Calendar
from monitor.core.names import NameList
from monitor.core.transaction import Transaction

_BIC: Final = re.compile(r"[A-Z0-9]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_SATURDAY: Final = 5


Takes = Callable[[Transaction, int, Calendar], bool]
"""Whether a transaction of a business day is taken."""


class GaugeFilter(NamedTuple):
    """What must hold of a transaction, all of it; what is empty or None asks for nothing.

    Names are compared as they are written. `country` is that of the counterparty's institution,
    where that is a BIC (ISO 9362). Amounts are in minor units of the limit's currency, as booked:
    what is reversed later changes nothing here. `hours` are minutes of the day in the policy's time
    zone, from the first on and before the second; past midnight where the second is earlier. A
    weekend is a Saturday or Sunday, as a business day. `holidays` are the policy's, sorted, where
    `is_holiday` asks for them: so another list is another filter.

    With `new_within` the counterparty is one that the account has not paid on so many business days
    before: that is known of the account, and not asked here.
    """

    channel: tuple[str, ...] = ()
    counterparty: tuple[str, ...] = ()
    institution: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    amount_from: int | None = None
    amount_to: int | None = None
    multiple_of: int | None = None
    hours: tuple[int, int] | None = None
    is_weekend: bool | None = None
    is_holiday: bool | None = None
    holidays: tuple[int, ...] = ()
    counterparty_in: NameList | None = None
    new_within: int | None = None

    def parts(self) -> Iterator[Takes]:
        """Yield what is asked of each transaction, part by part: what is not asked costs nothing.

        The parts that few transactions pass come first.
        """
        yield from self._parts_of_names()
        if self.is_holiday is not None:
            yield lambda _, day, __: bool(self.holidays_of(day, day)) is self.is_holiday
        if self.is_weekend is not None:
            yield lambda _, day, __: is_weekend(day) is self.is_weekend
        yield from self._parts_of_amounts()
        if self.hours is not None:
            yield lambda item, _, calendar: self._is_in_hours(item.event_time, calendar)
        if self.new_within is not None:
            yield lambda item, _, __: bool(item.counterparty_id)

    def _parts_of_names(self) -> Iterator[Takes]:
        channels, counterparties = frozenset(self.channel), frozenset(self.counterparty)
        institutions, countries = frozenset(self.institution), frozenset(self.country)
        branches = frozenset(self.branch)
        if channels:
            yield lambda item, _, __: item.channel in channels
        if counterparties:
            yield lambda item, _, __: item.counterparty_id in counterparties
        if self.counterparty_in is not None:
            listed = self.counterparty_in.names
            yield lambda item, _, __: item.counterparty_id in listed
        if institutions:
            yield lambda item, _, __: item.counterparty_institution in institutions
        if countries:
            yield lambda item, _, __: country_of(item.counterparty_institution) in countries
        if branches:
            yield lambda item, _, __: item.branch in branches

    def _parts_of_amounts(self) -> Iterator[Takes]:
        least, most, whole = self.amount_from, self.amount_to, self.multiple_of
        if least is not None:
            yield lambda item, _, __: item.amount_minor >= least
        if most is not None:
            yield lambda item, _, __: item.amount_minor <= most
        if whole is not None:
            yield lambda item, _, __: item.amount_minor % whole == 0

    @property
    def stated(self) -> dict[str, object]:
        """What it asks for, by its fields: what it does not ask for is not in it.

        A list is said by its digest, whatever its name.
        """
        asked = zip(self._fields, self, self._field_defaults.values(), strict=True)
        return {
            field: value.digest if isinstance(value, NameList) else value
            for field, value, default in asked
            if value != default
        }

    def holidays_of(self, first: int, last: int) -> tuple[int, ...]:
        """Return the holidays from one business day to another, both included."""
        begin, end = (bisect_left(self.holidays, day) for day in (first, last + 1))
        return self.holidays[begin:end]

    def _is_in_hours(self, event_time: int, calendar: Calendar) -> bool:
        assert self.hours is not None
        begin, end = self.hours
        minute = calendar.minute_of(event_time)
        return begin <= minute < end if begin < end else minute >= begin or minute < end


def country_of(institution: str | None) -> str | None:
    """Return the country of an institution by its BIC; None if it names none so.

    >>> country_of("DEUTDEFF500"), country_of("Deutsche Bank"), country_of(None)
    ('DE', None, None)
    """
    found = _BIC.fullmatch(institution or "")
    return found[1] if found else None


def is_weekend(day: int) -> bool:
    """Return whether a business day is a Saturday or a Sunday."""
    return date.fromordinal(day).weekday() >= _SATURDAY
