"""Business days that have closed, and what of them is still to be told, some at a time.

An account-day is counted for reviews, then summed up in its segment, then emitted: so no midnight
holds up the alerts.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from monitor.core.account import AccountDay, ClosedDay
from monitor.engine.step import Step
from monitor.ledger.ledger import Ledger, OpenDay
from monitor.ledger.rows import DayRows, EmittedRows
from monitor.outliers.watch import OutlierWatch
from monitor.review.reviews import Reviews

if TYPE_CHECKING:
    from monitor.systemic.summary import DaySum

CLOSED_DAYS_MAX: Final = 2_000
"""Units that are worked on at a time while no records come, as days close."""

UNITS_A_RUN: Final = 500
"""Units that a run of few records works on as days close. A run of more of them works on four for
each, so that closing keeps up whatever comes, and holds up a run by less than the run takes."""

_NOT_ASKED: Final = math.nan
"""The score of a closed account-day that the models were not asked for yet."""


class ClosingDay:
    """The account-days of a closed day, each with its score, until all are emitted.

    `version` is that of the policy that decided. They are emitted once `summing` is done, and None.
    """

    __slots__ = ("_account_days", "_place", "_rows", "_scores", "summing", "version")

    def __init__(
        self,
        account_days: Sequence[AccountDay],
        version: int,
        scores: Sequence[float | None],
        summing: "DaySum | None" = None,
        rows: DayRows | None = None,
    ) -> None:
        self._account_days = account_days
        self._scores = scores
        self._rows = rows
        self._place = 0
        self.version = version
        self.summing = summing

    @property
    def is_done(self) -> bool:
        """Whether all account-days were handed on."""
        return self._place >= len(self._account_days) + len(self._rows or ())

    def next_ones(self, count: int) -> list[tuple[AccountDay, float | None]]:
        """Return the next account-days with their scores, at most so many; they are done with."""
        place = slice(self._place, self._place + count)
        next_ones = list(zip(self._account_days[place], self._scores[place], strict=True))
        self._place += len(next_ones)
        return next_ones

    def next_rows(self, count: int) -> tuple[EmittedRows, int]:
        """Return the next ones that were rows as the day closed, at most so many, and how many.

        They come after all others.
        """
        if self._rows is None or self._place < len(self._account_days):
            return EmittedRows([], []), 0
        first = self._place - len(self._account_days)
        last = min(first + count, len(self._rows))
        self._place += last - first
        return self._rows.emit(first, last, self.version), last - first


class Closing:
    """The closed days of one partition; `days` are those of which something is still to be told."""

    def __init__(self, ledger: Ledger, outliers: OutlierWatch, reviews: Reviews) -> None:
        self.days: deque[ClosingDay] = deque()
        self._ledger = ledger
        self._outliers = outliers
        self._reviews = reviews

    @property
    def is_kept_back(self) -> bool:
        """Whether state must not be kept: it would say that the days are closed.

        Account-days that are only to be emitted are no reason: each is in state until it is.
        """
        return self._reviews.is_counting or any(day.summing is not None for day in self.days)

    def add(self, ended: Sequence[OpenDay], step: Step) -> None:
        """Take days that have ended, once the models have seen their last record.

        What the models know of them is asked now: it must not depend on when the rest is done.
        """
        self.finish(step)  # of days before, if they came too fast for turns
        for closed in ended:
            account_days = [*closed.account_days]
            scores = self._outliers.day_scores(account_days)
            if closed.rows is not None:
                self._outliers.score_rows(closed.rows, closed.day)
            summing = self._summing(closed, account_days)
            self.days.append(
                ClosingDay(account_days, closed.policy.version, scores, summing, closed.rows)
            )
        for closed in ended:
            # In an order that does not depend on who came first, nor on who was an object by then.
            near = sorted(self._ledger.near_accounts(closed))
            scores = self._outliers.scores_of(near, closed.day)
            self._reviews.close_day(closed.day, near, scores)
        self._reviews.expire_at(self._ledger.day_open_first or 0)
        self._sum_some(self._reviews.count_some(UNITS_A_RUN), step)  # most small ones are done then

    def add_restored(self, account_day: AccountDay) -> None:
        """Take an account-day that was put back, and whose day is closed: it is emitted again."""
        policy, _ = self._ledger.policies.for_day(account_day.day)
        self.days.append(ClosingDay([account_day], policy.version, [_NOT_ASKED]))

    def finish(self, step: Step) -> None:
        """Do all that is left; what comes of it goes into `step`."""
        while self.days or self._reviews.is_counting:
            self.work(CLOSED_DAYS_MAX, step)

    def work(self, units: int, step: Step) -> None:
        """Do so many units of what is left: account-days are counted, then summed, then emitted.

        A unit is one that is summed up or emitted; counting one takes as long as COUNTED_UNITS of
        these. What comes of it goes into `step`.
        """
        left = self._sum_some(self._reviews.count_some(units), step)
        while left > 0 and self.days:
            left -= self._emit(self.days[0], left, step)

    def _sum_some(self, units: int, step: Step) -> int:
        """Sum up closed days, and report those that are done; return how many units are left."""
        left = units
        for closing in self.days:
            while closing.summing is not None and left > 0:
                left -= closing.summing.work(left)
                if closing.summing.is_done:
                    step.segment_days.append(closing.summing.segment_days)
                    self._ledger.names_beyond.update(closing.summing.others())
                    closing.summing = None
        return left

    def _emit(self, closing: ClosingDay, at_most: int, step: Step) -> int:
        """Emit account-days of a closed day; return how many, and at least 1."""
        emitted = closing.next_ones(at_most)
        of_rows, rows = closing.next_rows(at_most - len(emitted))
        step.closed_rows += of_rows.records
        for account_day, known in (*emitted, *of_rows.account_days):
            account = account_day.account
            if account.days:  # else it stood in rows, and has been given up
                account.drop(account_day)
                self._ledger.dirty.add(account)
                self._ledger.forget_if_empty(account)
            score = known
            if known is _NOT_ASKED:
                (score,) = self._outliers.day_scores([account_day])
            step.account_days.append(ClosedDay(account_day, closing.version, score))
        if closing.is_done:
            self.days.popleft()
        return max(len(emitted) + rows, 1)

    def _summing(self, closed: OpenDay, account_days: list[AccountDay]) -> "DaySum | None":
        """Return what sums up a closed day in each segment, if its policy asks for it."""
        day = closed.day
        rejections = self._ledger.take_rejections(day)
        payers = self._outliers.take_hot_payers(day)
        if closed.policy.systemic is None or self._ledger.is_summed_up(day):
            return None
        from monitor.systemic.summary import DaySum  # noqa: PLC0415 - loads numpy

        usual = self._outliers.day_usual(account_days, closed.rows, day)
        return DaySum(day, account_days, closed.limits, usual, payers, rejections, closed.rows)
