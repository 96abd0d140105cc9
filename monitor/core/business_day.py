"""Event time, and the business day that it falls into.

Event times are whole microseconds since 1970-01-01T00:00:00Z; business days are proleptic ordinals
(`datetime.date.toordinal`). Business day D runs from the cut-off on D to the cut-off on D + 1, in
the policy's time zone; so a day has 23 or 25 hours where the clocks change.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

MICROSECONDS: Final = 1_000_000
"""Event-time units in a second."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_HOUR_LENGTH: Final = 3600 * MICROSECONDS
_DAY_LENGTH: Final = 24 * _HOUR_LENGTH
_MINUTE: Final = 60 * MICROSECONDS
_MINUTES_A_DAY: Final = 24 * 60

_OFFSETS_MAX: Final = 4096
"""Hours whose offset is known at a time."""

_UNKNOWN: Final = 1 << 62
"""An offset that nobody has asked for."""

TIME_LENGTH_MAX: Final = 40
"""Characters of an event time: RFC 3339 with as many as 14 digits of a second."""

RFC_3339: Final = re.compile(
    rf"(?!.{{{TIME_LENGTH_MAX + 1}}})"
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
"""How an event time may be written, whole; the offset is required."""

_LEAP_SECOND: Final = ":60"
_SECOND_PLACE: Final = slice(16, 19)
_LEAP_DAYS: Final = ((6, 30), (12, 31))
"""Ends of months, in UTC, at which there have been leap seconds."""

_DATE_LENGTH: Final = len("2026-01-05T")
_MINUTE_LENGTH: Final = len("2026-01-05T09:30:")
_DATES: Final[dict[str, int]] = {}  # seconds since 1970 of days that were met
_MINUTES: Final = {f"{m // 60:02d}:{m % 60:02d}:": 60 * m for m in range(24 * 60)}
_SECONDS: Final = {f"{s:02d}Z": s for s in range(60)}
DATES_MAX: Final = 4096

# A year outside is a slip of the pen, and would end the calendar. In seconds since 1970.
_FIRST: Final = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp())
_END: Final = int(datetime(3000, 1, 1, tzinfo=UTC).timestamp())
TIME_LAST: Final = _END * MICROSECONDS - 1
"""The last time that `event_time_of` reads."""


def event_time_of(text: str) -> int | None:
    """Return the event time that an RFC 3339 text names; None if it names none.

    The offset is required. Digits below the microsecond are cut off.
    """
    # As nearly every producer writes it: whole seconds, in UTC. The parts are looked up, because
    # parsing them costs several times as much.
    date_seconds = _DATES.get(text[:_DATE_LENGTH])
    minute_seconds = _MINUTES.get(text[_DATE_LENGTH:_MINUTE_LENGTH])
    seconds = _SECONDS.get(text[_MINUTE_LENGTH:])
    if date_seconds is not None and minute_seconds is not None and seconds is not None:
        return (date_seconds + minute_seconds + seconds) * MICROSECONDS
    return _event_time_of_any(text) if len(text) <= TIME_LENGTH_MAX else None


@lru_cache(maxsize=1 << 12)
def _event_time_of_any(text: str) -> int | None:
    if not RFC_3339.fullmatch(text):
        return None
    is_leap = text[_SECOND_PLACE] == _LEAP_SECOND
    if is_leap:
        # The last microsecond before it: a leap second belongs to the day that it ends.
        text = text[: _SECOND_PLACE.start] + ":59.999999" + text[_zone_place(text) :]
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None  # the 31st of February
    time_ = event_time(moment)
    if not _FIRST * MICROSECONDS <= time_ < _END * MICROSECONDS:
        return None
    if is_leap and not _is_before_leap(moment.astimezone(UTC)):
        return None
    if text.endswith("Z") and len(_DATES) < DATES_MAX:
        midnight = datetime.combine(moment.date(), time(0), UTC)
        _DATES[f"{text[:10]}T"] = event_time(midnight) // MICROSECONDS
    return time_


