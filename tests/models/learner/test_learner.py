"""All models of a partition: however the stream is cut; each account-day once; one open alert."""

import math
from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Bools, Floats
from models.detectors.detector import DETECTORS
from models.evidence.evidence import SCORE_MIN, T_AMOUNT_Z, T_DAY, T_SUM
from models.evidence.tail import WINDOW_DAYS_MAX, probability
from models.learner import pipeline as ensemble
from models.learner.columns import Columns, LearnerSettings, room_for
from models.learner.learner import Learner, prepare
from models.learner.pipeline import FREEZES_AT, QUIET_DAYS, WORSE
from models.profile.baseline import ALERT_DAYS, ALERT_FIELDS, SCORE_DAYS
from tests.support.laws import law
from tests.support.made_payments import (
    ACCOUNTS,
    DAY_FIRST,
    DAYS,
    SECONDS_A_DAY,
    SETTINGS,
    Payment,
    columns_of,
    copied,
    made_payments,
    small_learner,
)
from tests.support.seen import (
    Seen,
    Told,
    assert_learned_alike,
    assert_same,
    everything,
    observed,
    part,
    same,
)

STREAM = made_payments(5)
COUNT = len(STREAM.row)
ALERT_DAY, ALERT_FIRST, ALERT_REVISION, ALERT_COUNT = (
    Learner(SETTINGS).accounts.dtype.names.index(name)
    for name in ("alert_day", "alert_first", "alert_revision", "alert_days")
)
GENEROUS = SETTINGS._replace(alerts_per_day=12.0)


@cache
def whole(settings: LearnerSettings = SETTINGS) -> tuple[Learner, Seen]:
    """Return a learner of the whole stream, not to be taught more, and what it said."""
    learner = small_learner(settings)
    return learner, observed(learner, STREAM)


# -- cutting ---------------------------------------------------------------------------------------


@pytest.mark.no_cover
@law(12)
@given(st.lists(st.integers(1, COUNT - 1), max_size=60))
def test_the_stream_may_be_cut_anywhere(cuts: list[int]) -> None:
    learner, seen = whole()
    other = small_learner()
    assert_same(observed(other, STREAM, cuts), seen)
    assert_learned_alike(other, learner)


def test_the_stream_may_be_cut_at_every_payment() -> None:
    learner, seen = whole()
    assert len(seen.dues) > 20
    other = small_learner()
    assert_same(observed(other, STREAM, range(COUNT)), seen)
    assert_learned_alike(other, learner)


