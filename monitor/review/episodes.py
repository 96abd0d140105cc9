"""Days of an account that make a review: enough in the window, until it is quiet again.

A breach day counts two, a near day one: `days` breach days are as much as twice so many near days.
A review begins with the first day of the first window that has enough, takes in every further such
day, and is over after a whole window without any. It depends on which days there are alone, never
on the order in which they came to be known, nor on what incidents explain: so a review keeps its
first day, by which it is known. Days that incidents explain do not count for whether it stands.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from monitor.core.review import FoldedDays, Mark, NotedDay
from monitor.policy.reviews import ReviewRule

BREACH_WEIGHT: Final = 2
NEAR_WEIGHT: Final = 1
"""A near day breaks no rule, so it counts half: structuring shows by being done again and again."""


class CountedDay(NamedTuple):
    """A noted day that counts, and the limit that it is the farthest over, or the nearest to."""

    noted: NotedDay
    mark: Mark

    @property
    def day(self) -> int:
        """The business day."""
        return self.noted.day

    @property
    def weight(self) -> int:
        """What it counts, in half days."""
        return NEAR_WEIGHT if self.mark.is_near else BREACH_WEIGHT


class ReviewDay(NamedTuple):
    """A noted day as a review sees it: whole by its `mark`, and what incidents leave of it.

    `counted` is None if incidents explain every limit that the day is over, and it is near none;
    `left_out` has a bit for each mark that they explain, and `incident_ids` are theirs.
    """

    noted: NotedDay
    mark: Mark
    counted: CountedDay | None
    left_out: int
    incident_ids: tuple[str, ...]

    @property
    def day(self) -> int:
        """The business day."""
        return self.noted.day

    @property
    def weight(self) -> int:
        """What the whole day counts, in half days."""
        return NEAR_WEIGHT if self.mark.is_near else BREACH_WEIGHT

    @property
    def weight_left(self) -> int:
        """What it counts without what incidents explain, in half days."""
        return 0 if self.counted is None else self.counted.weight


class Episode(NamedTuple):
    """The days of one review, in order; `folded` are those before them that are kept no more."""

    days: tuple[ReviewDay, ...]
    folded: FoldedDays | None = None

    @property
    def first(self) -> int:
        """Its first business day, by which the review is known."""
        return self.folded.first if self.folded is not None else self.days[0].day

    @property
    def breach_days(self) -> int:
        """How many breach days it has that no incident explains."""
        own = sum(review_day.weight_left == BREACH_WEIGHT for review_day in self.days)
        return own + (self.folded.breach_days if self.folded is not None else 0)

    @property
    def near_days(self) -> int:
        """How many near days it has."""
        own = sum(review_day.weight_left == NEAR_WEIGHT for review_day in self.days)
        return own + (self.folded.near_days if self.folded is not None else 0)

    @property
    def value(self) -> int:
        """Its days as they are counted: breach days, and a day for every two near ones."""
        return self.breach_days + self.near_days // BREACH_WEIGHT

    def value_greatest(self, rule: ReviewRule) -> int:
        """Return the most days that any window of a rule has: the review stands if they suffice."""
        weights = [
            (review_day.day, review_day.weight_left)
            for review_day in self.days
            if review_day.counted is not None
        ]
        before = self.folded.weight_greatest if self.folded is not None else 0
        return max(before, weight_greatest(weights, rule.window_days)) // BREACH_WEIGHT


def episodes_of(
    days: Sequence[ReviewDay], rule: ReviewRule, folded: FoldedDays | None = None
) -> list[Episode]:
    """Return the reviews that an account's days, in order, make by a rule.

    `folded` are days of a review that goes on with the first of `days`, where that comes in time.
    """
    found: list[Episode] = []
    members: list[ReviewDay] | None = [] if folded is not None else None
    last = folded.last if folded is not None else 0
    window: list[ReviewDay] = []
    for review_day in days:
        if members is not None and review_day.day - last > rule.window_days:
            found.append(Episode(tuple(members), folded))
            members, folded, window = None, None, []
        if members is None:
            window = [
                earlier for earlier in window if review_day.day - earlier.day < rule.window_days
            ]
            window.append(review_day)
            if sum(windowed.weight for windowed in window) >= BREACH_WEIGHT * rule.days:
                members = window
        else:
            members.append(review_day)
        last = review_day.day
    if members is not None:
        found.append(Episode(tuple(members), folded))
    return found


def weight_greatest(weights: Sequence[tuple[int, int]], window_days: int) -> int:
    """Return the most half days that any window has, of days in order with what each counts."""
    return max(_windows(weights, window_days), default=0)


def _windows(weights: Sequence[tuple[int, int]], window_days: int) -> Iterator[int]:
    """Yield what the window has that ends with each day."""
    begin = total = 0
    for day, weight in weights:
        total += weight
        while day - weights[begin][0] >= window_days:
            total -= weights[begin][1]
            begin += 1
        yield total
