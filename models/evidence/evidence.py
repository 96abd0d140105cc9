"""Weighted sums of e-values: the evidence of transactions and of account-days.

A transaction has that of the take-over filter on its own-profile z (models/evidence/evidence.py),
and of a forest on two inputs. An account-day has the greatest of its transactions' so far, and that
of its sum, count, velocity and pass-through as they stand; at its end a second forest adds its own.
The weights are constants, chosen by evidence on labelled sets and on made populations;
docs/models.md says what each is worth. Scores are logarithms of evidence.

Sum, count and velocity are surprises in standard deviations. Such a score is evidence only as far
as it is both rarer than others' and beyond what chance alone would bring an account: among enough
account-days some are the busiest, with nothing wrong about them.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.detectors.half_space_trees import Forest
from models.evidence import tail
from models.evidence.tail import ScoreRange, Tail
from models.kernels import compiled
from models.profile.counterparty_levels import given_counterparty

ENTRIES_A_DAY: Final = 5e-4
STAY_DAYS: Final = 7.0
ODD_SHARE: Final = 0.005
"""Of the owner's payments."""

ODD_SHARE_TAKEN_OVER: Final = 0.3
EVIDENCE_MAX: Final = 1e4
"""What one payment may do to the probability at most: one outlier is no proof."""

_DAY_SECONDS: Final = 86_400.0
_LEAVES_A_DAY: Final = ENTRIES_A_DAY + 1 / STAY_DAYS
_AT_REST: Final = ENTRIES_A_DAY / _LEAVES_A_DAY


@compiled
def after(probability: float, seconds: float) -> float:
    """Return the probability of a take-over, some time later and with nothing known of it.

    `seconds` below 0 stands for an account that is seen for the first time.
    """
    if seconds < 0:
        return _AT_REST
    fades = math.exp(-seconds / _DAY_SECONDS * _LEAVES_A_DAY)
    return _AT_REST + (probability - _AT_REST) * fades


@compiled
def log_odds(probability: float, evidence: float) -> float:
    """Return the logarithm of the odds that a payment with this evidence is odd."""
    odd = (1 - probability) * ODD_SHARE + probability * ODD_SHARE_TAKEN_OVER
    return math.log(evidence) + math.log(odd / (1 - odd))


@compiled
def updated(probability: float, evidence: float) -> float:
    """Return the probability of a take-over once a payment's evidence is known."""
    evidence = min(evidence, EVIDENCE_MAX)
    taken_over = probability * (1 - ODD_SHARE_TAKEN_OVER + ODD_SHARE_TAKEN_OVER * evidence)
    owner = (1 - probability) * (1 - ODD_SHARE + ODD_SHARE * evidence)
    return taken_over / (taken_over + owner)


SCALES: Final = (
    ScoreRange("amount_z", -16, 48),
    ScoreRange("forest", 0, 1, is_bounded=True),
    ScoreRange("day_sum_z", -16, 48),
    ScoreRange("day_count_z", -16, 48),
    ScoreRange("day_velocity", -16, 48),
    ScoreRange("day_pass_through", 0, 48),
    ScoreRange("day_forest", 0, 1, is_bounded=True),
    ScoreRange("amount", -2, 30),
    ScoreRange("transaction", -24, 40),
    ScoreRange("account_day", -24, 40),
    ScoreRange("given_counterparty", -16, 48),
)
"""The kinds of score that have a tail; transaction and account_day are what the evidence of the
others adds to. A further kind comes last, as a snapshot of before does not have it."""

(
    T_AMOUNT_Z, T_FOREST, T_SUM, T_COUNT, T_VELOCITY, T_PASS, T_DAY_FOREST, T_AMOUNT, T_TRANSACTION,
    T_DAY, T_GIVEN_COUNTERPARTY,
) = range(len(SCALES))  # fmt: skip

W_TAKE_OVER: Final = 1.0
W_FOREST: Final = 0.005
W_SUM: Final = 0.0005
W_COUNT: Final = 0.006
W_VELOCITY: Final = 0.0004
W_PASS: Final = 0.008
W_DAY_FOREST: Final = 0.001
W_GIVEN: Final = 0.5
"""Of the amount given a counterparty of which all is known; the rest is the amount's own."""

W_AMOUNT: Final = 0.01
"""Of the population-amount term, which is off by default."""

CHANCE_ASKED: Final = 0.05
"""Where a tail calls a surprise more usual than this, its evidence is next to nothing anyway."""

INPUTS: Final = ("log_ratio", "log_level")
DAY_INPUTS: Final = (
    "amount_z", "sum_z", "count_z", "velocity", "surprise", "new_counterparties", "pass_through",
)  # fmt: skip

SCORE_MIN, SCORE_MAX = -12.0, 24.0

USES_FOREST, HAS_AMOUNT_TERM = range(2)


class Models(NamedTuple):
    """The arrays of all models, as the kernels take them."""

    groups: Any  # of models/profile/baseline.py
    forest: Forest
    day_forest: Forest
    tail: Tail
    budget: Any  # one record of models/evidence/budget.py
    places: Any  # of models/profile/counterparty_levels.py, and what they have together
    levels: Any
    changed: Any
    switches: NDArray[np.int64]  # USES_FOREST and HAS_AMOUNT_TERM, each 0 or 1


