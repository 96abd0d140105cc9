import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.insight.describe import Description, Question, describe
from monitor.insight.hierarchy import Hierarchy
from monitor.insight.table import NONE, InsightError, Table, attribute_of, table_of
from monitor.insight.weights import information_gain

TENNIS = [
    "sunny hot high weak no", "sunny hot high strong no", "overcast hot high weak yes",
    "rain mild high weak yes", "rain cool normal weak yes", "rain cool normal strong no",
    "overcast cool normal strong yes", "sunny mild high weak no", "sunny cool normal weak yes",
    "rain mild normal weak yes", "sunny mild normal strong yes", "overcast mild high strong yes",
    "overcast hot normal weak yes", "rain mild high strong no",
]  # fmt: skip

Rows = list[tuple[str | None, ...]]

words = st.none() | st.sampled_from("abc")
rows_of_words = st.lists(
    st.tuples(st.sampled_from("xyz"), words, words, st.sampled_from("klmnopqrst")), min_size=1
)
LETTERS = Hierarchy({**dict.fromkeys("klmno", "early"), **dict.fromkeys("pqrst", "late")})


def table(rows: Sequence[tuple[str | None, ...]], names: str) -> Table:
    return table_of(dict(zip(names.split(), zip(*rows, strict=True), strict=True)))


def described(rows: Rows, values_max: int = 4, tuples_max: int = 9) -> Description:
    target = [f"class={rows[0][0]}"]
    question = Question(
        target, hierarchies={"c": LETTERS}, crosstab=("a", "b"), values_max=values_max,
        tuples_max=tuples_max,
    )  # fmt: skip
    return describe(table(rows, "class a b c"), question)


def generalised(rows: Rows, description: Description) -> list[tuple[str, dict[str, str]]]:
    """Return class and values of each row, as the description says that they were generalised."""
    levels = {
        relevance.attribute: relevance.levels
        for relevance in description.attributes
        if not relevance.removed
    }
    made = []
    for of_class, *cells in rows:
        values = dict(zip("abc", (NONE if cell is None else cell for cell in cells), strict=True))
        for _ in range(levels.get("c", 0)):
            values["c"] = LETTERS.parents[values["c"]]
        made.append((str(of_class), {name: values[name] for name in levels}))
    return made


# -- laws -----------------------------------------------------------------------------------------


@given(rows_of_words, st.integers(2, 12), st.integers(2, 20))
def test_t_weights_of_a_class_sum_to_one_and_d_weights_of_a_tuple_too(
    rows: Rows, values_max: int, tuples_max: int
) -> None:
    found = described(rows, values_max, tuples_max)
    assert len(found.tuples) <= tuples_max
    assert math.fsum(group.target.t_weight for group in found.tuples) == pytest.approx(1)
    if found.against_rows:
        assert math.fsum(group.contrast.t_weight for group in found.tuples) == pytest.approx(1)
    for group in found.tuples:
        assert group.target.d_weight + group.contrast.d_weight == pytest.approx(1)
    assert found.crosstab is not None
    cells = list(found.crosstab.weights.values())
    assert math.fsum(target.t_weight for target, _ in cells) == pytest.approx(1)
    assert all(target.d_weight + other.d_weight == pytest.approx(1) for target, other in cells)


@given(rows_of_words, st.integers(2, 12), st.integers(2, 20))
def test_counts_are_those_of_counting_one_by_one(
    rows: Rows, values_max: int, tuples_max: int
) -> None:
    found = described(rows, values_max, tuples_max)
    counted = Counter(
        (of_class == rows[0][0], *sorted(values.items()))
        for of_class, values in generalised(rows, found)
    )
    for group in found.tuples:
        items = sorted(group.values.items())
        assert group.target.rows == counted.pop((True, *items), 0)
        assert group.contrast.rows == counted.pop((False, *items), 0)
        assert group.target.t_weight == group.target.rows / found.target_rows
        assert group.target.d_weight == group.target.rows / (
            group.target.rows + group.contrast.rows
        )
    assert not counted


