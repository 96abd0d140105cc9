import random
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Alert
from monitor.core.business_day import day_text
from monitor.core.transaction import Reason, Transaction
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from tests.support.laws import law
from tests.support.transactions import POLICY, book, observed, transaction

DAY = 24


def told(engine: Engine, *items: Transaction) -> list[tuple[str, str, str]]:
    step = observed(engine, *items)
    return [
        (a.threshold.threshold_id, a.status.value, str(a.fields()["value"])) for a in step.alerts
    ]


# -- at the limit --------------------------------------------------------------------------------


def test_at_the_limit_there_is_no_alert_and_one_cent_above_it_there_is_one() -> None:
    engine = Engine(0, book())
    assert told(engine, transaction("T1", amount="500.00")) == []
    assert told(engine, transaction("T2", amount="0.01")) == [("daily-amount", "raised", "500.01")]
    assert told(engine, transaction("T3", amount="900.00")) == []  # told once a day


def test_at_the_count_limit_there_is_no_alert_and_one_more_is_one() -> None:
    engine = Engine(0, book())
    three = [transaction(f"T{n}", amount="1.00") for n in range(3)]
    assert told(engine, *three) == []
    assert told(engine, transaction("T3", amount="1.00")) == [("daily-count", "raised", "4")]


@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=12))
def test_an_alert_stands_exactly_where_the_sum_is_greater_than_the_limit(cents: list[int]) -> None:
    engine = Engine(0, book())
    items = [transaction(f"T{n}", amount=f"{c // 100}.{c % 100:02d}") for n, c in enumerate(cents)]
    kinds = {name for name, _, _ in told(engine, *items)}
    assert ("daily-amount" in kinds) == (sum(cents) > 50_000)
    assert ("daily-count" in kinds) == (len(cents) > 3)


# -- what belongs to what ------------------------------------------------------------------------


def test_credits_and_other_currencies_are_nothing_to_a_debit_limit_in_euro() -> None:
    engine = Engine(0, book())
    items = (
        transaction("T1", amount="900.00", direction="credit"),
        transaction("T2", amount="900.00", currency="USD"),
        transaction("T3", amount="90000", currency="JPY"),
    )
    assert told(engine, *items) == []


def test_a_count_without_currency_counts_all_currencies() -> None:
    engine = Engine(0, book())
    items = [
        transaction(f"T{n}", amount="1", currency=c)
        for n, c in enumerate(["EUR", "USD", "JPY", "KWD"])
    ]
    assert told(engine, *items) == [("daily-count", "raised", "4")]


def test_each_day_has_a_total_of_its_own() -> None:
    engine = Engine(0, book())
    items = [transaction(f"T{n}", hours=DAY * n, amount="400.00") for n in range(3)]
    assert told(engine, *items) == []


def test_the_most_specific_limit_decides_alone() -> None:
    text = (
        POLICY
        + """
[[limit]]
id = "business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "5000.00"
scope = { segment = "business" }
[[limit]]
id = "a7"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "50.00"
scope = { account = "A7" }
"""
    )
    engine = Engine(0, book(text))
    assert told(engine, transaction("T1", amount="900.00", segment="business")) == []
    assert told(engine, transaction("T2", account_id="A7", amount="60.00", segment="business")) == [
        ("a7", "raised", "60.00")
    ]
    assert told(engine, transaction("T3", account_id="A2", amount="600.00")) == [
        ("daily-amount", "raised", "600.00")
    ]


def test_a_segment_that_comes_later_decides_the_whole_day_anew() -> None:
    text = (
        POLICY
        + """
[[limit]]
id = "business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "5000.00"
scope = { segment = "business" }
"""
    )
    engine = Engine(0, book(text))
    assert told(engine, transaction("T1", amount="900.00")) == [
        ("daily-amount", "raised", "900.00")
    ]
    assert told(engine, transaction("T2", hours=1, amount="1.00", segment="business")) == [
        ("daily-amount", "withdrawn", "900.00")
    ]


