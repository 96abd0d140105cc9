"""All models of one partition as one object: takes transactions, ends days, keeps and restores.

What it says of a transaction depends on the records before it alone, however they are cut into
runs. It has no clock: a business day ends when the first transaction of a later one comes.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Bools, Ints, longer
from models.detectors.detector import Detector, detector
from models.detectors.half_space_trees import HalfSpaceTrees
from models.evidence.budget import THRESHOLD_MIN, allowance_max, day_ends, new_budget
from models.evidence.evidence import (
    DAY_INPUTS,
    HAS_AMOUNT_TERM,
    INPUTS,
    SCALES,
    T_DAY,
    USES_FOREST,
    Models,
    put_inputs,
)
from models.evidence.tail import IS_WARM, Tails, probability
from models.kernels import CACHE_FOLDER
from models.learner.columns import (
    DUES_MAX,
    Closed,
    Columns,
    DayWeights,
    Due,
    DueTaught,
    LearnerSettings,
    Outcome,
    ScoredRecords,
    room_for,
)
from models.learner.pipeline import Sweep, close_some, observe
from models.learner.taught_days import TaughtArrays, TaughtDays
from models.peers.groups import PeerGroups, peer_name, regroup
from models.profile import baseline
from models.profile.counterparty_levels import CounterpartyLevels

SEGMENTS_MAX: Final = 64
"""Segments that have baselines of their own; all further ones share the last."""

PEER_GROUPS_MAX: Final = 32
ROWS_FIRST: Final = 1024
_COMPLETE: Final = CACHE_FOLDER / "complete"
TREES, DAY_TREES = 25, 50


class DayWants(NamedTuple):
    """What a business day wants: whether terms are measured, and the weights of its scores."""

    is_on: bool
    weights: DayWeights | None = None


WeightsOf = Callable[[int], DayWants]


def _not_taught(day: int) -> DayWants:
    del day
    return DayWants(is_on=False)


class Learner:
    """The models of one partition, and its accounts by row."""

    def __init__(self, settings: LearnerSettings) -> None:
        self.settings = settings
        self.accounts = baseline.new_accounts(ROWS_FIRST)
        self.count = 0
        self.day = 0
        self.tails = Tails(SCALES)
        self.detector: Detector = detector(settings.detector, INPUTS, settings.seed)
        self.day_forest = HalfSpaceTrees(DAY_INPUTS, settings.seed, n_trees=DAY_TREES)
        self.groups = baseline.new_groups(SEGMENTS_MAX + PEER_GROUPS_MAX)
        self.budget = new_budget(settings.alerts_per_day, settings.one_in_at_least)
        self.peers = PeerGroups(settings.seed)
        self.levels = CounterpartyLevels()
        self.sweep = _nothing_to_sweep()
        self._opened: list[Ints] = []
        self._changed: list[Ints] = []
        self._closed: list[Closed] = []
        self.taught = TaughtDays()
        self.weights_of: WeightsOf = _not_taught
        self.models = self.arrays()

    def arrays(self) -> Models:
        """Return the arrays of all models, as they stand."""
        is_kernel = isinstance(self.detector, HalfSpaceTrees)
        trees = self.detector if isinstance(self.detector, HalfSpaceTrees) else self.day_forest
        switches = np.zeros(2, np.int64)
        switches[USES_FOREST] = is_kernel
        switches[HAS_AMOUNT_TERM] = self.settings.has_amount_term
        return Models(
            self.groups,
            trees.forest,  # not asked, where the detector is no kernel
            self.day_forest.forest,
            self.tails.tail,
            self.budget,
            self.levels.places,
            self.levels.whole,
            self.levels.changed,
            switches,
        )

    @property
    def is_warm(self) -> bool:
        """Whether the warm-up is over: before, nothing is told."""
        return bool(self.budget["is_told"][0])

    @property
    def held_back(self) -> int:
        """How many strange account-days ended unreported, for want of an allowance."""
        return int(self.budget["held_back"][0])

    def set_budget(self, alerts_per_day: float, one_in_at_least: int) -> None:
        """Set the partition's share of the reports of a day, and how rare a day must be."""
        self.budget["alerts_per_day"] = alerts_per_day
        if self.budget["one_in_at_least"][0] != one_in_at_least:
            self.budget["one_in_at_least"] = one_in_at_least
            self._set_floor()

    def _set_floor(self) -> None:
        """Let the threshold go no lower than where account-days are rare enough to be reported."""
        budget = self.budget[0]
        floor = self.tails.score_above(T_DAY, 1 / budget["one_in_at_least"])
        budget["floor"] = THRESHOLD_MIN if floor is None else floor
        budget["threshold"] = max(budget["threshold"], budget["floor"])

    def add_account(self) -> int:
        """Return the row of an account that is new."""
        if self.count == self.accounts.size:
            self.accounts = longer(self.accounts, 0)
        self.count += 1
        return self.count - 1

    def add_accounts(self, accounts: NDArray[Any]) -> int:
        """Put accounts as they were kept into rows of their own; return the first of these."""
        first, self.count = self.count, self.count + accounts.size
        if self.count > self.accounts.size:
            self.accounts = longer(self.accounts, self.count)
        # As plain bytes: numpy would copy field by field.
        without_fields = f"V{accounts.itemsize}"
        self.accounts.view(without_fields)[first : self.count] = accounts.view(without_fields)
        return first

    def make_room(self) -> None:
        """Have room for the terms of all accounts, where they are measured."""
        self.taught.make_room(self.accounts.size)

    def observe(self, columns: Columns) -> Outcome:
        """Take transactions, in order."""
        count = columns.row.size
        told = room_for(count, DUES_MAX * count)
        dues: list[Due] = []
        self._changed = []
        self._closed = []
        hot = [np.empty(0, np.int64)]
        place = 0
        self.make_room()
        while place < count:
            if columns.day[place] > self.day:
                self._begin_day(int(columns.day[place]), place, dues)
            swept = int(self.sweep.at[0])
            place = self._observe(columns, place, told)
            self._changed.append(self.sweep.rows[swept : self.sweep.at[0]])
            self._opened.append(told.opened[: told.counts[1]].copy())
            hot.append(told.hot[: told.counts[3]].copy())
            dues.extend(self._take(told))
            if self.sweep.rows.size and self.sweep.at[0] >= self.sweep.rows.size:
                self._finish_day()
        return Outcome(
            told.scores, told.day_scores, dues, self._closed, np.concatenate(self._changed),
            np.concatenate(hot), told.features,
        )  # fmt: skip

    def _observe(self, columns: Columns, place: int, told: ScoredRecords) -> int:
        if self.models.switches[USES_FOREST]:
            return observe(
                self.accounts,
                self.models,
                self._arrays_taught(),
                columns,
                place,
                self.day,
                self.sweep,
                told,
            )
        # A detector of River's own is asked a record at a time, so that cutting changes nothing.
        until = Columns._make(column[: place + 1] for column in columns)
        account, inputs = self.accounts[columns.row[place]], np.empty((1, len(INPUTS)))
        first = columns.group[place] if account["second_last"] == 0 else None
        group = self.groups[account["group"] if first is None else first]
        segment = self.groups[account["segment"] if first is None else first]
        amount = float(columns.amount[place])
        put_inputs(baseline.ratio_of(account, group, amount), amount, segment, inputs[0])
        told.given[place] = self.detector.score(inputs)[0]
        observe(
            self.accounts,
            self.models,
            self._arrays_taught(),
            until,
            place,
            self.day,
            self.sweep,
            told,
        )
        if told.learned[place]:
            self.detector.score_learn(inputs, np.ones(1, np.bool_))
        return place + 1

    def _by_kernels(self, columns: Columns, place: int, told: ScoredRecords) -> int:
        taught = self._arrays_taught()
        return observe(
            self.accounts, self.models, taught, columns, place, self.day, self.sweep, told
        )

    def _arrays_taught(self) -> TaughtArrays | None:
        return self.taught.arrays if self.taught.is_on else None

    def day_probabilities(self, rows: Ints, day: int) -> NDArray[np.float32]:
        """Return how rare the scores of finished account-days are; NaN where that is not known."""
        place = day % baseline.SCORE_DAYS
        is_known = self.accounts["score_days"][rows, place] == day
        return np.where(is_known, self.accounts["scores"][rows, place], np.nan)

    def day_usual(self, rows: Ints, day: int) -> tuple[Bools, Bools]:
        """Return of which account-days the usual is known, and which of them are far above it.

        The day may be open still, or have finished within the last `profile.SCORE_DAYS` days.
        """
        accounts, place = self.accounts, day % baseline.SCORE_DAYS
        is_open = accounts["day"][rows] == day
        is_known = np.where(
            is_open,
            accounts["days_active"][rows] >= baseline.USUAL_DAYS,
            accounts["usual_days"][rows, place] == day,
        )
        is_hot = np.where(
            is_open,
            accounts["day_sum_z"][rows] > baseline.HOT_Z,
            accounts["is_hot"][rows, place] != 0,
        )
        return is_known, is_known & is_hot

    def peer_name(self, peer: int) -> str | None:
        """Return the short name of the peer group that an account has as `peer`; None for none."""
        return None if peer == 0 else peer_name(self.peers, peer - 1)

    def reopen(self, opened: Sequence[int], swept: Sequence[int]) -> None:
        """Go on with days that were open, and with a day before that was being closed."""
        self._opened = [np.array(opened, np.int64)]
        if swept:
            rows = np.array(swept, np.int64)
            day = int(self.accounts["day"][rows].max())
            if day not in self.tails.days:  # else they are left over from a crash between writes
                self.sweep = Sweep(rows, np.zeros(1, np.int64), day)

    # -- days -------------------------------------------------------------------------------------

    def _begin_day(self, day: int, record: int, dues: list[Due]) -> None:
        """End the day that was open: its account-days are closed little by little from here on."""
        self._close_rest(record, dues)
        if self.day:
            opened = np.concatenate([np.empty(0, np.int64), *self._opened])
            self.sweep = Sweep(opened, np.zeros(1, np.int64), self.day)
            day_ends(self.budget[0])
            if not self.is_warm:
                self._warm_up()
            if day > self.day + 1:  # after a silence at once: their scores are soon asked for
                self._close_rest(record, dues)
        self._opened = []
        self.day = day
        self._begin_taught(day)

    def _begin_taught(self, day: int) -> None:
        """Let the weights of a day that begins be in its scores, if any are to be."""
        wanted = self.weights_of(day)
        if wanted.is_on != self.taught.is_on:
            self.taught.switch(self.accounts.size, is_on=wanted.is_on)
        if wanted.is_on:
            self.taught.begin_day(day, wanted.weights, self.settings.warm_up_days)

    def _close_rest(self, record: int, dues: list[Due]) -> None:
        if self.sweep.rows.size:
            swept = int(self.sweep.at[0])
            told = room_for(0, self.sweep.rows.size)
            close_some(
                self.accounts,
                self.models,
                self._arrays_taught(),
                self.sweep,
                self.sweep.rows.size,
                record,
                told,
            )
            self._changed.append(self.sweep.rows[swept:])
            dues.extend(self._take(told))
            self._finish_day()

    def _warm_up(self) -> None:
        """Begin the threshold where the budget's share of account-days was above it."""
        budget = self.budget[0]
        share = budget["alerts_per_day"] / max(budget["expected"], 1)
        threshold = self.tails.score_above(T_DAY, min(share, 1.0))
        if threshold is None:
            return
        budget["threshold"] = max(threshold, budget["floor"])
        if budget["days"] >= self.settings.warm_up_days:
            budget["is_told"] = 1
            budget["allowance"] = allowance_max(budget["alerts_per_day"])
            self._changed.append(np.flatnonzero(self.accounts["alert_day"]))
            for field in baseline.ALERT_FIELDS:
                self.accounts[field] = 0

    def _finish_day(self) -> None:
        self.tails.finish_day(self.sweep.day)
        self.taught.finish_day(self.sweep.day)
        self._set_floor()
        if not self.tails.tail.fit[T_DAY, IS_WARM]:
            self.budget["is_told"] = 0  # nobody can say how rare anything is: it warms up anew
        # Not the sweep's rows: what comes back from a snapshot has only those that were open.
        rows = np.flatnonzero(self.accounts["day_last"][: self.count] == self.sweep.day)
        regroup(self.peers, self.accounts, rows, self.groups, SEGMENTS_MAX)
        if self.peers.is_warm:
            self._changed.append(rows)
        self.sweep = _nothing_to_sweep()

    def _take(self, told: ScoredRecords) -> list[Due]:
        """Return what is due, note what was closed, and make room for more."""
        dues = list(self._dues(told))
        closed = int(told.counts[2])
        if closed:
            columns = (told.closed_row, told.closed_day, told.closed_score)
            self._closed.append(Closed._make(column[:closed].copy() for column in columns))
        told.counts[:] = 0
        return dues

    def _dues(self, told: ScoredRecords) -> Iterator[Due]:
        tail = self.tails.tail
        for place in range(int(told.counts[0])):
            record = int(told.due_record[place])
            is_live = told.due_account[place]["day"] == self.day and record < len(told.scores)
            yield Due(
                record,
                int(told.due_row[place]),
                int(told.due_before[place]) or None,
                probability(tail, T_DAY, told.due_score[place]),
                probability(tail, T_DAY, told.due_threshold[place]),
                told.features[record].copy() if is_live else None,
                told.due_account[place].copy(),
                told.due_group[place].copy(),
                self._due_taught(told, place),
            )

    def _due_taught(self, told: ScoredRecords, place: int) -> DueTaught | None:
        if not self.taught.is_on:
            return None
        before, *found = told.due_taught[place].tolist()
        terms = self.taught.terms_of(np.array(found))
        if terms is None:
            return None
        day = int(told.due_account[place]["alert_day"])
        p = probability(self.tails.tail, T_DAY, before)
        return DueTaught(terms, before, math.ceil(1 / p), self.taught.of_day(day))


