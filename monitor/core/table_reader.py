"""A table of a TOML text, read key by key; every problem is noted, and none ends the reading."""

import contextlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, TypeGuard, TypeVar

WHOLE_MAX: Final = 10**18
"""Whole numbers stay below: state and alerts hold 64 bits."""

MISSING: Final = object()
"""In place of a default: the table must state the key."""

_Member = TypeVar("_Member", bound=StrEnum)


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number that state can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < WHOLE_MAX


def shown(value: object) -> str:
    r"""Return a value as a problem quotes it: as TOML writes it, in one printable line.

    >>> print(shown(["a", True, {"b c": "it's\n", "d": date(2026, 1, 5)}]))
    ['a', true, { 'b c' = "it's\n", d = 2026-01-05 }]
    """
    if value is MISSING:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):  # Python writes no number of 5,000 digits
        return str(value) if abs(value) < _DECIMAL_MAX else hex(value)
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, Mapping):
        pairs = [f"{key_shown(str(key))} = {shown(each)}" for key, each in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(shown, value))}]"
    return str(value)


def key_shown(key: str) -> str:
    """Return a key as TOML writes it: in quotes unless it is bare."""
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    if text.isprintable() and "'" not in text:
        return f"'{text}'"
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(each: str) -> str:
    if each in _ESCAPES:
        return _ESCAPES[each]
    if each.isprintable():
        return each
    return f"\\u{ord(each):04x}" if ord(each) < _LONG_ESCAPE else f"\\U{ord(each):08x}"


