"""Bytes to values and back: the wire form, and nothing of what it means.

Any bytes become a transaction or a rejection; nothing here raises for what a record holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Protocol

import msgspec

from monitor.core.account import ClosedDay
from monitor.core.alert import Alert
from monitor.core.business_day import event_time_text
from monitor.core.transaction import (
    FIELDS,
    Fields,
    Heartbeat,
    Reason,
    Rejection,
    Transaction,
    heartbeat_of,
    transaction_of,
)
from monitor.dispositions.disposition import Disposed
from monitor.systemic.alert import SystemicAlert
from monitor.systemic.record import SegmentRecord, segment_record_of
from streams.wire.bounded import bounded_bytes

TIMESTAMP_UNIT: Final = 1_000
"""Microseconds of event time in a millisecond of a Kafka timestamp."""


FAULT: Final = "weir_fault"
"""A record with this field was a row that its sender found to be none, for what the field says."""

FAULT_LENGTH_MAX: Final = 256
"""Characters of it that a rejection repeats."""

ORIGINAL_BYTES_MAX: Final = 64 << 10
"""Of a rejected record, and of its key, that the rejection carries. Escaped as JSON each byte may
be six; two of them fit a record all the same."""

KEY_BYTES_MAX: Final = 1024
"""Of the key of a rejection's own record: four bytes for each character of the longest id."""

DETAIL_LENGTH_MAX: Final = 4000
"""Characters of the detail of a rejection."""


class Record(Protocol):
    """What Weir reads of a Kafka record; aiokafka's ConsumerRecord is one."""

    @property
    def offset(self) -> int:
        """Its place in its partition."""

    @property
    def timestamp(self) -> int:
        """When it was written, in milliseconds since 1970."""

    @property
    def key(self) -> bytes | None:
        """The account, as it was written."""

    @property
    def value(self) -> bytes | None:
        """The transaction, as it was written."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """What stands beside it."""


HEARTBEAT: Final = b"weir_heartbeat"
"""A record with this field, a text that says who sent it, and without a transaction is one."""

HEARTBEAT_BYTES_MAX: Final = 512
"""A longer record is none: so nobody has to look into it."""


class _Wire(msgspec.Struct, gc=False):
    """A transaction as it is written; the amount stays the text that it was written in."""

    transaction_id: str | None = None
    account_id: str | None = None
    booked_at: str | None = None
    amount: msgspec.Raw = msgspec.Raw(b"")
    currency: str | None = None
    direction: str | None = None
    counterparty_id: str | None = None
    counterparty_institution: str | None = None
    channel: str | None = None
    segment: str | None = None
    branch: str | None = None
    reverses: str | None = None
    weir_fault: str | None = None
    weir_heartbeat: msgspec.Raw = msgspec.Raw(b"")  # of transactions it may be anything


_decode: Final = msgspec.json.Decoder(_Wire).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
_decode_any: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def decode_run(records: Iterable[Record]) -> list[Transaction | Rejection]:
    """Return what each record is by itself: a transaction, or why it is none."""
    items: list[Transaction | Rejection] = []
    append = items.append
    for record in records:
        item = decode(record.value)
        if isinstance(item, Transaction) and record.key != item.account_id.encode():
            item = _wrong_key(record.key, item.account_id)
        append(item)
    return items


def written_at(records: Iterable[Record]) -> list[int]:
    """Return when records were written, in microseconds since 1970."""
    return [record.timestamp * TIMESTAMP_UNIT for record in records]


def decode(value: bytes | None) -> Transaction | Rejection:
    """Return the transaction that the bytes of a record name, or why they name none."""
    if value is None:
        return Rejection(Reason.MALFORMED, "the record has no value")
    try:
        if not value.isascii():
            value.decode()  # all of it is UTF-8: names and values that nobody needs are not read
        wire = _decode(value)
        amount = str(wire.amount, "utf-8")
        if amount[:1] == '"':
            amount = amount[1:-1] if "\\" not in amount else _decode_text(amount)
        elif amount == "null":
            amount = ""
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejection(Reason.MALFORMED, str(error))
    except RecursionError:
        return Rejection(Reason.MALFORMED, "nested too deep")
    if wire.weir_fault:
        return Rejection(Reason.MALFORMED, wire.weir_fault[:FAULT_LENGTH_MAX])
    if (
        wire.weir_heartbeat
        and not (wire.transaction_id or wire.account_id)
        and may_be_heartbeat(value)
    ):
        return heartbeat_of(wire.booked_at or "")
    return transaction_of(
        (
            wire.transaction_id, wire.account_id, wire.booked_at, amount, wire.currency,
            wire.direction, wire.counterparty_id, wire.counterparty_institution, wire.channel,
            wire.segment, wire.branch, wire.reverses,
        )
    )  # fmt: skip


def may_be_heartbeat(value: bytes) -> bool:
    """Return whether a record may be a heartbeat: no other one is, whatever JSON makes of it."""
    return len(value) <= HEARTBEAT_BYTES_MAX and HEARTBEAT in value


def is_heartbeat(value: bytes) -> bool:
    """Return whether a record is a heartbeat."""
    return may_be_heartbeat(value) and isinstance(decode(value), Heartbeat)


def heartbeat_bytes(sender: str, event_time: int) -> bytes:
    """Return the record by which somebody says that all up to a time was sent."""
    fields = {HEARTBEAT.decode(): sender[:40], "booked_at": event_time_text(event_time)}
    return _encode(fields)


def _wrong_key(key: bytes | None, account_id: str) -> Rejection:
    said = "no key" if key is None else f"the key {key[:40]!r}"
    return Rejection(
        Reason.WRONG_KEY, f"the record has {said}, its account_id is {account_id[:40]!r}"
    )


def transaction_bytes(fields: Fields) -> bytes:
    """Return the record of a row's texts: the fields that it has, as JSON."""
    return _encode({name: text for name, text in zip(FIELDS, fields, strict=True) if text})


