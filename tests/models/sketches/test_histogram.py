from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.arrays import Ints
from models.sketches.histogram import VALUE_MAX, Sketch
from models.sketches.limits import LimitSketches
from models.snapshot import SnapshotError, pack

KEY = b"a key of this bank"
small = st.integers(0, 120)
minor_units = st.integers(0, 30_000_00)
any_value = st.one_of(small, minor_units, st.integers(0, VALUE_MAX))
many = st.lists(any_value, min_size=1, max_size=60)
errors = st.sampled_from([0.001, 0.01, 0.05, 0.5])


def of(values: list[int], error: float = 0.01) -> Sketch:
    sketch = Sketch(error)
    sketch.add(np.array(values, np.int64))
    return sketch


def same(left: Sketch, right: Sketch) -> bool:
    return left.relative_error == right.relative_error and np.array_equal(left.counts, right.counts)


@given(many, st.floats(0, 1), errors)
def test_a_quantile_is_within_the_relative_error_of_the_value_at_its_place(
    values: list[int], share: float, error: float
) -> None:
    exact = sorted(values)[int(share * (len(values) - 1))]
    found = Fraction(of(values, error).quantile(share))
    # A millionth of a millionth on top: the middle of the bucket is a float.
    assert abs(found - exact) <= Fraction(str(error)) * exact * (1 + Fraction(1, 10**12))


@given(many, any_value, errors)
def test_the_exact_count_above_a_limit_is_between_the_bounds(
    values: list[int], limit: int, error: float
) -> None:
    sketch = of(values, error)
    above = sketch.count_above(limit)
    exact = sum(value > limit for value in values)
    assert above.least <= exact <= above.most
    assert above.least <= above.likely <= above.most
    first, last = sketch.bucket(limit)
    assert above.most - above.least <= sum(first <= value <= last for value in values)
    assert sketch.count_above(last).least == sketch.count_above(last).most
    assert sketch.count_above(-1) == (len(values), len(values), len(values))


@given(many, st.lists(st.integers(-3, VALUE_MAX), min_size=1, max_size=9))
def test_many_limits_at_once_are_as_one_by_one(values: list[int], limits: list[int]) -> None:
    sketch = of(values)
    counts = sketch.counts_above(np.array(limits, np.int64))
    for place, limit in enumerate(limits):
        assert tuple(column[place] for column in counts) == sketch.count_above(limit)


@given(many, st.integers(0, 70), errors)
def test_a_limit_for_a_budget_keeps_it_and_is_hardly_greater_than_the_least_that_does(
    values: list[int], budget: int, error: float
) -> None:
    sketch = of(values, error)
    limit = sketch.limit_for(budget)
    exact = 0 if budget >= len(values) else sorted(values, reverse=True)[budget]
    assert sum(value > limit for value in values) <= budget
    assert exact <= limit
    assert limit - exact <= Fraction(sketch.limit_error) * exact * (1 + Fraction(1, 10**9))
    assert sketch.bucket(limit)[0] <= exact


@given(st.lists(small, min_size=1, max_size=60), st.integers(0, 49))
def test_small_counts_are_exact(values: list[int], limit: int) -> None:
    exact = sum(value > limit for value in values)
    assert of(values).count_above(limit) == (exact, exact, exact)


@given(many, many, errors)
def test_merging_is_adding_and_subtracting_takes_it_back(
    ones: list[int], others: list[int], error: float
) -> None:
    merged = of(ones, error)
    merged.merge(of(others, error))
    assert same(merged, of([*ones, *others], error))
    assert merged.total == len(ones) + len(others)
    merged.subtract(of(others, error))
    assert same(merged, of(ones, error))


@given(many, st.data())
def test_batches_cut_anywhere_give_the_same_sketch(values: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(values)))
    sketch = of(values[:cut])
    sketch.add(np.array(values[cut:], np.int64))
    assert same(sketch, of(values))


def test_what_is_not_in_it_cannot_be_taken_out_and_nothing_is_lost_by_trying() -> None:
    for other in (of([100, 100]), of([200]), of([10**12])):
        sketch = of([7, 100])
        with pytest.raises(ValueError, match="more would be taken out"):
            sketch.subtract(other)
        assert same(sketch, of([7, 100]))


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.array([3, -1]), "from 0 to"),
        (np.array([2**63], np.uint64), "from 0 to"),
        (np.array([1.5]), "whole numbers"),
        (np.array([True]), "whole numbers"),
    ],
)
def test_what_is_no_whole_number_from_0_on_is_refused_whole(values: Ints, why: str) -> None:
    sketch = Sketch()
    with pytest.raises(ValueError, match=why):
        sketch.add(values)
    assert not sketch.total