_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BEGINS: Final = re.compile(r"\[*([A-Za-z0-9_-]+)")
_DECIMAL_MAX: Final = 10**40
_LONG_ESCAPE: Final = 1 << 16
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def day_stated(value: object) -> int | None:
    """Return a day that TOML states as a date or a text, as an ordinal; None if it is no day."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.toordinal()
    return None


class ProblemsError(ValueError):
    """Something stated that cannot be used: `said` is that, then all `problems`, one a line."""

    def __init__(self, said: str, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(f"{said}:" + "".join(f"\n  - {problem}" for problem in problems))


Path = tuple[str | int, ...]
"""Keys from the outermost on; a table of an array has its number after it, from 1 on."""

_TOKEN: Final = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}|"(?!"")(?:[^"\\\n]|\\.)*+"'''
    r"""|'''(?:[^']|'(?!''))*+'{3,5}|'(?!'')[^'\n]*+'"""
    r"""|\#[^\n]*+|\n|[\[{]|[\]}]|[^"'\#\n\[\]{}]++|.""",
    re.DOTALL,
)
"""A string, a comment, the end of a line, a bracket, or what stands between such."""

_OPENS: Final = frozenset("[{")
_CLOSES: Final = frozenset("]}")

_PART: Final = re.compile(r"""\s*+(?:"((?:[^"\\\n]|\\.)*+)"|'([^'\n]*+)'|([\w-]++))\s*+(\.?)""")


class TomlLines:
    """Finds the line of a key or a table in a text that is TOML; values are not looked into."""

    def __init__(self, text: str) -> None:
        self._text = text

    def line_of(self, path: Path) -> int | None:
        """Return the line of what stands at a path, or else of the innermost around it.

        It counts from 1 on; None if nothing around it has a line of its own.
        """
        for end in range(len(path), 0, -1):
            if path[:end] in self._lines:
                return self._lines[path[:end]]
        return None

    @cached_property
    def _lines(self) -> dict[Path, int]:
        found: dict[Path, int] = {}
        counts: dict[Path, int] = {}
        table: Path = ()
        for line, statement in _statements(self._text):
            parts = _parts(statement.lstrip("["))
            if not statement.startswith("["):
                found.setdefault(table + parts, line)
                continue
            table = ()
            for part in parts:
                table = (*table, part)
                if table in counts:
                    table = (*table, counts[table])
            if statement.startswith("[["):
                array = table[:-1] if isinstance(table[-1], int) else table
                counts[array] = counts.get(array, 0) + 1
                found.setdefault(array, line)
                table = (*array, counts[array])
            found.setdefault(table, line)
        return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield headers of tables, and keys with their values, each with the line that it begins in."""
    line = begun = 1
    depth, pieces = 0, list[str]()
    for piece in _TOKEN.findall(text.replace("\r\n", "\n") + "\n"):
        if piece == "\n" and not depth:
            statement = "".join(pieces).strip()
            if statement:
                yield begun, statement
            pieces.clear()
        elif piece.startswith("#"):
            pass
        else:
            if not pieces and piece.strip():
                begun = line
            depth += (piece in _OPENS) - (piece in _CLOSES)
            if piece.strip():
                pieces.append(piece)
        line += piece.count("\n")


def _parts(statement: str) -> tuple[str, ...]:
    """Return the parts of the key that a statement begins with."""
    parts, end = [], 0
    while part := _PART.match(statement, end):
        basic = part[1] or ""
        if "\\" in basic:
            basic = tomllib.loads(f'key = "{basic}"')["key"]
        parts.append(basic or part[2] or part[3] or "")
        end = part.end()
        if not part[4]:
            break
    return tuple(parts)


class TableReader:
    """Reads one table; `where` begins each problem that is found in it, e.g. "calendar.".

    Tables inside it are read by readers that add to the same `problems`. With the `lines` of the
    text, a problem ends with the line of its key, or else of its table, which stands at `path`.
    """

    def __init__(
        self,
        table: Mapping[str, Any],
        where: str = "",
        problems: list[str] | None = None,
        lines: TomlLines | None = None,
        path: Path = (),
    ) -> None:
        self.table = table
        self.where = where
        self.problems: list[str] = [] if problems is None else problems
        self._found_before = len(self.problems)
        self._lines = lines
        self._path = path

    @property
    def is_good(self) -> bool:
        """Whether this reader has found no problem, nor those that it began."""
        return len(self.problems) == self._found_before

    def reader(self, table: Mapping[str, Any], where: str, *path: str | int) -> "TableReader":
        """Return a reader of a table inside it that adds to the same problems.

        It stands at a `path` in this one: a key, and a number from 1 on if it is of an array.
        """
        return TableReader(table, where, self.problems, self._lines, self._path + path)

    def refuse(self, problem: str, *path: str | int) -> None:
        """Note a problem of this table: of what stands at a path in it, or the key it begins with.

        `path` is a key, and a number from 1 on if it is an array's table.
        """
        if not path:
            begins = _BEGINS.match(problem)
            path = (begins[1],) if begins is not None and begins[1] in self.table else ()
        line = None if self._lines is None else self._lines.line_of(self._path + path)
        said = "" if line is None else f" (line {line})"
        self.problems.append(f"{self.where}{problem}{said}")

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Note the keys that nobody knows."""
        for key in self.table:
            if key not in known:
                self.refuse(f"{key_shown(key)} is not known: use one of {', '.join(known)}", key)

    def get(self, key: str, default: object = MISSING) -> Any:  # noqa: ANN401 - what TOML has
        """Return what the table states of a key; else the default."""
        return self.table.get(key, default)

    def whole(self, key: str, low: int, high: int, default: object = MISSING) -> int:
        """Return a whole number from `low` to `high`; `low` if that is not what is stated."""
        value = self.get(key, default)
        if is_whole(value) and low <= value <= high:
            return value
        self.refuse(f"{key} is {shown(value)}: a whole number from {low} to {high:,}")
        return low

    def choice(
        self, key: str, choices: Sequence[_Member], default: object = MISSING
    ) -> _Member | None:
        """Return one of some choices, by its value; None if it is none of them."""
        value = self.get(key, default)
        for choice in choices:
            if value == choice.value:
                return choice
        self.refuse(f"{key} is {shown(value)}: one of {', '.join(choices)}")
        return None
