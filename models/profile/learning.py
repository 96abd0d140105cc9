"""Learning what is usual for an account: transactions as they come, and days as they end."""

import math
from typing import Any, Final

import numpy as np

from models.kernels import compiled
from models.profile.baseline import (
    CHANNELS,
    COUNT_MAX,
    COUNTERPARTIES,
    HOURS,
    MEAN_WEIGHT,
    VARIANCE_WEIGHT,
)

CLIP_SD: Final = 4.0
DAYS_PLAIN: Final = 30.0
DAY_STEP: Final = 1 - 0.5 ** (1 / 30)  # a half-life of 30 days
GROUP_STEP: Final = 0.0002
GROUP_DAY_STEP: Final = 0.0005

CLIPS_FROM: Final = 10
"""Transactions (or days) from which on an account knows its own spread, to clip by it."""

TAKES_FROM: Final = 3
SPREADS_FROM: Final = 5
GAPS_PLAIN: Final = 50
GAP_STEP: Final = 0.02
SILENT_DAYS_MAX: Final = 60
LEVEL_CLIP: Final = 20


@compiled
def learn(
    account: Any, group: Any, second: int, hour: int, is_weekend: int, amount: float,
    is_credit: int, channel: int, counterparty: int,
) -> None:  # fmt: skip
    """Learn a transaction: the account's baselines, clipped, and those of its group."""
    count = np.float64(account["count"])
    log_amount = math.log(amount + 1)
    step = 1 / (count + 1) if count < COUNT_MAX else 1 / COUNT_MAX
    group_step = GROUP_STEP if group["count"] > 1 / GROUP_STEP else 1 / (group["count"] + 1)
    variance = (count * np.float64(account["log_var"]) + VARIANCE_WEIGHT * group["log_var"]) / (
        count + VARIANCE_WEIGHT
    )
    if count == 0:
        account["log_mean"] = log_amount
        account["clipped_mean"] = min(amount, 5 * group["clipped_mean"])
    else:
        residual = log_amount - np.float64(account["log_mean"])
        if count > CLIPS_FROM:
            residual = _clipped(residual, CLIP_SD * math.sqrt(variance))
        account["log_mean"] = np.float64(account["log_mean"]) + step * residual
        account["log_var"] = (1 - step) * (
            np.float64(account["log_var"]) + step * residual * residual
        )
        clipped = (
            count * np.float64(account["clipped_mean"]) + MEAN_WEIGHT * group["clipped_mean"]
        ) / (count + MEAN_WEIGHT)
        taken = min(amount, 3 * clipped) if count > TAKES_FROM else amount
        account["clipped_mean"] = np.float64(account["clipped_mean"]) + step * (
            taken - np.float64(account["clipped_mean"])
        )
        if count > SPREADS_FROM:
            group["log_var"] += group_step * (residual * residual - group["log_var"])
    group["log_mean"] += group_step * (log_amount - group["log_mean"])
    learn_level(group, amount)
    _learn_shares(account, group, hour, is_weekend, is_credit, channel, step, group_step)
    last = account["second_last"]
    if last > 0:
        pause = max(second - last, 0)
        gap_step = 1 / (count + 1) if count < GAPS_PLAIN else GAP_STEP
        account["gap_mean"] = np.float64(account["gap_mean"]) + gap_step * (
            pause - np.float64(account["gap_mean"])
        )
    account["count"] = min(count + 1, COUNT_MAX)
    if counterparty != 0:
        _remember(account, counterparty)


@compiled
def learn_level(group: Any, amount: float) -> None:
    """Learn how great amounts are in a group, and that it had one more."""
    step = GROUP_STEP if group["count"] > 1 / GROUP_STEP else 1 / (group["count"] + 1)
    group["clipped_mean"] += step * (
        min(amount, LEVEL_CLIP * group["clipped_mean"]) - group["clipped_mean"]
    )
    group["count"] += 1


@compiled
def _clipped(residual: Any, limit: float) -> Any:
    return max(-limit, min(limit, residual))


