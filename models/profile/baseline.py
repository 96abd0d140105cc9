"""An account's own baseline, shrunk to that of its peers.

Each baseline is an exponentially weighted mean that begins as the plain mean and then forgets. An
account of few transactions leans on its group (empirical Bayes with fixed prior weights), so that a
new account begins as its peers are. What is learned is clipped: one great amount cannot teach an
account that great amounts are usual. Amounts are approximate floats here, in hundreds of minor
units whatever the currency (about a cent each); nothing of this is ever money.

The functions are kernels (models/kernels.py): plain Python over records of numpy arrays, and the
same source as machine code. Fields of an account are 32-bit floats to save memory; all is computed
in 64 bits.
"""

import math
from typing import Any, Final

import numpy as np

from models.kernels import compiled

HOURS: Final = 4
"""Parts of a day, six hours each."""

CHANNELS: Final = 8
"""Channels that are told apart; the last stands for all further ones."""

COUNTERPARTIES: Final = 6
"""Counterparties that an account remembers, the latest first."""

ALERT_DAYS: Final = 8
"""Days of an alert that an account remembers with how rare each was, the rarest."""

SCORE_DAYS: Final = 4
"""Finished business days whose scores an account keeps, until they are written down."""

ACCOUNT: Final = np.dtype([
    ("second_last", "i8"),  # of its latest transaction, since 1970; 0 is none
    ("day", "i4"),  # business day that is open for it; 0 is none
    ("day_last", "i4"),  # business day that was closed last; 0 is none
    ("group", "i4"), ("segment", "i4"),  # places in the table of groups
    ("counterparties", "u4", (COUNTERPARTIES,)),  # hashes; 0 is none
    ("count", "f4"),  # transactions learned, at most COUNT_MAX
    ("log_mean", "f4"), ("log_var", "f4"),  # of the logarithm of amounts
    ("clipped_mean", "f4"),  # of amounts, each taken for at most three times the mean
    ("gap_mean", "f4"),  # seconds between transactions
    ("velocity", "f4"),  # transactions, each fading with an hour's half-life in e
    ("days", "f4"), ("days_active", "f4"),
    ("rate", "f4"),  # transactions a day
    ("sum_log_mean", "f4"), ("sum_log_var", "f4"),  # of the logarithm of a day's sum
    ("hours", "f4", (HOURS,)), ("channels", "f4", (CHANNELS,)),  # shares
    ("weekend", "f4"), ("credit", "f4"),  # shares
    ("taken_over", "f4"),  # probability that another person acts (models/evidence/evidence.py)
    # The day so far:
    ("day_count", "f4"), ("day_sum", "f4"), ("day_in", "f4"), ("day_out", "f4"),
    ("day_amount_z", "f4"), ("day_ratio", "f4"), ("day_sum_z", "f4"), ("day_count_z", "f4"),
    ("day_velocity", "f4"), ("day_pass_through", "f4"), ("day_score", "f4"),  # the greatest
    ("day_surprise", "f4"), ("day_new", "f4"),  # sums
    ("day_state", "i4"),  # of models/learner/pipeline.py: whether it is learned, and was told of
    # What came of it:
    ("score_days", "i4", (SCORE_DAYS,)), ("scores", "f4", (SCORE_DAYS,)),  # by day modulo
    ("alert_day", "i4"),  # business day that was reported last of its alert; 0 is none
    ("alert_first", "i4"), ("alert_revision", "i4"),
    ("alert_days", "i4"),  # its strange days, reported or not
    ("alert_said", "i4"), ("alert_one_in", "i4"),  # one account-day in so many: reported, and known
    ("alert_listed", "u2", (ALERT_DAYS,)),  # days since the day before the first; 0 is none
    ("alert_listed_one_in", "i4", (ALERT_DAYS,)),
    # Finished days on which its own usual was known, and whether they were far above it:
    ("usual_days", "i4", (SCORE_DAYS,)), ("is_hot", "i1", (SCORE_DAYS,)),
    ("institutions", "u8"),  # those it paid, a bit for each (hash & 63)
    ("peer", "i4"), ("peer_pending", "i4"),  # peer group + 1, 0 is none (models/peers/groups.py)
])  # fmt: skip
"""What is kept of an account."""

ALERT_FIELDS: Final = tuple(name for name in ACCOUNT.names or () if name.startswith("alert_"))

