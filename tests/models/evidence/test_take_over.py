"""The take-over filter says what Bayes' rule says of two states, and forgets as the chain does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evidence.evidence import (
    ENTRIES_A_DAY,
    EVIDENCE_MAX,
    ODD_SHARE,
    ODD_SHARE_TAKEN_OVER,
    STAY_DAYS,
    after,
    log_odds,
    updated,
)

DAY = 86_400.0
AT_REST = ENTRIES_A_DAY / (ENTRIES_A_DAY + 1 / STAY_DAYS)
ODD, USUAL = 5e3, 0.05
"""Evidence of an odd payment, and the least that there is: of one that everybody makes."""


def chain(probability: float, days: float, steps: int = 4096) -> float:
    """Return the probability after so many days, in many small steps of the two-state chain."""
    part = days / steps
    step = np.array([
        [1 - ENTRIES_A_DAY * part, ENTRIES_A_DAY * part],
        [part / STAY_DAYS, 1 - part / STAY_DAYS],
    ])  # fmt: skip
    states = np.array([1 - probability, probability]) @ np.linalg.matrix_power(step, steps)
    return float(states[1])


def bayes(probability: float, evidence: float) -> tuple[float, float]:
    """Return what a payment makes of the probability, and the odds that it is odd.

    By the four cases that there are: whose it is, and whether it is odd. `evidence` is how much
    likelier an odd payment is to look so.
    """
    cases = {
        ("owner", "usual"): (1 - probability) * (1 - ODD_SHARE),
        ("owner", "odd"): (1 - probability) * ODD_SHARE * evidence,
        ("other", "usual"): probability * (1 - ODD_SHARE_TAKEN_OVER),
        ("other", "odd"): probability * ODD_SHARE_TAKEN_OVER * evidence,
    }
    other = sum(weight for (whose, _), weight in cases.items() if whose == "other")
    odd = sum(weight for (_, what), weight in cases.items() if what == "odd")
    total = sum(cases.values())
    return other / total, odd / (total - odd)


probabilities = st.floats(1e-6, 1 - 1e-6)
worths = st.floats(USUAL, EVIDENCE_MAX)


@given(probabilities, worths)
def test_a_payment_counts_as_bayes_rule_has_it(probability: float, evidence: float) -> None:
    expected, odds = bayes(probability, evidence)
    assert updated(probability, evidence) == pytest.approx(expected, rel=1e-9)
    assert log_odds(probability, evidence) == pytest.approx(math.log(odds), rel=1e-9, abs=1e-9)


@given(probabilities, st.floats(0, 60))
def test_between_payments_it_moves_as_the_chain_does(probability: float, days: float) -> None:
    assert after(probability, days * DAY) == pytest.approx(chain(probability, days), rel=2e-2)


def test_an_account_that_is_new_begins_at_rest_and_all_come_to_rest() -> None:
    assert after(0.7, -1.0) == pytest.approx(AT_REST)
    assert chain(AT_REST, 3.0) == pytest.approx(AT_REST)
    for probability in (0.0, 0.5, 1.0):
        assert after(probability, 1000 * DAY) == pytest.approx(AT_REST)
        assert after(probability, 0.0) == pytest.approx(probability)


@given(st.lists(st.tuples(st.floats(0, 30), worths), min_size=1, max_size=30))
def test_a_sequence_of_payments_is_filtered_as_by_the_direct_computation(
    payments: list[tuple[float, float]],
) -> None:
    filtered = direct = AT_REST
    for days, evidence in payments:
        before = after(filtered, days * DAY)
        fades = math.exp(-days * (ENTRIES_A_DAY + 1 / STAY_DAYS))
        moved = direct * (AT_REST + (1 - AT_REST) * fades) + (1 - direct) * AT_REST * (1 - fades)
        direct, odds = bayes(moved, evidence)
        assert log_odds(before, evidence) == pytest.approx(math.log(odds), rel=1e-6, abs=1e-6)
        filtered = updated(before, evidence)
        assert filtered == pytest.approx(direct, rel=1e-6)


def test_a_second_odd_payment_counts_for_more_and_after_weeks_it_does_not() -> None:
    first = log_odds(AT_REST, ODD)
    then = updated(AT_REST, ODD)
    odds = [log_odds(after(then, days * DAY), ODD) for days in (0, 1, 3, 10, 30, 90)]
    assert odds == sorted(odds, reverse=True)
    assert odds[0] > odds[2] > first + math.log(5)
    assert odds[-1] == pytest.approx(first, abs=0.01)


def test_usual_payments_in_between_take_it_back() -> None:
    then = once = updated(AT_REST, ODD)
    for _ in range(20):
        then = updated(after(then, 3600.0), USUAL)
    assert then < AT_REST < once / 10
    assert log_odds(then, ODD) == pytest.approx(log_odds(AT_REST, ODD), abs=0.2)


@given(st.lists(st.tuples(st.floats(-1, 1e8), st.floats(USUAL, 1e308)), max_size=60))
def test_it_stays_a_probability(payments: list[tuple[float, float]]) -> None:
    """Not even a hundred odd payments of one second make it more than one, or what is no number."""
    probability = AT_REST
    for seconds, evidence in payments:
        probability = updated(after(probability, seconds), evidence)
        assert 0 < probability <= 1
        assert 0 < after(probability, 1.0) < 1
        assert math.isfinite(log_odds(probability, evidence))


@given(probabilities, st.floats(EVIDENCE_MAX, 1e300))
def test_one_payment_moves_it_only_so_far(probability: float, evidence: float) -> None:
    assert updated(probability, evidence) == updated(probability, EVIDENCE_MAX)
    odds = updated(probability, evidence) / (1 - updated(probability, evidence))
    assert odds <= probability / (1 - probability) * ODD_SHARE_TAKEN_OVER / ODD_SHARE * 1.001


@given(probabilities, worths, worths)
def test_more_evidence_is_more_of_a_take_over(probability: float, first: float, two: float) -> None:
    less, more = sorted((first, two))
    assert updated(probability, less) <= updated(probability, more)
    assert log_odds(probability, less) <= log_odds(probability, more)
    assert updated(probability, 1.0) == pytest.approx(probability)  # it says nothing
