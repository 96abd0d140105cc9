"""Dispositions teach later days alone, only if they prove it, and always the same."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Bools, Floats
from models.teaching import teacher
from models.teaching.teacher import Teacher
from models.teaching.terms import TERMS
from models.teaching.weights import TaughtWeights, TermScale
from tests.support.laws import law

DAYS, A_DAY = 40, 20
SCALE = TermScale(np.zeros(len(TERMS) + 1), np.ones(len(TERMS) + 1))

seeds = st.integers(0, 10_000)


class Day(NamedTuple):
    day: int
    terms: Floats
    scores: Floats
    is_confirmed: Bools


def days_of(seed: int, weight: float = 1.5) -> list[Day]:
    """Dispositions whose labels depend on half the score, and on the first term."""
    rng = np.random.default_rng(seed)
    made = []
    for day in range(1, DAYS + 1):
        terms, scores = rng.normal(size=(A_DAY, len(TERMS))), rng.normal(2, 2, A_DAY)
        odds = -2 + scores / 2 + weight * terms[:, 0]
        made.append(Day(day, terms, scores, rng.random(A_DAY) < 1 / (1 + np.exp(-odds))))
    return made


def taught_by(days: list[Day], until: int = DAYS + 1) -> tuple[Teacher, list[TaughtWeights | None]]:
    """Return a teacher of days, and its weights of each day up to the last."""
    one = Teacher(SCALE)
    for day in days:
        one.give(*day)
    return one, [one.weights(day) for day in range(1, until + 1)]


def same(one: TaughtWeights | None, other: TaughtWeights | None) -> bool:
    """To the last bit."""
    if one is None or other is None:
        return one is other
    return one.score == other.score and bool((one.terms == other.terms).all())


def test_without_dispositions_there_are_no_weights() -> None:
    one, weights = taught_by([])
    assert weights == [None] * (DAYS + 1)
    assert one.log_evidence == 0


def test_labels_of_one_sort_teach_nothing() -> None:
    for is_confirmed in (np.ones(A_DAY, np.bool_), np.zeros(A_DAY, np.bool_)):
        _, weights = taught_by([day._replace(is_confirmed=is_confirmed) for day in days_of(1)])
        assert weights == [None] * (DAYS + 1)


def test_a_term_that_says_more_gets_a_weight_once_it_has_proved_it() -> None:
    one, weights = taught_by(days_of(1))
    assert weights[0] is weights[1] is weights[2] is None
    last = weights[-1]
    assert last is not None
    assert one.log_evidence > np.log(teacher.EVIDENCE_MIN)
    assert 0.8 < last.terms[0] < 2
    assert np.abs(last.terms[1:]).max() < 0.3
    assert last.of_score() == pytest.approx(0.5, abs=0.15)


def test_labels_that_say_nothing_leave_the_scores_in_19_of_20_streams() -> None:
    used = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        dealt = [day._replace(is_confirmed=rng.random(A_DAY) < 0.3) for day in days_of(seed)]
        used += any(weights is not None for weights in taught_by(dealt)[1])
    assert used <= 2


@given(seeds)
@law(20)
def test_neither_the_order_of_a_day_nor_its_parts_change_a_bit(seed: int) -> None:
    rng, days = np.random.default_rng(seed), days_of(seed)
    other = Teacher(SCALE)
    for part in shuffled(days, rng):
        other.give(*part)
    one, weights = taught_by(days)
    assert same(other.weights(DAYS + 1), weights[-1])
    assert other.log_evidence == one.log_evidence != 0


def shuffled(days: list[Day], rng: np.random.Generator) -> Iterator[Day]:
    for day in days:
        order, cut = rng.permutation(A_DAY), int(rng.integers(0, A_DAY + 1))
        for places in (order[:cut], order[cut:]):
            yield Day(day.day, day.terms[places], day.scores[places], day.is_confirmed[places])


@given(seeds, st.integers(2, DAYS))
@law(20)
def test_a_disposition_changes_later_days_alone(seed: int, day: int) -> None:
    assert_nothing_before_changes(seed, day)


def assert_nothing_before_changes(seed: int, day: int) -> None:
    days = days_of(seed)
    flipped = [
        each._replace(is_confirmed=~each.is_confirmed) if each.day >= day else each for each in days
    ]
    assert all(map(same, taught_by(days, day)[1], taught_by(flipped, day)[1]))


def test_a_leak_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same law, with dispositions of a day in that day's own scores."""
    monkeypatch.setattr(teacher, "is_known", lambda given, day: given <= day)
    with pytest.raises(AssertionError):
        assert_nothing_before_changes(1, DAYS)


def test_dispositions_that_come_too_late_to_be_learned_in_order_are_refused() -> None:
    one, _ = taught_by(days_of(1), 9)
    one.give(*days_of(1)[8])
    with pytest.raises(ValueError, match="the dispositions of day 8 come after those of 8"):
        one.give(*days_of(1)[7])
