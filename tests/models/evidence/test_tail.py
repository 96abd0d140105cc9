"""Tails: probabilities that are what they say, from the latest days alone, and never too small."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.arrays import Floats
from models.evidence.tail import (
    BET,
    BINS,
    DAYS_MIN,
    EXCEEDANCES_MIN,
    FLOOR,
    IS_WARM,
    KIND,
    POINT,
    PROBABILITY_MIN,
    SCORES_FEW,
    SCORES_MIN,
    TAIL_SHARE,
    VERSION,
    WINDOW_DAYS,
    WINDOW_DAYS_MAX,
    Counts,
    ScoreRange,
    Tail,
    Tails,
    add,
    evidence,
    probability,
)
from models.kernels import compiled
from models.snapshot import SnapshotError
from tests.support.laws import law

WIDE, SHARE = ScoreRange("wide", -16, 48), ScoreRange("share", 0, 1, is_bounded=True)
Draw = Callable[[np.random.Generator, int], Floats]


@compiled
def add_all(tail: Tail, kind: int, scores: Floats) -> None:
    for score in scores:
        add(tail, kind, score)


@compiled
def probabilities_of(tail: Tail, kind: int, scores: Floats) -> Floats:
    found = np.empty(scores.size)
    for place in range(scores.size):
        found[place] = probability(tail, kind, scores[place])
    return found


def taught(draw: Draw, scale: ScoreRange, seed: int, days: int = WINDOW_DAYS) -> Tails:
    """Return tails of one kind of score, with 5,000 scores on each of so many days."""
    rng = np.random.default_rng(seed)
    tails = Tails((scale,))
    for day in range(1, days + 1):
        add_all(tails.tail, 0, draw(rng, 5000))
        tails.finish_day(day)
    return tails


def normal(rng: np.random.Generator, count: int) -> Floats:
    return rng.normal(0, 1, count)


def exponential(rng: np.random.Generator, count: int) -> Floats:
    return rng.exponential(1, count)


def pareto(rng: np.random.Generator, count: int) -> Floats:
    return rng.pareto(3, count) + 1


def bounded(rng: np.random.Generator, count: int) -> Floats:
    return rng.beta(2, 5, count)


LAWS: Final[dict[str, tuple[Draw, ScoreRange, Floats]]] = {
    # Of the shares of p <= 1e-2, 1e-3, 1e-4 over these levels, the least and the greatest.
    "exponential": (exponential, WIDE, np.array([[0.85, 1.15], [0.75, 1.3], [0.5, 1.7]])),
    "pareto": (pareto, WIDE, np.array([[0.85, 1.15], [0.75, 1.35], [0.5, 2.0]])),
    # The fitted tail never ends: it is too careful where the true one falls off faster.
    "normal": (normal, WIDE, np.array([[0.85, 1.2], [0.5, 1.2], [0.1, 1.2]])),
    "bounded": (bounded, SHARE, np.array([[0.85, 1.25], [0.25, 1.1], [0.0, 0.3]])),
}


# -- calibration -----------------------------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_as_many_scores_are_as_rare_as_it_says(law: str, seed: int) -> None:
    draw, scale, bounds = LAWS[law]
    tails = taught(draw, scale, seed)
    p = probabilities_of(tails.tail, 0, draw(np.random.default_rng(100 + seed), 400_000))
    assert 0.46 < (p <= 0.5).mean() < 0.51
    for level, (least, greatest) in zip((1e-2, 1e-3, 1e-4), bounds, strict=True):
        assert least <= (p <= level).mean() / level <= greatest, level


U: Final = (np.arange(20_000) + 0.5) / 20_000
"""Places from 0 to 1: p = u^20, evenly by u, has the mean of an e-value in reach (20 u^19 du)."""


def test_the_mean_of_the_evidence_is_one_but_for_what_no_probability_goes_below() -> None:
    values = np.array([evidence(max(p, PROBABILITY_MIN)) for p in U**20])
    of_floor = (1 - BET) * PROBABILITY_MIN**BET  # bets on less than the floor are not paid out
    assert (values * 20 * U**19).mean() == pytest.approx(1 - of_floor, rel=1e-3)
    assert (np.array([evidence(p) for p in U**20]) * 20 * U**19).mean() == pytest.approx(1)


@pytest.mark.parametrize(("law", "quantile"), [
    ("exponential", lambda q: -np.log(q)),
    ("pareto", lambda q: q ** (-1 / 3)),
])  # fmt: skip
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_mean_of_the_evidence_is_about_one_and_not_above_where_nothing_is_wrong(
    law: str, quantile: Callable[[Floats], Floats], seed: int
) -> None:
    draw, scale, _ = LAWS[law]
    p = probabilities_of(taught(draw, scale, seed).tail, 0, quantile(U**20))
    mean = (np.array([evidence(value) for value in p]) * 20 * U**19).mean()
    assert 0.4 < mean < 1.05


@given(st.floats(PROBABILITY_MIN, 1), st.floats(PROBABILITY_MIN, 1))
def test_what_is_rarer_is_more_evidence(left: float, right: float) -> None:
    rarer, commoner = sorted((left, right))
    assert evidence(rarer) >= evidence(commoner) >= BET


def test_no_probability_is_no_evidence() -> None:
    assert evidence(math.nan) == 0.0


# -- warming up, and the window --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "of_a_day", "is_warm"),
    [
        (DAYS_MIN - 1, 5000, False), (DAYS_MIN, SCORES_MIN // DAYS_MIN, True),
        (DAYS_MIN, SCORES_MIN // DAYS_MIN - 1, False), (10, 49, False), (10, 50, True),
    ],
)  # fmt: skip
def test_it_says_nothing_until_there_are_days_and_scores_enough(
    days: int, of_a_day: int, *, is_warm: bool
) -> None:
    rng, tails = np.random.default_rng(1), Tails((WIDE,))
    for day in range(1, days + 1):
        add_all(tails.tail, 0, rng.normal(0, 1, of_a_day))
        tails.finish_day(day)
    assert math.isnan(probability(tails.tail, 0, 1.0)) == (not is_warm)
    assert (tails.score_above(0, 0.1) is None) == (not is_warm)


def test_each_kind_warms_up_by_itself() -> None:
    tails = Tails((WIDE, SHARE))
    for day in range(1, 7):
        add_all(tails.tail, 0, np.linspace(-1, 1, 200))
        tails.finish_day(day)
    assert tails.tail.fit[:, IS_WARM].tolist() == [1, 0]


def test_scores_count_once_their_day_is_finished() -> None:
    tails = taught(normal, WIDE, 1)
    before = probability(tails.tail, 0, 9.0)
    add_all(tails.tail, 0, np.full(5000, 9.0))
    assert probability(tails.tail, 0, 9.0) == before
    tails.finish_day(WINDOW_DAYS + 1)
    assert probability(tails.tail, 0, 9.0) == pytest.approx(1 / WINDOW_DAYS, rel=0.01)
    assert not tails.tail.today.any()


def test_old_days_leave_the_window() -> None:
    """After a window's days nothing is left of what was usual before them."""
    tails, fresh = taught(pareto, WIDE, 1, days=20), Tails((WIDE,))
    rng = np.random.default_rng(5)
    for day in range(21, 21 + WINDOW_DAYS):
        scores = normal(rng, 1000)
        for made in (tails, fresh):
            add_all(made.tail, 0, scores)
            made.finish_day(day)
    assert sorted(tails.days) == list(range(21, 21 + WINDOW_DAYS))
    assert np.array_equal(tails.tail.fit, fresh.tail.fit)
    assert np.array_equal(tails.tail.probabilities, fresh.tail.probabilities)