def faulty_bytes(named: Mapping[str, str | None], fault: str) -> bytes:
    """Return the record of a row's texts that is to be rejected, for a fault, as JSON."""
    return _encode({FAULT: fault, **{name: text for name, text in named.items() if text}})


def alert_bytes(alert: Alert | SystemicAlert) -> bytes:
    """Return an alert as JSON; see `bounded_bytes` for one that outgrows a record."""
    return bounded_bytes(alert.fields(), _encode)


def alert_record(alert: Alert | SystemicAlert) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Return an alert as JSON, as `alert_bytes` does, and its headers.

    These are its CloudEvents attributes (binary mode of the Kafka binding, 1.0).
    """
    fields = alert.fields()
    return bounded_bytes(fields, _encode), [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{alert.alert_id}:{alert.revision}".encode()),
        ("ce_source", b"/weir/monitor"),
        ("ce_type", f"weir.alert.{alert.status.value}.v1".encode()),
        ("ce_subject", alert.key.encode()),
        ("ce_time", str(fields["event_time"]).encode()),
        ("content-type", b"application/json"),
    ]


def closed_day_bytes(closed: ClosedDay) -> bytes:
    """Return a closed account-day as JSON; see `bounded_bytes` for one that outgrows a record."""
    return bounded_bytes(closed.fields(), _encode)


def disposition_bytes(disposed: Disposed) -> bytes:
    """Return a disposition as JSON."""
    return _encode(disposed.fields())


def segment_record_bytes(record: SegmentRecord) -> bytes:
    """Return what a partition tells of a segment on a day, as JSON."""
    return _encode(record.fields())


def plain(value: bytes) -> dict[str, Any]:
    """Return the fields of a record of ours, an alert's say."""
    fields: dict[str, Any] = _decode_any(value)
    return fields


def json_bytes(fields: Mapping[str, Any]) -> bytes:
    """Return plain fields as JSON, as a record has them."""
    return _encode(fields)


def segment_record(value: bytes) -> SegmentRecord:
    """Return what a record of the segment-days tells."""
    return segment_record_of(plain(value))


def rejection_bytes_for(written: bytes, rejection: Rejection) -> bytes:
    """Return a written rejection with another reason and detail, and all else as it was."""
    fields = plain(written)
    return _encode(fields | {"reason": rejection.reason.value, "detail": rejection.detail})


def rejection_bytes(
    rejection: Rejection, where: dict[str, object], key: bytes | None, value: bytes | None
) -> bytes:
    """Return a rejection as JSON: the reason, where the record stands, and its original bytes.

    `record` has the first ORIGINAL_BYTES_MAX bytes as text if all of them are UTF-8 (less the rest
    of a character that the cut goes through), else `record_base64` has them; `record_bytes` and
    `record_sha256` are of all bytes. The key likewise.
    """
    fields: dict[str, object] = {
        "reason": rejection.reason.value,
        "detail": rejection.detail[:DETAIL_LENGTH_MAX],
        **where,
    }
    for name, original in (("key", key), ("record", value)):
        if original is None:
            fields |= {name: None, f"{name}_bytes": None, f"{name}_sha256": None}
            continue
        beginning = original[:ORIGINAL_BYTES_MAX]
        try:
            original.decode()
            fields[name] = beginning.decode(errors="ignore")
        except UnicodeDecodeError:
            fields[f"{name}_base64"] = beginning  # msgspec writes bytes as base64
        fields[f"{name}_bytes"] = len(original)
        fields[f"{name}_sha256"] = sha256(original).hexdigest()
    return _encode(fields)


def rejection_key(key: bytes | None) -> bytes | None:
    """Return the key of a rejection's record: the original's, or the beginning of a long one."""
    return None if key is None else key[:KEY_BYTES_MAX]
