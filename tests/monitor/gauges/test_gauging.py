"""Limits on gauges: where a window ends, how an alert climbs, what reversals take out."""

from itertools import pairwise
from typing import Any

import pytest

from monitor.core.alert import Alert, Kind, Status
from monitor.core.business_day import event_time_text
from monitor.core.gauged import gauged_fields, gauged_of
from monitor.core.names import NameList
from monitor.core.transaction import Transaction
from monitor.engine import gauging
from monitor.engine.engine import Engine, plain_engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.explain.comparison import parts_of
from monitor.gauges.gauge import RATIO_MAX
from monitor.gauges.paid import PAID
from monitor.gauges.telling import NAMES_SAID
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.state.keys import packed, unpacked
from tests.support.transactions import book, observed, transaction

HEAD = """
version = {version}
[calendar]
time_zone = "UTC"
leap = "3660d"
[[limit]]
id = "x"
"""


def engine_of(*lines: str) -> Engine:
    return plain_engine(0, book("\n".join([HEAD.format(version=1), *lines])), 1)


def told_by(engine: Engine, *items: Transaction) -> list[Alert]:
    return [alert for alert in observed(engine, *items).alerts if alert.kind is Kind.LIMIT]


def measured_by(alert: Alert) -> dict[str, Any]:
    measured = alert.evidence["measured"]
    assert isinstance(measured, dict)
    return measured


def said(alerts: list[Alert]) -> list[tuple[Status, object]]:
    return [(alert.status, alert.fields()["value"]) for alert in alerts]


COUNT = ('measure = "count"', 'window = "1h"', "above = 1")


def test_a_window_has_its_end_and_not_its_begin() -> None:
    alerts = told_by(
        engine_of(*COUNT),
        transaction("a", hours=0),
        transaction("b", hours=1),  # an hour later, to the microsecond: out of the window
        transaction("c", hours=1.999),
    )
    assert said(alerts) == [(Status.RAISED, 2)]
    assert measured_by(alerts[0]) == {
        "measure": "count",
        "period": "1h",
        "from": "2026-01-05T09:59:56.400000Z",
        "to": "2026-01-05T10:59:56.400000Z",
    }


def test_windows_that_overlap_the_first_are_one_alert_and_the_next_is_another() -> None:
    rows = [transaction(f"t{n}", hours=n / 4) for n in range(7)]  # 0, 15, .. 90 minutes
    alerts = told_by(engine_of(*COUNT), *rows)
    assert said(alerts) == [(Status.RAISED, 2), (Status.RAISED, 4)]
    assert [measured_by(alert)["to"][11:16] for alert in alerts] == ["09:15", "10:15"]


def test_a_late_row_restates_an_alert_whose_windows_are_over_and_may_begin_it_earlier() -> None:
    engine = engine_of(*COUNT)
    rows = [transaction("a", hours=0), transaction("b", hours=0.5), transaction("c", hours=9)]
    others = [transaction("o", hours=9, account_id="A2")]  # the clock goes by two accounts
    assert said(told_by(engine, *rows, *others)) == [(Status.RAISED, 2)]
    assert said(told_by(engine, transaction("d", hours=0.6))) == [(Status.RESTATED, 3)]
    earlier = told_by(engine, transaction("e", hours=-0.5))
    assert said(earlier) == [(Status.RAISED, 3), (Status.WITHDRAWN, 2)]


def test_an_alert_climbs_its_tiers_and_is_told_at_each() -> None:
    engine = engine_of(
        'measure = "amount"',
        'currency = "EUR"',
        'period = "week"',
        'tiers = [{ above = "150.00", severity = "low" },'
        ' { at_least = "400.00", severity = "high" }]',
    )
    rows = [transaction(f"t{n}", hours=24 * n) for n in range(5)]
    alerts = told_by(engine, *rows)
    assert said(alerts) == [(Status.RAISED, "200.00"), (Status.RESTATED, "400.00")]
    assert [alert.threshold.severity for alert in alerts] == ["low", "high"]
    assert [alert.fields()["limit"] for alert in alerts] == ["150.00", "399.99"]
    assert len({alert.alert_id for alert in alerts}) == 1