@pytest.mark.parametrize("name", ["gaussian", "one-class-svm", "loda"])
def test_a_detector_that_is_no_kernel_may_be_cut_too(name: str) -> None:
    chosen = SETTINGS._replace(detector=name)
    stream = part(STREAM, 0, COUNT - COUNT // 4)
    count = len(stream.row)
    learner, cut, single = (small_learner(chosen) for _ in range(3))
    seen = observed(learner, stream)
    assert np.isfinite(seen.scores).sum() > 1500
    assert seen.dues
    assert_same(observed(cut, stream, [1, 17, 500, 501, count - 3]), seen)
    assert_same(observed(single, stream, range(count)), seen)
    for other in (cut, single):
        assert_learned_alike(other, learner)
        assert other.detector.snapshot() == learner.detector.snapshot()
    scores = whole()[1].scores[:count]
    assert not same(scores, seen.scores)  # it has a say


class Spied:
    """A detector that notes what it is asked, and says of nothing that it is strange."""

    is_warm = True

    def __init__(self, inputs: tuple[str, ...]) -> None:
        self.inputs = inputs
        self.asked: list[tuple[str, tuple[float, ...]]] = []

    def score(self, x: Floats) -> Floats:
        self.asked += [("score", tuple(record)) for record in x.tolist()]
        return np.zeros(len(x))

    def score_learn(self, x: Floats, learn: Bools) -> Floats:
        self.asked += [("learn", tuple(record)) for record in x[learn].tolist()]
        return np.zeros(len(x))

    def snapshot(self, key: bytes | None = None) -> bytes:
        return key or b""


def test_another_detector_is_asked_of_each_payment_and_taught_it_then_or_never() -> None:
    learner = small_learner(SETTINGS._replace(detector="gaussian"))
    spied = learner.detector = Spied(learner.detector.inputs)
    stream = part(STREAM, 0, 600)
    taught = everything(learner, stream)["learned"].astype(bool)
    assert 0 < (~taught).sum() < 100
    place = 0
    for is_taught in taught:
        (what, inputs), place = spied.asked[place], place + 1
        assert what == "score"
        if is_taught:
            assert spied.asked[place] == ("learn", inputs)
            place += 1
    assert place == len(spied.asked)


def test_every_detector_can_take_the_first_forests_place() -> None:
    for name in DETECTORS:
        learner = Learner(SETTINGS._replace(detector=name))
        learner.add_account()
        outcome = learner.observe(columns_of([Payment(0, 0), Payment(0, 1)]))
        assert np.isnan(outcome.scores).all()


# -- what is told, and when ------------------------------------------------------------------------


@pytest.mark.parametrize("warm_up_days", [5, 12, 20])
def test_nothing_is_told_in_the_warm_up(warm_up_days: int) -> None:
    """Nor before there is a tail of account-days, which takes five days and 500 of them."""
    chosen = GENEROUS._replace(warm_up_days=warm_up_days)
    learner, seen = whole(chosen)
    first = np.flatnonzero(STREAM.day == DAY_FIRST + warm_up_days)[0]
    assert seen.dues
    assert min(due.record for due in seen.dues) >= first
    assert all(due.account[ALERT_DAY] >= DAY_FIRST + warm_up_days - 1 for due in seen.dues)
    assert all(0 < due.probability < 1 and 0 < due.threshold <= 1 for due in seen.dues)
    assert learner.is_warm
    assert not small_learner(chosen).is_warm


def test_where_accounts_become_few_what_is_known_of_account_days_lasts() -> None:
    """Within 14 days there are too few scores then: the tail keeps as many older days."""
    stream = made_payments(3, days=75)
    day = stream.day - DAY_FIRST
    kept = (day < 26) | (day >= 50) | (stream.row < 20)
    stream = Columns._make(column[kept] for column in stream)
    learner = small_learner(GENEROUS)
    seen = observed(learner, stream)
    days = Counter(due.account[ALERT_DAY] - DAY_FIRST for due in seen.dues)
    assert all(np.isfinite([due.probability, due.threshold]).all() for due in seen.dues)
    for first, end in ((20, 26), (38, 50), (60, 75)):
        assert any(first <= alert_day < end for alert_day in days)
    by_row: dict[int, bool] = {}
    for due in seen.dues:  # what has grown had been raised
        assert due.is_raised or due.row in by_row
        by_row[due.row] = True


def test_where_too_little_is_known_of_account_days_nothing_is_told() -> None:
    """The tail of account-days gets cold by a silence of a year, and warm again after it."""
    stream = made_payments(3, days=60)
    shift = np.where(stream.day - DAY_FIRST >= 26, WINDOW_DAYS_MAX, 0)
    stream = stream._replace(day=stream.day + shift, second=stream.second + shift * SECONDS_A_DAY)
    seen = observed(small_learner(GENEROUS), stream)
    days = Counter(due.account[ALERT_DAY] - DAY_FIRST for due in seen.dues)
    assert all(np.isfinite([due.probability, due.threshold]).all() for due in seen.dues)
    assert days[25] > 0
    begins = 26 + WINDOW_DAYS_MAX
    assert not [alert_day for alert_day in days if begins + 2 <= alert_day < begins + 7]
    assert any(alert_day > begins + 14 for alert_day in days)


def test_an_account_has_one_open_alert_which_grows_until_it_was_quiet_for_long() -> None:
    stream = made_payments(6, days=80)
    seen = observed(small_learner(), stream)
    by_row: dict[int, list[Told]] = {}
    for due in seen.dues:
        by_row.setdefault(due.row, []).append(due)
    again = Counter[str]()
    for told in by_row.values():
        assert_raised(told[0])
        for before, after in pairwise(told):
            quiet = after.of("alert_day") - before.of("alert_day")
            assert quiet >= 0
            if quiet > QUIET_DAYS:
                assert_raised(after)
                again["raised"] += 1
                continue
            again["day" if quiet else "grown"] += 1
            assert not after.is_raised
            assert after.of("alert_first") == before.of("alert_first")
            assert after.of("alert_revision") == before.of("alert_revision") + 1
            assert after.of("alert_days") >= before.of("alert_days") + (quiet > 0)
            assert after.before == before.of("alert_said")
            worst, *others = sorted(listed_of(after).items(), key=lambda day: -day[1])
            assert worst == (after.of("alert_day"), after.of("alert_said"))
            assert all(rarity < worst[1] for _, rarity in others)
            if not quiet:
                assert after.of("alert_said") >= WORSE * before.of("alert_said")
            assert {day: listed_of(after).get(day, 0) >= rarity
                    for day, rarity in listed_of(before).items()}  # fmt: skip
    assert min(again[what] for what in ("raised", "day", "grown")) > 2


def assert_raised(due: Told) -> None:
    assert due.is_raised
    assert due.of("alert_first") == due.of("alert_day")
    assert due.of("alert_revision") == due.of("alert_days") == 1
    assert listed_of(due) == {due.of("alert_day"): due.of("alert_said")}
    assert due.of("alert_said") == math.ceil(1 / due.probability)


def listed_of(due: Told) -> dict[int, int]:
    """Return how rare the listed days of an alert are."""
    numbers, rarities = due.of("alert_listed"), due.of("alert_listed_one_in")
    first = due.of("alert_first")
    return {
        first + int(number) - 1: int(rarity)
        for number, rarity in zip(numbers, rarities, strict=True)
        if number
    }


class Judged:
    """One account whose days are judged, and what a plain recount says of them."""

    def __init__(self) -> None:
        self.learner = small_learner(SETTINGS._replace(one_in_at_least=3))
        observed(self.learner, part(STREAM, 0, COUNT - COUNT // 4))
        assert self.learner.is_warm
        self.account = self.learner.accounts[0]
        self.account["alert_day"] = 0
        self.told = room_for(1, 1)
        self.learner.budget["allowance"] = 1e9

    def judge(self, day: int, score: float) -> int | None:
        """Judge a score of an account-day; return what is reported, one account-day in so many."""
        self.learner.budget["threshold"] = SCORE_MIN
        models, account = self.learner.models, self.account
        ensemble._judge(account, models.groups[0], models, None, day, score, 0, 0, self.told)
        count, self.told.counts[0] = self.told.counts[0], 0
        return int(account["alert_said"]) if count else None

    def one_in(self, score: float) -> int:
        return math.ceil(1 / probability(self.learner.tails.tail, T_DAY, score))


@law(150)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.lists(st.floats(-9, 12), min_size=1, max_size=4)),
        min_size=1, max_size=40,
    )
)  # fmt: skip
def test_of_any_days_the_worst_is_what_an_alert_says(days: list[tuple[int, list[float]]]) -> None:
    """A recount by plain lists: reported is what is worse, and all strange days are counted."""
    judged = judged_account()
    said: dict[int, int] = {}
    first = reported = latest_said = day = 0
    for gap, scores in days:
        day += gap + 1
        judged.account["day_state"] = 0
        for score in scores:
            rarity = judged.one_in(score)
            found = judged.judge(DAY_FIRST + 100 + day, score)
            if rarity < 3:
                assert found is None
                continue
            is_open = bool(said) and day - reported <= QUIET_DAYS
            if not is_open:
                said, first = {}, day
            news = rarity > max(said.values(), default=0)
            if is_open and reported == day and news:
                news = rarity >= WORSE * latest_said
            said[day] = max(said.get(day, 0), rarity)
            assert found == (rarity if news else None)
            if news:
                reported, latest_said = day, rarity
            assert judged.account["alert_first"] == DAY_FIRST + 100 + first
            assert judged.account["alert_days"] == len(said)
            assert judged.account["alert_one_in"] == max(said.values())
            listed = sorted(judged.account["alert_listed_one_in"].tolist())[-len(said) :]
            assert listed == sorted(said.values())[-ALERT_DAYS:]


