"""Segment-days: what all partitions tell of a day adds up to what SQL counts of the same rows."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.profile.baseline import HOT_Z as MODELS_HOT_Z
from models.sketches.histogram import Sketch
from monitor.core.business_day import day_of_text, day_text
from monitor.core.transaction import Origin, Reason, Rejection, Transaction
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.systemic import summary as segment_days
from monitor.systemic.record import SegmentRecord, segment_record_of, segment_records_of
from monitor.systemic.segment_day import HOT_Z, Breach, SegmentDay, merged
from streams.kafka.partitioner import dealer
from streams.wire import codec
from tests.support.laws import law
from tests.support.transactions import POLICY, book, observed, transaction

SYSTEMIC = (
    POLICY
    + """
[[limit]]
id = "amount-business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "300.00"
scope = { segment = "business" }
[[limit]]
id = "of-one"
measure = "amount"
currency = "USD"
above = "1.00"
scope = { account = "A1" }
[systemic]
"""
)
CLOSING_HOURS = 24 * 40
ACCOUNTS = 9


class Made(NamedTuple):
    """A made transaction."""

    account: int
    hours: int
    euros: int
    segment: str | None
    institution: str | None
    currency: str = "EUR"
    reverses: int | None = None


made_items = st.lists(
    st.builds(
        Made, st.integers(0, ACCOUNTS - 1), st.integers(0, 30), st.integers(1, 400),
        st.sampled_from([None, "retail", "business"]), st.sampled_from([None, "", "I1", "I2"]),
        st.sampled_from(["EUR", "EUR", "EUR", "USD", "JPY"]),
        st.none() | st.integers(0, 40),
    ),
    max_size=60,
)  # fmt: skip


def items_of(made: Sequence[Made]) -> list[Transaction]:
    """Return transactions by their time; an account has one segment, from the first on."""
    segments: dict[int, str | None] = {}
    items = []
    for number, booking in enumerate(sorted(made, key=lambda drawn: drawn.hours)):
        segment = segments.setdefault(booking.account, booking.segment)
        fields = {
            "account_id": f"A{booking.account}",
            "amount": f"{booking.euros}",
            "currency": booking.currency,
            "segment": segment or "",
            "counterparty_institution": booking.institution or "",
            "branch": f"B{booking.account % 2}",
        }
        if booking.reverses is not None:
            fields["reverses"] = f"T{booking.reverses}"
        items.append(transaction(f"T{number}", hours=booking.hours, **fields))
    return items


def told_by(
    engines: Sequence[Engine], items: Sequence[Transaction], run: int = 10**9
) -> list[SegmentRecord]:
    """Return what engines tell of items that are dealt to them, and of days that end later."""
    deal = dealer(len(engines))
    told: list[SegmentRecord] = []
    closing = transaction("closing", hours=CLOSING_HOURS, account_id="A1")
    for number, engine in enumerate(engines):
        own = [item for item in items if deal(item.account_id) == number]
        for first in range(0, len(own), run):
            for of_day in observed(engine, *own[first : first + run]).segment_days:
                told += segment_records_of(number, of_day)
        for of_day in observed(engine, closing).segment_days:
            told += segment_records_of(number, of_day)
    return told


def engines(count: int, *, models: bool = False) -> list[Engine]:
    """Return engines of a policy that asks for segment-days; models take time: mostly without."""
    policy = policy_of(SYSTEMIC)
    if not models:
        policy = policy._replace(outliers=None)
    return [Engine(number, PolicyBook([policy]), 2, count) for number in range(count)]


def joined(told: Sequence[SegmentRecord]) -> dict[tuple[int, str | None], dict[str, Any]]:
    """Return what all records make together, but for segments in which nothing happened."""
    parts: dict[tuple[int, str | None], list[SegmentDay]] = {}
    for record in told:
        segment_day = segment_record_of(record.fields()).segment_day
        if segment_day.account_days or segment_day.rejections:
            parts.setdefault((segment_day.day, segment_day.segment), []).append(segment_day)
    return {key: plain(merged(parts_of_day)) for key, parts_of_day in parts.items()}


def plain(segment_day: SegmentDay) -> dict[str, Any]:
    """Return what does not depend on the models, which are each partition's own."""
    limits = {
        name: limit._asdict() | {"values": tuple(limit.values.counts.tolist())}
        for name, limit in segment_day.limits.items()
    }
    return {**segment_day._asdict(), "limits": limits, "known": 0, "hot": 0, "hot_payers": {}}


