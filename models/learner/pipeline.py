"""All models of one partition as kernels, record by record: measure, score, decide, then learn.

An account-day is strange when its score (models/evidence/evidence.py) is above the budget's
threshold, and it is rare enough to be remarkable (models/evidence/budget.py). From then on nothing
of it is learned, nor of one that is in breach of a limit. A strange day is reported where its
account has no open alert, or is worse than all days of the open one; else it is counted with them
in silence.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from models.arrays import Ints
from models.detectors.half_space_trees import learn_scored
from models.detectors.half_space_trees import score as score_by_forest
from models.evidence import tail
from models.evidence.budget import account_day_opens, may_report, report
from models.evidence.evidence import (  # fmt: skip
    DAY_INPUTS,
    SCORE_MIN,
    T_COUNT,
    T_DAY,
    T_DAY_FOREST,
    T_PASS,
    T_SUM,
    T_VELOCITY,
    USES_FOREST,
    W_DAY_FOREST,
    day_evidence,
    evidence,
    log_of,
    put_day_inputs,
    put_inputs,
    transaction_score,
)
from models.kernels import compiled
from models.learner.columns import CLOSED_A_RECORD
from models.learner.taught_days import note_closed, note_terms, taught_score
from models.profile import baseline, learning
from models.profile.baseline import AMOUNT_Z, HOT_Z, RATIO, SCORE_DAYS, USUAL_COUNT, USUAL_DAYS
from models.profile.counterparty_levels import learn_level_of

DAY_INPUTS_COUNT: Final = len(DAY_INPUTS)

IS_FROZEN, IS_STRANGE, IS_HELD_BACK = 1, 2, 4
"""Bits of an account's `day_state`: the day is not learned any more; it is a day of the account's
alert; it is to be reported, and the allowance had no room for it yet."""

WORSE: Final = 2
"""A day that was reported is reported again where it has become so many times as rare: each of its
further transactions may make it a little rarer, and that is no news."""

QUIET_DAYS: Final = 14
"""An alert of which nothing was reported for so long is over, and the next one is another: days in
silence do not prolong it, or one very strange day would keep later ones unreported for ever."""

FREEZES_AT: Final = math.log(100)
"""An alert below this evidence (a generous budget may tell of it) does not keep its day from being
learned: baselines that leave out whatever is above the usual would drift down."""


class Sweep(NamedTuple):
    """The account-days of a finished day that are closed little by little; `at` is the place."""

    rows: Ints
    at: Ints  # one number
    day: int


@compiled
def observe(
    accounts: Any,
    models: Any,
    taught: Any,
    columns: Any,
    first: int,
    day: int,
    sweep: Any,
    told: Any,
) -> int:
    """Take records from `first` on; return where it stopped, and why is for the caller to see.

    It stops at the end, at the first record of a later business day than `day`, and once the sweep
    of the day before is done. A record of a day before is late: only its amount is measured.
    """
    inputs = np.empty(2)
    sweeping = sweep.at[0] < sweep.rows.size
    for i in range(first, columns.row.size):
        if columns.day[i] > day:
            return i
        row = columns.row[i]
        account = accounts[row]
        if account["day"] != 0 and account["day"] < day:
            _close(accounts, row, models, taught, account["day"], i, told)
        _observe_one(account, models, taught, columns, i, day, inputs, told)
        if sweeping:
            close_some(accounts, models, taught, sweep, CLOSED_A_RECORD, i, told)
            if sweep.at[0] >= sweep.rows.size:
                return i + 1
    return len(columns.row)


@compiled
def _observe_one(
    account: Any, models: Any, taught: Any, columns: Any, i: int, day: int, inputs: Any, told: Any
) -> None:
    amount, second, features = columns.amount[i], columns.second[i], told.features[i]
    is_late = columns.day[i] < day
    if account["second_last"] == 0:
        account["group"] = account["segment"] = columns.group[i]
    group = models.groups[account["group"]]
    if not is_late and account["day"] == 0:
        account["day"], account["day_score"] = day, SCORE_MIN
        told.opened[told.counts[1]] = columns.row[i]
        told.counts[1] += 1
        account_day_opens(models.budget[0])
    if columns.is_learned[i] == 0 and not is_late:
        account["day_state"] |= IS_FROZEN
    baseline.measure(
        account, group, second, columns.hour[i], amount, columns.is_credit[i], columns.channel[i],
        columns.counterparty[i], is_late, features,
    )  # fmt: skip
    _note_payment(account, columns, i, features[AMOUNT_Z], told)
    if taught is not None:
        note_terms(
            taught,
            columns.row[i],
            features,
            columns.counterparty[i],
            amount,
            is_late,
            np.float64(account["day_count"]),
        )
    forest_score = told.given[i]
    if models.switches[USES_FOREST] != 0:
        put_inputs(features[RATIO], amount, models.groups[account["segment"]], inputs)
        forest_score = score_by_forest(models.forest, inputs)
    score = transaction_score(
        account, models, second, features[AMOUNT_Z], amount, forest_score, columns.counterparty[i]
    )
    told.scores[i], told.learned[i] = score, 0
    told.day_scores[i] = math.nan
    if not is_late and not math.isnan(score):
        account["day_score"] = max(np.float64(account["day_score"]), score)
        told.day_scores[i] = log_of(day_evidence(account, models.tail))
        _judge(account, group, models, taught, day, told.day_scores[i], columns.row[i], i, told)
    if columns.is_learned[i] != 0 and (is_late or account["day_state"] & IS_FROZEN == 0):
        told.learned[i] = 1
        if models.switches[USES_FOREST] != 0:
            learn_scored(models.forest)
        learning.learn(
            account, group, second, columns.hour[i], columns.is_weekend[i], amount,
            columns.is_credit[i], columns.channel[i], columns.counterparty[i],
        )  # fmt: skip
        learn_level_of(models, columns.counterparty[i], features[AMOUNT_Z])
        if account["group"] != account["segment"]:
            learning.learn_level(models.groups[account["segment"]], amount)
    account["second_last"] = max(account["second_last"], second)


@compiled
def _note_payment(account: Any, columns: Any, i: int, amount_z: float, told: Any) -> None:
    """Note a payment that is far above the account's usual, to an institution it never paid."""
    if columns.institution[i] == 0 or columns.is_credit[i] != 0:
        return
    is_first = baseline.is_first_payment(account, columns.institution[i])
    if is_first and amount_z > HOT_Z and account["count"] >= USUAL_COUNT:
        told.hot[told.counts[3]] = i
        told.counts[3] += 1