# -- duplicates, lateness, reversals -------------------------------------------------------------


def test_a_transaction_sent_twice_counts_once() -> None:
    engine = Engine(0, book())
    step = observed(engine, transaction("T1", amount="400.00"), transaction("T1", amount="400.00"))
    assert [r.reason for _, r in step.rejections] == [Reason.DUPLICATE]
    assert step.alerts == []


def test_the_same_id_on_another_account_is_another_transaction() -> None:
    engine = Engine(0, book())
    step = observed(engine, transaction("T1"), transaction("T1", account_id="A2"))
    assert step.transactions == 2


def test_within_the_lateness_a_day_takes_more_and_past_it_none() -> None:
    engine = Engine(0, book())
    assert told(engine, transaction("T1", amount="400.00")) == []
    assert told(engine, transaction("T2", hours=40, amount="1.00")) == []
    assert told(engine, transaction("T3", amount="101.00")) == [
        ("daily-amount", "raised", "501.00")
    ]
    step = observed(engine, transaction("T4", hours=3.2 * DAY), transaction("T5", amount="9.00"))
    assert [r.reason for _, r in step.rejections] == [Reason.TOO_LATE]
    (closed,) = step.account_days
    assert closed.fields()["totals"][0]["debit_amount"] == "501.00"  # type: ignore[index]
    assert closed.fields()["breaches"] == ["daily-amount"]


def test_what_comes_late_to_a_day_that_alerted_restates_it() -> None:
    engine = Engine(0, book())
    told(engine, transaction("T1", amount="600.00"), transaction("T2", hours=30, amount="1.00"))
    assert told(engine, transaction("T3", amount="50.00")) == [
        ("daily-amount", "restated", "650.00")
    ]


def test_a_reversal_takes_amount_and_count_out_and_may_withdraw_the_alert() -> None:
    engine = Engine(0, book())
    told(engine, transaction("T1", amount="300.00"), transaction("T2", amount="300.00"))
    assert told(engine, transaction("T3", hours=30, amount="300.00", reverses="T2")) == [
        ("daily-amount", "withdrawn", "300.00")
    ]
    assert told(engine, transaction("T4", amount="201.00")) == [
        ("daily-amount", "raised", "501.00")
    ]


# -- laws ----------------------------------------------------------------------------------------

moves = st.tuples(
    st.integers(0, 3),  # account
    st.integers(0, 62),  # hours from Monday, 9:00: on Thursday, 0:00, Monday is closed
    st.integers(1, 40_000),
    st.sampled_from(["debit", "credit"]),
    st.booleans(),  # sent twice
    st.sampled_from([None, None, "retail", "business"]),
)
SEGMENTED = (
    POLICY
    + """
[[limit]]
id = "business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "700.00"
scope = { segment = "business" }
"""
)


def items_of(drawn: list[tuple[int, int, int, str, bool, str | None]]) -> list[Transaction]:
    items = []
    for number, (account, hours, cents, direction, twice, segment) in enumerate(drawn):
        item = transaction(
            f"T{number}", hours=hours, account_id=f"A{account}", direction=direction,
            amount=f"{cents // 100}.{cents % 100:02d}", **({"segment": segment} if segment else {}),
        )  # fmt: skip
        items += [item, item] if twice else [item]
    return items


def standing(alerts: list[Alert]) -> dict[str, tuple[str, str, str, int]]:
    """Return the alerts that stand at last: who, when, under which limit, and no revision."""
    last = {alert.alert_id: alert for alert in alerts}
    return {
        key: (a.account_id, day_text(a.business_day), a.threshold.threshold_id, a.threshold.above)
        for key, a in last.items()
        if a.status.value != "withdrawn"
    }


def totals_of(engine: Engine) -> dict[tuple[str, int], dict[str, list[int]]]:
    return {
        (account.account_id, account_day.day): account_day.totals
        for account in engine.ledger.accounts.values()
        for account_day in account.days
    }


