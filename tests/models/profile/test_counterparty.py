"""Amounts given their counterparty: scored before they are learned, and nobody teaches much."""

import numpy as np
import pytest

from models.kernels import reference
from models.profile.counterparty import COUNTERPARTY, PLACES, Counterparties, measure_amounts


def test_an_amount_is_strange_for_its_counterparty_alone() -> None:
    one = Counterparties()
    who = np.tile(np.array([7, 8]), 100)
    one.measure(who, np.tile(np.array([10.0, 1000.0]), 100))
    to_cheap, to_dear = one.measure(np.array([7, 8]), np.array([500.0, 500.0]))
    assert to_cheap > 4
    assert to_dear < 0


def test_an_amount_is_scored_before_it_is_learned() -> None:
    rng = np.random.default_rng(0)
    who, amount = rng.integers(1, 9, 400), rng.lognormal(4, 1, 400)
    whole = Counterparties().measure(who, amount)
    parts = Counterparties()
    cut = [parts.measure(who[s], amount[s]) for s in (slice(0, 150), slice(150, 400))]
    np.testing.assert_array_equal(np.concatenate(cut), whole)
    assert np.abs(whole).max() > 1


def test_nobody_is_not_a_counterparty() -> None:
    one = Counterparties()
    assert one.measure(np.zeros(5, np.int64), np.full(5, 1e6)).tolist() == [0] * 5
    fresh = Counterparties().measure(np.array([3]), np.array([50.0]))
    assert one.measure(np.array([3]), np.array([50.0])) == fresh


def test_one_great_amount_does_not_teach_that_great_amounts_are_usual() -> None:
    one = Counterparties()
    one.measure(np.full(100, 5), np.full(100, 20.0))
    first = one.measure(np.array([5]), np.array([1e6]))
    second = one.measure(np.array([5]), np.array([1e6]))
    assert second > first * 0.6


def test_the_kernel_is_its_plain_function() -> None:
    rng = np.random.default_rng(1)
    who, amount = rng.integers(0, 5, 300), rng.lognormal(4, 2, 300)
    places, whole = np.zeros(PLACES, COUNTERPARTY), np.zeros(1, COUNTERPARTY)
    whole["log_mean"], whole["log_var"] = 4.0, 1.0
    plain = np.zeros(300)
    reference(measure_amounts)(places, whole[0], who, amount, plain)
    assert Counterparties().measure(who, amount) == pytest.approx(plain, abs=1e-12)
