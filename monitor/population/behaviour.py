"""The eight types of account behaviour, and the accounts that are drawn from them."""

from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats, Ints

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
