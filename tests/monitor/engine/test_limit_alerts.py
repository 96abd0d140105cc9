"""What is told of a day, by how its total stands to the limit and what was told before."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.account import Account, AccountDay
from monitor.core.alert import Alert, Cause
from monitor.core.business_day import day_of_text
from monitor.core.threshold import LimitSet, Threshold
from monitor.engine.engine import Engine
from monitor.engine.limit_alerts import retell, tell
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from tests.support.transactions import POLICY, book, observed, transaction

MONDAY = day_of_text("2026-01-05")
POLICY_500 = policy_of(POLICY)
AMOUNT = POLICY_500.thresholds[0]
CAUSE = Cause("T1", 0, 0, 0)


def a_day() -> tuple[Account, AccountDay]:
    account = Account("A1", 0, "0 ")
    account_day = AccountDay(account, MONDAY)
    account.days = (account_day,)
    return account, account_day


def told_at(account: Account, account_day: AccountDay, cents: int) -> Alert | None:
    """Tell of the day as if its debits came to so many cents."""
    account_day.totals_in("EUR")[1] = cents
    return tell(account, account_day, AMOUNT, POLICY_500, CAUSE)


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        ([], 50_000, None), ([], 50_001, "raised"),
        ([50_001], 50_001, None), ([50_001], 60_000, "restated"), ([60_000], 50_001, "restated"),
        ([50_001], 50_000, "withdrawn"), ([50_001], 0, "withdrawn"),
        ([50_001, 50_000], 50_000, None), ([50_001, 50_000], 50_001, "raised"),
        ([50_001, 60_000, 0, 50_001], 50_000, "withdrawn"),
    ],
)  # fmt: skip
def test_what_is_told(before: list[int], now: int, status: str | None) -> None:
    account, account_day = a_day()
    for cents in before:
        told_at(account, account_day, cents)
    alert = told_at(account, account_day, now)
    assert (alert and alert.status) == status
    if alert is not None:
        assert alert.value == now
        assert alert.value_before == (before[-1] if before else None)
        assert alert.revision == len(before) + 1


@given(st.lists(st.sampled_from([0, 49_999, 50_000, 50_001, 60_000]), min_size=1))
def test_the_last_that_was_told_is_how_it_stands(cents: list[int]) -> None:
    account, account_day = a_day()
    alerts = [told for value in cents if (told := told_at(account, account_day, value)) is not None]
    stands = bool(alerts) and alerts[-1].status != "withdrawn"
    assert stands == (cents[-1] > 50_000)
    assert not stands or alerts[-1].value == cents[-1]
    assert [alert.revision for alert in alerts] == list(range(1, len(alerts) + 1))
    assert len({alert.alert_id for alert in alerts}) <= 1
    for earlier, later in pairwise(alerts):
        assert (later.status == "raised") == (earlier.status == "withdrawn")


def retold(account: Account, account_day: AccountDay, *thresholds: Threshold) -> list[Alert]:
    policy = POLICY_500._replace(version=2, thresholds=thresholds)
    limits = LimitSet(thresholds)
    policies = PolicyBook([POLICY_500, policy._replace(text="another")])
    return list(retell(account, account_day, limits, policies, policy, CAUSE))


def test_a_limit_that_no_longer_decides_is_withdrawn() -> None:
    account, account_day = a_day()
    told_at(account, account_day, 60_000)
    other = AMOUNT._replace(threshold_id="other", above=90_000)
    (alert,) = retold(account, account_day, other)
    assert (alert.threshold.threshold_id, alert.status, alert.revision) == (
        "daily-amount", "withdrawn", 2,
    )  # fmt: skip
    assert alert.evidence["why"] == "another limit decides"
    assert retold(account, account_day, other) == []


@pytest.mark.parametrize(
    ("above", "status"),
    [(60_000, "withdrawn"), (59_999, "restated"), (1, "restated"), (50_000, None)],
)
def test_a_limit_that_was_moved_is_told_anew(above: int, status: str | None) -> None:
    account, account_day = a_day()
    told_at(account, account_day, 60_000)
    alerts = retold(account, account_day, AMOUNT._replace(above=above))
    assert [alert.status for alert in alerts] == ([] if status is None else [status])


def test_a_reversal_down_to_the_limit_withdraws() -> None:
    engine = Engine(0, book())
    items = [transaction("T1", amount="500.00"), transaction("T2", amount="0.01")]
    assert [alert.status for alert in observed(engine, *items).alerts] == ["raised"]
    step = observed(engine, transaction("T3", amount="0.01", reverses="T2"))
    (alert,) = step.alerts
    assert (alert.status, alert.value, alert.value_before) == ("withdrawn", 50_000, 50_001)
