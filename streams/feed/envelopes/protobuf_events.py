"""Records of Protobuf in Confluent's wire format, by the descriptors that the registry has."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message

from streams.feed.envelopes.json_events import Event
from streams.feed.envelopes.registry import RegisteredSchema
from streams.feed.envelopes.values import VARIABLE_DECIMAL, LeafType, UnreadableError, time_text
from streams.feed.maps.json_lines import Path_

_GOOGLE: Final = {
    module.DESCRIPTOR.name: module.DESCRIPTOR.serialized_pb
    for module in (
        any_pb2,
        descriptor_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )
}
"""Files that schemas import and that registries need not have."""

_DECIMAL_FILE: Final = "confluent/type/decimal.proto"
_META_FILE: Final = "confluent/meta.proto"
_DECIMAL: Final = "confluent.type.Decimal"
_TIMESTAMP: Final = "google.protobuf.Timestamp"
_ROOT: Final = "weir-root.proto"
_DEPTH_MAX: Final = 50
_VARINT_BYTES_MAX: Final = 5
_INDEXES_MAX: Final = 50


class ProtobufReader(NamedTuple):
    """The messages of a file, in the order of its schema.

    `types` are those of what a map needs, by the full names of the messages that have come.
    """

    messages: Sequence[Descriptor]
    types: dict[str, dict[str, LeafType]]


class ProtobufFormat:
    """Reads records of Protobuf. What its fields mean, the map says, but of decimals and times."""

    def __init__(self, paths: Mapping[str, Path_]) -> None:
        self._paths = paths

    def made(self, schema: RegisteredSchema) -> ProtobufReader:
        """Return what reads the records of a schema. Raises UnreadableError if nothing does."""
        if schema.kind != "PROTOBUF":
            raise UnreadableError(f"its schema is of {schema.kind}, and the map says protobuf")
        pool = DescriptorPool()
        added: set[str] = set()
        try:
            _add(pool, _ROOT, schema, added)
            file = pool.FindFileByName(_ROOT)
        except (binascii.Error, DecodeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableError(f"its schema cannot be used: {error}") from None
        return ProtobufReader(list(file.message_types_by_name.values()), {})

    def event(self, reader: ProtobufReader, value: bytes) -> Event:
        """Return what a record holds. Raises UnreadableError if it does not fit its schema."""
        indexes, at = _indexes(value)
        found: Sequence[Descriptor] = reader.messages
        descriptor: Descriptor | None = None
        for index in indexes:
            if not 0 <= index < len(found):
                raise UnreadableError(f"it names message {indexes}, which its schema has not")
            descriptor = found[index]
            found = descriptor.nested_types
        assert descriptor is not None
        message = message_factory.GetMessageClass(descriptor)()
        try:
            message.ParseFromString(value[at:])
        except DecodeError as error:
            raise UnreadableError(f"it is no record of its schema: {error}") from None
        return Event(_plain(message, 0), self._types_of(reader, descriptor), has_schema=False)

    def _types_of(self, reader: ProtobufReader, descriptor: Descriptor) -> dict[str, LeafType]:
        name = descriptor.full_name  # a later schema may say otherwise of the same name
        if name not in reader.types:
            found = {path: _type_at(descriptor, steps) for path, steps in self._paths.items()}
            reader.types[name] = {path: leaf for path, leaf in found.items() if leaf is not None}
        return reader.types[name]


def _add(pool: DescriptorPool, name: str, schema: RegisteredSchema, added: set[str]) -> None:
    """Add a file and all that it imports to a pool."""
    file = descriptor_pb2.FileDescriptorProto.FromString(
        base64.b64decode(schema.text, validate=True)
    )
    file.name = name
    added.add(name)
    for imported in file.dependency:
        if imported in added:
            continue
        if imported in schema.references:
            _add(pool, imported, schema.references[imported], added)
        else:
            _add_known(pool, imported, added)
    pool.Add(file)


def _add_known(pool: DescriptorPool, name: str, added: set[str]) -> None:
    """Add a file that everybody knows. Raises KeyError if nobody does."""
    added.add(name)
    if name in _GOOGLE:
        known = descriptor_pb2.FileDescriptorProto.FromString(_GOOGLE[name])
        for imported in known.dependency:
            if imported not in added:
                _add_known(pool, imported, added)
        pool.Add(known)
        return
    if name not in {_DECIMAL_FILE, _META_FILE}:
        raise KeyError(f"it imports {name}, to which it has no reference")
    file = descriptor_pb2.FileDescriptorProto(name=name, syntax="proto3")
    if name == _DECIMAL_FILE:
        file.package = _DECIMAL.rpartition(".")[0]
        message = file.message_type.add(name="Decimal")
        numbers = FieldDescriptor
        kinds = (numbers.TYPE_BYTES, numbers.TYPE_UINT32, numbers.TYPE_INT32)
        for number, (field, kind) in enumerate(
            zip(("value", "precision", "scale"), kinds, strict=True), 1
        ):
            message.field.add(name=field, number=number, type=kind, label=numbers.LABEL_OPTIONAL)
    pool.Add(file)


def _indexes(value: bytes) -> tuple[list[int], int]:
    """Return the indexes of a record's message, and where the message begins."""
    count, at = _varint(value, 0)
    if count == 0:
        return [0], at
    if not 0 < count <= _INDEXES_MAX:
        raise UnreadableError(f"it names a message by {count} indexes")
    indexes = []
    for _ in range(count):
        index, at = _varint(value, at)
        indexes.append(index)
    return indexes, at


