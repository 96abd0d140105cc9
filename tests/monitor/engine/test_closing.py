"""Closing a day is bounded: one call does so much and no more, in whichever pieces.

The work is counted, not timed.
"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.threshold import Threshold
from monitor.core.transaction import Transaction
from monitor.engine import closing as closing_day
from monitor.engine.engine import Engine
from monitor.engine.step import Step
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.systemic.record import segment_records_of
from monitor.systemic.summary import DaySum
from streams.wire import codec
from tests.support.laws import law
from tests.support.transactions import POLICY, observed, transaction

SYSTEMIC = POLICY + "\n[systemic]\n[review]\ndays = 2\nwindow_days = 5\nnear_share = 0.5\n"
ACCOUNTS = 400
UNITS = 50


def limit(name: str, scope: str, above: int) -> str:
    return (
        f'[[limit]]\nid = "{name}"\nmeasure = "amount"\ndirection = "debit"\ncurrency = "EUR"\n'
        f'above = "{above}.00"\nscope = {{ {scope} }}\n'
    )


def engine_of(text: str) -> Engine:
    return Engine(0, PolicyBook([policy_of(text)._replace(outliers=None)]), 4)


def a_day(day: int, segments: int = 1) -> list[Transaction]:
    return [
        transaction(
            f"T{day}-{n}", hours=24 * day, account_id=f"A{n}", segment=f"S{n % segments}",
            amount=f"{(260, 320, 700)[n % 3]}.00", counterparty_institution=f"I{n % 7}",
        )
        for n in range(ACCOUNTS)
    ]  # fmt: skip


def end(days: float = 6) -> list[Transaction]:
    """Return records of two accounts that close what came before."""
    return [transaction(f"E{days}{n}", hours=24 * days, account_id=f"E{n}") for n in range(2)]


class Work:
    """Counts what closing does: account-days for reviews, account-days and limits of the sums."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: Counter[str] = Counter()
        patch.setattr(closing_day, "UNITS_A_RUN", UNITS)
        patch.setattr("monitor.engine.engine.UNITS_A_RUN", UNITS)
        self._count(patch, DaySum, "_count")
        self._count(patch, DaySum, "_ask")
        self._count(patch, Threshold, "is_for")
        self._count(patch, "monitor.review.reviews", "noted_day")
        self._count(patch, "monitor.systemic.summary._Limit", "limit_day")
        self._count(patch, "monitor.engine.closing", "ClosedDay")

    def _count(self, patch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        path = f"{owner}.{name}" if isinstance(owner, str) else None
        counted = getattr(owner, name) if path is None else _of_path(path)

        def counting(*args: object, **kwargs: object) -> object:
            self.done[name] += 1
            return counted(*args, **kwargs)

        if path is None:
            patch.setattr(owner, name, counting)
        else:
            patch.setattr(path, counting)


def _of_path(path: str) -> Any:  # noqa: ANN401 - whatever it names
    module, *names = path.rsplit(".", path.count(".") - 1)
    found: Any = __import__(module, fromlist=[names[0]])
    for name in names:
        found = getattr(found, name)
    return found


POLICIES = {
    "own limits": SYSTEMIC
    + "".join(limit(f"own{n}", f'account = "A{n}"', 500 + n) for n in range(ACCOUNTS)),
    "segments": SYSTEMIC
    + "".join(limit(f"seg{n}", f'segment = "S{n}"', 500 + n) for n in range(ACCOUNTS)),
    "none": SYSTEMIC,
}


@pytest.mark.parametrize("name", POLICIES)
def test_one_call_works_on_so_many_account_days_whatever_limits_and_segments_there_are(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(POLICIES[name])
    work = Work(monkeypatch)
    segments = ACCOUNTS if name == "segments" else 3
    for item in a_day(0, segments):  # one by one: a run of many records may do more
        observed(engine, item)
    calls, told, closed = 0, 0, 0
    items = end()
    work.done.clear()
    while items or engine.has_closing_days or engine.is_closing:
        if items:
            step = observed(engine, items.pop(0))
        else:
            engine.close_account_days(UNITS)
            step = engine.take_step()
        # A boundary's piece and a run's: each works on so many, and recounts what it noted twice.
        assert work.done["_count"] <= 2 * UNITS
        assert work.done["noted_day"] <= 4 * UNITS
        assert work.done["limit_day"] <= 2 * UNITS
        assert work.done["ClosedDay"] <= 2 * UNITS
        assert (
            sum(work.done[function] for function in ("_count", "ClosedDay", "limit_day"))
            <= 2 * UNITS
        )
        assert work.done["_ask"] <= work.done["_count"]
        work.done.clear()
        calls += 1
        told += len(step.segment_days)
        closed += len(step.account_days)
    assert (told, closed) == (2, ACCOUNTS)  # the day, and the last one before the next
    assert calls > 2 * ACCOUNTS / UNITS


def test_the_limits_of_an_account_are_found_without_looking_at_those_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = engine_of(POLICIES["own limits"])
    work = Work(monkeypatch)
    observed(engine, *a_day(0))
    shared = len(policy_of(SYSTEMIC).thresholds)
    assert 0 < work.done["is_for"] <= ACCOUNTS * (shared + 1)


# -- in which pieces, changes nothing --------------------------------------------------------------


def told(steps: list[Step]) -> tuple[object, ...]:
    alerts = [alert for step in steps for alert in step.alerts]
    by_account: dict[str, list[bytes]] = {}
    for alert in alerts:
        by_account.setdefault(alert.account_id, []).append(codec.alert_bytes(alert))
    closed = [account_day for step in steps for account_day in step.account_days]
    segment_days = [
        codec.segment_record_bytes(record)
        for step in steps
        for of_day in step.segment_days
        for record in segment_records_of(0, of_day)
    ]
    return by_account, sorted(map(codec.closed_day_bytes, closed)), segment_days


def run(items: list[Transaction], sizes: list[int], *, ticks: int) -> tuple[Any, ...]:
    engine, steps, place, turn = engine_of(SYSTEMIC), [], 0, 0
    while place < len(items):
        size = sizes[turn % len(sizes)]
        steps.append(observed(engine, *items[place : place + size]))
        place, turn = place + size, turn + 1
        for _ in range(ticks * (turn % 2)):
            engine.close_account_days()
            steps.append(engine.take_step())
    while engine.has_closing_days or engine.is_closing:
        engine.close_account_days()
        steps.append(engine.take_step())
    return told(steps)


made = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 30), st.sampled_from([260, 450, 600])),
    min_size=1, max_size=60,
)  # fmt: skip


