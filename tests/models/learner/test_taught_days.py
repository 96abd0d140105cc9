"""Weights that analysts taught: exact in scores, and nothing where nothing was taught."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evidence.tail import WINDOW_DAYS
from models.kernels import plain
from models.learner.checkpoint import (
    accounts_bytes,
    accounts_header,
    accounts_of,
    core_bytes,
    levels_page_bytes,
    page_bytes,
    restore_core,
    restore_levels,
    restore_taught,
    rows_bytes,
    sample_bytes,
    taught_bytes,
    terms_bytes,
)
from models.learner.columns import Columns, DayWeights
from models.learner.learner import DayWants, Learner
from models.learner.taught_days import SAMPLE_MAX, TaughtDays, note_closed, placed, taught_score
from models.profile.counterparty_levels import PAGES
from models.snapshot import SnapshotError
from models.teaching.terms import TERMS
from models.teaching.weights import TaughtWeights, TermScale, on_scale_of
from tests.support.laws import law
from tests.support.made_payments import DAY_FIRST, DAYS, SETTINGS, made_payments, small_learner
from tests.support.seen import Seen, assert_same, observed, part

STREAM = made_payments(5)
COUNT = len(STREAM.row)
OF_COUNT = DayWeights(1, 0.5, tuple(1.5 * (name == "count") for name in TERMS))
OF_HOUR = DayWeights(2, -0.3, tuple(0.8 * (name == "hour") for name in TERMS))
CHANGES = DAY_FIRST + DAYS - 5


def midway(day: int) -> DayWants:
    """Teach the hour after the warm-up, and the count some days later."""
    return DayWants(is_on=True, weights=OF_HOUR if day < CHANGES else OF_COUNT)


def taught_learner() -> Learner:
    learner = small_learner(SETTINGS)
    learner.weights_of = midway
    return learner


def ordered() -> Columns:
    """Return the stream with each day's payments by account, and none late."""
    on_time = STREAM.day == np.maximum.accumulate(STREAM.day)
    kept = Columns._make(column[on_time] for column in STREAM)
    order = np.lexsort((kept.second, kept.row, kept.day))
    return Columns._make(column[order] for column in kept)


ORDERED = ordered()
END = len(ORDERED.row)


@cache
def seen_midway() -> Seen:
    return observed(taught_learner(), STREAM)


@cache
def seen_without() -> Seen:
    return observed(small_learner(SETTINGS), STREAM)


# -- what is in the scores, and when ---------------------------------------------------------------


def test_without_weights_all_is_as_if_nothing_was_measured() -> None:
    """Bit for bit: scores, alerts, and what is learned."""
    off, on = small_learner(SETTINGS), small_learner(SETTINGS)
    on.weights_of = lambda _: DayWants(is_on=True)
    without, measured = observed(off, STREAM), observed(on, STREAM)
    assert without.dues
    assert_same(measured, without)
    assert on.accounts.tobytes() == off.accounts.tobytes()
    assert on.budget.tobytes() == off.budget.tobytes()
    assert on.taught.is_scaled


def test_weights_say_what_is_told_and_not_what_a_transaction_scores_before() -> None:
    taught, without = seen_midway(), seen_without()
    told = {(due.record, due.row) for due in taught.dues}
    assert told != {(due.record, due.row) for due in without.dues}
    warm = STREAM.day < DAY_FIRST + SETTINGS.warm_up_days
    np.testing.assert_array_equal(taught.scores[warm], without.scores[warm])


def test_nothing_is_taught_before_the_warm_up_is_over() -> None:
    learner = taught_learner()
    end = int(np.searchsorted(STREAM.day, DAY_FIRST + SETTINGS.warm_up_days - 1))
    outcome = learner.observe(part(STREAM, 0, end))
    assert not learner.taught.is_scaled
    assert all(due.taught is None for due in outcome.dues)


@law(30)
@given(st.sets(st.integers(1, COUNT - 1), max_size=20))
def test_how_records_are_cut_into_runs_does_not_matter(cuts: set[int]) -> None:
    assert_same(observed(taught_learner(), STREAM, cuts), seen_midway())


def test_an_alert_has_the_weights_of_its_day_and_the_terms_on_the_scale() -> None:
    learner = taught_learner()
    dues = learner.observe(STREAM).dues
    taught = [(int(due.account["alert_day"]), due.taught) for due in dues if due.taught is not None]
    assert {of_due.weights for _, of_due in taught} >= {OF_HOUR, OF_COUNT}
    for day, of_due in taught:
        assert of_due.weights in {None, midway(day).weights}
        assert of_due.terms.shape == (len(TERMS),)
        assert np.abs(of_due.terms).max() <= 4


# -- the kernels say what weigh numpy's functions --------------------------------------------------

FLOATS = st.floats(-20, 20, width=32)


