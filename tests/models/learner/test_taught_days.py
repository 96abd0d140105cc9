"""What analysts taught in the scores of account-days: exact, and nothing if nothing was taught."""

from functools import cache

import numpy as np

from models.learner.columns import DayWeights
from models.learner.learner import Learner, Wanted
from models.teaching.terms import TERMS
from tests.support.made_payments import DAY_FIRST, DAYS, SETTINGS, made_payments, small_learner
from tests.support.seen import Seen, assert_same, observed

STREAM = made_payments(5)
COUNT = len(STREAM.row)
OF_COUNT = DayWeights(1, 0.0, tuple(1.5 * (name == "count") for name in TERMS))
OF_HOUR = DayWeights(2, -0.3, tuple(0.8 * (name == "hour") for name in TERMS))
CHANGES = DAY_FIRST + DAYS - 5


def midway(day: int) -> Wanted:
    """Teach the hour after the warm-up, and the count some days later."""
    return Wanted(is_on=True, weights=OF_HOUR if day < CHANGES else OF_COUNT)


def learner_of(weights: DayWeights | None) -> Learner:
    learner = small_learner(SETTINGS)
    learner.weights_of = lambda _: Wanted(is_on=True, weights=weights)
    return learner


@cache
def seen_midway() -> tuple[Learner, Seen]:
    learner = small_learner(SETTINGS)
    learner.weights_of = midway
    return learner, observed(learner, STREAM)


def test_without_weights_all_is_as_if_nothing_was_measured() -> None:
    """Bit for bit: scores, alerts, and what is learned."""
    off, on = small_learner(SETTINGS), learner_of(None)
    without, measured = observed(off, STREAM), observed(on, STREAM)
    assert without.dues
    assert_same(measured, without)
    assert on.accounts.tobytes() == off.accounts.tobytes()
    assert on.budget.tobytes() == off.budget.tobytes()


def test_weights_change_what_is_told_and_not_what_is_learned_of_scores() -> None:
    _, taught = seen_midway()
    without = observed(small_learner(SETTINGS), STREAM)
    told = {(due.record, due.row) for due in taught.dues}
    assert told != {(due.record, due.row) for due in without.dues}
    early = STREAM.day < CHANGES - 10
    np.testing.assert_array_equal(taught.scores[early], without.scores[early])
