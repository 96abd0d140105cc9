"""Times as banks write them: dates in several columns or formats, epochs, steps, named zones.

A cell that says no time, or might say two, is handed on as it is, and the monitor rejects it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import permutations
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from monitor.core.table_reader import TableReader, is_whole

TIME_CELL_MAX: Final = 100
"""Characters of a time in words; a longer cell is handed on, and nothing of it is kept."""

TIME_KEYS: Final = (
    "format",
    "time_zone",
    "time",
    "time_column",
    "time_format",
    "years_from",
    "year",
    "months",
    "zones",
    "epoch",
    "step",
    "start",
)
"""The keys that say how a time is written."""

EPOCHS: Final = {"seconds": 1_000_000, "milliseconds": 1000, "microseconds": 1, "excel": 0}
"""Microseconds of a unit since 1970; `excel` counts days since the end of 1899, by the clock."""

_PROBE: Final = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
_YEARS: Final = re.compile(r"%[yYcxG]")
_SHORT_YEAR: Final = "%y"
_MONTHS: Final = 12
_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ZONES: Final = {"UTC": "+0000", "GMT": "+0000", "Z": "+0000"}
_OFFSET: Final = re.compile(r"[+-](?:0[0-9]|1[0-4]):[0-5][0-9]")
_UTC_IN_FORMAT: Final = re.compile(r"(?<!%)Z$|\+00:?00$")
_WORD: Final = re.compile(r"[^\W\d_]+\.?")
_NUMBER: Final = re.compile(r"-?[0-9]{1,17}(?:\.[0-9]{1,20})?")
_STEP: Final = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EXCEL_START: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - of a clock on the wall
_DAY_MILLISECONDS: Final = 86_400_000
_KINDS: Final = ("format", "epoch", "step")

Parse = Callable[[str], datetime]
"""Reads a cell. Raises ValueError or OverflowError if it says no time."""


def time_step_of(stated: Mapping[str, Any]) -> Callable[[str], str]:
    """Return what makes RFC 3339 of a cell, by keys that `refuse_times` has no word against."""
    zone = ZoneInfo(stated.get("time_zone", "UTC"))
    of_day = time_of_day(stated["time"]) if "time" in stated else None
    parsers = _parsers_of(stated)

    @lru_cache(maxsize=1 << 14)
    def converted(cell: str) -> str:
        text = cell.strip()
        for parse in parsers:
            try:
                moment = parse(text)
            except (ValueError, OverflowError):
                continue
            if of_day is not None:
                moment = datetime.combine(moment.date(), of_day, moment.tzinfo)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            written = moment.isoformat()
            # As nearly every producer writes it, and so as it is read fastest.
            return written[:-6] + "Z" if written.endswith("+00:00") else written
        return cell

    return lambda cell: converted(cell) if len(cell) <= TIME_CELL_MAX else cell


def refuse_times(column: TableReader) -> None:
    """Note what is wrong with the keys of a time, each and together."""
    table = column.table
    kinds = [key for key in _KINDS if key in table]
    if len(kinds) > 1:
        column.refuse(f"it has {' and '.join(kinds)}: write one of them")
    for key in ("start", "step"):
        if len({"start", "step"} & table.keys()) == 1 and key not in table:
            column.refuse(f"{key} is missing: a step is a time only from a start on")
    counted = {"epoch", "step"} & table.keys()
    own = {"epoch", "step", "start"} | ({"time_zone"} if table.get("epoch") == "excel" else set())
    if counted and (others := ({*TIME_KEYS} & table.keys()) - own):
        column.refuse(f"{', '.join(sorted(others))} is not known beside {', '.join(counted)}")
    if "time" in table and "time_column" in table:
        column.refuse("it has time and time_column: write one of them")
    if "time_format" in table and not {"time_column", "format"} <= table.keys():
        column.refuse("time_format is for a time_column, beside a format")
    of_formats = {"format", "time_format", "year", "years_from", "months", "zones"} & table.keys()
    if all(TIME_RULES[key][0](table[key]) for key in of_formats):
        _refuse_formats(column)


def _refuse_formats(column: TableReader) -> None:
    table = column.table
    formats = _formats_of(table)
    before = len(column.problems)
    for written in formats:
        if not _is_format(written, table):
            column.refuse(
                f"format is {written!r}: write a date as Python's strptime does, e.g."
                ' "%d/%m/%Y", with day, month and year; a date without a year needs year = 2026'
            )
        elif _UTC_IN_FORMAT.search(written) and table.get("time_zone", "UTC") != "UTC":
            column.refuse(
                f"format is {written!r}, which says UTC, and time_zone says"
                f" {table['time_zone']}: write %z in the format, or leave time_zone out"
            )
    short = any(_SHORT_YEAR in written for written in formats)
    if "years_from" in table and not short:
        column.refuse("years_from is for a format with %y")
    if "months" in table and not any("%b" in written for written in formats):
        column.refuse("months is for a format with %b")
    if "zones" in table and not any("%Z" in written for written in formats):
        column.refuse("zones is for a format with %Z")
    if "year" in table and any(_YEARS.search(written) for written in formats):
        column.refuse("year is for a format without one")
    if len(column.problems) == before:
        for first, second in _confused(formats, table):
            column.refuse(
                f"format has {first!r} and {second!r}, which can read one cell as two days:"
                " keep one of them"
            )


def _formats_of(stated: Mapping[str, Any]) -> list[str]:
    """Return the formats of a cell, with that of the time's column behind."""
    written = stated.get("format", [])
    formats = written if isinstance(written, list) else [written]
    behind = f" {stated['time_format']}" if "time_format" in stated else ""
    return [f"{each}{behind}" for each in formats]