@cache
def warm_account() -> Judged:
    return Judged()


def judged_account() -> Judged:
    """Return an account of which nothing was ever reported."""
    judged = warm_account()
    for field in ALERT_FIELDS:
        judged.account[field] = 0
    return judged


def test_a_strange_day_waits_for_an_allowance_and_is_counted_where_none_comes() -> None:
    learner = small_learner()
    observed(learner, STREAM)
    learner.budget["threshold"] = 1e9
    for day in (DAYS, DAYS + 1):  # so that all days before are closed
        learner.observe(columns_of([Payment(11, day)]))
    learner.accounts["alert_day"] = 0
    for field in ("alerts_per_day", "allowance", "held_back"):
        learner.budget[field] = 0.0
    learner.budget["threshold"] = learner.budget["floor"] = -1e9
    day = DAYS + 1
    strange = [Payment(9, day, 50_000, 1e6), Payment(10, day, 50_001, 1e6)]
    assert learner.observe(columns_of(strange)).dues == []
    learner.budget["allowance"] = 1.0
    (due,) = learner.observe(columns_of([Payment(9, day, 50_002, 1.0)])).dues
    assert (due.row, due.is_raised) == (9, True)
    assert learner.budget["allowance"][0] == 0
    assert learner.observe(columns_of([Payment(row, day + 1) for row in (12, 13)])).dues == []
    assert learner.budget["held_back"][0] == 2  # those of rows 10 and 11