@compiled
def put_inputs(ratio: float, amount: float, segment: Any, out: Any) -> None:
    """Put the forest's INPUTS: logarithms of the amount over the own mean and the segment's."""
    out[0] = min(max(math.log(max(ratio, 1e-3)), 0.0), 2.5) / 2.5
    level = amount / max(segment["clipped_mean"], 1e-6)
    out[1] = min(max(math.log(max(level, 1e-3)), 0.0), 3.0) / 3.0


@compiled
def transaction_score(
    account: Any,
    models: Any,
    second: int,
    amount_z: float,
    amount: float,
    forest_score: float,
    counterparty: int,
) -> float:
    """Return a transaction's score, and let the account's filter and the tails know of it."""
    tails = models.tail
    tail.add(tails, T_AMOUNT_Z, amount_z)
    total = 0.0
    p = tail.probability(tails, T_AMOUNT_Z, amount_z)
    if not math.isnan(p):
        last = account["second_last"]
        is_known = last > 0 and account["taken_over"] > 0
        since = max(float(second - last), 0.0) if is_known else -1.0
        before = after(np.float64(account["taken_over"]), since)
        worth = amount_evidence(models, counterparty, amount_z, tail.evidence(p))
        total += W_TAKE_OVER * math.exp(log_odds(before, worth))
        account["taken_over"] = updated(before, worth)
    if not math.isnan(forest_score):
        tail.add(tails, T_FOREST, forest_score)
        total += W_FOREST * evidence(tails, T_FOREST, forest_score)
    if models.switches[HAS_AMOUNT_TERM] != 0:
        level = math.log(amount + 1)
        tail.add(tails, T_AMOUNT, level)
        total += W_AMOUNT * evidence(tails, T_AMOUNT, level)
    if total == 0:
        return math.nan
    score = log_of(total)
    tail.add(tails, T_TRANSACTION, score)
    return score


@compiled
def amount_evidence(models: Any, counterparty: int, amount_z: float, worth: float) -> float:
    """Return the e-value of an amount: of what it is worth by itself, and given its counterparty.

    Their mean, by how much is known of the counterparty: that was known before the amount, so the
    mean is an e-value. Nothing changes where nobody is named (0), or no tail is warmed up.
    """
    if counterparty == 0:
        return worth
    surprise, known = given_counterparty(models, counterparty, amount_z)
    tail.add(models.tail, T_GIVEN_COUNTERPARTY, surprise)
    p = tail.probability(models.tail, T_GIVEN_COUNTERPARTY, surprise)
    if math.isnan(p):
        return worth
    return worth + W_GIVEN * known * (tail.evidence(p) - worth)


@compiled
def evidence(tails: Any, kind: int, score: float) -> float:
    """Return the e-value of a score of a kind; 0 while its tail is not warmed up."""
    return tail.evidence(tail.probability(tails, kind, score))


@compiled
def surprise_evidence(tails: Any, kind: int, surprise: float) -> float:
    """Return the e-value of a surprise in standard deviations; 0 while its tail is not warmed up.

    It is that of the tail, or of a normal variable if the tail calls it rarer: the greater of two
    probabilities of one event is a probability of it, too, so the mean stays at most one.
    """
    p = tail.probability(tails, kind, surprise)
    if p < CHANCE_ASKED:
        p = max(p, beyond_by_chance(surprise))
    return tail.evidence(p)


@compiled
def beyond_by_chance(surprise: float) -> float:
    """Return the probability that a normal variable is so many standard deviations or more."""
    return 0.5 * math.erfc(surprise / math.sqrt(2))


@compiled
def log_of(total: float) -> float:
    """Return evidence as a score: its logarithm, within bounds."""
    return min(max(math.log(total), SCORE_MIN), SCORE_MAX)


@compiled
def day_evidence(account: Any, tails: Any) -> float:
    """Return the evidence of an account-day as it stands, without its forest's."""
    return (
        math.exp(np.float64(account["day_score"]))
        + W_SUM * surprise_evidence(tails, T_SUM, np.float64(account["day_sum_z"]))
        + W_COUNT * surprise_evidence(tails, T_COUNT, np.float64(account["day_count_z"]))
        + W_VELOCITY * surprise_evidence(tails, T_VELOCITY, np.float64(account["day_velocity"]))
        + W_PASS * evidence(tails, T_PASS, np.float64(account["day_pass_through"]))
    )


@compiled
def put_day_inputs(account: Any, out: Any) -> None:
    """Put the day forest's DAY_INPUTS of an account-day as it stands."""
    out[0] = min(max(np.float64(account["day_amount_z"]), 0.0), 8.0) / 8
    out[1] = min(max(np.float64(account["day_sum_z"]), 0.0), 8.0) / 8
    out[2] = min(max(np.float64(account["day_count_z"]), 0.0), 8.0) / 8
    out[3] = min(max(np.float64(account["day_velocity"]), 0.0), 8.0) / 8
    out[4] = min(math.log(1 + np.float64(account["day_surprise"])), 4.0) / 4
    count = max(np.float64(account["day_count"]), 1.0)
    out[5] = min(np.float64(account["day_new"]) / math.sqrt(count), 4.0) / 4
    out[6] = min(np.float64(account["day_pass_through"]), 6.0) / 6
