"""The two levels of judging: transactions and account-days, each with truth, rule and scores."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Bools, Floats, Ints
from models.evaluation import (
    PSEUDO_AMOUNT,
    REPLICATES,
    WINDOW_DAYS,
    average_precision,
    best_of_days,
    gain_interval,
    ratio_rule,
    roc_area,
)
from monitor.core.business_day import MICROSECONDS
from monitor.core.money import EXPONENT_MAX
from streams.evaluation.runs import SeedRun
from streams.evaluation.table import TransactionTable
from streams.evaluation.truth import NO_KIND, Truth

BEST: Final = (20, 100)
"""Of how many a day precision and recall are told."""

DAYS: Final = 1 << 22
"""More than the business days of a calendar: an account's number and a day make one number."""

DIGITS: Final = 6


class Level(NamedTuple):
    """What is judged at one level, after the warm-up; a score of -inf is none.

    `kinds` says for each kind what holds a label of it, `is_plain` what holds none at all. What is
    not `is_judged` has a label of another kind alone.
    """

    day: Ints
    is_positive: Bools
    is_judged: Bools
    is_plain: Bools
    kinds: Mapping[str, Bools]
    rule: Floats
    scores: Sequence[Floats]

    def only(self, which: Bools) -> "Level":
        """Return a part of it."""
        return Level(
            self.day[which], self.is_positive[which], self.is_judged[which], self.is_plain[which],
            {name: holds[which] for name, holds in self.kinds.items()}, self.rule[which],
            [score[which] for score in self.scores],
        )  # fmt: skip


def transactions_of(
    table: TransactionTable, truth: Truth, runs: Sequence[SeedRun], first_day: int
) -> Level:
    """Return the transactions from a business day on, as the engines took them."""
    of_kind = [truth.kind == number for number in range(len(truth.kinds))]
    is_plain = truth.kind < 0
    is_positive = _any(of_kind, truth.is_positive, is_plain.size)
    whole = Level(
        runs[0].day, is_positive, is_positive | is_plain, is_plain,
        dict(zip(truth.kinds, of_kind, strict=True)), ratios(table, runs[0].day > 0),
        [_ranked(run.score) for run in runs],
    )  # fmt: skip
    return whole.only(whole.day >= first_day)


def account_days_of(
    table: TransactionTable, truth: Truth, runs: Sequence[SeedRun], first_day: int
) -> Level:
    """Return the account-days from a business day on that hold a transaction that was taken.

    An account-day holds the labels of its transactions, and those of its own. Its score is that of
    its end; of the last day, which nothing ends, as it stood after its last transaction.
    """
    keys, taken, of_row = rows_by_account_day(table, runs[0].day)
    of_kind = [np.zeros(keys.size, np.bool_) for _ in truth.kinds]
    own_keys = _key(truth.account, truth.day)
    for number, holds in enumerate(of_kind):
        holds[of_row[truth.kind[taken] == number]] = True
        place, is_there = _found(keys, own_keys[truth.day_kind == number])
        holds[place[is_there]] = True
    rule = np.full(keys.size, -np.inf)
    np.maximum.at(rule, of_row, ratios(table, runs[0].day > 0)[taken])
    scores = []
    for run in runs:
        score = np.full(keys.size, np.nan)
        score[of_row] = run.day_score[taken]  # the last of an account-day is what stays
        place, is_there = _found(keys, _key(run.closed_account, run.closed_day))
        score[place[is_there]] = run.closed_score[is_there]
        scores.append(_ranked(score))
    everything = np.ones(keys.size, np.bool_)
    whole = Level(
        keys % DAYS, _any(of_kind, truth.is_positive, keys.size), everything,
        ~_any(of_kind, [True] * len(of_kind), keys.size),
        dict(zip(truth.kinds, of_kind, strict=True)), rule, scores,
    )  # fmt: skip
    return whole.only(whole.day >= first_day)


class AccountDayRows(NamedTuple):
    """The account-days of a table by their keys, in order, and the rows that were taken.

    `of_row` is the place of each taken row's account-day.
    """

    keys: Ints
    taken: Ints
    of_row: Ints


