"""Simulated analysts: what they teach is in later scores alone, and only if it is worth it."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest

from models.arrays import Bools
from models.evaluation import average_precision
from models.profile.baseline import FEATURES, VELOCITY
from models.teaching import teacher
from monitor.core.business_day import day_of_text
from streams.evaluation.levels import account_days_of, rows_by_account_day, transactions_of
from streams.evaluation.runs import SeedRun
from streams.evaluation.table import TransactionTable
from streams.evaluation.teaching import Analysts, TaughtRun, taught_of, teaching_fields
from streams.evaluation.truth import Truth
from tests.support.transactions import MONDAY, transaction

ACCOUNTS, DAYS, WARM_UP, A_DAY = 60, 60, 10, 10
BEGINS = day_of_text(str(MONDAY.date()))
FIRST = BEGINS + WARM_UP
NONE = np.empty(0, np.int64)


class Made(NamedTuple):
    table: TransactionTable
    run: SeedRun
    is_odd: Bools


@pytest.fixture(scope="module")
def made() -> Made:
    """Each account pays at midnight and at noon; velocity tells of it, and the score a little."""
    rng = np.random.default_rng(4)
    count = ACCOUNTS * DAYS * 2
    places = np.arange(count)
    transactions = [
        transaction(
            f"T{place}",
            hours=place * 12 / ACCOUNTS - MONDAY.hour,
            account_id=f"A{place % ACCOUNTS}",
            counterparty_id=f"C{place % 7}",
            amount=f"{10 + place % 90}.00",
        )
        for place in range(count)
    ]
    table = TransactionTable(
        transactions,
        places % ACCOUNTS,
        [f"A{number}" for number in range(ACCOUNTS)],
        {},
        count,
        Counter(),
    )
    features = rng.normal(size=(count, len(FEATURES)))
    score = rng.normal(size=count)
    odds = -3 + score / 2 + 3 * features[:, VELOCITY]
    is_odd = rng.random(count) < 1 / (1 + np.exp(-odds))
    day = BEGINS + places // (2 * ACCOUNTS)
    keys, _, of_row = rows_by_account_day(table, day)
    of_days = np.full(keys.size, -np.inf)
    np.maximum.at(of_days, of_row, score)
    run = SeedRun(
        day,
        score,
        score.copy(),
        NONE,
        NONE,
        np.empty(0),
        Counter(),
        Counter(),
        0.0,
        Counter(),
        features,
        [],
    )
    account = np.arange(keys.size) // DAYS
    closed = BEGINS + np.arange(keys.size) % DAYS
    return Made(
        table,
        run._replace(closed_account=account, closed_day=closed, closed_score=of_days),
        is_odd,
    )


def truth_of(is_odd: Bools) -> Truth:
    return Truth(("odd",), (True,), np.where(is_odd, 0, -1), NONE, NONE, NONE)


def taught(made: Made, is_odd: Bools, a_day: int = A_DAY, after: int = 1) -> TaughtRun:
    return taught_of(made.table, truth_of(is_odd), made.run, 2, FIRST, Analysts(a_day, after))


def same_until(day: int, one: TaughtRun, other: TaughtRun) -> bool:
    """To the last bit, in all scores up to a day."""
    rows, account_days = one.run.day <= day, one.run.closed_day <= day
    return bool(
        (one.run.score[rows] == other.run.score[rows]).all()
        and (one.run.closed_score[account_days] == other.run.closed_score[account_days]).all()
    )


def test_without_dispositions_every_score_is_what_it_was(made: Made) -> None:
    found = taught(made, made.is_odd, 0)
    np.testing.assert_array_equal(found.run.score, made.run.score)
    np.testing.assert_array_equal(found.run.closed_score, made.run.closed_score)
    assert (found.reviewed.size, found.confirmed) == (0, 0)
    assert found.transactions.weights is found.account_days.weights is None


def test_what_a_term_tells_is_learned_and_found_at_both_levels(made: Made) -> None:
    found, truth = taught(made, made.is_odd), truth_of(made.is_odd)
    for levels_of in (transactions_of, account_days_of):
        level = levels_of(made.table, truth, [made.run, found.run], FIRST)
        before, after = (average_precision(level.is_positive, each) for each in level.scores)
        assert after > before + 0.1
    for level_taught in (found.transactions, found.account_days):
        assert level_taught.first_day is not None
        assert level_taught.first_day > FIRST
        assert level_taught.weights is not None
        assert level_taught.weights.terms.argmax() == 4  # the velocity
    again = taught(made, made.is_odd)
    assert same_until(BEGINS + DAYS, found, again)
    assert again.confirmed == found.confirmed > 30


def test_the_highest_of_each_day_are_reviewed_as_they_then_are_and_none_twice(made: Made) -> None:
    found = taught(made, made.is_odd)
    assert np.unique(found.reviewed).size == found.reviewed.size == A_DAY * (DAYS - WARM_UP)
    of_days = found.run.closed_day[found.reviewed].reshape(-1, A_DAY)
    assert (of_days == np.arange(FIRST, BEGINS + DAYS)[:, None]).all()
    for day, chosen in zip(of_days[:, 0], found.reviewed.reshape(-1, A_DAY), strict=True):
        scores = found.run.closed_score[found.run.closed_day == day]
        assert found.run.closed_score[chosen].min() == np.sort(scores)[-A_DAY]


@pytest.mark.parametrize("after", [1, 4])
@pytest.mark.parametrize("days", [5, 20, 40])
def test_a_label_is_in_no_score_before_the_day_after_it_was_given(
    made: Made, days: int, after: int
) -> None:
    assert_no_leak(made, FIRST + days, after)


def assert_no_leak(made: Made, day: int, after: int) -> None:
    """Labels of a day and of later ones change nothing until the day after they are given."""
    flipped = np.where(made.run.day >= day, ~made.is_odd, made.is_odd)
    one, other = taught(made, made.is_odd, after=after), taught(made, flipped, after=after)
    assert same_until(day + after, one, other)
    assert not same_until(BEGINS + DAYS, one, other)


def test_a_planted_leak_is_seen(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher, "is_known", lambda given, day: given <= day)
    with pytest.raises(AssertionError):
        assert_no_leak(made, FIRST + 40, 1)


def test_labels_that_nobody_reviewed_teach_nothing(made: Made) -> None:
    found = taught(made, made.is_odd)
    is_seen = np.zeros(found.run.closed_day.size, np.bool_)
    is_seen[found.reviewed] = True
    _, _, of_row = rows_by_account_day(made.table, made.run.day)
    other = taught(made, np.where(is_seen[of_row], made.is_odd, ~made.is_odd))
    assert same_until(BEGINS + DAYS, found, other)


def test_labels_dealt_at_random_leave_the_scores_as_they_were(made: Made) -> None:
    changed = 0
    for seed in range(10):
        dealt = np.random.default_rng(seed).permutation(made.is_odd)
        changed += not same_until(BEGINS + DAYS, taught(made, dealt), taught(made, dealt, 0))
    assert changed <= 1


def test_without_a_score_there_is_no_review_and_none_is_made_up(made: Made) -> None:
    is_known = made.run.day >= FIRST + 5
    of_days = made.run.closed_day >= FIRST + 5
    run = made.run._replace(
        score=np.where(is_known, made.run.score, np.nan),
        day_score=np.where(is_known, made.run.day_score, np.nan),
        closed_score=np.where(of_days, made.run.closed_score, np.nan),
    )
    found = taught(made._replace(run=run), made.is_odd)
    assert found.run.closed_day[found.reviewed].min() == FIRST + 5
    assert np.isneginf(found.run.score[~is_known]).all()
    assert np.isfinite(found.run.score[is_known]).all()


def test_the_figures_name_the_labels_and_weights(made: Made) -> None:
    found, truth, analysts = taught(made, made.is_odd), truth_of(made.is_odd), Analysts(A_DAY)
    untaught: dict[str, list[float | None]] = {"transactions": [0.1], "account_days": [None]}
    fields = teaching_fields(made.table, truth, [found], FIRST, analysts, untaught)
    assert fields["labels"] == [A_DAY * (DAYS - WARM_UP)]
    assert fields["confirmed"] == [found.confirmed]
    transactions = fields["transactions"]
    assert transactions["gain"] == pytest.approx(transactions["ap"][0] - 0.1, abs=1e-6)
    assert fields["account_days"]["gain"] is None
    assert list(transactions["weights"][0]) == ["score", *fields["terms"]]
    assert transactions["log_evidence"][0] > np.log(fields["evidence_needed"])
