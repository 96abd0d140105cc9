"""An account-day as it is written: exact totals by currency, and the limits that it is over."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.account import Account, AccountDay, ClosedDay, Told, day_totals
from monitor.core.business_day import day_of_text
from monitor.core.money import EXPONENT

FRIDAY = day_of_text("2026-01-09")

totals = st.dictionaries(
    st.sampled_from(["EUR", "JPY", "KWD", "USD"]),
    st.lists(st.integers(0, 1 << 70), min_size=4, max_size=4).map(lambda drawn: [*drawn, 0]),
)


def closed(figures: dict[str, list[int]], told: dict[str, Told] | None = None) -> ClosedDay:
    account_day = AccountDay(Account("A1", 0, "0 "), FRIDAY)
    for currency, totals_of in figures.items():
        account_day.totals_in(currency)[:] = totals_of
    for threshold_id, told_of in (told or {}).items():
        account_day.note(threshold_id, told_of)
    account_day.segment = "business"
    return ClosedDay(account_day, 3)


@given(st.lists(st.sampled_from(["EUR", "JPY", "USD"])))
def test_each_currency_has_totals_of_its_own(currencies: list[str]) -> None:
    account_day = AccountDay(Account("A1", 0, "0 "), FRIDAY)
    for currency in currencies:
        account_day.totals_in(currency)[0] += 1
    assert account_day.totals == {
        currency: [currencies.count(currency), 0, 0, 0, 0] for currency in currencies
    }


def test_what_was_told_of_one_day_is_not_told_of_another() -> None:
    account = Account("A1", 0, "0 ")
    first, second = AccountDay(account, FRIDAY), AccountDay(account, FRIDAY + 1)
    account.days = (first, second)
    first.note("x", Told("raised", 1, 2, 1))
    assert not second.told
    assert account.day_of(FRIDAY) is first
    account.drop(first)
    assert list(account.days) == [second]
    assert account.day_of(FRIDAY) is None


@given(totals)
def test_totals_are_written_exactly_and_in_the_order_of_the_currencies(
    figures: dict[str, list[int]],
) -> None:
    written = json.loads(json.dumps(day_totals(closed(figures).account_day)))
    assert [entry["currency"] for entry in written] == sorted(figures)
    for entry in written:
        unit = Decimal(1).scaleb(-EXPONENT[entry["currency"]])
        kept = [
            entry["debit_count"], int(Decimal(entry["debit_amount"]) / unit),
            entry["credit_count"], int(Decimal(entry["credit_amount"]) / unit),
        ]  # fmt: skip
        assert kept == figures[entry["currency"]][:4]
        assert all(isinstance(entry[name], str) for name in ("debit_amount", "credit_amount"))


def test_a_closed_day_is_written_whole() -> None:
    told = {
        "over": Told("raised", 1, 501, 500),
        "also-over": Told("restated", 2, 900, 500),
        "not-any-more": Told("withdrawn", 2, 500, 500),
    }
    fields = closed({"EUR": [1, 90_000, 0, 0, 0]}, told).fields()
    assert fields["account_id"] == "A1"
    assert fields["business_day"] == "2026-01-09"
    assert fields["segment"] == "business"
    assert fields["policy_version"] == 3
    assert fields["breaches"] == ["also-over", "over"]
    assert fields["totals"] == [
        {"currency": "EUR", "debit_count": 1, "debit_amount": "900.00", "credit_count": 0,
         "credit_amount": "0.00"}
    ]  # fmt: skip
