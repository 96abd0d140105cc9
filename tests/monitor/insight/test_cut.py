import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from models.arrays import Floats
from monitor.insight.cut import (
    Cut,
    attributes_of,
    cut_of,
    entropy_cuts,
    equal_frequency,
    intervals_of,
    round_between,
)
from monitor.insight.table import NONE, InsightError, table_of

finite = st.floats(-1e9, 1e9)
halves = st.integers(-20, 20).map(lambda number: number / 2)


def satisfies(value: float, interval: str) -> bool:
    """Read an interval as a person does."""
    found = re.fullmatch(r"(?:(\S+) < )?x(?: <= (\S+))?(?: > (\S+))?", interval)
    assert found is not None, interval
    low, high, above = (None if text is None else float(text) for text in found.groups())
    return (
        (low is None or low < value)
        and (high is None or value <= high)
        and (above is None or value > above)
    )


@given(st.lists(finite, min_size=1), st.sets(finite, min_size=1, max_size=5))
def test_every_number_is_in_the_interval_that_is_named(
    numbers: list[float], points: set[float]
) -> None:
    attribute = intervals_of("x", np.array([*numbers, math.nan]), sorted(points))
    *texts, last = attribute.texts()
    assert last == NONE
    assert all(satisfies(value, text) for value, text in zip(numbers, texts, strict=True))


def test_intervals_are_named_as_bankers_name_them() -> None:
    table = table_of({"age": ["30", "31", "55", "56", None, "18"]})
    ages = attributes_of(table, {"age": Cut((30.0, 55.0))})["age"]
    assert ages.values == ("age <= 30", "30 < age <= 55", "age > 55", NONE)
    assert ages.counts().tolist() == [2, 2, 1, 1]


@given(st.lists(finite, min_size=2, unique=True), st.integers(2, 6))
def test_intervals_of_equal_frequency_differ_by_one_row(numbers: list[float], count: int) -> None:
    assume(len(numbers) >= count)
    x = np.array(numbers)
    rows = intervals_of("x", x, equal_frequency(x, count)).counts()
    assert len(rows) == count
    assert rows.max() - rows.min() <= 1


@given(st.lists(halves, min_size=1), st.integers(2, 6))
def test_intervals_of_equal_frequency_part_no_ties(numbers: list[float], count: int) -> None:
    x = np.array(numbers)
    attribute = intervals_of("x", x, equal_frequency(x, count))
    assert len(attribute.values) <= count
    assert len({*zip(numbers, attribute.texts(), strict=True)}) == len({*numbers})


@given(finite, finite)
def test_the_roundest_number_between_two_is_between_them(left: float, right: float) -> None:
    low, high = sorted((left, right))
    assume(low < high)
    found = round_between(low, high)
    assert low <= found < high


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (29, 32, 30), (2499.5, 2500.5, 2500), (0.11, 0.29, 0.2), (1.9, 3.0, 2), (7, 8, 7),
        (-1, 1, 0), (-8, -7, -8), (34, 35, 34), (0.001, 1e6, 5e5),
    ],
)  # fmt: skip
def test_a_round_number_is_what_a_person_would_choose(
    low: float, high: float, found: float
) -> None:
    assert round_between(low, high) == found


# -- Fayyad and Irani ------------------------------------------------------------------------------


def entropy(labels: Sequence[int]) -> float:
    return -sum(n / len(labels) * math.log2(n / len(labels)) for n in Counter(labels).values())


def cuts_by_the_book(rows: list[tuple[float, int]]) -> list[float]:
    """The definition of 1993, word for word: return the midpoints of the accepted cuts."""
    labels = [label for _, label in rows]
    size = len(rows)
    tried = []
    for place, ((low, _), (high, _)) in enumerate(pairwise(rows), 1):
        if low < high:
            left, right = labels[:place], labels[place:]
            after = (len(left) * entropy(left) + len(right) * entropy(right)) / size
            tried.append((after, place))
    if not tried:
        return []
    after, place = min(tried)
    left, right = labels[:place], labels[place:]
    k, k1, k2 = len({*labels}), len({*left}), len({*right})
    delta = math.log2(3**k - 2) - (k * entropy(labels) - k1 * entropy(left) - k2 * entropy(right))
    gain, price = entropy(labels) - after, (math.log2(size - 1) + delta) / size
    assume(abs(gain - price) > 1e-9)
    assume(sum(abs(other - after) < 1e-9 for other, _ in tried) == 1)
    if gain <= price:
        return []
    middle = (rows[place - 1][0] + rows[place][0]) / 2
    return [*cuts_by_the_book(rows[:place]), middle, *cuts_by_the_book(rows[place:])]


