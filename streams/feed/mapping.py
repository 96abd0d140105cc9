"""A map from a foreign file's columns to the fields of a transaction, read from TOML.

All problems of a map come in one `FeedError`, so that an operator mends them in one go.
"""

import codecs
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final, NamedTuple

from monitor.core.attributes import ACCOUNT_FIELDS, ACCOUNT_REQUIRED
from monitor.core.table_reader import ProblemsError, TableReader
from monitor.core.transaction import FIELDS, IDS, REQUIRED
from streams.feed.formats.reading import FORMATS, FileReading
from streams.feed.maps.amounts import amount_sources, with_currencies
from streams.feed.maps.layout import LAYOUT_KEYS, Layout, layout_of
from streams.feed.maps.source import FieldSource, names_of, place_of
from streams.feed.sources import source_of


class Form(NamedTuple):
    """The fields of a sort of record, in order, and those that each must have.

    `ids` are the fields that have no blanks around them, whatever the file has.
    `exact` are the fields whose cells must not be guessed at where a file is damaged.
    `takes_further`: columns that are no field are handed on beside the fields.
    """

    fields: tuple[str, ...]
    required: tuple[str, ...]
    ids: tuple[str, ...]
    exact: tuple[str, ...]
    takes_further: bool = False


TIMES: Final = Form(("booked_at",), ("booked_at",), (), ())
"""The times of transactions alone, to see whether they are in order: no row is judged for them."""

TRANSACTIONS: Final = Form(FIELDS, REQUIRED, IDS, (*REQUIRED, "reverses"))
ACCOUNTS: Final = Form(
    ACCOUNT_FIELDS, ACCOUNT_REQUIRED, ("account_id",), ACCOUNT_REQUIRED, takes_further=True
)


MAP_KEYS: Final = (
    "files", "kind", "encoding", "delimiter", "quote", "skip_incomplete_last_line", *LAYOUT_KEYS,
    "columns", "where",
)  # fmt: skip
WHERE_KEYS: Final = ("column", "is", "is_not")
DELIMITERS: Final = (";", ",", "\t", "|")
"""Kinds of files, as a map may state them where the ending of a name does not."""


class FeedError(ProblemsError):
    """A file or a map that cannot be read."""

    def __init__(self, problems: Sequence[str], source: str) -> None:
        super().__init__(f"{source} cannot be read", problems)


class Where(NamedTuple):
    """Which rows count: those whose cell of a column is (or is not) one of some texts."""

    names: tuple[str, ...]  # of the column; the first that is there
    texts: frozenset[str]
    is_one: bool

    def keeps(self, cell: str | None) -> bool:
        """Say whether a row with this cell counts; blanks around the cell do not matter."""
        return ((cell or "").strip() in self.texts) is self.is_one


class FeedMap(NamedTuple):
    """How foreign files become transactions, or accounts."""

    files: str = "*"
    kind: str | None = None  # the format; None: by each file's name and content
    encoding: str = "utf-8"
    delimiter: str | None = None  # None: found in each file's header
    quote: str = '"'
    skip_incomplete_last_line: bool = False
    layout: Layout = Layout()
    fields: Mapping[str, FieldSource] = {}  # empty: the columns are the fields, by name
    where: tuple[Where, ...] = ()
    further: tuple[str, ...] = ()  # columns to hand on beside the fields; no file states them
    form: Form = TRANSACTIONS  # what the rows become
    tells_lines: bool = False  # which lines of a file rows stand in is asked for, too
    reading: FileReading = FileReading()  # what the command line says; no file states it

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Return the columns that fields and [[where]] need: of each group the first found."""
        needs = [names for source in self.fields.values() for names in source.needs]
        return list(dict.fromkeys((*needs, *(where.names for where in self.where))))

    @property
    def numbered_width(self) -> int:
        """Return the greatest number by which a column is called; 0 if none is."""
        return max((place_of(name) or 0 for names in self.groups for name in names), default=0)


def feed_map_of(path: Path, form: Form = TRANSACTIONS) -> FeedMap:
    """Return the map that a TOML file states. Raises FeedError with all its problems, OSError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FeedError([f"not TOML: {error}"], str(path)) from None
    return feed_map_of_text(text, str(path), form)


