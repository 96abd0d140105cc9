"""Records of Avro in Confluent's wire format, read exactly: fastavro reads, and rounds nothing.

Logical types are taken out of the schema before it reads. Decimals stay bytes, and times numbers,
of which `values` makes texts, as of those of JSON.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import fastavro

from streams.feed.envelopes.json_events import Event
from streams.feed.envelopes.registry import RegisteredSchema
from streams.feed.envelopes.values import DECIMAL, LeafType, UnreadableError
from streams.feed.maps.json_lines import Path_

_NAMED: Final = ("record", "enum", "fixed")
_LOGICAL: Final = ("logicalType", "precision", "scale")


class AvroReader(NamedTuple):
    """A schema, to read by, and the types of what a map needs."""

    schema: Any  # as fastavro has parsed it
    types: Mapping[str, LeafType]


class AvroFormat:
    """Reads records of Avro, each by the schema that it was written by."""

    def __init__(self, paths: Mapping[str, Path_]) -> None:
        self._paths = paths

    def made(self, schema: RegisteredSchema) -> AvroReader:
        """Return what reads the records of a schema. Raises UnreadableError if nothing does."""
        if schema.kind != "AVRO":
            raise UnreadableError(f"its schema is of {schema.kind}, and the map says avro")
        named: dict[str, Any] = {}
        try:
            for part in _below(schema):
                fastavro.parse_schema(_plain(json.loads(part.text)), named)
            parsed = fastavro.parse_schema(_plain(json.loads(schema.text)), named)
            types = _types_of(schema, self._paths)
        except (ValueError, KeyError, TypeError, fastavro.schema.SchemaParseException) as error:
            raise UnreadableError(f"its schema cannot be used: {error}") from None
        return AvroReader(parsed, types)

    def event(self, reader: AvroReader, value: bytes) -> Event:
        """Return what a record holds. Raises UnreadableError if it does not fit its schema."""
        file = io.BytesIO(value)
        try:
            root = fastavro.schemaless_reader(file, reader.schema, None)
        except (
            ValueError,
            IndexError,
            EOFError,
            KeyError,
            TypeError,
            OverflowError,
            MemoryError,
            RecursionError,
        ) as error:
            raise UnreadableError(f"it is no record of its schema: {error!r}") from None
        if file.tell() != len(value):
            left = len(value) - file.tell()
            raise UnreadableError(f"it is no record of its schema: {left} bytes are left over")
        return Event(root, reader.types, has_schema=True)


def _below(schema: RegisteredSchema) -> Iterator[RegisteredSchema]:
    """Yield what a schema refers to, each after what it refers to itself."""
    for part in schema.references.values():
        yield from _below(part)
        yield part


def _plain(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema without logical types."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if isinstance(schema, dict):
        return {
            key: value if key in {"default", "doc", "symbols"} else _plain(value)
            for key, value in schema.items()
            if key not in _LOGICAL or not isinstance(schema.get("type"), str)
        }
    return schema


def _types_of(schema: RegisteredSchema, paths: Mapping[str, Path_]) -> dict[str, LeafType]:
    names: dict[str, Any] = {}
    for part in (*_below(schema), schema):
        _collect(json.loads(part.text), "", names)
    root = json.loads(schema.text)
    found = {name: _type_at(root, steps, names) for name, steps in paths.items()}
    return {name: of_type for name, of_type in found.items() if of_type is not None}


def _collect(schema: Any, space: str, names: dict[str, Any]) -> None:  # noqa: ANN401 - any JSON
    """Note the named types of a schema, by their names with and without a namespace."""
    if isinstance(schema, list):
        for part in schema:
            _collect(part, space, names)
    if not isinstance(schema, dict):
        return
    name = schema.get("name")
    if isinstance(name, str) and schema.get("type") in _NAMED:
        space = str(schema.get("namespace", space))
        names.setdefault(name, schema)
        names[name if "." in name or not space else f"{space}.{name}"] = schema
        space = name.rpartition(".")[0] or space
    for key in ("fields", "type", "items", "values"):
        _collect(schema.get(key), space, names)


def _branches(schema: Any, names: Mapping[str, Any]) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    """Yield what a value of a schema may be, without null."""
    if isinstance(schema, list):
        for part in schema:
            yield from _branches(part, names)
    elif isinstance(schema, str):
        if schema in names:
            yield names[schema]
        elif schema != "null":
            yield {"type": schema}
    elif isinstance(schema, dict):
        inner = schema.get("type")
        if isinstance(inner, str) and inner in names:
            yield names[inner]
        elif isinstance(inner, dict | list):
            yield from _branches(inner, names)
        else:
            yield schema


def _type_at(
    schema: Any,  # noqa: ANN401 - any JSON
    steps: Sequence[str | int],
    names: Mapping[str, Any],
) -> LeafType | None:
    """Return the type of the value at a path: of several that it may have, a float counts first."""
    if not steps:
        leaves = [_leaf(branch) for branch in _branches(schema, names)]
        floats = [leaf for leaf in leaves if leaf.kind in {"float", "double"}]
        logical = [leaf for leaf in leaves if leaf.name is not None]
        if len(logical) > 1 or (logical and len(leaves) > 1):
            raise UnreadableError("a value may have several logical types: which is it?")
        return next(iter((*floats, *logical, *leaves)), None)
    for branch in _branches(schema, names):
        below: Any = None
        if branch.get("type") == "record":
            fields = branch.get("fields") or ()
            below = next((part["type"] for part in fields if part.get("name") == steps[0]), None)
        elif branch.get("type") == "map" and isinstance(steps[0], str):
            below = branch.get("values")
        elif branch.get("type") == "array" and isinstance(steps[0], int):
            below = branch.get("items")
        if below is not None:
            return _type_at(below, steps[1:], names)
    return None


def _leaf(branch: Mapping[str, Any]) -> LeafType:
    """Return a type: Kafka Connect's name of it comes before Avro's own."""
    kind, logical = str(branch.get("type")), branch.get("logicalType")
    if logical == "decimal":
        scale = branch.get("scale", 0)
        if type(scale) is not int:
            raise UnreadableError(f"its schema has a decimal with the scale {scale!r}")
        return LeafType(kind, DECIMAL, scale)
    name = branch.get("connect.name") or logical
    return LeafType(kind, str(name) if name is not None else None)
