"""Records of JSON: with the schema of Kafka Connect's converter beside the payload, or without."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from streams.feed.envelopes.values import DECIMAL, WHOLE, LeafType, Number, UnreadableError
from streams.feed.maps.json_lines import Path_, object_of

_PARTS: Final = {"schema", "payload"}


class Event(NamedTuple):
    """What a record holds, and the types of the values at the paths that a map needs.

    `has_schema`: if it has one, it decides, and what the map says of types does not.
    """

    root: object
    types: Mapping[str, LeafType]
    has_schema: bool


class JsonEvents:
    """Reads records of JSON; the types of a schema are looked up once while it stays the same."""

    def __init__(self, paths: Mapping[str, Path_], *, is_wrapped: bool) -> None:
        self._paths = paths
        self._is_wrapped = is_wrapped  # the payload is needed, not what stands around it
        self._schema: object = None
        self._types: Mapping[str, LeafType] = {}

    waited_at = float("-inf")

    async def prepare(self, values: Iterable[bytes]) -> None:
        """Do nothing: each record has all that it needs."""

    def event(self, value: bytes) -> Event:
        """Return what a record holds. Raises UnreadableError if it has no object."""
        found = object_of(value, Number)
        if found is None:
            said = value[:80].decode(errors="replace").rstrip()
            raise UnreadableError(f"it is no JSON object in UTF-8, or has a key twice: {said!r}")
        if not self._is_wrapped or not found.keys() <= _PARTS or "payload" not in found:
            return Event(found, {}, has_schema=False)
        schema = found.get("schema")
        if schema is None:
            return Event(found["payload"], {}, has_schema=False)
        if schema != self._schema:
            self._types = types_of(schema, self._paths)
            self._schema = schema
        return Event(found["payload"], self._types, has_schema=True)

    def key_fault(self, key: bytes | None, account: str) -> str | None:
        """Raise AssertionError: a map refuses keys with schemas beside JSON."""
        raise AssertionError(key, account)


def types_of(schema: object, paths: Mapping[str, Path_]) -> dict[str, LeafType]:
    """Return the types that a schema of Kafka Connect gives the values at paths."""
    found = {name: _type_at(schema, steps) for name, steps in paths.items()}
    return {name: of_type for name, of_type in found.items() if of_type is not None}


def _type_at(schema: object, steps: Sequence[str | int]) -> LeafType | None:
    for step in steps:
        schema = _below(schema, step)
    if not isinstance(schema, dict) or not isinstance(schema.get("type"), str):
        return None
    name, parameters = schema.get("name"), schema.get("parameters")
    scale = parameters.get("scale") if isinstance(parameters, dict) else None
    is_whole = isinstance(scale, str) and WHOLE.fullmatch(scale) is not None
    if name == DECIMAL and not is_whole:
        raise UnreadableError(f"its schema has a decimal without a scale: {str(schema)[:80]!r}")
    return LeafType(
        schema["type"],
        name if isinstance(name, str) else None,
        int(str(scale)) if name == DECIMAL else None,
    )


def _below(schema: object, step: str | int) -> object:
    """Return the schema of what a step leads to; None if it leads nowhere."""
    if not isinstance(schema, dict):
        return None
    kind = schema.get("type")
    if kind == "struct" and isinstance(fields := schema.get("fields"), list):
        named = (part for part in fields if isinstance(part, dict) and part.get("field") == step)
        return next(named, None)
    return schema.get({"array": "items", "map": "values"}.get(str(kind), ""))