def _zone_place(text: str) -> int:
    """Return where the offset of an RFC 3339 text begins."""
    return len(text) - (1 if text[-1] in "Zz" else len("+00:00"))


def _is_before_leap(moment: datetime) -> bool:
    """Say whether a leap second may follow a second, in UTC."""
    return (moment.month, moment.day) in _LEAP_DAYS and (moment.hour, moment.minute) == (23, 59)


def event_time(moment: datetime) -> int:
    """Return an aware datetime as event time, exactly."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * MICROSECONDS + since.microseconds


def event_time_text(moment: int) -> str:
    """Return an event time as RFC 3339 text in UTC."""
    text = (_EPOCH + timedelta(microseconds=moment)).isoformat()
    return text.replace("+00:00", "Z")


@lru_cache(maxsize=1 << 10)
def day_text(day: int) -> str:
    """Return a business day as YYYY-MM-DD."""
    return date.fromordinal(day).isoformat()


def day_of_text(text: str) -> int:
    """Return the business day that YYYY-MM-DD names. Raises ValueError if it names none."""
    return date.fromisoformat(text).toordinal()


def is_day_text(text: str) -> bool:
    """Return whether a text is a business day as `day_text` writes it: such texts sort by day.

    >>> is_day_text("2026-01-05"), is_day_text("20260105"), is_day_text("2026-02-31")
    (True, False, False)
    """
    try:
        return day_text(day_of_text(text)) == text
    except ValueError:
        return False


class Calendar:
    """The business days of one time zone and cut-off.

    >>> berlin = Calendar(ZoneInfo("Europe/Berlin"), time(3))
    >>> day_text(berlin.day_of(event_time_of("2026-03-29T02:30:00+02:00")))
    '2026-03-28'
    """

    def __init__(self, time_zone: ZoneInfo, cut_off: time = time(0)) -> None:
        self.time_zone = time_zone
        self.cut_off = cut_off
        self._starts: dict[int, int] = {}
        self._offsets: dict[int, int | None] = {}  # by hours since 1970

    def start_of(self, day: int) -> int:
        """Return the event time at which a business day starts (it is the end of the day before).

        A cut-off that the clock skips or shows twice counts by the offset in force before the
        change (PEP 495, fold 0).
        """
        start = self._starts.get(day)
        if start is None:
            wall = datetime.combine(date.fromordinal(day), self.cut_off, self.time_zone)
            start = self._starts[day] = event_time(wall)
        return start

    def end_of(self, day: int) -> int:
        """Return the event time at which a business day ends; it belongs to the next day."""
        return self.start_of(day + 1)

    def day_of(self, moment: int) -> int:
        """Return the business day that an event time falls into."""
        guess = _EPOCH_DAY + moment // _DAY_LENGTH
        while moment < self.start_of(guess):
            guess -= 1
        while moment >= self.end_of(guess):
            guess += 1
        return guess

    def minute_of(self, moment: int) -> int:
        """Return the minute of the day, 0 to 1439, that a clock of the time zone shows.

        >>> Calendar(ZoneInfo("Asia/Kolkata")).minute_of(0)  # half past five
        330
        """
        hour = moment // _HOUR_LENGTH
        offset = self._offsets.get(hour, _UNKNOWN)
        if offset == _UNKNOWN:
            if len(self._offsets) >= _OFFSETS_MAX:
                self._offsets.clear()
            begins = hour * _HOUR_LENGTH
            offset, later = map(self._offset_at, (begins, begins + _HOUR_LENGTH - 1))
            if offset != later:
                offset = None  # the clocks change within
            self._offsets[hour] = offset
        if offset is None:
            offset = self._offset_at(moment)
        return (moment + offset) // _MINUTE % _MINUTES_A_DAY

    def _offset_at(self, moment: int) -> int:
        offset = (_EPOCH + timedelta(microseconds=moment)).astimezone(self.time_zone).utcoffset()
        assert offset is not None, "it is in a time zone"
        return offset // timedelta(microseconds=1)
