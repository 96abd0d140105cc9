"""Read amounts and event times from ASCII, in the forms that nearly every record has.

Whatever these kernels take they read as `monitor.core.money.minor_units` and
`monitor.core.business_day.event_time_of` do. They leave rarer forms to those: a power of ten, a
leap second, a small letter.
"""

from models.kernels import compiled
from streams.wire.rows.layout import Source

NO_AMOUNT = -1
NO_TIME = -(1 << 62)
"""Earlier than any event time."""

WHOLE_DIGITS_MAX = 14  # with four decimals they stay below the greatest amount
AMOUNT_MAX = 40
TIME_LEAST, TIME_MAX = 20, 40
DATE_TIME_LENGTH = 19

ZERO, POINT, MINUS, PLUS, COLON = 0x30, 0x2E, 0x2D, 0x2B, 0x3A
BLANK, LETTER_T, LETTER_Z = 0x20, 0x54, 0x5A

FIRST = -2_208_988_800_000_000  # 1900
END = 32_503_680_000_000_000  # 3000
MICROSECONDS = 1_000_000
FRACTION_DIGITS = 6


@compiled
def digit(data: Source, at: int) -> int:
    """Return the digit at a place; -1 if there is another character."""
    value = data[at] - ZERO
    return value if 0 <= value <= 9 else -1


@compiled
def number(data: Source, at: int, digits: int) -> int:
    """Return the number that has so many digits; -1 if a character among them is no digit."""
    value = 0
    for place in range(at, at + digits):
        found = digit(data, place)
        if found < 0:
            return -1
        value = value * 10 + found
    return value


@compiled
def minor_units(data: Source, at: int, length: int, exponent: int) -> int:
    """Return the minor units of digits, perhaps with a point among or after them; -1 for others.

    Decimals beyond the exponent must be zeros.
    """
    if length > AMOUNT_MAX:
        return NO_AMOUNT
    end = at + length
    point = at
    while point < end and data[point] != POINT:
        point += 1
    whole_digits = point - at
    if whole_digits < 1 or whole_digits > WHOLE_DIGITS_MAX:
        return NO_AMOUNT
    minor = number(data, at, whole_digits)
    if minor < 0:
        return NO_AMOUNT
    for place in range(point + 1, point + 1 + exponent):
        decimal = digit(data, place) if place < end else 0
        if decimal < 0:
            return NO_AMOUNT
        minor = minor * 10 + decimal
    for place in range(point + 1 + exponent, end):
        if data[place] != ZERO:
            return NO_AMOUNT
    return minor


@compiled
def days_of_month(year: int, month: int) -> int:
    """Return how many days a month of the Gregorian calendar has."""
    if month == 2:
        is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if is_leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


@compiled
def days_since_1970(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a date of the Gregorian calendar, from the year 1 on.

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    """
    if month <= 2:
        year -= 1
        month += 12
    of_year = (153 * (month - 3) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719_468


@compiled
def day_of(data: Source, at: int) -> int:
    """Return the days from 1970-01-01 to the date YYYY-MM-DD; NO_TIME if it is no date."""
    year, month, day = number(data, at, 4), number(data, at + 5, 2), number(data, at + 8, 2)
    if data[at + 4] != MINUS or data[at + 7] != MINUS or year < 1 or not 1 <= month <= 12:
        return NO_TIME
    if not 1 <= day <= days_of_month(year, month):
        return NO_TIME
    return days_since_1970(year, month, day)


@compiled
def second_of(data: Source, at: int) -> int:
    """Return the second of the day that HH:MM:SS names; NO_TIME if it names none."""
    hour, minute, second = number(data, at, 2), number(data, at + 3, 2), number(data, at + 6, 2)
    if data[at + 2] != COLON or data[at + 5] != COLON:
        return NO_TIME
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
        return NO_TIME
    return hour * 3600 + minute * 60 + second


@compiled
def offset_of(data: Source, at: int, end: int) -> int:
    """Return the seconds that an offset, Z or +HH:MM, is east of UTC; NO_TIME for others."""
    if at + 1 == end and data[at] == LETTER_Z:
        return 0
    if at + 6 != end or data[at + 3] != COLON:
        return NO_TIME
    hours, minutes = number(data, at + 1, 2), number(data, at + 4, 2)
    if not (0 <= hours <= 23 and 0 <= minutes <= 59):
        return NO_TIME
    seconds = hours * 3600 + minutes * 60
    if data[at] == PLUS:
        return seconds
    return -seconds if data[at] == MINUS else NO_TIME


@compiled
def event_time(data: Source, at: int, length: int) -> int:
    """Return the event time (microseconds since 1970) of an RFC 3339 text; NO_TIME for others.

    Digits below the microsecond are cut off.
    """
    if length < TIME_LEAST or length > TIME_MAX:
        return NO_TIME
    separator = data[at + 10]
    if separator != LETTER_T and separator != BLANK:
        return NO_TIME
    days, seconds = day_of(data, at), second_of(data, at + 11)
    place, end = at + DATE_TIME_LENGTH, at + length
    micros, digits = 0, 0
    if data[place] == POINT:
        place += 1
        while place < end and digit(data, place) >= 0:
            if digits < FRACTION_DIGITS:
                micros = micros * 10 + digit(data, place)
            digits += 1
            place += 1
        if digits == 0:
            return NO_TIME
    for _ in range(digits, FRACTION_DIGITS):
        micros *= 10
    east = offset_of(data, place, end)
    if days == NO_TIME or seconds == NO_TIME or east == NO_TIME:
        return NO_TIME
    moment = (days * 86_400 + seconds - east) * MICROSECONDS + micros
    return moment if FIRST <= moment < END else NO_TIME
