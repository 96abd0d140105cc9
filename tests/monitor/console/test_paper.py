"""The working paper: exact sums of the alerts' days, what was known when, and who decided."""

from fractions import Fraction
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.console.openapi.document import document
from monitor.console.paper import amounts_of, day_closed
from monitor.core.money import EXPONENT, amount_text
from monitor.store.intake import RecordSort
from tests.monitor.console.made_console import (
    MadeConsole,
    account_day,
    identity,
    limit_alert,
)
from tests.monitor.console.test_transactions import seen
from tests.support.laws import law

LIMIT_OF_A1 = identity("A1 2026-02-14")
REVIEW_OF_A1 = identity("review A1")
PAPER = "/api/v1/accounts/A1/paper"


def faults(paper: object) -> list[str]:
    """Return what the documented schema has against a paper."""
    described = document()
    schema = {"$ref": "#/components/schemas/WorkingPaper", "components": described["components"]}
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    return [error.message for error in validator.iter_errors(paper)]


_TOTAL = st.tuples(
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.integers(1, 9),
    st.integers(0, 10**22),
    st.integers(1, 9),
    st.integers(0, 10**22),
)


@law(100)
@given(st.lists(st.lists(_TOTAL, max_size=3), max_size=6))
def test_amounts_are_the_exact_sums_of_the_days(days: list[list[Any]]) -> None:
    records = [
        {"totals": [
            {"currency": currency, "debit_count": out, "credit_count": into,
             "debit_amount": amount_text(out_minor, EXPONENT[currency]),
             "credit_amount": amount_text(into_minor, EXPONENT[currency])}
            for currency, out, out_minor, into, into_minor in day
        ]}
        for day in days
    ]  # fmt: skip
    amounts, left_out = amounts_of(records)
    wanted: dict[tuple[str, str], tuple[int, Fraction]] = {}
    for record in records:
        for total in record["totals"]:
            for direction in ("debit", "credit"):
                key = (total["currency"], direction)
                count, amount = wanted.get(key, (0, Fraction(0)))
                wanted[key] = (
                    count + total[f"{direction}_count"],
                    amount + Fraction(total[f"{direction}_amount"]),
                )
    got = {
        (row["currency"], row["direction"]): (row["transactions"], Fraction(row["amount"]))
        for row in amounts
    }
    assert got == wanted
    assert left_out == 0


DAY = {
    "business_day": "2026-02-14",
    "totals": [
        {"currency": "EUR", "debit_count": 2, "debit_amount": "900000.01",
         "credit_count": 1, "credit_amount": "10.00"},
        {"currency": "JPY", "debit_count": 4, "debit_amount": "7",
         "credit_count": 0, "credit_amount": "0"},
    ],
}  # fmt: skip
GROWN = "The day may have grown since: it is not known what it came to in the end."


@pytest.mark.parametrize(
    ("kind", "direction", "currency", "said"),
    [
        ("daily-amount", "debit", "EUR", "The day closed at 900,000.01 EUR."),
        ("daily-amount", "both", "EUR", "The day closed at 900,010.01 EUR."),
        ("daily-amount", "credit", "EUR", "The day closed at 10.00 EUR."),
        ("daily-amount", "debit", "JPY", "The day closed at 7 JPY."),
        ("daily-amount", "debit", "KWD", "The day closed at 0.000 KWD."),
        ("daily-amount", "debit", None, None),
        ("daily-amount", "debit", ["EUR"], None),
        ("daily-amount", {}, "EUR", "The day closed at 0.00 EUR."),
        ("daily-count", "debit", None, "The day closed at 6 transactions."),
        ("daily-count", "both", "EUR", "The day closed at 3 transactions."),
        ("review", None, None, None),
    ],
)
def test_a_limit_s_alert_says_what_its_day_came_to(
    kind: str, direction: object, currency: object, said: str | None
) -> None:
    record = {
        "kind": kind, "direction": direction, "currency": currency,
        "business_day": "2026-02-14", "value": "1.00",
    }  # fmt: skip
    other = {**DAY, "business_day": "2026-02-13", "totals": []}
    assert day_closed(record, [other, DAY]) == said
    is_of_limit = kind != "review"
    assert day_closed(record, [other]) == (GROWN if is_of_limit else None)
    odd = {**DAY, "totals": [{"currency": "EUR", "debit_amount": "x"}]}
    assert day_closed(record, [odd]) == (GROWN if is_of_limit else None)


@pytest.mark.parametrize(
    "odd",
    [{"currency": "???"}, {"debit_amount": "1e9"}, {"debit_amount": 3.5}, {"debit_count": -1},
     {"debit_count": True}, {"debit_amount": "1.5"}, {"currency": ["EUR"]}],
)  # fmt: skip
def test_a_total_that_cannot_be_read_is_counted(odd: dict[str, Any]) -> None:
    total = account_day("A1", "2026-02-14")["totals"][0]
    amounts, left_out = amounts_of([{"totals": [total]}, {"totals": [{**total, **odd}]}])
    assert left_out == (2 if "currency" in odd else 1)
    debit = next(row for row in amounts if row["direction"] == "debit")
    assert (debit["transactions"], debit["amount"]) == (2, "1999.95")


