from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.insight.hierarchy import Hierarchy, hierarchies_of
from monitor.insight.table import InsightError

PLACES = """
[hierarchy.district]
Kolin = "central Bohemia"
Pisek = "south Bohemia"
Prague = "Bohemia"
"central Bohemia" = "Bohemia"
"south Bohemia" = "Bohemia"
[hierarchy.age]
cuts = [[20, 30, 40, 55], [30, 55], [55]]
"""


@st.composite
def hierarchies(draw: st.DrawFn) -> Mapping[str, str]:
    """Trees: a value's parent is a later one."""
    values = [str(number) for number in range(10)]
    parents = {value: draw(st.none() | st.sampled_from(values[int(value) + 1 :]))
               for value in values[:-1]}  # fmt: skip
    return {value: parent for value, parent in parents.items() if parent is not None}


def above(parents: Mapping[str, str], value: str) -> list[str]:
    found = []
    while value in parents:
        value = parents[value]
        found.append(value)
    return found


@given(hierarchies(), st.sets(st.sampled_from("0123456789")), st.integers(0, 9))
def test_lifting_keeps_each_value_below_what_it_becomes_and_leaves_no_case_beside_that(
    parents: Mapping[str, str], values: set[str], depth: int
) -> None:
    lifted = Hierarchy(parents).lifted(values, depth)
    assert set(lifted) == values
    for value, to in lifted.items():
        assert to in {value, *above(parents, value)}
        assert len(above(parents, to)) == min(depth, len(above(parents, value)))
        if to != value:
            assert not any(to in above(parents, other) for other in lifted.values())


def test_words_climb_level_by_level() -> None:
    districts = hierarchies_of(PLACES, "h.toml")["district"]
    values = ["Kolin", "Prague", "elsewhere"]
    assert [districts.depth(value) for value in values] == [2, 1, 0]
    assert list(districts.lifted(values, 1).values()) == ["central Bohemia", "Prague", "elsewhere"]
    assert list(districts.lifted(values, 0).values()) == ["Bohemia", "Bohemia", "elsewhere"]


def test_cut_points_climb_level_by_level() -> None:
    ages = hierarchies_of(PLACES, "h.toml")["age"]
    assert ages.cut is not None
    assert list(ages.cut.points) == [20, 30, 40, 55]
    values = [
        "age <= 20", "20 < age <= 30", "30 < age <= 40", "40 < age <= 55", "age > 55",
    ]  # fmt: skip
    middle = ages.lifted(values, 1)
    assert list(dict.fromkeys(middle.values())) == ["age <= 30", "30 < age <= 55", "age > 55"]
    top = ages.lifted(values, 0)
    assert list(top.values()) == ["age <= 55"] * 4 + ["age > 55"]


def test_one_level_of_cut_points_needs_no_list_in_a_list() -> None:
    ages = hierarchies_of("[hierarchy.age]\ncuts = [30, 55]", "h.toml")["age"]
    assert ages.cut is not None
    assert list(ages.cut.points) == [30, 55]
    assert not ages.parents


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[hierarchy", "is no TOML"),
        ("", "write tables"),
        ("[hierarchy.a]\nx = 'y'\n[other]", "write tables"),
        ("[hierarchy]\na = 1", "hierarchy.a is no table"),
        ("[hierarchy.a]", "hierarchy.a is no table"),
        ("[hierarchy.a]\nx = 1", "the parent of 'x' is 1"),
        ("[hierarchy.a]\nx = 'y'\ny = 'z'\nz = 'x'", "'x' is above itself"),
        ("[hierarchy.a]\nx = 'x'", "'x' is above itself"),
        ("[hierarchy.a]\ncuts = [30, 20]", "finite ones that rise"),
        ("[hierarchy.a]\ncuts = []", "finite ones that rise"),
        ("[hierarchy.a]\ncuts = ['x']", "write cut points"),
        ("[hierarchy.a]\ncuts = [[1, 2], [3]]", "some of the cut points below"),
        ("[hierarchy.a]\ncuts = [[1, 2], [1, 2]]", "some of the cut points below"),
        ("[hierarchy.a]\ncuts = [1]\nx = 'y'", "can have nothing else"),
    ],
)
def test_what_is_no_hierarchy_is_told_with_its_file(text: str, problem: str) -> None:
    with pytest.raises(InsightError, match=f"h.toml.*{problem}"):
        hierarchies_of(text, "h.toml")
