"""Days near a limit, and days that others open again, stand as their SQL finds them."""

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from monitor.policy.document import policy_of
from tests.support.gauged_streams import (
    DAY,
    HEAD,
    any_items,
    any_policy,
    assert_what_stands,
    with_any_limits,
)
from tests.support.laws import law


@law(300)
@given(st.integers(0, 1 << 32))
def test_days_near_a_limit_stand_as_their_sql_finds_them(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    text = any_policy(rng, rng.randint(1, 6), ratios=0, nears=1)
    # Days stay open for long, so that much comes late to days that later ones count.
    policy = policy_of(re.sub(r'allowed_lateness = "(0|24)h"', 'allowed_lateness = "96h"', text))
    assert_what_stands(rng, policy, any_items(rng, rng.choice([20, 60, 120]), [5, 8, 12, 40]))


@law(60)
@given(st.integers(0, 1 << 32))
def test_what_stands_of_an_account_that_was_alone_is_what_the_sql_finds(seed: int) -> None:
    """It closes its own days; those of others may begin long before, and open these again."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    head = HEAD.format(version=1, zone="UTC", cut_off="00:00", lateness=0).replace("3660d", "3d")
    policy = policy_of(with_any_limits(rng, head, 3, silences=0, ratios=0))
    items = any_items(rng, rng.choice([20, 60]), [12, 40])
    alone = rng.randint(len(items) // 2, len(items))
    behind = rng.randint(10, 30) * DAY
    first = [item._replace(account_id="A0") for item in items[:alone]]
    others = [
        item if item.account_id == "A0" else item._replace(event_time=item.event_time - behind)
        for item in items[alone:]
    ]
    assert_what_stands(rng, policy, first + others)
