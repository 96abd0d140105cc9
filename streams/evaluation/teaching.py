"""Simulate analysts who review the highest account-days of each day, and what they teach.

The account-days of a business day are reviewed once it is over, those with the highest scores as
they are by then. Their labels are given some days later, and weights are learned from them
(models/teaching/teacher.py) that are in the scores of the days after that one. A transaction's
weights are taught by the highest transaction of each reviewed account-day. The models beneath learn
what they would have learned without.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np

from models.arrays import Bools, Floats, Ints
from models.evaluation import average_precision
from models.evidence.tail import WINDOW_DAYS
from models.profile.counterparty import Counterparties
from models.teaching.teacher import EVIDENCE_MIN, Teacher
from models.teaching.terms import TERMS
from models.teaching.weights import TaughtWeights, on_scale_of, scale_of, terms_of
from monitor.core.business_day import day_text
from streams.evaluation.levels import (
    DAYS,
    DIGITS,
    Level,
    account_days_of,
    rows_by_account_day,
    transactions_of,
)
from streams.evaluation.runs import SeedRun, dealt
from streams.evaluation.table import TransactionTable
from streams.evaluation.truth import Truth

LEVELS: Final = ("transactions", "account_days")


class Analysts(NamedTuple):
    """How many account-days of a day they review, and how many days later they give the labels."""

    dispositions_per_day: int
    label_after_days: int = 1


class TaughtLevel(NamedTuple):
    """The taught scores of one level, the weights of its last day, and the first taught day."""

    scores: Floats
    weights: TaughtWeights | None
    first_day: int | None
    log_evidence: float


class TaughtRun(NamedTuple):
    """One seed's run with what analysts taught; `run` has the taught scores in place of its own.

    `reviewed` are places of account-days, in the order of their keys.
    """

    run: SeedRun
    reviewed: Ints
    confirmed: int
    transactions: TaughtLevel
    account_days: TaughtLevel


class _Scores:
    """The scores of one level, as they are taught day by day."""

    def __init__(self, day: Ints, terms: Floats, scores: Floats, first_day: int) -> None:
        self.terms, self.before = terms, scores
        self.taught = scores.copy()
        self.weights: TaughtWeights | None = None
        self.first_taught: int | None = None
        is_known = np.isfinite(scores) & (day < first_day)
        if not is_known.any():  # nobody had a score by then: the scale is that of all terms
            is_known = np.isfinite(scores)
        self.teacher = Teacher(scale_of(terms[is_known], scores[is_known]))
        self._order = np.argsort(day, kind="stable")
        self._days = day[self._order]

    def rows(self, first: int, last: int) -> Ints:
        """Return the rows of some days that have a score."""
        start, end = np.searchsorted(self._days, [first, last + 1])
        rows = self._order[start:end]
        scored: Ints = rows[np.isfinite(self.before[rows])]
        return scored

    def begin_day(self, day: int) -> None:
        """Put what was taught before a day into its scores."""
        self.weights = self.teacher.weights(day)
        rows, past = self.rows(day, day), self.rows(day - WINDOW_DAYS, day - 1)
        if self.weights is None or not rows.size or not past.size:
            return
        if self.first_taught is None:
            self.first_taught = day
        weights, before = self.weights, self.before
        self.taught[rows] = on_scale_of(
            weights.taught(self.terms[rows], before[rows]),
            weights.taught(self.terms[past], before[past]),
            before[past],
        )

    def give(self, day: int, rows: Ints, is_confirmed: Bools) -> None:
        """Give the dispositions of some rows on a day."""
        self.teacher.give(day, self.terms[rows], self.before[rows], is_confirmed)

    def level(self) -> TaughtLevel:
        return TaughtLevel(self.taught, self.weights, self.first_taught, self.teacher.log_evidence)


def taught_of(
    table: TransactionTable,
    truth: Truth,
    run: SeedRun,
    partitions: int,
    first_day: int,
    analysts: Analysts,
) -> TaughtRun:
    """Let analysts teach from the first judged day on; `run` has its features."""
    keys, taken, of_row = rows_by_account_day(table, run.day)
    whole = account_days_of(table, truth, [run], 0)
    terms = _terms(table, run, partitions, taken, of_row)
    of_days = np.full((keys.size, len(TERMS)), -np.inf)
    np.maximum.at(of_days, of_row, terms)
    score = np.where(np.isnan(run.score), -np.inf, run.score)[taken]
    transactions = _Scores(run.day[taken], terms, score, first_day)
    account_days = _Scores(keys % DAYS, of_days, whole.scores[0], first_day)
    reviewed = [np.empty(0, np.int64)]
    for day in range(first_day, int(run.day.max()) + 1):
        transactions.begin_day(day)
        account_days.begin_day(day)
        rows = account_days.rows(day, day)
        chosen = rows[np.argsort(-account_days.taught[rows], kind="stable")]
        chosen = np.sort(chosen[: analysts.dispositions_per_day])
        labels = whole.is_positive[chosen]
        of_day = transactions.rows(day, day)
        highest = _highest(of_row[of_day], transactions.taught[of_day])
        shown = of_day[highest[np.isin(of_row[of_day[highest]], chosen)]]
        given = day + analysts.label_after_days
        account_days.give(given, chosen, labels)
        transactions.give(given, shown, whole.is_positive[of_row[shown]])
        reviewed.append(chosen)
    scores = np.full(run.score.size, np.nan)
    scores[taken] = transactions.taught
    taught = run._replace(
        score=scores,
        closed_account=keys // DAYS,
        closed_day=keys % DAYS,
        closed_score=account_days.taught,
        features=run.features[:0],
    )
    seen = np.concatenate(reviewed)
    return TaughtRun(
        taught,
        seen,
        int(whole.is_positive[seen].sum()),
        transactions.level(),
        account_days.level(),
    )


def _terms(
    table: TransactionTable, run: SeedRun, partitions: int, taken: Ints, of_row: Ints
) -> Floats:
    """Return the terms of the taken rows, measured as each partition would measure them."""
    amount = np.array([item.amount_minor for item in table.transactions], np.float64) / 100
    names = [item.counterparty_id for item in table.transactions]
    counterparty = np.array([crc32(name.encode()) if name else 0 for name in names], np.int64)
    surprise = np.zeros(amount.size)
    for places in dealt(table, partitions):
        rows = places[run.day[places] > 0]
        surprise[rows] = Counterparties().measure(counterparty[rows], amount[rows])
    return terms_of(run.features[taken], surprise[taken], amount[taken], _places_in(of_row))


def _places_in(groups: Ints) -> Floats:
    """Return for each row how many of its group there are up to it."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    place = np.empty(groups.size)
    place[order] = np.arange(1, groups.size + 1) - np.searchsorted(ordered, ordered)
    return place


