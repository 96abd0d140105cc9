"""Ids that are made of a row: by a template over its columns, or by its content."""

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from streams.feed.maps.source import Column, FieldSource, FileRows, find, place_name

TEMPLATE_NAMES: Final = ("file", "row")
"""Names in a template that are no columns: the file's name without its ending, and the row."""

_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_CONTENT_BYTES: Final = 16


def template_source(template: object) -> FieldSource | None:
    """Return the source that fills a template in; None if it has a stray brace.

    A row whose cells for it are all empty has no id.
    """
    parts = _parts_of(template)
    if parts is None:
        return None
    text, names = parts
    columns = tuple((_column_of(name),) for name in names if name not in TEMPLATE_NAMES)

    def numbered(table: FileRows) -> Column:
        if not names:
            return [text.format()] * len(table.numbers)
        if names == ["file", "row"]:
            of_file = text.replace("{}", table.file_stem.replace("{", "{{").replace("}", "}}"), 1)
            return [of_file.format(number) for number in table.numbers]
        given = [table.file_stem if name == "file" else None for name in names]
        return [
            text.format(*[number if name is None else name for name in given])
            for number in table.numbers
        ]

    def make(table: FileRows) -> Column:
        of_columns = [find(table, names) for names in columns]
        cells = iter(of_columns)
        given = {"file": [table.file_stem] * len(table.numbers), "row": table.numbers}
        values = [given[name] if name in given else next(cells) for name in names]
        made = [
            text.format(*["" if cell is None else str(cell).strip() for cell in row])
            for row in zip(*values, strict=True)
        ]
        return [
            made_of if any(cell and cell.strip() for cell in row) else None
            for made_of, row in zip(made, zip(*of_columns, strict=True), strict=True)
        ]

    return FieldSource(tuple(dict.fromkeys(columns)), make if columns else numbered)


def _parts_of(template: object) -> tuple[str, list[str]] | None:
    """Return a template with {} for each name, and the names; None if a brace is stray."""
    if not isinstance(template, str) or not template:
        return None
    names: list[str] = []
    stray = False

    def taken(found: re.Match[str]) -> str:
        nonlocal stray
        if found[1]:
            names.append(found[1].strip())
            return "{}"
        stray = stray or len(found[0]) == 1
        return found[0]

    text = _PART.sub(taken, template)
    return None if stray or not all(names) else (text, names)


def _column_of(name: str) -> str:
    """Return the name of a column in a template; a whole number is its place."""
    return place_name(int(name)) if name.isascii() and name.isdecimal() and int(name) else name


def content_source(
    names: Sequence[tuple[str, ...]], instead_of: tuple[str, ...] = ()
) -> FieldSource:
    """Return the source of ids by the cells of some columns, and the place among equal rows.

    So a file that is sent again has the ids that it had, and so has a row of another file that
    overlaps. With `instead_of`, only rows that have an empty cell there get one.
    """

    def begin() -> "_Contents":
        return _Contents(names, instead_of)

    needs = (*((instead_of,) if instead_of else ()), *names)
    return FieldSource(tuple(dict.fromkeys(needs)), begin(), begin=begin)


class _Contents:
    """The ids of one file's rows; it keeps what it has seen of the file."""

    def __init__(self, names: Sequence[tuple[str, ...]], instead_of: tuple[str, ...]) -> None:
        self._names = names
        self._instead_of = instead_of
        self._seen: Counter[bytes] = Counter()

    def __call__(self, table: FileRows) -> Column:
        rows = zip(*(find(table, names) for names in self._names), strict=True)
        ids = find(table, self._instead_of) if self._instead_of else [None] * len(table.numbers)
        return [
            id_ if id_ and id_.strip() else self._id_of(row)
            for id_, row in zip(ids, rows, strict=True)
        ]

    def _id_of(self, row: Sequence[str | None]) -> str:
        cells = [(cell or "").strip() for cell in row]
        digest = blake2b(
            "\x1f".join(cells).encode(errors="surrogateescape"), digest_size=_CONTENT_BYTES
        ).digest()
        self._seen[digest] += 1
        count = self._seen[digest]
        return digest.hex() if count == 1 else f"{digest.hex()}-{count}"