def test_a_reversal_takes_its_transaction_out_of_what_it_was_measured_by() -> None:
    engine = engine_of(
        'measure = "largest"', 'currency = "EUR"', 'period = "month"', 'above = "150.00"'
    )
    alerts = told_by(
        engine,
        transaction("a", amount="200.00"),
        transaction("b", amount="180.00", hours=1),
        transaction("r", amount="100.00", hours=2, reverses="a"),
        transaction("s", amount="180.00", hours=3, reverses="b"),
        transaction("t", amount="180.00", hours=4, reverses="s"),
    )
    assert said(alerts) == [
        (Status.RAISED, "200.00"),
        (Status.RESTATED, "180.00"),
        (Status.WITHDRAWN, "100.00"),
        (Status.RAISED, "180.00"),
    ]


@pytest.mark.parametrize("when", ['window = "1h"', 'period = "week"', 'silent = "2d"'])
def test_a_transaction_that_its_reversal_waits_for_measures_nothing(when: str) -> None:
    engine = engine_of('measure = "count"', when, "above = 0")
    reversed_before = transaction("r", hours=1, reverses="a"), transaction("a")
    assert told_by(engine, *reversed_before) == []


def test_each_counterparty_has_a_limit_of_its_own_with_per() -> None:
    engine = engine_of('measure = "count"', 'per = "counterparty"', "above = 1")
    rows = [
        transaction(f"t{n}", hours=n, counterparty_id=who)
        for n, who in enumerate(["P1", "P2", "P1", "P2", "P3"])
    ]
    alerts = told_by(engine, *rows, transaction("n", hours=6))
    assert [measured_by(alert)["per"] for alert in alerts] == [
        {"counterparty": "P1"},
        {"counterparty": "P2"},
    ]


def test_a_share_is_compared_exactly_and_of_small_sums_it_says_nothing() -> None:
    engine = engine_of(
        'measure = "share"', 'of = "counterparty"', 'currency = "EUR"', 'period = "week"',
        'from = "100.00"', 'above = "80%"',
    )  # fmt: skip
    alerts = told_by(
        engine,
        transaction("a", amount="80.00", counterparty_id="P1"),  # all of it, and too little
        transaction("b", amount="20.00", hours=1)._replace(counterparty_id=None),  # 80 %
        transaction("c", amount="0.01", counterparty_id="P1", hours=2),
        transaction("d", amount="0.01", counterparty_id="P2", hours=3),
        transaction("r", amount="20.00", hours=4, reverses="b"),  # too little again
    )
    assert said(alerts) == [(Status.RAISED, 801), (Status.WITHDRAWN, 800)]
    (share, *_) = (alert.evidence["share"] for alert in alerts)
    assert share == {"counterparty": "P1", "amount": "80.01", "of": "100.01"}
    more = transaction("e", amount="30.00", counterparty_id="P1", hours=5)
    too_little = transaction("s", amount="30.00", hours=6, reverses="e")
    alerts = told_by(engine, more, too_little)
    assert said(alerts) == [(Status.RAISED, 1000), (Status.WITHDRAWN, 0)]
    assert "smaller than the least" in str(alerts[1].evidence["why"])