GROUP: Final = np.dtype([
    ("count", "f8"), ("days", "f8"),
    ("log_mean", "f8"), ("log_var", "f8"), ("clipped_mean", "f8"),
    ("rate", "f8"), ("sum_log_mean", "f8"), ("sum_log_var", "f8"),
    ("hours", "f8", (HOURS,)), ("channels", "f8", (CHANNELS,)),
])  # fmt: skip
"""What is usual in a group of accounts (a segment or a peer group)."""

FEATURES: Final = (
    "amount_z", "ratio", "sum_z", "count_z", "velocity", "hour", "channel", "new_counterparty",
    "gap", "pass_through",
)  # fmt: skip
"""What `measure` says of a transaction; each is greater where the transaction is stranger.

amount_z, sum_z: standard deviations above the own mean, of the log amount and the day's log sum;
ratio: amount over the clipped own mean; count_z, velocity: deviance residuals of the day's count
(negative binomial) and of the last hour's (Poisson); hour, channel: -log share; new_counterparty:
1 where it is none of the remembered; gap: log of the pause over the mean pause; pass_through: the
lesser of money in and out over the greater, times the sum's surprise.
"""

AMOUNT_Z, RATIO, SUM_Z, COUNT_Z, VELOCITY, HOUR, CHANNEL, NEW, GAP, PASS_THROUGH = range(10)

HOT_Z: Final = 1.5
"""A day or a payment is hot where it is so many standard deviations above the account's usual."""

USUAL_DAYS: Final = 5
USUAL_COUNT: Final = 3
"""Days, and transactions, from which on an account's usual is known rather than its group's."""

COUNT_MAX: Final = 200.0
MEAN_WEIGHT: Final = 6.0  # of the group, in transactions or days of its own
VARIANCE_WEIGHT: Final = 8.0
RATE_WEIGHT: Final = 4.0
DISPERSION: Final = 6.0  # of a day's count around its mean, as negative binomial size


def new_accounts(count: int) -> np.ndarray[Any, Any]:
    """Return so many accounts of which nothing is known."""
    return np.zeros(count, ACCOUNT)


def new_groups(count: int) -> np.ndarray[Any, Any]:
    """Return so many groups with the baselines that each begins with."""
    groups = np.zeros(count, GROUP)
    groups["log_mean"], groups["log_var"], groups["clipped_mean"] = 4.0, 1.0, 50.0
    groups["rate"], groups["sum_log_mean"], groups["sum_log_var"] = 1.0, 4.0, 1.0
    groups["hours"], groups["channels"] = 1 / HOURS, 1 / CHANNELS
    return groups


@compiled
def ratio_of(account: Any, group: Any, amount: float) -> float:
    """Return an amount over the clipped own mean (shrunk to the group's)."""
    count = np.float64(account["count"])
    clipped = (
        count * np.float64(account["clipped_mean"]) + MEAN_WEIGHT * group["clipped_mean"]
    ) / (count + MEAN_WEIGHT)
    return amount / max(clipped, 1e-6)  # type: ignore[no-any-return]  # fields of a record have no types


@compiled
def measure(
    account: Any, group: Any, second: int, hour: int, amount: float, is_credit: int,
    channel: int, counterparty: int, is_late: int, out: Any,
) -> None:  # fmt: skip
    """Put what is strange about a transaction into `out` (FEATURES), before anything is learned.

    The day so far goes on, and the account remembers when; a late transaction (of a day that is
    past for the models) is measured by its amount alone.
    """
    count = np.float64(account["count"])
    log_amount = math.log(amount + 1)
    mean = (count * np.float64(account["log_mean"]) + MEAN_WEIGHT * group["log_mean"]) / (
        count + MEAN_WEIGHT
    )
    variance = (count * np.float64(account["log_var"]) + VARIANCE_WEIGHT * group["log_var"]) / (
        count + VARIANCE_WEIGHT
    )
    out[AMOUNT_Z] = (log_amount - mean) / math.sqrt(
        variance * (1 + 1 / (count + MEAN_WEIGHT)) + 0.01
    )
    out[RATIO] = ratio_of(account, group, amount)
    seen = min(count, COUNT_MAX)
    part = hour // 6
    out[HOUR] = -math.log(
        (np.float64(account["hours"][part]) * seen + 6 * group["hours"][part]) / (seen + 6) + 1e-3
    )
    out[CHANNEL] = -math.log(
        (np.float64(account["channels"][channel]) * seen + 6 * group["channels"][channel])
        / (seen + 6)
        + 1e-3
    )
    out[NEW] = 1.0
    for place in range(COUNTERPARTIES):
        if account["counterparties"][place] == counterparty:
            out[NEW] = 0.0
    if counterparty == 0:  # none was named
        out[NEW] = 0.0
    out[SUM_Z] = out[COUNT_Z] = out[VELOCITY] = out[GAP] = out[PASS_THROUGH] = 0.0
    if not is_late:
        _measure_day(account, group, second, amount, is_credit, out)


