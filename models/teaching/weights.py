"""The weights of terms beside a score, by a logistic regression with the score as its offset.

The log-odds of a confirmed suspicion are the score, plus a constant, plus weights times terms. All
weights have a normal prior around 0, so that without dispositions the score is what it was, and few
of them move it little. River's own LogisticRegression has no offset, its l2 draws to 0 what should
be drawn to 1, and its steps depend on the order of a day's dispositions; so the greatest posterior
is found by Newton's method, of ten unknowns.
"""

from typing import Final, NamedTuple

import numpy as np

from models.arrays import Bools, Floats
from models.profile.baseline import AMOUNT_Z, COUNT_Z, HOUR, SUM_Z, VELOCITY
from models.teaching.terms import TERM_MAX

SPREAD: Final = 0.3
"""Of the prior of a term's weight: log-odds for each standard deviation of the term."""

SPREAD_FREE: Final = 10.0
"""Of the constant, and of the weight that is added to the score's own 1: as good as free."""

STEPS_MAX: Final = 100
TOLERANCE: Final = 1e-8
SHARE_MIN: Final = 2.0**-30


class TermScale(NamedTuple):
    """Mean and standard deviation of each term, and of the score (the last)."""

    mean: Floats
    spread: Floats

    def scaled(self, terms: Floats, scores: Floats) -> Floats:
        """Return terms (n, TERMS), clipped, and the score beside them: (n, TERMS + 1)."""
        scaled = (np.column_stack([terms, scores]) - self.mean) / self.spread
        scaled[:, :-1] = np.clip(scaled[:, :-1], -TERM_MAX, TERM_MAX)
        return scaled


class TaughtWeights(NamedTuple):
    """What is added to a score: to the weight of 1 that it has, and for each term on its scale."""

    scale: TermScale
    score: float
    terms: Floats

    def taught(self, terms: Floats, scores: Floats) -> Floats:
        """Return scores with what was taught, on a scale of their own (see `on_scale_of`)."""
        scaled = self.scale.scaled(terms, scores)
        taught: Floats = scores + self.score * scaled[:, -1]
        for column, weight in enumerate(self.terms):  # one by one: no other order of sums
            taught += weight * scaled[:, column]
        return taught

    def of_score(self) -> float:
        """Return the weight of the score itself: 1, and what was added to it."""
        return float(1 + self.score / self.scale.spread[-1])


def terms_of(features: Floats, counterparty_z: Floats, amount: Floats, count: Floats) -> Floats:
    """Return the terms of transactions (n, TERMS); amounts are in hundreds of minor units."""
    return np.column_stack(
        [
            features[:, AMOUNT_Z],
            counterparty_z,
            np.log(amount + 1),
            features[:, HOUR],
            features[:, VELOCITY],
            features[:, SUM_Z],
            features[:, COUNT_Z],
            np.log(count),
        ]
    )


def scale_of(terms: Floats, scores: Floats) -> TermScale:
    """Return the scale of some terms and scores, which are numbers."""
    columns = np.column_stack([terms, scores])
    return TermScale(columns.mean(axis=0), columns.std(axis=0) + 1e-6)


def fitted(columns: Floats, offset: Floats, is_confirmed: Bools, spread: Floats) -> Floats:
    """Return the weights of columns (n, k) with the greatest posterior.

    `spread` has the standard deviation of each weight's prior, whose mean is 0.
    """
    weights = np.zeros(spread.size)
    loss = _loss(columns, offset, is_confirmed, weights, spread)
    for _ in range(STEPS_MAX):
        p = (1 + np.tanh((offset + _times(columns, weights)) / 2)) / 2
        slope = np.einsum("ni,n->i", columns, p - is_confirmed) + weights / spread**2
        weighted = columns * (p * (1 - p))[:, None]
        curve = np.einsum("ni,nj->ij", weighted, columns) + np.diag(1 / spread**2)
        step = np.linalg.solve(curve, slope)
        share = 1.0  # of a Newton step, which may go too far
        nearer = weights - step
        loss_there = _loss(columns, offset, is_confirmed, nearer, spread)
        while loss_there > loss and share > SHARE_MIN:
            share /= 2
            nearer = weights - share * step
            loss_there = _loss(columns, offset, is_confirmed, nearer, spread)
        if loss_there > loss:
            break  # as near as floats come
        weights, loss = nearer, loss_there
        if float(np.abs(step).max()) < TOLERANCE:
            break
    return weights


def _loss(
    columns: Floats, offset: Floats, is_confirmed: Bools, weights: Floats, spread: Floats
) -> float:
    prior = float(((weights / spread) ** 2).sum()) / 2
    return prior - log_likelihood(columns, offset, is_confirmed, weights)


def log_likelihood(columns: Floats, offset: Floats, is_confirmed: Bools, weights: Floats) -> float:
    """Return the logarithm of the probability that weights give to dispositions."""
    log_odds = offset + _times(columns, weights)
    return float((is_confirmed * log_odds - np.logaddexp(0, log_odds)).sum())


def on_scale_of(taught: Floats, taught_before: Floats, before: Floats) -> Floats:
    """Return taught scores as the score that as many records had before they were taught.

    `taught_before` and `before` are the scores of the same records, with the weights and without.
    So scores of days with different weights compare. Beyond the ends the distance to them stays.
    """
    ours, theirs = np.sort(taught_before), np.sort(before)
    below, above = np.minimum(taught - ours[0], 0), np.maximum(taught - ours[-1], 0)
    placed: Floats = np.interp(taught, ours, theirs) + below + above
    return placed


def _times(columns: Floats, weights: Floats) -> Floats:
    product: Floats = np.einsum("ni,i->n", columns, weights)
    return product
