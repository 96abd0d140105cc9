"""Schemas that are seldom: amounts are exact or refused, and no schema ends a worker."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.transaction import Rejection, Transaction
from streams.feed.envelopes.registry import AwayError, NoSchemaError, SchemaRegistry
from streams.feed.envelopes.values import DECIMAL, UnreadableError
from tests.streams.feed.envelopes.test_registry import detail, read
from tests.support.envelopes import map_text, unscaled_bytes
from tests.support.laws import law
from tests.support.registries import FakeRegistry, avro_bytes, fake_registry, framed

AVRO = (
    map_text("none", more='format = "avro"\n')
    .replace('scales = { "amount" = 2 }', "")
    .replace('times = { "booked_at" = "microseconds" }', "")
)
ROW = {"id": 7, "account": 1001, "booked_at": 1767603600000000, "currency": "EUR"}


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    with fake_registry() as made:
        yield made


def decimal(scale: int | None, **more: object) -> dict[str, Any]:
    stated = {} if scale is None else {"logicalType": "decimal", "precision": 30, "scale": scale}
    return {"type": "bytes", **stated, **more}


def row(amount: object, name: str = "Row", **further: object) -> dict[str, Any]:
    """Return a schema of rows with an amount of a type, and fields before it."""
    moment = {"type": "long", "logicalType": "timestamp-micros"}
    types = {
        "id": "long", "account": "long", "booked_at": moment, "currency": "string",
        **further, "amount": amount,
    }  # fmt: skip
    fields = [{"name": field, "type": of_type} for field, of_type in types.items()]
    return {"type": "record", "name": name, "namespace": "bank", "fields": fields}


def plain(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema by which a test writes bytes for decimals, and numbers for times."""
    if isinstance(schema, list):
        return [plain(part) for part in schema]
    if isinstance(schema, dict):
        of_types = {"logicalType", "precision", "scale"}
        return {key: plain(part) for key, part in schema.items() if key not in of_types}
    return schema


def item_of(
    registry: FakeRegistry, schema: object, value: object, text: str = AVRO
) -> Transaction | Rejection:
    registry.add(7, schema)
    run = read(registry.url, text, framed(7, avro_bytes(plain(schema), value)))
    (item,) = run.items
    assert isinstance(item, Transaction | Rejection)
    return item


def minor_of(item: Transaction | Rejection) -> int:
    assert isinstance(item, Transaction), item
    return item.amount_minor


# -- amounts --------------------------------------------------------------------------------------


@law(100)
@given(st.integers(-(10**17), 10**17), st.integers(-2, 6), st.sampled_from(["avro", "connect"]))
def test_a_decimal_is_exact_whoever_says_its_scale(
    registry: FakeRegistry, minor: int, scale: int, by: str
) -> None:
    of_connect = {"connect.name": DECIMAL, "connect.parameters": {"scale": str(scale)}}
    of_type = decimal(scale) if by == "avro" else decimal(None, **of_connect)
    unscaled, left = divmod(minor * 10 ** max(scale, 0), 10**2 * 10 ** max(-scale, 0))
    item = item_of(registry, row(of_type), ROW | {"amount": unscaled_bytes(unscaled)})
    if left == 0:
        assert minor_of(item) == abs(minor)
    else:
        assert not isinstance(item, Transaction) or item.amount_minor != abs(minor)


def test_a_decimal_of_connect_without_any_scale_is_refused(registry: FakeRegistry) -> None:
    schema = row(decimal(None, **{"connect.name": DECIMAL}))
    item = item_of(registry, schema, ROW | {"amount": unscaled_bytes(1230)})
    assert isinstance(item, Rejection)
    assert "a decimal with the scale None" in item.detail


@pytest.mark.parametrize("written", ["12.30", "1230"])
def test_a_text_that_is_called_a_decimal_is_no_base64(registry: FakeRegistry, written: str) -> None:
    schema = row(decimal(2) | {"type": "string"})
    item = item_of(registry, schema, ROW | {"amount": written})
    assert minor_of(item) == int(float(written) * 100)


def test_records_of_several_types_with_other_scales_are_refused(registry: FakeRegistry) -> None:
    union = [row(decimal(2), "Card"), row(decimal(4), "Transfer", note="string")]
    value = ("bank.Transfer", ROW | {"amount": unscaled_bytes(123000), "note": ""})
    item = item_of(registry, union, value)
    assert isinstance(item, Rejection)
    assert "several logical types: which is it?" in item.detail


