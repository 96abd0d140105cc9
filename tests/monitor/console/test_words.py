"""Words: numbers as text, and sentences about alerts of every kind."""

import doctest
from typing import Any

import pytest

from monitor.console import words
from monitor.console.language.formats import grouped
from monitor.console.why import why_of_alert
from monitor.core.alert import Kind
from monitor.store.standing import Does, State
from monitor.systemic.alert import Verdict
from tests.monitor.console.made_console import limit_alert, outlier, review, systemic


def test_examples_hold() -> None:
    assert doctest.testmod(words).failed == 0


def test_everything_has_words() -> None:
    assert set(words.KINDS) == set(Kind)
    assert set(words.STATES) == set(State)
    assert set(words.ACTIONS) == set(Does)
    assert set(words.VERDICTS) == set(Verdict)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("99999999999999999999.10", "99,999,999,999,999,999,999.10"),
        ("0.10", "0.10"),
        (1000, "1,000"),
        ("-1000", "-1,000"),
        (None, ""),
        ("١٢٣٤", "١٢٣٤"),
        ("1000\n", "1000\n"),
    ],
)
def test_numbers_keep_every_digit(value: object, text: str) -> None:
    assert grouped(value) == text


def test_a_count_has_no_currency() -> None:
    record = limit_alert("A", kind="daily-count", value=41, limit=40, currency=None)
    assert why_of_alert(record)[0] == (
        "When this was told, 41 transactions had been made on account A on 2026-02-14;"
        " limit daily-amount allows 40 transactions."
    )


def test_a_limit_off_its_budget_says_how_far() -> None:
    off = systemic() | {
        "suggested_limit": "2600.00",
        "grouped": 0,
        "decided_by": {"name": "budget_probability", "number": 2.5e-7},
        "evidence": {
            "breach_budget": 0.01,
            "share": 0.03125,
            "account_days": 16_000,
            "days_counted": 14,
        },
    }
    said = why_of_alert(off)
    assert (
        "Over the limit were 3.12 % of 16,000 account-days on 14 days; the breach budget is 1 %."
        in said
    )
    assert "The breach budget would set the limit to 2,600.00." in said
    assert not any("History" in sentence for sentence in said)


def test_an_outlier_says_how_rare_it_is() -> None:
    said = why_of_alert(outlier("A"))
    assert said[0].startswith("About 1 business day in 82 is as strange")
    assert said[1] == "It stands out because amount 70.95 is 4.0x the account's median."


def test_a_review_says_how_it_reads() -> None:
    assert why_of_alert(review("A"))[-1] == (
        "It reads as: suspicion, because its greatest day is 5.9 times the limit."
    )


def test_an_incident_names_the_number_that_decided() -> None:
    said = why_of_alert(systemic())
    assert said[0] == "The whole population has moved, in segment current, up to 2026-02-14."
    assert said[2].startswith("The number that decided is 2.5e-06: probability of so many")


def test_changes_are_named() -> None:
    assert words.changes(review("A"), review("A", 2, 4)) == [
        "status raised -> restated", "value 3 days -> 4 days",
        "breach days 3 -> 4", "days 3 entries -> 4 entries",
    ]  # fmt: skip


def with_evidence(**said: object) -> dict[str, Any]:
    return {"evidence": said}


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (["a", "b"], ["b", "c"], ["reasons, new: c", "reasons, no longer: a"]),
        (["a"], ["a", "b", "c"], ["reasons, new: b, c"]),
        (["a", "b"], ["b", "a"], ["reasons in another order"]),
        ([{"a": 1}], [{"a": 2}], ["reasons changed"]),
        ([{"a": 1}], [{"a": 1}, 2], ["reasons 1 entry -> 2 entries"]),
        (["a"], None, ["reasons 1 entry -> none"]),
        ({"a": 1}, {"a": 2}, ["reasons changed"]),
        (["a"], ["a"], []),
    ],
)
def test_texts_that_came_and_went_are_named(then: object, now: object, expected: list[str]) -> None:
    assert words.changes(with_evidence(reasons=then), with_evidence(reasons=now)) == expected


