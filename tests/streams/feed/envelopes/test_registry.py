"""Records with the ids of schemas: read by the registry's schemas, and never passed over for it."""

import asyncio
import base64
import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given

from monitor.core.transaction import Rejection, Transaction
from streams.feed.envelopes import registry as of_registry
from streams.feed.envelopes.mapped import MappedRecords
from streams.feed.envelopes.registry import AwayError, NoSchemaError, SchemaRegistry
from streams.feed.envelopes.topic_map import topic_map_of_text
from streams.wire.columns import DecodedRun, read_run
from tests.streams.feed.envelopes.test_mapped import BOOKING, START, bookings
from tests.support.envelopes import COLUMNS, Booking, map_text, unscaled_bytes
from tests.support.laws import law
from tests.support.records import Record
from tests.support.registries import (
    FakeRegistry,
    avro_bytes,
    avro_event,
    event_schema,
    fake_registry,
    framed,
)

AVRO = map_text("debezium", more='format = "avro"\n')


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as made:
        yield made


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeRegistry]:
    with fake_registry() as made:
        for scale in range(2, 7):
            made.add(scale, event_schema(scale))
        yield made


def read(url: str, text: str, *values: bytes | None, keys: Sequence[bytes] = ()) -> DecodedRun:
    mapped = MappedRecords(topic_map_of_text(text, "map"), SchemaRegistry(url))
    records = [
        Record(offset, value, keys[offset] if keys else b"any")
        for offset, value in enumerate(values)
    ]
    return asyncio.run(mapped.read([records]))


def detail(run: DecodedRun, place: int = 0) -> str:
    item = run.items[place]
    assert isinstance(item, Rejection)
    return item.detail


# -- avro -----------------------------------------------------------------------------------------


@law(60)
@given(bookings)
def test_a_record_of_avro_is_what_it_is_in_json_of_weir(
    shared: FakeRegistry, booking: Booking
) -> None:
    scales = range(2, 7)
    values = [avro_event(booking, scale, scale) for scale in scales]
    mapped = read(shared.url, AVRO, *values)
    own = [
        Record(offset, booking.own(scale), str(booking.account).encode())
        for offset, scale in enumerate(scales)
    ]
    assert mapped.items == read_run([own]).items


def test_a_schema_is_fetched_once(registry: FakeRegistry) -> None:
    registry.add(7, event_schema())
    read(registry.url, AVRO, *[avro_event(BOOKING, 7)] * 3)
    assert registry.asked == ["/schemas/ids/7"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b"{}", "does not begin with the byte 0"),
        (b"", "does not begin with the byte 0"),
        (framed(7, b"\x01"), "it is no record of its schema"),
        (avro_event(BOOKING, 7) + b"\x00", "1 bytes are left over"),
        (avro_event(BOOKING, 9), "the registry has no /schemas/ids/9"),
        (avro_event(BOOKING, 8), "its schema is of JSON"),
        (avro_event(BOOKING, 6), "its schema cannot be used"),
        (avro_event(BOOKING, 7, op="d"), "deleted (op d)"),
    ],
)
def test_what_no_schema_reads_is_rejected(
    registry: FakeRegistry, value: bytes, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_registry, "AGAIN_SECONDS", 0.01)
    registry.add(7, event_schema())
    registry.add(8, {}, schemaType="JSON")
    registry.add(6, {"type": "nonsense"})
    assert told in detail(read(registry.url, AVRO, value))


