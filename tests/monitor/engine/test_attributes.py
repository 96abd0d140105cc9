"""What an account's attributes decide: the segment where none is named, and limits by product."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.account import AccountDay
from monitor.core.alert import Status
from monitor.core.attributes import Attributes
from monitor.core.threshold import scope_of
from monitor.core.transaction import Transaction
from monitor.engine.engine import Engine
from tests.support.laws import law
from tests.support.scoped_limits import BOTH, BUSINESS, SAVINGS, SCOPED
from tests.support.transactions import book, observed, transaction


def engine_of(**attributes: Attributes) -> Engine:
    engine = Engine(0, book(SCOPED))
    for account_id, of_account in attributes.items():
        engine.ledger.attributes.take(account_id, of_account)
    return engine


def change(engine: Engine, account_id: str, attributes: Attributes | None) -> list[tuple[str, str]]:
    """Let an account's attributes change, and return what is told of it."""
    if engine.ledger.attributes.take(account_id, attributes):
        engine.attributes_changed([account_id])
    return [(a.threshold.threshold_id, a.status.value) for a in engine.take_step().alerts]


def told(engine: Engine, *items: Transaction) -> list[tuple[str, str]]:
    alerts = observed(engine, *items).alerts
    return [(a.threshold.threshold_id, a.status.value) for a in alerts]


def only_day(engine: Engine, account_id: str = "A1") -> AccountDay:
    (account_day,) = engine.ledger.accounts[account_id].days
    return account_day


# -- what decides --------------------------------------------------------------------------------


def test_where_no_transaction_names_a_segment_the_account_s_decides() -> None:
    engine = engine_of(A1=BUSINESS)
    assert told(engine, transaction("T1", amount="600.00")) == []
    assert told(engine, transaction("T2", amount="600.00", account_id="A2")) == [
        ("daily-amount", "raised")
    ]
    (alert,) = observed(engine, transaction("T3", amount="100.01")).alerts
    assert (alert.threshold.threshold_id, alert.segment) == ("business", "business")


def test_a_segment_that_a_transaction_names_holds_for_its_account_day_alone() -> None:
    engine = engine_of(A1=BUSINESS)
    assert told(engine, transaction("T1", amount="600.00")) == []
    assert told(engine, transaction("T2", amount="1.00", segment="retail")) == [
        ("daily-amount", "raised")
    ]
    assert told(engine, transaction("T3", amount="1.00")) == []
    assert only_day(engine).segment == "retail"
    assert told(engine, transaction("T4", amount="600.00", hours=24)) == []


def test_naming_the_segment_that_the_account_has_makes_it_the_day_s_own() -> None:
    engine = engine_of(A1=BUSINESS)
    assert told(engine, transaction("T1", amount="600.00", segment="business")) == []
    assert change(engine, "A1", None) == []
    assert only_day(engine).segment == "business"


@pytest.mark.parametrize(
    ("attributes", "limits"),
    [
        (None, ("daily-amount",)),
        (SAVINGS, ("savings", "savings-count")),
        (BUSINESS, ("business",)),
        (BOTH, ("business", "savings-count")),  # a segment's limit comes before a product's
    ],
)
def test_a_product_has_limits_of_its_own_after_the_segment_s(
    attributes: Attributes | None, limits: tuple[str, ...]
) -> None:
    engine = engine_of(**({} if attributes is None else {"A1": attributes}))
    items = [transaction(f"T{number}", amount="360.00") for number in range(2)]
    assert {name for name, _ in told(engine, *items)} == set(limits)


def test_an_account_s_record_and_its_product_stand_in_the_closed_account_day() -> None:
    engine = engine_of(A1=SAVINGS)
    step = observed(engine, transaction("T1"), transaction("T2", hours=24 * 9, account_id="A2"))
    (closed,) = step.account_days
    fields = closed.fields()
    assert [fields[name] for name in ("segment", "branch", "product")] == [None, "Brno", "savings"]


# -- what changes --------------------------------------------------------------------------------


def test_a_change_decides_the_open_days_anew_and_closed_ones_keep_what_they_were() -> None:
    engine = engine_of()
    assert told(engine, transaction("T1", amount="600.00")) == [("daily-amount", "raised")]
    later = transaction("T2", amount="600.00", hours=24 * 4)
    step = observed(engine, later)
    assert [closed.fields()["segment"] for closed in step.account_days] == [None]
    assert change(engine, "A1", BUSINESS) == [("daily-amount", "withdrawn")]
    assert only_day(engine).segment == "business"
    assert change(engine, "A1", BOTH) == []
    assert change(engine, "A1", SAVINGS) == [("savings", "raised")]
    assert change(engine, "A1", None) == [("savings", "withdrawn"), ("daily-amount", "raised")]