@compiled
def _judge(
    account: Any,
    group: Any,
    models: Any,
    taught: Any,
    day: int,
    score: float,
    row: int,
    record: int,
    told: Any,
) -> None:
    """Report an account-day that is strange, or note it with those of its account's alert.

    One that the allowance has no room for is neither: it is judged again by its next transaction,
    and by its end. What was taught says what is reported, and not what is learned.
    """
    budget = models.budget[0]
    before, threshold = score, budget["threshold"]
    if taught is not None:
        score = taught_score(taught, row, day, score)
    if score <= threshold and before <= threshold:
        return
    one_in = _one_in(models, score)
    one_in_before = one_in if score == before else _one_in(models, before)
    if one_in_before != 0 and budget["is_told"] != 0 and before > FREEZES_AT:
        account["day_state"] |= IS_FROZEN
    if one_in == 0:
        return
    is_open = account["alert_day"] > 0 and day - account["alert_day"] <= QUIET_DAYS
    if is_open and not _is_worse(account, day, one_in):
        _note_day(account, day, one_in)
        return
    if not may_report(budget):
        account["day_state"] |= IS_HELD_BACK
        return
    account["day_state"] &= ~IS_HELD_BACK
    said = account["alert_said"]
    if not is_open:
        said = 0
        account["alert_first"] = day
        account["alert_revision"] = account["alert_days"] = account["alert_one_in"] = 0
        account["alert_listed"][:] = 0
        account["alert_listed_one_in"][:] = 0
    report(budget)
    account["alert_revision"] += 1
    account["alert_day"], account["alert_said"] = day, one_in
    _note_day(account, day, one_in)
    if budget["is_told"] == 0:
        return
    place = told.counts[0]
    told.due_record[place], told.due_row[place], told.due_before[place] = record, row, said
    told.due_score[place], told.due_threshold[place] = score, threshold
    told.due_taught[place, 0] = before
    if taught is not None:
        told.due_taught[place, 1:] = taught.terms[row]
    told.due_account[place], told.due_group[place] = account, group
    told.counts[0] += 1


