"""The quality of scores with known truth: over all of them, and among the best of each day.

Equal scores are one threshold: what a score cannot tell apart is never put into a lucky order.
Everywhere a greater score is stranger; -inf is a score like others, NaN is none and refused.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Bools, Floats, Ints

REPLICATES: Final = 300
PERCENTILES: Final = (2.5, 97.5)
THRESHOLDS_AT_ONCE: Final = 4096


class PrecisionRecall(NamedTuple):
    """Precision and recall at each threshold, the greatest first."""

    precision: Floats
    recall: Floats


class BestOfDays(NamedTuple):
    """What the best scores of each day are worth, over all days.

    `precision` is the share of them that are positive, `recall` the share of all positives that
    are among them.
    """

    precision: float
    recall: float


class _Groups(NamedTuple):
    """Equal scores, the greatest first: how many so far, and how many of them are positive."""

    taken: Ints
    found: Ints


def _groups(positive: Bools, score: Floats) -> _Groups:
    if np.isnan(score).any():
        raise ValueError("a score is NaN: what has no score is not to be judged")
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    found = np.cumsum(positive[order])
    return _Groups(ends + 1, found[ends])


def average_precision(positive: Bools, score: Floats) -> float:
    """Return the mean precision over the positives; NaN where there are none."""
    if not positive.any():
        return float("nan")
    taken, found = _groups(positive, score)
    gained = np.diff(found, prepend=0)
    return float((gained * found / taken).sum() / found[-1])


def roc_area(positive: Bools, score: Floats) -> float:
    """Return how probably a positive scores above a negative, equal ones counting half.

    NaN where there are no positives, or nothing else.
    """
    positives = int(positive.sum())
    negatives = positive.size - positives
    if not positives or not negatives:
        return float("nan")
    taken, found = _groups(positive, score)
    gained = np.diff(found, prepend=0)
    above = taken - found  # negatives with as great a score
    equal = np.diff(above, prepend=0)
    won = (gained * (negatives - above + equal / 2)).sum()
    return float(won / (positives * negatives))


def precision_recall(positive: Bools, score: Floats) -> PrecisionRecall:
    """Return precision and recall at each threshold. Raises ValueError if none is positive."""
    if not positive.any():
        raise ValueError("nothing is positive: there is no recall")
    taken, found = _groups(positive, score)
    return PrecisionRecall(found / taken, found / found[-1])


def best_of_days(
    day: Ints, positive: Bools, score: Floats, count: int, seed: int = 0
) -> BestOfDays:
    """Return precision and recall of the `count` best scores of each day.

    Among equal scores a seeded draw decides. Days that have fewer give all that they have.
    """
    if not day.size:
        return BestOfDays(float("nan"), float("nan"))
    draw = np.random.default_rng(seed).random(score.size)
    order = np.lexsort((draw, -score, day))
    ordered = day[order]
    first = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1))
    length = np.diff(np.append(first, ordered.size))
    rank = np.arange(ordered.size) - np.repeat(first, length)
    best = positive[order[rank < count]]
    positives = int(positive.sum())
    recall = int(best.sum()) / positives if positives else float("nan")
    return BestOfDays(float(best.mean()), recall)


class DayBlocks:
    """Average precision of the same scores with other weights on the days: sorted once.

    Only the scores of positives matter as thresholds. For each of them it is counted once how many
    of each day are as great; weights on days then make one matrix product of it.
    """

    def __init__(self, day: Ints, positive: Bools, score: Floats) -> None:
        self._thresholds = np.unique(score[positive])[::-1]
        blocks = list(_by_day(day, positive, score))
        shape = (self._thresholds.size, len(blocks))
        self._taken = np.empty(shape, np.int32)
        self._found = np.empty(shape, np.int32)
        for place, (all_scores, of_positives) in enumerate(blocks):
            self._taken[:, place] = self._as_great(all_scores)
            self._found[:, place] = self._as_great(of_positives)

    def _as_great(self, scores: Floats) -> Ints:
        return scores.size - np.searchsorted(np.sort(scores), self._thresholds, "left")

    def average_precision(self, weights: Floats) -> Floats:
        """Return one for each column of `weights` (days in order, replicates).

        NaN where all positives have the weight 0.
        """
        total = np.zeros(weights.shape[1])
        before = np.zeros((1, weights.shape[1]))
        for start in range(0, self._thresholds.size, THRESHOLDS_AT_ONCE):
            rows = slice(start, start + THRESHOLDS_AT_ONCE)
            found = self._found[rows].astype(np.float64) @ weights
            taken = self._taken[rows].astype(np.float64) @ weights
            gained = np.diff(found, axis=0, prepend=before)
            precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
            total += (gained * precision).sum(axis=0)
            before = found[-1:]
        result: Floats = np.full_like(total, np.nan)
        np.divide(total, before[0], out=result, where=before[0] > 0)
        return result


def _by_day(day: Ints, positive: Bools, score: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield the scores of each day, in the order of days: all, and those of positives."""
    order = np.argsort(day, kind="stable")
    ordered = day[order]
    for places in np.split(order, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1):
        yield score[places], score[places[positive[places]]]


def gain_interval(
    day: Ints, positive: Bools, scores: Sequence[Floats], rule: Floats,
    replicates: int = REPLICATES, seed: int = 0,
) -> tuple[float, float]:  # fmt: skip
    """Return the 95 % interval of the gain over a rule: mean average precision less the rule's.

    Whole days are drawn with replacement, the same for all of `scores` (one for each seed) and the
    rule, because rows of one day are not independent. Draws without a positive are left out; NaN
    where that is all.
    """
    days = np.unique(day).size
    weights = (
        np.random.default_rng(seed)
        .multinomial(days, np.full(days, 1 / days), replicates)
        .T.astype(np.float64)
    )
    made = [DayBlocks(day, positive, score).average_precision(weights) for score in scores]
    gains = np.mean(made, axis=0) - DayBlocks(day, positive, rule).average_precision(weights)
    gains = gains[~np.isnan(gains)]
    if not gains.size:
        return float("nan"), float("nan")
    low, high = np.percentile(gains, PERCENTILES)
    return float(low), float(high)


WINDOW_DAYS: Final = 30
PSEUDO_AMOUNT: Final = 50.0
"""Of one payment that every account is taken to have made, in major units."""


def ratio_rule(account: Ints, time: Ints, amount: Floats, window: int, pseudo: float) -> Floats:
    """Return each amount over its account's mean of the window before it.

    Rows stand in the order of time; a row's past is the rows of its account above it that are less
    than `window` older (in the unit of `time`), and one payment of `pseudo` (in that of `amount`).
    Sums are exact as long as the amounts are whole and add up to less than 2**53.
    """
    count = account.size
    order = np.argsort(account, kind="stable")
    # A place in the table is as good as a time: with the account it makes one ascending key.
    keys = account[order] * count + order
    oldest: NDArray[np.int64] = np.searchsorted(time, time - window, "right")
    first = np.searchsorted(keys, account[order] * count + oldest[order])
    place = np.arange(count)
    sums = np.concatenate(([0.0], np.cumsum(amount[order])))
    mean = (sums[place] - sums[first] + pseudo) / (place - first + 1)
    ratios = np.empty(count)
    ratios[order] = amount[order] / mean
    return ratios