def _parsers_of(stated: Mapping[str, Any]) -> list[Parse]:
    if "epoch" in stated:
        return [_epoch_of(stated["epoch"])]
    if "step" in stated:
        return [_counter_of(stated)]
    formats = _formats_of(stated)
    return [_parser_of(written, stated) for written in formats] or [datetime.fromisoformat]


def _parser_of(written: str, stated: Mapping[str, Any]) -> Parse:
    parse: Parse = lambda cell: datetime.strptime(cell, written)  # noqa: E731, DTZ007 - by the map's zone
    if "year" in stated:
        year, dated = stated["year"], f"{written} %Y"
        parse = lambda cell: datetime.strptime(f"{cell} {year}", dated)  # noqa: E731, DTZ007 - as above
    if "%Z" in written:
        parse = _named_zone_of(written, stated.get("zones", {}))
    if "years_from" in stated:
        parse = _from_year(parse, stated["years_from"])
    if "months" in stated:
        parse = _named_months(parse, stated["months"])
    return parse


def _from_year(parse: Parse, first: int) -> Parse:
    """Let a year of two digits be one of the hundred years from a first one on."""

    def parsed(cell: str) -> datetime:
        moment = parse(cell)
        return moment.replace(year=first + (moment.year - first) % 100)

    return parsed


def _named_months(parse: Parse, months: Sequence[str]) -> Parse:
    """Read the names of months in another language."""
    names = {name.casefold(): english for name, english in zip(months, _NAMES, strict=True)}

    def parsed(cell: str) -> datetime:
        return parse(_WORD.sub(lambda word: names.get(word[0].casefold(), word[0]), cell))

    return parsed


def _named_zone_of(written: str, zones: Mapping[str, str]) -> Parse:
    """Read the name of a zone as its offset: strptime would drop it."""
    offsets = _ZONES | {name: offset.replace(":", "") for name, offset in zones.items()}
    with_offset = written.replace("%Z", "%z")

    def parsed(cell: str) -> datetime:
        for found in _WORD.finditer(cell):
            offset = offsets.get(found[0])
            if offset is not None:
                begin, end = found.span()
                text = cell[:begin] + offset + cell[end:]
                return datetime.strptime(text, with_offset)  # noqa: DTZ007 - it has %z
        raise ValueError(cell)

    return parsed


def _epoch_of(unit: str) -> Parse:
    """Read what was counted since 1970, exactly; digits below the microsecond are cut off."""
    if unit == "excel":
        return _serial_day
    microseconds = EPOCHS[unit]
    start = datetime(1970, 1, 1, tzinfo=UTC)

    def parsed(cell: str) -> datetime:
        return start + timedelta(microseconds=int(_counted(cell) * microseconds))

    return parsed


def _serial_day(cell: str) -> datetime:
    """Read a spreadsheet's day and its part, to the millisecond: it kept a binary float."""
    return _EXCEL_START + timedelta(milliseconds=round(_counted(cell) * _DAY_MILLISECONDS))


def _counter_of(stated: Mapping[str, Any]) -> Parse:
    """Read a number of steps since a start; step 0 is the start."""
    start, seconds = start_of(stated["start"]), step_seconds(stated["step"])
    assert start is not None
    assert seconds is not None

    def parsed(cell: str) -> datetime:
        return start + timedelta(microseconds=int(_counted(cell) * seconds * 1_000_000))

    return parsed


def _counted(cell: str) -> Decimal:
    if not _NUMBER.fullmatch(cell):
        raise ValueError(cell)
    return Decimal(cell)


def time_of_day(stated: object) -> time | None:
    """Return the time of day of a TOML text or time; None of any other."""
    try:
        of_day = stated if isinstance(stated, time) else time.fromisoformat(str(stated))
    except ValueError:
        return None
    return of_day if of_day.tzinfo is None else None


