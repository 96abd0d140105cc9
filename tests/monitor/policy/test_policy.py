"""Which policy version decides for a business day, and which can join the others."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.business_day import day_of_text
from monitor.policy.document import policy_of
from monitor.policy.policy import Policy, PolicyBook, PolicyError
from tests.support.transactions import POLICY


def version(number: int, effective_from: str | None = None, above: str = "500.00") -> Policy:
    since = "" if effective_from is None else f'\neffective_from = "{effective_from}"'
    text = POLICY.replace("version = 1", f"version = {number}{since}")
    return policy_of(text.replace("500.00", above))


def test_a_version_decides_from_its_day_on_until_the_next_one_does() -> None:
    book = PolicyBook([version(1), version(3, "2026-03-01"), version(2, "2026-02-01")])
    assert book.versions == (1, 2, 3)
    for day, number in (
        ("2026-01-31", 1), ("2026-02-01", 2), ("2026-02-28", 2), ("2026-03-01", 3),
        ("2999-01-01", 3),
    ):  # fmt: skip
        policy, limits = book.for_day(day_of_text(day))
        assert policy.version == number
        assert limits.deciding("A1", None) == policy.thresholds


def test_of_two_from_the_same_day_the_greater_version_decides() -> None:
    book = PolicyBook([version(2, "2026-02-01"), version(1, "2026-02-01")])
    assert book.for_day(day_of_text("2026-02-01"))[0].version == 2


def test_before_every_start_the_earliest_decides() -> None:
    book = PolicyBook([version(2, "2026-03-01"), version(1, "2026-02-01")])
    assert book.for_day(day_of_text("2026-01-01"))[0].version == 1


versions = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 28)), min_size=1, unique_by=lambda drawn: drawn[0]
)


@given(versions, st.randoms(use_true_random=False), st.integers(1, 31))
def test_the_order_in_which_versions_come_changes_nothing(
    drawn: list[tuple[int, int]], shuffle: random.Random, day: int
) -> None:
    policies = [version(number, f"2026-01-{start:02d}") for number, start in drawn]
    book = PolicyBook(policies)
    shuffle.shuffle(policies)
    other = PolicyBook(policies)
    business_day = day_of_text(f"2026-01-{day:02d}")
    started = [(start, number) for number, start in drawn if start <= day]
    decides = max(started) if started else min((start, number) for number, start in drawn)
    assert book.for_day(business_day)[0].version == decides[1]
    assert other.for_day(business_day)[0].version == decides[1]
    assert book.versions == other.versions


def test_the_same_text_twice_changes_nothing() -> None:
    book = PolicyBook([version(1)])
    assert book.add(version(2)) is True
    assert book.add(version(2)) is False
    assert book.versions == (1, 2)


def test_a_version_number_is_not_taken_twice() -> None:
    book = PolicyBook([version(1), version(7)])
    with pytest.raises(PolicyError, match=r"version 1 is taken by another text.* number 8"):
        book.add(version(1, above="9.00"))
    assert book.policies == (version(1), version(7))


@pytest.mark.parametrize(
    "line", ['cut_off = "03:00"', 'allowed_lateness = "1h"', 'clock_skew = "5m"']
)
def test_all_versions_have_one_calendar(line: str) -> None:
    book = PolicyBook([version(1)])
    text = POLICY.replace("version = 1", "version = 2").replace("[calendar]", f"[calendar]\n{line}")
    with pytest.raises(PolicyError, match="only with fresh state"):
        book.add(policy_of(text))
    assert book.versions == (1,)