@given(
    st.lists(st.tuples(halves, st.integers(0, 2)), min_size=2, max_size=60),
    st.sampled_from([lambda x: x > 2, lambda x: x > -3 and x < 4, lambda _: False]),
)
def test_entropy_cuts_are_those_of_the_definition(
    rows: list[tuple[float, int]], planted: Callable[[float], bool]
) -> None:
    rows = sorted((x, 7 if planted(x) else label) for x, label in rows)
    expected = cuts_by_the_book(rows)
    x = np.array([value for value, _ in rows])
    found = entropy_cuts(x, np.array([label for _, label in rows]))
    assert np.searchsorted(found, x).tolist() == np.searchsorted(expected, x).tolist()


@pytest.mark.parametrize(
    ("column", "points"),
    [(0, [5.55, 6.15]), (1, [2.95, 3.35]), (2, [2.45, 4.75]), (3, [0.8, 1.75])],
)
def test_irises_are_cut_as_weka_cuts_them(column: int, points: list[float]) -> None:
    irises = load_iris()
    x: Floats = irises.data[:, column]
    found = entropy_cuts(x, irises.target)
    assert np.searchsorted(found, x).tolist() == np.searchsorted(points, x).tolist()


def test_a_label_that_has_nothing_to_do_with_a_number_cuts_nothing() -> None:
    rng = np.random.default_rng(1)
    cut = [bool(entropy_cuts(rng.normal(size=300), rng.integers(0, 2, 300))) for _ in range(100)]
    assert sum(cut) <= 5


def test_missing_numbers_are_left_out_of_learning() -> None:
    x = np.array([1.0, 2, 3, 4, 5, 6, 7, 8] * 5)
    label = (x > 4).astype(np.int64)
    with_missing = np.append(x, [np.nan] * 9)
    assert entropy_cuts(with_missing, np.append(label, [0, 1, 1] * 3)) == entropy_cuts(x, label)
    assert entropy_cuts(x, label) == [4]


# -- columns of a table ---------------------------------------------------------------------------


def test_what_cuts_a_column() -> None:
    numbers = [str(number) for number in range(40)]
    table = table_of({"x": numbers, "few": ["12", "24"] * 20, "word": ["a"] * 40})
    label = [int(int(number) >= 30) for number in numbers]
    plain = attributes_of(table)
    assert plain["x"].counts().tolist() == [13, 14, 13]
    assert plain["few"].values == ("12", "24")
    assert plain["word"].values == ("a",)
    assert attributes_of(table, label=label)["x"].counts().tolist() == [30, 10]
    cuts = dict([cut_of("x=equal:4"), cut_of("few=12")])
    given_cuts = attributes_of(table, cuts, label)
    assert given_cuts["x"].counts().tolist() == [10, 10, 10, 10]
    assert given_cuts["few"].values == ("few <= 12", "few > 12")


def test_cuts_as_they_are_stated() -> None:
    assert cut_of("age=30,55") == ("age", Cut((30.0, 55.0)))
    assert cut_of("a=b=-1.5") == ("a=b", Cut((-1.5,)))
    assert cut_of("age=equal:5") == ("age", Cut(intervals=5))


@pytest.mark.parametrize(
    "text", ["age", "age=", "=30", "age=x", "age=30,", "age=equal:1", "age=equal:x", "age=mdl:3"]
)
def test_a_cut_that_is_none_is_told(text: str) -> None:
    with pytest.raises(InsightError, match="is none: write COL=30,55"):
        cut_of(text)


@pytest.mark.parametrize("text", ["age=55,30", "age=30,30", "age=nan", "age=inf"])
def test_cut_points_rise(text: str) -> None:
    with pytest.raises(InsightError, match="finite ones that rise"):
        cut_of(text)


def test_words_cannot_be_cut() -> None:
    with pytest.raises(InsightError, match="column w cannot be cut"):
        attributes_of(table_of({"w": ["a"]}), {"w": Cut((1.0,))})