def feed_map_of_text(text: str, source: str, form: Form = TRANSACTIONS) -> FeedMap:
    """Return the map of a TOML text. Raises FeedError with all its problems."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FeedError([f"not TOML: {error}"], source) from None
    return feed_map_of_document(document, source, form)


def feed_map_of_document(
    document: Mapping[str, Any], source: str, form: Form = TRANSACTIONS
) -> FeedMap:
    """Return the map of a TOML document. Raises FeedError with all its problems."""
    stated = TableReader(document)
    stated.refuse_unknown(MAP_KEYS)
    plain = {key: document[key] for key in _RULES if key in document}
    for key, value in plain.items():
        if not _RULES[key][0](value):
            stated.refuse(f"{key} is {value!r}: {_RULES[key][1]}")
    if plain.get("delimiter") == "auto":
        plain["delimiter"] = None
    if plain.get("delimiter") == plain.get("quote", '"'):
        stated.refuse("delimiter and quote are the same: which is it?")
    layout = layout_of(stated)
    fields = _fields(stated, form)
    where = _wheres(stated)
    if stated.problems:
        raise FeedError(stated.problems, source)
    return FeedMap(**plain, layout=layout, fields=fields, where=where, form=form)


def _fields(document: TableReader, form: Form) -> dict[str, FieldSource]:
    columns = document.get("columns", None)
    if not isinstance(columns, dict):
        document.refuse("[columns] is missing: it says which column each field comes from")
        return {}
    for name in columns:
        if name not in form.fields:
            document.refuse(f"columns.{name} is no field: use {', '.join(form.fields)}")
    for name in form.required:
        if name not in columns:
            document.refuse(f"columns.{name} is missing")
    of_amounts = amount_sources(columns, document) if form is TRANSACTIONS else {}
    made = {
        name: of_amounts[name] if name in of_amounts else source_of(name, stated, document)
        for name, stated in columns.items()
        if name in form.fields
    }
    return with_currencies({name: source for name, source in made.items() if source is not None})


def _wheres(document: TableReader) -> tuple[Where, ...]:
    tables = document.get("where", [])
    if not isinstance(tables, list):
        document.refuse("where is no list of tables: write [[where]]")
        return ()
    made = [_where(table, f"where {number}", document) for number, table in enumerate(tables, 1)]
    return tuple(where for where in made if where is not None)


def _where(table: object, name: str, document: TableReader) -> Where | None:
    if not isinstance(table, dict):
        document.refuse(f"{name} is {table!r}: write [[where]]")
        return None
    where = document.reader(table, f"{name}.")
    where.refuse_unknown(WHERE_KEYS)
    if "column" not in table:
        document.refuse(f"{name} has no column")
        names: tuple[str, ...] = ()
    else:
        names = names_of(table["column"], f"{name}.column", document)
    kinds = [key for key in ("is", "is_not") if key in table]
    if len(kinds) != 1:
        said = " and ".join(kinds) or "neither"
        document.refuse(f"{name} has {said}: write one of is, is_not")
        return None
    stated = table[kinds[0]]
    texts = stated if isinstance(stated, list) else [stated]
    if not texts or not all(isinstance(text, str) for text in texts):
        where.refuse(f"{kinds[0]} is {stated!r}: write a text, or a list of texts")
        return None
    return Where(names, frozenset(text.strip() for text in texts), kinds[0] == "is")


def _is_encoding(stated: object) -> bool:
    if not isinstance(stated, str):
        return False
    try:
        codecs.lookup(stated)
        "".encode(stated)
    except (LookupError, ValueError):  # unknown, or not for text; a NUL in the name
        return False
    return True


def _is_pattern(stated: object) -> bool:
    return isinstance(stated, str) and stated.strip("/. ") != "" and not PurePath(stated).root


def _is_mark(stated: object) -> bool:
    return isinstance(stated, str) and len(stated) == 1 and stated not in "\r\n "


_RULES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "files": (_is_pattern, 'write a pattern of files in a folder, e.g. "*.csv"'),
    "kind": (lambda stated: stated in FORMATS, f"write one of {', '.join(FORMATS)}"),
    "encoding": (_is_encoding, 'Python knows no such encoding of text; e.g. "cp1252"'),
    "delimiter": (
        lambda stated: stated == "auto" or _is_mark(stated),
        'write one character, or "auto"',
    ),
    "quote": (_is_mark, "write one character"),
    "skip_incomplete_last_line": (
        lambda stated: isinstance(stated, bool),
        "write true or false",
    ),
}