def test_a_silence_makes_it_cold_again() -> None:
    tails = taught(normal, WIDE, 1)
    tails.finish_day(WINDOW_DAYS + 13)
    assert sorted(tails.days) == [WINDOW_DAYS, WINDOW_DAYS + 13]
    assert math.isnan(probability(tails.tail, 0, 1.0))


# -- a window of few scores ------------------------------------------------------------------------

Stream = list[tuple[int, list[int]]]
streams = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 3, 20, 200]),
        st.lists(st.sampled_from([0, 1, 7, 40, 90, 600]), min_size=2, max_size=2),
    ),
    max_size=60,
)
"""Finished days: the days since the one before, and how many scores of each of two kinds."""


def finished(stream: Stream) -> Iterator[tuple[int, dict[int, Counts], Tails]]:
    """Yield after each day its number, the counts of all days so far, and the tails."""
    rng, tails, day = np.random.default_rng(7), Tails((WIDE, SHARE)), 0
    every: dict[int, Counts] = {}
    for gap, scores in stream:
        day += gap
        add_all(tails.tail, 0, rng.normal(0, 1, scores[0]))
        add_all(tails.tail, 1, rng.random(scores[1]))
        every[day] = tails.tail.today.copy()
        tails.finish_day(day)
        yield day, every, tails