def test_another_list_of_holidays_is_another_gauge_which_begins_with_a_whole_period() -> None:
    week = 'measure = "count"\nperiod = "week"\nabove = 0\nwhere = { holiday = true }\n'
    listed = "[calendar]\nholidays = [{}]"
    texts = [
        HEAD.format(version=version).replace("[calendar]", listed.format(days)) + week
        for version, days in ((1, '"2026-01-07"'), (2, '"2026-01-07", "2026-01-09", "2026-01-13"'))
    ]
    engine = plain_engine(0, book(texts[0]), 1)
    assert said(told_by(engine, transaction("a", hours=48))) == [(Status.RAISED, 1)]
    later = texts[1].replace("[calendar]", 'effective_from = "2026-01-12"\n[calendar]')
    engine.policies.add(policy_of(later))
    engine.policies_changed()
    rows = [transaction("o", hours=49, account_id="A2")]
    rows += [transaction(f"b{hours}", hours=hours) for hours in (50, 96, 24 * 7, 24 * 8)]
    alerts = told_by(engine, *rows)
    assert [alert.account_id for alert in alerts] == ["A2", "A1"]
    assert [measured_by(alert)["holidays"] for alert in alerts] == [
        ["2026-01-07"], ["2026-01-13"],
    ]  # fmt: skip


def test_a_long_filter_is_said_by_its_digest_and_explained_by_its_names() -> None:
    payees = [f"P{n}" for n in range(NAMES_SAID + 1)]
    lines = ('measure = "amount"', 'currency = "EUR"', 'period = "week"', 'above = "150.00"')
    engine = engine_of(*lines, f"where = {{ counterparty = {payees} }}")
    rows = [
        transaction(f"t{n}", hours=n, counterparty_id=whom)
        for n, whom in enumerate(["P0", "Q", "P20"])
    ]
    (alert,) = told_by(engine, *rows)
    digest = NameList("", payees).digest
    said = {"counterparty": {"names": len(payees), "sha256": digest}}
    assert measured_by(alert)["where"] == said
    calendar, policy = engine.ledger.calendar, engine.policies.policies[0]
    parts = parts_of(alert.fields(), dict(enumerate(rows)), calendar, None, policy)
    assert [part.transaction.transaction_id for part in parts] == ["t0", "t2"]
    few = engine_of(*lines, f"where = {{ counterparty = {payees[1:]} }}")
    (alert,) = told_by(few, *[row._replace(counterparty_id="P1") for row in rows[:2]])
    assert measured_by(alert)["where"] == {"counterparty": sorted(payees[1:])}


def test_money_that_passes_through_is_the_lesser_of_both_ways() -> None:
    engine = engine_of(
        'measure = "through"', 'currency = "EUR"', 'window = "3d"', 'above = "250.00"'
    )
    alerts = told_by(
        engine,
        transaction("a", amount="900.00", direction="credit"),
        transaction("b", amount="200.00", hours=24),
        transaction("c", amount="60.00", hours=48),
    )
    assert said(alerts) == [(Status.RAISED, "260.00")]


def test_a_limit_that_comes_later_begins_with_a_period_that_it_measures_whole() -> None:
    engine = engine_of('measure = "count"', "above = 100")
    policies = engine.policies
    rows = [transaction("a"), transaction("o", hours=1, account_id="A2")]
    assert told_by(engine, *rows) == []
    later = HEAD.format(version=2) + 'measure = "count"\nperiod = "week"\nabove = 1\n'
    policies.add(policy_of(later))
    engine.policies_changed()
    of_this_week = [transaction(f"b{n}", hours=24 * n) for n in range(1, 4)]
    of_the_next = [transaction(f"c{n}", hours=24 * n) for n in range(7, 9)]
    assert told_by(engine, *of_this_week) == []
    waiting = engine.gauging.waiting()
    assert {name: event_time_text(at) for name, at in waiting.items()} == {
        "x": "2026-01-12T00:00:00Z"
    }
    assert said(told_by(engine, *of_the_next)) == [(Status.RAISED, 2)]
    assert engine.gauging.waiting() == {}


