"""The terms that weights are learned of, beside a score."""

from typing import Final

TERMS: Final = (
    "amount_z",
    "counterparty_z",
    "level",
    "hour",
    "velocity",
    "sum_z",
    "count_z",
    "count",
)
"""Beside features of the profile: the amount given its counterparty, the logarithm of the amount
whoever pays it, and that of the number of the day's transactions so far."""

TERM_MAX: Final = 4.0
"""Standard deviations at which terms are clipped."""
