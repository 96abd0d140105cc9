"""Records of Avro in Confluent's wire format, read exactly: fastavro reads, and rounds nothing.

Logical types are renamed in the schema before it reads. Decimals stay bytes, and times numbers,
of which `values` makes texts, as of those of JSON.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import fastavro

from streams.feed.envelopes.json_events import Event
from streams.feed.envelopes.registry import RegisteredSchema
from streams.feed.envelopes.values import DECIMAL, WHOLE, LeafType, UnreadableError
from streams.feed.maps.json_lines import Path_

_LOGICAL: Final = {"logicalType": "weir.logicalType", "scale": "weir.scale"}
"""Under these names logical types stay in a schema, and fastavro does not read by them."""

_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


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
            _takes_bytes(parsed, named, {})
            found = {name: _type_at(parsed, steps, named) for name, steps in self._paths.items()}
        except (*_UNREADABLE, fastavro.schema.SchemaParseException) as error:
            raise UnreadableError(f"its schema cannot be used: {error}") from None
        types = {name: of_type for name, of_type in found.items() if of_type is not None}
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
    """Return a schema whose logical types fastavro does not see."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if isinstance(schema, dict):
        is_type = isinstance(schema.get("type"), str)
        return {
            _LOGICAL.get(key, key) if is_type else key: (
                value if key in {"default", "doc", "symbols"} else _plain(value)
            )
            for key, value in schema.items()
            if key != "precision" or not is_type
        }
    return schema


def _takes_bytes(schema: Any, named: Mapping[str, Any], known: dict[str, bool | None]) -> bool:  # noqa: ANN401 - any JSON
    """Return whether each value of a schema takes bytes of a record.

    Raises UnreadableError if a few bytes could hold more than a process bears: values in values of
    their own type, without an end, or a list of any length whose parts take no bytes.
    """
    if isinstance(schema, list):
        for part in schema:
            _takes_bytes(part, named, known)
        return True  # which of them it is
    if isinstance(schema, str):
        return _takes_bytes(named[schema], named, known) if schema in named else schema != "null"
    kind, name = schema["type"], schema.get("name")
    if kind in {"record", "error"}:
        if name not in known:
            known[name] = None
            each = [_takes_bytes(field["type"], named, known) for field in schema["fields"]]
            known[name] = any(each)
        if (takes := known[name]) is None:
            raise UnreadableError(f"a value of {name} may hold others of {name}")
        return takes
    if kind in {"array", "map"}:
        takes = _takes_bytes(schema["items" if kind == "array" else "values"], named, known)
        if kind == "array" and not takes:
            raise UnreadableError("it has a list whose parts take no bytes")
        return True
    if isinstance(kind, str) and kind not in named:
        return kind != "null" and (kind != "fixed" or schema["size"] > 0)
    return _takes_bytes(kind, named, known)


def _branches(schema: Any, named: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - any JSON
    """Yield what a value of a schema may be, without null."""
    if isinstance(schema, list):
        for part in schema:
            yield from _branches(part, named)
    elif isinstance(schema, str):
        if schema in named:
            yield named[schema]
        elif schema != "null":
            yield {"type": schema}
    elif isinstance(schema, dict):
        inner = schema.get("type")
        if isinstance(inner, dict | list) or (isinstance(inner, str) and inner in named):
            yield from _branches(inner, named)
        else:
            yield schema


def _type_at(
    schema: Any,  # noqa: ANN401 - any JSON
    steps: Sequence[str | int],
    named: Mapping[str, Any],
) -> LeafType | None:
    """Return the type of the value at a path: of several that it may have, a float counts first."""
    leaves = list(dict.fromkeys(_leaves_at(schema, steps, named)))
    floats = [leaf for leaf in leaves if leaf.kind in {"float", "double"}]
    logical = [leaf for leaf in leaves if leaf.name is not None]
    if len(logical) > 1 or (logical and len(leaves) > 1):
        raise UnreadableError("a value may have several logical types: which is it?")
    return next(iter((*floats, *logical, *leaves)), None)


def _leaves_at(
    schema: Any,  # noqa: ANN401 - any JSON
    steps: Sequence[str | int],
    named: Mapping[str, Any],
) -> Iterator[LeafType]:
    """Yield the types that the value at a path may have, by any of what leads there."""
    for branch in _branches(schema, named):
        if not steps:
            yield _leaf(branch)
            continue
        below: Any = None
        if branch.get("type") == "record":
            fields = branch.get("fields") or ()
            below = next((part["type"] for part in fields if part.get("name") == steps[0]), None)
        elif branch.get("type") == "map" and isinstance(steps[0], str):
            below = branch.get("values")
        elif branch.get("type") == "array" and isinstance(steps[0], int):
            below = branch.get("items")
        if below is not None:
            yield from _leaves_at(below, steps[1:], named)


def _leaf(branch: Mapping[str, Any]) -> LeafType:
    """Return a type: Kafka Connect's name of it comes before Avro's own."""
    kind, logical = str(branch.get("type")), branch.get(_LOGICAL["logicalType"])
    name = branch.get("connect.name") or logical
    if logical == "decimal" or name == DECIMAL:
        if kind == "string":
            return LeafType(kind)  # Avro has no such decimal: it is to be read as the text it is
        return LeafType(kind, DECIMAL, _scale_of(branch))
    return LeafType(kind, str(name) if name is not None else None)


def _scale_of(branch: Mapping[str, Any]) -> int:
    """Return the scale of a decimal: of Avro, or else of Kafka Connect.

    Raises UnreadableError if it has none that is a number.
    """
    parameters = branch.get("connect.parameters")
    of_connect = parameters.get("scale") if isinstance(parameters, dict) else None
    scale = branch.get(_LOGICAL["scale"])
    if scale is None and isinstance(of_connect, str) and WHOLE.fullmatch(of_connect):
        return int(of_connect)
    if scale is None and branch.get(_LOGICAL["logicalType"]) == "decimal" and of_connect is None:
        return 0  # as Avro has it
    if type(scale) is not int:
        raise UnreadableError(f"its schema has a decimal with the scale {scale!r}")
    return scale
