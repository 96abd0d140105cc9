"""The terms of account-days and their taught scores, as kernels and as they are kept.

A partition measures each account-day by the terms that weights are learned of
(models/teaching/weights.py), and counts them in standard deviations of its own warm-up's. Weights
come from outside, one set for a business day; they hold from the day's beginning to its end. A
taught score takes the value that as many of the latest account-days had before they were taught:
of each finished day a sample is kept for that, drawn by its own numbers.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evidence.tail import WINDOW_DAYS
from models.kernels import compiled
from models.learner.columns import DayWeights
from models.profile.baseline import AMOUNT_Z, COUNT_Z, HOUR, SUM_Z, VELOCITY
from models.profile.counterparty import PLACES, measure_amount, new_counterparties
from models.teaching.terms import TERM_MAX, TERMS
from models.teaching.weights import TaughtWeights, TermScale

SAMPLE_MAX: Final = 1024
"""Account-days of a finished day that are kept."""

LATEST_DAYS: Final = 2
"""The day before may still be closing when a day begins: its account-days do not count yet."""

PAGES: Final = 256
_PAGE_PLACES: Final = PLACES // PAGES

_TERMS: Final = len(TERMS)
_COLUMNS: Final = _TERMS + 1  # and the score
_DAYS: Final = 2
_FACTOR, _PRIME = 48_271, 2_147_483_647
"""Of Lehmer's generator: the sample follows from the order of closing alone."""

COUNT, MEAN, SQUARES = range(3)
"""Rows of the moments in `STATE`."""

SEEN, DRAWN = range(2)
"""Places of the counts in `STATE`: account-days of the day that is closing; the last draw."""


_KNOTS: Final = WINDOW_DAYS * SAMPLE_MAX

STATE: Final = np.dtype(
    [
        ("pages", "u1", (PAGES,)),  # which parts of the counterparties have changed
        ("sample", "f4", (SAMPLE_MAX, _COLUMNS)),  # of the day that is closing
        ("counts", "i8", (2,)),
        ("moments", "f8", (3, _COLUMNS)),
        ("scale", "f8", (2, _TERMS)),  # mean and spread
        ("is_scaled", "i8"),
        # By a day's number modulo two, as one may be open while the other closes:
        ("has_weights", "i8", (_DAYS,)),
        ("weights", "f8", (_DAYS, 1 + _TERMS)),  # of the score, and of terms
        ("knots", "i8", (_DAYS,)),
        ("taught", "f8", (_DAYS, _KNOTS)),  # the latest scores with the weights, ascending
        ("before", "f8", (_DAYS, _KNOTS)),  # as many without
    ]
)


class TaughtArrays(NamedTuple):
    """What kernels need: few arrays, because a kernel counts each that it is handed.

    Where nothing is taught, `terms` and `places` are empty.
    """

    terms: NDArray[np.float32]  # (accounts, terms): the greatest of the day so far
    places: Any  # of counterparties; the last one is that of all together
    state: Any  # one record of STATE


