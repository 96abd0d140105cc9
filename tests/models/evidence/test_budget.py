"""As many alerts as the team can work, for any stream: the differences telescope."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.evidence.budget import (
    BEGIN,
    FORGETS,
    STEP,
    THRESHOLD_MIN,
    account_day_opens,
    allowance_max,
    day_ends,
    may_report,
    new_budget,
    report,
)
from models.evidence.evidence import SCORE_MAX, SCORE_MIN
from tests.support.laws import law

RANGE = (SCORE_MAX - SCORE_MIN) / STEP + 1
"""Alerts by which the threshold goes from one end of all scores to the other."""

Score = Callable[[float], float]
"""What an account-day's score is, by the threshold that it meets: as bad as anybody can make it."""


class Tracked:
    """A tracker that account-days come to, one after the other."""

    def __init__(self, alerts_per_day: float, *, is_told: bool = False) -> None:
        self.budget = new_budget(alerts_per_day)
        self.budget["is_told"] = is_told

    @property
    def threshold(self) -> float:
        return float(self.budget["threshold"][0])

    def live(self, scores: Sequence[Score]) -> int:
        """Live through a day of so many account-days; return its reports."""
        reports = 0
        for score_of in scores:
            account_day_opens(self.budget[0])
            is_above = min(max(score_of(self.threshold), SCORE_MIN), SCORE_MAX) > self.threshold
            if is_above and may_report(self.budget[0]):
                report(self.budget[0])
                reports += 1
        day_ends(self.budget[0])
        return reports


def always(score: float) -> Score:
    return lambda _: score


def just_above(threshold: float) -> float:
    return threshold + 1e-9


def just_below(threshold: float) -> float:
    return threshold - 1e-9


def away_from(threshold: float) -> float:
    """Return the score that drives the threshold on, whichever way it has gone."""
    return SCORE_MAX if threshold > 6 else SCORE_MIN


scores = st.one_of(
    st.floats(SCORE_MIN, SCORE_MAX).map(always),
    st.sampled_from([just_above, just_below, away_from, always(SCORE_MAX), always(SCORE_MIN)]),
)
days_of = st.lists(st.lists(scores, min_size=1, max_size=40), min_size=2, max_size=40)
budgets = st.floats(0.01, 30)


# -- the bound -------------------------------------------------------------------------------------


@given(days_of, budgets)
@example([[just_above] * 40] * 40, 0.5)
@example([[always(SCORE_MIN)] * 5] * 60 + [[always(SCORE_MAX)] * 40] * 40, 5.0)
def test_never_more_reports_over_any_days_than_the_budget_of_one_day_more_and_one(
    days: list[list[Score]], alerts_per_day: float
) -> None:
    """Also after days of fewer account-days than the budget would have reports."""
    tracked = Tracked(alerts_per_day, is_told=True)
    reports = np.cumsum([0, *(tracked.live(day) for day in days)])
    for first in range(len(days)):
        told = reports[first + 1 :] - reports[first]
        allowed = alerts_per_day * np.arange(2, len(days) - first + 2) + 1
        assert (told <= allowed + 1e-6).all()


@given(budgets)
def test_what_is_not_used_is_saved_up_for_a_day_and_no_longer(alerts_per_day: float) -> None:
    tracked = Tracked(alerts_per_day, is_told=True)
    for _ in range(30):
        tracked.live([always(SCORE_MIN)])
    assert tracked.budget["allowance"] == pytest.approx(allowance_max(alerts_per_day))
    tracked.budget["threshold"] = THRESHOLD_MIN
    assert tracked.live([always(SCORE_MAX)] * 90) == int(allowance_max(alerts_per_day))


@given(days_of, budgets)
@example([[just_above] * 40] * 40, 0.5)
@example([[always(SCORE_MIN)] * 5] * 60 + [[always(SCORE_MAX)] * 40] * 40, 25.0)
def test_the_threshold_by_itself_keeps_to_the_budget_and_its_range(
    days: list[list[Score]], alerts_per_day: float
) -> None:
    """Also after days of fewer account-days than the budget would have reports: none are saved."""
    tracked = Tracked(alerts_per_day)
    alerts = np.cumsum([0, *(tracked.live(day) for day in days)])
    for first in range(len(days)):
        told = alerts[first + 1 :] - alerts[first]
        allowed = alerts_per_day * np.arange(1, len(days) - first + 1) + RANGE + 1
        assert (told <= allowed).all()