@law(150)
@given(st.lists(moves, max_size=40), st.randoms(use_true_random=False))
def test_within_the_lateness_the_order_of_arrival_changes_nothing(
    drawn: list[tuple[int, int, int, str, bool, str | None]], shuffle: random.Random
) -> None:
    items = items_of(drawn)
    first, second = Engine(0, book(SEGMENTED)), Engine(0, book(SEGMENTED))
    whole = observed(first, *items)
    shuffle.shuffle(items)
    other = observed(second, *items)
    assert totals_of(first) == totals_of(second)
    assert standing(whole.alerts) == standing(other.alerts)
    assert whole.transactions == other.transactions


@law(100)
@given(st.lists(moves, max_size=40), st.lists(st.integers(1, 7), min_size=1))
def test_cutting_a_stream_into_other_runs_changes_nothing(
    drawn: list[tuple[int, int, int, str, bool, str | None]], cuts: list[int]
) -> None:
    items = items_of(drawn)
    whole = observed(Engine(0, book()), *items)
    engine, alerts, rejections = Engine(0, book()), [], []
    place = turn = 0
    while place < len(items):
        size = cuts[turn % len(cuts)]
        step = observed(engine, *items[place : place + size])
        alerts += step.alerts
        rejections += step.rejections
        place, turn = place + size, turn + 1
    assert alerts == whole.alerts
    assert rejections == whole.rejections


@law(100)
@given(st.lists(moves, max_size=40))
def test_the_totals_are_those_of_a_plain_count(
    drawn: list[tuple[int, int, int, str, bool, str | None]],
) -> None:
    engine = Engine(0, book())
    items = items_of(drawn)
    observed(engine, *items)
    plain: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for item in {item.transaction_id: item for item in items}.values():
        booked_on = day_text(item.event_time // 86_400_000_000 + 719_163)
        total = plain[item.account_id, booked_on, item.direction]
        total[0] += 1
        total[1] += item.amount_minor
    counted = {}
    for (account, day), totals in totals_of(engine).items():
        for direction, place in (("debit", 0), ("credit", 2)):
            if totals["EUR"][place]:
                counted[account, day_text(day), direction] = totals["EUR"][place : place + 2]
    assert counted == plain


def test_what_is_delivered_again_is_skipped_and_counted() -> None:
    engine = Engine(0, book())
    items = [transaction(f"T{n}", amount="300.00") for n in range(4)]
    engine.observe(range(4), items)
    engine.take_step()
    engine.observe(range(2, 5), [*items[2:], transaction("T9", amount="1.00")])
    step = engine.take_step()
    assert (step.redelivered, step.transactions, step.rejections) == (2, 1, [])


# -- policies ------------------------------------------------------------------------------------


def test_a_policy_that_comes_at_run_time_decides_the_open_days_anew() -> None:
    policies = book()
    engine = Engine(0, policies)
    told(engine, transaction("T1", amount="600.00"))
    policies.add(
        policy_of(POLICY.replace("version = 1", "version = 2").replace("500.00", "700.00"))
    )
    engine.policies_changed()
    (alert,) = engine.take_step().alerts
    assert (alert.status.value, alert.policy_version) == ("withdrawn", 2)
    policies.add(
        policy_of(POLICY.replace("version = 1", "version = 3").replace("500.00", "550.00"))
    )
    engine.policies_changed()
    (alert,) = engine.take_step().alerts
    assert (alert.status.value, alert.policy_version, alert.revision) == ("raised", 3, 3)


def test_a_policy_decides_only_from_its_day_on() -> None:
    policies = book()
    later = POLICY.replace("version = 1", 'version = 2\neffective_from = "2026-01-06"')
    policies.add(policy_of(later.replace("500.00", "50.00")))
    engine = Engine(0, policies)
    assert told(engine, transaction("T1"), transaction("T2", hours=DAY)) == [
        ("daily-amount", "raised", "100.00")
    ]
