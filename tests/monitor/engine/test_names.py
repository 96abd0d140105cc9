"""Tables of names have a bound, and what is beyond it is counted as others: never lost."""

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sketches.histogram import Sketch
from monitor.core import attributes as attributes_module
from monitor.core.attributes import AttributeBook, Attributes
from monitor.core.names import OTHERS, within
from monitor.core.threshold import LimitSet
from monitor.core.transaction import Transaction, transaction_of
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from monitor.population import Population, rows_of
from monitor.systemic.detection import KnownSegments
from monitor.systemic.segment_day import LimitDay, SegmentDay
from monitor.systemic.tails import PAIRS_MAX, FadedCounts
from tests.support.scoped_limits import SCOPED
from tests.support.transactions import POLICY, book, observed, transaction

DAY = 24
BOUND = 5
SYSTEMIC = POLICY + "[systemic]\n"


# -- the greatest, and the others ------------------------------------------------------------------


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), max_size=30), st.integers(1, 10))
def test_the_greatest_keep_their_names_and_the_total_stays(
    counts: dict[str, int], at_most: int
) -> None:
    kept = within(counts, at_most, lambda _: OTHERS)
    assert sum(kept.values()) == sum(counts.values())
    assert len(kept) <= at_most + 1
    named = [count for name, count in kept.items() if name != OTHERS]
    assert sorted(named) == sorted(counts.values())[len(counts) - len(named) :]
    turned = dict(reversed(counts.items()))
    assert within(turned, at_most, lambda _: OTHERS) == kept


# -- limits ----------------------------------------------------------------------------------------


names = st.none() | st.sampled_from(["retail", "business", "savings", "loan", "A", "x", "y"])


@given(names, names, st.sampled_from(["A1", "A2", "A3"]))
def test_limits_decide_alike_whether_their_kinds_are_shared_or_not(
    segment: str | None, product: str | None, account: str
) -> None:
    limits = policy_of(SCOPED).limits()
    for peers in (None, "A1", "B2"):
        scope = (account, segment, peers, product)
        assert limits.deciding(*scope) == limits._deciding(*scope)


def test_a_million_segments_and_products_are_as_many_kinds_as_the_limits_name() -> None:
    limits = LimitSet(policy_of(SCOPED).thresholds)
    for number in range(3000):
        scope = (f"A{number}", f"segment {number}", None, f"product {number}")
        limits.watches_of(*scope)
        limits.deciding(*scope)
    assert limits.kinds() <= 4


# -- attributes ------------------------------------------------------------------------------------


def test_beyond_the_bound_attributes_are_right_and_not_shared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attributes_module, "ATTRIBUTES_MAX", BOUND)
    known = AttributeBook()
    for number in range(100):
        assert known.take(f"A{number}", Attributes(f"s{number}"))
        assert known.known[f"A{number}"] == Attributes(f"s{number}")
    assert known.kinds() == BOUND
    assert known.unshared == 100 - BOUND
    assert known.shared(Attributes("s1")) is known.known["A1"]


# -- a day's segments ------------------------------------------------------------------------------


def many_names(days: int = 2) -> Iterator[Transaction]:
    """Yield breaches of accounts in as many segments, with causes of as many names; twice each."""
    for day in range(days):
        for number in range(40):
            made = transaction(
                f"T{day}-{number}", hours=DAY * day + number / 60, account_id=f"A{number}",
                amount="2500.00", segment=f"s{day}-{number}" if number % 2 else "retail",
                branch=f"b{number}", channel=f"c{number}", counterparty_id=f"p{number}",
                counterparty_institution=f"i{number}",
            )  # fmt: skip
            yield from (made, made)


def days_of(items: Sequence[Transaction]) -> tuple[Engine, list[tuple[SegmentDay, ...]]]:
    engine = Engine(0, book(SYSTEMIC))
    closing = transaction("closing", hours=DAY * 40, account_id="Z")
    told = observed(engine, *items).segment_days + observed(engine, closing).segment_days
    return engine, told


def totals(of_day: tuple[SegmentDay, ...]) -> Counter[str]:
    """Return what a day came to over all its segments and names."""
    found: Counter[str] = Counter()
    for segment_day in of_day:
        found["account-days"] += segment_day.account_days
        for (reason, _), count in segment_day.rejections.items():
            found[reason] += count
        for name, limit in segment_day.limits.items():
            found[f"{name} breaches"] += limit.breaches
            found[f"{name} values"] += limit.values.total
            for (type_, _), count in limit.causes.items():
                found[f"{name} {type_}"] += count
    return found


