"""Every figure against scikit-learn, or against a plain count, on data full of equal scores."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from models.arrays import Bools, Floats, Ints
from models.evaluation import (
    DayBlocks,
    average_precision,
    best_of_days,
    gain_interval,
    precision_recall,
    ratio_rule,
    roc_area,
)
from tests.support.laws import law


class Judged(NamedTuple):
    day: Ints
    positive: Bools
    score: Floats


def made(seed: int, rows: int = 200, days: int = 6, scores: int = 12, share: float = 0.2) -> Judged:
    """At least one positive and one negative, and the least score of them all is -inf."""
    rng = np.random.default_rng(seed)
    positive = rng.random(rows) < share
    positive[:2] = True, False
    score = np.round(rng.normal(positive * 1.0, 1.0) * scores / 4)
    score[score == score.min()] = -np.inf
    return Judged(np.sort(rng.integers(0, days, rows)), positive, score)


def finite(score: Floats) -> Floats:
    """The same order without infinities, which scikit-learn refuses."""
    return np.unique(score, return_inverse=True)[1].astype(np.float64)


seeds = st.integers(0, 10_000)
sizes = st.integers(2, 300)
distinct = st.integers(1, 60)


@given(seeds, sizes, distinct)
def test_average_precision_is_scikit_learns(seed: int, rows: int, scores: int) -> None:
    _, positive, score = made(seed, rows, scores=scores)
    expected = average_precision_score(positive, finite(score))
    assert average_precision(positive, score) == pytest.approx(expected, abs=1e-12)


@given(seeds, sizes, distinct)
def test_the_roc_area_is_scikit_learns(seed: int, rows: int, scores: int) -> None:
    _, positive, score = made(seed, rows, scores=scores)
    expected = roc_auc_score(positive, finite(score))
    assert roc_area(positive, score) == pytest.approx(expected, abs=1e-12)


@given(seeds, sizes, distinct)
def test_the_curve_is_scikit_learns(seed: int, rows: int, scores: int) -> None:
    _, positive, score = made(seed, rows, scores=scores)
    precision, recall, _ = precision_recall_curve(positive, finite(score))
    curve = precision_recall(positive, score)
    # scikit-learn begins at the least score, and ends with a point of no threshold.
    np.testing.assert_allclose(curve.precision, precision[-2::-1], atol=1e-12)
    np.testing.assert_allclose(curve.recall, recall[-2::-1], atol=1e-12)


@pytest.mark.parametrize("figure", [average_precision, roc_area])
def test_the_order_of_rows_changes_no_figure_and_equal_scores_are_chance(figure) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - two functions of one shape
    _, positive, score = made(3)
    assert figure(positive[::-1], score[::-1]) == figure(positive, score)
    chance = 0.5 if figure is roc_area else positive.mean()
    assert figure(positive, np.zeros_like(score)) == pytest.approx(chance, abs=1e-12)


def test_without_positives_there_is_no_figure() -> None:
    none, some = np.zeros(4, bool), np.array([True, False, True, False])
    score = np.arange(4.0)
    assert math.isnan(average_precision(none, score))
    assert math.isnan(roc_area(none, score))
    assert math.isnan(roc_area(~none, score))
    assert math.isnan(best_of_days(np.zeros(4, np.int64), none, score, 2).recall)
    with pytest.raises(ValueError, match="nothing is positive"):
        precision_recall(none, score)
    score[1] = np.nan
    with pytest.raises(ValueError, match="a score is NaN"):
        average_precision(some, score)


@given(seeds, st.integers(1, 60))
def test_the_best_of_days_are_those_of_a_plain_count(seed: int, count: int) -> None:
    day, positive, score = made(seed)
    score += np.arange(score.size) / 1e6  # no two are equal, but those at -inf
    score[np.isinf(score)] = -1e9 - np.flatnonzero(np.isinf(score))
    best = []
    for current in np.unique(day):
        places = np.flatnonzero(day == current)
        best += sorted(places, key=lambda place: -score[place])[:count]
    found = best_of_days(day, positive, score, count)
    assert found.precision == pytest.approx(positive[best].mean())
    assert found.recall == pytest.approx(positive[best].sum() / positive.sum())


def test_among_equal_scores_a_draw_decides_and_not_the_order_of_the_rows() -> None:
    day = np.repeat(np.arange(400), 10)
    positive = np.tile(np.arange(10) == 0, 400)
    score = np.zeros(day.size)
    found = best_of_days(day, positive, score, 5)
    assert found == best_of_days(day, positive, score, 5)
    assert found != best_of_days(day, positive, score, 5, seed=1)
    assert found.recall == pytest.approx(0.5, abs=0.08)  # 400 draws: 3 standard deviations


@given(seeds, st.integers(1, 9), distinct)
@law(50)
def test_weights_on_days_are_scikit_learns_sample_weights(
    seed: int, days: int, scores: int
) -> None:
    day, positive, score = made(seed, days=days, scores=scores)
    present = np.unique(day)
    weights = np.random.default_rng(seed).integers(0, 4, (present.size, 5)).astype(np.float64)
    found = DayBlocks(day, positive, score).average_precision(weights)
    for column, value in zip(weights.T, found, strict=True):
        of_rows = column[np.searchsorted(present, day)]
        if of_rows[positive].sum() == 0:
            assert math.isnan(value)
            continue
        expected = average_precision_score(positive, finite(score), sample_weight=of_rows)
        assert value == pytest.approx(expected, abs=1e-12)


def test_a_block_at_a_time_or_all_thresholds_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    day, positive, score = made(5, rows=2000, scores=4000)
    weights = np.random.default_rng(0).integers(0, 3, (6, 20)).astype(np.float64)
    whole = DayBlocks(day, positive, score).average_precision(weights)
    monkeypatch.setattr("models.evaluation.THRESHOLDS_AT_ONCE", 7)
    cut = DayBlocks(day, positive, score).average_precision(weights)
    np.testing.assert_allclose(cut, whole, rtol=1e-12)


def gains_drawn_plainly(judged: Judged, rule: Floats, draws: int) -> Floats:
    """Days drawn with replacement, their rows put together, and scikit-learn asked."""
    rng = np.random.default_rng(99)
    day, positive, score = judged
    places = [np.flatnonzero(day == current) for current in np.unique(day)]
    gains = []
    for _ in range(draws):
        rows = np.concatenate([places[i] for i in rng.integers(0, len(places), len(places))])
        gains.append(
            average_precision_score(positive[rows], finite(score)[rows])
            - average_precision_score(positive[rows], finite(rule)[rows])
        )
    return np.array(gains)


def test_the_interval_is_that_of_drawing_days() -> None:
    judged = made(11, rows=1500, days=40)
    rule = judged.score + np.random.default_rng(1).normal(0, 3, judged.score.size)
    interval = gain_interval(*judged[:2], [judged.score], rule, replicates=1000)
    expected = np.percentile(gains_drawn_plainly(judged, rule, 400), [2.5, 97.5])
    np.testing.assert_allclose(interval, expected, atol=0.012)
    assert 0 < interval[0] < interval[1]


def test_the_interval_of_several_seeds_is_that_of_their_mean() -> None:
    day, positive, score = made(12, rows=800, days=20)
    rule = np.zeros_like(score)
    worse = np.where(np.arange(score.size) % 2 == 0, score, -np.inf)
    low, high = gain_interval(day, positive, [score], rule)
    both = gain_interval(day, positive, [score, worse], rule)
    assert both[0] < low
    assert both[1] < high
    assert gain_interval(day, positive, [score, score], rule) == pytest.approx((low, high))
    assert gain_interval(day, positive, [rule], rule) == (0, 0)


def test_days_drawn_without_a_positive_say_nothing() -> None:
    day = np.array([0, 0, 1, 1])
    positive = np.array([True, False, False, False])
    score = np.array([2.0, 1.0, 0.0, 0.0])
    assert gain_interval(day, positive, [score], -score) == pytest.approx((0.5, 0.75))
    assert np.isnan(gain_interval(day, positive & False, [score], score)).all()


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 80), st.integers(0, 500)), min_size=1
    ),
    window=st.integers(1, 50),
)
def test_the_ratio_rule_is_that_of_a_plain_sum(
    rows: list[tuple[int, int, int]], window: int
) -> None:
    rows.sort(key=lambda row: row[1])
    account, time, amount = (np.array(column) for column in zip(*rows, strict=True))
    found = ratio_rule(account, time, amount.astype(np.float64), window, 50.0)
    for place, (owner, when, much) in enumerate(rows):
        past = [a for o, t, a in rows[:place] if o == owner and t > when - window]
        assert found[place] == much / ((sum(past) + 50) / (len(past) + 1))


def test_the_ratio_rule_sees_nothing_of_what_comes_later() -> None:
    rng = np.random.default_rng(4)
    account, time = rng.integers(0, 9, 500), np.sort(rng.integers(0, 10_000, 500))
    amount = rng.integers(1, 9_999, 500).astype(np.float64)
    whole = ratio_rule(account, time, amount, 700, 50.0)
    some = ratio_rule(account[:300], time[:300], amount[:300], 700, 50.0)
    np.testing.assert_array_equal(whole[:300], some)
