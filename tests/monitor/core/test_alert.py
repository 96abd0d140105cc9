"""An alert: one id for one threshold and account-day, and values that a person can read."""

import json
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.account import Account, AccountDay
from monitor.core.alert import Alert, Cause, Kind, Status, alert_id, evidence_of, kind_of, written
from monitor.core.business_day import day_of_text
from monitor.core.threshold import Direction, Measure, Severity, Threshold

A1 = Account("A1", 0, "0 ")
FRIDAY = day_of_text("2026-01-09")
AMOUNT = Threshold(
    "daily-amount", Measure.AMOUNT, Direction.DEBIT, "EUR", 50_000, Severity.HIGH, None, None
)
COUNT = AMOUNT._replace(threshold_id="daily-count", measure=Measure.COUNT, currency=None, above=10)

names = st.text(st.sampled_from("aA1:|-. \0é/"), max_size=6) | st.text(max_size=6)
parts = st.tuples(
    st.sampled_from([Measure.AMOUNT, Measure.COUNT]),
    names,
    names.filter(lambda text: text.isprintable() or text.isascii()),
    st.integers(700_000, 800_000),
)


def id_of(part: tuple[Measure, str, str, int]) -> str:
    measure, threshold_id, account_id, day = part
    threshold = AMOUNT._replace(measure=measure, threshold_id=threshold_id)
    return alert_id(threshold, account_id, day)


# -- ids -----------------------------------------------------------------------------------------


@given(parts, parts)
@example((Measure.AMOUNT, "a:b", "c", FRIDAY), (Measure.AMOUNT, "a", "b:c", FRIDAY))
@example((Measure.AMOUNT, "a1:b", "", FRIDAY), (Measure.AMOUNT, "a", "1:b", FRIDAY))
@example((Measure.AMOUNT, "1:a", "", FRIDAY), (Measure.AMOUNT, "", "1:a", FRIDAY))
def test_two_ids_are_the_same_just_where_all_that_they_are_of_is(
    left: tuple[Measure, str, str, int], right: tuple[Measure, str, str, int]
) -> None:
    assert (id_of(left) == id_of(right)) == (left == right)
    assert UUID(id_of(left)).version == 5


def test_an_id_is_the_same_for_ever() -> None:
    """Alerts of years ago keep their ids: this one changes never again."""
    assert alert_id(AMOUNT, "A1", FRIDAY) == "f370480c-2800-532f-8b4e-607ddc84778e"


def test_nothing_else_goes_into_an_id() -> None:
    other = AMOUNT._replace(
        above=1, currency="USD", direction=Direction.BOTH, severity=Severity.LOW, segment="retail"
    )
    assert alert_id(other, "A1", FRIDAY) == alert_id(AMOUNT, "A1", FRIDAY)


def test_the_kind_is_the_measures() -> None:
    assert (kind_of(AMOUNT), kind_of(COUNT)) == (Kind.DAILY_AMOUNT, Kind.DAILY_COUNT)


# -- what is written -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "minor", "text"),
    [("EUR", 50_001, "500.01"), ("JPY", 500, "500"), ("KWD", 7, "0.007"), ("EUR", 0, "0.00")],
)
def test_money_is_written_with_the_decimals_of_its_currency(
    currency: str, minor: int, text: str
) -> None:
    assert written(AMOUNT._replace(currency=currency), minor) == text


def test_a_count_is_written_as_a_number() -> None:
    assert written(COUNT, 11) == 11


def alert(threshold: Threshold = AMOUNT, **changes: object) -> Alert:
    account_day = AccountDay(A1, FRIDAY)
    account_day.totals_in("EUR")[:] = [3, 50_001, 0, 0, 0]
    value = threshold.value_of(account_day)
    whole = Alert(
        alert_id=alert_id(threshold, "A1", FRIDAY), revision=1, kind=kind_of(threshold),
        status=Status.RAISED, threshold=threshold, account_id="A1", business_day=FRIDAY,
        value=value, value_before=None, segment=None, policy_version=2,
        evidence=evidence_of(account_day, threshold, value),
        cause=Cause("T3", 1_767_949_200_500_000, 5, 77),
    )  # fmt: skip
    return whole._replace(**changes)  # type: ignore[arg-type]


def test_an_alert_is_written_for_a_person_to_read() -> None:
    fields = json.loads(json.dumps(alert().fields()))
    expected = {
        "alert_id": alert_id(AMOUNT, "A1", FRIDAY), "revision": 1, "kind": "daily-amount",
        "status": "raised", "severity": "high", "account_id": "A1", "business_day": "2026-01-09",
        "segment": None, "threshold_id": "daily-amount", "direction": "debit", "currency": "EUR",
        "value": "500.01", "limit": "500.00", "value_before": None, "score": None,
        "policy_version": 2, "transaction_id": "T3", "event_time": "2026-01-09T09:00:00.500000Z",
        "partition": 5, "offset": 77,
    }  # fmt: skip
    assert {name: fields[name] for name in expected} == expected
    assert fields["evidence"]["over_by"] == "0.01"
    assert fields["evidence"]["times_limit"] == "1.00"
    assert fields["evidence"]["totals"][0]["debit_amount"] == "500.01"


def test_what_was_told_before_is_written_in_the_same_unit() -> None:
    assert alert(value_before=60_000).fields()["value_before"] == "600.00"
    assert alert(COUNT, value_before=12).fields()["value_before"] == 12
    assert alert(COUNT).fields()["limit"] == 10


# -- evidence ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "above", "over_by", "times"),
    [
        (50_001, 50_000, "0.01", "1.00"), (125_000, 50_000, "750.00", "2.50"),
        (50_250, 50_000, "2.50", "1.01"),  # 1.005, half up
        (50_000, 50_000, None, "1.00"), (0, 50_000, None, "0.00"), (1, 0, "0.01", None),
    ],
)  # fmt: skip
def test_evidence_says_by_how_much_it_is_over(
    value: int, above: int, over_by: str | None, times: str | None
) -> None:
    evidence = evidence_of(AccountDay(A1, FRIDAY), AMOUNT._replace(above=above), value)
    assert evidence.get("over_by") == over_by
    assert evidence.get("times_limit") == times
    assert evidence["totals"] == []


@given(st.integers(0, 10**18), st.integers(1, 10**18))
def test_times_limit_is_right_to_half_a_hundredth(value: int, above: int) -> None:
    text = str(
        evidence_of(AccountDay(A1, FRIDAY), AMOUNT._replace(above=above), value)["times_limit"]
    )
    hundredths = int(text.replace(".", ""))
    assert abs(2 * hundredths * above - 200 * value) <= above