def test_ids_that_nobody_registered_are_asked_for_together(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_registry, "AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(of_registry, "REFUSED_MAX", 5)
    registry.add(7, event_schema())
    values = [framed(number, b"") for number in range(100, 140)]
    began = time.monotonic()
    run = read(registry.url, AVRO, *values, avro_event(BOOKING, 7))
    assert time.monotonic() - began < 0.2 * 40
    assert len(registry.asked) == 3 * 40 + 1
    assert [isinstance(item, Rejection) for item in run.items] == [True] * 40 + [False]


def test_a_double_of_avro_is_no_amount(registry: FakeRegistry) -> None:
    schema = event_schema()
    schema["fields"][0]["type"][1]["fields"][3]["type"] = ["null", "double"]
    registry.add(7, schema)
    event = {"before": None, "after": BOOKING.row() | {"amount": -12.3}, "op": "c"}
    run = read(registry.url, AVRO, framed(7, avro_bytes(schema, event)))
    assert "after.amount is a binary float" in detail(run)


@pytest.mark.parametrize(
    ("of_type", "written", "meant"),
    [
        ({"type": "long", "logicalType": "timestamp-millis"}, 1767603600000, "09:00:00"),
        ({"type": "long", "logicalType": "timestamp-micros"}, 1767603600000001, "09:00:00.000001"),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, 1767603600000, "08:00:00"),
    ],
)
def test_instants_have_their_zone_and_others_that_of_the_map(
    registry: FakeRegistry, of_type: dict[str, str], written: int, meant: str
) -> None:
    schema = event_schema()
    schema["fields"][0]["type"][1]["fields"][2]["type"] = of_type
    registry.add(7, schema)
    row = BOOKING.row() | {"booked_at": written, "amount": unscaled_bytes(-1230)}
    schema["fields"][0]["type"][1]["fields"][2]["type"] = "long"
    schema["fields"][0]["type"][1]["fields"][3]["type"] = ["null", "bytes"]
    value = framed(7, avro_bytes(schema, {"before": None, "after": row, "op": "c"}))
    text = AVRO.replace('time_zone = "UTC"', 'time_zone = "Europe/Berlin"')
    (item,) = read(registry.url, text, value).items
    assert isinstance(item, Transaction)
    (own,) = read_run(
        [[Record(0, BOOKING.own().replace(b"09:00:00", meant.encode()), b"1001")]]
    ).items
    assert item == own


KEYED = map_text(
    "debezium", more='format = "avro"\nkey = { schema = 3, field = "account" }\n'
)  # fmt: skip
KEY_SCHEMA: dict[str, Any] = {
    "type": "record", "name": "Key", "fields": [{"name": "account", "type": "long"}],
}  # fmt: skip


def test_a_key_of_avro_has_the_account_and_nothing_else(registry: FakeRegistry) -> None:
    registry.add(7, event_schema())
    registry.add(3, KEY_SCHEMA)
    registry.add(4, KEY_SCHEMA | {"doc": "a later one"})
    good = framed(3, avro_bytes(KEY_SCHEMA, {"account": 1001}))
    keys = [good, framed(4, good[5:]), framed(3, avro_bytes(KEY_SCHEMA, {"account": 1})), b"1001"]
    run = read(registry.url, KEYED, *[avro_event(BOOKING, 7)] * 4, keys=keys)
    assert isinstance(run.items[0], Transaction)
    told = ["has the schema 4, and by the map 3", "names '1', its account_id is '1001'", "byte 0"]
    assert [text in detail(run, place) for place, text in enumerate(told, 1)] == [True] * 3


# -- the registry ---------------------------------------------------------------------------------