def _nothing_to_sweep() -> Sweep:
    return Sweep(np.empty(0, np.int64), np.zeros(1, np.int64), 0)


def is_prepared() -> bool:
    """Return whether `prepare` has kept all machine code on this disk before, of these sources."""
    return _COMPLETE.exists()


def prepare(*, is_taught: bool = False) -> None:
    """Load and compile all kernels now: once on a machine that takes some 20 s, then a second.

    Those of scores that analysts teach are others, and are needed by policies that want them.
    """
    _prepare(is_taught=False)
    if is_taught:
        _prepare(is_taught=True)


def _prepare(*, is_taught: bool) -> None:
    learner = Learner(LearnerSettings(alerts_per_day=1))
    learner.weights_of = lambda _: DayWants(is_taught)
    learner.add_account()
    ones = np.ones(1, np.int64)
    for day in (1, 2):
        zero = ones - 1
        learner.observe(
            Columns(
                zero,
                ones * day,
                ones * day,
                zero,
                zero,
                np.ones(1),
                zero,
                zero,
                zero,
                zero,
                ones,
                zero,
            )
        )
    with contextlib.suppress(OSError):  # nowhere to keep it, as `compiled` has it: made anew then
        CACHE_FOLDER.mkdir(parents=True, exist_ok=True)
        _COMPLETE.touch()
