"""Tails of counts are those of the laws, added up term by term."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.systemic.tails import binomial_tail, discoveries, gamma_poisson_tail, normal_tail


@given(st.integers(1, 60), st.floats(0.01, 0.9), st.data())
def test_the_binomial_tail_is_the_sum_of_its_terms(
    trials: int, share: float, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, trials))
    exact = sum(
        math.comb(trials, k) * share**k * (1 - share) ** (trials - k)
        for k in range(count, trials + 1)
    )
    expected = 1.0 if count <= trials * share else exact
    assert binomial_tail(count, trials, share) == pytest.approx(expected, rel=1e-6)


@given(st.floats(0.05, 20), st.floats(0.5, 40), st.integers(0, 60))
def test_the_gamma_poisson_tail_is_what_its_terms_leave(
    mean: float, size: float, count: int
) -> None:
    p = mean / (mean + size)
    below = math.fsum(
        math.exp(
            math.lgamma(k + size) - math.lgamma(size) - math.lgamma(k + 1)
            + size * math.log1p(-p) + k * math.log(p)
        )
        for k in range(count)
    )  # fmt: skip
    expected = 1.0 if count <= mean else 1 - below
    assert gamma_poisson_tail(count, mean, size) == pytest.approx(expected, rel=1e-6, abs=1e-10)


def test_tails_at_the_edges() -> None:
    assert normal_tail(0) == 0.5
    assert normal_tail(2.326348) == pytest.approx(0.01, rel=1e-4)
    assert binomial_tail(3, 10, 0.0) == 0.0
    assert binomial_tail(11, 10, 0.5) == 0.0
    assert gamma_poisson_tail(1, 0.0, 1.0) == 0.0


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    assert discoveries([0.001, 0.02, 0.013, 0.9], 0.05) == [True, True, True, False]
    assert discoveries([0.03, 0.9], 0.05) == [False, False]
    assert discoveries([0.001], 0.05, asked=100) == [False]
    assert discoveries([], 0.05) == []