@law(200)
@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=30), FLOATS)
def test_a_score_is_placed_as_many_are(past: list[tuple[float, float]], value: float) -> None:
    ours, theirs = np.sort(np.array(past), axis=0).T
    expected = on_scale_of(np.array([value]), ours, theirs)[0]
    for kernel in (placed, plain(placed)):
        assert kernel(ours.copy(), theirs.copy(), len(past), value) == pytest.approx(expected)


def test_account_days_are_measured_as_the_evaluation_measures_them() -> None:
    """The scale is that of all account-days of the warm-up, and scores are as `taught` has them."""
    learner = taught_learner()
    learner.observe(STREAM)
    arrays, day = learner.taught.arrays, learner.day
    rows = np.flatnonzero(learner.accounts["day"][: learner.count] == day)
    weights = learner.taught.of_day(day)
    assert weights is not None
    mean, spread = arrays.state["scale"][0]
    scale = TermScale(np.append(mean, 0.0), np.append(spread, 1.0))
    weighing = TaughtWeights(scale, weights.score, np.array(weights.terms))
    past = np.concatenate(
        [learner.taught.days[of_day] for of_day in range(day - 1 - WINDOW_DAYS, day - 1)]
    ).astype(np.float64)
    before = learner.accounts["day_score"][rows].astype(np.float64)
    expected = on_scale_of(
        weighing.taught(arrays.terms[rows].astype(np.float64), before),
        weighing.taught(past[:, :-1], past[:, -1]),
        past[:, -1],
    )
    found = [
        taught_score(arrays, row, day, score)
        for row, score in zip(rows.tolist(), before.tolist(), strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_sample_is_fair_and_has_its_bound() -> None:
    taught = TaughtDays()
    taught.switch(1, is_on=True)
    closed = 20 * SAMPLE_MAX
    for number in range(closed):
        taught.arrays.terms[0] = number
        note_closed(taught.arrays, 0, float(number))
    taught.finish_day(7)
    kept = taught.days[7]
    assert len(kept) == SAMPLE_MAX
    assert (kept[:, 0] == kept[:, -1]).all()
    assert abs(kept[:, -1].mean() / closed - 0.5) < 0.05
    assert len(np.unique(kept[:, -1])) == SAMPLE_MAX


# -- what is kept ----------------------------------------------------------------------------------


def restored(learner: Learner) -> Learner:
    """Return a fresh learner with all that one keeps, its accounts in the same rows."""
    back, taught = Learner(learner.settings), learner.taught
    days = {day: learner.tails.snapshot_day(day) for day in learner.tails.days}
    restore_core(back, core_bytes(learner, {}), days)
    restore_levels(
        back, {number: levels_page_bytes(learner.levels, number) for number in range(PAGES)}
    )
    samples = {day: sample_bytes(taught, day) for day in taught.days}
    pages = {number: page_bytes(page) for number, page in taught.take_pages()}
    restore_taught(back, taught_bytes(taught), samples, pages)
    rows = np.arange(learner.count)
    header = accounts_header([f"A{row}" for row in rows], has_terms=True)
    terms = terms_bytes(learner, rows)
    kept = accounts_of(accounts_bytes(rows_bytes(learner, rows), header, None, terms))
    back.add_accounts(kept.accounts)
    back.make_room()
    back.taught.arrays.terms[: len(rows)] = kept.terms
    day = back.accounts["day"][: back.count]
    open_days, swept = day == back.day, (day != 0) & (day < back.day)
    back.reopen(np.flatnonzero(open_days).tolist(), np.flatnonzero(swept).tolist())
    return back


@law(15)
@given(st.integers(END // 2, END - 200))
def test_what_is_kept_goes_on_alike_wherever_it_is_cut(cut: int) -> None:
    learner = taught_learner()
    observed(learner, part(ORDERED, 0, cut))
    back = restored(learner)
    back.weights_of = midway
    rest = part(ORDERED, cut, END)
    assert_same(observed(back, rest), observed(learner, rest))


def test_a_restored_learner_asks_nobody_for_the_weights_of_open_days() -> None:
    """Of a day that has begun, the state knows them; what comes later changes nothing of it."""
    learner = taught_learner()
    observed(learner, part(ORDERED, 0, END - 100))
    back = restored(learner)
    back.weights_of = lambda _: DayWants(is_on=False)
    assert back.taught.of_day(back.day) == learner.taught.of_day(learner.day) == OF_COUNT


@pytest.mark.parametrize("fault", ["sample", "page", "taught"])
def test_what_does_not_fit_is_refused_and_nothing_is_taught(fault: str) -> None:
    learner = taught_learner()
    observed(learner, part(ORDERED, 0, END - 100))
    taught = learner.taught
    samples = {day: sample_bytes(taught, day) for day in taught.days}
    pages = {number: page_bytes(page) for number, page in taught.take_pages()}
    data = taught_bytes(taught)
    if fault == "sample":
        samples.popitem()
    elif fault == "page":
        pages[0] = page_bytes(b"too short")
    else:
        data = data[:-1]
    back = Learner(learner.settings)
    with pytest.raises(SnapshotError):
        restore_taught(back, data, samples, pages)
    assert not back.taught.is_on