def _varint(value: bytes, at: int) -> tuple[int, int]:
    """Return a whole number in zigzag, and the place behind it."""
    number = 0
    for place in range(_VARINT_BYTES_MAX):
        if at + place >= len(value):
            break
        byte = value[at + place]
        number |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return (number >> 1) ^ -(number & 1), at + place + 1
    raise UnreadableError("it ends within the indexes of its message")


def _plain(message: Message, depth: int) -> Any:  # noqa: ANN401 - any JSON
    """Return a message as an object; a field that is not set is None if that can be told."""
    if depth > _DEPTH_MAX:
        raise UnreadableError("it is nested too deep")
    descriptor = message.DESCRIPTOR
    if descriptor.full_name == _TIMESTAMP:
        seconds, nanos = message.seconds, message.nanos
        text = str(seconds * 1_000_000_000 + nanos)
        moment = time_text(text, "nanoseconds")
        return text if moment == text else f"{moment}Z"
    return {field.name: _value(message, field, depth) for field in descriptor.fields}


def _value(message: Message, field: FieldDescriptor, depth: int) -> Any:  # noqa: ANN401 - any JSON
    if field.is_repeated:
        parts = getattr(message, field.name)
        of_type = field.message_type
        if of_type is not None and of_type.GetOptions().map_entry:
            below = of_type.fields_by_name["value"]
            return {str(key): _single(parts[key], below, depth) for key in parts}
        return [_single(part, field, depth) for part in parts]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _single(getattr(message, field.name), field, depth)


def _single(value: Any, field: FieldDescriptor, depth: int) -> Any:  # noqa: ANN401 - any JSON
    if field.message_type is not None:
        return _plain(value, depth + 1)
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return str(value) if named is None else named.name
    return value


def _type_at(descriptor: Descriptor, steps: Sequence[str | int]) -> LeafType | None:
    """Return the type of the value at a path, where it has one that the value does not say."""
    below: Descriptor | None = descriptor
    field: FieldDescriptor | None = None
    for step in steps:
        if isinstance(step, int) or below is None:
            continue
        field = below.fields_by_name.get(step)
        if field is None:
            return None
        below = field.message_type
    if field is None or below is None or below.full_name != _DECIMAL:
        return None
    return LeafType("struct", VARIABLE_DECIMAL)