@law(100)
@given(made, st.lists(st.integers(1, 9), min_size=1), st.integers(1, 4), st.integers(0, 3))
def test_however_small_the_pieces_are_the_same_is_told(
    drawn: list[tuple[int, int, int]], sizes: list[int], units: int, ticks: int
) -> None:
    hours, items = 0, []
    for number, (account, step, amount) in enumerate(drawn):
        hours += step
        items.append(
            transaction(
                f"T{number}", hours=hours, account_id=f"A{account}", amount=f"{amount}.00",
                segment=f"S{account % 2}",
            )
        )  # fmt: skip
    items += end(hours / 24 + 20) + end(hours / 24 + 40)
    whole = run(items, [len(items)], ticks=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closing_day, "UNITS_A_RUN", units)
        close = Engine.close_account_days
        patch.setattr(Engine, "close_account_days", lambda engine, _=0: close(engine, units))
        assert run(items, sizes, ticks=ticks) == whole


def test_a_closed_day_is_counted_before_the_next_record_of_its_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [*(f"B{n}" for n in range(12)), "A1"]
    near = [
        transaction(f"N{name}{hours}", hours=hours, account_id=name, amount="450.00")
        for hours in (-24, 0)
        for name in names
    ]
    ends = [transaction(f"E{n}", hours=64, account_id=f"E{n}") for n in range(2)]
    breach = transaction("X", hours=65, account_id="A1", amount="501.00")
    items = [*near, *ends, breach]
    whole = run(items, [len(items)], ticks=0)
    monkeypatch.setattr(closing_day, "UNITS_A_RUN", 1)
    close = Engine.close_account_days
    monkeypatch.setattr(Engine, "close_account_days", lambda engine, _=0: close(engine, 1))
    assert run(items, [1], ticks=0) == whole
    assert any(b'"kind":"review"' in told for told in whole[0]["A1"]), whole[0]["A1"]


def test_a_policy_that_comes_while_a_day_closes_finds_it_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = engine_of(SYSTEMIC)
    observed(engine, *a_day(0))
    monkeypatch.setattr(closing_day, "UNITS_A_RUN", 1)
    monkeypatch.setattr("monitor.engine.engine.UNITS_A_RUN", 1)
    observed(engine, *end())
    assert engine.reviews.uncounted
    monkeypatch.setattr(closing_day, "UNITS_A_RUN", 1000)
    assert engine.is_closing
    engine.policies_changed()
    assert not engine.reviews.uncounted


def test_what_is_told_of_a_review_does_not_depend_on_when_older_days_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The day of a review that is withdrawn may be the last one that its account has."""
    policy = POLICY + "[review]\ndays = 1\nwindow_days = 1\nnear_share = 0.5\n"
    near = [transaction(f"N{n}", hours=24, account_id=f"B{n}", amount="400.00") for n in range(9)]
    items = [
        transaction("over", hours=0, amount="600.00", segment="business"),
        transaction("closes", hours=24 * 3, account_id="B0"),
        *near,
        transaction("again", hours=24 * 3, amount="600.00"),
        transaction("closes more", hours=24 * 4, account_id="B0"),
        transaction("back", hours=24 * 4, amount="600.00", reverses="again"),
    ]

    def told() -> list[tuple[str, str, str | None]]:
        engine = engine_of(policy)
        step = observed(engine, *items)
        assert step.rejections == []
        return [(alert.kind, alert.status, alert.segment) for alert in step.alerts]

    at_once = told()
    assert at_once[-1] == ("review", "withdrawn", None)
    monkeypatch.setattr(closing_day, "UNITS_A_RUN", 1)
    monkeypatch.setattr("monitor.engine.engine.UNITS_A_RUN", 1)
    assert told() == at_once
