"""Filters of a gauge: which transactions it takes."""

import re
from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from monitor.core.business_day import Calendar
from monitor.core.names import NameList
from monitor.core.transaction import Transaction

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BIC: Final = re.compile(r"[A-Z0-9]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_SATURDAY: Final = 5


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

    def takes(self, transaction: Transaction, day: int, calendar: Calendar) -> bool:
        """Return whether all of it holds of a transaction of a business day."""
        amount = transaction.amount_minor
        return (
            (not self.channel or transaction.channel in self.channel)
            and (not self.counterparty or transaction.counterparty_id in self.counterparty)
            and (
                self.counterparty_in is None
                or transaction.counterparty_id in self.counterparty_in.names
            )
            and (not self.institution or transaction.counterparty_institution in self.institution)
            and (
                not self.country or country_of(transaction.counterparty_institution) in self.country
            )
            and (not self.branch or transaction.branch in self.branch)
            and (self.amount_from is None or amount >= self.amount_from)
            and (self.amount_to is None or amount <= self.amount_to)
            and (self.multiple_of is None or amount % self.multiple_of == 0)
            and (self.hours is None or self._is_in_hours(transaction.event_time, calendar))
            and (self.new_within is None or bool(transaction.counterparty_id))
            and (self.is_weekend is None or is_weekend(day) is self.is_weekend)
            and (self.is_holiday is None or bool(self.holidays_of(day, day)) is self.is_holiday)
        )

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
        minute = minute_of(event_time, calendar)
        return begin <= minute < end if begin < end else minute >= begin or minute < end


def country_of(institution: str | None) -> str | None:
    """Return the country of an institution by its BIC; None if it names none so.

    >>> country_of("DEUTDEFF500"), country_of("Deutsche Bank"), country_of(None)
    ('DE', None, None)
    """
    found = _BIC.fullmatch(institution or "")
    return found[1] if found else None


def minute_of(event_time: int, calendar: Calendar) -> int:
    """Return the minute of the day, 0 to 1439, that a clock of the policy's time zone shows."""
    moment = (_EPOCH + timedelta(microseconds=event_time)).astimezone(calendar.time_zone)
    return 60 * moment.hour + moment.minute


def is_weekend(day: int) -> bool:
    """Return whether a business day is a Saturday or a Sunday."""
    return date.fromordinal(day).weekday() >= _SATURDAY
