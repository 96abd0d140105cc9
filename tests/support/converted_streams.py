"""Streams in several currencies, rates of some days, and limits on the sum of all in one."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from monitor.core.transaction import Transaction
from tests.support.gauged_streams import HEAD, any_items

CURRENCIES: Final = ("EUR", "USD", "JPY", "KWD", "CHF")
_FROM: Final = date(2025, 12, 20)
_USUAL: Final = {"USD": 1.08, "JPY": 160.0, "KWD": 0.33}


def any_rates(rng: random.Random, most: str = "5d", days: int = 70) -> str:
    """Return a [rates] table in euros: some days have none, some rates are N/A, no franc has any.

    A day has its rates with the same chance whatever the others; so gaps longer than `most` are.
    """
    rows = []
    share = rng.choice([0.2, 0.7, 1.0])
    for number in reversed(range(days)):
        if rng.random() < share:
            cells = [
                f"{usual * rng.uniform(0.8, 1.2):.{rng.randint(1, 6)}f}"
                if rng.random() < 0.9
                else "N/A"
                for usual in _USUAL.values()
            ]
            rows.append(f"{_FROM + timedelta(number)},{','.join(cells)},")
    rows = rows or [f"{_FROM},1.1,160,0.3,"]
    csv = "\n".join([f"Date,{','.join(_USUAL)},", *rows])
    return f'[rates]\nbase = "EUR"\nat_most_old = "{most}"\ncsv = """\n{csv}\n"""\n'


def any_converting_limit(rng: random.Random, limit_id: str) -> str:
    """Return the table of a limit on the amounts of all currencies."""
    lines = [f'id = "{limit_id}"', 'measure = "amount"', 'currency = "*"', 'base = "EUR"']
    if rng.random() < 0.5:
        lines.append(f'window = "{rng.choice(["1h", "24h", "48h", "7d"])}"')
    else:
        lines.append(f'period = "{rng.choice(["day", "week", "month"])}"')
    if rng.random() < 0.5:
        lines.append(f'direction = "{rng.choice(["debit", "credit", "both"])}"')
    if rng.random() < 0.3:
        lines.append(f'per = "{rng.choice(["counterparty", "institution"])}"')
    if rng.random() < 0.3:
        lines.append('where = { channel = ["atm", "card"] }')
    if rng.random() < 0.3:
        tiers = ", ".join(
            f'{{ above = "{above}.00", severity = "{severity}" }}'
            for above, severity in ((rng.randint(1, 20), "low"), (rng.randint(21, 90), "high"))
        )
        lines.append(f"tiers = [{tiers}]")
    else:
        lines.append(f'above = "{rng.randint(0, 60)}.{rng.choice(["00", "37"])}"')
    return "\n".join(["[[limit]]", *lines])


def converting_policy(rng: random.Random, rates: str, lateness: int, version: int = 1) -> str:
    """Return a policy with up to three such limits, each of another period or filter."""
    head = HEAD.format(
        version=version,
        zone=rng.choice(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
        cut_off=rng.choice(["00:00", "03:00"]),
        lateness=lateness,
    )
    found: dict[str, str] = {}
    for number in range(rng.randint(1, 3)):
        limit = any_converting_limit(rng, f"g{number}")
        found[_measured(limit)] = limit
    return "\n".join([head, rates, *found.values()])


def _measured(limit: str) -> str:
    skipped = ("id =", "tiers =", "above =", 'direction = "both"', 'period = "day"')
    return "\n".join(line for line in limit.split("\n") if not line.startswith(skipped))


def items_of_currencies(
    rng: random.Random, count: int, spans: Sequence[int] = (3, 12, 40)
) -> list[Transaction]:
    """Return transactions as `any_items`, each account in two currencies."""
    chosen: dict[tuple[str, str], str] = {}
    return [
        item._replace(
            currency=chosen.setdefault((item.account_id, item.currency), rng.choice(CURRENCIES))
        )
        for item in any_items(rng, count, spans)
    ]
