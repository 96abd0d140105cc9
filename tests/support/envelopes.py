"""Records of Weir in the envelopes of others: Debezium's change events, Kafka Connect's JSON."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

DECIMAL: Final = "org.apache.kafka.connect.data.Decimal"

COLUMNS: Final = """
[columns]
transaction_id = "{0}id"
account_id = "{0}account"
booked_at = {{ column = "{0}booked_at", time_zone = "UTC" }}
amount = {{ column = "{0}amount", absolute = true }}
direction = {{ sign_of = "{0}amount", positive = "credit", negative = "debit" }}
currency = "{0}currency"
counterparty_id = "{0}payee"
channel = "{0}channel"
reverses = "{0}reverses"
"""

TYPES: Final = """
scales = {{ "{0}amount" = {1} }}
times = {{ "{0}booked_at" = "{2}" }}
"""

UNITS: Final = {
    "milliseconds": ("io.debezium.time.Timestamp", 1000),
    "microseconds": ("io.debezium.time.MicroTimestamp", 1),
    "nanoseconds": ("io.debezium.time.NanoTimestamp", -1000),
}
"""Names of times, and the microseconds of a unit; of a smaller one how many a microsecond has."""


class Booking(NamedTuple):
    """A row of a bank's table: an amount in minor units, negative if money went out."""

    id: int
    account: int
    booked_at: datetime  # of UTC, to the millisecond
    minor: int
    payee: str | None = None
    channel: str | None = None
    reverses: int | None = None

    def own(self, scale: int = 2) -> bytes:
        """Return the record that Weir writes of it, its amount with so many decimals."""
        amount = f"{abs(self.minor) // 100}.{abs(self.minor) % 100:02d}" + "0" * (scale - 2)
        fields = {
            "transaction_id": str(self.id),
            "account_id": str(self.account),
            "booked_at": self.booked_at.replace(tzinfo=None).isoformat() + "Z",
            "amount": amount,
            "currency": "EUR",
            "direction": "debit" if self.minor < 0 else "credit",
            "counterparty_id": self.payee,
            "channel": self.channel,
            "reverses": None if self.reverses is None else str(self.reverses),
        }
        return json.dumps({name: text for name, text in fields.items() if text}).encode()

    def row(self, scale: int = 2, unit: str = "microseconds") -> dict[str, Any]:
        """Return the columns of its row, as Debezium writes them."""
        unscaled = self.minor * 10 ** (scale - 2)
        since = self.booked_at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        micro = since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds
        per = UNITS[unit][1]
        return {
            "id": self.id,
            "account": self.account,
            "booked_at": micro // per if per > 0 else micro * -per,
            "amount": unscaled_text(unscaled),
            "currency": "EUR",
            "payee": self.payee,
            "channel": self.channel,
            "reverses": self.reverses,
        }


def unscaled_bytes(number: int) -> bytes:
    """Return a whole number as Java's BigInteger writes it."""
    bits = (number if number >= 0 else ~number).bit_length()
    return number.to_bytes(bits // 8 + 1, "big", signed=True)


def unscaled_text(number: int) -> str:
    """Return the same in base64."""
    return base64.b64encode(unscaled_bytes(number)).decode()


def row_schema(scale: int = 2, unit: str = "microseconds") -> dict[str, Any]:
    """Return the schema of a row, as Kafka Connect's JSON converter writes it."""

    def field(column: str, of_type: str, **more: object) -> dict[str, Any]:
        return {"type": of_type, "optional": True, "field": column, **more}

    return {
        "type": "struct",
        "optional": True,
        "name": "bank.public.bookings.Value",
        "fields": [
            field("id", "int64"),
            field("account", "int64"),
            field("booked_at", "int64", name=UNITS[unit][0], version=1),
            field("amount", "bytes", name=DECIMAL, version=1, parameters={"scale": str(scale)}),
            *(field(name, "string") for name in ("currency", "payee", "channel")),
            field("reverses", "int64"),
        ],
    }


def change_event(
    after: Mapping[str, Any] | None, op: str = "c", before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a change event of Debezium."""
    source = {"connector": "postgresql", "db": "bank", "table": "bookings", "lsn": 24023128}
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": 1767603600123}


def change_schema(scale: int = 2, unit: str = "microseconds") -> dict[str, Any]:
    """Return the schema of a change event."""
    row = row_schema(scale, unit)
    return {
        "type": "struct",
        "name": "bank.public.bookings.Envelope",
        "fields": [row | {"field": "before"}, row | {"field": "after"}],
    }


def debezium(
    booking: Booking, *, has_schema: bool, scale: int = 2, unit: str = "microseconds"
) -> bytes:
    """Return the change event of a row that was inserted."""
    event = change_event(booking.row(scale, unit))
    schema = {"schema": change_schema(scale, unit)} if has_schema else {}
    return json.dumps({**schema, "payload": event} if has_schema else event).encode()


def connect(booking: Booking, scale: int = 2, unit: str = "microseconds") -> bytes:
    """Return a row as Kafka Connect's JSON converter writes it, with its schema."""
    schema = row_schema(scale, unit)
    return json.dumps({"schema": schema, "payload": booking.row(scale, unit)}).encode()


def map_text(envelope: str, scale: int = 2, unit: str = "microseconds", more: str = "") -> str:
    """Return the map of such records; keys are not looked at unless `more` says so."""
    prefix = "after." if envelope == "debezium" else ""
    key = "" if "key =" in more else 'key = "unchecked"\n'
    topic = f'[topic]\nenvelope = "{envelope}"\n{key}{more}'
    types = TYPES.format(prefix, scale, unit)
    return f"{topic}{types}{COLUMNS.format(prefix)}"
