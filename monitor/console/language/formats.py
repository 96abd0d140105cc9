"""Numbers, days and times as the language of the context writes them.

Money is text and stays so: only its separators change, and no digit does.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

from babel.core import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import get_decimal_symbol, get_group_symbol

from monitor.console.language.catalogue import gettext as _
from monitor.console.language.catalogue import spoken
from monitor.core.business_day import MICROSECONDS

_NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_THOUSANDS: Final = re.compile(r"(?<=[0-9])(?=(?:[0-9]{3})+$)")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@lru_cache(maxsize=8)
def _symbols(locale: Locale) -> tuple[str, str]:
    return get_group_symbol(locale), get_decimal_symbol(locale)


def grouped(value: object) -> str:
    """Return a number's text with thousands separators; any other text as it is.

    >>> grouped("-1234567.80"), grouped(999), grouped("abc")
    ('-1,234,567.80', '999', 'abc')
    """
    text = "" if value is None else str(value)
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    sign, whole, rest = found.groups()
    group, point = _symbols(spoken().locale)
    number = sign + _THOUSANDS.sub(group, whole)
    return number if rest is None else number + point + rest


def day(value: object) -> str:
    """Return a day as 2026-01-05 in the language's form; any other text as it is.

    >>> day("2026-01-05"), day("soon"), day("2026-02-31")
    ('2026-01-05', 'soon', '2026-02-31')
    """
    text = "" if value is None else str(value)
    if not _DAY.fullmatch(text):
        return text
    language = spoken()
    return _day_in(text, language.day, language.locale)


@lru_cache(maxsize=4096)
def _day_in(text: str, pattern: str, locale: Locale) -> str:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return text
    return format_date(found, pattern, locale)


def minute(at: int | None) -> str:
    """Return microseconds since 1970 to the minute, in UTC, in the language's form.

    >>> minute(1_700_000_000_000_000), minute(None)
    ('2023-11-14 22:13', '')
    """
    if at is None:
        return ""
    language = spoken()
    found = datetime.fromtimestamp(at // MICROSECONDS, UTC)
    return format_datetime(found, language.minute, locale=language.locale)


def second(at: int) -> str:
    """Return microseconds since 1970 to the second, in the language's form, with its zone.

    >>> second(1_700_000_000_000_000)
    '2023-11-14 22:13:20 UTC'
    """
    language = spoken()
    found = datetime.fromtimestamp(at // MICROSECONDS, UTC)
    return format_datetime(found, f"{language.minute}:ss 'UTC'", locale=language.locale)


def written_minute(text: str) -> str:
    """Return a time as 2026-01-05T09:00:00Z to the minute; any other text as it is.

    >>> written_minute("2026-01-05T09:00:00Z"), written_minute("then")
    ('2026-01-05 09:00', 'then')
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    language = spoken()
    return format_datetime(found, language.minute, tzinfo=found.tzinfo, locale=language.locale)


def duration(length: int | None) -> str:
    """Return a length of time (microseconds) in its two greatest units; none as "-".

    >>> [duration(seconds * 1_000_000) for seconds in (93_784, 86_400, 4_200, 59)]
    ['1 d 2 h', '1 d', '1 h 10 min', '59 s']
    """
    if length is None:
        return "-"
    seconds = length // MICROSECONDS
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    parts = (
        (days, _("%(number)s d", number=grouped(days))),
        (hours, _("%(number)s h", number=hours)),
        (minutes, _("%(number)s min", number=minutes)),
    )
    for place, (number, text) in enumerate(parts):
        if number:
            smaller, its_text = parts[place + 1] if place + 1 < len(parts) else (0, "")
            return f"{text} {its_text}" if smaller else text
    return _("%(number)s s", number=seconds)


def per_cent(value: object) -> str:
    """Return the text of a number of hundredths as per cent.

    >>> per_cent("12.50"), per_cent(90)
    ('12.50 %', '90 %')
    """
    return _("%(number)s %%", number=grouped(value))
