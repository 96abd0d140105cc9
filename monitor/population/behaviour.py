"""The eight types of account behaviour, and the accounts that are drawn from them."""

from datetime import date
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from monitor.population.movements import USUAL, Movements, minor_amounts, seconds_of_day

TYPES: Final = (
    "student", "salaried", "pensioner", "affluent", "saver", "merchant", "sme", "corporate",
)  # fmt: skip
SEGMENTS: Final = (
    "student", "current", "current", "current", "savings", "business", "business", "business",
)  # fmt: skip
"""What the bank knows of each type: its product."""

CHANNELS: Final = ("card", "mobile", "web", "branch", "atm", "api")
BRANCHES: Final = 20
INSTITUTIONS: Final = 40
INSTITUTIONS_USUAL: Final = 37
"""Institutions that accounts pay by habit; the last few are met in incidents only."""

FAVOURITES: Final = 6

_SHARE: Final = np.array([0.15, 0.35, 0.15, 0.06, 0.15, 0.08, 0.05, 0.01])
_DAILY_COUNT: Final = np.array([1.2, 2.0, 0.6, 2.2, 0.12, 8.0, 5.0, 15.0])
_AMOUNT_LOG_MEAN: Final = np.log(np.array([12, 30, 45, 180, 800, 25, 900, 6000.0]))
_AMOUNT_LOG_SD: Final = np.array([0.8, 1.0, 0.7, 1.2, 0.9, 0.6, 1.3, 1.4])

CREDIT_SHARE: Final = np.array([0.08, 0.10, 0.10, 0.12, 0.35, 0.85, 0.45, 0.45])
CHANNEL_SHARES: Final = np.array([
    [0.55, 0.35, 0.05, 0.00, 0.05, 0.00],
    [0.50, 0.30, 0.12, 0.01, 0.07, 0.00],
    [0.20, 0.02, 0.03, 0.35, 0.40, 0.00],
    [0.45, 0.25, 0.25, 0.03, 0.02, 0.00],
    [0.00, 0.25, 0.45, 0.28, 0.02, 0.00],
    [0.80, 0.02, 0.10, 0.03, 0.00, 0.05],
    [0.05, 0.05, 0.70, 0.10, 0.00, 0.10],
    [0.00, 0.00, 0.25, 0.02, 0.00, 0.73],
])  # fmt: skip
HOUR_MEAN: Final = np.array([17, 14.5, 10.5, 15, 13, 14, 12, 11.0])
HOUR_SD: Final = np.array([4, 4, 2.0, 4, 3.5, 3.0, 2.5, 2.0])
WEEKDAY_FACTOR: Final = np.array([
    [1, 1, 1, 1, 1.2, 1.3, 1],
    [1, 1, 1, 1, 1.2, 1.3, 0.9],
    [1.1, 1.1, 1, 1, 1.1, 0.6, 0.3],
    [1, 1, 1, 1, 1.1, 1.2, 0.9],
    [1.2, 1, 1, 1, 1, 0.5, 0.4],
    [1, 1, 1, 1.1, 1.3, 1.4, 0.8],
    [1.2, 1.2, 1.1, 1.1, 1, 0.15, 0.08],
    [1.2, 1.2, 1.1, 1.1, 1, 0.1, 0.05],
])  # fmt: skip
"""By type and weekday (0 is Monday)."""

PAID_MONTHLY: Final = np.array([True, True, False, True, False, False, False, False])
FAVOURITE_SHARES: Final = np.array([0.4, 0.22, 0.14, 0.1, 0.08, 0.06])


class Accounts(NamedTuple):
    """The accounts of a population, by number: what each is like for the whole run.

    `daily_count` is the mean of an ordinary day; amounts are log-scaled, in major units;
    `favourites` has the institution of each favourite counterparty (accounts x 6).
    """

    type: Ints
    daily_count: Floats
    amount_log_mean: Floats
    amount_log_sd: Floats
    branch: Ints
    favourites: Ints


def draw_accounts(rng: np.random.Generator, count: int) -> Accounts:
    """Draw accounts of the eight types, each a little of its own."""
    type_ = rng.choice(len(TYPES), count, p=_SHARE)
    return Accounts(
        type=type_,
        daily_count=_DAILY_COUNT[type_] * rng.gamma(4, 1 / 4, count),
        amount_log_mean=_AMOUNT_LOG_MEAN[type_] + rng.normal(0, 0.45, count),
        amount_log_sd=_AMOUNT_LOG_SD[type_] * rng.uniform(0.75, 1.25, count),
        branch=rng.integers(0, BRANCHES, count),
        favourites=rng.integers(0, INSTITUTIONS_USUAL, (count, FAVOURITES)),
    )


PAY_DAYS: Final = frozenset({1, 2, 25, 26})
PAY_DAY_FACTOR: Final = 1.4
MONTH_END_FACTOR: Final = 1.6
"""Business accounts settle in the last three days of a month."""

NEW_COUNTERPARTY_SHARE: Final = 0.06
NEW_COUNTERPARTIES_FROM: Final = 1_000_000_000

SPREAD_BENDS_AT: Final = 5.0
"""Standard deviations from which the tail of an amount grows as its logarithm only."""

_FIRST_BUSINESS_TYPE: Final = 5
_MONTH_END_DAYS: Final = 3
_CHANNEL_COUNT: Final = CHANNEL_SHARES.shape[1]
_CHANNEL_LIMITS: Final = (
    np.minimum(CHANNEL_SHARES.cumsum(axis=1), 1) + np.arange(CHANNEL_SHARES.shape[0])[:, None]
).ravel()


def usual_movements(
    rng: np.random.Generator, accounts: Accounts, day: date, growth: float
) -> Movements:
    """Draw an ordinary day: over-dispersed counts, heavy-tailed amounts, habits, the calendar.

    `growth` is the natural logarithm of what amounts have been multiplied by since the first day.
    """
    counts = rng.poisson(_expected(rng, accounts, day))
    account = np.repeat(np.arange(counts.size), counts)
    total = account.size
    type_ = accounts.type[account]
    spread = _bent(rng.standard_t(5, total) * np.sqrt(3 / 5))
    amounts = np.exp(
        accounts.amount_log_mean[account] + accounts.amount_log_sd[account] * spread + growth
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