def test_after_exactly_so_many_quiet_days_an_alert_still_grows() -> None:
    learner = small_learner()
    observed(learner, STREAM)
    learner.accounts["alert_day"] = 0
    told, first = [], DAY_FIRST + DAYS
    for day in range(DAYS, DAYS + 40):
        is_strange = day - DAYS in (0, QUIET_DAYS, 2 * QUIET_DAYS + 1)
        others = [Payment(row, day, 100 * row) for row in range(ACCOUNTS) if row != 9]
        learner.budget["threshold"] = 1e9
        learner.observe(columns_of(others))
        learner.budget["threshold"] = -1e9 if is_strange else 1e9
        dues = learner.observe(columns_of([Payment(9, day, 50_000)])).dues
        told += [(day - DAYS, due.is_raised, int(due.account["alert_first"])) for due in dues]
        learner.accounts["alert_one_in"][9] = 0  # so that the next one is worse
    assert told == [
        (0, True, first), (QUIET_DAYS, False, first),
        (2 * QUIET_DAYS + 1, True, first + 2 * QUIET_DAYS + 1),
    ]  # fmt: skip


def test_an_alert_is_due_above_the_threshold_and_says_so() -> None:
    _, seen = whole()
    for due in seen.dues:
        assert due.probability <= due.threshold
        live = due.features is not None
        assert live == (due.account[1] == STREAM.day[: due.record + 1].max())
    assert {due.features is None for due in seen.dues} == {True, False}


