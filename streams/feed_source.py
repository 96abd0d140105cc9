"""Where a field comes from, as a map states it: made of a file's columns, a column at a time.

What a cell holds is never judged here. A cell that a source cannot make anything of is handed on
as it is, and the monitor rejects it, with a reason.
"""

from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any, Final, NamedTuple

from monitor.core.money import EXPONENT
from monitor.core.transaction import CREDIT, DEBIT
from streams.feed_cell import Step, is_negative, problems_of, steps_of
from streams.feed_iban import iban_fault

Column = Sequence[str | None]
Source = Callable[["Table"], Column]
"""Makes a field's column of a table."""

TEMPLATE_NAMES: Final = ("file", "row")


class Table(NamedTuple):
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


def source_of(name: str, stated: object, problems: list[str]) -> FieldSource | None:
    """Return the source that a value of [columns] states; None if `problems` says why not."""
    found = len(problems)
    where = f"columns.{name}"
    if isinstance(stated, str | list):
        names = names_of(stated, where, problems)
        return column_source(names) if names else None
    if not isinstance(stated, dict):
        problems.append(f"{where} is {stated!r}: write a column's name, or a table")
        return None
    kind = next((kind for kind in _KINDS if kind in stated), None)
    if kind is None:
        problems.append(f"{where} has none of {', '.join(_KINDS)}")
        return None
    keys, make = _KINDS[kind]
    problems.extend(
        f"{where}.{key} is not known beside {kind}"
        for key in stated
        if key != kind and key not in keys
    )
    known = {key: value for key, value in stated.items() if key == kind or key in keys}
    source = make(known, where, problems)
    _refuse_results(name, known, where, problems)
    return source if len(problems) == found else None


def names_of(stated: object, where: str, problems: list[str]) -> tuple[str, ...]:
    """Return the names of a column, as a name or a list states them; none, with a problem said."""
    names = stated if isinstance(stated, list) else [stated]
    if names and all(isinstance(name, str) and name for name in names):
        return tuple(names)
    problems.append(
        f"{where} is {stated!r}: write a column's name, or a list of which the first found counts"
    )
    return ()


def column_source(names: tuple[str, ...]) -> FieldSource:
    """Return the source that hands a column on as it is; the first of the names that is there."""
    return FieldSource((names,), lambda table: find(table, names))


def find(table: Table, names: tuple[str, ...]) -> Column:
    """Return the first of the named columns that a table has; the reader saw that one is there."""
    return next(table.columns[name] for name in names if name in table.columns)


def _refuse_results(name: str, stated: Mapping[str, Any], where: str, problems: list[str]) -> None:
    """Say which results of a source could never be a direction or a currency."""
    allowed = {"direction": (DEBIT, CREDIT), "currency": EXPONENT}.get(name)
    if allowed is None:
        return
    values = stated.get("values")
    results = [stated.get(key) for key in ("constant", "positive", "negative")]
    results += values.values() if isinstance(values, dict) else ()
    meant = "debit or credit" if name == "direction" else "a code of ISO 4217"
    problems.extend(
        f"{where} gives {result!r}: it is {meant}"
        for result in results
        if isinstance(result, str) and result not in allowed
    )


def _constant(stated: dict[str, Any], where: str, problems: list[str]) -> FieldSource:
    text = stated["constant"]
    if not isinstance(text, str) or not text:
        problems.append(f"{where}.constant is {text!r}: write a text")
    return FieldSource((), lambda table: [text] * len(table.numbers))


def _template(stated: dict[str, Any], where: str, problems: list[str]) -> FieldSource:
    template = stated["template"]
    if not _is_template(template):
        problems.append(f"{where}.template is {template!r}: write a text with {{file}} and {{row}}")

    def make(table: Table) -> Column:
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


def _sign(stated: dict[str, Any], where: str, problems: list[str]) -> FieldSource:
    names = names_of(stated["sign_of"], f"{where}.sign_of", problems)
    positive, negative = stated.get("positive", DEBIT), stated.get("negative", CREDIT)
    problems.extend(
        f"{where}.{key} is {stated[key]!r}: write a text"
        for key in ("positive", "negative")
        if not isinstance(stated.get(key, ""), str)
    )

    def make(table: Table) -> Column:
        return [negative if cell and is_negative(cell) else positive for cell in find(table, names)]

    return FieldSource((names,), make)


def _column(stated: dict[str, Any], where: str, problems: list[str]) -> FieldSource:
    found = len(problems)
    names = names_of(stated["column"], f"{where}.column", problems)
    problems.extend(problems_of(stated, where))
    steps = steps_of(stated) if len(problems) == found else []
    if not steps:
        return column_source(names)
    fault_of = iban_fault if stated.get("iban") else None
    return FieldSource((names,), lambda table: _stepped(find(table, names), steps), fault_of)


def _stepped(cells: Column, steps: Sequence[Step]) -> Column:
    for step in steps:
        cells = [step(cell) if cell else None for cell in cells]
    return cells


_Make = Callable[[dict[str, Any], str, list[str]], FieldSource]
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