def test_a_window_that_comes_later_decides_once_it_is_measured_whole() -> None:
    engine = engine_of('measure = "count"', "above = 100")
    assert engine.gauging.waiting() == {}
    told_by(engine, transaction("a"), transaction("o", hours=1, account_id="A2"))
    later = HEAD.format(version=2) + 'measure = "count"\nwindow = "36h"\nabove = 1\n'
    engine.policies.add(policy_of(later))
    engine.policies_changed()
    (begins,) = engine.gauging.waiting().values()
    assert event_time_text(begins) == "2026-01-07T11:59:59.999999Z"
    hours = (begins - transaction("a").event_time) / 3_600_000_000
    early = [transaction("b", hours=hours - 1), transaction("c", hours=hours - 0.01)]
    assert told_by(engine, *early) == []
    assert said(told_by(engine, transaction("d", hours=hours))) == [(Status.RAISED, 3)]


def test_a_counterparty_is_new_until_the_account_has_paid_it() -> None:
    engine = engine_of(
        'measure = "amount"', 'direction = "debit"', 'currency = "EUR"', 'period = "week"',
        'where = { counterparty_new = "3d", channel = "card" }', 'above = "150.00"',
    )  # fmt: skip
    card = [
        transaction(f"c{n}", hours=hours, counterparty_id=whom)._replace(channel="card")
        for n, (hours, whom) in enumerate([(0, "P1"), (24, "P1"), (25, "P2"), (48, "P3")])
    ]
    alerts = told_by(engine, *card[:2])
    assert alerts == []  # P1 was paid the day before
    assert said(told_by(engine, card[2])) == [(Status.RAISED, "200.00")]
    cash = transaction("late", hours=0.5, counterparty_id="P2")._replace(channel="cash")
    assert said(told_by(engine, cash)) == [(Status.WITHDRAWN, "100.00")]
    undone = transaction("r", hours=26, counterparty_id="P2", reverses="late")
    assert said(told_by(engine, undone)) == [(Status.RAISED, "200.00")]


@pytest.mark.parametrize("when", ['window = "7d"', 'period = "week"'])
def test_whom_a_reversal_makes_new_counts_with_those_who_come_later(when: str) -> None:
    engine = engine_of(
        'measure = "distinct"', 'of = "counterparty"', when,
        'where = { counterparty_new = "3d", channel = "card" }', "above = 2",
    )  # fmt: skip
    cash = transaction("cash", counterparty_id="P1")._replace(channel="cash")
    card = [
        transaction(f"c{n}", hours=24 + n, counterparty_id=f"P{n}")._replace(channel="card")
        for n in (1, 2, 4)
    ]
    undone = transaction("r", hours=27, counterparty_id="P1", reverses="cash")
    assert told_by(engine, cash, *card[:2], undone) == []  # P1 and P2 are new now
    assert said(told_by(engine, card[2])) == [(Status.RAISED, 3)]


def test_whom_an_account_has_paid_is_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauging, "PAID_DAYS_MAX", 3)
    engine = engine_of('measure = "count"', 'where = { counterparty_new = "90d" }', "above = 100")
    for day in range(12):
        told_by(engine, transaction(f"t{day}", hours=24 * day, counterparty_id=f"P{day}"))
    account = engine.ledger.accounts["A1"]
    assert account.gauged is not None
    assert len(account.gauged.cells[PAID]) <= 3 + len(engine.ledger.open_days)
    assert engine.names_counted_as_others()["payees"] > 0


SILENT = (
    'measure = "amount"', 'direction = "debit"', 'currency = "EUR"', 'silent = "2d"',
    'remembered = "6d"', 'above = "50.00"',
)  # fmt: skip


def test_a_day_after_a_silence_is_told_and_a_late_row_that_breaks_it_withdraws_that() -> None:
    engine = engine_of(*SILENT)
    alerts = told_by(
        engine,
        transaction("a"),
        transaction("c", hours=48),  # one day without any
        transaction("d", hours=120, direction="credit"),  # two, and it is not measured
        transaction("e", hours=121),
        transaction("late", hours=96, amount="0.01"),
        transaction("r", hours=122, amount="0.01", reverses="late"),
    )
    assert said(alerts) == [
        (Status.RAISED, "100.00"), (Status.WITHDRAWN, "100.00"), (Status.RAISED, "100.00"),
    ]  # fmt: skip
    assert alerts[1].evidence["why"] == "no silence is before this day any more"
    assert [alert.evidence.get("active_before") for alert in alerts] == [
        "2026-01-07", None, "2026-01-07",
    ]  # fmt: skip


