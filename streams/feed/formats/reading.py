"""Settings of reading files, beside a map of their columns: format, sheet, time of a day.

A statement often has the day of a booking and no time of day. The event time is then noon in UTC,
or as `day_time_of` was told.
"""

from datetime import UTC, datetime, time, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

CSV: Final = "csv"
LINES: Final = "jsonl"
PARQUET: Final = "parquet"
WORKBOOK: Final = "xlsx"
CAMT: Final = "camt"
MT940: Final = "mt940"
OFX: Final = "ofx"
FORMATS: Final = (CSV, LINES, PARQUET, WORKBOOK, CAMT, MT940, OFX)
STATEMENTS: Final = (CAMT, MT940, OFX)

NOON: Final = time(12)
_DAY: Final = len("2026-01-05")


class FileReading(NamedTuple):
    """The format of all files (None: each by its name and content), a sheet, the time of a day."""

    format: str | None = None
    sheet: str | None = None  # None: the first
    of_day: time = NOON
    zone: tzinfo = UTC

    def moment_of(self, text: str) -> str:
        """Return the event time of a date, or of a date and time without an offset.

        Text that is neither is handed on as it is: the monitor rejects it.

        >>> [FileReading().moment_of(text) for text in ("2026-01-05", "2026-01-05T09:30:00")]
        ['2026-01-05T12:00:00Z', '2026-01-05T09:30:00Z']
        """
        text = text.strip()
        day = text[:_DAY]
        has_time = len(text) > _DAY and text[_DAY] in "T "
        try:
            if has_time:
                moment = datetime.fromisoformat(text)
            else:  # a date of XML may have a zone; it says nothing of the time of day
                moment = datetime.combine(datetime.fromisoformat(day), self.of_day)
        except ValueError:
            return text
        if moment.tzinfo is not None:
            return text
        written = moment.replace(tzinfo=self.zone).isoformat()
        return written[:-6] + "Z" if written.endswith("+00:00") else written


def day_time_of(stated: str) -> FileReading:
    """Return the reading with a time of day, a zone, or both: `12:00 Europe/Berlin`.

    Raises ValueError if it states neither.

    >>> day_time_of("00:00 Europe/Berlin").moment_of("2026-07-05")
    '2026-07-05T00:00:00+02:00'
    """
    of_day, zone = NOON, "UTC"
    words = stated.split()
    if words and ":" in words[0]:
        of_day = time.fromisoformat(words.pop(0))
    if words:
        zone = words.pop(0)
    if words or not stated.strip() or zone not in available_timezones() or of_day.tzinfo:
        raise ValueError(f"must be a time of day and a zone, 12:00 Europe/Berlin, not {stated!r}")
    return FileReading(of_day=of_day, zone=UTC if zone == "UTC" else ZoneInfo(zone))