# -- laws ------------------------------------------------------------------------------------------


@law(25)
@given(made_items, st.integers(2, 4))
def test_any_number_of_partitions_comes_to_the_same(made: list[Made], partitions: int) -> None:
    items = items_of(made)
    assert joined(told_by(engines(partitions), items)) == joined(told_by(engines(1), items))


@law(15)
@given(made_items, st.integers(1, 7))
def test_runs_may_be_cut_anywhere(made: list[Made], run: int) -> None:
    items = items_of(made)
    assert told_fields(engines(1), items, run) == told_fields(engines(1), items, 10**9)


def told_fields(bound: list[Engine], items: list[Transaction], run: int) -> list[dict[str, object]]:
    return [record.fields() for record in told_by(bound, items, run)]


TAKEN_BACK_IN_ONE_CURRENCY = [
    Made(1, 0, 1, None, None),
    Made(1, 0, 1, None, None, "USD"),
    Made(1, 0, 1, None, None, "EUR", 0),
]


@law(25)
@given(made_items)
@example(TAKEN_BACK_IN_ONE_CURRENCY)
def test_totals_are_what_sql_counts(made: list[Made]) -> None:
    items = items_of(with_whole_reversals(made))
    told = joined(told_by(engines(2), items))
    found = {(day, segment or ""): fields for (day, segment), fields in told.items()}
    expected = counted_by_sql(items)
    assert {
        key: fields["account_days"] for key, fields in found.items() if fields["account_days"]
    } == {key: counts["account_days"] for key, counts in expected.items()}
    for key, counts in expected.items():
        limits = found[key]["limits"]
        for name, measured in counts["limits"].items():
            sketch = Sketch()
            sketch.add(np.array(measured, np.int64))
            assert limits[name]["values"] == tuple(sketch.counts.tolist())
            above = limits[name]["above"]
            assert limits[name]["breaches"] == sum(value > above for value in measured)
        assert limits.keys() == counts["limits"].keys()


def with_whole_reversals(made: Sequence[Made]) -> list[Made]:
    """Return what was made, with reversals that take back all of an earlier transaction, once."""
    result: list[Made] = []
    for booking in sorted(made, key=lambda drawn: drawn.hours):
        target = None if booking.reverses is None else dict(enumerate(result)).get(booking.reverses)
        is_whole = (
            target is not None
            and target.reverses is None
            and target.account == booking.account
            and all(other.reverses != booking.reverses for other in result)
        )
        if target is None or not is_whole:
            result.append(booking._replace(reverses=None))
        else:
            result.append(booking._replace(euros=target.euros, currency=target.currency))
    return result


def counted_by_sql(items: Sequence[Transaction]) -> dict[tuple[int, str], dict[str, Any]]:
    """Count by SQL; what takes back, and what was taken back in time, is not there."""
    database = sqlite3.connect(":memory:")
    database.execute(
        "create table t (id text primary key, account text, day int, amount int, currency text,"
        " segment text, reverses text, at int)"
    )
    taken: dict[str, str] = {}
    for item in items:
        day = day_of_text("1970-01-01") + item.event_time // 86_400_000_000
        values = (
            item.transaction_id, item.account_id, day, item.amount_minor, item.currency,
            item.segment or "", item.reverses, item.event_time,
        )  # fmt: skip
        if item.reverses is None:
            database.execute("insert into t values (?, ?, ?, ?, ?, ?, ?, ?)", values)
            taken[item.transaction_id] = item.account_id
        elif taken.get(item.reverses) == item.account_id:
            del taken[item.reverses]
            database.execute("delete from t where id = ?", (item.reverses,))
    counts: dict[tuple[int, str], dict[str, Any]] = {}
    for day, segment, account_days in database.execute(
        "select day, segment, count(distinct account) from t group by day, segment"
    ):
        counts[day, segment] = {"account_days": account_days, "limits": {}}
    for day, segment, _, number, euros, cents in database.execute(
        "select day, segment, account, count(*), sum(currency = 'EUR'),"
        " sum((currency = 'EUR') * amount) from t group by day, segment, account"
    ):
        limits = counts[day, segment]["limits"]
        limits.setdefault("daily-count", []).append(number)
        if euros:
            name = "amount-business" if segment == "business" else "daily-amount"
            limits.setdefault(name, []).append(cents)
    database.close()
    return counts


