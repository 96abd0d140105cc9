"""How the days of a review read: by example, and each sign at its cut-off."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Alert
from monitor.core.review import DayFacts, Mark, NotedDay
from monitor.engine.engine import Engine
from monitor.review.episodes import CountedDay
from monitor.review.reading import Reading, reading_of
from tests.support.reviews import reviews_in
from tests.support.transactions import POLICY, book, observed, transaction

DAY = 24
REVIEWED = POLICY + "[review]\ndays = 3\nwindow_days = 10\n"


def paid(
    engine: Engine, day: int, rows: list[tuple[str, str, str]], number: int = 0
) -> list[Alert]:
    """Return the reviews that are told of (direction, amount, counterparty) on a day."""
    items = [
        transaction(
            f"T{day}-{number}-{place}", hours=DAY * day, direction=direction, amount=amount,
            counterparty_id=counterparty,
        )
        for place, (direction, amount, counterparty) in enumerate(rows)
    ]  # fmt: skip
    return reviews_in(observed(engine, *items).alerts)


def read(alerts: list[Alert]) -> tuple[object, str]:
    evidence = alerts[-1].evidence
    reasons = evidence["reasons"]
    assert isinstance(reasons, list)
    return evidence["reading"], "\n".join(reasons)


def test_a_shop_that_grows_and_pays_its_suppliers_needs_more() -> None:
    engine, alerts = Engine(0, book(REVIEWED)), []
    for day in range(5):
        rows = [("debit", "180.12", "dairy"), ("debit", f"{350 + 55 * day}.37", "bakery")]
        alerts += paid(engine, 2 * day, rows)
    reading, reasons = read(alerts)
    assert reading == "service-need"
    assert "100% of the money went to payees that were paid on earlier days of these" in reasons
    assert "the day totals rise steadily: 10 of 10 pairs of days are in order" in reasons


def test_a_mule_that_passes_all_on_to_new_payees_in_round_amounts_is_suspicious() -> None:
    engine, alerts = Engine(0, book(REVIEWED)), []
    for day, much in enumerate((900, 700, 800, 600)):
        rows = [("credit", f"{much}.00", f"victim {day}"), ("debit", f"{much}.00", f"shell {day}")]
        alerts += paid(engine, day, rows)
    reading, reasons = read(alerts)
    assert reading == "suspicion"
    assert "on 4 of 4 days what came in went out again: the lesser of the two is 100%" in reasons
    assert "100% of the money went to payees that were not paid on an earlier day" in reasons
    assert "4 of 4 amounts are round" in reasons


def test_who_stays_just_below_the_limit_day_after_day_is_suspicious() -> None:
    engine, alerts = Engine(0, book(REVIEWED)), []
    for day in range(10):
        alerts += paid(engine, day, [("debit", f"49{day}.99", "same payee")])
    alerts = [alert for alert in alerts if alert.value >= 3]
    reading, reasons = read(alerts)
    assert "7 of 7 days stay just below the limit" in reasons
    assert "payees that were paid on earlier days" in reasons
    assert reading == "unclear"  # its payee is a regular one: both are said


def test_the_close_of_a_day_tells_anew_what_reads_otherwise_by_then() -> None:
    engine, alerts = Engine(0, book(REVIEWED)), []
    for day in range(3):
        alerts += paid(engine, day, [("debit", "612.34", "P")])
    assert [alert.evidence["reading"] for alert in alerts] == ["service-need"]
    for day in range(3):  # what came in is known only now
        assert paid(engine, day, [("credit", "612.34", "Q")], number=1) == []
    after = [alert for day in (3, 4, 5) for alert in paid(engine, day, [("debit", "1.00", "P")])]
    assert [(alert.revision, alert.evidence["reading"]) for alert in after] == [(2, "unclear")]


# -- each sign -----------------------------------------------------------------------------------


def a_day(number: int, **given: object) -> CountedDay:
    """Return a counted day that shows no sign, but for what is given."""
    made: dict[str, object] = {
        "value": 600_00, "near": False, "out": 600_00, "in": 0, "payees": {}, "unnamed": 0,
        "others": 0, "amounts": 9, "round": 0, "score": None,
    } | given  # fmt: skip
    facts = DayFacts()
    facts.payees = dict(made["payees"])  # type: ignore[call-overload]
    facts.unnamed, facts.others = int(made["unnamed"]), int(made["others"])  # type: ignore[call-overload]
    facts.amounts, facts.round = int(made["amounts"]), int(made["round"])  # type: ignore[call-overload]
    mark = Mark("daily-amount", made["value"], 500_00, "EUR", True, made["near"])  # type: ignore[arg-type]  # noqa: FBT003 - a field
    noted = NotedDay(
        number, None, None, None, 1, (mark,), "EUR", made["out"], made["in"], facts,  # type: ignore[arg-type]
        made["score"],  # type: ignore[arg-type]
    )  # fmt: skip
    return CountedDay(noted, mark)


def days(count: int, **given: Any) -> list[CountedDay]:  # noqa: ANN401 - lists, one value a day
    return [
        a_day(place, **{name: values[place] for name, values in given.items()})
        for place in range(count)
    ]


NO_SIGN = "no sign of either"


@pytest.mark.parametrize(
    ("shown", "said", "reads"),
    [
        ({}, NO_SIGN, "unclear"),
        ({"value": [501_00, 520_00, 551_10]}, "3 of 3 pairs", "unclear"),
        ({"value": [501_00, 520_00, 551_09]}, NO_SIGN, "unclear"),
        ({"value": [501_00, 600_00, 590_00]}, NO_SIGN, "unclear"),
        (
            {"payees": [{1: 5}, {1: 60, 2: 40}, {}]},
            "60% of the money went to payees that were",
            "service-need",
        ),
        ({"payees": [{1: 5}, {1: 59, 2: 41}, {}]}, NO_SIGN, "unclear"),
        ({"payees": [{1: 5}, {1: 30, 2: 70}, {}]}, "70% of the money went to payees", "unclear"),
        ({"payees": [{1: 5}, {1: 31, 2: 69}, {}]}, NO_SIGN, "unclear"),
        (
            {"payees": [{1: 5}, {2: 60}, {3: 40}], "unnamed": [0, 100, 0]},
            "100% of the money",
            "unclear",
        ),
        ({"payees": [{1: 5}, {2: 60}, {3: 40}], "unnamed": [0, 101, 0]}, NO_SIGN, "unclear"),
        (
            {"payees": [{1: 5}, {1: 30}, {}], "others": [0, 70, 0]},
            "70% of the money went to payees",
            "unclear",
        ),
        ({"in": [480_00, 480_00, 0]}, "on 2 of 3 days what came in", "suspicion"),
        ({"in": [480_00, 479_99, 0]}, NO_SIGN, "unclear"),
        ({"near": [True, True, False]}, "2 of 3 days stay just below", "suspicion"),
        ({"near": [True, False, False]}, NO_SIGN, "unclear"),
        ({"amounts": [2, 1, 1], "round": [1, 1, 0]}, "2 of 4 amounts are round", "unclear"),
        ({"amounts": [2, 1, 0], "round": [2, 1, 0]}, NO_SIGN, "unclear"),
        ({"amounts": [2, 2, 1], "round": [1, 1, 0]}, NO_SIGN, "unclear"),
        ({"score": [0.06, 0.2, 0.04]}, "the models find 2 of 3 days usual", "unclear"),
        ({"score": [0.06, 0.2, None]}, NO_SIGN, "unclear"),
        ({"score": [0.06, 0.05, 0.04]}, NO_SIGN, "unclear"),
        ({"value": [510_00, 600_00, 1530_00]}, "rise steadily: 3 of 3", "unclear"),
        ({"value": [510_00, 600_00, 1530_01]}, "faster than a trade grows", "unclear"),
        ({"value": [2500_00] * 3}, "its greatest day is 5.0 times the limit", "unclear"),
        ({"value": [2499_99] * 3}, NO_SIGN, "unclear"),
        ({"value": [5000_00] * 3}, "its greatest day is 10.0 times the limit", "suspicion"),
        ({"value": [4999_99] * 3}, "its greatest day is 10.0 times the limit", "unclear"),
        ({"value": [100_00, 100_00, 500_00]}, "is 5.0 times the middle one", "unclear"),
        ({"value": [100_00, 100_00, 499_99]}, NO_SIGN, "unclear"),
        (
            {"value": [300_00, 300_00, 600_00], "payees": [{1: 5}, {1: 5}, {1: 3, 2: 7}]},
            "70% of the greatest day's money went to payees of no other day",
            "unclear",
        ),
        (
            {"value": [300_00, 300_00, 600_00], "payees": [{1: 50}, {1: 50}, {1: 31, 2: 69}]},
            NO_SIGN,
            "unclear",
        ),
        (
            {"value": [301_00, 300_00, 600_00], "payees": [{1: 5}, {1: 5}, {1: 3, 2: 7}]},
            NO_SIGN,
            "unclear",
        ),
        (
            {"in": [480_00, 0, 0], "payees": [{1: 3, 2: 7}, {1: 1}, {}], "unnamed": [0, 9, 0]},
            "on one day what came in went out again, 70% of it to payees of no other day",
            "suspicion",
        ),
        (
            {"in": [479_99, 0, 0], "payees": [{1: 3, 2: 7}, {1: 1}, {}], "unnamed": [0, 9, 0]},
            NO_SIGN,
            "unclear",
        ),
        (
            {"in": [480_00, 0, 0], "payees": [{1: 31, 2: 69}, {1: 1}, {}], "unnamed": [0, 9, 0]},
            NO_SIGN,
            "unclear",
        ),
        ({"in": [540_00, 0, 0]}, "on 1 of 3 days nearly all that came in", "unclear"),
        ({"in": [539_99, 0, 0]}, NO_SIGN, "unclear"),
        ({"score": [0.0166, 0.04, 0.04]}, "its rarest day 1 in 60, of 3 days", "unclear"),
        ({"score": [0.0167, 0.04, 0.04]}, NO_SIGN, "unclear"),
        ({"score": [0.0033, 0.04, 0.04]}, "its rarest day 1 in 303, of 3 days", "suspicion"),
        ({"score": [0.0166, None, None]}, "its rarest day 1 in 60, of 1 days", "unclear"),
    ],
)
def test_each_sign_is_there_from_its_cut_off_on(
    shown: dict[str, list[object]], said: str, reads: str
) -> None:
    reading, reasons = reading_of(days(3, **shown))
    assert len(reasons) == 1, reasons
    assert said in reasons[0]
    assert reading.value == reads


def test_a_day_of_a_hundred_times_the_limit_is_no_service_need_whatever_else_is_said() -> None:
    """The last of four days is 1,879.68 times the limit, and all else speaks for a shop."""
    shop: dict[str, list[object]] = {
        "payees": [{1: 5}, {1: 60}, {1: 70}, {1: 80}], "score": [0.2] * 4,
        "value": [848_00, 900_00, 950_00, 939_840_00],
    }  # fmt: skip
    reading, reasons = reading_of(days(4, **shop))
    assert reading is Reading.SUSPICION
    assert "1,879.7 times the limit" in reasons[0]
    assert "rise faster than a trade grows" in "\n".join(reasons)
    assert "steadily" not in "\n".join(reasons)
    shop["value"] = [499_99 * 100, 500_00 * 100, 550_00 * 100, 600_00 * 100]  # a trade that grows
    reading, _ = reading_of(days(4, **shop))
    assert reading is Reading.UNCLEAR


signs_of_need = st.fixed_dictionaries({
    "payees": st.sampled_from([[{}] * 4, [{1: 5}, {1: 60}, {1: 70}, {1: 80}]]),
    "score": st.sampled_from([[None] * 4, [0.2] * 4]),
    "value": st.lists(st.integers(501_00, 1500_00), min_size=3, max_size=3).map(sorted),
})  # fmt: skip


@given(signs_of_need, st.integers(100 * 500_00, 10**12), st.integers(0, 3))
def test_no_signs_of_a_need_outweigh_a_hundred_times_the_limit(
    need: dict[str, list[object]], great: int, place: int
) -> None:
    values = [*need["value"][:place], great, *need["value"][place:]]
    reading, _ = reading_of(days(4, **(need | {"value": values})))
    assert reading is not Reading.SERVICE_NEED


@given(signs_of_need)
def test_days_of_up_to_three_times_the_limit_without_another_sign_are_never_suspicious(
    need: dict[str, list[object]],
) -> None:
    reading, reasons = reading_of(days(3, **{name: needed[:3] for name, needed in need.items()}))
    assert reading is not Reading.SUSPICION, reasons


def test_a_mule_whose_other_days_pay_those_whom_it_always_paid_is_no_service_need() -> None:
    shop: list[dict[int, int]] = [{7: 1595, 8: 1218, 1: 443}, {1: 3106}, {1: 2211}, {1: 5375}]
    reading, _ = reading_of(days(4, payees=shop, **{"in": [534_00, 0, 0, 0]}))
    assert reading is Reading.UNCLEAR


def test_a_limit_of_nothing_has_no_multiple() -> None:
    counted = [day._replace(mark=day.mark._replace(limit=0)) for day in days(3)]
    assert reading_of(counted)[0] is Reading.UNCLEAR


def test_signs_of_both_sorts_weigh_each_other_up_and_the_reading_says_its_own_first() -> None:
    shop: dict[str, Any] = {"payees": [{1: 5}, {1: 60}, {1: 70}], "value": [501_00, 560_00, 600_00]}
    reading, reasons = reading_of(days(3, **shop, **{"in": [0, 0, 0]}))
    assert reading is Reading.SERVICE_NEED
    assert len(reasons) == 2
    reading, reasons = reading_of(days(3, **shop, **{"in": [600_00, 600_00, 0]}))
    assert reading is Reading.UNCLEAR
    reading, reasons = reading_of(
        days(3, **{"payees": shop["payees"], "in": [600_00] * 3, "round": [9] * 3})
    )
    assert reading is Reading.UNCLEAR
    reading, reasons = reading_of(
        days(3, **{"value": shop["value"], "in": [600_00] * 3, "round": [9] * 3})
    )
    assert reading is Reading.SUSPICION
    assert "went out again" in reasons[0]
    assert "rise" in reasons[-1]
