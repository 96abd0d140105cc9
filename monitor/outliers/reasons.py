"""Reasons for a strange account-day, in the account's own units, the strangest first."""

import math
from collections.abc import Iterable
from typing import Any, Final

from models.learner.columns import Due
from models.profile import baseline

REASONS_MAX: Final = 3
Record = Any
"""Of numpy: its fields have no static types."""

STRANGE: Final = 1.5
"""A surprise below (in standard deviations, or their like) is no reason."""


def reasons_of(due: Due, amount: float) -> list[str]:
    """Return the greatest surprises of an account-day, as sentences.

    `amount` is that of the transaction by which it is told. Amounts are in hundreds of minor units:
    in most currencies the amount itself.
    """
    account, group, features = due.account, due.group, due.features
    found = list(_of_day(account, group))
    if features is not None:
        found += _of_transaction(account, group, features, amount)
    found.sort(key=lambda reason: -reason[0])
    said = [text for surprise, text in found if surprise >= STRANGE][:REASONS_MAX]
    return said or [found[0][1]]


def _of_transaction(
    account: Record, group: Record, features: Record, amount: float
) -> Iterable[tuple[float, str]]:
    usual = math.exp(float(account["log_mean"])) - 1 if account["count"] else 0.0
    peers = math.exp(float(group["log_mean"])) - 1
    yield (
        float(features[baseline.AMOUNT_Z]),
        _compared("amount", amount, usual, peers),
    )
    if features[baseline.NEW]:
        known = sum(1 for counterparty in account["counterparties"] if counterparty)
        if known:
            yield 1.6, f"the counterparty is none of the latest {known}"
    hour = math.exp(-float(features[baseline.HOUR]))
    yield float(features[baseline.HOUR]) - 1.5, f"{hour:.1%} of its transactions are at these hours"
    channel = math.exp(-float(features[baseline.CHANNEL]))
    yield (
        float(features[baseline.CHANNEL]) - 1.5,
        f"{channel:.1%} of its transactions are by this channel",
    )


def _of_day(account: Record, group: Record) -> Iterable[tuple[float, str]]:
    day_sum, count = float(account["day_sum"]), int(account["day_count"])
    usual = math.exp(float(account["sum_log_mean"])) - 1 if account["days_active"] else 0.0
    peers = math.exp(float(group["sum_log_mean"])) - 1
    yield (
        float(account["day_sum_z"]),
        _compared("day total", day_sum, usual, peers),
    )
    rate = float(account["rate"])
    yield (
        float(account["day_count_z"]),
        f"{count} transactions of the day, usual are {rate:.1f}",
    )
    yield (
        float(account["day_velocity"]),
        f"{float(account['velocity']):.0f} transactions within about an hour",
    )
    low, high = sorted((float(account["day_in"]), float(account["day_out"])))
    if high > 0:
        yield (
            float(account["day_pass_through"]),
            f"{low:,.2f} came in and {high:,.2f} went out on one day"
            if account["day_in"] < account["day_out"]
            else f"{high:,.2f} came in and {low:,.2f} went out on one day",
        )


def _compared(what: str, amount: float, usual: float, peers: float) -> str:
    own, others = _times(amount, usual), _times(amount, peers)
    return f"{what} {amount:,.2f} is {own} the account's median and {others} its group's"


def _times(amount: float, usual: float) -> str:
    return f"{amount / usual:,.1f}x" if usual > 0 else "above"
