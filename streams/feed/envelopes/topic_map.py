"""A map of the transactions topic: paths into its records, their envelope, and their keys."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from monitor.core.table_reader import TableReader
from streams.feed.envelopes.values import (
    DECIMAL,
    SCALE_MAX,
    TIME_TYPES,
    UNITS,
    VARIABLE_DECIMAL,
    LeafType,
)
from streams.feed.mapping import FeedError, FeedMap, feed_map_of_document
from streams.feed.maps.json_lines import path_of, path_problems
from streams.feed.maps.source import place_of

NONE, CONNECT, DEBEZIUM = "none", "connect", "debezium"
ENVELOPES: Final = (NONE, CONNECT, DEBEZIUM)
JSON, AVRO, PROTOBUF = "json", "avro", "protobuf"
FORMATS: Final = (JSON, AVRO, PROTOBUF)
REJECT, READ = "reject", "read"

TOPIC_KEYS: Final = ("envelope", "format", "updates", "key", "scales", "times")
_OF_TOPICS: Final = ("topic", "columns", "where")
_OF_EVENTS: Final = ("before", "after", "source", "op", "ts_ms", "ts_us", "ts_ns", "transaction")
_VARIABLE: Final = "variable"


class KeyForm(NamedTuple):
    """How the key of a record names its account, so that one account has one key.

    Of JSON and of text: `before`, the account, `after`. Of Avro and Protobuf: the schema's id, and
    the only field of the key.
    """

    before: bytes = b""
    after: bytes = b""
    schema: int | None = None
    field: str | None = None


class TopicMap(NamedTuple):
    """How the records of a topic become transactions.

    `types` are those of values whose records have no schema, by their paths. `key` is None if keys
    are not looked at.
    """

    source: str
    feed: FeedMap
    envelope: str = NONE
    format: str = FORMATS[0]
    updates: str = REJECT
    key: KeyForm | None = KeyForm()
    types: Mapping[str, LeafType] = MappingProxyType({})


def topic_map_of(path: Path) -> TopicMap:
    """Return the map that a TOML file states. Raises FeedError with all its problems, OSError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FeedError([f"not TOML: {error}"], str(path)) from None
    return topic_map_of_text(text, str(path))


def topic_map_of_text(text: str, source: str) -> TopicMap:
    """Return the map of a TOML text. Raises FeedError with all its problems."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FeedError([f"not TOML: {error}"], source) from None
    except RecursionError:
        raise FeedError(["not TOML: nested too deep"], source) from None
    problems = [f"{key} is for files, not for a topic" for key in document if key not in _OF_TOPICS]
    stated = document.pop("topic", {})
    if not isinstance(stated, dict):
        raise FeedError([*problems, f"topic is {stated!r}: write [topic]"], source)
    topic = TableReader(document).reader(stated, "topic.")
    topic.refuse_unknown(TOPIC_KEYS)
    envelope = _one_of("envelope", ENVELOPES, topic)
    made = TopicMap(
        source,
        FeedMap(),
        envelope,
        _one_of("format", FORMATS, topic),
        _one_of("updates", (REJECT, READ), topic),
        _key(stated.get("key", {}), topic),
        _types(topic),
    )
    if "updates" in stated and envelope != DEBEZIUM:
        topic.refuse("updates is for Debezium's change events")
    problems += topic.problems
    of_feed = {key: value for key, value in document.items() if key in _OF_TOPICS}
    try:
        feed = feed_map_of_document(of_feed, source)
    except FeedError as error:
        raise FeedError([*problems, *error.problems], source) from None
    problems += _refused(feed, document["columns"], made)
    if problems:
        raise FeedError(problems, source)
    return made._replace(feed=feed)


def _one_of(key: str, known: tuple[str, ...], topic: TableReader) -> str:
    stated = topic.table.get(key, known[0])
    if stated not in known:
        topic.refuse(f"{key} is {stated!r}: write one of {', '.join(known)}")
        return known[0]
    return str(stated)


def _key(stated: object, topic: TableReader) -> KeyForm | None:
    if stated == "unchecked":
        return None
    if isinstance(stated, dict):
        texts = {name: stated[name] for name in ("before", "after", "field") if name in stated}
        schema = stated.get("schema")
        is_known = stated.keys() <= {"before", "after"} or stated.keys() == {"schema", "field"}
        if is_known and all(isinstance(text, str) for text in texts.values()):
            before, after = (texts.get(name, "").encode() for name in ("before", "after"))
            if schema is None or (type(schema) is int and 0 <= schema < 1 << 32):
                return KeyForm(before, after, schema, texts.get("field"))
    topic.refuse(
        f"key is {stated!r}: write what stands around the account in a record's key,"
        """ e.g. { before = '{"account_id":', after = '}' }, of Avro or Protobuf"""
        ' { schema = 7, field = "account_id" }, or "unchecked"'
    )
    return None


def _types(topic: TableReader) -> dict[str, LeafType]:
    """Return the types of values that come without a schema, by their paths."""
    types: dict[str, LeafType] = {}
    names = {unit: name for name, unit in TIME_TYPES.items() if name.startswith("io.")}
    for key in ("scales", "times"):
        table = topic.table.get(key, {})
        if not isinstance(table, dict):
            topic.refuse(f'{key} is {table!r}: write a table, e.g. {{ "after.amount" = 2 }}')
            continue
        for path, stated in table.items():
            if path in types:
                topic.refuse(f"scales and times both say what {path} is: leave one out")
            elif key == "times" and isinstance(stated, str) and stated in UNITS:
                types[path] = LeafType("int64", names[stated], is_stated=True)
            elif key == "times":
                topic.refuse(f"times has {path} = {stated!r}: write one of {', '.join(UNITS)}")
            elif stated == _VARIABLE:
                types[path] = LeafType("struct", VARIABLE_DECIMAL, is_stated=True)
            elif type(stated) is int and abs(stated) <= SCALE_MAX:
                types[path] = LeafType("bytes", DECIMAL, stated, is_stated=True)
            else:
                topic.refuse(f'scales has {path} = {stated!r}: write the decimals, or "variable"')
    return types


def _refused(feed: FeedMap, columns: Mapping[str, Any], made: TopicMap) -> list[str]:
    """Return what of a map of files cannot be said of a topic."""
    problems = path_problems(feed)
    names = list(dict.fromkeys(name for group in feed.groups for name in group))
    problems += [
        f"{place_of(name)} is a column's number: write a path" for name in names if place_of(name)
    ]
    for field, stated in columns.items():
        keys = stated.keys() if isinstance(stated, dict) else set()
        template = stated.get("template", "") if isinstance(stated, dict) else ""
        if {"content", "or_content"} & keys or "{row}" in template or "{file}" in template:
            problems.append(
                f"columns.{field} depends on the other rows of a file: a topic has none, so write a"
                " path, or a template of paths"
            )
    if made.envelope == DEBEZIUM:
        problems += [
            f"{name} begins at no part of a change event: write e.g. after.{name.split('.')[-1]}"
            for name in names
            if (path_of(name) or ("after",))[0] not in _OF_EVENTS
        ]
    problems += [
        f"[topic] says the type of {path}, which no column comes from: write the path as there"
        for path in made.types
        if path not in names
    ]
    if made.key is not None and made.key.schema is not None and made.format == FORMATS[0]:
        problems.append("topic.key has a schema's id, and topic.format is json")
    return problems