def test_records_of_several_types_with_one_scale_are_read(registry: FakeRegistry) -> None:
    union = [row(decimal(2), "Card"), row(decimal(2), "Transfer", note="string")]
    for name, more in (("Card", {}), ("Transfer", {"note": ""})):
        value = (f"bank.{name}", ROW | {"amount": unscaled_bytes(1230)} | more)
        assert minor_of(item_of(registry, union, value)) == 1230


def test_a_name_is_that_of_its_own_namespace(registry: FakeRegistry) -> None:
    def money(space: str, scale: int) -> dict[str, Any]:
        fields = [{"name": "value", "type": decimal(scale)}]
        return {"type": "record", "name": "Money", "namespace": space, "fields": fields}

    schema = row("Money", fee=money("other", 4), net=money("bank", 2))
    value = {"value": unscaled_bytes(1230)}
    text = AVRO.replace('"amount"', '"amount.value"')
    assert minor_of(item_of(registry, schema, ROW | dict.fromkeys(["fee", "net", "amount"], value),
                            text)) == 1230  # fmt: skip


# -- what would end a worker ----------------------------------------------------------------------

LINKED = row("string", next=["null", "Row"])
HOLDING_ITSELF = row("string", next="Row")
NOTHING = {"type": "record", "name": "Nothing", "fields": []}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (LINKED, "a value of bank.Row may hold others of bank.Row"),
        (HOLDING_ITSELF, "a value of bank.Row may hold others of bank.Row"),
        (row("string", list={"type": "array", "items": "null"}), "whose parts take no bytes"),
        (row("string", list={"type": "array", "items": NOTHING}), "whose parts take no bytes"),
        (row({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}), "no bytes"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "its schema cannot be used: maximum recursion"),
        ("[]", "it is no record of its schema"),
        ("null", "its schema cannot be used"),
        ("5", "its schema cannot be used"),
    ],
)
def test_a_schema_by_which_few_bytes_hold_too_much_is_refused(
    registry: FakeRegistry, schema: object, told: str
) -> None:
    registry.add(7, schema)
    assert told in detail(read(registry.url, AVRO, framed(7, b"\x0e" * 20)))


def test_a_type_may_come_often_without_holding_itself(registry: FakeRegistry) -> None:
    part = {"type": "record", "name": "Part", "fields": [{"name": "a", "type": "string"}]}
    schema = row("string", one=part, more={"type": "array", "items": "Part"}, last=["null", "Part"])
    value = ROW | {"one": {"a": ""}, "more": [{"a": ""}] * 3, "last": {"a": ""}, "amount": "12.30"}
    assert minor_of(item_of(registry, schema, value)) == 1230


# -- what a registry answers ----------------------------------------------------------------------


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Answer to all that is asked on a port of loopback with some bytes, and hang up."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                with server.accept()[0] as asked:
                    asked.recv(1 << 16)
                    asked.sendall(answer)
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + b"[" * 40000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 40000\r\n\r\n" + b"[" * 40000,
    ],
)
def test_what_answers_otherwise_than_a_registry_is_away(answer: bytes) -> None:
    with answering(answer) as url, pytest.raises(AwayError):
        SchemaRegistry(url).schema(7)


@pytest.mark.parametrize(
    "references", ["x", 5, [1], [{"name": "a"}], [{"name": "a", "subject": "s", "version": "x"}]]
)
def test_references_that_are_none_are_no_answer(registry: FakeRegistry, references: object) -> None:
    registry.add(7, "string", references=references)
    with pytest.raises(AwayError, match="odd references"):
        SchemaRegistry(registry.url).schema(7)


def test_a_schema_that_refers_to_itself_is_refused(registry: FakeRegistry) -> None:
    reference = {"name": "a", "subject": "s", "version": 1}
    answer: Mapping[str, Any] = {"schema": json.dumps("string"), "references": [reference]}
    registry.answers |= {"/schemas/ids/7": answer, "/subjects/s/versions/1": answer}
    with pytest.raises(UnreadableError, match="refers to itself") as raised:
        SchemaRegistry(registry.url).schema(7)
    assert not isinstance(raised.value, NoSchemaError)
