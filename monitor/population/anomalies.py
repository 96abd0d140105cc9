"""Labelled anomalies of single accounts, of six kinds."""

from collections.abc import Callable
from typing import Final

import numpy as np

from models.arrays import Floats
from monitor.population.behaviour import CHANNEL_SHARES, INSTITUTIONS_USUAL, Accounts
from monitor.population.movements import Movements, minor_amounts, seconds_of_day

KINDS: Final = ("spike", "burst", "take-over", "mule", "structuring", "re-activation")
"""Label n stands for KINDS[n - 1]."""

COUNTERPARTIES_FROM: Final = 3_000_000_000
DORMANT_DAILY_COUNT: Final = 0.25

_MOBILE, _WEB, _BRANCH = 1, 2, 3

Drawn = tuple[Floats, Floats, list[int], int | None]
"""Hours, amounts in major units, 1 for each credit, and the channel (None: one of its own)."""


def anomalous_movements(
    rng: np.random.Generator, accounts: Accounts, share: float
) -> list[Movements]:
    """Draw the anomalies of one day: `share` is their mean number an account."""
    count = int(rng.poisson(share * accounts.type.size))
    dormant = np.flatnonzero(accounts.daily_count < DORMANT_DAILY_COUNT)
    movements = []
    for _ in range(count):
        label = int(rng.integers(1, len(KINDS) + 1))
        account = int(rng.integers(0, accounts.type.size))
        if KINDS[label - 1] == "re-activation":
            if not dormant.size:
                continue
            account = int(rng.choice(dormant))
        movements.append(_anomaly(rng, accounts, account, label))
    return movements


def _anomaly(rng: np.random.Generator, accounts: Accounts, account: int, label: int) -> Movements:
    hours, amounts, credits_, channel = _DRAW[KINDS[label - 1]](rng, accounts, account)
    if channel is None:
        shares = CHANNEL_SHARES[accounts.type[account]]
        channel = int(rng.choice(shares.size, p=shares / shares.sum()))
    count = hours.size
    counterparty = COUNTERPARTIES_FROM + int(rng.integers(0, 1 << 30))
    return Movements(
        account=np.full(count, account),
        second=seconds_of_day(hours),
        amount=minor_amounts(amounts),
        is_credit=np.array(credits_, dtype=np.int64),
        channel=np.full(count, channel),
        institution=np.full(count, int(rng.integers(0, INSTITUTIONS_USUAL))),
        counterparty=counterparty + np.arange(count) % 3,
        label=np.full(count, label),
    )


def _typical(accounts: Accounts, account: int) -> float:
    return float(np.exp(accounts.amount_log_mean[account] + 0.5 * accounts.amount_log_sd[account]))


def _spike(rng: np.random.Generator, accounts: Accounts, account: int) -> Drawn:
    above = accounts.amount_log_sd[account] * rng.uniform(3.5, 6, 1)
    return rng.uniform(9, 18, 1), np.exp(accounts.amount_log_mean[account] + above), [0], None


def _burst(rng: np.random.Generator, accounts: Accounts, account: int) -> Drawn:
    count = int(8 + 2.5 * accounts.daily_count[account] + rng.integers(0, 10))
    hours = rng.uniform(10, 20) + rng.uniform(0, 1, count)
    return hours, _typical(accounts, account) * rng.uniform(0.2, 1.2, count), [0] * count, None


def _take_over(rng: np.random.Generator, accounts: Accounts, account: int) -> Drawn:
    count = int(rng.integers(2, 6))
    hours = rng.uniform(0, 4.5) + rng.uniform(0, 0.5, count)
    return hours, _typical(accounts, account) * rng.uniform(2, 6, count), [0] * count, _WEB


def _mule(rng: np.random.Generator, accounts: Accounts, account: int) -> Drawn:
    factor = max(8.0, 2 * float(accounts.daily_count[account])) * rng.uniform(1, 3)
    amount = _typical(accounts, account) * factor
    hours = np.array([9.0, 9.5, 10.2]) + rng.uniform(0, 6)
    return hours, amount * np.array([1.0, 0.55, 0.42]), [1, 0, 0], _MOBILE


def _structuring(rng: np.random.Generator, accounts: Accounts, account: int) -> Drawn:
    del accounts, account  # just under a round sum, whoever it is
    count = int(rng.integers(3, 6))
    return rng.uniform(9, 17, count), rng.uniform(9000, 9990, count), [1] * count, _BRANCH


def _re_activation(rng: np.random.Generator, accounts: Accounts, account: int) -> Drawn:
    count = int(rng.integers(3, 8))
    amounts = _typical(accounts, account) * rng.uniform(0.5, 2, count)
    return rng.uniform(8, 20, count), amounts, [0] * count, _MOBILE


_DRAW: Final[dict[str, Callable[[np.random.Generator, Accounts, int], Drawn]]] = {
    "spike": _spike,
    "burst": _burst,
    "take-over": _take_over,
    "mule": _mule,
    "structuring": _structuring,
    "re-activation": _re_activation,
}
