"""A ledger that reviews accounts which are over their limits again and again.

A breach day counts from the moment that its alert is raised, a near day when it closes. What is
told follows from the days that count, whatever the order in which they came to: each change of an
account's days is a recount of them, and what differs from what was told last is told.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from monitor.core.account import Account, AccountDay
from monitor.core.alert import Cause, Status
from monitor.core.noted_day import DayFacts, FoldedDays, Grouped, Mark, NotedDay, Review
from monitor.core.threshold import Scope, scope_of
from monitor.core.transaction import Transaction
from monitor.episodes import CountedDay, episodes_of
from monitor.ledger import BUCKETS, CLOSED_DAYS_MAX, OpenDay
from monitor.modelled import Modelled
from monitor.noting import counted_day, noted_day, take
from monitor.policy import PolicyBook
from monitor.review_alert import Setting, told_anew, withdrawn

LISTED_DAYS_MAX: Final = 62
"""Closed days of one review that are kept and listed: two months. Earlier ones are a number."""


class _Unsettled(NamedTuple):
    """A noted account-day of a day that closed, and as of what it is to be counted."""

    account_day: AccountDay
    score: float | None
    cause: Cause
    day_open_first: int


class Reviewed(Modelled):
    """What one partition holds, and the reviews of its accounts."""

    def __init__(
        self, partition: int, policies: PolicyBook, buckets: int = BUCKETS, partitions: int = 1
    ) -> None:
        super().__init__(partition, policies, buckets, partitions)
        self.grouped: frozenset[Grouped] = frozenset()
        self._grouped_days: frozenset[int] = frozenset()
        # Noted account-days of closed days that are still to be counted, with score and cause.
        self._unsettled: dict[Account, list[_Unsettled]] = {}
        self._settled_at: int | None = None  # the first open day when what is counted now closed
        self._forget_at: int | None = None  # the first open day by which to forget, after them
        self._expiries: dict[int, set[Account]] = {}  # by the first open day to look at them again

    def set_grouped(self, entries: Iterable[Grouped]) -> None:
        """Say which days a systemic alert explains, all of them; reviews are recounted without.

        It takes the place of what was said before: what is in it no more counts again.
        """
        before = self.grouped
        self.restore_grouped(entries)
        if self.grouped != before:
            self._recount_all()

    def restore_grouped(self, entries: Iterable[Grouped]) -> None:
        """Put back which days do not count; nothing is told of it."""
        self.grouped = frozenset(entries)
        self._grouped_days = frozenset(day for _, _, day in self.grouped)

    def restored(self, account: Account) -> None:
        """See that an account which was put back is forgotten when its time comes."""
        super().restored(account)
        if account.review is not None:
            self._expire(account)

    def _no_record(self) -> Cause:
        """Return the cause of what is told without a record: a policy, attributes, or groups."""
        return Cause(None, self.clock or 0, self.partition, self.offset_last)

    # -- what is noted ----------------------------------------------------------------------------

    def _look(
        self, transaction: Transaction, account_day: AccountDay, open_day: OpenDay
    ) -> None:  # fmt: skip
        """Take the facts of a transaction by which a day is, or may come, near a limit."""
        facts = account_day.facts
        if facts is None:
            facts = self._note(account_day, open_day)
        take(facts, transaction)

    def _note(self, account_day: AccountDay, open_day: OpenDay) -> DayFacts:
        facts = account_day.facts = DayFacts()
        open_day.noted.append(account_day)
        return facts

    def _note_where_near(self, account_day: AccountDay, open_day: OpenDay) -> None:
        """Note a day that other limits decide for now, where it is near them already."""
        if (
            account_day.facts is None
            and open_day.limits.is_looked_at(account_day)
            and not _has_closed(account_day)
        ):
            self._note(account_day, open_day)
            self.dirty.add(account_day.account)

    def _note_ended(self) -> None:
        ended = self._ended
        super()._note_ended()
        for closed in ended:
            self._close_noted(closed)
        if ended:
            self._forget_at = self.day_open_first
            self._sum_some(self._settle_some(CLOSED_DAYS_MAX))  # most days are done by that

    def _close_noted(self, closed: OpenDay) -> None:
        """Note which account-days of a day that has closed are to be counted, as they stood then.

        One without facts is done with: so it is where a crash lets a day close twice.
        """
        noted = [account_day for account_day in closed.noted if account_day.facts is not None]
        cause = Cause(None, self.clock or 0, self.partition, self._closing_offset)
        for account_day, score in zip(noted, self._day_scores(noted), strict=True):
            unsettled = _Unsettled(account_day, score, cause, self.day_open_first or 0)
            self._unsettled.setdefault(account_day.account, []).append(unsettled)

    def _settle_some(self, at_most: int) -> int:
        left = at_most
        while left > 0 and self._unsettled:
            left -= self._settle(next(iter(self._unsettled)))
        if not self._unsettled and self._forget_at is not None:
            self._forget_expired(self._forget_at)
            self._forget_at = None
        return left

    def _settle_all(self) -> None:
        """Count all that is to be counted of closed days, before what decides changes."""
        while self._unsettled or self._forget_at is not None:
            self._settle_some(CLOSED_DAYS_MAX)

    @property
    def is_closing(self) -> bool:
        """Whether days are closed of which something is still to be told."""
        return bool(self._unsettled) or self._forget_at is not None or super().is_closing

    def _settle(self, account: Account) -> int:
        """Count the noted account-days of an account on closed days; return how many they are.

        It is done before anything else of the account is decided, so when it is done is nothing to
        what is told.
        """
        unsettled = self._unsettled.pop(account)
        for account_day, score, cause, day_open_first in unsettled:
            self._settled_at = day_open_first
            day = noted_day(account_day, self.policies, is_closed=True, score=score)
            account_day.facts = None
            self.dirty.add(account)
            if day is not None:
                if account.review is None:
                    account.review = Review()
                account.review.closed[day.day] = day
                self._recount(account, cause, is_at_close=True)
                _fold(account.review)
                self._expire(account)
        self._settled_at = None
        return len(unsettled)

    # -- what is told -----------------------------------------------------------------------------

    def _recount_all(self) -> None:
        """Recount every account that has noted days, by the policies and groups of now."""
        self._settle_all()
        accounts = {account for of in self._expiries.values() for account in of}
        for open_day in self.open_days.values():
            accounts.update(of.account for of in open_day.noted if of.facts is not None)
        cause = self._no_record()
        for account in sorted(accounts, key=lambda account: account.account_id):
            self._recount(account, cause)

    def _recount(self, account: Account, cause: Cause, *, is_at_close: bool = False) -> None:
        """Tell of an account's reviews where they differ from what was told last."""
        review = account.review
        if (review is None or not review.told) and self._days_at_most(account) < (
            self.policies.review_days_least
        ):
            return
        noted = sorted(self._noted_days(account), key=lambda of: of.day)
        is_grouped = self._is_grouped if self.grouped else None
        counted = [counted_day(of, is_grouped) for of in noted]
        days = [of for of in counted if of is not None]
        folded = review.folded if review is not None else None
        if not days and (review is None or not review.told):
            return
        setting = self._setting(account, noted, days, cause)
        episodes = episodes_of(days, setting.rule, folded) if setting.rule is not None else []
        firsts = {episode.first for episode in episodes}
        before = len(self.step.alerts)
        if review is not None:
            for first, told in sorted(review.told.items()):
                if told.status != Status.WITHDRAWN and first not in firsts:
                    self.step.alerts.append(withdrawn(account, first, days, episodes, setting))
        for episode in episodes:
            alert = told_anew(account, episode, setting, is_at_close=is_at_close)
            if alert is not None:
                self.step.alerts.append(alert)
        if len(self.step.alerts) > before:
            self.dirty.add(account)
            self._expire(account)

    def _days_at_most(self, account: Account) -> int:
        """Return how many days may count, quickly: most accounts have one at a time."""
        closed = 0 if account.review is None else len(account.review.closed)
        return closed + sum(1 for of in account.days if of.told and of.facts is not None)

    def _noted_days(self, account: Account) -> Iterator[NotedDay]:
        if account.review is not None:
            yield from account.review.closed.values()
        for account_day in account.days:
            if account_day.facts is not None and not _has_closed(account_day):
                noted = noted_day(account_day, self.policies, is_closed=False)
                if noted is not None:
                    yield noted

    def _setting(
        self, account: Account, noted: list[NotedDay], days: list[CountedDay], cause: Cause
    ) -> Setting:
        """Return the rule of the latest day, by the version that decided it, and what goes with."""
        grouped = frozenset(of.day for of in noted) - {of.day for of in days}
        if not noted:
            day: int = self.day_open_first or 0
            scope: Scope = (account.account_id, None, None, None)
            if account.days:
                of = max(account.days, key=lambda account_day: account_day.day)
                day, scope = of.day, scope_of(of)
            policy, _ = self.policies.for_day(day)
            return Setting(cause, scope[1], policy.version, policy.review_of(scope), grouped)
        latest = days[-1].noted if days else noted[-1]
        policy = self.policies.of_version(latest.policy_version)
        rule = policy.review_of(
            (account.account_id, latest.segment, latest.peer_group, latest.product)
        )
        return Setting(cause, latest.segment, policy.version, rule, grouped)

    def _is_grouped(self, noted: NotedDay, mark: Mark) -> bool:
        return noted.day in self._grouped_days and any(
            (segment, threshold_id, noted.day) in self.grouped
            for segment in (None, noted.segment)
            for threshold_id in (None, mark.threshold_id)
        )

    # -- what is forgotten ------------------------------------------------------------------------

    def _expire(self, account: Account) -> None:
        """Note when to look whether an account's days are still of use: each of them by itself.

        So it does not matter to what is kept since when an account is in memory.
        """
        review = account.review
        if review is None:
            return
        ends = {*review.closed, *(last_day(of.days) or f for f, of in review.told.items())}
        day_open_first = self.day_open_first if self._settled_at is None else self._settled_at
        soonest = (day_open_first or 0) + 1
        for day in ends:
            due = max(day + self.policies.review_days_max + 1, soonest)
            self._expiries.setdefault(due, set()).add(account)

    def _forget_expired(self, day_open_first: int) -> None:
        for due in sorted(day for day in self._expiries if day <= day_open_first):
            for account in self._expiries.pop(due):
                if account.review is None:
                    continue
                keep_from = day_open_first - self.policies.review_days_max
                if _forget(account.review, keep_from):
                    self.dirty.add(account)
                if account.review.is_empty:
                    account.review = None
                    self._forget_if_empty(account)
                else:
                    self._expire(account)


