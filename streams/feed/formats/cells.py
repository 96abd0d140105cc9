"""The text of a workbook's cell: numbers as they were meant, dates as ISO 8601.

A number is in the file as the decimal of a binary double: 85.649999999999991 for 85.65. Excel has
15 digits, and shows no more. So a number with decimals and more digits is rounded to 15, as a
decimal: no float is made of it.
"""

import re
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final

DIGITS: Final = 15
"""Digits of a number that Excel keeps: https://support.microsoft.com/office/1672b34d."""

_EXCEL: Final = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN)
_MILLISECONDS: Final = 86_400_000
_DAYS_MAX: Final = 2_958_465
"""The serial number of 9999-12-31."""

_FICTION: Final = 60
"""The serial number of 29 February 1900, which Excel has, and the year had not."""

_BUILT_IN: Final = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""Numbers of formats that every workbook has, and that are dates or times (ECMA-376, 18.8.30)."""

_NO_MARKS: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_MARKS: Final = re.compile(r"[ymdhs]|AM/PM", re.IGNORECASE)
_ESCAPED: Final = re.compile("_x([0-9A-Fa-f]{4})_")


def is_date_format(number: int, code: str | None) -> bool:
    """Say whether a number format shows a date or a time.

    >>> is_date_format(164, "dd/mm/yyyy"), is_date_format(165, '#,##0.00 "days"')
    (True, False)
    """
    if code is None:
        return number in _BUILT_IN
    first = _NO_MARKS.sub("", code.partition(";")[0])
    return bool(_MARKS.search(first)) and "general" not in first.lower()


def number_text(text: str) -> str:
    """Return a number as it was meant; text that is no number as it is.

    >>> number_text("85.649999999999991"), number_text("1E-3"), number_text("12345678901234567")
    ('85.65', '0.001', '12345678901234567')
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > 40:  # noqa: PLR2004 - no amount and no id
        return text
    if number != number.to_integral_value() and len(number.as_tuple().digits) > DIGITS:
        number = _EXCEL.plus(number)
        whole = number.to_integral_value()
        number = whole if number == whole else number.normalize()
    if not number.as_tuple().exponent:
        return format(number, "f")
    return format(number.quantize(1) if number == number.to_integral_value() else number, "f")


def date_text(text: str, *, is_from_1904: bool) -> str:
    """Return the date or time of a serial number; other text as it is.

    Times are exact to the millisecond, as Excel has them.

    >>> date_text("46027", is_from_1904=False), date_text("46027.395833333336", is_from_1904=False)
    ('2026-01-05', '2026-01-05T09:30:00')
    """
    try:
        serial = Decimal(text)
        days = int(serial)
    except (InvalidOperation, ValueError, OverflowError):
        return text
    if serial < 0 or days > _DAYS_MAX:
        return number_text(text)
    milliseconds = int(((serial - days) * _MILLISECONDS).to_integral_value())
    if not days and not is_from_1904:
        midnight = datetime(2000, 1, 1)  # noqa: DTZ001 - a time of day
        return (midnight + timedelta(milliseconds=milliseconds)).time().isoformat("auto")
    if is_from_1904:
        begin = date(1904, 1, 1)
    else:
        begin = date(1899, 12, 31) if days < _FICTION else date(1899, 12, 30)
    try:
        moment = datetime.combine(begin, datetime.min.time()) + timedelta(
            days=days, milliseconds=milliseconds
        )
    except OverflowError:
        return number_text(text)
    return moment.isoformat(timespec="auto") if milliseconds else moment.date().isoformat()


def string_text(text: str) -> str:
    """Return a string without the escapes of characters that XML cannot have: `_x000D_`."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
