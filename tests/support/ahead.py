"""Transactions by days, under a policy that states no leap."""

from monitor.core.transaction import Transaction
from tests.support.transactions import POLICY, transaction

DAY = 24
CAUTIOUS = POLICY.replace('leap = "3660d"\n', "")
"""The leap and the lead of a policy that states none: three days, and the lateness of two."""


def at(name: str, days: float, account: str = "A1", amount: str = "1.00") -> Transaction:
    """Return a transaction so many days after Monday the 5th, nine o'clock."""
    return transaction(name, hours=DAY * days, account_id=account, amount=amount)


def days_of_three(days: int, name: str = "T") -> list[Transaction]:
    """Return a transaction a day of three accounts, each over its limit."""
    return [
        at(f"{name}{day}-{n}", day + n / 100, f"B{n}", "600.00")
        for day in range(days)
        for n in range(3)
    ]
