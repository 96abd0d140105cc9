"""Reviews: which stand follows from the days alone, by a recount; what is told grows and falls."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Alert
from monitor.core.business_day import day_of_text
from monitor.core.transaction import Transaction
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from tests.support.incidents import incident, of_limit, verdicts
from tests.support.laws import law
from tests.support.reviews import (
    LATE,
    REVIEWED,
    day_of,
    listed_days,
    recounted,
    reviews_in,
    standing,
)
from tests.support.transactions import POLICY, book, observed, transaction

DAY = 24
MONDAY = day_of_text("2026-01-05")

# -- laws ----------------------------------------------------------------------------------------

moves = st.tuples(
    st.integers(0, 2),  # account: 0 is of retail
    st.integers(0, 24),  # day
    st.sampled_from([41_000, 48_000, 50_000, 50_001, 60_000, 20_000, 30_000]),
    st.sampled_from(["debit", "debit", "debit", "credit"]),
    st.integers(0, 9),  # 0 takes the move before it back
)
Drawn = list[tuple[int, int, int, str, int]]


def items_of(drawn: Drawn) -> list[Transaction]:
    """Return items; one that takes another back is of the same account and day."""
    items: list[Transaction] = []
    for number, (account, day, cents, direction, reverses) in enumerate(drawn):
        before = items[-1] if items and not reverses and not items[-1].reverses else None
        if before is not None:
            hours = (before.event_time - transaction("T").event_time) / 3_600_000_000
            items.append(before._replace(transaction_id=f"T{number}", reverses=f"T{number - 1}"))
            assert hours >= 0
            continue
        segment = {"segment": "retail"} if account == 0 else {}
        items.append(
            transaction(
                f"T{number}", hours=DAY * day, account_id=f"A{account}", direction=direction,
                amount=f"{cents // 100}.{cents % 100:02d}", **segment,
            )
        )  # fmt: skip
    return items


def all_told(engine: Engine, items: list[Transaction]) -> list[Alert]:
    """Return what is told of items, and of the close of every day after them."""
    last = max((item.event_time for item in items), default=transaction("T").event_time)
    ends = [
        transaction(f"END{days}", account_id="END")._replace(
            event_time=last + days * 86_400_000_000
        )
        for days in (100, 110)
    ]
    return observed(engine, *items, *ends).alerts


@law(90)
@given(st.lists(moves, max_size=50))
def test_the_reviews_that_stand_are_those_of_a_recount(drawn: Drawn) -> None:
    items = sorted(items_of(drawn), key=day_of)
    engine = Engine(0, book(REVIEWED))
    assert standing(all_told(engine, items)) == recounted(items)
    assert engine.ledger.accounts.keys() == {"END"}


@law(90)
@given(st.lists(moves, max_size=40), st.randoms(use_true_random=False))
def test_within_the_lateness_the_order_of_arrival_changes_no_review(
    drawn: Drawn, shuffle: random.Random
) -> None:
    items = [item for item in items_of(drawn) if not item.reverses]
    expected = recounted(items)
    shuffle.shuffle(items)
    assert standing(all_told(Engine(0, book(LATE)), items)) == expected


@law(60)
@given(st.lists(moves, max_size=50), st.lists(st.integers(1, 7), min_size=1))
def test_cutting_a_stream_into_other_runs_tells_the_same(drawn: Drawn, cuts: list[int]) -> None:
    items = sorted(items_of(drawn), key=day_of)
    whole = observed(Engine(0, book(REVIEWED)), *items).alerts
    engine, alerts, place, turn = Engine(0, book(REVIEWED)), [], 0, 0
    while place < len(items):
        size = cuts[turn % len(cuts)]
        alerts += observed(engine, *items[place : place + size]).alerts
        place, turn = place + size, turn + 1
    assert alerts == whole


@law(60)
@given(st.lists(moves, max_size=50))
def test_revisions_count_and_what_is_told_is_new(drawn: Drawn) -> None:
    by_id: dict[str, list[Alert]] = {}
    for alert in reviews_in(all_told(Engine(0, book(REVIEWED)), items_of(drawn))):
        by_id.setdefault(alert.alert_id, []).append(alert)
    for told in by_id.values():
        assert [alert.revision for alert in told] == list(range(1, len(told) + 1))
        assert told[0].status == "raised"
        for earlier, later in pairwise(told):
            assert (later.status == "raised") == (earlier.status == "withdrawn")
            assert later.value_before == earlier.value
            # A day may have come to more, by a record that was late: that is new, too.
            assert later.evidence != earlier.evidence or later.status != earlier.status
        for alert in told:
            assert (alert.value > alert.threshold.above) == (alert.status != "withdrawn")


# -- by example ----------------------------------------------------------------------------------


def spent(engine: Engine, day: int, amount: str = "600.00", **fields: str) -> list[Alert]:
    """Return the reviews that are told when the account spends an amount on a day."""
    name = fields.pop("name", f"T{day}-{amount}")
    return reviews_in(
        observed(engine, transaction(name, hours=DAY * day, amount=amount, **fields)).alerts
    )


def told(alerts: list[Alert]) -> list[tuple[str, int, int]]:
    return [(alert.status.value, alert.revision, alert.value) for alert in alerts]


def test_the_second_breach_in_the_window_opens_a_review_at_once_and_it_grows() -> None:
    engine = Engine(0, book(REVIEWED))
    assert spent(engine, 0) == []
    (alert,) = spent(engine, 3)
    assert told([alert]) == [("raised", 1, 2)]
    fields = alert.fields()
    assert fields["business_day"] == "2026-01-05"
    assert fields["kind"] == fields["threshold_id"] == "review"
    assert (fields["severity"], fields["limit"], fields["value_before"]) == ("critical", 1, None)
    assert fields["transaction_id"] == "T3-600.00"
    assert alert.evidence["days"] == [
        {
            "business_day": day, "kind": "breach", "threshold_id": "daily-amount",
            "currency": "EUR", "value": "600.00", "limit": "500.00", "times_limit": "1.20",
        }
        for day in ("2026-01-05", "2026-01-08")
    ]  # fmt: skip
    assert told(spent(engine, 5)) == [("restated", 2, 3)]
    assert spent(engine, 5, "1.00") == []  # the day counts once


def test_a_window_that_is_a_day_too_long_opens_none() -> None:
    engine = Engine(0, book(REVIEWED))
    assert [*spent(engine, 0), *spent(engine, 4)] == []
    assert told(spent(engine, 7)) == [("raised", 1, 2)]


def test_after_a_quiet_window_another_review_may_open() -> None:
    engine = Engine(0, book(REVIEWED))
    alerts = [alert for day in (0, 1, 5, 10, 11) for alert in spent(engine, day)]
    assert told(alerts) == [("raised", 1, 2), ("restated", 2, 3), ("raised", 1, 2)]
    assert [alert.business_day - MONDAY for alert in alerts] == [0, 0, 10]


def test_near_days_count_half_and_only_when_they_close() -> None:
    engine = Engine(0, book(REVIEWED))
    amounts = ["400.00", "400.01", "500.00", "450.00", "499.99"]
    alerts = [a for day, amount in enumerate(amounts) for a in spent(engine, day, amount)]
    assert alerts == []  # Tuesday is near, and open until Saturday, 0:00
    assert spent(engine, 7, "1.00") == []  # Tuesday to Thursday have closed
    (alert,) = spent(engine, 8, "1.00")
    assert told([alert]) == [("raised", 1, 2)]
    assert listed_days(alert) == [(MONDAY + day, True) for day in (1, 2, 3, 4)]
    assert alert.evidence["reading"] == "suspicion"
    assert alert.cause.transaction_id is None


def test_a_reversal_withdraws_a_review_and_another_breach_raises_it_again() -> None:
    engine = Engine(0, book(REVIEWED))
    spent(engine, 0)
    spent(engine, 1)
    (alert,) = spent(engine, 1, name="R1", reverses="T1-600.00")
    assert told([alert]) == [("withdrawn", 2, 1)]
    assert alert.evidence["breach_days"] == 1
    assert told(spent(engine, 1, "601.00")) == [("raised", 3, 2)]


def test_a_late_breach_that_is_earlier_gives_the_review_another_first_day() -> None:
    engine = Engine(0, book(REVIEWED))
    spent(engine, 1)
    spent(engine, 2)
    alerts = spent(engine, 0)
    assert told(alerts) == [("withdrawn", 2, 0), ("raised", 1, 3)]
    assert alerts[0].evidence["why"] == "its days are told of in a review with another first day"
    assert [alert.business_day - MONDAY for alert in alerts] == [1, 0]


def test_a_segment_has_a_rule_of_its_own() -> None:
    engine = Engine(0, book(REVIEWED))
    alerts = [a for day in range(3) for a in spent(engine, day, segment="retail")]
    assert told(alerts) == [("raised", 1, 3)]
    assert alerts[0].segment == "retail"
    assert alerts[0].fields()["severity"] == "high"


def test_without_a_rule_there_is_no_review_and_nothing_is_noted() -> None:
    engine = Engine(0, book(POLICY))
    alerts = [a for day in range(9) for a in spent(engine, day)]
    assert alerts == []
    assert all(
        account_day.facts is None for a in engine.ledger.accounts.values() for account_day in a.days
    )


def paid(engine: Engine, day: int, amount: str = "600.00", to: str = "I1", **fields: str) -> None:
    spent(engine, day, amount, counterparty_institution=to, **fields)


@pytest.mark.parametrize(
    ("verdict_fields", "counts"),
    [
        (incident("X", [MONDAY + 1]), False), (incident("X", [MONDAY + 2]), True),
        (incident("X", [MONDAY + 1], verdict="undecided"), True),
        (incident("X", [MONDAY + 1], cause={"type": "branch", "value": "I1"}), True),
        (of_limit("X", [MONDAY + 1], "daily-amount", "business"), False),
        (of_limit("X", [MONDAY + 1], "daily-amount", "savings"), True),
        (of_limit("X", [MONDAY + 1], "daily-amount"), True),
        (of_limit("X", [MONDAY + 1], "daily-count", "business"), True),
    ],
)  # fmt: skip
def test_an_explained_day_counts_no_more_and_counts_again_when_it_is_not(
    verdict_fields: dict[str, object], *, counts: bool
) -> None:
    engine = Engine(0, book(REVIEWED))
    spent(engine, 0, segment="business")
    paid(engine, 1, segment="business")
    engine.set_verdicts(verdicts(verdict_fields))
    alerts = reviews_in(engine.take_step().alerts)
    assert told(alerts) == ([] if counts else [("withdrawn", 2, 1)])
    if not counts:
        assert alerts[0].evidence["grouped_days"] == ["2026-01-06"]
        assert alerts[0].evidence["incident_ids"] == ["X"]
        assert alerts[0].evidence["why"] == "days that a systemic alert explains do not count"
    engine.set_verdicts(verdicts())
    assert told(reviews_in(engine.take_step().alerts)) == ([] if counts else [("raised", 3, 2)])


def test_a_review_keeps_its_id_if_its_first_day_is_explained() -> None:
    engine = Engine(0, book(REVIEWED))
    paid(engine, 0)
    paid(engine, 1, to="I2")
    engine.set_verdicts(verdicts(incident("X", [MONDAY])))
    assert told(reviews_in(engine.take_step().alerts)) == [("withdrawn", 2, 1)]
    (alert,) = spent(engine, 2)
    assert (told([alert]), alert.business_day) == ([("raised", 3, 2)], MONDAY)
    assert [day for day, _ in listed_days(alert)] == [MONDAY + 1, MONDAY + 2]


def test_a_review_whose_days_are_explained_from_the_start_is_told_once_as_withdrawn() -> None:
    engine = Engine(0, book(REVIEWED))
    engine.set_verdicts(verdicts(incident("X", [MONDAY, MONDAY + 1])))
    paid(engine, 0)
    (alert,) = spent(engine, 1, counterparty_institution="I1")
    assert told([alert]) == [("withdrawn", 1, 0)]
    assert alert.evidence["days"] == []


def test_a_near_day_raises_no_alert_so_nothing_explains_it() -> None:
    engine = Engine(0, book(REVIEWED))
    for day in range(4):
        paid(engine, day, "450.00", name=f"N{day}")
    days = range(MONDAY, MONDAY + 4)
    engine.set_verdicts(verdicts(incident("X", days), of_limit("Y", days, "daily-amount")))
    (alert,) = spent(engine, 7, "1.00")
    assert told([alert]) == [("raised", 1, 2)]


def test_a_review_is_restated_when_the_alert_of_an_open_day_is() -> None:
    engine = Engine(0, book(REVIEWED))
    spent(engine, 0)
    spent(engine, 1)
    assert spent(engine, 1, "50.00") == []  # growth within the day is not told again
    spent(engine, 2, "1.00")
    (alert,) = spent(engine, 1, "70.00")  # it has ended, and is open: its alert is restated
    assert told([alert]) == [("restated", 2, 2)]
    assert [listed_day["value"] for listed_day in alert.evidence["days"]] == ["600.00", "720.00"]  # type: ignore[attr-defined]


def test_a_day_over_two_limits_counts_while_one_of_them_is_not_explained() -> None:
    engine = Engine(0, book(REVIEWED))
    spent(engine, 0)
    for number in range(4):
        spent(engine, 1, "200.00", name=f"N{number}")
    amounts = of_limit("X", [MONDAY + 1], "daily-amount")
    engine.set_verdicts(verdicts(amounts))
    (alert,) = reviews_in(engine.take_step().alerts)  # another limit of the day is shown now
    assert (told([alert]), alert.evidence["days"][1]["threshold_id"]) == (  # type: ignore[index]
        [("restated", 3, 2)], "daily-count",
    )  # fmt: skip
    engine.set_verdicts(verdicts(amounts, of_limit("Y", [MONDAY + 1], "daily-count")))
    assert told(reviews_in(engine.take_step().alerts)) == [("withdrawn", 4, 1)]


def version(number: int, text: str) -> str:
    return text.replace("version = 1", f"version = {number}")


def test_a_policy_that_comes_at_run_time_recounts_the_open_days() -> None:
    policies = book(POLICY)
    engine = Engine(0, policies)
    spent(engine, 0)
    spent(engine, 1, "490.00")
    spent(engine, 2)
    policies.add(policy_of(version(2, POLICY + "[review]\ndays = 2\nwindow_days = 4\n")))
    engine.policies_changed()
    (raised,) = reviews_in(engine.take_step().alerts)
    assert told([raised]) == [("raised", 1, 2)]
    assert raised.cause.transaction_id is None
    policies.add(policy_of(version(3, POLICY + "[review]\ndays = 3\nwindow_days = 4\n")))
    engine.policies_changed()
    assert told(reviews_in(engine.take_step().alerts)) == [("withdrawn", 2, 2)]
    policies.add(policy_of(version(4, POLICY + "[review]\ndays = 1\nwindow_days = 4\n")))
    engine.policies_changed()
    assert told(reviews_in(engine.take_step().alerts)) == [("raised", 3, 2)]
    policies.add(policy_of(version(5, POLICY)))
    engine.policies_changed()
    (gone,) = reviews_in(engine.take_step().alerts)
    assert gone.evidence["why"] == "no review is stated for the account any more"


def test_an_account_is_kept_while_its_days_may_count_and_forgotten_then() -> None:
    engine = Engine(0, book(REVIEWED))
    spent(engine, 0)
    for day in range(1, 14):
        spent(engine, day, "1.00", account_id="A2")
        has_closed = day >= 4  # the lateness is three days
        may_count = day - 3 < 6  # a first open day within the longest window
        assert ("A1" in engine.ledger.accounts) == (not has_closed or may_count), day
    assert sum(len(accounts) for accounts in engine.reviews._expiries.values()) == 0


def test_a_review_of_many_months_lists_two_of_them_and_counts_them_all() -> None:
    engine = Engine(0, book(REVIEWED))
    alerts = [spent(engine, day) for day in range(200)]
    (alert,) = alerts[-1]
    assert (alert.value, alert.revision, alert.business_day) == (200, 199, MONDAY)
    assert alert.evidence["breach_days"] == 200
    assert len(listed_days(alert)) == 62
    assert len(engine.ledger.accounts["A1"].review.closed) <= 62  # type: ignore[union-attr]


def test_a_day_that_falls_from_over_to_near_counts_as_near_only_when_it_closes() -> None:
    engine = Engine(0, book(REVIEWED))
    spent(engine, 0)
    spent(engine, 2)
    spent(engine, 1, "450.00")
    (grown,) = spent(engine, 1, "151.00")
    assert listed_days(grown) == [(MONDAY + day, False) for day in range(3)]
    (fallen,) = spent(engine, 1, "151.00", name="R", reverses="T1-151.00")
    assert listed_days(fallen) == [(MONDAY + day, False) for day in (0, 2)]
    alerts = [*spent(engine, 5, "1.00"), *spent(engine, 6, "1.00")]  # Tuesday has closed
    assert [listed_days(alert)[1] for alert in alerts] == [(MONDAY + 1, True)]


def test_a_closed_day_that_is_not_emitted_yet_counts_no_more_once_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(0, book(REVIEWED))
    spent(engine, 0)
    assert told(spent(engine, 1)) == [("raised", 1, 2)]
    monkeypatch.setattr(engine, "close_account_days", lambda _: None)
    assert spent(engine, 100, "1.00", account_id="A2") == []
    assert len(engine.ledger.accounts["A1"].days) == 2
    assert engine.ledger.accounts["A1"].review is None
    assert spent(engine, 102) == []
    assert told(spent(engine, 103)) == [("raised", 1, 2)]
