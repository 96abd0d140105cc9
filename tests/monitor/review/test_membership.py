"""Members of an incident: those with its cause or over its limit, on its days, and no others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.business_day import day_of_text
from monitor.core.transaction import Origin
from monitor.review.membership import explanations_of, is_member
from tests.support.incidents import account_alert, incident, of_limit, verdicts

MONDAY = day_of_text("2026-01-05")
FROM_I1 = ("I1", "B1", "web", None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"origin": FROM_I1}, True),
        ({"origin": FROM_I1, "kind": "daily-count", "threshold_id": "daily-count"}, True),
        ({"origin": FROM_I1, "segment": None}, True),
        ({"origin": FROM_I1, "status": "restated"}, True),
        ({"origin": FROM_I1, "status": "withdrawn"}, False),
        ({"origin": FROM_I1, "kind": "outlier"}, False),
        ({"origin": FROM_I1, "kind": "review"}, False),
        ({"origin": FROM_I1, "business_day": "2026-01-06"}, False),
        ({"origin": ("I2", "B1", "web", "I1")}, False),
        ({"origin": (None, "I1", None, None)}, False),
        ({}, False),
    ],
)
def test_an_external_cause_explains_what_paid_it_on_its_days(
    changes: dict[str, Any], *, expected: bool
) -> None:
    assert is_member(incident("X", [MONDAY]), account_alert(**changes)) is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"segment": "business"}, False),
        ({"segment": None}, False),
        ({"threshold_id": "daily-amount-business"}, False),
        ({"business_day": "2026-01-07"}, False),
    ],
)
def test_a_shift_explains_what_is_over_its_limit_in_its_segment(
    changes: dict[str, Any], *, expected: bool
) -> None:
    shift = of_limit("X", [MONDAY, MONDAY + 1], "daily-amount", "retail")
    assert is_member(shift, account_alert(**changes)) is expected


def test_a_limit_without_a_segment_is_that_of_account_days_without_one() -> None:
    shift = of_limit("X", [MONDAY], "daily-amount")
    assert is_member(shift, account_alert(segment=None))
    assert not is_member(shift, account_alert())


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "undecided"},
        {"grouped": 0},
        {"status": "withdrawn"},
        {"cause": None},
        {"evidence": {"days": ["2026-01-05"], "absent": [
            {"business_day": "2026-01-05", "partitions": [0]}
        ]}},
    ],
)  # fmt: skip
def test_what_explains_nothing_has_no_members(changes: dict[str, Any]) -> None:
    alert = account_alert(origin=FROM_I1)
    assert is_member(incident("X", [MONDAY]), alert)
    assert not is_member(incident("X", [MONDAY], **changes), alert)


def test_a_branch_a_channel_and_a_counterparty_are_causes_too() -> None:
    alert = account_alert(origin=("I1", "B1", "web", "C1"))
    for type_, value in zip(Origin._fields, ("I1", "B1", "web", "C1"), strict=True):
        for name in ("I1", "B1", "web", "C1"):
            found = incident("X", [MONDAY], cause={"type": type_, "value": name})
            assert is_member(found, alert) is (name == value)


values = st.none() | st.sampled_from(["a", "b", "c"])
origins = st.tuples(values, values, values, values)


@given(
    origins,
    st.sampled_from(["institution", "branch", "channel", "counterparty"]),
    st.sampled_from(["a", "b", "c"]),
    st.sets(st.integers(MONDAY - 3, MONDAY + 3)),
    st.sampled_from(["undecided", "external-cause", "data-fault"]),
)
def test_no_alert_without_the_cause_is_ever_a_member(
    origin: tuple[str | None, ...], type_: str, value: str, days: set[int], verdict: str
) -> None:
    cause = {"type": type_, "value": value}
    found = incident("X", days, cause=cause, verdict=verdict)
    has_cause = Origin(*origin)._asdict()[type_] == value
    expected = has_cause and MONDAY in days and verdict != "undecided"
    assert is_member(found, account_alert(origin=origin)) is expected
    (by_day,) = [verdicts(found).by_day.get(MONDAY, ())]
    assert any(e.has(0, "retail", "daily-amount", Origin(*origin)) for e in by_day) is expected


def test_verdicts_say_which_days_are_explained_otherwise() -> None:
    found = verdicts(incident("X", [1, 2]), of_limit("Y", [2], "daily-amount"), decided=1)
    same = verdicts(of_limit("Y", [2], "daily-amount"), incident("X", [2, 1]), decided=9)
    assert found.days_that_differ(same) == []
    assert found.days_that_differ(verdicts(incident("X", [2, 3]), decided=1)) == [1, 2, 3]
    assert [day for day, _ in explanations_of(incident("X", [5, 4]))] == [4, 5]
