"""Records as a consumer hands them on, short to write."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from monitor.core.as_of import judged
from monitor.core.transaction import Rejection, Transaction
from streams.wire import codec
from tests.support.transactions import row

GOOD = {
    "transaction_id": "T1", "account_id": "A1", "booked_at": "2026-01-05T09:00:00Z",
    "amount": "12.30", "currency": "EUR", "direction": "debit",
}  # fmt: skip
GOOD_TIMESTAMP = 1_767_603_600_000
"""2026-01-05T09:00:00Z as Kafka has it, in milliseconds: what `GOOD` is booked at."""


class Record(NamedTuple):
    """What Weir reads of a Kafka record."""

    offset: int
    value: bytes | None
    key: bytes | None = b"A1"
    timestamp: int = GOOD_TIMESTAMP
    headers: tuple[tuple[str, bytes], ...] = ()


def record(
    offset: int, transaction_id: str, *, hours: float = 0, timestamp: int | None = None,
    **fields: str,
) -> Record:  # fmt: skip
    """Return a record of a made transaction, by default written when it was booked."""
    value = codec.transaction_bytes(row(transaction_id, hours=hours, **fields))
    written = GOOD_TIMESTAMP + int(hours * 3_600_000) if timestamp is None else timestamp
    return Record(offset, value, fields.get("account_id", "A1").encode(), written)


def decided(records: Sequence[Any], clock_skew: int) -> list[Transaction | Rejection]:
    """Return what records are to a worker whose policy has this clock skew (microseconds)."""
    return judged(codec.decode_run(records), codec.written_at(records), clock_skew)