@given(made_items)
@law(10)
def test_a_record_comes_back(made: list[Made]) -> None:
    for record in told_by(engines(1), items_of(made)):
        again = codec.segment_record(codec.segment_record_bytes(record))
        assert again.fields() == record.fields()
        assert plain(again.segment_day) == plain(record.segment_day)


# -- examples --------------------------------------------------------------------------------------


def only(engine: Engine, *items: Transaction | Rejection) -> SegmentDay:
    """Return the only segment of the first day that ends, of what an engine is shown."""
    closing = transaction("closing", hours=CLOSING_HOURS, account_id="A7")
    (segment_day,) = observed(engine, *items, closing).segment_days[0]
    return segment_day


def test_causes_are_those_of_the_transaction_that_tipped_the_limit() -> None:
    (engine,) = engines(1)
    items = [
        transaction("T1", amount="400", counterparty_institution="I1", channel="web"),
        transaction(
            "T2", amount="400", counterparty_institution="I2", branch="B7", counterparty_id="C"
        ),
        transaction("T3", amount="400", counterparty_institution="I3", channel="card"),
    ]  # fmt: skip
    limit = only(engine, *items).limits["daily-amount"]
    assert (limit.above, limit.breaches) == (50_000, 1)
    assert limit.causes == {
        ("institution", "I2"): 1, ("branch", "B7"): 1, ("counterparty", "C"): 1,
    }  # fmt: skip


def test_a_breach_that_was_taken_back_and_came_again_has_the_later_cause() -> None:
    (engine,) = engines(1)
    limit = only(
        engine,
        transaction("T1", amount="600", counterparty_institution="I1"),
        transaction("T2", amount="600", reverses="T1"),
        transaction("T3", amount="700", counterparty_institution="I3"),
    ).limits["daily-amount"]
    assert limit.causes == {("institution", "I3"): 1}


def test_what_was_taken_back_is_not_active() -> None:
    (engine,) = engines(1)
    segment_day = only(engine, transaction("T1"), transaction("T2", reverses="T1"))
    assert (segment_day.account_days, segment_day.limits) == (0, {})


def test_a_total_beyond_64_bits_is_over_all_the_same() -> None:
    (engine,) = engines(1)
    great = [transaction(f"T{n}", amount="9" * 16 + ".99") for n in range(12)]
    limit = only(engine, *great).limits["daily-amount"]
    assert (limit.breaches, limit.values.total) == (1, 1)


def test_accounts_over_a_limit_are_named_with_the_origin_that_tipped_them() -> None:
    (engine,) = engines(1)
    limit = only(
        engine,
        transaction("T1", account_id="A2", amount="400.00", counterparty_institution="I1"),
        transaction("T2", account_id="A2", amount="200.00", branch="B2"),
        transaction("T3", account_id="A2", amount="200.00", branch="B3"),
        transaction("T4", account_id="A0", amount="900.00"),
        transaction("T5", account_id="A3", amount="500.00"),
        transaction("T6", account_id="A1", amount="9.00", currency="USD", branch="B9"),
    ).limits["daily-amount"]
    assert limit.accounts == (
        Breach("A0", Origin(None, None, None, None)),
        Breach("A2", Origin(None, "B2", None, None)),
    )
    assert limit.breaches == 2