def test_an_empty_sketch_has_no_quantile_and_no_value_above_any_limit() -> None:
    sketch = Sketch()
    sketch.add(np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="no quantile"):
        sketch.quantile(0.5)
    assert sketch.count_above(0) == (0, 0, 0)
    assert sketch.limit_for(0) == 0
    assert of([0, 5]).limit_for(10**20) == 0


def test_errors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="other buckets"):
        of([1]).merge(of([1], 0.05))
    with pytest.raises(ValueError, match="relative error"):
        Sketch(0.0001)
    with pytest.raises(ValueError, match="no quantile"):
        of([1]).quantile(1.1)
    with pytest.raises(ValueError, match="no limit"):
        of([1]).limit_for(-1)


def test_its_room_is_bounded_whatever_it_counts() -> None:
    rng = np.random.default_rng(1)
    sketch = Sketch()
    for _ in range(20):
        sketch.add(np.exp(rng.uniform(0, 43.6, 10_000)).astype(np.int64))
    assert sketch.total == 200_000
    assert sketch.counts.size <= 2_017


def test_the_tail_of_200_000_day_sums_is_within_one_per_cent() -> None:
    rng = np.random.default_rng(0)
    values = np.rint(100 * np.exp(rng.normal(4, 1.3, 200_000))).astype(np.int64)
    sketch = Sketch()
    sketch.add(values)
    ordered = np.sort(values)
    for share in (0.5, 0.99, 0.997, 0.9995):
        exact = ordered[int(share * (values.size - 1))]
        assert abs(sketch.quantile(share) / exact - 1) <= 0.01


@given(many, errors, st.sampled_from([None, KEY]))
def test_a_restored_sketch_is_the_same(values: list[int], error: float, key: bytes | None) -> None:
    sketch = of(values, error)
    restored = Sketch.restore(sketch.snapshot(key), key)
    assert same(restored, sketch)
    restored.add(np.array([5]))  # it is its own: nothing is shared, and it goes on counting
    assert restored.total == sketch.total + 1


COUNTS = np.array([1, 2], np.int64)


@pytest.mark.parametrize(
    ("meta", "counts"),
    [
        ({"relative_error": 0.01}, -COUNTS),
        ({"relative_error": 0.01}, np.ones(5_000, np.int64)),
        ({"relative_error": 0.01}, COUNTS.astype(np.int32)),
        ({"relative_error": 0.01}, COUNTS.reshape(1, 2)),
        ({"relative_error": 7}, COUNTS),
        ({"relative_error": "0.01"}, COUNTS),
        ({}, COUNTS),
    ],
)
def test_a_snapshot_whose_contents_are_no_sketch_is_refused(
    meta: dict[str, object], counts: Ints
) -> None:
    with pytest.raises(SnapshotError):
        Sketch.restore(pack("sketch", 1, meta, {"counts": counts}))


# -- by scope, subject and day ---------------------------------------------------------------------

SUBJECT = "amount/debit/EUR"
day_values = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from(["all", "segment/business"]),
        st.lists(minor_units, max_size=6),
    ),
    max_size=20,
)


def added(sketches: LimitSketches, parts: list[tuple[int, str, list[int]]]) -> LimitSketches:
    for day, scope, values in parts:
        sketches.add(day, scope, SUBJECT, np.array(values, np.int64))
    return sketches


@given(day_values, st.integers(1, 6))
def test_the_window_has_what_its_latest_days_had(
    parts: list[tuple[int, str, list[int]]], days_max: int
) -> None:
    parts = sorted(parts, key=lambda part: part[0])
    sketches = added(LimitSketches(days_max), parts)
    newest = parts[-1][0] if parts else 0
    for scope in ("all", "segment/business"):
        expected = [
            value
            for day, of_scope, values in parts
            if of_scope == scope and day > newest - days_max
            for value in values
        ]
        assert same(sketches.over(scope, SUBJECT), of(expected))
    assert len(sketches.days) <= days_max


@given(day_values, day_values)
def test_two_partitions_merged_are_as_one(
    ones: list[tuple[int, str, list[int]]], others: list[tuple[int, str, list[int]]]
) -> None:
    merged = added(LimitSketches(20), ones)
    merged.merge(added(LimitSketches(20), others))
    together = added(LimitSketches(20), [*ones, *others])
    assert merged.snapshot() == together.snapshot()


