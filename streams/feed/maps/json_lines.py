"""JSON Lines of others: a map's columns are paths into the object of each line, as a.b[0].c."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Final

from streams.feed.formats.packed import buffered, open_bytes
from streams.feed.mapping import FeedError, FeedMap
from streams.feed.maps.layout import BLANK
from streams.feed.rows import BATCH_ROWS, Batch, Shape
from streams.wire import codec

PROBE_LINES: Final = 1000
"""Lines in which each needed path must be found once, before the first row is sent."""

_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_STEP: Final = re.compile(r'\.?([^.\[\]"]+)|\[([0-9]{1,9})\]|\.?\["([^"]+)"\]')

Path_ = tuple[str | int, ...]
"""The keys and places that lead to a value."""


class NotTextError(ValueError):
    """A value that is a list or an object, where a text is wanted."""


def open_lines(path: Path, feed_map: FeedMap) -> tuple[Shape, FeedMap]:
    """Return how the lines of a file become fields.

    Raises FeedError if the map does not fit JSON Lines, or no line has a needed path; OSError.
    """
    problems = []
    if not feed_map.layout.is_plain:
        problems.append("it is JSON Lines: the map's keys of lines and headers are for CSV")
    names = list(dict.fromkeys(name for group in feed_map.groups for name in group))
    problems += path_problems(feed_map)
    if problems:
        raise FeedError(problems, str(path))
    shape = Shape(path, names, feed_map)
    with open_bytes(path) as file:
        found = list(islice(_objects(buffered(file)), PROBE_LINES))
    for field in feed_map.form.required:
        source = feed_map.fields.get(field)
        problems += [
            f"{field} comes from {' or '.join(group)}, and none of the first {len(found):,} lines"
            " has it"
            for group in (source.needs if source and found else ())
            if not any(_has(each, group) for each in found)
        ]
    if problems:
        raise FeedError(problems, str(path))
    return shape, feed_map


def read_lines(opened: tuple[Shape, FeedMap]) -> Iterator[Batch]:
    """Yield the rows of a file; a line that is no object is handed on as it is."""
    shape, feed_map = opened
    groups = feed_map.groups
    paths = [[(name, path_of(name) or ()) for name in group] for group in groups]
    size, number = max(shape.path.stat().st_size, 1), 0
    with open_bytes(shape.path) as file:
        whole = buffered(file)
        while lines := list(islice(whole, BATCH_ROWS)):
            if not number:
                lines[0] = lines[0].removeprefix(_UTF_8_MARK)
            cells: list[list[str | None]] = []
            numbers: list[int] = []
            raw: list[tuple[int, bytes]] = []
            blank = 0
            for line_number, line in enumerate(lines, number + 1):
                if not line.strip():
                    blank += 1
                    continue
                row = _row_of(line, paths)
                if isinstance(row, bytes):
                    raw.append((line_number, row))
                else:
                    cells.append(row)
                    numbers.append(line_number)
            number += len(lines)
            table = zip(*cells, strict=True) if cells else [[] for _ in groups]
            columns = {group[0]: column for group, column in zip(groups, table, strict=True)}
            shaped = shape.of_columns(columns, numbers)
            yield Batch(
                shape.path,
                shaped.rows,
                shaped.numbers,
                [*raw, *shaped.raw],
                file.tell() / size,
                shaped.filtered,
                shaped.filtered,
                passed={BLANK: blank} if blank else {},
            )


def path_problems(feed_map: FeedMap) -> list[str]:
    """Return what is wrong with the paths of a map."""
    groups = feed_map.groups
    names = dict.fromkeys(name for group in groups for name in group)
    return [
        *(
            f"{name!r} is no path into an object: write e.g. a.b[0].c"
            for name in names
            if path_of(name) is None
        ),
        *(
            f"{' or '.join(group)} begins as another list of paths does: give both the same paths"
            for group in groups
            if sum(other[0] == group[0] for other in groups) > 1
        ),
    ]


def path_of(name: str) -> Path_ | None:
    """Return the steps of a path as a map writes it; None if it is no path."""
    steps: list[str | int] = []
    at = 0
    while at < len(name):
        found = _STEP.match(name, at)
        if not found or (at == 0 and name[0] == "."):
            return None
        key, place, quoted = found.groups()
        if key and at and name[at] != ".":
            return None
        steps.append(int(place) if place is not None else key or quoted)
        at = found.end()
    return tuple(steps) or None


def _objects(file: IO[bytes]) -> Iterator[dict[str, object]]:
    for number, line in enumerate(file):
        found = object_of(line if number else line.removeprefix(_UTF_8_MARK))
        if found is not None:
            yield found


def object_of(line: bytes, number: Callable[[str], str] = str) -> dict[str, object] | None:
    """Return the object of a line, its numbers as they are written; None if it has no object.

    `number` makes what stands for a number, of its text.
    """
    try:
        found = json.loads(
            line,
            parse_float=number,
            parse_int=number,
            parse_constant=number,
            object_pairs_hook=_once,
        )
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object. Raises ValueError if it has a key twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(pairs)
    return found


def _row_of(line: bytes, paths: Sequence[Sequence[tuple[str, Path_]]]) -> list[str | None] | bytes:
    """Return the cells of a line; the record to reject if it has none."""
    found = object_of(line)
    if found is None:
        fault = "it is no JSON object in UTF-8, or has a key twice"
        return codec.faulty_bytes({}, f"{fault}: {line[:80].decode(errors='replace').rstrip()!r}")
    try:
        return [_first(found, of_column) for of_column in paths]
    except NotTextError as error:
        return codec.faulty_bytes({}, str(error))


def _first(found: dict[str, object], paths: Sequence[tuple[str, Path_]]) -> str | None:
    for name, steps in paths:
        value = value_at(found, steps)
        if value is None:
            continue
        if isinstance(value, dict | list):
            raise NotTextError(f"{name} is a list or an object: write a path into it")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if not text.isascii() and any("\ud800" <= mark <= "\udfff" for mark in text):
            raise NotTextError(f"{name} is broken text: {text[:40]!r}")
        return text
    return None


def _has(found: dict[str, object], names: Sequence[str]) -> bool:
    return any(value_at(found, path_of(name) or ()) is not None for name in names)


def value_at(value: object, steps: Path_) -> object:
    """Return what a path leads to; None if it leads nowhere."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
        else:
            return None
    return value


def leaves_of(path: Path, most: int) -> dict[str, list[str | None]]:
    """Return the texts at each path of the first lines of a file, by the path as a map writes it.

    Raises FeedError if the file is compressed and damaged, OSError.
    """
    with open_bytes(path) as file:
        rows = [dict(_leaves(found, "")) for found in islice(_objects(buffered(file)), most)]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _leaves(value: object, above: str) -> Iterator[tuple[str, str]]:
    """Yield the texts within a value with their paths."""
    if isinstance(value, dict):
        for key, below in value.items():
            plain = _STEP.fullmatch(key) and not key.startswith((".", "["))
            step = f"{'.' if above else ''}{key}" if plain else f'["{key}"]'
            yield from _leaves(below, above + step)
    elif isinstance(value, list):
        for place, below in enumerate(value):
            yield from _leaves(below, f"{above}[{place}]")
    elif value is not None:
        yield above, str(value).lower() if isinstance(value, bool) else str(value)