def test_of_many_accounts_those_are_named_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_days, "NAMED_LEAST", 3)
    paid = [
        transaction(f"T{n}", account_id=f"A{n:02d}", amount="900.00", counterparty_institution=to)
        for n, to in enumerate(["I1"] * 9 + ["I2"] * 9)
    ]
    (engine,) = engines(1)
    names = [breach.account_id for breach in only(engine, *paid).limits["daily-amount"].accounts]
    assert names == ["A00", "A01", "A02", "A09", "A10", "A11"]  # three of each cause
    monkeypatch.setattr(segment_days, "NAMED_BYTES_MAX", 200)
    (engine,) = engines(1)
    limit = only(engine, *paid).limits["daily-amount"]
    assert (limit.breaches, [breach.account_id for breach in limit.accounts]) == (
        18,
        ["A00", "A01"],
    )


def test_a_day_of_nothing_is_told_too_so_that_nobody_waits() -> None:
    (engine,) = engines(1)
    observed(engine, transaction("T1"))
    step = observed(engine, transaction("T2", hours=24 * 10, account_id="A2"))
    first, last = step.segment_days
    assert [day_text(days[0].day) for days in (first, last)] == ["2026-01-05", "2026-01-12"]
    assert last == (SegmentDay(last[0].day, None, 0, {}, 0, 0, {}, {}),)


def test_rejections_count_on_the_day_on_which_they_came() -> None:
    (engine,) = engines(1)
    future = Rejection(Reason.FUTURE, "a clock", "B2", "retail")
    late = transaction("T9", hours=-24 * 20, branch="B3", segment="retail")
    observed(engine, transaction("T1", branch="B1"), transaction("T1", branch="B1"), future)
    observed(
        engine, transaction("T2", hours=24, account_id="A2"), late, transaction("T1", branch="B1")
    )
    step = observed(engine, transaction("T3", hours=24 * 10))
    rejections = {
        (day_text(segment_day.day), segment_day.segment): segment_day.rejections
        for day in step.segment_days
        for segment_day in day
        if segment_day.rejections
    }
    assert rejections == {
        ("2026-01-05", None): {("duplicate", "B1"): 1},
        ("2026-01-05", "retail"): {("future", "B2"): 1},
        ("2026-01-06", None): {("duplicate", "B1"): 1},
        ("2026-01-06", "retail"): {("too-late", "B3"): 1},
    }


def test_without_systemic_in_the_policy_nothing_is_told() -> None:
    engine = Engine(0, book())
    assert observed(engine, transaction("T1"), transaction("T2", hours=400)).segment_days == []
    assert engine.outliers.scorer is None


def test_hot_accounts_and_hot_payers_are_those_far_above_their_own_usual() -> None:
    (engine,) = engines(1, models=True)
    items = [
        transaction(
            f"T{day}-{number}", hours=24 * day + number / 10, account_id=f"A{number}",
            amount=f"{20 + (day * 7 + number * 3) % 9}", segment="retail",
            counterparty_institution="I1",
        )
        for day in range(20)
        for number in range(30)
    ]  # fmt: skip
    items += [
        transaction(
            f"H{number}", hours=24 * 19 + 10, account_id=f"A{number}", amount="480",
            segment="retail", counterparty_institution="I9",
        )
        for number in range(4)
    ]  # fmt: skip
    items.append(transaction("closing", hours=CLOSING_HOURS))
    days = [
        segment_day
        for day in observed(engine, *items).segment_days
        for segment_day in day
        if segment_day.account_days
    ]
    hot = Counter({day_text(segment_day.day): segment_day.hot for segment_day in days})
    payers = {
        day_text(segment_day.day): segment_day.hot_payers
        for segment_day in days
        if segment_day.hot_payers
    }
    assert days[-1].known == 30
    assert hot == Counter({"2026-01-24": 4})
    assert payers == {"2026-01-24": {("institution", "I9"): 4}}
    assert days[0].known == 0


def test_models_and_detection_mean_the_same_by_hot() -> None:
    assert MODELS_HOT_Z == HOT_Z
