"""Levels of counterparties: known where they differ, and nothing where they do not."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Floats, Ints
from models.evidence.evidence import Models
from models.kernels import plain
from models.learner.columns import LearnerSettings
from models.learner.learner import Learner
from models.profile.counterparty_levels import given_counterparty, learn_level_of
from tests.support.laws import law

PAYEES = 40
SURPRISES = st.floats(-12, 20)


def empty_models() -> Models:
    return Learner(LearnerSettings(alerts_per_day=1)).models


def taught_by(counterparty: Ints, surprise: Floats) -> Models:
    models = empty_models()
    for who, value in zip(counterparty.tolist(), surprise.tolist(), strict=True):
        learn_level_of(models, who, value)
    return models


def made(spread: float, seed: int) -> tuple[Ints, Floats]:
    """Return payments with counterparties whose levels have such a spread, beside a noise of 1."""
    rng = np.random.default_rng(seed)
    who = rng.integers(1, PAYEES + 1, 8000)
    return who, rng.normal(0, spread, PAYEES + 1)[who] + rng.normal(size=who.size)


@law(20)
@given(st.integers(0, 1000))
def test_where_levels_are_alike_little_is_known_of_any(seed: int) -> None:
    models = taught_by(*made(0.0, seed))
    for payee in range(1, PAYEES + 1):
        surprise, known = given_counterparty(models, payee, 3.0)
        assert known < 0.6
        assert 2.2 < surprise < 3.8


@law(20)
@given(st.integers(0, 1000))
def test_where_levels_differ_an_amount_is_strange_for_its_counterparty_alone(seed: int) -> None:
    who, surprise = made(1.0, seed)
    models = taught_by(np.append(who, [50] * 150), np.append(surprise, [4.0] * 150))
    given_great, known = given_counterparty(models, 50, 4.0)
    assert known > 0.9
    assert given_great < 1.0
    of_nobody, nothing = given_counterparty(models, 51, 4.0)
    assert nothing == 0
    assert of_nobody > given_great + 1


@law(50)
@given(st.lists(st.tuples(st.integers(0, 5), SURPRISES), max_size=60), SURPRISES)
def test_asking_teaches_nothing_and_the_kernels_are_their_plain_functions(
    past: list[tuple[int, float]], value: float
) -> None:
    models = empty_models()
    other = SimpleNamespace(
        places=models.places.copy(), levels=models.levels.copy(), changed=models.changed.copy()
    )
    for who, surprise in past:
        learn_level_of(models, who, surprise)
        plain(learn_level_of)(other, who, surprise)
    for who in range(1, 6):
        first = given_counterparty(models, who, value)
        assert given_counterparty(models, who, value) == first
        np.testing.assert_allclose(plain(given_counterparty)(other, who, value), first, rtol=1e-6)
    assert models.changed.any() == any(who for who, _ in past)


@law(50)
@given(st.floats(3, 1e6))
def test_one_great_amount_does_not_teach_that_great_amounts_are_usual(surprise: float) -> None:
    models = taught_by(*made(1.0, 3))
    before, _ = given_counterparty(models, 7, 8.0)
    learn_level_of(models, 7, surprise)
    after, _ = given_counterparty(models, 7, 8.0)
    assert after > 0.8 * before
