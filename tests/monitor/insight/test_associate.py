"""FP-growth and its rules against a plain count of every itemset."""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.insight.associate import (
    Association,
    Item,
    Wanted,
    associations_of,
    associations_with,
    frequent_itemsets,
    least_count,
)
from monitor.insight.cut import Cut, attributes_of
from monitor.insight.table import NONE, Attribute, InsightError, attribute_of, table_of
from monitor.insight.weights import chance_of

Columns = dict[str, list[str | None]]
Key = tuple[frozenset[Item], Item]
Counts = tuple[int, int, int, int]

values = st.sampled_from(["a", "b", "c", None])
shares = st.sampled_from([0.01, 0.05, 0.07, 0.1, 0.25, 1 / 3, 0.5, 0.6, 0.9, 1.0])


@st.composite
def columns_of(draw: st.DrawFn) -> Columns:
    rows = draw(st.integers(1, 18))
    names = "pqrs"[: draw(st.integers(1, 4))]
    return {name: draw(st.lists(values, min_size=rows, max_size=rows)) for name in names}


def attributes(columns: Columns) -> dict[str, Attribute]:
    return {name: attribute_of(name, column) for name, column in columns.items()}


def row_sets(columns: Columns, *, missing: bool = False) -> list[frozenset[Item]]:
    return [
        frozenset(
            Item(name, value or NONE)
            for name, value in zip(columns, row, strict=True)
            if value or missing
        )
        for row in zip(*columns.values(), strict=True)
    ]


def brute(rows: list[frozenset[Item]], items_max: int) -> dict[frozenset[Item], int]:
    """Return how many rows have each set of items that any row has, the empty one too."""
    candidates = {
        frozenset(chosen)
        for row in rows
        for size in range(items_max + 1)
        for chosen in combinations(sorted(row), size)
    }
    return {chosen: sum(chosen <= row for row in rows) for chosen in candidates}


def told(found: list[Association]) -> dict[Key, Counts]:
    keyed = {
        (frozenset(rule.given), rule.then): (
            rule.rows_both,
            rule.rows_given,
            rule.rows_then,
            rule.rows,
        )
        for rule in found
    }
    assert len(keyed) == len(found)
    return keyed


def expected(columns: Columns, wanted: Wanted, target: Item | None = None) -> dict[Key, Counts]:
    """Return the rules that follow from the definitions, in exact fractions."""
    rows = row_sets(columns, missing=wanted.missing)
    among = rows if target is None else [row for row in rows if target in row]
    counts, frequent = brute(rows, wanted.items_max), brute(among, wanted.items_max)
    least = Fraction(str(wanted.support_min)) if wanted.support_min != 1 / 3 else Fraction(1, 3)
    rules = {}
    for itemset, count in frequent.items():
        if Fraction(count, len(among)) < least:
            continue
        if target is None:
            sides = [(itemset - {item}, item) for item in itemset]
        else:
            is_of_target = any(item.column == target.column for item in itemset)
            sides = [] if is_of_target or len(itemset) == wanted.items_max else [(itemset, target)]
        for left, then in sides:
            both = counts[left | {then}]
            confidence = Fraction(both, counts[left])
            if not left or confidence < Fraction(str(wanted.confidence_min)):
                continue
            fewer = [
                frozenset(chosen)
                for size in range(len(left))
                for chosen in combinations(left, size)
            ]
            if not wanted.redundant and any(
                Fraction(counts[part | {then}], counts[part]) >= confidence for part in fewer
            ):
                continue
            rules[left, then] = (both, counts[left], counts[frozenset([then])], len(rows))
    return rules


wanteds = st.builds(
    Wanted,
    shares,
    st.sampled_from([0.0, 0.3, 0.5, 0.6, 1.0]),
    st.integers(2, 5),
    st.booleans(),
    st.booleans(),
)


@given(columns_of(), wanteds)
@settings(deadline=None)
def test_rules_are_those_that_the_definitions_say(columns: Columns, wanted: Wanted) -> None:
    found = associations_of(attributes(columns), wanted)
    assert told(found.associations) == expected(columns, wanted)
    leverages = [association.leverage for association in found.associations]
    assert leverages == sorted(leverages, reverse=True)


@given(columns_of(), wanteds, st.data())
@settings(deadline=None)
def test_a_targets_rules_are_sought_among_its_rows_and_judged_over_all(
    columns: Columns, wanted: Wanted, data: st.DataObject
) -> None:
    items = sorted({item for row in row_sets(columns) for item in row})
    if not items:
        return
    target = data.draw(st.sampled_from(items))
    found = associations_with(table_of(columns), f"{target.column}={target.value}", wanted)
    assert told(found.associations) == expected(columns, wanted, target)


