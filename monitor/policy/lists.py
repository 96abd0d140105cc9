"""The [lists] of a policy: names of accounts and counterparties, stated in it or beside it.

A policy is one document, wherever it is kept. So a file that it names is put into its text when the
policy is read from its own file: names that are sorted, each as how many characters it shares with
the one before it, and the rest.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import takewhile
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor.core.names import NameList
from monitor.core.table_reader import TableReader, shown
from monitor.core.transaction import ID_LENGTH_MAX

LIST_KEYS: Final = ("accounts", "counterparties", "accounts_file", "counterparties_file")

_SORTS: Final = ("accounts", "counterparties")
_ASKED_BY: Final = ("scope.in_list", "where.counterparty_in")
_FILE: Final = "_file"
_INLINED: Final = "_inlined"
_OF_INLINED: Final = ("file", "sha256", "names")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
"""How many characters are shared, as one digit: at most 35."""

_COMMENT: Final = "#"
_QUOTE: Final = '"'
"""An id between two of them is taken as it stands there: nothing in it is escaped."""

_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINE: Final = re.compile(
    r"^[ \t]*(accounts|counterparties)_file[ \t]*=[ \t]*(\"[^\"\\\n]*\"|'[^'\n]*')"
    r"[ \t]*(?:\#[^\n]*?)?(?=\r?$)",
    re.MULTILINE,
)


class NamedLists(NamedTuple):
    """What is listed under one name: accounts, counterparties, or both; None is not stated."""

    accounts: NameList | None = None
    counterparties: NameList | None = None


Lists = Mapping[str, NamedLists]
"""Lists by their names."""

NO_LISTS: Final[Lists] = MappingProxyType({})


class ListFileError(ValueError):
    """A file of a list that cannot be put into a policy: the message says why."""


def lists_stated(document: TableReader) -> Lists:
    """Return the lists that a policy states, as far as they can be read."""
    stated = document.get("lists", {})
    if not isinstance(stated, dict):
        document.refuse("lists is not a table: write [lists.pep]")
        return NO_LISTS
    found: dict[str, NamedLists] = {}
    for name, table in stated.items():
        if not _SLUG.fullmatch(name):
            document.refuse(
                f"list {shown(name)} has no such name: write letters, digits, . _ - (at most 64)",
                "lists",
                name,
            )
        elif not isinstance(table, dict):
            document.refuse(f"lists.{name} is not a table: write [lists.{name}]", "lists", name)
        else:
            its = document.reader(table, f"lists.{name}.", "lists", name)
            its.refuse_unknown((*LIST_KEYS, *(sort + _INLINED for sort in _SORTS)))
            if not table:
                document.refuse(
                    f"lists.{name} is empty: state accounts or counterparties, or a file of them",
                    "lists",
                    name,
                )
            found[name] = NamedLists(*(_names(its, name, sort) for sort in _SORTS))
    return found


def unused_notes(
    lists: Lists,
    accounts: Iterable[NameList | None],
    counterparties: Iterable[NameList | None],
) -> list[str]:
    """Return which lists nothing uses, each with what to do: they are no mistakes of a policy.

    `accounts` and `counterparties` are those that limits and reviews ask for; equal ones are one.
    """
    asked = zip(_SORTS, (accounts, counterparties), _ASKED_BY, strict=True)
    return [
        f"list {name} has {sort} that nothing asks for: name it in a {key}, or take them out"
        for place, (sort, used, key) in enumerate(asked)
        for known in (frozenset(used),)
        for name, its in lists.items()
        if its[place] is not None and its[place] not in known
    ]


def _names(table: TableReader, name: str, sort: str) -> NameList | None:
    ways = [key for key in (sort, sort + _FILE, sort + _INLINED) if key in table.table]
    if len(ways) > 1:
        table.refuse(f"{' and '.join(ways)} are both stated: state one of them")
        return None
    if sort + _FILE in ways:
        table.refuse(
            f"{sort}{_FILE} is for the policy's own file: read by weir policy set FILE, which puts"
            f" the names into the policy; elsewhere write {sort} = [...]"
        )
        return None
    if sort + _INLINED in ways:
        return _inlined_names(table, name, sort)
    if sort not in ways:
        return None
    stated = table.get(sort)
    if isinstance(stated, list) and stated and all(map(_is_name, stated)):
        return NameList(name, stated)
    odd = stated
    if isinstance(stated, list):
        odd = next((each for each in stated if not _is_name(each)), [])
    table.refuse(
        f"{sort} has {shown(odd)}: write a list of ids, each of at most {ID_LENGTH_MAX} characters"
        " that can be seen, without blanks at its ends"
    )
    return None


def _inlined_names(table: TableReader, name: str, sort: str) -> NameList | None:
    stated = table.get(sort + _INLINED)
    if isinstance(stated, dict) and set(stated) == set(_OF_INLINED):
        packed = stated["names"]
        names = unpacked(packed) if isinstance(packed, str) else None
        if names and all(map(_is_name, names)):
            found = NameList(name, names)
            if found.digest == stated["sha256"]:
                return found
    table.refuse(
        f"{sort}{_INLINED} is not as it was written, its sha256 differs: change the list's file,"
        " and set the policy by its own file again"
    )
    return None


def _is_name(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= ID_LENGTH_MAX
        and value.isprintable()
        and value.strip() == value
    )


def packed(names: Iterable[str]) -> str:
    r"""Return names as lines, sorted: each begins with how many characters the last one shares.

    >>> packed(["A101", "A102", "B7", "A1"])
    '0A1\n201\n32\n0B7'
    """
    return "\n".join(_packed_lines(sorted(set(names))))


def _packed_lines(names: Iterable[str]) -> Iterator[str]:
    before = ""
    for name in names:
        pairs = zip(name, before[: len(_DIGITS) - 1], strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        yield _DIGITS[shared] + name[shared:]
        before = name


def unpacked(text: str) -> list[str] | None:
    """Return the names that `packed` has written; None if it has not written this."""
    names: list[str] = []
    before = ""
    for line in text.split("\n"):
        shared = _DIGITS.find(line[:1]) if line else -1
        if not 0 <= shared <= len(before):
            return None
        before = before[:shared] + line[1:]
        names.append(before)
    return names


def with_files(text: str, read: Callable[[str], bytes]) -> str:
    """Return a policy's text with the names of the files that its lists state.

    `read` gives the bytes of a file by the path that the policy has. A text that states no file, or
    is no TOML, is returned as it is. Raises ListFileError if a file cannot be read or used.
    """
    if _FILE not in text:
        return text
    try:
        lists = tomllib.loads(text).get("lists", {})
    except (ValueError, RecursionError):
        return text  # whoever reads the policy says what is wrong with it
    tables = lists.values() if isinstance(lists, dict) else []
    stated = [
        (sort, its[sort + _FILE])
        for its in tables
        for sort in _SORTS
        if isinstance(its, dict) and sort + _FILE in its
    ]
    found: list[tuple[str, str]] = []

    def inlined(line: re.Match[str]) -> str:
        sort, path = line[1], line[2][1:-1]
        found.append((sort, path))
        names = NameList(path, _names_of_file(path, read))
        return (
            f'{sort}{_INLINED} = {{ file = {line[2]}, sha256 = "{names.digest}", names ='
            f' """\n{_escaped(packed(names.names))}""" }}'
        )

    made = _LINE.sub(inlined, text)
    if sorted(found, key=str) != sorted(stated, key=str):
        raise ListFileError(
            "a file of a list must stand on a line of its own under its [lists.NAME], as"
            ' accounts_file = "pep.txt"'
        )
    return made


def _names_of_file(path: str, read: Callable[[str], bytes]) -> list[str]:
    try:
        text = read(path).decode("utf-8-sig")
    except OSError as error:
        why = error.strerror or str(error)
        raise ListFileError(
            f"the list file {shown(path)} cannot be read ({why}):"
            " its path begins at the policy's folder"
        ) from None
    except UnicodeDecodeError as error:
        raise ListFileError(f"the list file {shown(path)} must be UTF-8 text: {error}") from None
    names = []
    for number, line in enumerate(text.split("\n"), 1):
        written = line.strip()
        if not written or written.startswith(_COMMENT):
            continue
        name = _name_of_line(written)
        if name is None:
            raise ListFileError(
                f"the list file {shown(path)} has {shown(written[:40])} in line {number}: put a"
                " comment on a line of its own, and an id with blanks into double quotes"
            )
        if not _is_name(name):
            raise ListFileError(
                f"the list file {shown(path)} must have an id a line, each of at most"
                f" {ID_LENGTH_MAX} characters that can be seen, not {shown(name[:40])}"
                f" in line {number}"
            )
        names.append(name)
    if not names:
        raise ListFileError(f"the list file {shown(path)} is empty: write an id a line")
    return names


def _name_of_line(written: str) -> str | None:
    """Return the id that a line has, without its quotes; None if it may be more than an id."""
    if written.startswith(_QUOTE):
        is_closed = len(written) > 1 and written.endswith(_QUOTE)
        return written[1:-1] if is_closed else None
    return written if written.split() == [written] else None


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
