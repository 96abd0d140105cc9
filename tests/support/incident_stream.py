"""A small stream in which many accounts are over their limits at once, and some again and again."""

import random
from collections.abc import Sequence

from monitor.core.transaction import Fields
from tests.support.transactions import POLICY, row

INCIDENT_POLICY = POLICY + "[review]\n[budget]\nalerts_per_day = 5\nwarm_up_days = 5\n[systemic]\n"

MOVED_DAYS = (12, 13, 14, 19)
"""Days on which half of all accounts are over the limit."""

OFTEN = 6
"""Accounts that are over the limit on every day."""


def incident_rows(accounts: int = 120, days: int = 24, seed: int = 1) -> Sequence[Fields]:
    """Return rows in the order of their times; two segments, one transaction a day each."""
    rng = random.Random(seed)  # noqa: S311 - a made stream is no secret
    made = []
    for day in range(days):
        share = 0.5 if day in MOVED_DAYS else 0.03
        for account in range(accounts):
            is_over = rng.random() < share or account < OFTEN
            amount = "600.00" if is_over else f"{rng.randint(20, 120)}.00"
            made.append((24 * day + 10 * rng.random(), account, amount))
    return [
        row(
            f"T{number}", hours=hours, account_id=f"A{account}", amount=amount,
            segment="retail" if account % 2 else "student",
        )
        for number, (hours, account, amount) in enumerate(sorted(made))
    ]  # fmt: skip
