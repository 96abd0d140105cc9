"""Limits of later versions of a policy tell what their SQL finds in what they measured whole."""

import random

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.business_day import day_text
from monitor.engine.engine import plain_engine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from tests.support.gauged_streams import (
    Recount,
    Standing,
    any_items,
    any_policy,
    exceeding,
    with_any_limits,
)
from tests.support.laws import law


@law(300)
@given(st.integers(0, 1 << 32))
def test_near_limits_of_a_later_version_stand_as_the_sql_finds_them_in_what_it_measured(
    seed: int,
) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    assert_of_a_later_version(rng, {"silences": 0, "ratios": 0, "nears": 1})


@law(300)
@given(st.integers(0, 1 << 32))
def test_silences_and_ratios_of_a_later_version_stand_as_the_sql_finds_them_in_what_it_measured(
    seed: int,
) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    assert_of_a_later_version(rng, {"silences": 1, "ratios": 0.5, "nears": 0})


def assert_of_a_later_version(rng: random.Random, shares: dict[str, float]) -> None:
    """Fail where limits of a later version tell of anything but what they measured whole."""
    first = any_policy(rng, 1, silences=0, ratios=0)
    head = first.split("[[limit]]")[0].replace("version = 1", "version = 2")
    policies = PolicyBook([policy_of(first)])
    engine = plain_engine(0, policies, 1)
    recount = Recount(engine)
    items = any_items(rng, rng.choice([10, 30, 60]), [12, 40])
    cut = rng.randint(1, len(items))
    recount.observe(items[:cut])
    later = with_any_limits(rng, head, 2, **shares).replace('id = "g', 'id = "h')
    policies.add(policy_of(later))
    engine.policies_changed()
    for item in items[cut:]:
        recount.observe([item])
    for limit in policies.of_version(2).gauges:
        since = engine.gauging.since[limit.gauge.name]
        first_day = day_text(since) if since else ""
        first_told = day_text(since + limit.gauge.days_before) if since else ""
        rows = [row for row in recount.table() if str(row[1]) >= first_day]
        found = {stands for stands in exceeding(limit, rows) if str(stands.at) >= first_told}
        assert recount.standing(limit).keys() == found, limit


@law(160)
@given(st.integers(0, 1 << 32))
def test_a_list_that_changes_leaves_no_gap(seed: int) -> None:
    """Each period has the latest list that was there before it began: none goes unwatched."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    listed = 'counterparties = ["P1", "P3", "P9"]'
    first = ""
    while "counterparty_in" not in first:
        first = any_policy(rng, 3, silences=0, ratios=0)
    policies = PolicyBook([policy_of(first)])
    engine = plain_engine(0, policies, 1)
    recount = Recount(engine)
    items = any_items(rng, rng.choice([20, 60, 120]), [12, 40, 80])
    since_of = dict(engine.gauging.since)  # those of superseded versions are forgotten at last
    for version, names in ((2, ["P2", "P9"]), (3, ["P1", "P2"])):
        cut = rng.randint(0, len(items) // 2)
        recount.observe(items[:cut])
        items = items[cut:]
        text = first.replace(listed, f"counterparties = {names}")
        policies.add(policy_of(text.replace("version = 1", f"version = {version}")))
        engine.policies_changed()
        since_of = engine.gauging.since | since_of  # one that is back measures from later on
        recount.alerts += engine.take_step().alerts
    while items:
        size = rng.randint(1, 20)
        recount.observe(items[:size])
        items = items[size:]
    rows = recount.table()
    of_days = (each for each in policies.of_version(1).gauges if not each.gauge.period.is_rolling)
    for stated in of_days:
        found: dict[Standing, int] = {}
        for version in (1, 2, 3):
            gauges = policies.of_version(version).gauges
            limit = next(each for each in gauges if each.limit_id == stated.limit_id)
            since = since_of[limit.gauge.name]
            begins = day_text(since + limit.gauge.days_before) if since else ""
            before = {stands: its for stands, its in found.items() if str(stands.at) < begins}
            now = exceeding(limit, rows).items()
            found = before | {stands: its for stands, its in now if str(stands.at) >= begins}
        assert recount.standing(stated).keys() == found.keys(), stated
