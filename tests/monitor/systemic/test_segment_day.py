"""Segment-days add up in any order, and adding changes none of the parts."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sketches.histogram import Sketch
from monitor.systemic.segment_day import LimitDay, SegmentDay, merged
from tests.support.laws import law

counts = st.integers(0, 50)
values = st.lists(st.integers(0, 10**7), max_size=8)
keys = st.tuples(st.sampled_from(["institution", "branch"]), st.sampled_from(["B01", "B02"]))


def sketch_of(numbers: list[int]) -> Sketch:
    sketch = Sketch()
    sketch.add(np.array(numbers, np.int64))
    return sketch


limit_days = st.builds(
    LimitDay, st.integers(1, 10**6), counts, values.map(sketch_of), st.dictionaries(keys, counts)
)
segment_days = st.builds(
    SegmentDay,
    st.just(700_000),
    st.just("business"),
    counts,
    st.dictionaries(st.sampled_from(["amount", "count"]), limit_days),
    counts,
    counts,
    st.dictionaries(keys, counts),
    st.dictionaries(keys, counts),
)


def plain(segment_day: SegmentDay) -> object:
    limits = {
        name: limit._asdict() | {"values": tuple(limit.values.counts)}
        for name, limit in segment_day.limits.items()
    }
    return segment_day._asdict() | {"limits": limits}


@law(30)
@given(st.lists(segment_days, min_size=1, max_size=4), st.randoms())
def test_the_order_of_the_parts_is_nothing(parts: list[SegmentDay], random: Random) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)
    assert plain(merged(shuffled)) == plain(merged(parts))


@law(30)
@given(segment_days, segment_days, segment_days)
def test_parts_may_be_merged_before(first: SegmentDay, two: SegmentDay, three: SegmentDay) -> None:
    left = merged([merged([first, two]), three])
    right = merged([first, merged([two, three])])
    assert plain(left) == plain(right) == plain(merged([first, two, three]))


@law(30)
@given(st.lists(segment_days, min_size=1, max_size=3))
def test_what_is_merged_is_the_sum_and_the_parts_stay(parts: list[SegmentDay]) -> None:
    before = [plain(part) for part in parts]
    whole = merged(parts)
    assert [plain(part) for part in parts] == before
    assert whole.account_days == sum(part.account_days for part in parts)
    for name, limit in whole.limits.items():
        merged_limits = [part.limits[name] for part in parts if name in part.limits]
        assert limit.breaches == sum(merged_limit.breaches for merged_limit in merged_limits)
        assert limit.values.total == sum(
            merged_limit.values.total for merged_limit in merged_limits
        )


def test_no_parts_or_parts_of_two_days_are_refused() -> None:
    segment_day = SegmentDay(1, "a", 0, {}, 0, 0, {}, {})
    with pytest.raises(ValueError, match="no segment-day"):
        merged([])
    with pytest.raises(ValueError, match="several days or segments"):
        merged([segment_day, segment_day._replace(day=2)])
    with pytest.raises(ValueError, match="several days or segments"):
        merged([segment_day, segment_day._replace(segment=None)])