def test_an_account_is_remembered_for_so_long_and_one_that_was_never_seen_is_not_silent() -> None:
    engine = engine_of(*SILENT)
    first = [transaction("a"), transaction("o", account_id="A2")]
    others = [transaction(f"b{n}", hours=24 * n, account_id=f"B{n % 2}") for n in range(1, 9)]
    assert told_by(engine, *first, *others) == []
    (account,) = (each for each in engine.ledger.accounts.values() if each.account_id == "A1")
    assert account.gauged is not None
    assert account.gauged.size == 1  # nothing but its last day
    assert said(told_by(engine, transaction("c", hours=24 * 6 + 1))) == [(Status.RAISED, "100.00")]
    assert engine.names_held()["silences"] == 4
    later = [transaction(f"d{n}", hours=24 * 20, account_id=f"B{n}") for n in range(2)]
    assert told_by(engine, *later) == []
    assert engine.names_counted_as_others()["silences"] == 4
    assert told_by(engine, transaction("e", hours=24 * 20)) == []  # forgotten: as one never seen


RATIO = (
    'measure = "ratio"', 'direction = "debit"', 'currency = "EUR"', "usual = 2", 'above = "2"',
)  # fmt: skip


def test_a_ratio_is_compared_exactly_with_the_mean_of_the_last_days_with_anything() -> None:
    engine = engine_of(*RATIO)
    alerts = told_by(
        engine,
        transaction("a", amount="100.00"),
        transaction("b", amount="50.01", hours=72),  # three days later, the second with anything
        transaction("c", amount="150.01", hours=96),  # twice the mean, to the half cent
        transaction("d", amount="0.01", hours=97),
    )
    assert said(alerts) == [(Status.RAISED, 201)]  # rounded up: it is more than twice
    assert alerts[0].evidence["usual"] == {
        "amount": "150.02", "days": 2, "from": "2026-01-05", "to": "2026-01-08",
        "sum": "150.01", "mean": "75.01",
    }  # fmt: skip
    assert measured_by(alerts[0])["usual"] == 2


def test_a_late_row_changes_the_usual_of_all_later_days_and_its_reversal_does_so_again() -> None:
    engine = engine_of(*RATIO)
    days = enumerate(["100.00", "100.00", "210.00", "330.00"])
    rows = [transaction(f"t{n}", amount=amount, hours=24 * n) for n, amount in days]
    assert said(told_by(engine, *rows)) == [(Status.RAISED, 210), (Status.RAISED, 213)]
    late = told_by(engine, transaction("late", amount="20.00", hours=25))
    assert said(late) == [(Status.WITHDRAWN, 191), (Status.WITHDRAWN, 200)]
    undone = transaction("r", amount="20.00", hours=73, reverses="late")
    assert said(told_by(engine, undone)) == [(Status.RAISED, 210), (Status.RAISED, 213)]
    whole = transaction("w", amount="100.00", hours=74, reverses="t1")  # a day less
    (alert,) = told_by(engine, whole)  # of the day that goes on the same is said
    assert said([alert]) == [(Status.WITHDRAWN, 0)]
    assert alert.evidence["why"] == "there are too few days before this one for a usual"


def test_of_small_sums_and_of_accounts_with_few_days_a_ratio_says_nothing() -> None:
    engine = engine_of(*RATIO, 'from = "50.00"', 'remembered = "9d"')
    rows = [transaction(f"t{n}", amount="1.00", hours=24 * n) for n in range(2)]
    alerts = told_by(
        engine,
        transaction("n", amount="900.00", account_id="A2"),  # its first day
        *rows,
        transaction("a", amount="49.99", hours=48),
        transaction("b", amount="0.01", hours=49),
        transaction("c", amount="900.00", hours=24 * 11),  # its days are too long ago
    )
    assert said(alerts) == [(Status.RAISED, 5000)]
    (alert,) = told_by(engine_of(*RATIO), *rows, transaction("z", amount="900.00", hours=49))
    assert alert.value == 90_000


