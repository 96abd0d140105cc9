"""Reversals: each takes out its own amount, whatever the order in which they come."""

import random
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.business_day import day_text
from monitor.core.transaction import Reason, Transaction
from monitor.core.waiting import WAITING_MAX
from monitor.engine.engine import Engine, Step
from monitor.engine.reversals import CHAIN_MAX
from monitor.explain.comparison import parts_of, total_text
from streams.feed.reader import Batch
from streams.replay.replay import Replay
from streams.wire import codec
from tests.support.laws import law
from tests.support.transactions import POLICY, book, observed, row, transaction

DAY = 24
REVIEWED = (
    POLICY
    + """
[review]
days = 2
window_days = 7
near_share = 0.6
"""
)


def told(step: Step) -> list[tuple[str, str, object, object]]:
    return [
        (a.threshold.threshold_id, a.status.value, a.fields()["value_before"], a.fields()["value"])
        for a in step.alerts
        if a.kind.value != "review"
    ]


def reasons(step: Step) -> list[tuple[int, Reason]]:
    return [(offset, rejection.reason) for offset, rejection in step.rejections]


def totals(engine: Engine) -> dict[tuple[str, str], list[int]]:
    """Return the debits and credits in EUR of every open account-day."""
    return {
        (name, day_text(account_day.day)): account_day.totals_in("EUR")[:4]
        for name, account in engine.ledger.accounts.items()
        for account_day in account.days
    }


# -- one at a time -------------------------------------------------------------------------------


def test_a_partial_reversal_restates_a_standing_alert_with_the_old_value_and_the_new() -> None:
    engine = Engine(0, book())
    observed(engine, transaction("T1", amount="5000.00"))
    step = observed(engine, transaction("T2", hours=30, amount="5.00", reverses="T1"))
    assert told(step) == [("daily-amount", "restated", "5000.00", "4995.00")]
    assert totals(engine) == {("A1", "2026-01-05"): [1, 499_500, 0, 0]}
    step = observed(engine, transaction("T3", hours=31, amount="4495.00", reverses="T1"))
    assert told(step) == [("daily-amount", "withdrawn", "4995.00", "500.00")]
    observed(engine, transaction("T4", hours=31, amount="500.00", reverses="T1"))
    assert totals(engine) == {("A1", "2026-01-05"): [0, 0, 0, 0]}


def test_a_reversal_of_a_reversal_restores_what_it_says_and_may_raise() -> None:
    engine = Engine(0, book())
    observed(engine, transaction("T1", amount="400.00"), transaction("T2", amount="80.00"))
    observed(engine, transaction("R1", amount="80.00", reverses="T2"))
    observed(engine, transaction("T3", amount="90.00"))
    assert told(observed(engine, transaction("R2", amount="11.00", reverses="R1"))) == [
        ("daily-amount", "raised", None, "501.00")
    ]
    assert totals(engine) == {("A1", "2026-01-05"): [3, 50_100, 0, 0]}
    step = observed(engine, transaction("R3", amount="69.01", reverses="R1"))
    assert reasons(step) == [(5, Reason.REVERSAL_MISMATCH)]
    observed(engine, transaction("R4", amount="69.00", reverses="R1"))
    assert totals(engine) == {("A1", "2026-01-05"): [3, 57_000, 0, 0]}


@pytest.mark.parametrize(
    ("second", "reason", "why"),
    [
        ({"amount": "100.01"}, "reversal-mismatch", "100.00 EUR is left of it, this one takes"),
        ({"currency": "USD"}, "reversal-mismatch", "that is in EUR, this one is in USD"),
        ({"amount": "0.00", "currency": "USD"}, "reversal-mismatch", "that is in EUR"),
        ({"transaction_id": "T1"}, "duplicate", "was taken on 2026-01-05"),
        ({"booked_at": "2025-12-01T00:00:00Z"}, "too-late", "is closed"),
    ],
)
def test_what_does_not_fit_is_rejected_and_changes_nothing(
    second: dict[str, Any], reason: str, why: str
) -> None:
    engine = Engine(0, book())
    # The second account is so that there is a watermark, and days close.
    observed(engine, transaction("T1"), transaction("T1", account_id="A2"))
    before = totals(engine)
    name = second.pop("transaction_id", "T2")
    step = observed(engine, transaction(name, reverses="T1", **second))
    ((offset, rejection),) = step.rejections
    assert (offset, rejection.reason.value) == (2, reason)
    assert why in rejection.detail
    assert totals(engine) == before
    assert engine.ledger.open_transactions() == 2
    step = observed(engine, transaction("T3", reverses="T1"))
    assert (step.transactions, step.rejections) == (1, [])


