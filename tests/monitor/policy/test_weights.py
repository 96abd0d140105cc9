"""Versions of weights: which one holds on a day follows from what they say alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.teaching.terms import TERMS
from monitor.core.business_day import day_of_text
from monitor.policy.weights import (
    Weights,
    WeightsBook,
    WeightsError,
    WeightsVersion,
    weights_version_of,
)
from tests.support.laws import law

FIRST = day_of_text("2026-02-02")
WEIGHTS = Weights(-0.25, tuple(number / 8 for number in range(len(TERMS))))


def version(number: int, day: int, weights: Weights | None = WEIGHTS) -> WeightsVersion:
    return WeightsVersion(number, FIRST + day, weights, 40, 12, 3.5, f"{number:064x}")


VERSIONS = [version(1, 0), version(2, 3), version(3, 3), version(4, 9, None)]


@law(50)
@given(st.permutations(VERSIONS), st.integers(-2, 12))
def test_the_order_of_their_coming_does_not_matter(coming: list[WeightsVersion], day: int) -> None:
    book = WeightsBook(coming)
    held = [each for each in VERSIONS if each.effective_from <= FIRST + day]
    assert book.for_day(FIRST + day) == (held[-1] if held else None)
    assert book.latest == VERSIONS[-1]
    assert list(book.versions) == VERSIONS


def test_of_one_number_the_first_holds() -> None:
    book = WeightsBook([version(1, 0)])
    assert not book.add(version(1, 5, None))
    assert book.for_day(FIRST + 6) == version(1, 0)


def test_a_later_version_does_not_begin_before_an_earlier_one() -> None:
    book = WeightsBook([version(2, 3)])
    for wrong in (version(3, 2), version(1, 4)):
        with pytest.raises(WeightsError, match="a later one cannot begin before it"):
            book.add(wrong)
    assert book.versions == (version(2, 3),)


@pytest.mark.parametrize("one", VERSIONS)
def test_what_is_written_is_read(one: WeightsVersion) -> None:
    assert weights_version_of(one.fields()) == one


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("version", 0, "version is '0'"),
        ("effective_from", "soon", "effective_from is 'soon'"),
        ("labels", -1, "labels is '-1'"),
        ("confirmed", True, "confirmed is 'True'"),
        ("log_evidence", float("nan"), "log_evidence is 'nan'"),
        ("log_evidence", 10**400, "log_evidence is '1000"),
        ("weights", WEIGHTS.fields() | {"score": -(10**400)}, "weights must be null"),
        ("weights", WEIGHTS.fields() | {"hour": float("nan")}, "weights must be null"),
        ("dispositions", "abc", "dispositions is 'abc'"),
        ("weights", {"score": 1.0}, "weights must be null"),
        ("weights", WEIGHTS.fields() | {"score": 1e6}, "weights must be null"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_problem(
    name: str,
    value: object,
    problem: str,
) -> None:
    with pytest.raises(WeightsError, match=problem):
        weights_version_of(version(1, 0).fields() | {name: value})


def test_a_record_that_is_no_object_is_refused() -> None:
    with pytest.raises(WeightsError, match="no JSON object"):
        weights_version_of([1])