def test_days_can_be_asked_for_and_dropped() -> None:
    sketches = added(LimitSketches(), [(1, "all", [100]), (2, "all", [200]), (3, "all", [300])])
    assert same(sketches.over("all", SUBJECT, last=2), of([100, 200]))
    assert same(sketches.over("all", SUBJECT, first=3), of([300]))
    sketches.drop(2)
    sketches.drop(99)
    assert sketches.days == (1, 3)
    assert same(sketches.over("all", SUBJECT), of([100, 300]))
    assert not sketches.over("all", "count/both/").total


def test_a_day_before_the_window_and_a_scope_too_many_have_no_place() -> None:
    sketches = LimitSketches(days_max=2, series_max=2)
    values = np.array([5])
    assert sketches.add(10, "all", SUBJECT, values)
    assert sketches.add(11, "segment/a", SUBJECT, values)
    assert not sketches.add(9, "all", SUBJECT, values)
    assert not sketches.add(11, "segment/b", SUBJECT, values)
    assert sketches.add(10, "segment/a", SUBJECT, values)
    assert list(sketches.series) == [("all", SUBJECT), ("segment/a", SUBJECT)]
    assert sketches.add(20, "segment/b", SUBJECT, values)  # the others' days are gone
    assert list(sketches.series) == [("segment/b", SUBJECT)]


@given(st.lists(st.lists(minor_units, min_size=1, max_size=30), min_size=1, max_size=9))
def test_a_suggested_limit_keeps_the_budget_in_the_mean(days: list[list[int]]) -> None:
    sketches = added(LimitSketches(), [(day, "all", values) for day, values in enumerate(days)])
    suggestion = sketches.suggest("all", SUBJECT, 1.5)
    assert suggestion is not None
    values = [value for day in days for value in day]
    allowed = int(1.5 * len(days))
    above = [value for value in values if value > suggestion.limit]
    assert len(above) == suggestion.values_above <= allowed
    assert (suggestion.values, suggestion.days) == (len(values), len(days))
    assume(suggestion.limit_least > 0)
    assert sum(value > suggestion.limit_least - 1 for value in values) > allowed


def test_a_budget_is_taken_as_it_is_written() -> None:
    sketches = LimitSketches(days_max=100)
    for day in range(100):
        sketches.add(day, "all", SUBJECT, np.array([int(100 * 1.05**day)]))  # a bucket each
    suggestion = sketches.suggest("all", SUBJECT, 0.29)
    assert suggestion is not None
    assert suggestion.values_above == 29  # and not 28, as in floats
    exact = sketches.suggest("all", SUBJECT, 1)
    assert exact is not None
    assert (exact.limit, exact.values_above) == (0, 100)
    assert sketches.suggest("segment/x", SUBJECT, 1) is None


@given(day_values, st.sampled_from([None, KEY]))
def test_restored_sketches_answer_and_go_on_alike(
    parts: list[tuple[int, str, list[int]]], key: bytes | None
) -> None:
    sketches = added(LimitSketches(7), parts)
    restored = LimitSketches.restore(sketches.snapshot(key), key)
    assert restored.snapshot() == sketches.snapshot()
    more = [(13, "all", [12]), (9, "segment/business", [5])]
    assert added(restored, more).snapshot() == added(sketches, more).snapshot()


def _meta(**changes: object) -> dict[str, object]:
    meta = {"days_max": 2, "relative_error": 0.01, "series_max": 1, "entries": [[1, "a", "b", 2]]}
    return meta | changes


@pytest.mark.parametrize(
    "meta",
    [
        _meta(entries=[]),  # fewer counts than there are
        _meta(entries=[[1, "a", "b", 3]]),
        _meta(entries=[[1, "a", "b", -2]]),
        _meta(entries=[[1.5, "a", "b", 2]]),
        _meta(entries=[[1, None, "b", 2]]),
        _meta(entries=[[1, "a", "b", 1], [1, "c", "b", 1]]),  # more series than it may
        _meta(entries=[[9, "a", "b", 1], [1, "a", "b", 1]]),  # more days than it may
        _meta(days_max=0),
        {},
    ],
)
def test_a_snapshot_whose_contents_are_no_sketches_is_refused(meta: dict[str, object]) -> None:
    with pytest.raises(SnapshotError):
        LimitSketches.restore(pack("limit-sketches", 1, meta, {"counts": COUNTS}))


@pytest.mark.parametrize("restore", [Sketch.restore, LimitSketches.restore])
def test_another_model_and_an_unkeyed_snapshot_are_refused(
    restore: Callable[[bytes, bytes | None], object],
) -> None:
    with pytest.raises(SnapshotError):
        restore(pack("profile", 1, {}, {}), None)
    for data in (Sketch().snapshot(), LimitSketches().snapshot()):
        with pytest.raises(SnapshotError):
            restore(data, KEY)