def test_a_day_that_is_closed_and_not_yet_emitted_keeps_what_it_was() -> None:
    engine = engine_of(A1=SAVINGS)
    engine.close_account_days = lambda at_most=0: None  # type: ignore[method-assign]  # noqa: ARG005 - its name
    observed(engine, transaction("T1"), transaction("T2", hours=24 * 9, account_id="A2"))
    assert change(engine, "A1", BUSINESS) == []
    del engine.close_account_days
    engine.close_account_days()
    (closed,) = engine.take_step().account_days
    assert closed.fields()["product"] == "savings"


def test_a_change_of_the_branch_tells_nothing_and_is_kept() -> None:
    engine = engine_of(A1=BUSINESS)
    observed(engine, transaction("T1"))
    engine.ledger.dirty.clear()
    assert change(engine, "A1", BUSINESS._replace(branch="Brno")) == []
    assert [account.account_id for account in engine.ledger.dirty] == ["A1"]
    assert only_day(engine).attributes.branch == "Brno"


# -- laws ----------------------------------------------------------------------------------------

NAMES = ("A0", "A1", "A2")
attributes = st.none() | st.sampled_from([BUSINESS, SAVINGS, BOTH, Attributes("retail")])
changes = st.tuples(st.sampled_from(NAMES), attributes)
moves = st.tuples(
    st.sampled_from(NAMES),
    st.integers(0, 62),  # hours from Monday, 9:00: no day closes
    st.integers(1, 40_000),
    st.sampled_from([None, None, "retail", "business"]),
    st.booleans(),  # it is taken back by the next one
)
Told = dict[tuple[str, int], tuple[object, ...]]


def items_of(drawn: list[tuple[str, int, int, str | None, bool]]) -> list[Transaction]:
    items = []
    for number, (account_id, hours, cents, segment, is_reversed) in enumerate(drawn):
        named = {} if segment is None else {"segment": segment}
        amount = f"{cents // 100}.{cents % 100:02d}"
        items.append(
            transaction(f"T{number}", hours=hours, account_id=account_id, amount=amount, **named)
        )
        if is_reversed:
            items.append(
                transaction(f"R{number}", hours=hours, account_id=account_id, reverses=f"T{number}")
            )
    return items


def state_of(engine: Engine) -> Told:
    """Return what stands at last of each account-day, and by what; not how it came to that."""
    return {
        (account.account_id, account_day.day): (
            account_day.segment,
            account_day.segment_time,
            account_day.attributes,
            account_day.totals,
            {
                name: told.limit
                for name, told in account_day.told.items()
                if told.status != Status.WITHDRAWN
            },
            account_day.watches
            is engine.ledger.open_days[account_day.day].limits.watches_of(*scope_of(account_day)),
        )
        for account in engine.ledger.accounts.values()
        for account_day in account.days
    }


@law(150)
@given(
    st.lists(moves, max_size=30),
    st.lists(st.tuples(st.integers(0, 60), changes), max_size=8),
    st.booleans(),
)
def test_a_change_before_between_or_after_the_transactions_gives_the_same_end(
    drawn: list[tuple[str, int, int, str | None, bool]],
    drawn_changes: list[tuple[int, tuple[str, Attributes | None]]],
    one_by_one: bool,  # noqa: FBT001 - drawn
) -> None:
    items = items_of(drawn)
    at_last = dict(changed for _, changed in sorted(drawn_changes, key=lambda drawn: drawn[0]))
    before = engine_of(**{name: value for name, value in at_last.items() if value is not None})
    observed(before, *items)
    between = engine_of()
    runs = [[item] for item in items] if one_by_one else [items[:7], items[7:]]
    waiting = sorted(drawn_changes, key=lambda drawn: drawn[0])
    for number, run in enumerate(runs):
        while waiting and waiting[0][0] <= number:
            change(between, *waiting.pop(0)[1])
        observed(between, *run)
    for _, changed in waiting:
        change(between, *changed)
    after = engine_of()
    observed(after, *items)
    for changed in at_last.items():
        change(after, *changed)
    assert state_of(before) == state_of(between) == state_of(after)
