"""Closed days: what gauges told of them stands, whatever limits other days have, and any cut."""

import random

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Alert, Kind, Status
from monitor.core.transaction import Transaction
from monitor.engine.engine import Engine, plain_engine
from monitor.gauges.limit import GaugeLimit
from monitor.gauges.sql import remarks_of
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from tests.support.gauged_streams import any_items, scoped_policies
from tests.support.laws import law
from tests.support.transactions import book, observed, transaction

POLICY = """
version = {version}
[calendar]
time_zone = "UTC"
allowed_lateness = "0h"
leap = "3660d"
"""

NEAR = POLICY.replace("3660d", "3d")

LIMIT = """
[[limit]]
id = "{name}"
measure = "amount"
currency = "EUR"
{lines}
"""


def engine_of(*limits: tuple[str, str]) -> Engine:
    tables = [LIMIT.format(name=name, lines=lines) for name, lines in limits]
    return plain_engine(0, book("".join([POLICY.format(version=1), *tables])), 1)


def of_limits(alerts: list[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.kind is Kind.LIMIT]


def told_by(engine: Engine, *items: Transaction) -> list[tuple[str, Status, object]]:
    alerts = of_limits(observed(engine, *items).alerts)
    return [(alert.threshold.threshold_id, alert.status, alert.value) for alert in alerts]


def spent(name: str, day: float, amount: str, **fields: str) -> Transaction:
    return transaction(name, hours=24 * day, amount=amount, direction="debit", **fields)


# -- laws -----------------------------------------------------------------------------------------


def any_book(rng: random.Random) -> PolicyBook:
    return PolicyBook([policy_of(text) for text in scoped_policies(rng)])


@law(120)
@given(st.integers(0, 1 << 32))
def test_however_a_stream_is_cut_the_same_is_told(seed: int) -> None:
    """Closed account-days are kept until their run ends: nothing may be read from them."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    policies = any_book(rng)
    items = any_items(rng, 80, segments=("s1", "s2", None))
    told = []
    for size in (1, 7, 80):
        engine = plain_engine(0, policies, 1)
        alerts: list[Alert] = []
        for first in range(0, len(items), size):
            alerts += observed(engine, *items[first : first + size]).alerts
        told.append(of_limits(alerts))
    assert told[0] == told[1] == told[2]


@law(120)
@given(st.integers(0, 1 << 32))
def test_what_is_told_of_a_window_stands_once_nothing_of_it_is_open(seed: int) -> None:
    """An alert of a window is of those that overlap the first: it may change while one may."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    policies = any_book(rng)
    limits: dict[str, GaugeLimit] = {
        limit.limit_id: limit for policy in policies.policies for limit in policy.gauges
    }
    engine = plain_engine(0, policies, 1)
    calendar = engine.ledger.calendar
    for item in any_items(rng, 120, segments=("s1", "s2", None)):
        first = engine.ledger.day_open_first
        for alert in of_limits(observed(engine, item).alerts):
            period = limits[alert.threshold.threshold_id].gauge.period
            if period.is_rolling and first is not None and alert.status is not Status.RAISED:
                ends = calendar.end_of(alert.business_day) + period.length
                assert ends > calendar.start_of(first), "all its windows are of closed days"


# -- by example -----------------------------------------------------------------------------------


def test_a_closed_window_keeps_the_limit_of_its_own_scope() -> None:
    engine = engine_of(
        ("for-all", 'window = "3d"\nabove = "11.00"'),
        ("for-s2", 'window = "3d"\nabove = "10.00"\nscope = { segment = "s2" }'),
    )
    assert told_by(engine, spent("T1", 0, "10.50", segment="s2"), spent("T2", 1, "7.50")) == [
        ("for-s2", Status.RAISED, 1050),
        ("for-all", Status.RAISED, 1800),
    ]
    later = spent("O1", 2.9, "0.01", account_id="B"), spent("T3", 3.02, "7.00", segment="s2")
    assert told_by(engine, *later) == [("for-s2", Status.RAISED, 1450)]


def test_a_closed_window_keeps_the_limit_of_its_own_version() -> None:
    versions = [
        POLICY.format(version=1)
        + LIMIT.format(name="old-name", lines='window = "3d"\nabove = "10.00"'),
        POLICY.format(version='2\neffective_from = "2026-01-06"')
        + LIMIT.format(name="new-name", lines='window = "3d"\nabove = "11.00"'),
    ]
    engine = plain_engine(0, PolicyBook([policy_of(text) for text in versions]), 1)
    assert told_by(engine, spent("T1", 0, "10.50"), spent("T2", 1, "7.50")) == [
        ("old-name", Status.RAISED, 1050),
        ("new-name", Status.RAISED, 1800),
    ]
    more = [spent("O1", 2.9, "0.01", account_id="B"), spent("T3", 3.02, "7.00")]
    more.append(
        transaction("T4", hours=24 * 3.03, amount="7.00", direction="credit", reverses="T3")
    )
    assert told_by(engine, *more) == []


def test_a_closed_window_that_no_limit_was_for_is_not_told_of_later() -> None:
    tiers = '[{ above = "6.00", severity = "low" }, { above = "12.00", severity = "critical" }]'
    engine = engine_of(("s1", f'window = "3d"\ntiers = {tiers}\nscope = {{ segment = "s1" }}'))
    items = [spent("T1", 0, "8.00", segment="s1"), spent("T2", 1, "7.00")]
    assert told_by(engine, *items) == [("s1", Status.RAISED, 800)]
    assert told_by(engine, spent("O", 2, "0.01", account_id="B"), spent("T3", 2.02, "1.00")) == []


def test_the_sql_of_a_limit_says_whom_it_is_for() -> None:
    lines = ['period = "month"\nabove = "1.00"', 'scope = { segment = "s1" }']
    tables = [LIMIT.format(name="all", lines=lines[0])]
    tables.append(LIMIT.format(name="of-s1", lines="\n".join(lines)))
    everyone, narrow = policy_of("".join([POLICY.format(version=1), *tables])).gauges
    both = (everyone, narrow)
    assert remarks_of(everyone, both) == (
        "-- Not for whom a more specific limit decides: of-s1 (segment s1).\n"
    )
    assert remarks_of(narrow, both).startswith("-- For segment s1 alone")
    assert remarks_of(everyone, [everyone]) == ""


def test_what_is_withdrawn_over_its_limit_says_why() -> None:
    engine = engine_of(("m", 'period = "month"\nabove = "14.00"\nscope = { segment = "s1" }'))
    items = [spent("T1", 0, "17.50", segment="s1"), spent("T2", 1, "19.00")]
    raised, withdrawn = of_limits(observed(engine, *items).alerts)
    assert (raised.status, withdrawn.status) == (Status.RAISED, Status.WITHDRAWN)
    assert "why" not in raised.evidence
    assert withdrawn.evidence["why"] == "another limit decides"


def test_where_one_limit_has_tiers_the_most_specific_decides_all_the_same() -> None:
    tiers = '[{ above = "20.00", severity = "low" }, { above = "90.00", severity = "high" }]'
    engine = engine_of(
        ("all", f"tiers = {tiers}"), ("b1", 'above = "1000.00"\nscope = { account = "B1" }')
    )
    items = [spent("T1", 0, "30.00", account_id="B1"), spent("T2", 0, "30.00", account_id="B2")]
    assert told_by(engine, *items) == [("all", Status.RAISED, 3000)]
    assert told_by(engine, spent("T3", 0, "999.00", account_id="B1")) == [
        ("b1", Status.RAISED, 102900)
    ]


def test_days_that_an_account_closed_alone_stay_closed_to_it() -> None:
    """A second account opens them again, for itself."""
    limit = LIMIT.format(name="w", lines='window = "2d"\nabove = "100.00"')
    engine = plain_engine(0, book(NEAR.format(version=1) + limit), 1)
    told = [told_by(engine, spent(f"a{day}", day, "150.00")) for day in range(6)]
    assert [len(alerts) for alerts in told] == [1, 0] * 3
    assert told_by(engine, spent("b", 0, "150.00", account_id="A2")) == [
        ("w", Status.RAISED, 15_000)
    ]
    assert told_by(engine, spent("a6", 5.5, "20.00", segment="s1")) == []
    assert told_by(engine, spent("a7", 6, "10.00", segment="s2")) == [("w", Status.RAISED, 18_000)]


def test_what_superseded_versions_measure_is_measured_for_days_that_are_opened_again() -> None:
    first = LIMIT.format(name="w", lines='window = "1h"\nabove = "100.00"')
    engine = plain_engine(0, book(NEAR.format(version=1) + first), 1)
    told_by(engine, spent("a", 0, "90.00"))
    later = NEAR.format(version=2).replace("[cal", 'effective_from = "2026-01-07"\n[cal', 1)
    limit = LIMIT.format(name="other", lines='above = "900.00"')
    engine.policies.add(policy_of(later + limit))
    engine.policies_changed()
    told_by(engine, *[spent(f"a{day}", day, "90.00") for day in range(1, 20)])
    assert told_by(engine, spent("b", 0.5, "150.00", account_id="A2")) == [
        ("w", Status.RAISED, 15_000)
    ]


def test_a_later_version_decides_on_open_days_in_their_order() -> None:
    """Whichever came first: after a recovery it is another one."""
    head = POLICY.replace("0h", "96h")
    text = head + LIMIT.format(name="w", lines='window = "1h"\nabove = "{above}"')
    engine = plain_engine(0, book(text.format(version=1, above="900.00")), 1)
    told_by(engine, spent("a", 2, "50.00"), spent("b", 0, "50.00"))
    engine.policies.add(policy_of(text.format(version=2, above="40.00")))
    engine.policies_changed()
    days = [alert.business_day for alert in of_limits(engine.take_step().alerts)]
    assert len(days) == 2
    assert days == sorted(days)
