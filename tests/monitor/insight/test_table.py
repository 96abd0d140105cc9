from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.insight.table import NONE, InsightError, attribute_of, table_of

texts = st.none() | st.text("ab 1.", max_size=3)


@given(st.lists(texts, max_size=12))
def test_a_column_keeps_its_text_and_a_blank_one_is_missing(column: Sequence[str | None]) -> None:
    table = table_of({"a": column})
    assert table.rows == len(column)
    assert table.column("a") == [(text or "").strip() or None for text in column]


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=12))
def test_numbers_come_back_exactly_and_a_missing_one_is_nan(
    numbers: Sequence[float | None],
) -> None:
    table = table_of({"a": [None if number is None else repr(number) for number in numbers]})
    if not any(number is not None for number in numbers):
        assert "a" not in table.numbers
        return
    expected = [np.nan if number is None else number for number in numbers]
    np.testing.assert_array_equal(table.numbers["a"], expected)


@pytest.mark.parametrize("text", ["0042", "12a", "nan", "inf", "1e999", "1,5", "1_000", "٣", "?"])
def test_what_is_no_number_makes_a_column_of_words(text: str) -> None:
    assert "a" not in table_of({"a": ["1", text]}).numbers


@pytest.mark.parametrize("text", ["0", "-0.5", "+7", ".5", "5.", "1e3", " 12 "])
def test_what_is_a_number_is_one(text: str) -> None:
    assert table_of({"a": ["1", text]}).numbers["a"][1] == float(text)


def test_a_column_that_is_not_there_is_told_with_those_that_are() -> None:
    table = table_of({"sex": ["m"], "age": ["30"]})
    for call in (table.column, table.check, lambda name: table.without([name])):
        with pytest.raises(InsightError, match="no column 'sx' in the table: it has sex, age"):
            call("sx")


def test_columns_differ_in_length() -> None:
    with pytest.raises(InsightError, match="different lengths"):
        table_of({"a": ["1"], "b": []})


def test_rows_and_columns_are_chosen() -> None:
    table = table_of({"a": ["1", "2", None], "b": ["x", "y", "z"]})
    chosen = table.rows_where(np.array([True, False, True]))
    assert (chosen.column("a"), chosen.column("b")) == (["1", None], ["x", "z"])
    np.testing.assert_array_equal(chosen.numbers["a"], [1.0, np.nan])
    assert table.only(["b"]).names == table.without(["a"]).names == ("b",)
    assert "a" not in table.as_words(["a"]).numbers


def test_a_key_names_its_rows_and_nothing_else() -> None:
    table = table_of({
        "account_id": ["1", "2", "3"], "district_id": ["1", "1", "2"], "age": ["30", "40", "50"],
    })  # fmt: skip
    assert table.keys() == ["account_id"]


@given(st.lists(st.none() | st.sampled_from(["a", "b", "c", NONE]), min_size=1))
def test_words_are_categories_and_missing_ones_are_the_last(column: list[str | None]) -> None:
    attribute = attribute_of("a", column)
    assert attribute.texts() == [NONE if text is None else text for text in column]
    known = [value for value in attribute.values if value != NONE]
    assert known == sorted(known)
    assert NONE not in attribute.values[:-1]
    assert attribute.counts().min() > 0
    assert attribute.counts().sum() == len(column)


@given(st.lists(st.none() | st.sampled_from("abcd"), min_size=1))
def test_merging_categories_keeps_every_row(column: list[str | None]) -> None:
    to = {"a": "vowel", "b": "other", "c": "other"}
    merged = attribute_of("a", column).mapped(to)
    assert merged.texts() == [NONE if text is None else to.get(text, text) for text in column]
    assert len(set(merged.values)) == len(merged.values)
    assert NONE not in merged.values[:-1]
