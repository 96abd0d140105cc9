"""The source of a field, as a map states it: made of a file's columns, one at a time.

What a cell holds is never judged here. A cell that a source cannot make anything of is handed on
as it is, and the monitor rejects it, with a reason.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from monitor.core.money import EXPONENT, EXPONENT_MAX
from monitor.core.table_reader import TableReader
from monitor.core.transaction import CREDIT, DEBIT
from streams.feed.iban import electronic, iban_fault
from streams.feed.maps.ids import content_source, template_source
from streams.feed.maps.money import MINUS
from streams.feed.maps.source import (
    Column,
    FieldSource,
    FileRows,
    column_source,
    find,
    names_of,
)
from streams.feed.maps.times import TIME_KEYS, TIME_RULES, refuse_times, time_step_of

__all__ = ["Column", "FieldSource", "FileRows", "column_source", "find", "names_of", "source_of"]

Step = Callable[[str], str]

NOISE_SHARE_MAX: Final = Decimal("1e-14")
"""How far of itself a binary double may be from the decimal that was meant: about 45 steps of it.

A double is within 1.2e-16 of itself of the decimal it was read from; sums of some add a few steps.
"""


def refuse_steps(column: TableReader) -> None:
    """Note what is wrong with the keys beside `column`, each with what it should be."""
    for key, (is_good, meant) in _RULES.items():
        if key in column.table and not is_good(column.get(key)):
            column.refuse(f"{key} is {column.get(key)!r}: {meant}")
    if column.get("thousands") == column.get("decimal", "."):
        column.refuse("thousands and its decimal mark are the same: which is it?")
    refuse_times(column)


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
    if {*TIME_KEYS} & set(stated):
        steps.append(time_step_of(stated))
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
    return cell[:1] in MINUS or cell[-1:] in MINUS or (cell[:1] == "(" and cell[-1:] == ")")


def _removed_of(stated: str | list[str]) -> Step:
    """Return what takes texts out of a cell, of one text each of its characters; longest first."""
    texts = sorted(set(stated), key=lambda text: (-len(text), text))
    taken_out = re.compile("|".join(map(re.escape, texts)))
    return lambda cell: taken_out.sub("", cell)


def _absolute(cell: str) -> str:
    cell = cell.strip()
    if cell[:1] == "(" and cell[-1:] == ")":
        return cell[1:-1].strip()
    if cell[:1] in MINUS:
        return cell[1:].strip()
    return cell[:-1].rstrip() if cell[-1:] in MINUS else cell


def _ungrouped_of(mark: str, decimal: str) -> Step:
    """Return what takes the marks out of 1,234,567.89, and leaves 12,50 alone.

    There the comma is no thousands separator, whatever the map says: 12.50 must not become 1250.
    """
    mark_, decimal_, minus = re.escape(mark), re.escape(decimal), re.escape("".join(sorted(MINUS)))
    grouped = re.compile(
        rf"[{minus}+( ]*[0-9]{{1,3}}(?:{mark_}[0-9]{{2,3}})*{mark_}[0-9]{{3}}"
        rf"(?:{decimal_}[0-9]*)?[{minus}) ]*"
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
    **TIME_RULES,
}


def source_of(name: str, stated: object, document: TableReader) -> FieldSource | None:
    """Return the source that a value of [columns] states; None if a problem says why not."""
    where = f"columns.{name}"
    if isinstance(stated, str | list | int) and not isinstance(stated, bool):
        names = names_of(stated, where, document)
        return column_source(names) if names else None
    if not isinstance(stated, dict):
        document.refuse(f"{where} is {stated!r}: write a column's name or number, or a table")
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
    source = template_source(template)
    if source is None:
        column.refuse(
            f"template is {template!r}: write a text with {{file}}, {{row}} and names of columns,"
            " each in braces"
        )
        return FieldSource((), lambda table: [None] * len(table.numbers))
    return source


def _content(column: TableReader) -> FieldSource:
    return content_source(_content_names("content", column))


def _content_names(key: str, column: TableReader) -> list[tuple[str, ...]]:
    """Return the names of the columns that make a content's id."""
    stated = column.get(key)
    if not isinstance(stated, list) or not stated:
        column.refuse(f"{key} is {stated!r}: write a list of the columns that tell rows apart")
        return []
    if column.where != "columns.transaction_id.":
        column.refuse(f"{key} makes ids of transactions: no other field has it")
    return [names_of(name, f"{column.where}{key}", column) for name in stated]


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
    if "or_content" in stated:
        if len(stated) > 2:  # noqa: PLR2004 - the column and this
            column.refuse("or_content stands beside the column alone")
        return content_source(_content_names("or_content", column), names)
    if "time_column" in stated:
        behind = names_of(stated["time_column"], f"{column.where}time_column", column)
        return FieldSource(
            (names, behind),
            lambda table: _stepped(_joined(find(table, names), find(table, behind)), steps),
        )
    if not steps:
        return column_source(names)
    fault_of = iban_fault if stated.get("iban") else None
    return FieldSource((names,), lambda table: _stepped(find(table, names), steps), fault_of)


def _joined(dates: Column, times: Column) -> Column:
    """Return the dates with their times behind; a date without one is no time."""
    return [
        f"{day.strip()} {(of_day or '').strip() or '?'}" if day and day.strip() else None
        for day, of_day in zip(dates, times, strict=True)
    ]


def _stepped(cells: Column, steps: Sequence[Step]) -> Column:
    for step in steps:
        cells = [step(cell) if cell else None for cell in cells]
    return cells


_Make = Callable[[TableReader], FieldSource]
_KINDS: Final[dict[str, tuple[tuple[str, ...], _Make]]] = {
    "constant": ((), _constant),
    "template": ((), _template),
    "content": ((), _content),
    "sign_of": (("positive", "negative"), _sign),
    "column": (
        (
            "values", "strip", "remove", "upper", "iban", *TIME_KEYS,
            "absolute", "thousands", "decimal", "decimals", "or_content",
        ),
        _column,
    ),
}  # fmt: skip
