"""Weights: the greatest posterior, near to what was before, and scores that compare."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from models.arrays import Bools, Floats
from models.teaching.terms import TERM_MAX, TERMS
from models.teaching.weights import (
    SPREAD,
    TaughtWeights,
    fitted,
    log_likelihood,
    on_scale_of,
    scale_of,
    terms_of,
)
from tests.support.laws import law

seeds = st.integers(0, 10_000)


def drawn(seed: int, count: int, columns: int = 4) -> tuple[Floats, Floats, Bools]:
    """Columns, offsets and labels that depend on both."""
    rng = np.random.default_rng(seed)
    x, offset = rng.normal(size=(count, columns)), rng.normal(0, 3, count)
    return x, offset, rng.random(count) < 1 / (1 + np.exp(-offset - x[:, 0]))


@given(seeds, st.integers(1, 200), st.sampled_from([0.1, 0.3, 3.0, 10.0]))
@law(100)
def test_no_step_away_from_the_weights_is_more_probable(
    seed: int, count: int, spread: float
) -> None:
    x, offset, is_confirmed = drawn(seed, count)
    offset *= 5
    spreads = np.array([10.0, spread, spread, spread])

    def posterior(weights: Floats) -> float:
        prior = (weights / spreads) @ (weights / spreads) / 2
        return log_likelihood(x, offset, is_confirmed, weights) - float(prior)

    weights = fitted(x, offset, is_confirmed, spreads)
    best = posterior(weights)
    for step in (*np.eye(4), *-np.eye(4)):
        assert posterior(weights + 1e-3 * step) < best


@given(seeds, st.sampled_from([0.1, 1.0, 5.0]))
@law(20)
def test_without_an_offset_the_weights_are_scikit_learns(seed: int, spread: float) -> None:
    x, _, is_confirmed = drawn(seed, 200)
    theirs = LogisticRegression(C=spread**2, fit_intercept=False, tol=1e-10, max_iter=1000)
    theirs.fit(x, is_confirmed)
    ours = fitted(x, np.zeros(200), is_confirmed, np.full(4, spread))
    np.testing.assert_allclose(ours, theirs.coef_[0], atol=1e-5)


def test_the_likelihood_is_a_plain_product() -> None:
    x, offset, is_confirmed = drawn(3, 20)
    weights = np.array([0.5, -0.2, 0.0, 0.1])
    p = 1 / (1 + np.exp(-offset - x @ weights))
    expected = np.prod(np.where(is_confirmed, p, 1 - p))
    found = np.exp(log_likelihood(x, offset, is_confirmed, weights))
    assert found == pytest.approx(expected)


def test_few_labels_move_a_weight_less_than_many() -> None:
    spread = np.full(4, SPREAD)
    x, offset, is_confirmed = drawn(1, 2000)
    few = fitted(x[:4], offset[:4], is_confirmed[:4], spread)
    many = fitted(x, offset, is_confirmed, spread)
    assert np.abs(few).max() < SPREAD < many[0]


@given(seeds, st.integers(1, 300))
def test_what_was_not_changed_stays_and_no_order_is_lost(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    before, taught = rng.normal(size=count), rng.normal(size=50) * 2
    np.testing.assert_allclose(on_scale_of(taught, before, before), taught, atol=1e-12)
    placed = on_scale_of(taught, before * 3 + 1, before)
    assert (np.diff(placed[np.argsort(taught)]) >= 0).all()


def test_a_taught_score_is_put_where_as_many_scores_are_greater() -> None:
    before = np.random.default_rng(0).normal(size=4001)
    taught = np.exp(before)
    placed = on_scale_of(np.quantile(taught, [0.1, 0.5, 0.99]), taught, before)
    np.testing.assert_allclose(placed, np.quantile(before, [0.1, 0.5, 0.99]), atol=1e-6)


def test_terms_are_clipped_and_the_score_is_not() -> None:
    rng = np.random.default_rng(0)
    terms, scores = rng.normal(5, 2, (500, len(TERMS))), rng.normal(1, 3, 500)
    scale = scale_of(terms, scores)
    scaled = scale.scaled(terms, scores)
    np.testing.assert_allclose(scaled[:, -1].std(), 1, atol=1e-5)
    far = scale.scaled(terms[:1] + 1e6, scores[:1] + 1e6)
    np.testing.assert_array_equal(far[0, :-1], np.full(len(TERMS), TERM_MAX))
    assert far[0, -1] > 1e5


def test_a_taught_score_is_the_score_and_weights_times_terms() -> None:
    rng = np.random.default_rng(2)
    terms, scores = rng.normal(size=(50, len(TERMS))), rng.normal(size=50)
    scale = scale_of(terms, scores)
    nothing = TaughtWeights(scale, 0.0, np.zeros(len(TERMS)))
    np.testing.assert_array_equal(nothing.taught(terms, scores), scores)
    assert nothing.of_score() == 1
    some = TaughtWeights(scale, -0.5, np.arange(1.0, len(TERMS) + 1))
    scaled = scale.scaled(terms, scores)
    expected = scores - 0.5 * scaled[:, -1] + scaled[:, :-1] @ some.terms
    np.testing.assert_allclose(some.taught(terms, scores), expected)
    assert some.of_score() == pytest.approx(1 - 0.5 / scores.std(), abs=1e-5)


def test_terms_are_the_features_beside_amount_and_counts() -> None:
    features = np.arange(20.0).reshape(2, 10)
    found = terms_of(features, np.array([7.0, 8.0]), np.array([0.0, np.e - 1]), np.array([1.0, 1]))
    assert dict(zip(TERMS, found[1], strict=True)) == {
        "amount_z": 10,
        "counterparty_z": 8,
        "level": 1,
        "hour": 15,
        "velocity": 14,
        "sum_z": 12,
        "count_z": 13,
        "count": 0,
    }