@given(st.integers(0, 10_000), st.integers(1, 25), st.integers(0, 6), shares, st.integers(1, 6))
@settings(deadline=None)
def test_frequent_itemsets_are_all_there_with_their_counts(
    seed: int, rows: int, items: int, share: float, items_max: int
) -> None:
    has = np.random.default_rng(seed).random((rows, items)) < 0.5
    least = least_count(share, rows)
    plain = {
        chosen: int(has[:, chosen].all(axis=1).sum())
        for size in range(1, items_max + 1)
        for chosen in combinations(range(items), size)
    }
    assert frequent_itemsets(has, least, items_max) == {
        chosen: count for chosen, count in plain.items() if count >= least
    }


@given(st.integers(1, 1000), st.integers(1, 400))
def test_the_least_count_is_the_first_that_is_enough(thousandths: int, rows: int) -> None:
    share = thousandths / 1000
    count = least_count(share, rows)
    assert Fraction(count, rows) >= Fraction(thousandths, 1000)
    assert count == 1 or Fraction(count - 1, rows) < Fraction(thousandths, 1000)


def test_figures_are_those_of_a_count_by_hand() -> None:
    columns: Columns = {"x": list("aaabbbbbbb"), "y": list("ppqppqqqqq")}
    found = associations_of(attributes(columns), Wanted(0.2, 0.6)).associations
    found_rule = next(rule for rule in found if rule.text() == "IF x=a THEN y=p")
    assert (found_rule.support, found_rule.confidence) == (0.2, 2 / 3)
    assert found_rule.lift == pytest.approx(2 / 3 / 0.4)
    assert found_rule.leverage == pytest.approx(0.2 - 0.3 * 0.4)
    assert found_rule.fields()["if"] == [{"column": "x", "value": "a"}]


@given(st.integers(1, 60), st.data())
def test_the_chance_is_the_count_of_all_ways(rows: int, data: st.DataObject) -> None:
    first, second, both = (data.draw(st.integers(0, most)) for most in (rows, rows, rows))
    ways = sum(
        math.comb(first, count) * math.comb(rows - first, second - count)
        for count in range(both, min(first, second) + 1)
        if second - count <= rows - first
    )
    expected = ways / math.comb(rows, second)
    assert chance_of(both, first, second, rows) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_rule_of_two_rows_among_many_candidates_is_told_as_chance() -> None:
    draw = np.random.default_rng(3)
    columns: Columns = {
        f"c{place}": [f"v{value}" for value in draw.integers(0, 6, 300)] for place in range(12)
    }
    columns["rare"] = ["yes" if draw < 0.04 else "no" for draw in draw.random(300)]
    found = associations_with(table_of(columns), "rare=yes", Wanted(0.1, 0.6)).associations
    sure = [rule for rule in found if rule.confidence == 1]
    assert sure
    assert all(rule.p_value < 0.05 for rule in sure)
    assert all(rule.p_value_adjusted > 0.5 for rule in sure)


def test_intervals_name_their_column_themselves() -> None:
    table = table_of({"age": ["20", "40", "70", "80"], "card": ["no", "gold", "no", "no"]})
    found = associations_of(
        attributes_of(table, {"age": Cut((30.0, 55.0))}), Wanted(0.2, 0.9)
    ).associations
    texts = [rule.text() for rule in found]
    assert "IF 30 < age <= 55 THEN card=gold" in texts
    assert "IF age > 55 THEN card=no" in texts


def test_where_no_rule_is_sure_enough_the_greatest_confidence_is_told() -> None:
    columns: Columns = {"x": list("aaaabbbb"), "y": list("ppqqqqqq")}
    found = associations_with(table_of(columns), "y=p", Wanted(0.05, 0.6))
    assert found.associations == []
    assert (found.itemsets, found.confidence_most) == (1, 0.5)


@pytest.mark.parametrize(
    ("target", "wanted", "problem"),
    [
        ("z=a", Wanted(), "no column 'z' in the table: it has x, y"),
        ("x=c", Wanted(), "no row has x=c: the column has a, b"),
        ("x", Wanted(), "'x' is no condition: write COL=VALUE"),
        (None, Wanted(support_min=0), "a support of 0"),
        (None, Wanted(confidence_min=1.5), "a confidence of 1.5"),
        (None, Wanted(items_max=1), "1 items make no rule"),
    ],
)
def test_what_cannot_be_is_refused(target: str | None, wanted: Wanted, problem: str) -> None:
    table = table_of({"x": list("ab"), "y": list("cd")})
    with pytest.raises(InsightError, match=problem):
        _ = (
            associations_with(table, target, wanted)
            if target
            else associations_of(attributes_of(table), wanted)
        )


def test_numbers_are_cut_where_that_says_most_about_the_target() -> None:
    ages = [str(age) for age in range(21, 61)] * 2
    cards = ["gold" if 30 < int(age) <= 40 else "classic" for age in ages]
    found = associations_with(table_of({"age": ages, "card": cards}), "card=gold", Wanted())
    (rule,) = found.associations
    assert rule.text() == "IF 30 < age <= 40 THEN card=gold"
    assert found.associations[0].confidence == 1