@compiled
def is_first_payment(account: Any, institution: int) -> bool:
    """Note that the account paid an institution (a hash, not 0); return whether it never had.

    Institutions whose hashes end in the same six bits are taken for one.
    """
    bit = np.uint64(1) << np.uint64(institution & 63)
    paid = np.uint64(account["institutions"])
    account["institutions"] = paid | bit
    return paid & bit == np.uint64(0)  # type: ignore[no-any-return]  # numpy's own bool


@compiled
def _measure_day(
    account: Any, group: Any, second: int, amount: float, is_credit: int, out: Any
) -> None:
    day_sum = np.float64(account["day_sum"]) + amount
    day_count = np.float64(account["day_count"]) + 1
    active = np.float64(account["days_active"])
    mean = (active * np.float64(account["sum_log_mean"]) + MEAN_WEIGHT * group["sum_log_mean"]) / (
        active + MEAN_WEIGHT
    )
    variance = (
        active * np.float64(account["sum_log_var"]) + VARIANCE_WEIGHT * group["sum_log_var"]
    ) / (active + VARIANCE_WEIGHT)
    out[SUM_Z] = (math.log(day_sum + 1) - mean) / math.sqrt(variance + 0.05)
    days = np.float64(account["days"])
    rate = (days * np.float64(account["rate"]) + RATE_WEIGHT * group["rate"]) / (days + RATE_WEIGHT)
    rate = max(rate, 1e-3)
    deviance = 2 * (
        day_count * math.log(day_count / rate)
        - (day_count + DISPERSION) * math.log((day_count + DISPERSION) / (rate + DISPERSION))
    )
    out[COUNT_Z] = math.copysign(math.sqrt(max(deviance, 0.0)), day_count - rate)
    last = account["second_last"]
    pause = max(second - last, 0)
    velocity = 1.0
    if last > 0:
        velocity += np.float64(account["velocity"]) * math.exp(-pause / 3600)
        out[GAP] = math.log((pause + 3600) / (np.float64(account["gap_mean"]) + 3600))
    usual = 1 + rate / 8
    deviance = 2 * (velocity * math.log(velocity / usual) - (velocity - usual))
    out[VELOCITY] = math.copysign(math.sqrt(max(deviance, 0.0)), velocity - usual)
    day_in, day_out = np.float64(account["day_in"]), np.float64(account["day_out"])
    if is_credit:
        day_in += amount
    else:
        day_out += amount
    out[PASS_THROUGH] = min(day_in, day_out) / max(day_in, day_out, 1e-6) * max(out[SUM_Z], 0.0)
    account["velocity"] = velocity
    account["day_sum"], account["day_count"] = day_sum, day_count
    account["day_in"], account["day_out"] = day_in, day_out
    account["day_amount_z"] = max(np.float64(account["day_amount_z"]), out[AMOUNT_Z])
    account["day_ratio"] = max(np.float64(account["day_ratio"]), out[RATIO])
    account["day_sum_z"] = max(np.float64(account["day_sum_z"]), out[SUM_Z])
    account["day_count_z"] = max(np.float64(account["day_count_z"]), out[COUNT_Z])
    account["day_velocity"] = max(np.float64(account["day_velocity"]), out[VELOCITY])
    account["day_pass_through"] = max(np.float64(account["day_pass_through"]), out[PASS_THROUGH])
    account["day_surprise"] = np.float64(account["day_surprise"]) + max(
        out[HOUR] + out[CHANNEL] - 3, 0.0
    )
    account["day_new"] = np.float64(account["day_new"]) + out[NEW]