def test_what_is_taken_back_wholly_cannot_be_taken_back_again() -> None:
    engine = Engine(0, book())
    step = observed(
        engine, transaction("T1"), transaction("R1", reverses="T1"),
        transaction("R2", reverses="T1"), transaction("R3", amount="0.01", reverses="T1"),
    )  # fmt: skip
    assert reasons(step) == [(2, Reason.REVERSAL_MISMATCH), (3, Reason.REVERSAL_MISMATCH)]


def test_a_reversal_restored_cannot_take_what_another_one_took_meanwhile() -> None:
    engine = Engine(0, book())
    step = observed(
        engine, transaction("T1"), transaction("R1", reverses="T1"),
        transaction("R2", reverses="R1"), transaction("R3", reverses="T1"),
        transaction("R4", reverses="R2"),  # R1 would count again, and nothing is left of T1
    )  # fmt: skip
    assert reasons(step) == [(4, Reason.REVERSAL_MISMATCH)]
    assert totals(engine) == {("A1", "2026-01-05"): [0, 0, 0, 0]}


@pytest.mark.parametrize("direction", ["debit", "credit"])
def test_either_direction_takes_back(direction: str) -> None:
    engine = Engine(0, book())
    observed(engine, transaction("T1", direction="credit"))
    observed(engine, transaction("R1", amount="40.00", direction=direction, reverses="T1"))
    assert totals(engine) == {("A1", "2026-01-05"): [0, 0, 1, 6000]}


def test_a_transaction_of_nothing_counts_until_a_reversal_of_nothing_takes_it_back() -> None:
    engine = Engine(0, book())
    observed(engine, transaction("Z", amount="0.00"), transaction("T", amount="7.00"))
    step = observed(engine, transaction("R0", amount="0.01", reverses="Z"))
    assert reasons(step) == [(2, Reason.REVERSAL_MISMATCH)]
    observed(engine, transaction("R1", amount="0.00", reverses="Z"))
    assert totals(engine) == {("A1", "2026-01-05"): [1, 700, 0, 0]}
    step = observed(engine, transaction("R2", amount="0.00", reverses="Z"))
    assert reasons(step) == [(4, Reason.REVERSAL_MISMATCH)]
    observed(engine, transaction("R3", amount="0.00", reverses="R1"))
    assert totals(engine) == {("A1", "2026-01-05"): [2, 700, 0, 0]}
    step = observed(engine, transaction("R4", amount="0.00", reverses="T"))
    assert step.transactions == 1
    assert totals(engine) == {("A1", "2026-01-05"): [2, 700, 0, 0]}


def test_another_account_s_transaction_is_none_of_this_account() -> None:
    engine = Engine(0, book())
    step = observed(
        engine, transaction("T1"), transaction("R1", account_id="A2", reverses="T1"),
        transaction("T9", hours=4 * DAY, account_id="A3"),
    )  # fmt: skip
    assert reasons(step) == [(1, Reason.NOTHING_TO_REVERSE)]


def test_what_took_back_of_a_closed_day_cannot_be_taken_back() -> None:
    engine = Engine(0, book())
    step = observed(
        engine, transaction("T1"), transaction("R1", hours=DAY, reverses="T1"),
        transaction("T2", hours=2.8 * DAY, account_id="A2"),  # Monday is closed, Tuesday is not
        transaction("R2", hours=DAY, reverses="R1"),
    )  # fmt: skip
    assert reasons(step) == [(3, Reason.NOTHING_TO_REVERSE)]
    assert "business day that is closed" in step.rejections[0][1].detail


