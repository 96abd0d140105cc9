"""A heartbeat lets the days of a partition go on, and does nothing else."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.account import ClosedDay
from monitor.core.transaction import Heartbeat, Reason, Rejection, Transaction, heartbeat_of
from monitor.engine.engine import Engine
from monitor.engine.step import Step
from tests.support.laws import examples, law
from tests.support.transactions import MONDAY, book, observed, row, transaction
from tests.support.two_engines import assert_engines_agree

LATE = """
version = 1
[calendar]
allowed_lateness = "1h"
leap = "2h"
[systemic]
[[limit]]
id = "daily-amount"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "500.00"
"""


def beat(hours: float) -> Rejection:
    booked_at = row("t", hours=hours)[2]
    assert booked_at is not None
    return heartbeat_of(booked_at)


def closed(step: Step) -> list[tuple[str, str]]:
    return [(day.account_id, str(day.fields()["business_day"])) for day in step.account_days]


def test_it_closes_the_days_that_end_before_it_with_their_lateness() -> None:
    engine = Engine(0, book(LATE))
    observed(engine, transaction("T1"), transaction("T2", account_id="B"))
    assert closed(observed(engine, beat(15.99))) == []  # Monday ends 15 h after nine, and 1 h
    step = observed(engine, beat(16))
    assert closed(step) == [("A1", "2026-01-05"), ("B", "2026-01-05")]
    assert (step.heartbeats, step.transactions, step.rejections) == (1, 0, [])
    late = observed(engine, transaction("T3", hours=1))
    assert [why.reason for _, why in late.rejections] == [Reason.TOO_LATE]


def test_it_is_a_second_account_to_one_that_is_alone() -> None:
    engine = Engine(0, book(LATE))
    observed(engine, transaction("T1"), transaction("T2", hours=30))
    assert engine.ledger.watermark is None
    step = observed(engine, beat(30))
    assert closed(step) == [("A1", "2026-01-05")]
    assert engine.ledger.watermark == transaction("T2", hours=30).event_time


def test_one_account_leads_it_by_no_more_than_the_leap() -> None:
    engine = Engine(0, book(LATE))
    observed(engine, transaction("T1"), transaction("T2", account_id="B"))
    observed(engine, transaction("T3", hours=400), beat(17))
    assert engine.ledger.watermark == transaction("x", hours=17).event_time


def test_a_partition_that_never_had_a_record_tells_of_its_days() -> None:
    engine = Engine(0, book(LATE))
    assert observed(engine, beat(10)).segment_days == []
    days = [part.day for told in observed(engine, beat(64)).segment_days for part in told]
    assert days == [MONDAY.date().toordinal() + 2]


def test_one_that_is_behind_changes_nothing() -> None:
    engine = Engine(0, book(LATE))
    observed(engine, transaction("T1", hours=20), transaction("T2", hours=20, account_id="B"))
    before = engine.ledger.marks.marks()
    assert observed(engine, beat(3)).heartbeats == 1
    assert engine.ledger.marks.marks() == before


def test_one_that_comes_again_is_a_redelivery() -> None:
    engine = Engine(0, book(LATE))
    observed(engine, transaction("T1"), beat(1))
    engine.observe([1], [beat(1)])
    assert (engine.take_step().redelivered, engine.ledger.offset_last) == (1, 1)


@pytest.mark.parametrize(
    ("booked_at", "reason"), [("", Reason.MISSING_FIELD), ("today", Reason.BAD_TIME)]
)
def test_one_without_a_time_is_rejected(booked_at: str, reason: Reason) -> None:
    rejected = heartbeat_of(booked_at)
    assert not isinstance(rejected, Heartbeat)
    assert rejected.reason is reason


def ended(days: list[ClosedDay]) -> Counter[str]:
    return Counter(repr(day.fields()) for day in days)


@law(60)
@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 60), max_size=5))
def test_behind_the_watermark_it_is_as_if_it_had_not_come(
    rng: random.Random, places: list[int]
) -> None:
    """So whoever sends them too often, or two workers at once, change nothing."""
    items: list[Transaction | Rejection] = [
        transaction(f"T{n}", hours=n * rng.choice([0.5, 1, 2]), account_id=rng.choice("ABC"))
        for n in range(60)
    ]
    plain, beaten = Engine(0, book(LATE)), Engine(0, book(LATE))
    told: list[Counter[str]] = []
    for engine in (plain, beaten):
        days: list[ClosedDay] = []
        for place, item in enumerate(items):
            days += observed(engine, item).account_days
            if engine is beaten and place in places and engine.ledger.watermark is not None:
                days += observed(engine, beat(-100)).account_days
        told.append(ended(days))
    assert told[0] == told[1]
    assert plain.ledger.marks.marks() == beaten.ledger.marks.marks()


@pytest.mark.no_cover
def test_the_engine_with_arrays_takes_them_as_the_plain_one_does() -> None:
    counts: Counter[str] = Counter()
    for seed in range(3000, 3000 + examples(40)):
        share = 0.02 if seed % 2 else 0.1
        pair = assert_engines_agree(random.Random(seed), 300, share)  # noqa: S311 - seeded, no secret
        counts.update(pair.arrays.counts)
    assert counts["heartbeats"] > 100
    assert counts["transactions"] > 5 * counts["heartbeats"]