def start_of(stated: object) -> datetime | None:
    """Return the moment of a TOML time or text with an offset; None of any other."""
    try:
        start = stated if isinstance(stated, datetime) else datetime.fromisoformat(str(stated))
    except ValueError:
        return None
    return start if start.tzinfo is not None else None


def step_seconds(stated: object) -> int | None:
    """Return the seconds of a text such as 1h; None of any other."""
    found = _STEP.fullmatch(stated) if isinstance(stated, str) else None
    return int(found[1]) * _UNITS[found[2]] if found else None


def _is_format(written: str, stated: Mapping[str, Any]) -> bool:
    """Say whether a format reads back the day that it writes."""
    if "%" not in written:
        return False
    if not _YEARS.search(written):
        if "year" not in stated:
            return False
        written = f"{written} %Y"
    try:
        read = datetime.strptime(_PROBE.strftime(written), written)  # noqa: DTZ007 - only the day is looked at
    except ValueError:
        return False
    return read.date() == _PROBE.date()


def _confused(formats: Sequence[str], stated: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the pairs of formats of which one reads another day out of what the other writes."""
    parsers = {written: _parser_of(written, {**stated, "months": _NAMES}) for written in formats}
    days = [
        datetime.combine(date(year, month, day), time(1, 2, 3), UTC)
        for year in (1999, 2001, 2012, 2026)
        for month in range(1, _MONTHS + 1)
        for day in (1, 2, 3, 9, 10, 11, 12, 13, 20, 28)
    ]
    found = []
    for first, second in permutations(parsers, 2):
        pair = (min(first, second), max(first, second))
        if pair not in found and any(
            _reads_otherwise(text, parsers[first], parsers[second])
            for day in days
            for text in {day.strftime(first), _without_zeros(day, first)}
        ):
            found.append(pair)
    return found


def _without_zeros(day: datetime, written: str) -> str:
    """Return a day as a format writes it, without zeros before its numbers: strptime reads both."""
    for mark in "dmHIMS":
        written = written.replace(f"%{mark}", str(int(day.strftime(f"%{mark}"))))
    return day.strftime(written)


def _reads_otherwise(text: str, first: Parse, second: Parse) -> bool:
    try:
        return first(text).replace(tzinfo=None) != second(text).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return False


def _are_texts(stated: object) -> bool:
    return (
        isinstance(stated, list) and bool(stated) and all(isinstance(each, str) for each in stated)
    )


def _are_months(stated: object) -> bool:
    return (
        _are_texts(stated)
        and isinstance(stated, list)
        and len({name.casefold() for name in stated}) == _MONTHS == len(stated)
        and all(_WORD.fullmatch(name) for name in stated)
    )


def _are_zones(stated: object) -> bool:
    return isinstance(stated, dict) and all(
        _WORD.fullmatch(name) and isinstance(offset, str) and _OFFSET.fullmatch(offset)
        for name, offset in stated.items()
    )


TIME_RULES: Final[dict[str, tuple[Callable[[object], bool], str]]] = {
    "format": (
        lambda stated: isinstance(stated, str) or _are_texts(stated),
        'write a date as Python\'s strptime does, e.g. "%d/%m/%Y", or a list of such',
    ),
    "time_format": (
        lambda stated: isinstance(stated, str) and "%" in stated,
        'write a time of day as Python\'s strptime does, e.g. "%H%M%S"',
    ),
    "time_zone": (
        lambda stated: isinstance(stated, str) and stated in available_timezones(),
        "not in the IANA list, e.g. Europe/Berlin",
    ),
    "time": (
        lambda stated: time_of_day(stated) is not None,
        'write a time of day, e.g. "12:00"',
    ),
    "years_from": (
        lambda stated: is_whole(stated) and 1900 <= stated <= 2100,  # noqa: PLR2004 - years
        "write the first of the hundred years that %y means, e.g. 1950 for 1950 to 2049",
    ),
    "year": (
        lambda stated: is_whole(stated) and 1900 <= stated <= 2999,  # noqa: PLR2004 - years
        "write a year, e.g. 2026",
    ),
    "months": (_are_months, 'write twelve names, e.g. ["jan", "feb", "mrt", ...], each another'),
    "zones": (_are_zones, 'write a table of offsets, e.g. { CET = "+01:00" }'),
    "epoch": (
        lambda stated: isinstance(stated, str) and stated in EPOCHS,
        f"write one of {', '.join(EPOCHS)}",
    ),
    "step": (
        lambda stated: step_seconds(stated) is not None,
        'write a whole number and s, m, h or d, e.g. "1h"',
    ),
    "start": (
        lambda stated: start_of(stated) is not None,
        "write the moment of step 0, with an offset, e.g. 2026-01-01T00:00:00Z",
    ),
}
"""What each key of a time has to be, and how to say so."""