def test_a_ratio_beyond_all_limits_is_said_as_the_greatest() -> None:
    rows = [transaction(f"t{n}", amount="0.01", hours=24 * n) for n in range(2)]
    great = transaction("z", amount="9000000000000000.00", hours=48)
    (alert,) = told_by(engine_of(*RATIO), *rows, great)
    assert alert.value == RATIO_MAX


def test_of_a_usual_an_account_keeps_so_many_days() -> None:
    engine = engine_of(*RATIO)
    for day in range(30):
        rows = [transaction(f"{who}{day}", hours=24 * day, account_id=who) for who in ("A1", "A2")]
        told_by(engine, *rows)
    for account in engine.ledger.accounts.values():
        assert account.gauged is not None
        ((cells),) = account.gauged.cells.values()
        assert len(cells) == 2 + len(engine.ledger.open_days)


NEAR = (
    'measure = "near"', 'direction = "debit"', 'currency = "EUR"', 'from = "90.00"',
    'to = "100.00"', "above = 2",
)  # fmt: skip


def test_the_third_day_near_a_limit_within_so_many_raises_an_alert_and_each_one_after_it() -> None:
    engine = engine_of(*NEAR, "days = 5")
    alerts = told_by(
        engine,
        transaction("a", amount="90.00"),
        transaction("b", amount="60.00", hours=48),
        transaction("c", amount="40.00", hours=49),  # the sum counts, and not the transaction
        transaction("d", amount="89.99", hours=72),
        transaction("e", amount="95.00", hours=96),  # the fifth day
        transaction("f", amount="95.00", hours=120),  # the first one is out of reach: three again
        transaction("g", amount="1.00", hours=144),
        transaction("h", amount="100.01", hours=168),
    )
    assert said(alerts) == [(Status.RAISED, 3), (Status.RAISED, 3)]
    assert alerts[0].evidence["near"] == [
        {"business_day": "2026-01-05", "amount": "90.00"},
        {"business_day": "2026-01-07", "amount": "100.00"},
        {"business_day": "2026-01-09", "amount": "95.00"},
    ]
    measured = measured_by(alerts[0])
    assert measured["near"] == {"from": "90.00", "to": "100.00", "days": 5}
    assert (measured["from"][:10], measured["to"][:10]) == ("2026-01-05", "2026-01-10")
    assert "over_by" in alerts[0].evidence


def test_a_day_that_goes_on_past_what_is_near_withdraws_its_alert() -> None:
    engine = engine_of(*NEAR, "days = 5")
    rows = [transaction(f"t{n}", amount="95.00", hours=24 * n) for n in range(3)]
    more = transaction("more", amount="50.00", hours=49)
    raised, withdrawn = told_by(engine, *rows, more)
    assert said([raised, withdrawn]) == [(Status.RAISED, 3), (Status.WITHDRAWN, 0)]
    assert withdrawn.evidence["why"] == "the sum of the day is not near any more"
    undone = transaction("r", amount="50.00", hours=50, reverses="more")
    assert said(told_by(engine, undone)) == [(Status.RAISED, 3)]


@pytest.mark.parametrize("over", ["days = 9", 'period = "week"'])
def test_a_late_row_and_its_reversal_change_the_days_near_a_limit(over: str) -> None:
    engine = engine_of(*NEAR, over)
    rows = [transaction(f"t{n}", amount="95.00", hours=24 * n) for n in (0, 1, 3)]
    assert said(told_by(engine, *rows)) == [(Status.RAISED, 3)]
    late = told_by(engine, transaction("late", amount="20.00", hours=25))
    assert said(late) == [(Status.WITHDRAWN, 2)]
    undone = transaction("r", amount="20.00", hours=73, reverses="late")
    (alert,) = told_by(engine, undone)
    assert said([alert]) == [(Status.RAISED, 3)]
    assert [parts["amount"] for parts in alert.evidence["near"]] == ["95.00"] * 3  # type: ignore[attr-defined]