def test_the_rest_of_a_told_day_is_not_learned_where_the_evidence_is_great() -> None:
    learner = small_learner()
    observed(learner, made_payments(5, strange=0.0))
    learner.accounts["alert_day"][9] = 0
    learner.budget["allowance"] = 100
    for counts in learner.tails.days.values():
        counts[:] = (
            counts * 20
        )  # as with twenty times the accounts: of few, nothing is found so rare
    learner.tails._fit()
    day = DAYS + 1
    usual = [Payment(9, day, 100 * n, 30.0) for n in range(2)]
    strange = [Payment(9, day, 3000 + n, 1e7) for n in range(3)]
    learned_before = learner.accounts["count"][9]
    outcome = learner.observe(columns_of([*usual, *strange]))
    assert 2 in {due.record for due in outcome.dues if due.row == 9}
    assert outcome.day_scores[2] > FREEZES_AT
    assert learner.accounts["count"][9] == learned_before + 2
    days = learner.accounts["days_active"][9]
    learner.observe(columns_of([Payment(9, day + 1), Payment(9, day + 2)]))
    assert learner.accounts["days_active"][9] == days + 1  # that of the day after alone


# -- account-days ----------------------------------------------------------------------------------


def opened_in(stream: Columns) -> Counter[tuple[int, int]]:
    """Return the account-days of payments that are not late, by a plain count."""
    latest, found = 0, set()
    for row, day in zip(stream.row.tolist(), stream.day.tolist(), strict=True):
        latest = max(latest, day)
        if day == latest:
            found.add((row, day))
    return Counter(found)


def assert_each_is_closed_once(stream: Columns, cuts: tuple[int, ...] = ()) -> None:
    """Hold what was closed against a plain count, after two days more that close all."""
    last = int(stream.day.max()) - DAY_FIRST
    more = columns_of([Payment(0, last + 1), Payment(0, last + 2)])
    stream = Columns._make(map(np.concatenate, zip(stream, more, strict=True)))
    stream = stream._replace(is_learned=np.ones_like(stream.is_learned))
    learner = small_learner(SETTINGS._replace(warm_up_days=365))  # none is frozen, so all learned
    seen = observed(learner, stream, cuts)
    opened = opened_in(stream)
    still_open = {account_day for account_day in opened if account_day[1] == last + 2 + DAY_FIRST}
    closed = Counter((row, day) for row, day, _ in seen.closed)
    assert set(closed.values()) <= {1}
    assert not closed.keys() & still_open
    scored = {
        account_day for account_day in opened if account_day[1] > min(day for _, day in closed)
    } - still_open
    assert closed.keys() >= scored
    active = Counter(row for row, _ in opened.keys() - still_open)
    for row in range(ACCOUNTS):
        assert learner.accounts["days_active"][row] == active[row], row
    for day, counts in learner.tails.days.items():
        assert counts[T_SUM].sum() == sum(opened_day == day for _, opened_day in opened), day


def test_every_account_day_is_closed_exactly_once() -> None:
    assert_each_is_closed_once(STREAM)
    assert_each_is_closed_once(STREAM, tuple(range(0, COUNT, 7)))


def test_so_it_is_where_a_day_comes_before_the_one_before_is_swept() -> None:
    """Every third day has two payments alone: its sweep cannot be done when the next one comes."""
    day = STREAM.day - DAY_FIRST
    rank = np.array([np.sum(day[:place] == other) for place, other in enumerate(day)])
    kept = (day % 3 != 2) | (rank < 2)
    assert_each_is_closed_once(Columns._make(column[kept] for column in STREAM))


def test_so_it_is_where_accounts_come_again_before_the_sweep_reaches_them() -> None:
    """The payments of every day come in the reverse order of those of the day before."""
    payments = [
        Payment(row, day, 60 * place, 20.0 + (row * 7 + day * 3) % 11)
        for day in range(26)
        for place, row in enumerate(range(ACCOUNTS) if day % 2 else range(ACCOUNTS - 1, -1, -1))
    ]
    assert_each_is_closed_once(columns_of(payments))


