"""What accounts do on an ordinary day."""

from datetime import date
from typing import Final

import numpy as np

from models.arrays import Floats, Ints
from monitor.population.behaviour import (
    CHANNEL_SHARES,
    CREDIT_SHARE,
    FAVOURITE_SHARES,
    FAVOURITES,
    HOUR_MEAN,
    HOUR_SD,
    INSTITUTIONS_USUAL,
    PAID_MONTHLY,
    WEEKDAY_FACTOR,
    Accounts,
)
from monitor.population.movements import USUAL, Movements, minor_amounts, seconds_of_day

PAY_DAYS: Final = frozenset({1, 2, 25, 26})
PAY_DAY_FACTOR: Final = 1.4
MONTH_END_FACTOR: Final = 1.6
"""Business accounts settle in the last three days of a month."""

NEW_COUNTERPARTY_SHARE: Final = 0.06
NEW_COUNTERPARTIES_FROM: Final = 1_000_000_000
GROWTH_A_DAY: Final = 0.001

SPREAD_BENDS_AT: Final = 5.0
"""Standard deviations from which the tail of an amount grows as its logarithm only."""

_FIRST_BUSINESS_TYPE: Final = 5
_MONTH_END_DAYS: Final = 3
_CHANNEL_COUNT: Final = CHANNEL_SHARES.shape[1]
_CHANNEL_LIMITS: Final = (
    np.minimum(CHANNEL_SHARES.cumsum(axis=1), 1) + np.arange(CHANNEL_SHARES.shape[0])[:, None]
).ravel()


def usual_movements(
    rng: np.random.Generator, accounts: Accounts, day: date, number: int
) -> Movements:
    """Draw an ordinary day: over-dispersed counts, heavy-tailed amounts, habits, the calendar.

    `number` is the day's place in the run, from 0.
    """
    counts = rng.poisson(_expected(rng, accounts, day))
    account = np.repeat(np.arange(counts.size), counts)
    total = account.size
    type_ = accounts.type[account]
    spread = _bent(rng.standard_t(5, total) * np.sqrt(3 / 5))
    amounts = np.exp(
        accounts.amount_log_mean[account]
        + accounts.amount_log_sd[account] * spread
        + GROWTH_A_DAY * number
    )
    hours = (HOUR_MEAN[type_] + HOUR_SD[type_] * rng.normal(size=total)) % 24
    favourite = rng.choice(FAVOURITES, total, p=FAVOURITE_SHARES)
    is_new = rng.random(total) < NEW_COUNTERPARTY_SHARE
    elsewhere = rng.integers(0, INSTITUTIONS_USUAL, total)
    new_counterparty = NEW_COUNTERPARTIES_FROM + rng.integers(0, 1 << 30, total)
    return Movements(
        account=account,
        second=seconds_of_day(hours),
        amount=minor_amounts(amounts),
        is_credit=(rng.random(total) < CREDIT_SHARE[type_]).astype(np.int64),
        channel=draw_channels(rng, type_),
        institution=np.where(is_new, elsewhere, accounts.favourites[account, favourite]),
        counterparty=np.where(is_new, new_counterparty, account * FAVOURITES + favourite),
        label=np.full(total, USUAL),
    )


def draw_channels(rng: np.random.Generator, type_: Ints) -> Ints:
    """Draw the channel of each movement, by the type of its account."""
    # Type t has its limits between t and t + 1, so that one search serves all types.
    found = np.searchsorted(_CHANNEL_LIMITS, type_ + rng.random(type_.size), side="right")
    channels: Ints = np.minimum(found - type_ * _CHANNEL_COUNT, _CHANNEL_COUNT - 1)
    return channels


def _bent(spread: Floats) -> Floats:
    over = np.log(np.maximum(spread - (SPREAD_BENDS_AT - 1), 1))
    return np.where(spread > SPREAD_BENDS_AT, SPREAD_BENDS_AT + over, spread)


def _expected(rng: np.random.Generator, accounts: Accounts, day: date) -> Floats:
    expected: Floats = accounts.daily_count * WEEKDAY_FACTOR[accounts.type, day.weekday()]
    if day.day in PAY_DAYS:
        expected = np.where(PAID_MONTHLY[accounts.type], expected * PAY_DAY_FACTOR, expected)
    if date.fromordinal(day.toordinal() + _MONTH_END_DAYS).month != day.month:
        is_business = accounts.type >= _FIRST_BUSINESS_TYPE
        expected = np.where(is_business, expected * MONTH_END_FACTOR, expected)
    spread: Floats = rng.gamma(6, 1 / 6, expected.size)
    return expected * spread
