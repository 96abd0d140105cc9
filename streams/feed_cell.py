"""What a map may do to the text of a cell: words, numbers and times written another way.

Every step is total: a text that it cannot read comes back as it was, so that the monitor rejects
the very text that the file has.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from monitor.core.money import EXPONENT_MAX
from streams.feed_iban import electronic

Step = Callable[[str], str]

NOISE_SHARE_MAX: Final = Decimal("1e-14")
"""How far of itself a binary double may be from the decimal that was meant: about 45 steps of it.

A double is within 1.2e-16 of itself of the decimal it was read from; sums of some add a few steps.
"""

TIME_CELL_MAX: Final = 100
"""Characters of a time in words; a longer cell is handed on, and nothing of it is kept."""

_PROBE: Final = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def problems_of(stated: Mapping[str, object], where: str) -> list[str]:
    """Return what is wrong with the keys beside `column`, each said with what it should be."""
    problems = [
        f"{where}.{key} is {stated[key]!r}: {meant}"
        for key, (is_good, meant) in _RULES.items()
        if key in stated and not is_good(stated[key])
    ]
    if "thousands" in stated and stated["thousands"] == stated.get("decimal", "."):
        problems.append(f"{where}.thousands and its decimal mark are the same: which is it?")
    return problems


def steps_of(stated: Mapping[str, Any]) -> list[Step]:
    """Return what is done to a cell, in order, by keys that `problems_of` finds nothing wrong with.

    In this order: values, strip, remove, upper, iban, thousands and decimal, absolute, decimals,
    time.
    """
    steps: list[Step] = []
    if "values" in stated:
        values = dict(stated["values"])
        steps.append(lambda cell: values.get(cell.strip(), cell))
    steps += _steps_of_ids(stated)
    decimal = stated.get("decimal", ".")
    if "thousands" in stated:
        steps.append(_ungrouped_of(stated["thousands"], decimal))
    if decimal != ".":
        steps.append(_pointed_of(decimal))
    if stated.get("absolute"):
        steps.append(_absolute)
    if "decimals" in stated:
        steps.append(_decimals_of(stated["decimals"]))
    if {"format", "time_zone", "time"} & set(stated):
        steps.append(_time_of(stated))
    return steps


def _steps_of_ids(stated: Mapping[str, Any]) -> list[Step]:
    """Return what makes one spelling of an id of its many."""
    steps: list[Step] = []
    if stated.get("strip"):
        steps.append(str.strip)
    if "remove" in stated:
        steps.append(_removed_of(stated["remove"]))
    if stated.get("upper"):
        steps.append(str.upper)
    if stated.get("iban"):
        steps.append(electronic)
    return steps


def is_negative(cell: str) -> bool:
    """Say whether a number is written as negative: -1, 1- or (1)."""
    cell = cell.strip()
    return cell[:1] == "-" or cell[-1:] == "-" or (cell[:1] == "(" and cell[-1:] == ")")


def _removed_of(stated: str | list[str]) -> Step:
    """Return what takes texts out of a cell, of one text each of its characters; longest first."""
    texts = sorted(set(stated), key=lambda text: (-len(text), text))
    taken_out = re.compile("|".join(map(re.escape, texts)))
    return lambda cell: taken_out.sub("", cell)


def _absolute(cell: str) -> str:
    cell = cell.strip()
    if cell[:1] == "(" and cell[-1:] == ")":
        return cell[1:-1].strip()
    return cell[1:].strip() if cell[:1] == "-" else cell.removesuffix("-").rstrip()


def _ungrouped_of(mark: str, decimal: str) -> Step:
    """Return what takes the marks out of 1,234,567.89, and leaves 12,50 alone.

    There the comma is no thousands separator, whatever the map says: 12.50 must not become 1250.
    """
    mark_, decimal_ = re.escape(mark), re.escape(decimal)
    grouped = re.compile(
        rf"[-+( ]*[0-9]{{1,3}}(?:{mark_}[0-9]{{2,3}})*{mark_}[0-9]{{3}}(?:{decimal_}[0-9]*)?[-) ]*"
    )

    def convert(cell: str) -> str:
        if mark in cell and grouped.fullmatch(cell):
            return cell.replace(mark, "")
        return cell

    return convert


def _pointed_of(decimal: str) -> Step:
    """Return what writes the decimal mark as a point; a point that is there already is none."""
    return lambda cell: cell if "." in cell else cell.replace(decimal, ".")


def _decimals_of(decimals: int) -> Step:
    """Return what takes the noise of binary floats off: 85.64999999999999 was meant as 85.65.

    It never rounds: 85.655 stays what it is, and the monitor rejects it.
    """
    unit = Decimal(1).scaleb(-decimals)

    def convert(cell: str) -> str:
        point = cell.rfind(".")
        if len(cell) - point - 1 <= decimals or point < 0:
            return cell
        try:
            value = Decimal(cell)
            meant = value.quantize(unit)
        except InvalidOperation:
            return cell
        return str(meant) if abs(value - meant) <= abs(value) * NOISE_SHARE_MAX else cell

    return convert


def _time_of(stated: Mapping[str, Any]) -> Step:
    """Return what makes RFC 3339 of a cell."""
    zone = ZoneInfo(stated.get("time_zone", "UTC"))
    written = stated.get("format")
    of_day = _time_of_day(stated["time"]) if "time" in stated else None

    @lru_cache(maxsize=1 << 14)
    def converted(cell: str) -> str:
        try:
            moment = (
                datetime.strptime(cell.strip(), written)  # noqa: DTZ007 - the zone is added below
                if written
                else datetime.fromisoformat(cell.strip())
            )
        except ValueError:
            return cell
        if of_day is not None:
            moment = datetime.combine(moment.date(), of_day, moment.tzinfo)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        text = moment.isoformat()
        # As nearly every producer writes it, and so as it is read fastest.
        return text[:-6] + "Z" if text.endswith("+00:00") else text

    return lambda cell: converted(cell) if len(cell) <= TIME_CELL_MAX else cell


def _time_of_day(stated: object) -> time | None:
    """Return the time of day of a TOML text or time; None if it is none."""
    try:
        of_day = stated if isinstance(stated, time) else time.fromisoformat(str(stated))
    except ValueError:
        return None
    return of_day if of_day.tzinfo is None else None


def _is_format(stated: object) -> bool:
    """Say whether a format reads back what it writes."""
    if not isinstance(stated, str) or "%" not in stated:
        return False
    try:
        return datetime.strptime(_PROBE.strftime(stated), stated).day == _PROBE.day  # noqa: DTZ007 - only the day is looked at
    except ValueError:
        return False


def _is_mark(stated: object) -> bool:
    return isinstance(stated, str) and len(stated) == 1 and not (stated.isdigit() or stated in "+-")


def _is_texts(stated: object) -> bool:
    texts = stated if isinstance(stated, list) else [stated]
    return bool(texts) and all(isinstance(text, str) and text for text in texts)


def _is_switch(stated: object) -> bool:
    return isinstance(stated, bool)


def _is_words(stated: object) -> bool:
    return isinstance(stated, dict) and all(isinstance(word, str) for word in stated.values())


_RULES: Final[dict[str, tuple[Callable[[object], bool], str]]] = {
    "values": (_is_words, 'write a table of texts, e.g. { DR = "debit", CR = "credit" }'),
    "thousands": (_is_mark, 'write one character, e.g. ","'),
    "decimal": (_is_mark, 'write one character, e.g. ","'),
    "absolute": (_is_switch, "write true or false"),
    "strip": (_is_switch, "write true or false"),
    "upper": (_is_switch, "write true or false"),
    "iban": (_is_switch, "write true or false"),
    "remove": (
        _is_texts,
        'write the characters to take out, e.g. " -", or a list of texts, e.g. ["ACC:", " "]',
    ),
    "decimals": (
        lambda stated: type(stated) is int and 0 <= stated <= EXPONENT_MAX,
        f"write a whole number from 0 to {EXPONENT_MAX}",
    ),
    "time_zone": (
        lambda stated: isinstance(stated, str) and stated in available_timezones(),
        "not in the IANA list, e.g. Europe/Berlin",
    ),
    "format": (_is_format, 'write a date as Python\'s strptime does, e.g. "%d/%m/%Y"'),
    "time": (
        lambda stated: _time_of_day(stated) is not None,
        'write a time of day, e.g. "12:00"',
    ),
}