def rows_by_account_day(table: TransactionTable, day: Ints) -> AccountDayRows:
    """Return the account-days of rows by their business days; 0 is of a row that was not taken."""
    taken = np.flatnonzero(day > 0)
    keys, of_row = np.unique(_key(table.account, day)[taken], return_inverse=True)
    return AccountDayRows(keys, taken, of_row)


def figures_of(level: Level, replicates: int = REPLICATES) -> dict[str, Any]:
    """Return the figures of a level, as `--json` prints them; None if there are none."""
    judged = level.only(level.is_judged)
    day, positive, rule = judged.day, judged.is_positive, judged.rule
    best = {count: [best_of_days(day, positive, s, count) for s in judged.scores] for count in BEST}
    rule_best = {count: best_of_days(day, positive, rule, count) for count in BEST}
    precise = [average_precision(positive, score) for score in judged.scores]
    rule_ap = average_precision(positive, rule)
    low, high = gain_interval(day, positive, judged.scores, rule, replicates)
    by_kind, rule_by_kind = _by_kind(level)
    return {
        "judged": int(day.size),
        "left_out": int(level.day.size - day.size),
        "unscored": int(np.isneginf(judged.scores[0]).sum()),
        "positives": int(positive.sum()),
        "ap": [_plain(precision) for precision in precise],
        "auc": [_plain(roc_area(positive, score)) for score in judged.scores],
        "rule_ap": _plain(rule_ap),
        "rule_auc": _plain(roc_area(positive, rule)),
        "gain": _plain(float(np.mean(precise)) - rule_ap),
        "gain_interval": [_plain(low), _plain(high)],
        "precision_at": {str(n): _plain(_mean([b.precision for b in best[n]])) for n in BEST},
        "recall_at": {str(n): _plain(_mean([b.recall for b in best[n]])) for n in BEST},
        "rule_precision_at": {str(n): _plain(rule_best[n].precision) for n in BEST},
        "rule_recall_at": {str(n): _plain(rule_best[n].recall) for n in BEST},
        "by_kind": by_kind,
        "rule_by_kind": rule_by_kind,
        "positives_by_kind": {
            name: int(holds.sum()) for name, holds in level.kinds.items() if name in by_kind
        },
    }


def ratios(table: TransactionTable, is_taken: Bools) -> Floats:
    """Return what the one-line rule says of each transaction that was taken; else -inf."""
    said = np.full(is_taken.size, -np.inf)
    said[is_taken] = ratio_rule(
        table.account[is_taken],
        table.times()[is_taken],
        table.amounts()[is_taken],
        WINDOW_DAYS * 86_400 * MICROSECONDS,
        PSEUDO_AMOUNT * 10.0**EXPONENT_MAX,
    )
    return said


def _by_kind(level: Level) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Return average precision of each kind alone against what has no label: scores, rule."""
    made: dict[str, float | None] = {}
    rule: dict[str, float | None] = {}
    for name in sorted(level.kinds):
        part = level.only(level.kinds[name] | level.is_plain)
        holds = part.kinds[name]
        if name != NO_KIND and holds.any():
            precise = [average_precision(holds, score) for score in part.scores]
            made[name] = _plain(_mean(precise))
            rule[name] = _plain(average_precision(holds, part.rule))
    return made, rule


def _any(of_kind: Sequence[Bools], wanted: Sequence[bool], count: int) -> Bools:
    result = np.zeros(count, np.bool_)
    for holds, is_wanted in zip(of_kind, wanted, strict=True):
        if is_wanted:
            result |= holds
    return result


def _key(account: Ints, day: Ints) -> Ints:
    return account * DAYS + day


def _found(keys: Ints, some: Ints) -> tuple[NDArray[np.int64], Bools]:
    """Return the place of each of some keys among sorted ones, and whether it is there."""
    place = np.minimum(np.searchsorted(keys, some), keys.size - 1)
    return place, keys[place] == some


def _ranked(score: Floats) -> Floats:
    """Return scores with nothing said (NaN) below all that was said."""
    return np.where(np.isnan(score), -np.inf, score)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(value, DIGITS)