def test_a_paper_has_all_that_is_known_of_the_chosen_alerts(console: MadeConsole) -> None:
    console.transactions.held = [
        seen(7), seen(8, transaction_id="T7"), seen(9, counterparty_id="C9", event_time=0),
    ]  # fmt: skip
    with console.client("ana") as client:
        noted = client.post(
            f"/api/v1/alerts/{LIMIT_OF_A1}/actions", json={"action": "comment", "note": "odd"}
        )
        assert noted.status_code == 201
        query = {"alert": [LIMIT_OF_A1, REVIEW_OF_A1]}
        paper = client.get(PAPER, params=query).json()
        page = client.get("/accounts/A1/paper", params=query).text
    assert faults(paper) == []
    days = [f"2026-02-0{day}" for day in range(1, 5)] + ["2026-02-14"]
    assert paper["period"] == {
        "from": days[0], "to": days[-1], "business_days": days, "days_without_totals": [],
    }  # fmt: skip
    assert paper["amounts"] == [
        {"currency": "EUR", "direction": "credit", "transactions": 5, "amount": "60.00"},
        {"currency": "EUR", "direction": "debit", "transactions": 10, "amount": "9999.75"},
    ]
    reviewed = next(alert for alert in paper["alerts"] if alert["kind"] == "review")
    assert reviewed["known_then"]["value"] == "3 days"
    assert reviewed["known_now"]["value"] == "4 days"
    assert [entry["at"] for entry in paper["chronology"]] == sorted(
        entry["at"] for entry in paper["chronology"]
    )
    assert [entry["revision"] for entry in paper["chronology"]] == [1, 1, 2]
    (decision,) = paper["decisions"]
    assert (decision["by"], decision["action"], decision["note"]) == ("ana", "comment", "odd")
    assert [item["offset"] for item in paper["transactions"]] == [7, 8]
    assert [item["is_cause"] for item in paper["transactions"]] == [True, False]
    (partner,) = paper["counterparties"]
    assert (partner["transactions"], partner["debit_amount"]) == (1, "12345.67")
    assert "9,999.75" in page
    assert "12,345.67" in page
    assert "Known then" in page


def test_a_paper_of_no_chosen_alert_is_of_all(console: MadeConsole) -> None:
    with console.client("vera") as client:
        paper = client.get(PAPER).json()
    assert len(paper["alerts"]) == 3
    assert faults(paper) == []


def test_a_day_without_totals_is_named(console: MadeConsole) -> None:
    console.take(limit_alert("D1"), limit_alert("D1", "2026-02-15"))
    console.take(account_day("D1", "2026-02-15"), sort=RecordSort.ACCOUNT_DAY)
    with console.client("vera") as client:
        paper = client.get("/api/v1/accounts/D1/paper").json()
        page = client.get("/accounts/D1/paper").text
    assert paper["period"]["days_without_totals"] == ["2026-02-14"]
    assert [row["amount"] for row in paper["amounts"]] == ["12.00", "1999.95"]
    assert "No closed totals are known of 2026-02-14" in page


def test_a_broker_that_is_away_is_said_on_the_paper(console: MadeConsole) -> None:
    console.transactions.held = None
    with console.client("vera") as client:
        answer, page = client.get(PAPER), client.get("/accounts/A1/paper")
    assert (answer.status_code, page.status_code) == (200, 200)
    assert answer.json()["transactions_why_not"].startswith("the broker does not answer")
    assert faults(answer.json()) == []
    assert (
        'The transactions are not on this paper: <span lang="en">the broker does not answer'
        in page.text
    )


def test_reading_a_paper_is_audited_for_the_account_and_each_alert(console: MadeConsole) -> None:
    with console.client("vera") as client:
        assert client.get(PAPER, params={"alert": LIMIT_OF_A1}).status_code == 200
        assert client.get(PAPER, params={"alert": "nope"}).status_code == 404
    with console.store.reading() as connection:
        rows = connection.exec_driver_sql("select actor, subject from audit where action = 'read'")
        assert [tuple(row) for row in rows] == [
            ("vera", "paper A1"), ("vera", f"alert {LIMIT_OF_A1}"),
        ]  # fmt: skip


def test_an_alert_of_another_account_is_refused(console: MadeConsole) -> None:
    other = {"alert": [LIMIT_OF_A1, identity("A2 2026-02-14")]}
    with console.client("vera") as client:
        assert client.get(PAPER, params=other).status_code == 404
        assert client.get(PAPER, params={"x": "1"}).status_code == 400
        many = {"alert": [f"a{number}" for number in range(26)]}
        assert client.get(PAPER, params=many).status_code == 400
        assert client.get("/api/v1/accounts/nobody/paper").status_code == 404