@compiled
def note_terms(
    taught: Any,
    row: int,
    features: Any,
    counterparty: int,
    amount: float,
    is_late: int,
    day_count: float,
) -> None:
    """Let an account-day know the terms of a transaction; a late one teaches its counterparty."""
    surprise = 0.0
    if counterparty != 0:
        place = counterparty % PLACES
        surprise = measure_amount(taught.places[place], taught.places[PLACES], amount)
        taught.state[0]["pages"][place // _PAGE_PLACES] = 1
    if is_late:
        return
    terms = taught.terms[row]
    if day_count == 1:
        terms[:] = -math.inf
    terms[0] = max(terms[0], np.float32(features[AMOUNT_Z]))
    terms[1] = max(terms[1], np.float32(surprise))
    terms[2] = max(terms[2], np.float32(math.log(amount + 1)))
    terms[3] = max(terms[3], np.float32(features[HOUR]))
    terms[4] = max(terms[4], np.float32(features[VELOCITY]))
    terms[5] = max(terms[5], np.float32(features[SUM_Z]))
    terms[6] = max(terms[6], np.float32(features[COUNT_Z]))
    terms[7] = max(terms[7], np.float32(math.log(day_count)))


@compiled
def taught_score(taught: Any, row: int, day: int, score: float) -> float:
    """Return the score of an account-day with what its day's weights add, on the scores' scale."""
    slot, state, terms = day % _DAYS, taught.state[0], taught.terms[row]
    if state["has_weights"][slot] == 0 or terms[0] == -math.inf:
        return score
    weights, scale = state["weights"][slot], state["scale"]
    value = score + weights[0] * score
    for term in range(_TERMS):
        scaled = (np.float64(terms[term]) - scale[0, term]) / scale[1, term]
        value += weights[1 + term] * min(max(scaled, -TERM_MAX), TERM_MAX)
    return placed(state["taught"][slot], state["before"][slot], state["knots"][slot], value)


@compiled
def placed(ours: Any, theirs: Any, count: int, value: float) -> float:
    """Return the value between `theirs` that has the place which `value` has between `ours`.

    Both are sorted; beyond their ends the distance to them stays (`weights.on_scale_of`).
    """
    if value >= ours[count - 1]:
        return float(theirs[count - 1] + (value - ours[count - 1]))
    if value < ours[0]:
        return float(theirs[0] + (value - ours[0]))
    low, high = 0, count - 1  # ours[low] <= value < ours[high]
    while high - low > 1:
        middle = (low + high) // 2
        if ours[middle] <= value:
            low = middle
        else:
            high = middle
    slope = (theirs[low + 1] - theirs[low]) / (ours[low + 1] - ours[low])
    return float(slope * (value - ours[low]) + theirs[low])


@compiled
def note_closed(taught: Any, row: int, score: float) -> None:
    """Count an account-day that ended with a score: for the scale, and for the day's sample."""
    if taught.terms[row, 0] == -math.inf:
        return  # it began before anything was measured
    state, terms = taught.state[0], taught.terms[row]
    if state["is_scaled"] == 0:
        moments = state["moments"]
        for column in range(_COLUMNS):
            value = np.float64(terms[column]) if column < _TERMS else score
            moments[COUNT, column] += 1
            off = value - moments[MEAN, column]
            moments[MEAN, column] += off / moments[COUNT, column]
            moments[SQUARES, column] += off * (value - moments[MEAN, column])
    counts, sample = state["counts"], state["sample"]
    place = counts[SEEN]
    counts[SEEN] += 1
    if place >= SAMPLE_MAX:
        counts[DRAWN] = counts[DRAWN] * _FACTOR % _PRIME
        place = counts[DRAWN] % counts[SEEN]
    if place < SAMPLE_MAX:
        for term in range(_TERMS):
            sample[place, term] = terms[term]
        sample[place, _TERMS] = score


class TaughtDays:
    """The taught side of a partition's account-days: off until `begin_day` is told otherwise."""

    def __init__(self) -> None:
        self.begun = 0  # how often it was switched
        self.is_on = False
        self.days: dict[int, NDArray[np.float32]] = {}
        self.weights: list[DayWeights | None] = [None] * _DAYS
        self.measured = 0  # days that ended while terms were measured
        self.arrays = _arrays(0)

    @property
    def is_scaled(self) -> bool:
        """Whether the warm-up of terms is over: before, nothing is taught."""
        return bool(self.arrays.state["is_scaled"][0])

    def make_room(self, accounts: int) -> None:
        """Have room for so many accounts, where anything is measured."""
        there = len(self.arrays.terms)
        if not self.is_on or there >= accounts:
            return
        terms = np.full((accounts, _TERMS), -np.inf, np.float32)
        terms[:there] = self.arrays.terms
        self.arrays = self.arrays._replace(terms=terms)

    def switch(self, accounts: int, *, is_on: bool) -> None:
        """Begin to measure so many accounts, or forget all that was."""
        self.begun += 1
        self.is_on = is_on
        self.days, self.weights, self.measured = {}, [None] * _DAYS, 0
        self.arrays = _arrays(accounts if is_on else 0)

    def kept(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what it goes on by, beside its finished days, its counterparties and its terms."""
        state = self.arrays.state
        weights = [None if each is None else list(each) for each in self.weights]
        meta = {"weights": weights, "measured": self.measured, "days": sorted(self.days)}
        whole = np.frombuffer(self.arrays.places[PLACES:].tobytes(), np.uint8)
        return meta, {name: state[name] for name in _KEPT} | {"whole": whole}

    def restore(
        self,
        meta: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        days: Mapping[int, NDArray[np.float32]],
        pages: Mapping[int, NDArray[Any]],
    ) -> None:
        """Put back what was kept, but for the terms of accounts, into one that is switched on.

        Raises ValueError or KeyError if it does not fit.
        """
        for name in _KEPT:
            mine = self.arrays.state[name]
            if mine.dtype != arrays[name].dtype or mine.shape != arrays[name].shape:
                raise ValueError(f"what is taught has {name} of another shape")
            mine[...] = arrays[name]
        self.arrays.places[PLACES:] = arrays["whole"].view(self.arrays.places.dtype)
        for page, places in pages.items():
            self.page(page)[:] = places.view(self.arrays.places.dtype)
        self.days = {day: days[day] for day in meta["days"]}
        if any(kept.ndim != _DAYS or kept.shape[1] != _COLUMNS for kept in self.days.values()):
            raise ValueError("the samples of account-days have other columns")
        self.measured = int(meta["measured"])
        self.weights = [
            None if each is None else DayWeights(int(each[0]), float(each[1]), tuple(each[2]))
            for each in meta["weights"]
        ]

    def page(self, number: int) -> Any:
        """Return a page of counterparties, to read and to write."""
        return self.arrays.places[number * _PAGE_PLACES : (number + 1) * _PAGE_PLACES]

    def take_pages(self) -> Iterator[tuple[int, bytes]]:
        """Yield the pages of counterparties that have changed since the last call, as bytes."""
        changed = self.arrays.state["pages"][0]
        for number in np.flatnonzero(changed).tolist():
            yield number, self.page(number).tobytes()
        changed[:] = 0

    def begin_day(self, day: int, weights: DayWeights | None, warm_up_days: int) -> None:
        """Begin a business day with its weights; those before it have been closed, but for one."""
        (state,) = self.arrays.state
        for old in [kept for kept in self.days if kept < _first_sample(day - 1)]:
            del self.days[old]
        moments = state["moments"]
        if not state["is_scaled"] and self.measured >= warm_up_days and moments[COUNT, 0]:
            spread = np.sqrt(moments[SQUARES] / moments[COUNT]) + 1e-6
            state["scale"][0], state["scale"][1] = moments[MEAN, :-1], spread[:-1]
            state["is_scaled"] = 1
        self.weights[day % _DAYS] = weights if state["is_scaled"] else None
        self.set_knots(day)

    def set_knots(self, day: int) -> None:
        """Put a day's weights before the kernels, and the latest account-days as they score them.

        A day before the two that may be open has none.
        """
        (state,), slot = self.arrays.state, day % _DAYS
        weights = self.weights[slot]
        first, last = _first_sample(day), day - LATEST_DAYS
        past = [self.days[each] for each in sorted(self.days) if first <= each <= last]
        state["has_weights"][slot] = weights is not None and any(len(each) for each in past)
        if weights is None or not state["has_weights"][slot]:
            return
        rows = np.concatenate(past).astype(np.float64)
        before, count = rows[:, -1], len(rows)
        taught = self._weighing(weights).taught(rows[:, :-1], before)
        state["weights"][slot] = [weights.score, *weights.terms]
        state["taught"][slot, :count], state["before"][slot, :count] = (
            np.sort(taught),
            np.sort(before),
        )
        state["knots"][slot] = count

    def finish_day(self, day: int) -> None:
        """Keep the sample of a day whose account-days have all been closed."""
        if not self.is_on:
            return
        (state,) = self.arrays.state
        count = min(int(state["counts"][SEEN]), SAMPLE_MAX)
        self.days[day] = state["sample"][:count].copy()
        state["counts"][:] = 0, day % _PRIME or 1
        self.measured += 1

    def terms_of(self, terms: Floats) -> Floats | None:
        """Return an account-day's terms on the partition's scale; None while there is no scale."""
        if not self.is_scaled or not np.isfinite(terms).all():
            return None
        none = np.zeros(1)
        scaled: Floats = self._scale().scaled(terms[None, :], none)[0, :-1]
        return scaled

    def of_day(self, day: int) -> DayWeights | None:
        """Return the weights that the scores of a day have: of the open one, or the one before."""
        slot = day % _DAYS
        return self.weights[slot] if self.arrays.state["has_weights"][0, slot] else None

    def _weighing(self, weights: DayWeights) -> TaughtWeights:
        return TaughtWeights(self._scale(), weights.score, np.array(weights.terms))

    def _scale(self) -> TermScale:
        """Return the partition's scale; the score stands as it is."""
        mean, spread = self.arrays.state["scale"][0]
        return TermScale(np.append(mean, 0.0), np.append(spread, 1.0))


_KEPT: Final = ("sample", "counts", "moments", "scale", "is_scaled")


def _first_sample(day: int) -> int:
    return day - LATEST_DAYS - WINDOW_DAYS + 1


def _arrays(accounts: int) -> TaughtArrays:
    """Return arrays with nothing in them; without accounts, nothing is taught."""
    places = np.concatenate(new_counterparties())
    state = np.zeros(1, STATE)
    state["counts"][0, DRAWN] = 1
    state["scale"][0, 1] = 1
    terms = np.full((accounts, _TERMS), -np.inf, np.float32)
    return TaughtArrays(terms, places if accounts else places[:0].copy(), state)
