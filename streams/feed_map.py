"""A map from a foreign file's columns to the fields of a transaction, read from TOML.

Every field is made a column at a time: a source takes the file's columns, as lists of text, and
gives the field's. What a cell holds is never judged here; the monitor rejects it, with a reason.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from monitor.core.transaction import FIELDS, REQUIRED

Column = Sequence[str | None]
Source = Callable[["Table"], Column]
"""Makes a field's column of a table."""

MAP_KEYS: Final = (
    "files", "encoding", "delimiter", "quote", "skip_incomplete_last_line", "columns",
)  # fmt: skip
DELIMITERS: Final = (";", ",", "\t", "|")


class FeedError(ValueError):
    """A file or a map that cannot be read: every problem of it, one a line."""

    def __init__(self, problems: list[str], source: str) -> None:
        self.problems = problems
        super().__init__(
            f"{source} cannot be read:" + "".join(f"\n  - {problem}" for problem in problems)
        )


class Table(NamedTuple):
    """Some rows of a file: its columns by name, and where the rows stand."""

    columns: Mapping[str, Column]
    file_stem: str
    numbers: Sequence[int]


class FieldSource(NamedTuple):
    """Where a field comes from: the columns it needs (one of each group), and how it is made."""

    needs: tuple[tuple[str, ...], ...]
    make: Source


class FeedMap(NamedTuple):
    """How foreign files become transactions."""

    files: str = "*"
    encoding: str = "utf-8"
    delimiter: str | None = None  # None: found in each file's header
    quote: str = '"'
    skip_incomplete_last_line: bool = False
    fields: Mapping[str, FieldSource] = {}  # empty: the columns are the fields, by name