@compiled
def _taught(taught: Any, row: int, day: int, score: float) -> float:
    """Return the score with what analysts taught, if anything.

    Where nothing is, `taught` is None, and the kernels are compiled without it.
    """
    if taught is None:
        return score
    return taught_score(taught, row, day, score)


@compiled
def _one_in(models: Any, score: float) -> int:
    """Return one account-day in how many is as strange; 0 if that is nothing to report."""
    budget = models.budget[0]
    if score <= budget["threshold"]:
        return 0
    p = tail.probability(models.tail, T_DAY, score)
    if math.isnan(p):  # too little is known of account-days to say so
        return 0
    one_in = math.ceil(1 / p)
    return 0 if one_in < budget["one_in_at_least"] else one_in


@compiled
def _is_worse(account: Any, day: int, one_in: int) -> bool:
    """Return whether a strange day is news: worse than every day of the open alert."""
    if one_in <= account["alert_one_in"]:
        return False
    return day != account["alert_day"] or one_in >= WORSE * account["alert_said"]  # type: ignore[no-any-return]  # numpy's own bool


@compiled
def _note_day(account: Any, day: int, one_in: int) -> None:
    """Count a day with those of its account's alert, and list it where it is among the rarest."""
    if account["day_state"] & IS_STRANGE == 0:
        account["day_state"] |= IS_STRANGE
        account["alert_days"] += 1
    account["alert_one_in"] = max(account["alert_one_in"], one_in)
    listed, rarity = account["alert_listed"], account["alert_listed_one_in"]
    number = day - account["alert_first"] + 1
    place = 0
    for other in range(listed.size):
        if listed[other] == number:
            place = other
            break
        if rarity[other] < rarity[place]:  # a free place has 0
            place = other
    if one_in > rarity[place]:
        listed[place], rarity[place] = number, one_in


@compiled
def close_some(
    accounts: Any, models: Any, taught: Any, sweep: Any, count: int, record: int, told: Any
) -> None:
    """Close the next account-days of a finished day, at most so many; `record` is the cause.

    What a record of the next day has closed is passed over: so the sweep ends with the last one
    that is open, also where it goes on from a snapshot, which knows these alone.
    """
    place = sweep.at[0]
    while place < sweep.rows.size:
        row = sweep.rows[place]
        if accounts[row]["day"] == sweep.day:
            if count == 0:
                break
            _close(accounts, row, models, taught, sweep.day, record, told)
            count -= 1
        place += 1
    sweep.at[0] = place


@compiled
def _close(
    accounts: Any, row: int, models: Any, taught: Any, day: int, record: int, told: Any
) -> None:
    account, tails = accounts[row], models.tail
    inputs = np.empty(DAY_INPUTS_COUNT)
    put_day_inputs(account, inputs)
    forest_score = score_by_forest(models.day_forest, inputs)
    tail.add(tails, T_SUM, np.float64(account["day_sum_z"]))
    tail.add(tails, T_COUNT, np.float64(account["day_count_z"]))
    tail.add(tails, T_VELOCITY, np.float64(account["day_velocity"]))
    tail.add(tails, T_PASS, np.float64(account["day_pass_through"]))
    if account["day_score"] > SCORE_MIN:
        total = day_evidence(account, tails)
        if not math.isnan(forest_score):
            tail.add(tails, T_DAY_FOREST, forest_score)
            total += W_DAY_FOREST * evidence(tails, T_DAY_FOREST, forest_score)
        score = log_of(total)
        tail.add(tails, T_DAY, score)
        place = day % SCORE_DAYS
        account["score_days"][place] = day
        account["scores"][place] = tail.probability(tails, T_DAY, _taught(taught, row, day, score))
        group = models.groups[account["group"]]
        _judge(account, group, models, taught, day, score, row, record, told)
        if account["day_state"] & IS_HELD_BACK != 0:
            models.budget[0]["held_back"] += 1
        told.closed_row[told.counts[2]], told.closed_day[told.counts[2]] = row, day
        told.closed_score[told.counts[2]] = score
        told.counts[2] += 1
        if taught is not None:
            note_closed(taught, row, score)
    if account["days_active"] >= USUAL_DAYS:
        place = day % SCORE_DAYS
        account["usual_days"][place] = day
        account["is_hot"][place] = account["day_sum_z"] > HOT_Z
    is_learned = account["day_state"] & IS_FROZEN == 0
    if is_learned:
        learn_scored(models.day_forest)
    learning.close_day(account, models.groups[account["group"]], day, is_learned)
