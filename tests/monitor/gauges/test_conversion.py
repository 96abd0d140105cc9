"""Limits on all currencies in one base: what stands is what the SQL finds by the policy's rates."""

import random
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Alert, Kind
from monitor.core.business_day import day_of_text, day_text
from monitor.core.money import EXPONENT
from monitor.engine.engine import plain_engine
from monitor.gauges.rates import Rates
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from tests.support.converted_streams import any_rates, converting_policy, items_of_currencies
from tests.support.gauged_streams import Recount, exceeding
from tests.support.laws import law


def assert_is_as_it_says(alert: Alert, rates: Rates) -> None:
    """Fail unless each day's amount times its rate is what the alert adds up, by decimals."""
    said: dict[str, Any] = alert.fields()["evidence"]["converted"]  # type: ignore[index]
    total = Decimal(0)
    without = []
    for its in said["amounts"]:
        currency = its["currency"]
        assert Decimal(its["amount"]) == sum(Decimal(day["amount"]) for day in its["days"])
        for day in its["days"]:
            on = day_of_text(day["business_day"])
            held = [
                rate
                for rate in rates.published.get(currency, ())
                if on - rates.days_most <= rate.day <= on
            ]
            if currency == "EUR":
                assert (day["rate"], day["converted"]) == ("1", day["amount"])
            elif not held:
                assert (day["rate"], day["rate_of"], day["converted"]) == (None, None, None)
                without.append(f"{currency} {day['business_day']}")
                continue
            else:
                last = max(held)
                assert (day["rate"], day["rate_of"]) == (last.text, day_text(last.day))
            exact = Decimal(day["amount"]) / Decimal(day["rate"])
            rounded = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert Decimal(day["converted"]) == rounded
            total += rounded
    assert said.get("without_rate", []) == without
    assert Decimal(said["sum"]) == total == Decimal(alert.value).scaleb(-EXPONENT["EUR"])


@law(160)
@given(st.integers(0, 1 << 32))
def test_what_stands_in_a_base_is_what_the_sql_finds_and_adds_up(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    rates = any_rates(rng, rng.choice(["0d", "1d", "5d"]))
    policy = policy_of(converting_policy(rng, rates, rng.choice([0, 24, 96])))
    assert policy.rates is not None
    items = items_of_currencies(rng, rng.choice([5, 40, 120]))
    recount = Recount(plain_engine(0, PolicyBook([policy]), 1))
    recount.observe_all(rng, items)
    rows = recount.table()
    for limit in policy.gauges:
        found = exceeding(limit, rows, policy.rates)
        assert recount.standing(limit).keys() == found.keys(), limit
    for alert in recount.alerts:
        assert alert.kind is Kind.LIMIT
        assert_is_as_it_says(alert, policy.rates)


@law(80)
@given(st.integers(0, 1 << 32))
def test_rates_of_a_later_version_decide_again_on_open_days(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    early = any_rates(rng, "3d", days=rng.randint(5, 40))
    later = any_rates(rng, "5d")
    first = converting_policy(rng, early, 24 * 365)  # no day closes
    second = first.replace("version = 1", "version = 2").replace(early, later)
    policies = PolicyBook([policy_of(first)])
    engine = plain_engine(0, policies, 1)
    recount = Recount(engine)
    items = items_of_currencies(rng, rng.choice([10, 40, 80]), [3, 12])
    cut = rng.randint(0, len(items))
    recount.observe(items[:cut])
    since = dict(engine.gauging.since)
    policies.add(policy_of(second))
    engine.policies_changed()
    recount.alerts += engine.take_step().alerts
    assert engine.gauging.since == since  # other rates measure the same: no period waits
    recount.observe(items[cut:])
    policy = policies.of_version(2)
    for limit in policy.gauges:
        found = exceeding(limit, recount.table(), policy.rates)
        assert recount.standing(limit).keys() == found.keys(), limit