def test_a_reversal_whose_original_s_day_has_closed_is_a_duplicate_where_it_comes_again() -> None:
    """Its account has no open account-day any more, and is kept for as long as its reversal."""
    engine = Engine(0, book())
    observed(
        engine, transaction("T1"), transaction("R1", hours=DAY, reverses="T1"),
        transaction("T2", hours=2.8 * DAY, account_id="A2"),
    )  # fmt: skip
    assert set(engine.ledger.accounts) == {"A1", "A2"}
    step = observed(engine, transaction("R1", hours=DAY, reverses="T1"))
    assert reasons(step) == [(3, Reason.DUPLICATE)]
    observed(engine, transaction("T3", hours=3.8 * DAY, account_id="A2"))
    assert set(engine.ledger.accounts) == {"A2"}


def test_the_id_of_a_closed_day_given_again_is_not_what_was_reversed() -> None:
    engine = Engine(0, book())
    observed(
        engine, transaction("T1"), transaction("R1", hours=DAY, reverses="T1"),
        transaction("T2", hours=2.8 * DAY, account_id="A2"),
        transaction("T1", hours=2.8 * DAY, amount="7.00"),  # another one
    )  # fmt: skip
    step = observed(engine, transaction("R2", hours=DAY, reverses="R1"))
    assert reasons(step) == [(4, Reason.NOTHING_TO_REVERSE)]
    assert totals(engine)["A1", "2026-01-08"] == [1, 700, 0, 0]


def test_a_chain_has_an_end() -> None:
    engine = Engine(0, book())
    names = [f"T{n}" for n in range(CHAIN_MAX + 2)]
    items = [
        transaction(name, reverses=before) if before else transaction(name)
        for before, name in zip([None, *names], names, strict=False)
    ]
    step = observed(engine, *items)
    assert reasons(step) == [(CHAIN_MAX + 1, Reason.REVERSAL_MISMATCH)]
    assert totals(engine) == {("A1", "2026-01-05"): [1, 10_000, 0, 0]}


def test_a_review_does_not_count_a_day_whose_alert_a_reversal_withdrew() -> None:
    engine = Engine(0, book(REVIEWED))
    step = observed(
        engine, transaction("T1", amount="600.00"), transaction("T2", hours=DAY, amount="600.00")
    )
    assert [a.status.value for a in step.alerts if a.kind.value == "review"] == ["raised"]
    step = observed(engine, transaction("R1", hours=DAY, amount="500.00", reverses="T1"))
    assert [a.status.value for a in step.alerts if a.kind.value == "review"] == ["withdrawn"]
    step = observed(engine, transaction("R2", hours=DAY, amount="500.00", reverses="R1"))
    assert [a.status.value for a in step.alerts if a.kind.value == "review"] == ["raised"]


# -- reversals that come before their originals --------------------------------------------------


def test_a_reversal_before_its_original_waits_and_is_counted_meanwhile() -> None:
    engine = Engine(0, book())
    step = observed(engine, transaction("R1", hours=1, amount="900.00", reverses="T1"))
    assert (step.transactions, step.rejections, [w.offset for w in step.waiting]) == (0, [], [0])
    assert engine.ledger.reversals_waiting == 1
    again = transaction("R1", hours=1, amount="900.00", reverses="T1")
    assert reasons(observed(engine, again)) == [(1, Reason.DUPLICATE)]
    step = observed(engine, transaction("T1", amount="900.00"))
    assert (step.transactions, step.settled, told(step)) == (2, [0], [])
    assert engine.ledger.reversals_waiting == 0
    assert totals(engine) == {("A1", "2026-01-05"): [0, 0, 0, 0]}


def test_of_two_that_wait_the_first_that_came_is_the_first_to_take() -> None:
    engine = Engine(0, book())
    step = observed(
        engine,
        transaction("R1", amount="70.00", reverses="T1"),
        transaction("R2", amount="70.00", reverses="T1"),
        transaction("R3", amount="30.00", reverses="T1"),
        transaction("T1"),
    )
    assert reasons(step) == [(1, Reason.REVERSAL_MISMATCH)]
    assert (step.transactions, step.settled) == (3, [0, 1, 2])
    step = observed(engine, transaction("R2", amount="0.00", reverses="T1"))  # mended
    assert (step.transactions, step.rejections) == (1, [])


