"""Learn weights from dispositions, a business day at a time, and use them once they have proved it.

A day's weights are of the dispositions that were given on days before it. They are used only if
terms have said more of dispositions than the score alone: those of each day are predicted by both
before they are learned, and the ratio of the two probabilities, multiplied day by day, is evidence
as that of models/evidence/tail.py is. Where the score alone predicts rightly, it comes to 20 by
chance once in 20 times at most (Ville's inequality); its constant and weight are fitted, so that is
nearly so. Labels that say nothing leave the scores as they were.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Bools, Floats
from models.teaching.terms import TERMS
from models.teaching.weights import (
    SPREAD,
    SPREAD_FREE,
    TaughtWeights,
    TermScale,
    fitted,
    log_likelihood,
)

EVIDENCE_MIN: Final = 20.0

_SPREADS: Final = np.array([SPREAD_FREE, SPREAD_FREE, *[SPREAD] * len(TERMS)])
_ALONE: Final = 2
"""The first columns: the constant and the score. What they say is what the score says alone."""


class _Dispositions(NamedTuple):
    columns: Floats  # 1, the score on its scale, the terms
    scores: Floats
    is_confirmed: Bools

    def in_order(self) -> "_Dispositions":
        """Return them in an order that depends on themselves alone."""
        order = np.lexsort((*self.columns.T, self.scores, self.is_confirmed))
        return _Dispositions(self.columns[order], self.scores[order], self.is_confirmed[order])


class Teacher:
    """What dispositions teach about one kind of score.

    The same dispositions give the same weights, whatever their order within a day, and however
    often they are asked for.
    """

    def __init__(self, scale: TermScale) -> None:
        self._scale = scale
        self._waiting: dict[int, list[_Dispositions]] = {}
        self._learned = _Dispositions(
            np.empty((0, _SPREADS.size)), np.empty(0), np.empty(0, np.bool_)
        )
        self._day = 0
        self._with_terms: Floats | None = None
        self._alone: Floats | None = None
        self._log_evidence = 0.0

    def give(self, day: int, terms: Floats, scores: Floats, is_confirmed: Bools) -> None:
        """Take the dispositions of a business day; `scores` are those before anything was taught.

        Raises ValueError if weights of a later day are known already.
        """
        if day < self._day:
            raise ValueError(f"the dispositions of day {day} come after those of {self._day - 1}")
        scaled = self._scale.scaled(terms, scores)
        columns = np.column_stack([np.ones(scores.size), scaled[:, -1], scaled[:, :-1]])
        given = _Dispositions(columns, scores, is_confirmed)
        self._waiting.setdefault(day, []).append(given)

    def weights(self, day: int) -> TaughtWeights | None:
        """Return the weights of a business day; None if its scores are to stay as they are."""
        self._day = max(self._day, day)
        for given in sorted(given for given in self._waiting if is_known(given, day)):
            parts = self._waiting.pop(given)
            self._learn(_joined(parts).in_order())
        if self._with_terms is None or self._log_evidence < math.log(EVIDENCE_MIN):
            return None
        return TaughtWeights(self._scale, float(self._with_terms[1]), self._with_terms[_ALONE:])

    @property
    def log_evidence(self) -> float:
        """How much more terms have said of dispositions than the score alone, as a logarithm."""
        return self._log_evidence

    def _learn(self, given: _Dispositions) -> None:
        if self._with_terms is not None and self._alone is not None:
            some = given.columns[:, :_ALONE]
            self._log_evidence += log_likelihood(
                given.columns, given.scores, given.is_confirmed, self._with_terms
            ) - log_likelihood(some, given.scores, given.is_confirmed, self._alone)
        self._learned = _joined([self._learned, given])
        columns, scores, is_confirmed = self._learned
        if is_confirmed.any() and not is_confirmed.all():  # else they tell nothing apart
            self._with_terms = fitted(columns, scores, is_confirmed, _SPREADS)
            self._alone = fitted(columns[:, :_ALONE], scores, is_confirmed, _SPREADS[:_ALONE])


def is_known(given: int, day: int) -> bool:
    """Say whether a disposition of a day may be in the scores of another: only of later ones."""
    return given < day


def _joined(parts: list[_Dispositions]) -> _Dispositions:
    return _Dispositions(*(np.concatenate(column) for column in zip(*parts, strict=True)))