def test_a_withdrawn_alert_says_so() -> None:
    assert "was withdrawn" in why_of_alert(limit_alert("A", status="withdrawn"))[-1]


def test_what_a_limit_on_a_window_measured_is_said() -> None:
    measured = {
        "measure": "count",
        "period": "24h",
        "from": "2026-01-05T09:00:00Z",
        "to": "2026-01-06T09:00:00Z",
        "per": {"counterparty": "P1"},
        "where": {"channel": ["atm", "cash"], "amount": {"from": "5.00"}, "weekend": True},
    }
    record = limit_alert("A") | {
        "kind": Kind.LIMIT.value,
        "value": 7,
        "limit": 6,
        "currency": "EUR",
        "evidence": {"measured": measured, "over_by": 1, "times_limit": "1.17"},
    }
    first, second, *_ = why_of_alert(record)
    assert first.startswith(
        "When this was told, the number of transactions on account A from 2026-01-05 09:00 to"
        " 2026-01-06 09:00 (P1) (channel atm, cash; amount from 5.00; weekend yes) had come to"
        " 7 transactions; limit "
    )
    assert first.endswith(" allows 6 transactions.")
    assert second == "That is 1 too much, 1.17 times the limit."
    assert words.amount(record | {"evidence": {"measured": {"measure": "distinct"}}}) == "7 parties"
    share = {"counterparty": "P1", "amount": "801.00", "of": "1000.50"}
    said = {"measured": measured | {"measure": "share"}, "over_by": 1, "share": share}
    of_share = why_of_alert(record | {"value": 801, "limit": 800, "evidence": said})
    assert " had come to 80.1%; limit " in of_share[0]
    assert of_share[1:3] == ["That is 0.1% too much.", "P1 has 801.00 EUR of 1,000.50 EUR."]
    usual = {
        "amount": "300.01",
        "days": 2,
        "from": "2026-01-05",
        "to": "2026-01-06",
        "sum": "200.00",
    }
    of_day = {"measure": "ratio", "usual": 2}
    said = {"measured": measured | of_day, "over_by": 51, "usual": usual | {"mean": "100.00"}}
    of_ratio = why_of_alert(record | {"value": 301, "limit": 250, "evidence": said})
    assert " had come to 3.01 times the usual; limit " in of_ratio[0]
    assert of_ratio[1].startswith("That is 0.51 times the usual too much")
    assert of_ratio[2].startswith("The day has 300.01 EUR; the 2 days with any from ")
    assert of_ratio[2].endswith(" have 100.00 EUR in the mean.")
    near = [
        {"business_day": "2026-01-05", "amount": "9500.00"},
        {"business_day": "2026-01-06", "amount": "9900.00"},
    ]
    said = {"measured": measured | {"measure": "near"}, "over_by": 1, "near": near}
    of_near = why_of_alert(record | {"value": 2, "limit": 1, "evidence": said})
    assert " had come to 2 days; limit " in of_near[0]
    assert of_near[1:3] == [
        "That is 1 too much.",
        "Near a limit were 2026-01-05 (9,500.00 EUR), 2026-01-06 (9,900.00 EUR).",
    ]
    silent = {"measured": measured | {"silent": "90d"}, "active_before": "2025-09-01"}
    said_silent = why_of_alert(record | {"evidence": silent})
    assert said_silent[1] == "What came last before that was on 2025-09-01."
    amounts = [{"currency": "USD", "amount": "5.00"}, {"currency": "JPY", "amount": "700"}]
    in_all = {"amounts": amounts, "without_rate": ["JPY 2026-01-05"]}
    of_all = {"measured": measured | {"measure": "amount"}, "converted": in_all}
    said_all = why_of_alert(record | {"value": "7.00", "limit": "6.00", "evidence": of_all})
    assert said_all[1:] == [
        "In the sum are 5.00 USD, 700 JPY, each at the rate of its business day.",
        "No rate is known of JPY 2026-01-05: that is not in the sum.",
    ]
    money = record | {"value": "7.00", "evidence": {"measured": {"measure": "net"}}}
    assert words.amount(money) == "7.00 EUR"
