"""A surprise is evidence as far as it is rarer than others' and than chance; no further."""

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Floats
from models.evidence.evidence import (
    CHANCE_ASKED,
    SCALES,
    T_COUNT,
    W_COUNT,
    beyond_by_chance,
    day_evidence,
    evidence,
    surprise_evidence,
)
from models.evidence.tail import WINDOW_DAYS, Tail, Tails, add, probability
from models.evidence.tail import evidence as worth
from models.kernels import reference
from models.profile.baseline import new_accounts
from tests.support.laws import law

A_DAY = 5000


@cache
def tail_of(seed: int, *, has_bursts: bool) -> Tail:
    """Return the tail of ordinary days, of which some are bursts."""
    surprises = ordinary(seed)
    if has_bursts:
        surprises[::500] = np.linspace(4, 9, surprises[::500].size)
    return learned(surprises).tail


def learned(surprises: Floats) -> Tails:
    """Return tails whose days had these surprises of the day's count, dealt to the days."""
    tails = Tails(SCALES)
    for day, of_day in enumerate(np.array_split(surprises, WINDOW_DAYS), start=1):
        for surprise in of_day:
            add(tails.tail, T_COUNT, surprise)
        tails.finish_day(day)
    return tails


def ordinary(seed: int) -> Floats:
    """Return surprises of account-days that a baseline fits, if somewhat too widely."""
    return 0.8 * np.random.default_rng(seed).normal(size=WINDOW_DAYS * A_DAY)


@law(60)
@given(st.integers(0, 3), st.floats(-4, 12), st.sampled_from((False, True)))
def test_it_is_the_less_of_what_the_tail_and_what_chance_make_of_it(
    seed: int,
    surprise: float,
    has_bursts: bool,  # noqa: FBT001 - drawn
) -> None:
    tail = tail_of(seed, has_bursts=has_bursts)
    found = surprise_evidence(tail, T_COUNT, surprise)
    by_tail, p = evidence(tail, T_COUNT, surprise), probability(tail, T_COUNT, surprise)
    assert found <= by_tail
    if p < CHANCE_ASKED:
        assert found == pytest.approx(min(by_tail, worth(beyond_by_chance(surprise))))
    else:
        assert found == by_tail


def test_the_busiest_of_many_ordinary_days_are_little_evidence() -> None:
    surprises = ordinary(1)
    tail, busiest = learned(surprises).tail, float(surprises.max())
    chance = beyond_by_chance(busiest)
    assert probability(tail, T_COUNT, busiest) < chance / 5
    assert surprise_evidence(tail, T_COUNT, busiest) == worth(chance)


def test_a_burst_is_as_much_evidence_as_its_tail_says() -> None:
    surprises = ordinary(2)
    surprises[::700] = np.linspace(5, 8, surprises[::700].size)
    tail = learned(surprises).tail
    assert surprise_evidence(tail, T_COUNT, 6.5) == evidence(tail, T_COUNT, 6.5) > 5


def test_chance_is_that_of_a_normal_variable() -> None:
    assert beyond_by_chance(0.0) == pytest.approx(0.5)
    assert beyond_by_chance(1.959964) == pytest.approx(0.025, rel=1e-5)
    assert beyond_by_chance(-1.0) + beyond_by_chance(1.0) == pytest.approx(1)
    surprises = np.linspace(-5, 12, 300)
    plain = [reference(beyond_by_chance)(surprise) for surprise in surprises]
    assert [beyond_by_chance(surprise) for surprise in surprises] == plain


def test_an_account_day_has_it_for_its_count() -> None:
    surprises = ordinary(3)
    tail = learned(surprises).tail
    (account,) = new_accounts(1)
    account["day_score"], account["day_count_z"] = -12.0, surprises.max()
    found = day_evidence(account, tail)
    its = W_COUNT * surprise_evidence(tail, T_COUNT, np.float64(account["day_count_z"]))
    assert found == pytest.approx(math.exp(-12.0) + its)


def test_nothing_is_said_while_the_tail_is_not_warm() -> None:
    assert surprise_evidence(Tails(SCALES).tail, T_COUNT, 9.0) == 0
