"""The recount, by other means; and the reckoning, which must find whatever a topic has wrong."""

import json
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

import pytest

from monitor.core.threshold import Threshold
from monitor.policy.document import DEFAULT_POLICY, policy_of
from monitor.policy.policy import PolicyBook
from streams.lab.drills.rows import batch_of, closing_batch, drill_rows
from streams.lab.recount import (
    DayKey,
    DayTotals,
    Discrepancies,
    Recount,
    compare_alerts,
    compare_days,
    totals_of,
)
from streams.replay.replay import Replay
from tests.support.transactions import row

POLICY = policy_of(DEFAULT_POLICY)


# -- the recount ---------------------------------------------------------------------------------


def recounted(*rows: tuple[str | None, ...]) -> dict[DayKey, DayTotals]:
    with Recount() as recount:
        recount.add(rows)
        return recount.totals()


def test_it_adds_up_debits_and_credits_of_each_account_and_day() -> None:
    assert recounted(
        row("T1", amount="0.10"), row("T2", amount="12.30", segment="retail"),
        row("T3", amount="7", direction="credit"), row("T4", hours=24, amount="1.00"),
        row("T5", account_id="A2", amount="2.00"),
    ) == {
        ("A1", "2026-01-05"): DayTotals(2, 1240, 1, 700, "retail"),
        ("A1", "2026-01-06"): DayTotals(1, 100, 0, 0, None),
        ("A2", "2026-01-05"): DayTotals(1, 200, 0, 0, None),
    }  # fmt: skip


def test_a_row_sent_twice_counts_once() -> None:
    assert recounted(row("T1"), row("T1")) == recounted(row("T1"))


def test_neither_a_reversed_row_counts_nor_the_one_that_reverses_it() -> None:
    rows = row("T1", amount="5.00"), row("T2"), row("T3", hours=30, reverses="T2")
    assert recounted(*rows) == {("A1", "2026-01-05"): DayTotals(1, 500, 0, 0, None)}


def test_reversals_take_their_own_amounts_and_reversals_of_those_restore_them() -> None:
    rows = [
        row("T1", amount="5000.00"), row("R1", amount="5.00", reverses="T1"),
        row("R2", hours=24, amount="1000.00", reverses="T1"),
        row("R3", hours=24, amount="300.00", reverses="R2"),
        row("R4", hours=25, amount="100.00", reverses="R3"),
        row("T1", account_id="A2", amount="7.00"),
        row("Z", account_id="A3", amount="0.00"), row("RZ", account_id="A3", amount="0.00",
                                                      reverses="Z"),
        row("Z2", account_id="A3", amount="0"), row("Q", account_id="A3", reverses="Q"),
    ]  # fmt: skip
    expected = {
        ("A1", "2026-01-05"): DayTotals(1, 500_000 - 500 - (100_000 - (30_000 - 10_000)), 0, 0,
                                        None),
        ("A2", "2026-01-05"): DayTotals(1, 700, 0, 0, None),
        ("A3", "2026-01-05"): DayTotals(1, 0, 0, 0, None),
    }  # fmt: skip
    assert recounted(*rows) == recounted(*reversed(rows)) == expected


def test_it_is_exact() -> None:
    rows = [row(f"T{number}", amount="0.10") for number in range(1000)]
    assert recounted(*rows)["A1", "2026-01-05"].debit_cents == 10_000


# -- the reckoning -------------------------------------------------------------------------------


class Reckoned(NamedTuple):
    """What was sent by the recount, and what the engine told of it, as a topic has it."""

    expected: dict[DayKey, DayTotals]
    days: dict[DayKey, DayTotals]
    alerts: list[dict[str, Any]]


@cache
def reckoned() -> Reckoned:
    rows = list(islice(drill_rows(3), 6000))
    replay = Replay(PolicyBook([POLICY]), 2)
    days: dict[DayKey, DayTotals] = {}
    alerts = []
    for batch in (batch_of(rows), closing_batch(rows, 2)):
        told = replay.observe(batch)
        for closed in told.account_days:
            fields = json.loads(json.dumps(closed.fields()))
            days[fields["account_id"], fields["business_day"]] = totals_of(fields)
        alerts += [json.loads(json.dumps(alert.fields())) for alert in told.alerts]
        assert not told.rejections
    days = {key: totals for key, totals in days.items() if any(totals[:4])}
    with Recount() as recount:
        recount.add(rows)
        return Reckoned(recount.totals(), days, alerts)


def found_in(
    days: dict[DayKey, DayTotals], alerts: list[dict[str, Any]],
    thresholds: tuple[Threshold, ...] = POLICY.thresholds,
) -> Discrepancies:  # fmt: skip
    expected = reckoned().expected
    return compare_alerts(compare_days(expected, days), expected, thresholds, alerts)