def latest(every: dict[int, Counts], day: int) -> Tails:
    """Return tails that were shown the last 14 days and no others."""
    tails = Tails((WIDE, SHARE))
    for old in range(day - WINDOW_DAYS + 1, day + 1):
        if old in every:
            tails.tail.today[:] = every[old]
            tails.finish_day(old)
    return tails


@law(100)
@given(streams)
def test_where_the_last_days_have_scores_enough_older_ones_change_nothing(stream: Stream) -> None:
    grid = np.linspace(-4, 6, 101)
    for day, every, tails in finished(stream):
        plain = latest(every, day)
        for kind in range(2):
            if plain.warmth(kind).scores >= SCORES_MIN:
                assert tails.warmth(kind) == plain.warmth(kind)
                found = probabilities_of(tails.tail, kind, grid)
                expected = probabilities_of(plain.tail, kind, grid)
                assert np.array_equal(found, expected, equal_nan=True)
                assert tails.score_above(kind, 0.02) == plain.score_above(kind, 0.02)


@law(100)
@given(streams)
def test_the_window_is_the_shortest_that_has_scores_enough(stream: Stream) -> None:
    for day, every, tails in finished(stream):
        for kind in range(2):
            window = np.zeros(BINS, np.int64)
            for old in sorted(every, reverse=True):
                is_enough = old <= day - WINDOW_DAYS and window.sum() >= SCORES_FEW
                if is_enough or old <= day - WINDOW_DAYS_MAX:
                    break
                window += every[old][kind]
            assert np.array_equal(tails._windows[kind], window)


@law(60)
@given(streams)
def test_no_day_is_kept_that_no_kind_needs(stream: Stream) -> None:
    """Without its oldest day, a kind would have too few scores; that day is no more than a year."""
    for day, every, tails in finished(stream):
        assert tails.kept_days == sorted(tails.older | tails.days)
        assert all(old > day - WINDOW_DAYS for old in tails.days)
        for old in tails.older:
            newer = np.sum([every[each] for each in every if each > old], axis=(0, 2))
            assert ((newer < SCORES_MIN) & (every[old].sum(axis=1) > 0)).any()
            assert day - WINDOW_DAYS_MAX < old <= day - WINDOW_DAYS


@law(40)
@given(streams)
def test_few_scores_restore_alike_and_go_on_alike(stream: Stream) -> None:
    day, tails = 0, Tails((WIDE, SHARE))
    for day, _, tails in finished(stream):  # noqa: B007 - as the last day left them
        pass
    back = Tails((WIDE, SHARE))
    kept = {old: tails.snapshot_day(old) for old in tails.kept_days}
    back.restore(tails.snapshot_today(), kept)
    for later in range(3):
        for copy in (tails, back):
            add_all(copy.tail, 0, np.linspace(0, 20, 30))
            copy.finish_day(day + 1 + later)
        assert back.kept_days == tails.kept_days
        for old in tails.kept_days:
            assert back.snapshot_day(old) == tails.snapshot_day(old)
        for kind in range(2):
            assert back.warmth(kind) == tails.warmth(kind)
            grid = np.linspace(-4, 30, 101)
            found = probabilities_of(back.tail, kind, grid)
            expected = probabilities_of(tails.tail, kind, grid)
            assert np.array_equal(found, expected, equal_nan=True)


