"""Of what analysts taught: the weights of a day, and what an alert carries to learn from."""

from typing import Final

import numpy as np

from models.learner.columns import DayWeights, DueTaught
from models.learner.learner import DayWants
from models.teaching.terms import TERMS
from monitor.policy.policy import PolicyBook
from monitor.policy.weights import Weights

DIGITS: Final = 6
"""Of what an alert carries; weights are learned from the numbers as they are written."""


def weights_of_day(policies: PolicyBook, day: int) -> DayWants:
    """Return what the policy of a business day, and the weights that hold on it, want of scores."""
    policy, _ = policies.for_day(day)
    if policy.outliers is None or not policy.outliers.is_taught:
        return DayWants(is_on=False)
    version = policies.weights.for_day(day)
    if version is None or version.weights is None:
        return DayWants(is_on=True)
    return DayWants(is_on=True, weights=DayWeights(version.version, *version.weights))


def taught_fields(taught: DueTaught) -> dict[str, object]:
    """Return what an alert's evidence says of it.

    The score before is a logarithm of evidence, terms are in standard deviations of the
    partition's account-days.
    """
    weights = taught.weights
    return {
        "score": round(taught.before, DIGITS),
        "terms": dict(zip(TERMS, np.round(taught.terms, DIGITS).tolist(), strict=True)),
        "one_in_before": taught.one_in_before,
        "version": None if weights is None else weights.version,
        "weights": None if weights is None else Weights(weights.score, weights.terms).fields(),
    }