def test_a_record_has_room_for_all_that_may_be_due_by_it() -> None:
    """Its account's day before, the day that it opens, and two days that the sweep closes."""
    learner = small_learner()
    observed(learner, STREAM)
    learner.budget["threshold"], learner.budget["alerts_per_day"] = 1e9, 0.0
    learner.observe(columns_of([Payment(row, DAYS, 60 * row) for row in range(ACCOUNTS)]))
    learner.observe(columns_of([Payment(0, DAYS + 1)]))  # the sweep has begun
    assert learner.sweep.rows.size == ACCOUNTS
    learner.budget["threshold"] = -1e9
    learner.budget["allowance"] = 1e9
    learner.accounts["alert_day"] = 0
    last = list(range(ACCOUNTS - 1, 40, -1))
    one_by_one = copied(learner)
    payments = [Payment(row, DAYS + 1, amount=1e6) for row in last]
    outcome = learner.observe(columns_of(payments))
    rows = Counter(due.row for due in outcome.dues)
    assert 3 * len(last) <= len(outcome.dues) <= 4 * len(last)
    assert max(rows.values()) == 2  # a day that is worse than the day before
    dues = [
        (due.row, due.probability)
        for payment in payments
        for due in one_by_one.observe(columns_of([payment])).dues
    ]
    assert dues == [(due.row, due.probability) for due in outcome.dues]


def test_every_score_is_counted_also_of_what_was_told() -> None:
    """A tail without its outliers drifts up, and raises ever more alerts."""
    learner, seen = whole()
    of_day = Counter(day for _, day, _ in seen.closed)
    told = Counter(due.account[ALERT_DAY] for due in seen.dues)
    days = sorted(learner.tails.days)
    for day in days:
        assert learner.tails.days[day][T_DAY].sum() == of_day[day] > told[day]
    assert sum(told[day] for day in days) > 10
    first = np.flatnonzero(STREAM.day == DAY_FIRST + 14)[0]  # until then no day has left
    learner = small_learner()
    observed(learner, part(STREAM, 0, first))
    kept = [learner.tails.tail.today, *learner.tails.days.values()]
    assert sum(int(counts[T_AMOUNT_Z].sum()) for counts in kept) == first


def test_a_finished_account_day_is_as_rare_as_its_score() -> None:
    learner, seen = whole()
    for day in range(learner.day - SCORE_DAYS, learner.day):
        of_day = sorted((score, row) for row, closed_day, score in seen.closed if closed_day == day)
        rows = np.array([row for _, row in of_day])
        rarities = learner.day_probabilities(rows, day)
        assert len(rows) > ACCOUNTS / 2
        assert ((rarities > 0) & (rarities <= 1)).all()
        assert (np.diff(rarities) <= 0).all()
    every = np.arange(ACCOUNTS)
    for unknown in (1, learner.day, learner.day - SCORE_DAYS - 9):
        assert np.isnan(learner.day_probabilities(every, unknown)).all()


def test_what_has_changed_is_named() -> None:
    """Else it would not be written: an account that is no more as it was is in `changed`."""
    learner, first = small_learner(GENEROUS), 0
    for end in range(11, COUNT, 11):
        before = learner.accounts.copy()
        seen = observed(learner, part(STREAM, first, end))
        changed = {row for row in range(ACCOUNTS) if before[row].tobytes()
                   != learner.accounts[row].tobytes()}  # fmt: skip
        assert changed <= seen.changed
        first = end
    assert learner.is_warm
    assert learner.peers.is_warm


def test_the_budget_may_change_at_any_time() -> None:
    learner = small_learner()
    observed(learner, STREAM)
    learner.set_budget(0.25, 1)
    assert learner.budget["alerts_per_day"].tolist() == [0.25]


def test_after_prepare_a_stream_finds_every_kernel_compiled() -> None:
    prepare()
    kernels = {
        name: kernel for name, kernel in vars(ensemble).items() if hasattr(kernel, "signatures")
    }
    prepared = {name: list(kernel.signatures) for name, kernel in kernels.items()}
    assert any(prepared.values())
    small_learner().observe(made_payments(4, days=3))
    assert {name: list(kernel.signatures) for name, kernel in kernels.items()} == prepared