def test_days_near_a_limit_go_through_the_bytes_of_state() -> None:
    engine = engine_of(*NEAR, "days = 5")
    rows = [transaction(f"t{n}", amount="95.00", hours=24 * n) for n in range(3)]
    assert said(told_by(engine, *rows)) == [(Status.RAISED, 3)]
    (account,) = engine.ledger.accounts.values()
    assert account.gauged is not None
    kept = unpacked(packed(gauged_fields(account.gauged, str)))
    assert gauged_of(kept).told == account.gauged.told
    (told,) = kept[3]
    before = gauged_of([*kept[:3], [told[:-1]], kept[4]])  # as a build without such limits kept it
    assert [each.near for each in next(iter(before.told.values())).values()] == [()]


def test_of_days_near_a_limit_an_account_keeps_as_many_as_are_counted() -> None:
    engine = engine_of(*NEAR, "days = 5")
    for day in range(30):
        rows = [transaction(f"{who}{day}", hours=24 * day, account_id=who) for who in ("A1", "A2")]
        told_by(engine, *rows)
    for account in engine.ledger.accounts.values():
        assert account.gauged is not None
        ((cells),) = account.gauged.cells.values()
        assert len(cells) == 4 + len(engine.ledger.open_days)
    last = [transaction(f"z{n}", hours=24 * 90, account_id=f"Z{n}") for n in range(2)]
    told_by(engine, *last)
    assert set(engine.ledger.accounts) == {"Z0", "Z1"}


@pytest.mark.parametrize("make", [Engine, OrdinaryEngine])
def test_what_is_not_needed_any_more_is_given_back(make: type[Engine]) -> None:
    text = HEAD.format(version=1) + 'measure = "count"\nwindow = "1h"\nabove = 1000\n'
    engine = make(0, PolicyBook([policy_of(text)]))
    held = []
    for day in range(40):
        rows = [
            transaction(f"{name}{day}-{n}", hours=24 * day + n, account_id=f"{name}{day % 3}")
            for name in ("A", "B")
            for n in range(3)
        ]
        observed(engine, *rows)
        cells = [
            len(of_group)
            for account in engine.ledger.accounts.values()
            if account.gauged is not None
            for of_group in account.gauged.cells.values()
        ]
        held.append((len(engine.ledger.accounts), sum(cells)))
    assert max(held[10:]) == max(held[20:]) == max(held[30:])
    last = [transaction(f"z{n}", hours=24 * 90, account_id=f"Z{n}") for n in range(2)]
    observed(engine, *last)
    assert set(engine.ledger.accounts) == {"Z0", "Z1"}


def test_a_name_says_what_is_measured_and_nothing_else() -> None:
    tables = [
        'measure = "count"\nperiod = "week"\n',
        'measure = "count"\nperiod = "month"\n',
        'measure = "count"\nwindow = "7d"\n',
        'measure = "count"\nperiod = "week"\ndirection = "debit"\n',
        'measure = "count"\nperiod = "week"\nwhere = { channel = ["a", "b"] }\n',
        'measure = "count"\nperiod = "week"\nwhere = { channel = ["ab"] }\n',
        'measure = "count"\nperiod = "week"\nper = "counterparty"\n',
    ]
    names = []
    for table in tables:
        (first,) = policy_of(f"{HEAD.format(version=1)}{table}above = 1\n").gauges
        (again,) = policy_of(f"{HEAD.format(version=2)}{table}above = 7\n").gauges
        assert first.gauge.name == again.gauge.name
        names.append(first.gauge.name)
    assert all(one != other for one, other in pairwise(sorted(names)))
