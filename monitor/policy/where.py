"""The `where` of a limit: which transactions it measures."""

import re
from typing import Final

from monitor.core.money import EXPONENT, minor_units
from monitor.core.table_reader import TableReader, is_whole, shown
from monitor.core.transaction import ID_LENGTH_MAX
from monitor.gauges.where import GaugeFilter

WHERE_KEYS: Final = (
    "channel",
    "counterparty",
    "counterparty_institution",
    "counterparty_institution_country",
    "branch",
    "amount",
    "hours",
    "weekend",
    "holiday",
    "counterparty_new",
)
AMOUNT_KEYS: Final = ("from", "to", "multiple_of")

NAMES_MAX: Final = 1_000
"""Names that one part of a filter lists."""

NEW_DAYS_MAX: Final = 366
"""Whom an account has paid is kept for so many days at most, so that state has a bound."""

_DAYS: Final = re.compile(r"([1-9][0-9]{0,2})d")
_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


def where_stated(
    limit: TableReader, currency: str | None, holidays: tuple[int, ...] = ()
) -> GaugeFilter:
    """Return the filter that a limit states; its amounts are in a currency.

    `holidays` are those of the policy's calendar, sorted.
    """
    stated = limit.get("where", {})
    if not isinstance(stated, dict):
        limit.refuse(f'where is {stated!r}: write {{ channel = ["atm", "cash"] }}')
        return GaugeFilter()
    where = limit.reader(stated, f"{limit.where}where.")
    where.refuse_unknown(WHERE_KEYS)
    amounts = _amounts(where, currency)
    weekend, holiday = _of_day(where, "weekend"), _of_day(where, "holiday")
    if holiday is not None and not holidays:
        where.refuse("holiday is stated, and the policy has none: write [calendar] holidays")
    return GaugeFilter(
        _names(where, "channel"),
        _names(where, "counterparty"),
        _names(where, "counterparty_institution"),
        _names(where, "counterparty_institution_country"),
        _names(where, "branch"),
        *amounts,
        _hours(where),
        weekend,
        holiday,
        () if holiday is None else holidays,
        _new_within(where),
    )


def _new_within(where: TableReader) -> int | None:
    """Return for how many days nothing was paid to a counterparty that is new; None: to any."""
    value = where.get("counterparty_new", None)
    if value is None:
        return None
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if match is not None and int(match[1]) <= NEW_DAYS_MAX:
        return int(match[1])
    where.refuse(
        f"counterparty_new is {value!r}: write within how many days the account has not paid it,"
        f' e.g. "90d", at most {NEW_DAYS_MAX}d'
    )
    return None


def _of_day(where: TableReader, key: str) -> bool | None:
    """Return whether days of a sort are asked for, or all others; None if neither is."""
    value = where.get(key, None)
    if value is None or isinstance(value, bool):
        return value
    where.refuse(f"{key} is {value!r}: write true, or false for all other days")
    return None


def _names(where: TableReader, key: str) -> tuple[str, ...]:
    """Return the names that a part lists, sorted: their order says nothing."""
    stated = where.get(key, None)
    if stated is None:
        return ()
    names = [stated] if isinstance(stated, str) else stated
    if (
        isinstance(names, list)
        and 0 < len(names) <= NAMES_MAX
        and all(isinstance(name, str) and 0 < len(name) <= ID_LENGTH_MAX for name in names)
    ):
        return tuple(sorted(set(names)))
    where.refuse(f"{key} is {shown(stated)}: write a text, or a list of at most {NAMES_MAX:,}")
    return ()


def _amounts(where: TableReader, currency: str | None) -> tuple[int | None, int | None, int | None]:
    stated = where.get("amount", None)
    if stated is None:
        return None, None, None
    if not isinstance(stated, dict) or not stated:
        where.refuse(f'amount is {stated!r}: write {{ from = "100.00", to = "999.99" }}')
        return None, None, None
    if currency is None:
        where.refuse("amount is stated, and the limit has no currency")
        return None, None, None
    amount = where.reader(stated, f"{where.where}amount.")
    amount.refuse_unknown(AMOUNT_KEYS)
    low, high, multiple = (
        money_stated(amount, key, currency) if key in stated else None for key in AMOUNT_KEYS
    )
    if low is not None and high is not None and low > high:
        amount.refuse("from is greater than to: no amount is in between")
    if multiple == 0:
        amount.refuse("multiple_of is 0: write what amounts are to be multiples of")
    return low, high, multiple


def _hours(where: TableReader) -> tuple[int, int] | None:
    stated = where.get("hours", None)
    if stated is None:
        return None
    match = _HOURS.fullmatch(stated) if isinstance(stated, str) else None
    if match is not None:
        begin_hour, begin_minute, end_hour, end_minute = map(int, match.groups())
        begin, end = 60 * begin_hour + begin_minute, 60 * end_hour + end_minute
        if begin != end:
            return begin, end
    where.refuse(f'hours is {stated!r}: write two times of day, e.g. "22:00-06:00"')
    return None


def money_stated(table: TableReader, key: str, currency: str) -> int | None:
    """Return an amount that a table states, in minor units; None if it cannot be read."""
    value = table.get(key)
    text = str(value) if is_whole(value) else value
    minor = minor_units(text, EXPONENT[currency]) if isinstance(text, str) else None
    if minor is None:
        table.refuse(
            f"{key} is {shown(value)}: write the amount as text with at most"
            f' {EXPONENT[currency]} decimals, e.g. "500{".00" if EXPONENT[currency] else ""}"'
        )
    return minor