def feed_map_of(path: Path) -> FeedMap:
    """Return the map that a TOML file states. Raises FeedError with all its problems, OSError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FeedError([f"not TOML: {error}"], str(path)) from None
    problems = [
        f"{key} is not known: use one of {', '.join(MAP_KEYS)}"
        for key in document
        if key not in MAP_KEYS
    ]
    columns = document.pop("columns", None)
    plain = {key: value for key, value in document.items() if key in MAP_KEYS}
    for key, value in plain.items():
        kind = bool if key == "skip_incomplete_last_line" else str
        if not isinstance(value, kind):
            problems.append(f"{key} is {value!r}: it is a {kind.__name__}")
    if plain.get("delimiter") == "auto":
        plain["delimiter"] = None
    try:
        "".encode(str(plain.get("encoding", "utf-8")))
    except LookupError:
        problems.append(f"encoding is {plain['encoding']!r}: Python knows no such one")
    fields = _fields(columns, problems)
    if problems:
        raise FeedError(problems, str(path))
    return FeedMap(**plain, fields=fields)


def _fields(columns: object, problems: list[str]) -> dict[str, FieldSource]:
    if not isinstance(columns, dict):
        problems.append("[columns] is missing: it says which column each field comes from")
        return {}
    problems.extend(
        f"columns.{name} is no field: use {', '.join(FIELDS)}"
        for name in columns
        if name not in FIELDS
    )
    problems.extend(f"columns.{name} is missing" for name in REQUIRED if name not in columns)
    fields = {}
    for name, stated in columns.items():
        if name not in FIELDS:
            continue
        try:
            fields[name] = _source(stated)
        except (ValueError, TypeError) as error:
            problems.append(f"columns.{name} is {stated!r}: {error}")
    return fields


def _source(stated: object) -> FieldSource:
    """Return the source that a value of [columns] states. Raises ValueError."""
    if isinstance(stated, str | list):
        return column_source(_names(stated))
    if not isinstance(stated, dict):
        raise ValueError("write a column's name, or a table")  # noqa: TRY004 - one kind of problem
    for kind, (keys, make) in _KINDS.items():
        if kind in stated:
            unknown = set(stated) - {kind, *keys}
            if unknown:
                raise ValueError(f"{', '.join(sorted(unknown))} is not known beside {kind}")
            return make(stated)
    raise ValueError(f"it has none of {', '.join(_KINDS)}")


def _names(stated: object) -> tuple[str, ...]:
    names = stated if isinstance(stated, list) else [stated]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError("a column is its name, or a list of names of which the first found counts")
    return tuple(names)


def column_source(names: tuple[str, ...]) -> FieldSource:
    """Return the source that hands a column on as it is; the first of the names that is there."""
    return FieldSource((names,), lambda table: find(table, names))


def find(table: Table, names: tuple[str, ...]) -> Column:
    """Return the first of the named columns that a table has; the reader saw that one is there."""
    return next(table.columns[name] for name in names if name in table.columns)


def _constant(stated: dict[str, Any]) -> FieldSource:
    text = stated["constant"]
    if not isinstance(text, str):
        raise ValueError("a constant is a text")  # noqa: TRY004 - one kind of problem
    return FieldSource((), lambda table: [text] * len(table.numbers))


def _template(stated: dict[str, Any]) -> FieldSource:
    template = str(stated["template"])
    template.format(file="", row=0)  # a wrong name is a KeyError now, not at row 1

    def make(table: Table) -> Column:
        return [template.format(file=table.file_stem, row=number) for number in table.numbers]

    return FieldSource((), make)


def _sign(stated: dict[str, Any]) -> FieldSource:
    names = _names(stated["sign_of"])
    positive, negative = stated.get("positive", "debit"), stated.get("negative", "credit")

    def make(table: Table) -> Column:
        return [
            negative if cell and cell.lstrip()[:1] == "-" else positive
            for cell in find(table, names)
        ]

    return FieldSource((names,), make)


def _column(stated: dict[str, Any]) -> FieldSource:
    names = _names(stated["column"])
    steps = _steps(stated)
    if not steps:
        return column_source(names)

    def make(table: Table) -> Column:
        cells = find(table, names)
        for step in steps:
            cells = [step(cell) if cell else None for cell in cells]
        return cells

    return FieldSource((names,), make)


def _steps(stated: dict[str, Any]) -> list[Callable[[str], str]]:
    steps: list[Callable[[str], str]] = []
    if "values" in stated:
        values = {str(key): str(value) for key, value in stated["values"].items()}
        steps.append(lambda cell: values.get(cell, cell))
    if stated.get("thousands"):
        steps.append(lambda cell: cell.replace(stated["thousands"], ""))
    if stated.get("decimal", ".") != ".":
        steps.append(lambda cell: cell.replace(stated["decimal"], "."))
    if stated.get("absolute"):
        steps.append(lambda cell: cell.strip().removeprefix("-"))
    if "decimals" in stated:
        steps.append(_decimals_of(int(stated["decimals"])))
    if {"format", "time_zone", "time"} & set(stated):
        steps.append(_time_of(stated))
    return steps


def _decimals_of(decimals: int) -> Callable[[str], str]:
    """Return what writes a binary float's text as the nearest decimal of so many places.

    A file that keeps money as floats has 85.64999999999999 for 85.65; nothing is computed with it.
    """
    unit = Decimal(1).scaleb(-decimals)

    def convert(cell: str) -> str:
        if len(cell) - cell.rfind(".") - 1 <= decimals and "e" not in cell:
            return cell
        try:
            return str(Decimal(cell).quantize(unit))
        except InvalidOperation:
            return cell

    return convert


def _time_of(stated: dict[str, Any]) -> Callable[[str], str]:
    """Return what makes RFC 3339 of a cell; a cell that is no such time is handed on as it is."""
    zone_name = stated.get("time_zone", "UTC")
    if zone_name not in available_timezones():
        raise ValueError(f"time_zone {zone_name!r} is not in the IANA list")
    zone = ZoneInfo(zone_name)
    written = stated.get("format")
    of_day = time.fromisoformat(stated["time"]) if "time" in stated else None

    @lru_cache(maxsize=1 << 14)
    def convert(cell: str) -> str:
        try:
            moment = (
                datetime.strptime(cell.strip(), written)  # noqa: DTZ007 - the zone is added below
                if written
                else datetime.fromisoformat(cell.strip())
            )
        except ValueError:
            return cell
        if of_day is not None:
            moment = datetime.combine(moment.date(), of_day)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.isoformat()

    return convert


_KINDS: Final[dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any]], FieldSource]]]] = {
    "constant": ((), _constant),
    "template": ((), _template),
    "sign_of": (("positive", "negative"), _sign),
    "column": (
        (
            "values", "format", "time_zone", "time", "absolute", "thousands", "decimal", "decimals",
        ),
        _column,
    ),
}  # fmt: skip
