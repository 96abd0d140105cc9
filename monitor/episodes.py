"""Which days of an account make a review: enough of them in the window, until it is quiet again.

A breach day counts two, a near day one: `days` breach days are as much as twice so many near days.
A review begins with the first day of the first window that has enough, takes in every further such
day, and is over after a whole window without any. It depends on which days there are alone, never
on the order in which they came to be known.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from monitor.core.noted_day import FoldedDays, Mark, NotedDay
from monitor.review_rule import ReviewRule

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


class Episode(NamedTuple):
    """The days of one review, in order; `folded` are those before them that are kept no more."""

    days: tuple[CountedDay, ...]
    folded: FoldedDays | None = None

    @property
    def first(self) -> int:
        """Its first business day, by which the review is known."""
        return self.folded.first if self.folded is not None else self.days[0].day

    @property
    def breach_days(self) -> int:
        """How many breach days it has."""
        own = sum(not of.mark.is_near for of in self.days)
        return own + (self.folded.breach_days if self.folded is not None else 0)

    @property
    def near_days(self) -> int:
        """How many near days it has."""
        own = sum(of.mark.is_near for of in self.days)
        return own + (self.folded.near_days if self.folded is not None else 0)

    @property
    def value(self) -> int:
        """Its days as they are counted: breach days, and a day for every two near ones."""
        return self.breach_days + self.near_days // BREACH_WEIGHT


def episodes_of(
    days: Sequence[CountedDay], rule: ReviewRule, folded: FoldedDays | None = None
) -> list[Episode]:
    """Return the reviews that an account's days, in order, make by a rule.

    `folded` are days of a review that goes on with the first of `days`, where that comes in time.
    """
    found: list[Episode] = []
    members: list[CountedDay] | None = [] if folded is not None else None
    last = folded.last if folded is not None else 0
    window: list[CountedDay] = []
    for of in days:
        if members is not None and of.day - last > rule.window_days:
            found.append(Episode(tuple(members), folded))
            members, folded, window = None, None, []
        if members is None:
            window = [one for one in window if of.day - one.day < rule.window_days]
            window.append(of)
            if sum(one.weight for one in window) >= BREACH_WEIGHT * rule.days:
                members = window
        else:
            members.append(of)
        last = of.day
    if members is not None:
        found.append(Episode(tuple(members), folded))
    return found


def value_greatest(days: Sequence[CountedDay], rule: ReviewRule) -> int:
    """Return the most days that any window has, of days that make no review."""
    return (
        max(
            (
                sum(one.weight for one in days if 0 <= of.day - one.day < rule.window_days)
                for of in days
            ),
            default=0,
        )
        // BREACH_WEIGHT
    )
