"""No account closes another one's days by its own records, however far ahead they are dated."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.alert import Status
from monitor.core.transaction import Reason, Transaction
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from tests.support.ahead import CAUTIOUS, DAY, at, days_of_three
from tests.support.laws import law
from tests.support.transactions import MONDAY, observed, transaction

HOUR = 3_600_000_000


def cautious(calendar: str = "") -> Engine:
    return Engine(0, PolicyBook([policy_of(CAUTIOUS.replace('"UTC"\n', f'"UTC"\n{calendar}\n'))]))


def reasons(engine: Engine, *items: Transaction) -> list[Reason]:
    return [rejection.reason for _, rejection in observed(engine, *items).rejections]


# -- the law ---------------------------------------------------------------------------------------

drawn_times = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 60) | st.integers(0, 3000)), max_size=40
)


def made(drawn: Sequence[tuple[int, int]]) -> list[Transaction]:
    return [
        transaction(f"T{n}", hours=hours, account_id=f"A{account}")
        for n, (account, hours) in enumerate(drawn)
    ]


def watermarks(items: Sequence[Transaction], lead: int) -> list[int | None]:
    """Return the watermark after each item, by looking at all of those before, every time."""
    found: list[int | None] = []
    for count in range(1, len(items) + 1):
        greatest: dict[str, int] = {}
        for item in items[:count]:
            greatest[item.account_id] = max(
                greatest.get(item.account_id, item.event_time), item.event_time
            )
        ordered = sorted(greatest.values(), reverse=True)
        if len(ordered) < 2:
            found.append(None)
            continue
        first, second = ordered[:2]
        now = first if first - second <= lead else second
        before = found[-1] if found else None
        found.append(now if before is None else max(now, before))
    return found


@law(200)
@given(drawn_times)
@example([(0, 2400), (1, 0), (1, 20), (2, 40)])
def test_the_watermark_is_that_of_a_plain_look_at_all_records(drawn: list[tuple[int, int]]) -> None:
    engine, items = cautious(), made(drawn)
    found = []
    for item in items:
        observed(engine, item)
        found.append(engine.ledger.watermark)
    assert found == watermarks(items, 48 * HOUR)
    known = [mark for mark in found if mark is not None]
    assert all(earlier <= later for earlier, later in pairwise(known))


@law(150)
@given(drawn_times, st.lists(st.integers(1, 7), min_size=1))
@example(drawn=[(0, 0), (0, 60), (0, 130), (1, 1), (0, 5), (2, 140), (1, 150)], cuts=[1])
def test_however_it_is_cut_the_same_is_closed_and_rejected(
    drawn: list[tuple[int, int]], cuts: list[int]
) -> None:
    items = made(drawn)
    whole = observed(Engine(0, cautious().policies), *items)
    engine, rejections, closed = cautious(), [], []
    place = turn = 0
    while place < len(items):
        step = observed(engine, *items[place : place + cuts[turn % len(cuts)]])
        rejections += step.rejections
        closed += step.account_days
        place, turn = place + cuts[turn % len(cuts)], turn + 1
    assert rejections == whole.rejections
    assert [account_day.fields() for account_day in closed] == [
        account_day.fields() for account_day in whole.account_days
    ]


@law(200)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3000)), max_size=6),
)
@example(steps=[(0, 5)] * 12, ahead=[(0, 2000)])
@example(steps=[(0, 5), (1, 5)] * 10, ahead=[(3, 70), (4, 140), (5, 210), (6, 280)])
def test_rows_of_one_account_at_any_time_make_no_ordered_row_of_others_late(
    steps: list[tuple[int, int]], ahead: list[tuple[int, int]]
) -> None:
    """Others come in order, at most hours apart; one account's rows are dated anyhow."""
    hours, items = 0, []
    for n, (account, step) in enumerate(steps):
        hours += step
        items.append(transaction(f"T{n}", hours=hours, account_id=f"B{account}"))
    for n, (place, when) in enumerate(ahead):
        items.insert(place, transaction(f"X{n}", hours=when, account_id="X"))
    late = {items[offset].account_id for offset, _ in observed(cautious(), *items).rejections}
    assert late <= {"X"}


# -- what it is for --------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["B9", "B0"])
@pytest.mark.parametrize("days", [2.9, 3.1, 100, 2000])
@pytest.mark.parametrize("place", [0, 1, 4, 11])
@pytest.mark.parametrize("rows", [1, 3])
def test_rows_ahead_change_nothing_for_all_others(
    account: str, days: float, place: int, rows: int
) -> None:
    engine, items = cautious(), days_of_three(8)
    items[place:place] = [at(f"X{n}", place / 3 + days + n, account, "10.00") for n in range(rows)]
    step = observed(engine, *items)
    assert step.rejections == []
    assert step.transactions == 24 + rows
    raised = {(a.account_id, a.business_day) for a in step.alerts if a.status is Status.RAISED}
    assert len(raised) == 24
    assert all(alert.status is Status.RAISED for alert in step.alerts)