def _has_closed(account_day: AccountDay) -> bool:
    """Return whether its account counts it as closed, as after a crash between two writes."""
    review = account_day.account.review
    return review is not None and account_day.day in review.closed


def last_day(days: tuple[tuple[int, bool], ...]) -> int | None:
    """Return the last of the days that were told; None where there is none."""
    return days[-1][0] if days else None


def _forget(review: Review, keep_from: int) -> bool:
    """Drop what no day to come can be counted with; return whether anything was.

    A day to come is in a window with days after `keep_from`, and goes on with a review whose last
    day is `keep_from` or later.
    """
    before = len(review.closed) + len(review.told)
    alive = [
        first
        for first, told in review.told.items()
        if told.status != Status.WITHDRAWN and (last_day(told.days) or first) >= keep_from
    ]
    kept_from = min([*alive, keep_from + 1])
    review.closed = {day: of for day, of in review.closed.items() if day >= kept_from}
    review.told = {
        first: told
        for first, told in review.told.items()
        if first in alive or first in review.closed or first >= keep_from
    }
    if review.folded is not None and review.folded.first not in alive:
        review.folded = None
    return len(review.closed) + len(review.told) < before


def _fold(review: Review) -> None:
    """Make numbers of the earliest days of a review that has more than are listed."""
    while len(review.closed) > LISTED_DAYS_MAX:
        day = min(review.closed)
        first, told = next(
            (
                (first, told)
                for first, told in sorted(review.told.items())
                if told.status != Status.WITHDRAWN and any(day == of for of, _ in told.days)
            ),
            (None, None),
        )
        del review.closed[day]
        if first is None or told is None:
            continue
        is_near = dict(told.days)[day]
        so_far = review.folded or FoldedDays(first, day, 0, 0)
        review.folded = FoldedDays(
            first, day, so_far.breach_days + (not is_near), so_far.near_days + is_near
        )
        review.told[first] = told._replace(days=tuple(of for of in told.days if of[0] != day))
