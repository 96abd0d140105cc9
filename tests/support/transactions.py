"""Made transactions for tests: short to write, and whole."""

from datetime import UTC, datetime, timedelta

from monitor.core.transaction import FIELDS, Rejection, Transaction, transaction_of
from monitor.engine.engine import Engine, Step
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook

MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

POLICY = """
version = 1
[calendar]
time_zone = "UTC"
leap = "3660d"
[[limit]]
id = "daily-amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "500.00"
[[limit]]
id = "daily-count"
measure = "count"
above = 3
"""


def book(text: str = POLICY) -> PolicyBook:
    return PolicyBook([policy_of(text)])


def row(transaction_id: str, *, hours: float = 0, **fields: str) -> tuple[str | None, ...]:
    """Return the fields of a transaction, `hours` after Monday the 5th, nine o'clock."""
    booked_at = (MONDAY + timedelta(hours=hours)).isoformat()
    values = {
        "transaction_id": transaction_id, "account_id": "A1", "booked_at": booked_at,
        "amount": "100.00", "currency": "EUR", "direction": "debit",
    } | fields  # fmt: skip
    return tuple(values.get(name) for name in FIELDS)


def transaction(transaction_id: str, *, hours: float = 0, **fields: str) -> Transaction:
    item = transaction_of(row(transaction_id, hours=hours, **fields))
    assert isinstance(item, Transaction), item
    return item


def observed(engine: Engine, *items: Transaction | Rejection) -> Step:
    """Let an engine observe items at its next offsets, and return what came of it."""
    first = engine.ledger.offset_last + 1
    engine.observe(range(first, first + len(items)), items)
    return engine.take_step()