def test_a_partition_of_few_scores_warms_up_once_and_stays_warm() -> None:
    """Ten a day, on five days a week: 250 after five weeks, which 14 days never have."""
    rng, tails = np.random.default_rng(1), Tails((WIDE,))
    warm = []
    for day in range(1, 300):
        add_all(tails.tail, 0, rng.normal(0, 1, 10 if day % 7 < 5 else 0))
        tails.finish_day(day)
        warm.append(tails.warmth(0).is_warm)
    assert not any(warm[:32])
    assert all(warm[35:])
    assert len(tails.kept_days) < 75


# -- for any scores --------------------------------------------------------------------------------

histograms = arrays.arrays(np.int32, 60, elements=st.integers(0, 400)).filter(lambda c: c.sum() > 9)


def of_histogram(counts: np.ndarray[Any, Any], scale: ScoreRange) -> Tails:
    """Return tails that were shown these counts in evenly spread bins, on each of six days."""
    tails = Tails((scale,))
    tails.tail.today[0, :: BINS // 60][:60] = counts
    today = tails.tail.today.copy() * (1 + SCORES_MIN // (6 * int(counts.sum())))
    for day in range(1, 7):
        tails.tail.today[:] = today
        tails.finish_day(day)
    return tails


@law(100)
@given(histograms, st.sampled_from([WIDE, SHARE]), st.floats(-20, 60))
def test_a_greater_score_is_never_more_probable(
    counts: np.ndarray[Any, Any], scale: ScoreRange, score: float
) -> None:
    tails = of_histogram(counts, scale)
    point = float(tails.tail.fit[0, POINT])
    near = [math.nextafter(point, side) for side in (-math.inf, point, math.inf)]
    scores = [*np.linspace(scale.low - 2, scale.high + 2, 999), score]
    scores += near if math.isfinite(point) else []
    p = probabilities_of(tails.tail, 0, np.sort(scores))
    assert (np.diff(p) <= 0).all()
    assert ((p > 0) & (p <= 1)).all()


@law(60)
@given(histograms)
def test_of_a_bounded_score_no_probability_is_below_half_of_one_scores_share(
    counts: np.ndarray[Any, Any],
) -> None:
    tails = of_histogram(counts, SHARE)
    total = sum(int(of_day.sum()) for of_day in tails.days.values())
    assert tails.tail.fit[0, FLOOR] == 0.5 / total
    for score in (0.9, 1.0, 7.0):
        assert probability(tails.tail, 0, score) >= 0.5 / total


def test_of_another_score_none_is_below_the_least() -> None:
    tails = taught(normal, WIDE, 1)
    assert probability(tails.tail, 0, 1e300) == PROBABILITY_MIN


@law(60)
@given(histograms, st.floats(0.0, 1.0))
def test_at_most_the_share_is_above_the_score_that_it_names(
    counts: np.ndarray[Any, Any], share: float
) -> None:
    tails = of_histogram(counts, WIDE)
    score = tails.score_above(0, share)
    assert score is not None
    window = np.sum([of_day[0] for of_day in tails.days.values()], axis=0)
    edges = WIDE.low + (WIDE.high - WIDE.low) / BINS * np.arange(BINS)
    above = window[edges >= score].sum()
    assert above <= share * window.sum() < above + window[edges >= score - 1 / 32].sum() + 1


def test_scores_that_are_all_alike_are_nothing_strange() -> None:
    """Also where most are: a day's pass-through is 0 for nearly all accounts."""
    tails = taught(lambda _, count: np.full(count, 1.25), WIDE, 1)
    assert probability(tails.tail, 0, 1.25) == 1.0
    assert probability(tails.tail, 0, 1.0) == 1.0
    seen_never = 1 / (5000 * WINDOW_DAYS + 1)
    assert probability(tails.tail, 0, 2.0) == pytest.approx(seen_never)
    mostly = taught(lambda rng, count: np.where(rng.random(count) < 0.95, 0, 3.0), WIDE, 1)
    assert probability(mostly.tail, 0, 0.0) == 1.0
    assert probability(mostly.tail, 0, 3.0) == pytest.approx(0.05, rel=0.05)


def test_a_tail_of_few_scores_is_not_fitted() -> None:
    """Fifty or fewer beyond the point: then the share itself is the probability, to the end."""
    few = int(EXCEEDANCES_MIN / TAIL_SHARE) // 5
    rng, tails = np.random.default_rng(3), Tails((WIDE,))
    for day in range(1, 6):
        add_all(tails.tail, 0, rng.normal(0, 1, few - 20))
        tails.finish_day(day)
    assert tails.tail.fit[0, POINT] == math.inf
    assert probability(tails.tail, 0, 40.0) == pytest.approx(1 / (5 * (few - 20) + 1))


@given(st.floats(-1e15, 1e15))
def test_a_score_beyond_the_range_is_counted_at_its_end(score: float) -> None:
    tails = Tails((ScoreRange("narrow", -1, 1),))
    add(tails.tail, 0, score)
    (place,) = np.flatnonzero(tails.tail.today[0])
    assert tails.tail.today.sum() == 1
    if score < -1:
        assert place == 0
    elif score >= 1:
        assert place == BINS - 1
    else:
        assert -1 + place * 2 / BINS <= score + 1e-12 < -1 + (place + 1) * 2 / BINS + 1e-9


# -- snapshots -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, b"secret"])
@pytest.mark.parametrize("days", [0, 3, 20])
def test_what_was_kept_restores_alike_and_goes_on_alike(days: int, key: bytes | None) -> None:
    tails = taught(normal, WIDE, 4, days=days)
    add_all(tails.tail, 0, np.linspace(-3, 9, 2000))
    kept = {day: tails.snapshot_day(day, key) for day in tails.days}
    back = Tails((WIDE,))
    back.restore(tails.snapshot_today(key), kept, key)
    scores = np.linspace(-20, 60, 4000)
    for _ in range(2):
        for name, array in tails.tail._asdict().items():
            assert np.array_equal(getattr(back.tail, name), array), name
        found = probabilities_of(back.tail, 0, scores)
        assert np.array_equal(found, probabilities_of(tails.tail, 0, scores), equal_nan=True)
        assert list(back.days) == list(tails.days)
        for copy in (tails, back):
            add_all(copy.tail, 0, np.linspace(0, 20, 3000))
            copy.finish_day(days + 1)


def test_a_finished_day_is_written_alike_for_ever() -> None:
    tails = taught(normal, WIDE, 4, days=5)
    before = tails.snapshot_day(3)
    add_all(tails.tail, 0, np.linspace(-3, 9, 2000))
    tails.finish_day(6)
    assert tails.snapshot_day(3) == before


def test_a_kind_that_came_later_has_no_scores_yet_and_the_others_go_on() -> None:
    tails = taught(normal, WIDE, 4, days=2)
    back = Tails((WIDE, SHARE))
    back.restore(tails.snapshot_today(), {day: tails.snapshot_day(day) for day in (1, 2)})
    assert np.array_equal(back.days[2][0], tails.days[2][0])
    assert not back.days[2][1].any()
    with pytest.raises(SnapshotError, match="other scores"):  # and not the other way round
        Tails((WIDE,)).restore(back.snapshot_today(), {})


def test_the_tails_of_other_scores_are_refused() -> None:
    tails = taught(normal, WIDE, 4, days=2)
    today, day = tails.snapshot_today(), tails.snapshot_day(1)
    for scales in ((SHARE,), (SHARE, WIDE), (WIDE._replace(is_bounded=True),)):
        with pytest.raises(SnapshotError, match="other scores"):
            Tails(scales).restore(today, {})
    with pytest.raises(SnapshotError, match="other scores"):
        Tails((WIDE,)).restore(today, {1: today})  # today's is no finished day
    with pytest.raises(SnapshotError, match="other scores"):
        Tails((WIDE,)).restore(day, {})
    with pytest.raises(SnapshotError, match="a key is set"):
        Tails((WIDE,)).restore(today, {1: day}, b"secret")
    assert (KIND, VERSION) == ("tails", 1)
