"""The made rows that a drill sends, those that close every day at its end, and poison."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Final

from monitor.population import Population
from monitor.population.rows import Row, rows_of
from streams.feed.reader import Batch
from streams.kafka.partitioner import dealer
from streams.kafka.producer import Outgoing

DRILL_ACCOUNTS: Final = 5000
DRILL_DAYS: Final = 3660
"""A stream of some millions of transactions, of which as many are sent as it takes."""

CLOSING_DAYS: Final = 30
"""So many days after the last one, last records on each partition close every day."""

CLOSING_ACCOUNTS: Final = 2


def drill_rows(seed: int) -> Iterator[Row]:
    """Yield rows of a made population, of ten years."""
    days = rows_of(Population(DRILL_ACCOUNTS, DRILL_DAYS, seed))
    return chain.from_iterable(rows for _, rows in days)


def batch_of(rows: Sequence[tuple[str | None, ...]]) -> Batch:
    """Return rows as a batch of a feed."""
    return Batch(Path("drill"), rows, range(1, len(rows) + 1), [], 0)


def closing_batch(rows: Sequence[Row], partitions: int) -> Batch:
    """Return rows for each partition, so late that they close every day before them.

    They are of two accounts: one account alone closes no days of others.
    """
    day = date.fromordinal(date.fromisoformat(rows[-1][2][:10]).toordinal() + CLOSING_DAYS)
    deal = dealer(partitions)
    accounts: dict[int, list[str]] = {partition: [] for partition in range(partitions)}
    number = 0
    while any(len(names) < CLOSING_ACCOUNTS for names in accounts.values()):
        name = f"closing-{number}"
        if len(accounts[deal(name)]) < CLOSING_ACCOUNTS:
            accounts[deal(name)].append(name)
        number += 1
    closing = [
        (f"X{partition}", account, f"{day}T00:00:00Z", "0.01", "EUR", "credit", *[None] * 6)
        for partition, names in accounts.items()
        for account in names
    ]
    return batch_of(closing)


def poison_records() -> Iterator[Outgoing]:
    """Yield records of which a reader could make an error, a loop, or too much of."""
    good = (
        b'{"transaction_id": "%b", "account_id": "poison", "booked_at": "%b", "amount": %b,'
        b' "currency": "%b", "direction": "debit"}'
    )
    fields = b"P", b"2026-01-05T10:00:00Z", b'"1.00"', b"EUR"
    fine = good % fields
    values: list[bytes | None] = [
        None,
        b"",
        b"\x00",
        b"null",
        b"[]",
        b"{",
        b"{}",
        fine[:-1],
        fine + fine,
        fine[1:],
        b"\xff\xfe" + fine,
        b"\x1f\x8b\x08" + bytes(64),
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'"' + b"x" * 800_000 + b'"',
        fine.replace(b'"P"', b'"\xc3\x28"'),
        good % (b"", *fields[1:]),
        good % (b"P" * 5000, *fields[1:]),
        good % (fields[0], b"2999-01-01T00:00:00Z", *fields[2:]),
        good % (fields[0], b"yesterday", *fields[2:]),
        *(
            good % (*fields[:2], number, fields[3])
            for number in (b"NaN", b"1e999999999", b'"1,5"', b"9" * 5000, b'"-1.00"', b'"1.001"')
        ),
        good % (*fields[:3], b"XXX"),
    ]
    for value in values:
        yield Outgoing(b"poison", value)
    yield Outgoing(b"another account", fine)