def test_the_first_rows_of_a_partition_do_not_poison_it() -> None:
    engine = cautious()
    assert reasons(engine, at("X1", 100, "X"), at("X2", 101, "X")) == []
    assert reasons(engine, *days_of_three(8)) == []
    assert engine.ledger.day_open_first == engine.ledger.calendar.day_of(at("T", 5).event_time)


def test_a_chain_of_one_account_walks_away_from_nobody() -> None:
    engine = cautious()
    observed(engine, *days_of_three(2))
    chain = [at(f"X{n}", 2 + 1.9 * n, "X") for n in range(20)]
    assert reasons(engine, *chain) == []
    assert engine.ledger.watermark is not None
    second = at("T", 1.02).event_time
    assert second <= engine.ledger.watermark <= second + 48 * HOUR
    assert reasons(engine, *days_of_three(6, "U")) == []


def test_after_a_gap_the_second_account_closes_the_days_before() -> None:
    engine = cautious()
    observed(engine, *days_of_three(2))
    step = observed(engine, at("G1", 12, "B0"), at("G2", 12.1, "B0"))
    assert (step.account_days, step.ahead) == ([], 2)
    assert engine.ledger.marks.held_back > 10 * DAY * HOUR
    step = observed(engine, at("G3", 12.2, "B1"))
    assert len(step.account_days) == 6
    assert engine.ledger.marks.held_back == 0
    assert reasons(engine, at("T9", 1, "B2")) == [Reason.TOO_LATE]


def test_what_is_ahead_is_a_transaction_of_its_own_day() -> None:
    engine = cautious()
    observed(engine, *days_of_three(1))
    step = observed(engine, at("X1", 50, "X", "400.00"), at("X2", 50, "X", "101.00"))
    (alert,) = step.alerts
    assert (alert.account_id, alert.fields()["value"]) == ("X", "501.00")
    assert alert.business_day == engine.ledger.calendar.day_of(at("T", 50).event_time)


# -- one account alone -----------------------------------------------------------------------------


def test_an_account_that_is_alone_closes_its_own_days() -> None:
    engine = cautious()
    step = observed(engine, *(at(f"T{n}", n, amount="600.00") for n in range(8)))
    assert len(step.account_days) == 5
    assert len(step.alerts) == 8
    assert reasons(engine, at("L", 1)) == [Reason.TOO_LATE]


def test_alone_too_one_row_ahead_makes_nothing_late() -> None:
    engine = cautious()
    items = [at(f"T{n}", n, amount="600.00") for n in range(8)]
    items.insert(3, at("X", 60))
    step = observed(engine, *items)
    assert step.rejections == []
    assert step.ahead == 1
    assert len([a for a in step.alerts if a.status is Status.RAISED]) == 8
    assert len(step.account_days) == 5


def test_a_second_account_is_never_late_by_what_the_first_closed_alone() -> None:
    engine = cautious()
    observed(engine, *(at(f"T{n}", n) for n in range(30)))
    assert reasons(engine, at("U1", 3, "B1", "600.00")) == []
    step = observed(engine, at("L", 4), at("U2", 4, "B1", "600.00"), at("L2", 28.5))
    assert [rejection.reason for _, rejection in step.rejections] == [Reason.TOO_LATE]
    assert "the first open one is 2026-02-01" in step.rejections[0][1].detail
    closed = observed(engine, at("U3", 30, "B1"), at("U4", 30, "B2")).account_days
    told = {(account_day.account_id, account_day.account_day.day) for account_day in closed}
    assert {account for account, _ in told} == {"A1", "B1"}
    assert len(told) == len(closed)
    first = engine.ledger.calendar.day_of(at("T", 27).event_time)
    assert {day for account, day in told if account == "A1"} == {first}
    assert engine.ledger.lone is None


def test_a_leap_may_be_longer_or_shorter() -> None:
    for calendar, closes in (('leap = "10d"', True), ('leap = "1h"', False), ("", False)):
        engine = cautious(calendar)
        observed(engine, at("T1", 0), at("T2", 0.01, "B1"))
        assert bool(observed(engine, at("T3", 9, "B1")).account_days) is closes, calendar


def test_the_clock_begins_with_the_first_transaction() -> None:
    engine = cautious()
    assert (engine.ledger.clock, engine.ledger.watermark, engine.ledger.marks.held_back) == (
        None,
        None,
        0,
    )
    observed(engine, at("T1", 0))
    assert (engine.ledger.clock, engine.ledger.watermark) == (
        int(MONDAY.timestamp() * 1_000_000),
        None,
    )
