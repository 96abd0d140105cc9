"""The source of a field, as a map states it: made of a file's columns, one at a time.

What a cell holds is never judged here. A cell that a source cannot make anything of is handed on
as it is, and the monitor rejects it, with a reason.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from string import Formatter
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from monitor.core.money import EXPONENT, EXPONENT_MAX
from monitor.core.table_reader import TableReader
from monitor.core.transaction import CREDIT, DEBIT
from streams.feed.iban import electronic, iban_fault

Step = Callable[[str], str]

NOISE_SHARE_MAX: Final = Decimal("1e-14")
"""How far of itself a binary double may be from the decimal that was meant: about 45 steps of it.

A double is within 1.2e-16 of itself of the decimal it was read from; sums of some add a few steps.
"""

TIME_CELL_MAX: Final = 100
"""Characters of a time in words; a longer cell is handed on, and nothing of it is kept."""

_PROBE: Final = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def refuse_steps(column: TableReader) -> None:
    """Note what is wrong with the keys beside `column`, each with what it should be."""
    for key, (is_good, meant) in _RULES.items():
        if key in column.table and not is_good(column.get(key)):
            column.refuse(f"{key} is {column.get(key)!r}: {meant}")
    if column.get("thousands") == column.get("decimal", "."):
        column.refuse("thousands and its decimal mark are the same: which is it?")


def steps_of(stated: Mapping[str, Any]) -> list[Step]:
    """Return what is done to a cell, in order, by keys that `refuse_steps` has no word against.

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


Column = Sequence[str | None]
Source = Callable[["FileRows"], Column]
"""Makes a field's column of a table."""

TEMPLATE_NAMES: Final = ("file", "row")


class FileRows(NamedTuple):
    """Some rows of a file: its columns by name, and where the rows stand."""

    columns: Mapping[str, Column]
    file_stem: str
    numbers: Sequence[int]


class FieldSource(NamedTuple):
    """Where a field comes from: the columns it needs (one of each group), and how it is made.

    `fault_of` says what is wrong with a text that was made, where its row is to be rejected for it.
    """

    needs: tuple[tuple[str, ...], ...]
    make: Source
    fault_of: Callable[[str], str | None] | None = None


def source_of(name: str, stated: object, document: TableReader) -> FieldSource | None:
    """Return the source that a value of [columns] states; None if a problem says why not."""
    where = f"columns.{name}"
    if isinstance(stated, str | list):
        names = names_of(stated, where, document)
        return column_source(names) if names else None
    if not isinstance(stated, dict):
        document.refuse(f"{where} is {stated!r}: write a column's name, or a table")
        return None
    kind = next((kind for kind in _KINDS if kind in stated), None)
    if kind is None:
        document.refuse(f"{where} has none of {', '.join(_KINDS)}")
        return None
    keys, make = _KINDS[kind]
    known = {key: value for key, value in stated.items() if key == kind or key in keys}
    column = document.reader(known, f"{where}.")
    for key in stated:
        if key not in known:
            column.refuse(f"{key} is not known beside {kind}")
    source = make(column)
    _refuse_results(name, where, column)
    return source if column.is_good else None


def names_of(stated: object, where: str, document: TableReader) -> tuple[str, ...]:
    """Return the names of a column, as a name or a list states them; none, with a problem said."""
    names = stated if isinstance(stated, list) else [stated]
    if names and all(isinstance(name, str) and name for name in names):
        return tuple(names)
    document.problems.append(
        f"{where} is {stated!r}: write a column's name, or a list of which the first found counts"
    )
    return ()


def column_source(names: tuple[str, ...]) -> FieldSource:
    """Return the source that hands a column on as it is; the first of the names that is there."""
    return FieldSource((names,), lambda table: find(table, names))


def find(table: FileRows, names: tuple[str, ...]) -> Column:
    """Return the first of the named columns that a table has; the reader saw that one is there."""
    return next(table.columns[name] for name in names if name in table.columns)


def _refuse_results(name: str, where: str, column: TableReader) -> None:
    """Say which results of a source could never be a direction or a currency."""
    allowed = {"direction": (DEBIT, CREDIT), "currency": EXPONENT}.get(name)
    if allowed is None:
        return
    values = column.get("values", None)
    results = [column.get(key, None) for key in ("constant", "positive", "negative")]
    results += values.values() if isinstance(values, dict) else ()
    meant = "debit or credit" if name == "direction" else "a code of ISO 4217"
    column.problems.extend(
        f"{where} gives {result!r}: it is {meant}"
        for result in results
        if isinstance(result, str) and result not in allowed
    )


def _constant(column: TableReader) -> FieldSource:
    text = column.get("constant")
    if not isinstance(text, str) or not text:
        column.refuse(f"constant is {text!r}: write a text")
    return FieldSource((), lambda table: [text] * len(table.numbers))


def _template(column: TableReader) -> FieldSource:
    template = column.get("template")
    if not _is_template(template):
        column.refuse(f"template is {template!r}: write a text with {{file}} and {{row}}")

    def make(table: FileRows) -> Column:
        return [template.format(file=table.file_stem, row=number) for number in table.numbers]

    return FieldSource((), make)


def _is_template(template: object) -> bool:
    if not isinstance(template, str):
        return False
    try:
        parts = list(Formatter().parse(template))
    except ValueError:  # a brace alone
        return False
    return all(
        name is None or (name in TEMPLATE_NAMES and not form and not conversion)
        for _, name, form, conversion in parts
    )


def _sign(column: TableReader) -> FieldSource:
    names = names_of(column.get("sign_of"), f"{column.where}sign_of", column)
    positive, negative = column.get("positive", DEBIT), column.get("negative", CREDIT)
    for key, text in (("positive", positive), ("negative", negative)):
        if not isinstance(text, str):
            column.refuse(f"{key} is {text!r}: write a text")

    def make(table: FileRows) -> Column:
        return [negative if cell and is_negative(cell) else positive for cell in find(table, names)]

    return FieldSource((names,), make)


def _column(column: TableReader) -> FieldSource:
    stated = column.table
    names = names_of(stated["column"], f"{column.where}column", column)
    refuse_steps(column)
    steps = steps_of(stated) if column.is_good else []
    if not steps:
        return column_source(names)
    fault_of = iban_fault if stated.get("iban") else None
    return FieldSource((names,), lambda table: _stepped(find(table, names), steps), fault_of)


def _stepped(cells: Column, steps: Sequence[Step]) -> Column:
    for step in steps:
        cells = [step(cell) if cell else None for cell in cells]
    return cells


_Make = Callable[[TableReader], FieldSource]
_KINDS: Final[dict[str, tuple[tuple[str, ...], _Make]]] = {
    "constant": ((), _constant),
    "template": ((), _template),
    "sign_of": (("positive", "negative"), _sign),
    "column": (
        (
            "values", "strip", "remove", "upper", "iban", "format", "time_zone", "time",
            "absolute", "thousands", "decimal", "decimals",
        ),
        _column,
    ),
}  # fmt: skip