def test_records_wait_for_a_registry_that_is_away(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(of_registry, "AGAIN_SECONDS", 0.02)
    caplog.set_level(logging.INFO)
    registry.add(7, event_schema())
    registry.status = 503

    def come_back() -> None:
        time.sleep(0.3)
        registry.status = 200

    thread = threading.Thread(target=come_back)
    thread.start()
    (item,) = read(registry.url, AVRO, avro_event(BOOKING, 7)).items
    thread.join()
    assert isinstance(item, Transaction)
    assert len(registry.asked) > 2
    said = [record.getMessage() for record in caplog.records]
    away = f"the schema registry at {registry.url} is away, and records wait for schema 7"
    assert [away in text for text in said].count(True) == 1
    assert "it answers 503" in said[0]
    assert said[-1] == "the schema registry answers again"


def test_only_a_registry_says_that_there_is_no_schema(registry: FakeRegistry) -> None:
    asked = SchemaRegistry(registry.url, "user", "secret")
    with pytest.raises(NoSchemaError):
        asked.schema(9)
    credentials = base64.b64encode(b"user:secret").decode()
    assert registry.headers[-1]["Authorization"] == f"Basic {credentials}"
    for status in (404, 401, 500):
        registry.status = status  # its error code is of no schema
        with pytest.raises(AwayError, match=str(status)):
            asked.schema(9)
    registry.status, registry.answers["/schemas/ids/9"] = 200, {"other": 1}
    with pytest.raises(AwayError, match="no schema"):
        asked.schema(9)
    with pytest.raises(AwayError):
        SchemaRegistry("http://127.0.0.1:9").schema(1)


def test_a_schema_of_avro_may_refer_to_others(registry: FakeRegistry) -> None:
    schema = event_schema()
    row = schema["fields"][0]["type"][1]
    schema["fields"][0]["type"][1] = "bank.public.bookings.Value"
    reference = {"name": "bank.public.bookings.Value", "subject": "a/b", "version": 2}
    registry.add(7, schema, references=[reference])
    registry.answers["/subjects/a%2Fb/versions/2"] = {"schema": json.dumps(row)}
    (item,) = read(registry.url, AVRO, avro_event(BOOKING, 7)).items
    assert isinstance(item, Transaction)
    assert item.amount_minor == 1230


# -- protobuf -------------------------------------------------------------------------------------

PROTOBUF = (
    '[topic]\nformat = "protobuf"\nkey = "unchecked"\n' + COLUMNS.format("").replace(
        'booked_at = { column = "booked_at", time_zone = "UTC" }', 'booked_at = "booked_at"'
    )
)  # fmt: skip


def decimal_file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="confluent/type/decimal.proto", package="confluent.type", syntax="proto3"
    )
    message = file.message_type.add(name="Decimal")
    for number, (name, kind) in enumerate(
        [
            ("value", Field.TYPE_BYTES),
            ("precision", Field.TYPE_UINT32),
            ("scale", Field.TYPE_INT32),
        ],
        1,
    ):
        message.field.add(name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL)
    return file


def booking_file(amount: int = Field.TYPE_MESSAGE) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="b.proto", package="bank", syntax="proto3")
    file.dependency.extend(["google/protobuf/timestamp.proto", "confluent/type/decimal.proto"])
    file.message_type.add(name="Other")
    message = file.message_type.add(name="Outer").nested_type.add(name="Booking")
    kinds = {
        "id": (Field.TYPE_INT64, ""),
        "account": (Field.TYPE_INT64, ""),
        "booked_at": (Field.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
        "amount": (amount, ".confluent.type.Decimal" if amount == Field.TYPE_MESSAGE else ""),
        "currency": (Field.TYPE_STRING, ""),
        "payee": (Field.TYPE_STRING, ""),
        "channel": (Field.TYPE_STRING, ""),
        "reverses": (Field.TYPE_INT64, ""),
    }
    for number, (name, (kind, of_type)) in enumerate(kinds.items(), 1):
        field = message.field.add(name=name, number=number, label=Field.LABEL_OPTIONAL)
        field.type = kind
        if of_type:
            field.type_name = of_type
        if name == "reverses":
            message.oneof_decl.add(name="_reverses")
            field.proto3_optional, field.oneof_index = True, 0
    return file


def booking_bytes(booking: Booking, file: descriptor_pb2.FileDescriptorProto, amount: Any) -> bytes:  # noqa: ANN401 - a message, a float or a text
    pool = DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(decimal_file())
    pool.Add(file)
    made = GetMessageClass(pool.FindMessageTypeByName("bank.Outer.Booking"))()
    made.id, made.account, made.currency = booking.id, booking.account, "EUR"
    made.booked_at.FromDatetime(booking.booked_at.replace(tzinfo=None))
    made.payee, made.channel = booking.payee or "", booking.channel or ""
    if booking.reverses is not None:
        made.reverses = booking.reverses
    if isinstance(amount, float | str):
        made.amount = amount
    else:
        made.amount.value, made.amount.scale = unscaled_bytes(amount), 2
    return bytes(made.SerializeToString())


INDEXES = b"\x04\x02\x00"
"""Two indexes, in zigzag: the second message of the file, and the first within it."""


def serialized(file: descriptor_pb2.FileDescriptorProto) -> str:
    return base64.b64encode(file.SerializeToString()).decode()


@pytest.mark.parametrize("minor", [-1230, 0, 999999999999999999])
@pytest.mark.parametrize("reverses", [None, 0, 8])
def test_a_record_of_protobuf_is_what_it_is_in_json_of_weir(
    registry: FakeRegistry, minor: int, reverses: int | None
) -> None:
    registry.add(7, serialized(booking_file()), schemaType="PROTOBUF")
    booking = BOOKING._replace(minor=minor, reverses=reverses, channel="web")
    body = INDEXES + booking_bytes(booking, booking_file(), minor)
    mapped = read(registry.url, PROTOBUF, framed(7, body))
    assert mapped.items == read_run([[Record(0, booking.own(), b"1001")]]).items
    assert registry.asked == ["/schemas/ids/7", "/schemas/ids/7?format=serialized"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "ends within the indexes"),
        (b"\x04\x02", "ends within the indexes"),
        (b"\x02\x08", "names message [4], which its schema has not"),
        (b"\x01", "names a message by -1 indexes"),
        (INDEXES + b"\xff", "it is no record of its schema"),
    ],
)
def test_what_is_no_message_of_the_schema_is_rejected(
    registry: FakeRegistry, body: bytes, told: str
) -> None:
    registry.add(7, serialized(booking_file()), schemaType="PROTOBUF")
    assert told in detail(read(registry.url, PROTOBUF, framed(7, body)))