def a_busy_day() -> DayKey:
    """Return the account-day with the most transactions; none of it is near a limit's edge."""
    days = reckoned().days
    return max(days, key=lambda key: (days[key].debits, days[key].credits))


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    _, days, alerts = reckoned()
    found = found_in(days, alerts)
    assert (found.lost, found.doubled, found.wrong, found.repeated) == (0, 0, 0, 0)
    assert found.alerts == len(alerts) > 20
    assert {alert["kind"] for alert in alerts} == {"daily-amount", "daily-count"}
    assert len(days) > 1000


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"debits": -1}, (1, 0, 0)), ({"debits": -2, "credits": -1}, (3, 0, 0)),
        ({"debits": 1}, (0, 1, 0)), ({"credits": 2}, (0, 2, 0)),
        ({"debit_cents": 1}, (0, 0, 1)), ({"credit_cents": -1}, (0, 0, 1)),
        ({"debits": -1, "credits": 1}, (0, 0, 1)),  # as many, but not the same
    ],
)  # fmt: skip
def test_a_wrong_account_day_is_found(changes: dict[str, int], found: tuple[int, int, int]) -> None:
    _, days, alerts = reckoned()
    key = a_busy_day()
    right = days[key]
    wrong = right._replace(**{name: getattr(right, name) + by for name, by in changes.items()})
    assert found_in({**days, key: wrong}, alerts)[:3] == found


def test_an_account_day_that_is_missing_is_lost_with_all_its_transactions() -> None:
    _, days, alerts = reckoned()
    key = a_busy_day()
    left = {other: totals for other, totals in days.items() if other != key}
    assert found_in(left, alerts)[:3] == (days[key].debits + days[key].credits, 0, 0)


def test_an_account_day_that_never_was_is_doubled() -> None:
    _, days, alerts = reckoned()
    more = {**days, ("A9999999", "2026-01-05"): DayTotals(2, 1, 1, 1, None)}
    assert found_in(more, alerts)[:3] == (0, 3, 0)


def test_each_alert_that_is_missing_is_lost() -> None:
    _, days, alerts = reckoned()
    for missing in {alert["alert_id"] for alert in alerts}:
        left = [alert for alert in alerts if alert["alert_id"] != missing]
        stood = [alert for alert in alerts if alert["alert_id"] == missing][-1]
        lost = int(stood["status"] != "withdrawn")
        assert found_in(days, left)[:3] == (lost, 0, 0)


def test_an_alert_that_should_not_stand_is_wrong() -> None:
    _, days, alerts = reckoned()
    never = {**alerts[0], "alert_id": "x", "account_id": "A9999999"}
    assert found_in(days, [*alerts, never])[:3] == (0, 0, 1)
    withdrawn = {**never, "status": "withdrawn", "revision": 2}
    assert found_in(days, [*alerts, never, withdrawn])[:3] == (0, 0, 0)
    assert found_in(days, [*alerts, withdrawn, never])[:3] == (0, 0, 0), "the last revision holds"


def test_an_alert_that_is_withdrawn_though_it_is_due_is_lost() -> None:
    _, days, alerts = reckoned()
    raised = next(alert for alert in alerts if alert["status"] == "raised")
    gone = {**raised, "status": "withdrawn", "revision": raised["revision"] + 5}
    assert found_in(days, [*alerts, gone])[:3] == (1, 0, 0)


def test_an_alert_told_again_is_repeated_and_in_other_words_wrong() -> None:
    _, days, alerts = reckoned()
    again = found_in(days, [*alerts, dict(alerts[3])])
    assert (again.repeated, again.wrong, again.alerts) == (1, 0, len(alerts))
    other = found_in(days, [*alerts, {**alerts[3], "value": "0.01"}])
    assert (other.repeated, other.wrong) == (1, 1)


def test_an_alert_under_another_limit_is_found() -> None:
    """A policy decided otherwise than the reckoning's: both sides of the difference are told."""
    _, days, alerts = reckoned()
    lower = tuple(
        threshold._replace(above=max(threshold.above // 4, 1)) for threshold in POLICY.thresholds
    )
    assert found_in(days, alerts, lower).lost > 0
    higher = tuple(
        threshold._replace(above=threshold.above * 100) for threshold in POLICY.thresholds
    )
    assert found_in(days, alerts, higher).wrong > 0


def test_an_account_day_with_nothing_left_of_it() -> None:
    empty = {"totals": [], "segment": "retail"}
    assert totals_of(empty) == DayTotals(0, 0, 0, 0, "retail")
    assert compare_days({}, {("A1", "2026-01-05"): totals_of(empty)}) == Discrepancies()
