"""Made transactions of some accounts over weeks, long enough for the outlier models to warm up."""

import random
from collections.abc import Iterator

from monitor.core.transaction import Transaction
from tests.support.transactions import transaction

ACCOUNTS = 60
DAYS = 24
CHANNELS = ("card", "mobile", "web", "branch", "atm", "api", "wire")

POLICY = """
version = 1
[calendar]
time_zone = "UTC"
[[limit]]
id = "daily-amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "1500.00"
[[limit]]
id = "daily-count"
measure = "count"
above = 9
"""
BUDGET = """
[budget]
alerts_per_day = 4
one_in_at_least = 1
warm_up_days = 12
severity = "high"
"""


def made_spending(seed: int, days: int = DAYS, accounts: int = ACCOUNTS) -> list[Transaction]:
    """Return transactions in the order of their arrival, with everything in them.

    Late ones within the lateness and past it, duplicates, reversals, credits, three currencies,
    breaches of both limits, great amounts and days of many.
    """
    rng = random.Random(seed)  # noqa: S311 - made transactions are no secret
    arrivals = sorted(
        arrival
        for account in range(accounts)
        for arrival in _of_account(rng, f"A{account}", days)
    )  # fmt: skip
    items = []
    for _, item in arrivals:
        items.append(item)
        if rng.random() < 0.01:
            items.append(item)  # sent twice
        elif rng.random() < 0.01 and item.reverses is None:
            items.append(item._replace(transaction_id=f"R{item.transaction_id}",
                                       reverses=item.transaction_id))  # fmt: skip
    return items


def _of_account(
    rng: random.Random, account_id: str, days: int
) -> Iterator[tuple[float, Transaction]]:
    """Yield an account's transactions, each after the hour at which it comes."""
    level, rate = rng.gauss(3.5, 1), rng.gammavariate(3, 0.8)
    hour, channel = rng.randrange(6, 22), rng.choice(CHANNELS)
    segment = rng.choice(["retail", "business"])
    for day in range(days):
        count = sum(rng.random() < rate / 12 for _ in range(12)) + 14 * (rng.random() < 0.01)
        for number in range(count):
            hours = 24 * day + min(max(rng.gauss(hour, 3), 0), 23.9) - 9  # Monday began at nine
            late = rng.choice([20, 30, 90]) if rng.random() < 0.02 else 0
            amount = rng.lognormvariate(level, 0.6) * (40 if rng.random() < 0.01 else 1)
            currency = rng.choices(["EUR", "USD", "JPY"], [95, 4, 1])[0]
            fields = {
                "account_id": account_id, "currency": currency,
                "amount": f"{amount:.{0 if currency == 'JPY' else 2}f}",
                "direction": "credit" if rng.random() < 0.2 else "debit",
                "channel": rng.choice(CHANNELS) if rng.random() < 0.1 else channel,
            }  # fmt: skip
            if rng.random() < 0.8:
                name = rng.randrange(10**6) if rng.random() < 0.1 else rng.randrange(4)
                fields["counterparty_id"] = f"C{account_id}-{name}"
            if rng.random() < 0.3:
                fields["segment"] = segment
            made = transaction(f"T{account_id}-{day}-{number}", hours=hours, **fields)
            yield hours + late, made