@compiled
def _learn_shares(
    account: Any, group: Any, hour: int, is_weekend: int, is_credit: int, channel: int,
    step: float, group_step: float,
) -> None:  # fmt: skip
    part = hour // 6
    for place in range(HOURS):
        hit = 1.0 if place == part else 0.0
        share = np.float64(account["hours"][place])
        account["hours"][place] = share + step * (hit - share)
        group["hours"][place] += group_step * (hit - group["hours"][place])
    for place in range(CHANNELS):
        hit = 1.0 if place == channel else 0.0
        share = np.float64(account["channels"][place])
        account["channels"][place] = share + step * (hit - share)
        group["channels"][place] += group_step * (hit - group["channels"][place])
    account["weekend"] = np.float64(account["weekend"]) + step * (
        is_weekend - np.float64(account["weekend"])
    )
    account["credit"] = np.float64(account["credit"]) + step * (
        is_credit - np.float64(account["credit"])
    )


@compiled
def _remember(account: Any, counterparty: int) -> None:
    """Put a counterparty in front; the one that was not seen for longest goes."""
    found = COUNTERPARTIES - 1
    for place in range(COUNTERPARTIES - 1, -1, -1):
        if account["counterparties"][place] == counterparty:
            found = place
    for place in range(found, 0, -1):
        account["counterparties"][place] = account["counterparties"][place - 1]
    account["counterparties"][0] = np.uint32(counterparty)


@compiled
def close_day(account: Any, group: Any, day: int, is_learned: int) -> None:
    """Take the account's open day into its daily baselines, and begin none.

    Silent days since the one before count for the rate. A day that is not to be learned leaves no
    trace but that it is over.
    """
    count = np.float64(account["day_count"])
    if is_learned:
        days = np.float64(account["days"])
        rate = np.float64(account["rate"])
        before = account["day_last"]
        silent = min(day - before - 1, SILENT_DAYS_MAX) if before > 0 else 0
        for _ in range(silent):
            rate -= rate * (1 / (days + 1) if days < DAYS_PLAIN else DAY_STEP)
            days += 1
        rate += (count - rate) * (1 / (days + 1) if days < DAYS_PLAIN else DAY_STEP)
        account["rate"], account["days"] = rate, days + 1
        group["rate"] += GROUP_DAY_STEP * (count - group["rate"])
        _learn_sum(account, group)
    account["day_last"], account["day"] = day, 0
    account["day_count"] = account["day_sum"] = account["day_in"] = account["day_out"] = 0.0
    account["day_amount_z"] = account["day_ratio"] = account["day_sum_z"] = 0.0
    account["day_count_z"] = account["day_velocity"] = account["day_pass_through"] = 0.0
    account["day_surprise"] = account["day_new"] = 0.0
    account["day_score"] = account["day_state"] = 0


@compiled
def _learn_sum(account: Any, group: Any) -> None:
    active = np.float64(account["days_active"])
    log_sum = math.log(np.float64(account["day_sum"]) + 1)
    step = 1 / (active + 1) if active < DAYS_PLAIN else DAY_STEP
    residual = log_sum - np.float64(account["sum_log_mean"])
    if active > CLIPS_FROM:
        spread = math.sqrt(np.float64(account["sum_log_var"]) + 0.05)
        residual = _clipped(residual, CLIP_SD * spread)
    account["sum_log_mean"] = np.float64(account["sum_log_mean"]) + step * residual
    account["sum_log_var"] = (1 - step) * (
        np.float64(account["sum_log_var"]) + step * residual * residual
    )
    account["days_active"] = active + 1
    group_step = GROUP_DAY_STEP if group["days"] > 1 / GROUP_DAY_STEP else 1 / (group["days"] + 1)
    group["sum_log_mean"] += group_step * (log_sum - group["sum_log_mean"])
    if active > TAKES_FROM:
        group["sum_log_var"] += group_step * (residual * residual - group["sum_log_var"])
    group["days"] += 1