def test_a_reversal_may_wait_for_one_that_waits() -> None:
    engine = Engine(0, book())
    step = observed(
        engine,
        transaction("R3", amount="100.00", reverses="T1"),
        transaction("R2", amount="60.00", reverses="R1"),
        transaction("R1", reverses="T1"),
        transaction("Q", reverses="Q"),  # for itself, and for ever
    )
    assert (step.transactions, len(step.waiting)) == (0, 4)
    step = observed(engine, transaction("T1"))
    assert reasons(step) == [(2, Reason.REVERSAL_MISMATCH)]  # R3 came first, and nothing is left
    assert totals(engine) == {("A1", "2026-01-05"): [0, 0, 0, 0]}
    step = observed(engine, transaction("T9", hours=4 * DAY, account_id="A3"))
    assert reasons(step) == [(1, Reason.NOTHING_TO_REVERSE), (3, Reason.NOTHING_TO_REVERSE)]
    assert engine.ledger.reversals_waiting == 0


def test_what_waits_is_rejected_once_when_its_day_closes_and_its_account_is_forgotten() -> None:
    engine = Engine(0, book())
    step = observed(
        engine, transaction("R1", reverses="T1"), transaction("R2", hours=DAY, reverses="T2")
    )
    assert not step.rejections
    step = observed(engine, transaction("T9", hours=2.8 * DAY, account_id="A3"))
    assert reasons(step) == [(0, Reason.NOTHING_TO_REVERSE)]
    assert set(engine.ledger.accounts) == {"A1", "A3"}
    step = observed(engine, transaction("T10", hours=3.8 * DAY, account_id="A3"))
    assert reasons(step) == [(1, Reason.NOTHING_TO_REVERSE)]
    assert set(engine.ledger.accounts) == {"A3"}
    assert reasons(observed(engine, transaction("T11", hours=9 * DAY, account_id="A3"))) == []


def test_days_that_close_at_once_reject_what_waits_of_each() -> None:
    engine = Engine(0, book())
    observed(engine, *(transaction(f"R{n}", hours=n * DAY, reverses="T") for n in (1, 0)))
    step = observed(engine, transaction("T9", hours=20 * DAY, account_id="A3"))
    assert reasons(step) == [(1, Reason.NOTHING_TO_REVERSE), (0, Reason.NOTHING_TO_REVERSE)]
    assert set(engine.ledger.accounts) == {"A3"}


def test_so_many_of_an_account_wait_and_no_more() -> None:
    engine = Engine(0, book())
    step = observed(engine, *(transaction(f"R{n}", reverses="T") for n in range(WAITING_MAX + 1)))
    assert len(step.waiting) == WAITING_MAX
    assert reasons(step) == [(WAITING_MAX, Reason.NOTHING_TO_REVERSE)]


def test_a_reversal_s_reversal_may_come_after_its_own_day_has_closed() -> None:
    """What is booked before its original is held as long as that is."""
    engine = Engine(0, book())
    observed(engine, transaction("T1", hours=DAY), transaction("R1", hours=0, reverses="T1"))
    observed(engine, transaction("T2", hours=2.8 * DAY, account_id="A2"))  # Monday is closed
    step = observed(engine, transaction("R2", hours=DAY, amount="30.00", reverses="R1"))
    assert (step.transactions, step.rejections) == (1, [])
    assert totals(engine)["A1", "2026-01-06"] == [1, 3000, 0, 0]


# -- the law -------------------------------------------------------------------------------------


class Drawn(NamedTuple):
    """A tree of reversals: each row reverses the one at `parent` (-1: none), an earlier row."""

    account: int
    hours: int
    cents: int
    parent: int
    share: int  # of its parent's amount, in fifths


rows = st.builds(
    Drawn, st.integers(0, 2), st.integers(0, 62), st.sampled_from([0, 100, 60_000, 33_333]),
    st.integers(-3, 20), st.integers(0, 5),
)  # fmt: skip