@law(30)
@given(st.lists(st.lists(scores, min_size=30, max_size=50), min_size=2, max_size=30), budgets)
@example([[always(SCORE_MIN)] * 30] * 40, 30.0)
def test_as_many_alerts_as_the_budget_but_for_the_range_and_a_day_where_days_are_long_enough(
    days: list[list[Score]], alerts_per_day: float
) -> None:
    tracked = Tracked(alerts_per_day)
    alerts = sum(tracked.live(day) for day in days)
    budget = alerts_per_day * (len(days) - 1)  # of the first day nothing was expected
    a_day = 2 * alerts_per_day + 1
    assert abs(alerts - budget) <= RANGE + a_day


@given(days_of, budgets)
def test_the_threshold_moves_by_a_step_an_alert_and_the_budget_a_day(
    days: list[list[Score]], alerts_per_day: float
) -> None:
    """Whatever came: a day's alerts are taken off whole, by its account-days or at its end."""
    tracked = Tracked(alerts_per_day)
    tracked.live(days[0])  # of it nothing was expected
    for day in days[1:]:
        before = tracked.threshold
        moved = STEP * (tracked.live(day) - alerts_per_day)
        if before - STEP * alerts_per_day > THRESHOLD_MIN:  # else it may have come to the end
            assert tracked.threshold == pytest.approx(before + moved, abs=1e-9)
        assert tracked.threshold >= THRESHOLD_MIN


# -- streams as they are ---------------------------------------------------------------------------


def counts_of(
    tracked: Tracked, rng: np.random.Generator, days: int, size: Callable[[int], int],
    level: Callable[[int], float] = lambda _: 0.0,
) -> list[int]:  # fmt: skip
    return [
        tracked.live([always(surprise) for surprise in rng.exponential(1, size(day)) + level(day)])
        for day in range(days)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("size", "level"),
    [
        (lambda _: 300, lambda _: 0.0),
        (lambda day: 300 if day % 7 < 5 else 60, lambda _: 0.0),  # quiet week-ends
        (lambda day: 50 + 10 * day, lambda _: 0.0),
        (lambda _: 300, lambda day: 0.05 * day),  # scores that drift
        (lambda _: 300, lambda day: 3.0 if day >= 30 else 0.0),  # or jump
    ],
)  # fmt: skip
def test_it_holds_the_budget_on_the_whole(
    seed: int, size: Callable[[int], int], level: Callable[[int], float]
) -> None:
    tracked = Tracked(4.0)
    counts = counts_of(tracked, np.random.default_rng(seed), 100, size, level)
    latest = np.mean(counts[60:])
    assert 3.0 < latest < 5.2
    assert abs(sum(counts[1:]) - 99 * 4.0) < 60


def test_a_day_with_fewer_account_days_has_its_share_taken_off_at_its_end() -> None:
    tracked = Tracked(2.0)
    tracked.live([always(SCORE_MIN)] * 100)
    assert tracked.threshold == BEGIN
    account_day_opens(tracked.budget[0])
    assert tracked.threshold == pytest.approx(BEGIN - STEP * 2 / 100)
    day_ends(tracked.budget[0])
    assert tracked.threshold == pytest.approx(BEGIN - STEP * 2)
    assert tracked.budget["expected"][0] == pytest.approx(100 + FORGETS * (1 - 100))


def test_a_day_with_more_account_days_has_no_more_than_its_share_taken_off() -> None:
    tracked = Tracked(2.0)
    tracked.live([always(SCORE_MIN)] * 100)
    tracked.live([always(SCORE_MIN)] * 700)
    assert tracked.threshold == pytest.approx(BEGIN - STEP * 2)
    assert tracked.budget["expected"][0] == pytest.approx(100 + FORGETS * 600)


def test_after_a_greater_budget_a_smaller_one_holds_within_the_range() -> None:
    """A budget that was more than there are account-days must not be a debt for years."""
    tracked = Tracked(1000.0)
    rng = np.random.default_rng(2)
    counts_of(tracked, rng, 60, lambda _: 30)
    tracked.budget["alerts_per_day"] = 1.0
    counts = counts_of(tracked, rng, 60, lambda _: 30)
    assert sum(counts) < 60 + RANGE
    assert max(counts[30:]) < 10
