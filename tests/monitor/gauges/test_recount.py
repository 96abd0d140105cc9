"""Limits on gauges: what the engine tells of any stream is what their SQL finds in it."""

import random

from hypothesis import given
from hypothesis import strategies as st

from monitor.policy.document import policy_of
from tests.support.gauged_streams import any_items, any_policy, assert_what_stands
from tests.support.laws import law


@law(400)
@given(st.integers(0, 1 << 32))
def test_what_stands_is_what_the_sql_of_a_limit_finds(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    policy = policy_of(any_policy(rng, rng.randint(1, 6)))
    assert_what_stands(rng, policy, any_items(rng, rng.choice([5, 40, 150])))


@law(600)
@given(st.integers(0, 1 << 32))
def test_days_after_a_silence_stand_as_their_sql_finds_them(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    policy = policy_of(any_policy(rng, rng.randint(1, 3), silences=1, ratios=0))
    assert_what_stands(rng, policy, any_items(rng, rng.choice([10, 30, 60]), [12, 40, 120]))


@law(400)
@given(st.integers(0, 1 << 32))
def test_payments_to_new_counterparties_stand_as_their_sql_finds_them(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    policy = policy_of(any_policy(rng, rng.randint(1, 4), silences=0, news=1, ratios=0))
    assert_what_stands(rng, policy, any_items(rng, rng.choice([10, 40, 100]), [5, 20, 60]))


@law(600)
@given(st.integers(0, 1 << 32))
def test_ratios_to_what_is_usual_stand_as_their_sql_finds_them(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    policy = policy_of(any_policy(rng, rng.randint(1, 3), ratios=1))
    assert_what_stands(rng, policy, any_items(rng, rng.choice([20, 60, 120]), [5, 8, 12, 40]))
