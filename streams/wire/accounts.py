"""An account's record: bytes to values and back. Any bytes become an account or a rejection."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from monitor.core.attributes import ACCOUNT_FIELDS, AccountRecord, Attributes, account_record_of
from monitor.core.business_day import day_text
from monitor.core.transaction import Reason, Rejection
from streams.wire.codec import FAULT

Change = tuple[str, Attributes | None]
"""An account, and what decides of its attributes now: None if it is forgotten."""


class _Wire(msgspec.Struct, gc=False):
    """An account as it is written."""

    account_id: str | None = None
    segment: str | None = None
    branch: str | None = None
    product: str | None = None
    opened: str | None = None
    attributes: dict[str, str | None] | None = None


_Parsed = TypeVar("_Parsed")

_decode: Final = msgspec.json.Decoder(_Wire).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, Any]).decode
_encode: Final = msgspec.json.Encoder().encode


def decode_account(value: bytes) -> AccountRecord | Rejection:
    """Return the account that the bytes of a record name, or why they name none.

    Fields that are not known do not matter.
    """
    wire = _parsed(_decode, value)
    if isinstance(wire, Rejection):
        return wire
    further = {name: text for name, text in (wire.attributes or {}).items() if text}
    fields = (wire.account_id, wire.segment, wire.branch, wire.product, wire.opened)
    return account_record_of(fields, further)


def decode_account_line(value: bytes) -> AccountRecord | Rejection:
    """Return the account that a line of a file names; fields not known become free attributes.

    What is no text there, as a number, is taken as the JSON that it is written in.
    """
    line = _parsed(_decode_object, value)
    if isinstance(line, Rejection):
        return line
    if isinstance(fault := line.get(FAULT), str):
        return Rejection(Reason.MALFORMED, fault)
    own = {name: line.pop(name) for name in (*ACCOUNT_FIELDS, "attributes") if name in line}
    stated = own.get("attributes") or {}
    if isinstance(stated, dict):
        others = {
            name: stated_value if isinstance(stated_value, str) else _text(stated_value)
            for name, stated_value in line.items()
        }
        own["attributes"] = {**others, **stated}
    return decode_account(_encode(own))


def _parsed(decode: Callable[[bytes], _Parsed], value: bytes) -> _Parsed | Rejection:
    try:
        value.decode()  # all of it is UTF-8: names and values that nobody needs are not read
        return decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejection(Reason.MALFORMED, str(error))
    except RecursionError:
        return Rejection(Reason.MALFORMED, "nested too deep")


def _text(value: object) -> str | None:
    return None if value is None else _encode(value).decode()


def account_record_bytes(record: AccountRecord) -> bytes:
    """Return an account's record as JSON: what it states, and no more."""
    segment, branch, product = record.attributes
    fields = {
        "account_id": record.account_id,
        "segment": segment,
        "branch": branch,
        "product": product,
        "opened": None if record.opened is None else day_text(record.opened),
        "attributes": dict(record.further),
    }
    return _encode({name: value for name, value in fields.items() if value})


def change_of(key: bytes | None, value: bytes | None) -> tuple[Change | None, Rejection | None]:
    """Return what a record of the accounts topic changes, and why it is rejected if it is.

    What is under its key is the last that was said of that account, and after compaction all: so
    a record that cannot be used forgets what was there before, whether that is compacted or not.
    """
    try:
        account_id = None if key is None else key.decode()
    except UnicodeDecodeError:
        account_id = None
    if account_id is None:
        said = "no key" if key is None else f"the key {key[:40]!r}"
        return None, Rejection(Reason.WRONG_KEY, f"the record has {said}: it is the account_id")
    if value is None:
        return (account_id, None), None
    record = decode_account(value)
    if isinstance(record, AccountRecord) and record.account_id != account_id:
        record = Rejection(
            Reason.WRONG_KEY,
            f"the record has the key {account_id[:40]!r}, its account_id is"
            f" {record.account_id[:40]!r}",
        )
    if isinstance(record, Rejection):
        return (account_id, None), record
    return (account_id, record.attributes), None