@given(rows_of_words, st.integers(2, 12), st.integers(2, 20))
def test_generalising_never_changes_totals(rows: Rows, values_max: int, tuples_max: int) -> None:
    found = described(rows, values_max, tuples_max)
    target = sum(row[0] == rows[0][0] for row in rows)
    assert (found.target_rows, found.against_rows) == (target, len(rows) - target)
    assert sum(group.target.rows for group in found.tuples) == target
    assert sum(group.contrast.rows for group in found.tuples) == len(rows) - target


@given(rows_of_words, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(rows: Rows, random: st.DataObject) -> None:
    others = rows[1:]
    random.shuffle(others)  # type: ignore[attr-defined] # a Random by another name
    alone, among = described(rows), described([rows[0], *others])
    assert alone[:8] == among[:8]
    assert alone.crosstab is not None
    assert among.crosstab is not None
    assert alone.crosstab.weights == among.crosstab.weights


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcd")), min_size=1))
def test_marks_are_the_values_more_frequent_in_the_class(pairs: list[tuple[bool, str]]) -> None:
    rows: Rows = [("x", "a"), *(("x" if is_target else "y", value) for is_target, value in pairs)]
    found = describe(table(rows, "class a"), Question(["class=x"]))
    inside = [value for of_class, value in rows if of_class == "x"]
    outside = [value for of_class, value in rows if of_class == "y"]
    expected = {
        value
        for value in "abcd"
        if len({value for _, value in rows}) > 1
        and outside
        and inside.count(value) / len(inside) > outside.count(value) / len(outside) + 1e-12
    }
    assert {mark.value for mark in found.marks} == expected
    opposite = describe(table(rows, "class a"), Question(["class=y"])) if outside else found
    assert not outside or found.marks_against == opposite.marks
    for mark in found.marks:
        assert mark.rows == inside.count(mark.value)
        assert mark.share_elsewhere == outside.count(mark.value) / len(outside)
        share = [value for _, value in rows].count(mark.value) / len(rows)
        assert mark.lift == pytest.approx(inside.count(mark.value) / len(inside) / share)
        is_value = attribute_of("", ["v" if value == mark.value else "w" for _, value in rows])
        is_target = np.array([of_class == "x" for of_class, _ in rows])
        gain, _ = information_gain(is_value, is_target)
        assert mark.gain == pytest.approx(gain, abs=1e-12)


def test_the_p_value_of_a_mark_is_counted_over_every_table_of_the_same_margins() -> None:
    counts = {("x", "a"): 3, ("x", "b"): 4, ("y", "a"): 4, ("y", "b"): 16}
    rows: Rows = [pair for pair, count in counts.items() for _ in range(count)]
    (mark,) = describe(table(rows, "class a"), Question(["class=x"])).marks
    ways = [math.comb(7, both) * math.comb(20, 7 - both) for both in range(8)]
    assert mark.p_value == pytest.approx(sum(ways[3:]) / sum(ways), rel=1e-9)


# -- examples -------------------------------------------------------------------------------------


def test_play_tennis_has_the_gains_of_the_textbooks() -> None:
    rows: Rows = [tuple(line.split()) for line in TENNIS]
    tennis = table(rows, "outlook temperature humidity wind play")
    found = describe(tennis, Question(["play=yes"]))
    gains = [(relevance.attribute, round(relevance.gain, 3)) for relevance in found.attributes]
    assert gains == [
        ("outlook", 0.247), ("humidity", 0.152), ("wind", 0.048), ("temperature", 0.029),
    ]  # fmt: skip
    overcast = next(mark for mark in found.marks if mark.value == "overcast")
    assert (overcast.rows, overcast.d_weight) == (4, 1.0)


def test_sales_have_the_weights_of_han_and_kamber() -> None:
    """Their crosstab of items sold in Europe and North America, in thousands."""
    sold = {
        ("Europe", "tv"): 80, ("Europe", "computer"): 240,
        ("America", "tv"): 120, ("America", "computer"): 560,
    }  # fmt: skip
    rows: Rows = [pair for pair, count in sold.items() for _ in range(count)]
    found = describe(table(rows, "location item"), Question(["location=Europe"]))
    weights = {
        group.values["item"]: (
            group.target.t_weight,
            group.target.d_weight,
            group.contrast.d_weight,
        )
        for group in found.tuples
    }
    assert weights == {"tv": (0.25, 0.4, 0.6), "computer": (0.75, 0.3, 0.7)}
    assert found.tuples[0].contrast.t_weight == pytest.approx(0.8235, abs=1e-4)


def test_a_column_climbs_its_hierarchy_or_is_removed() -> None:
    rows: Rows = [
        ("x" if place % 2 else "y", "abcdefghij"[place % 10], "klmnopqrst"[place % 10], "same")
        for place in range(40)
    ]
    found = describe(
        table(rows, "class free c one"),
        Question(["class=x"], hierarchies={"c": LETTERS}, values_max=5),
    )
    became = {relevance.attribute: (relevance.values, relevance.values_left, relevance.removed)
              for relevance in found.attributes}  # fmt: skip
    assert became == {
        "c": (10, 2, ""),
        "free": (10, 10, "10 values, and no hierarchy"),
        "one": (1, 1, "one value"),
    }
    assert {group.values["c"] for group in found.tuples} == {"early", "late"}


def test_a_column_that_makes_too_many_tuples_climbs_further_before_it_is_removed() -> None:
    rows: Rows = [
        ("x" if a == "a" else "y", a, c, b) for a in "ab" for c in "klmnopqrst" for b in "uvw"
    ]
    found = describe(
        table(rows, "class a c b"),
        Question(["class=x"], hierarchies={"c": LETTERS}, values_max=10, tuples_max=5),
    )
    became = {
        relevance.attribute: (relevance.levels, relevance.removed) for relevance in found.attributes
    }
    assert became == {"a": (0, ""), "b": (0, "more than 5 tuples with it"), "c": (1, "")}
    assert len(found.tuples) == 4


def test_numbers_of_a_hierarchy_of_words_are_taken_as_words() -> None:
    rows: Rows = [
        ("x" if number < 5 else "y", str(number)) for _ in range(3) for number in range(10)
    ]
    parents = {str(number): "low" if number < 5 else "high" for number in range(10)}
    found = describe(
        table(rows, "class code"),
        Question(["class=x"], hierarchies={"code": Hierarchy(parents)}, values_max=3),
    )
    assert [group.values for group in found.tuples] == [{"code": "low"}, {"code": "high"}]


def test_a_class_against_another_leaves_the_third_out() -> None:
    rows: Rows = [("x", "a"), ("y", "b"), ("z", "c"), (None, "c")]
    three = table(rows, "class a")
    found = describe(three, Question(["class=x"], ["class=y"]))
    assert (found.target, found.against) == ("class=x", "class=y")
    assert [group.values["a"] for group in found.tuples] == ["a", "b"]
    both = describe(three, Question(["class=x", "class=(none)"]))
    assert (both.target_rows, both.against_rows, both.against) == (2, 2, "all other rows")


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        (Question(["class=w"]), "no row has class=w: the column has x, y"),
        (Question(["clas=x"]), "no column 'clas'"),
        (Question(["class"]), "is no condition"),
        (Question(["class=x"], ["a=a"]), "both of the target and of what it is set against"),
        (Question(["class=x"], crosstab=("a", "w")), "no column 'w'"),
    ],
)
def test_what_cannot_be_described_is_told(question: Question, problem: str) -> None:
    with pytest.raises(InsightError, match=problem):
        describe(table([("x", "a"), ("y", "b")], "class a"), question)


def test_a_crosstab_that_nobody_could_read_is_refused() -> None:
    rows: Rows = [("x" if place else "y", f"v{place}", f"w{place}") for place in range(21)]
    with pytest.raises(InsightError, match="441 cells"):
        describe(table(rows, "class a b"), Question(["class=x"], crosstab=("a", "b")))