def items_of(drawn: list[Drawn]) -> list[Transaction]:
    """Return transactions whose reversals fit: those of each are at most its amount together."""
    items: list[Transaction] = []
    free: list[int] = []  # of the amount of each; of one of nothing, how often it may be reversed
    for number, booking in enumerate(drawn):
        parent = booking.parent if booking.parent < number else -1
        more: dict[str, str] = {}
        account, cents = f"A{booking.account}", booking.cents
        if parent >= 0:
            original = items[parent]
            account, more = original.account_id, {"reverses": original.transaction_id}
            cents = min(original.amount_minor * booking.share // 5, free[parent])
            taken = cents if original.amount_minor else 1
            if taken > free[parent]:
                more, cents = {}, booking.cents  # it does not fit: one that reverses nothing
            else:
                free[parent] -= taken
        items.append(
            transaction(
                f"T{number}", hours=booking.hours, account_id=account,
                amount=f"{cents // 100}.{cents % 100:02d}", **more,
            )
        )  # fmt: skip
        free.append(cents or 1)
    return items


def recount(items: list[Transaction]) -> dict[tuple[str, str], list[int]]:
    """Count plainly, in whole cents: what is left of each, by what is left of its reversals."""
    reversals = defaultdict(list)
    for item in items:
        if item.reverses is not None:
            reversals[item.account_id, item.reverses].append(item)

    def left(item: Transaction) -> int:
        unit = item.amount_minor or is_counted_once(item)
        return unit - sum(
            left(reversal) for reversal in reversals[item.account_id, item.transaction_id]
        )

    by_name = {(item.account_id, item.transaction_id): item for item in items}

    def is_counted_once(item: Transaction) -> int:
        """Of nothing: an original is there or not; a reversal is of one that is of nothing too."""
        if item.reverses is None:
            return 1
        original = by_name[item.account_id, item.reverses]
        return 0 if original.amount_minor else is_counted_once(original)

    counted: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for item in items:
        if item.reverses is None:
            day = counted[item.account_id, day_text(item.event_time // 86_400_000_000 + 719_163)]
            day[0] += left(item) > 0
            day[1] += left(item) if item.amount_minor else 0
    return dict(counted)


def over(counted: dict[tuple[str, str], list[int]]) -> set[tuple[str, str, str]]:
    amounts = {(*key, "daily-amount") for key, figures in counted.items() if figures[1] > 50_000}
    return amounts | {(*key, "daily-count") for key, figures in counted.items() if figures[0] > 3}


def standing(steps: list[Step]) -> set[tuple[str, str, str]]:
    last = {alert.alert_id: alert for step in steps for alert in step.alerts}
    return {
        (a.account_id, day_text(a.business_day), a.threshold.threshold_id)
        for a in last.values()
        if a.status.value != "withdrawn"
    }


@pytest.mark.no_cover
@law(300)
@given(st.lists(rows, min_size=1, max_size=25), st.randoms(use_true_random=False))
@example(
    [Drawn(0, 0, 60_000, -1, 5), Drawn(0, 1, 1, 0, 5), Drawn(0, 2, 1, 1, 3)],
    random.Random(1),  # noqa: S311 - seeded, and no secret
)
def test_where_reversals_fit_every_order_of_arrival_comes_to_a_plain_recount(
    drawn: list[Drawn], shuffle: random.Random
) -> None:
    items = items_of(drawn)
    expected = recount(items)
    for _ in range(3):
        engine = Engine(0, book())
        steps = [observed(engine, item) for item in items]
        assert [step.rejections for step in steps if step.rejections] == []
        assert totals(engine) == expected
        assert standing(steps) == over(expected)
        assert sum(step.transactions for step in steps) == len(items)
        assert engine.ledger.reversals_waiting == 0
        shuffle.shuffle(items)


@law(200)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 9), st.integers(0, 3), st.sampled_from([None, *range(9)]),
            st.integers(0, 5), st.sampled_from(["EUR", "EUR", "USD"]),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_those_that_do_not_fit_are_judged_in_the_order_in_which_they_came(
    drawn: list[tuple[int, int, int | None, int, str]],
) -> None:
    """Held against a plain model: a list of what waits, and a dict of what is left."""
    items = [
        transaction(
            f"T{name}", hours=hours, amount=f"{cents}.00", currency=currency,
            **({} if original is None else {"reverses": f"T{original}"}),
        )
        for name, hours, original, cents, currency in drawn
    ]  # fmt: skip
    engine = Engine(0, book())
    rejected = [(o, r.reason) for o, r in observed(engine, *items).rejections]
    plain = Plain()
    for offset, item in enumerate(items):
        plain.take(offset, item)
    assert sorted(rejected) == sorted(plain.rejected)


class Plain:
    """One account, its transactions by id, and a list of what waits."""

    def __init__(self) -> None:
        self.rejected: list[tuple[int, Reason]] = []
        self.there: dict[str, Transaction] = {}
        self.left: dict[str, int] = {}
        self.waiting: list[tuple[int, Transaction]] = []

    def take(self, offset: int, item: Transaction) -> None:
        name = item.transaction_id
        if name in self.there or any(name == waiting.transaction_id for _, waiting in self.waiting):
            self.rejected.append((offset, Reason.DUPLICATE))
            return
        self.waiting.append((offset, item))
        while pair := next((pair for pair in self.waiting if self.is_ready(pair[1])), None):
            self.waiting.remove(pair)
            at, booked = pair
            if booked.reverses is None or self.fits(booked, booked.reverses):
                self.left[booked.transaction_id] = self.units(booked)
                self.there[booked.transaction_id] = booked
            else:
                self.rejected.append((at, Reason.REVERSAL_MISMATCH))

    def is_ready(self, item: Transaction) -> bool:
        return item.reverses is None or item.reverses in self.there

    def units(self, item: Transaction) -> int:
        if item.amount_minor:
            return item.amount_minor
        if item.reverses is None:
            return 1
        original = self.there[item.reverses]
        return 1 if not original.amount_minor and self.units(original) else 0

    def fits(self, item: Transaction, name: str | None) -> bool:
        """Say whether it fits, and change what is left of the chain where it does."""
        assert name is not None
        original = self.there[name]
        if original.currency != item.currency or (not original.amount_minor and item.amount_minor):
            return False
        takes, changes = self.units(item), {}
        while name is not None:
            changes[name] = self.left[name] - takes
            name, takes = self.there[name].reverses, -takes
        if min(changes.values()) < 0:
            return False
        self.left.update(changes)
        return True


@law(100)
@given(st.lists(rows, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_the_parts_of_an_explained_alert_are_what_reversals_have_left(
    drawn: list[Drawn], shuffle: random.Random
) -> None:
    items = items_of(drawn)
    expected = recount(items)
    shuffle.shuffle(items)
    calendar = book().calendar.calendar()
    for (account_id, day), (count, cents, *_) in expected.items():
        taken = {at: item for at, item in enumerate(items) if item.account_id == account_id}
        alert = {
            "kind": "daily-amount", "business_day": day, "currency": "EUR", "direction": "debit",
        }  # fmt: skip
        parts = parts_of(alert, taken, calendar, None)
        assert len(parts) == count
        assert total_text(alert, parts) == f"{cents // 100}.{cents % 100:02d}"


# -- in files ------------------------------------------------------------------------------------


def test_a_rejection_told_later_names_the_file_and_row_of_its_own_record() -> None:
    replay = Replay(book(), 2)
    early = row("R1", account_id="A1", reverses="T1"), row("R2", account_id="A2", reverses="T2")
    told_first = replay.observe(Batch(Path("one.csv"), early, [7, 8], [], 0))
    assert told_first.rejections == []
    fields = replay.totals.fields(0)
    assert (fields["records"], fields["transactions"], fields["waiting"]) == (2, 2, 2)
    later = [row(f"T{n}", hours=100, account_id=f"A{n}") for n in range(6)]
    found = replay.observe(Batch(Path("two.csv"), later, list(range(6)), [], 0)).rejections
    assert sorted((rejected.file, rejected.row, rejected.record) for rejected in found) == [
        ("one.csv", number, codec.transaction_bytes(fields))
        for number, fields in zip((7, 8), early, strict=True)
    ]
    fields = replay.totals.fields(0)
    assert (fields["records"], fields["transactions"], fields["waiting"]) == (8, 6, 0)