def test_segments_and_causes_beyond_the_bound_are_counted_as_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = list(many_names())
    _, free = days_of(items)
    monkeypatch.setattr("monitor.systemic.summary.SEGMENTS_MAX", BOUND)
    monkeypatch.setattr("monitor.systemic.summary.KINDS_MAX", BOUND)
    engine, bound = days_of(items)
    assert [totals(days) for days in bound] == [totals(days) for days in free]
    for of_day in bound:
        assert len(of_day) <= BOUND + 1
        assert OTHERS in {segment_day.segment for segment_day in of_day} or len(of_day) < BOUND
        for segment_day in of_day:
            for limit in segment_day.limits.values():
                assert len(limit.causes) <= BOUND + 4  # the others of each of four types
            assert len(segment_day.rejections) <= BOUND + 1
    full = [days for days in bound if totals(days)["account-days"] == 40]
    assert len(full) == 2
    by_name = {segment_day.segment: segment_day.account_days for segment_day in full[0]}
    assert by_name["retail"] == 20  # the greatest keeps its name
    assert by_name[OTHERS] == 20 - (BOUND - 1)
    assert max(len(of_day) for of_day in free) == 21
    counted = engine.names_counted_as_others()
    assert counted["segment-days"] == 2 * by_name[OTHERS]
    assert counted["causes"] > 0


def test_kinds_of_rejections_beyond_the_bound_are_counted_as_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = list(many_names(1))
    _, free = days_of(items)
    monkeypatch.setattr("monitor.ledger.ledger.REJECTION_KINDS_MAX", 1)
    engine = Engine(0, book(SYSTEMIC), buckets=2)
    observed(engine, *items)
    assert engine.names_held()["rejections"] <= 2 * 2
    assert engine.names_counted_as_others()["rejections"] == 40 - 2
    (bound,) = observed(engine, transaction("Z", hours=DAY * 9)).segment_days[:1]
    assert totals(bound)["duplicate"] == totals(free[0])["duplicate"] == 40


def test_hot_payers_beyond_the_bound_are_counted_as_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [transaction_of(row) for _, made in rows_of(Population(150, 14, 7)) for row in made]

    def hot(limit: int) -> tuple[Counter[tuple[int, str]], dict[str, int]]:
        monkeypatch.setattr("monitor.outliers.scorer.HOT_PAYERS_MAX", limit)
        engine = Engine(0, book(SYSTEMIC))
        found: Counter[tuple[int, str]] = Counter()
        for of_day in observed(engine, *rows).segment_days:
            for segment_day in of_day:
                for (_, name), count in segment_day.hot_payers.items():
                    found[segment_day.day, name] += count
        return found, engine.names_counted_as_others()

    free, none = hot(10**6)
    bound, beyond = hot(2)
    assert bound.total() == free.total() > 20
    assert "hot-payers" not in none
    assert beyond["hot-payers"] >= sum(n for (_, name), n in bound.items() if name == OTHERS) > 10


# -- over all days ---------------------------------------------------------------------------------


def a_segment(name: str | None, day: int, breaches: int) -> SegmentDay:
    values = Sketch()
    return SegmentDay(
        day, name, breaches, {"amount": LimitDay(100, breaches, values, {})}, 0, 0, {}, {}
    )


def test_segments_that_come_when_all_places_are_taken_are_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.systemic.detection.SEGMENTS_MAX", BOUND)
    known = KnownSegments()
    for day in range(1, 30):
        segments = {
            name: a_segment(name, day, 2) for name in ("retail", None, f"a{day}", f"b{day}")
        }
        kept = known.within(segments)
        assert sum(segment_day.account_days for segment_day in kept.values()) == 8
        assert {None, "retail"} <= kept.keys()
        assert all(segment_day.segment == name for name, segment_day in kept.items())
        if day > 2:
            assert set(kept) == {None, "retail", OTHERS}
            assert kept[OTHERS].limits["amount"].breaches == 4
        known = KnownSegments(known.dump())
    assert len(known.dump()) == BOUND


def test_what_is_usual_is_remembered_of_the_most_frequent_pairs() -> None:
    faded = FadedCounts()
    faded.take_in({("institution", f"i{n}"): float(n) for n in range(PAIRS_MAX + 500)})
    assert len(faded.counts) == PAIRS_MAX
    assert ("institution", f"i{PAIRS_MAX + 499}") in faded.counts
    assert ("institution", "i499") not in faded.counts
