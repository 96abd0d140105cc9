"""A schema registry on loopback that speaks the documented API, and records by its schemas."""

import io
import json
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import fastavro

from tests.support.envelopes import Booking, unscaled_bytes

JSON_TYPE: Final = "application/vnd.schemaregistry.v1+json"


class FakeRegistry:
    """What a registry holds: its answers by the path that is asked for, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Mapping[str, Any]] = {}
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.status = 200
        self.url = ""

    def add(self, number: int, schema: object, **more: object) -> None:
        """Let it have a schema of Avro (as JSON), or of another type by `schemaType`."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        self.answers[f"/schemas/ids/{number}"] = {"schema": text, **more}

    def answer(self, path: str) -> tuple[int, Mapping[str, Any]]:
        """Return the status and the answer to a path."""
        self.asked.append(path)
        if self.status != 200:
            return self.status, {"error_code": self.status, "message": "away"}
        found = self.answers.get(path, self.answers.get(path.partition("?")[0]))
        if found is None:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        return 200, found


@contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    """Run a registry on a free port of loopback."""
    registry = FakeRegistry()

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.headers.append(dict(self.headers.items()))
            status, answer = registry.answer(self.path)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", JSON_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    registry.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def framed(number: int, body: bytes) -> bytes:
    """Return a record in Confluent's wire format."""
    return struct.pack(">bI", 0, number) + body


def row_schema(scale: int = 2) -> dict[str, Any]:
    """Return the schema of Avro that Debezium makes of a row of bookings."""
    decimal = {
        "type": "bytes", "scale": scale, "precision": 30, "connect.version": 1,
        "connect.parameters": {"scale": str(scale), "connect.decimal.precision": "30"},
        "connect.name": "org.apache.kafka.connect.data.Decimal", "logicalType": "decimal",
    }  # fmt: skip
    time = {
        "type": "long", "connect.version": 1, "connect.name": "io.debezium.time.MicroTimestamp",
    }  # fmt: skip

    def nullable(name: str, of_type: object) -> dict[str, Any]:
        return {"name": name, "type": ["null", of_type], "default": None}

    return {
        "type": "record",
        "name": "Value",
        "namespace": "bank.public.bookings",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "account", "type": "long"},
            {"name": "booked_at", "type": time},
            nullable("amount", decimal),
            *(nullable(name, "string") for name in ("currency", "payee", "channel")),
            nullable("reverses", "long"),
        ],
        "connect.name": "bank.public.bookings.Value",
    }


def event_schema(scale: int = 2) -> dict[str, Any]:
    """Return the schema of Avro that Debezium makes of a change event of that table."""
    return {
        "type": "record",
        "name": "Envelope",
        "namespace": "bank.public.bookings",
        "fields": [
            {"name": "before", "type": ["null", row_schema(scale)], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "op", "type": "string"},
        ],
    }


def avro_bytes(schema: object, value: object) -> bytes:
    """Return a value in Avro, whose decimals are bytes already."""
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(schema), value)  # type: ignore[arg-type]
    return file.getvalue()


def without_logical(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema whose decimals are written from bytes."""
    if isinstance(schema, list):
        return [without_logical(part) for part in schema]
    if isinstance(schema, dict):
        items = schema.items()
        return {key: without_logical(part) for key, part in items if key != "logicalType"}
    return schema


def avro_event(booking: Booking, number: int, scale: int = 2, op: str = "c") -> bytes:
    """Return a change event of Debezium in Avro."""
    row = booking.row(scale) | {"amount": unscaled_bytes(booking.minor * 10 ** (scale - 2))}
    event = {"before": None, "after": row, "op": op}
    return framed(number, avro_bytes(without_logical(event_schema(scale)), event))
