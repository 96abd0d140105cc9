from datetime import UTC, datetime

import pytest

from monitor.core.account import SERIES
from monitor.core.business_day import event_time, event_time_of
from monitor.core.currency import CURRENCIES, FOR_GOOD
from monitor.core.transaction import FIELDS, Reason, Rejection, Transaction, transaction_of
from monitor.ledger.ledger import SERIES_BITS


def booked(currency: str, at: str, amount: str = "1500") -> Transaction | Rejection:
    fields = {
        "transaction_id": "T1", "account_id": "A1", "booked_at": at, "amount": amount,
        "currency": currency, "direction": "debit",
    }  # fmt: skip
    return transaction_of([fields.get(name) for name in FIELDS])


@pytest.mark.parametrize(
    ("currency", "last"),
    [
        ("DEM", "2002-03-31"), ("ITL", "2002-03-31"), ("HRK", "2023-01-31"), ("BGN", "2026-01-31"),
        ("LTL", "2014-12-31"), ("TRL", "2005-12-31"), ("ROK", "1990-12-31"), ("DDM", "1990-09-30"),
        ("VNC", "1990-12-31"), ("ESA", "1981-12-31"), ("ZWD", "2008-08-31"), ("CSK", "1993-03-31"),
    ],
)  # fmt: skip
def test_a_withdrawn_currency_is_known_up_to_the_month_of_its_withdrawal(
    currency: str, last: str
) -> None:
    assert isinstance(booked(currency, f"{last}T23:59:59.999999Z"), Transaction)
    after = event_time_of(f"{last}T23:59:59.999999Z")
    assert after is not None
    assert CURRENCIES[currency].end == after + 1
    late = booked(currency, f"{last}T23:00:00-01:00")
    assert isinstance(late, Rejection)
    assert late.reason is Reason.UNKNOWN_CURRENCY
    assert f"{currency!r}: it was money until {last}" in late.detail


def test_a_currency_of_today_is_known_on_every_day() -> None:
    for at in ("1900-01-01T00:00:00Z", "2999-12-31T23:59:59Z"):
        assert isinstance(booked("EUR", at), Transaction)
    # In both lists: withdrawn in some country, and money today.
    assert {CURRENCIES[code].end for code in ("EUR", "RON", "TRY", "MWK", "SZL")} == {FOR_GOOD}


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [
        ("ITL", "1500.00", 1500), ("ITL", "1500.50", None), ("DEM", "1500.50", 150_050),
        ("BEF", "1.5", None), ("PTE", "200.0", 200), ("YDD", "1.234", 1234), ("TRL", "7", 7),
    ],
)  # fmt: skip
def test_withdrawn_currencies_have_the_decimals_of_their_time(
    currency: str, amount: str, minor: int | None
) -> None:
    item = booked(currency, "1985-01-07T09:00:00Z", amount)
    assert getattr(item, "amount_minor", None) == minor
    assert minor is not None or (isinstance(item, Rejection) and item.reason is Reason.BAD_AMOUNT)


def test_an_amount_and_a_time_come_before_a_currency_that_is_money_no_more() -> None:
    for at, amount, reason in (
        ("2020-01-01T00:00:00Z", "1.5", Reason.BAD_AMOUNT),
        ("soon", "1", Reason.BAD_TIME),
        ("2020-01-01T00:00:00Z", "1", Reason.UNKNOWN_CURRENCY),
    ):
        item = booked("ITL", at, amount)
        assert isinstance(item, Rejection)
        assert item.reason is reason


def test_metals_and_codes_without_a_minor_unit_are_no_currencies() -> None:
    for code in ("XAU", "XDR", "XTS", "XXX", "XFO", "XFU", "XRE", "eur", ""):
        assert code not in CURRENCIES


def test_every_series_has_a_place_in_what_is_kept_of_a_transaction() -> None:
    assert len(SERIES) == 2 * len(CURRENCIES) < 1 << SERIES_BITS
    assert len(CURRENCIES) == len(set(CURRENCIES)) == 165 + 126
    ends = {currency.end for currency in CURRENCIES.values()} - {FOR_GOOD}
    assert max(ends) == event_time(datetime(2026, 2, 1, tzinfo=UTC))