def test_a_double_of_protobuf_is_no_amount(registry: FakeRegistry) -> None:
    file = booking_file(Field.TYPE_DOUBLE)
    registry.add(7, serialized(file), schemaType="PROTOBUF")
    body = INDEXES + booking_bytes(BOOKING, file, -12.3)
    assert "amount is a binary float" in detail(read(registry.url, PROTOBUF, framed(7, body)))


def test_each_schema_of_protobuf_says_itself_what_an_amount_is(registry: FakeRegistry) -> None:
    files = booking_file(), booking_file(Field.TYPE_STRING)
    for number, file in enumerate(files, 7):
        registry.add(number, serialized(file), schemaType="PROTOBUF")
    values = [
        framed(number, INDEXES + booking_bytes(BOOKING, file, amount))
        for number, file, amount in zip((7, 8), files, (-1230, "-12.30"), strict=True)
    ]
    (own,) = read_run([[Record(0, BOOKING.own(), b"1001")]]).items
    assert read(registry.url, PROTOBUF, *values, *values).items == [own] * 4
    assert read(registry.url, PROTOBUF, *reversed(values)).items == [own] * 2


def test_a_text_of_protobuf_is_no_bytes_of_a_decimal(registry: FakeRegistry) -> None:
    file = booking_file(Field.TYPE_STRING)
    registry.add(7, serialized(file), schemaType="PROTOBUF")
    text = PROTOBUF.replace("[topic]", '[topic]\nscales = { "amount" = 2 }')
    body = INDEXES + booking_bytes(BOOKING, file, "1230")
    assert "amount is a text, and no decimal's bytes" in detail(
        read(registry.url, text, framed(7, body))
    )


def test_the_first_message_is_named_by_one_byte(registry: FakeRegistry) -> None:
    file = booking_file()
    booking = file.message_type[1].nested_type[0]
    first = descriptor_pb2.FileDescriptorProto(
        name="b.proto", package="bank", syntax="proto3", dependency=file.dependency
    )
    first.message_type.add().CopyFrom(booking)
    registry.add(7, serialized(first), schemaType="PROTOBUF")
    body = b"\x00" + booking_bytes(BOOKING, file, -1230)
    (item,) = read(registry.url, PROTOBUF, framed(7, body)).items
    assert isinstance(item, Transaction)
    assert item.event_time == int(START.timestamp()) * 1_000_000