def _highest(groups: Ints, scores: Floats) -> Ints:
    """Return the place of the highest score of each group, the first among equal ones."""
    order = np.lexsort((-scores, groups))
    ordered = groups[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: order.size]
    first: Ints = order[is_first]
    return first


def teaching_fields(
    table: TransactionTable,
    truth: Truth,
    taught: Sequence[TaughtRun],
    first_day: int,
    analysts: Analysts,
    untaught: Mapping[str, Sequence[float | None]],
) -> dict[str, Any]:
    """Return the figures of teaching, as `--json` prints them; `untaught` has the AP without."""
    runs = [each.run for each in taught]
    levels = (
        transactions_of(table, truth, runs, first_day),
        account_days_of(table, truth, runs, first_day),
    )
    return {
        "dispositions_per_day": analysts.dispositions_per_day,
        "label_after_days": analysts.label_after_days,
        "labels": [each.reviewed.size for each in taught],
        "labels_too_late": [_too_late(each, analysts) for each in taught],
        "confirmed": [each.confirmed for each in taught],
        "evidence_needed": EVIDENCE_MIN,
        "terms": list(TERMS),
    } | {
        name: _figures(level, [getattr(each, name) for each in taught], untaught[name])
        for name, level in zip(LEVELS, levels, strict=True)
    }


def _too_late(taught: TaughtRun, analysts: Analysts) -> int:
    """Return how many labels are given on the last judged day or later: no score has them."""
    given = taught.run.closed_day[taught.reviewed] + analysts.label_after_days
    return int((given >= taught.run.day.max()).sum())


def _figures(
    level: Level, taught: Sequence[TaughtLevel], untaught: Sequence[float | None]
) -> dict[str, Any]:
    judged = level.only(level.is_judged)
    precise = [average_precision(judged.is_positive, score) for score in judged.scores]
    shown = [None if np.isnan(value) else round(value, DIGITS) for value in precise]
    gains = [
        after - before
        for after, before in zip(shown, untaught, strict=True)
        if after is not None and before is not None
    ]
    return {
        "ap": shown,
        "gain": round(float(np.mean(gains)), DIGITS) if gains else None,
        "taught_from": [None if t.first_day is None else day_text(t.first_day) for t in taught],
        "log_evidence": [round(each.log_evidence, 3) for each in taught],
        "weights": [_weights(each.weights) for each in taught],
    }


def _weights(weights: TaughtWeights | None) -> dict[str, float] | None:
    """Return the weights by the names of what they weigh; None if the score stays as it is."""
    if weights is None:
        return None
    named = zip(TERMS, weights.terms.tolist(), strict=True)
    return {"score": round(weights.of_score(), 3)} | {name: round(w, 3) for name, w in named}
