"""Reviews of accounts that are over their limits again and again.

A breach day counts from the moment that its alert is raised, a near day when it closes. What is
told follows from the days that count, whatever the order in which they came to: each change of an
account's days is a recount of them, and what differs from what was told last is told. So is each
change of what incidents explain, however late it is known: days are kept until it is settled.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from monitor.core.account import Account, AccountDay
from monitor.core.alert import Alert, Cause
from monitor.core.review import DayFacts, EndedReview, FoldedDays, NotedDay, Review, ReviewTold
from monitor.core.threshold import Scope, scope_of
from monitor.core.transaction import Transaction
from monitor.ledger.ledger import Ledger, OpenDay
from monitor.policy.systemic import REACH_DAYS
from monitor.review.alert import LISTED_DAYS_MAX, Moment, Setting, Telling, fallen, told_anew
from monitor.review.days import noted_day, review_day, take
from monitor.review.episodes import BREACH_WEIGHT, NEAR_WEIGHT, Episode, ReviewDay, episodes_of
from monitor.review.membership import NO_VERDICTS, Verdicts

COUNTED_UNITS: Final = 50
"""Units of work that counting an account-day takes: an emitted one is one (90 and 2 us)."""

COUNTED_TURNS: Final = 64
"""At least such a part of what is to be counted is counted at a time, so that it does end."""


class _Uncounted(NamedTuple):
    """A day that closed, on which an account came near a limit, and what it is to be counted by."""

    day: int
    score: float | None
    cause: Cause


class Reviews:
    """The reviews of one partition's accounts; each alert of theirs is handed to `report`.

    `verdicts` are what the systemic side has decided.
    """

    def __init__(self, ledger: Ledger, report: Callable[[Alert], None]) -> None:
        self._ledger = ledger
        self._policies = ledger.policies
        self._report = report
        self.verdicts = NO_VERDICTS
        self._noted_on: dict[int, set[Account]] = {}  # by closed day that a verdict may explain
        self._ended_until: dict[int, set[Account]] = {}  # those of ended reviews, by the last day
        # Noted account-days of closed days that are still to be counted, with score and cause:
        self.uncounted: dict[str, list[_Uncounted]] = {}
        self.forget_at: int | None = None  # the first open day by which to forget, after them
        self._expiries: dict[int, set[Account]] = {}  # by the first open day to look at them again

    def set_verdicts(self, verdicts: Verdicts) -> None:
        """Say what the systemic side has decided, all of it; reviews are recounted by it.

        It takes the place of what was said before: days that nothing explains any more count again.
        """
        self.count_all()
        before = self.verdicts
        self.restore_verdicts(verdicts)
        self._recount_explained(before.days_that_differ(verdicts))
        if verdicts.decided != before.decided:
            self._drop_ended()

    def restore_verdicts(self, verdicts: Verdicts) -> None:
        """Put back what was decided, before accounts are put back; nothing is told of it."""
        self.verdicts = verdicts

    def verdicts_restored(self) -> None:
        """Recount what is explained now, after accounts were put back that may not know it yet."""
        self._recount_explained(self.verdicts.by_day)
        self._drop_ended()

    def restored(self, account: Account) -> None:
        """See that an account which was put back is forgotten when its time comes."""
        review = account.review
        if review is None:
            return
        self._expire(account)
        for day in review.closed:
            self._may_be_explained(day, account)
        for first, ended in review.ended.items():
            self._ended_until.setdefault(ended.told.last or first, set()).add(account)
            for noted in ended.days:
                self._may_be_explained(noted.day, account)

    @property
    def days_undecided(self) -> int:
        """How many business days have closed that the systemic side has not decided yet.

        Before its first decision: of those since the first day that it may explain.
        """
        if self._ledger.day_open_first is None or not self._policies.is_systemic:
            return 0
        last = self._ledger.day_open_first - 1
        decided = self.verdicts.decided or min(self._noted_on, default=last + 1) - 1
        return max(last - decided, 0)

    def _may_be_explained(self, day: int, account: Account) -> None:
        if not self._is_settled(day):
            self._noted_on.setdefault(day, set()).add(account)

    def no_record(self) -> Cause:
        """Return the cause of an alert without a record: a policy, attributes, or a verdict."""
        return Cause(
            None, self._ledger.clock or 0, self._ledger.partition, self._ledger.offset_last
        )

    # -- what is noted ----------------------------------------------------------------------------

    def look(self, transaction: Transaction, account_day: AccountDay, open_day: OpenDay) -> None:
        """Take the facts of a transaction by which a day is, or may come, near a limit."""
        facts = account_day.facts
        if facts is None:
            facts = self._note(account_day, open_day)
        take(facts, transaction)

    def _note(self, account_day: AccountDay, open_day: OpenDay) -> DayFacts:
        facts = account_day.facts = DayFacts()
        open_day.noted[account_day] = None
        return facts

    def note_if_near(self, account_day: AccountDay, open_day: OpenDay) -> None:
        """Note a day that other limits decide for now, if it is near them already."""
        if (
            account_day.facts is None
            and open_day.limits.is_looked_at(account_day)
            and not _has_closed(account_day)
        ):
            self._note(account_day, open_day)
            self._ledger.dirty.add(account_day.account)

    def close_day(
        self, day: int, account_ids: Sequence[str], scores: Sequence[float | None]
    ) -> None:
        """Note whose account-days of a day that has closed are to be counted, as they stood then.

        `scores` are how rare the models find each, or None.
        """
        cause = Cause(
            None, self._ledger.clock or 0, self._ledger.partition, self._ledger.closing_offset
        )
        for account_id, score in zip(account_ids, scores, strict=True):
            self.uncounted.setdefault(account_id, []).append(_Uncounted(day, score, cause))

    def expire_at(self, day_open_first: int) -> None:
        """Forget what no day from this one on can be counted with, after all that is to count."""
        self.forget_at = day_open_first

    def count_some(self, at_most: int) -> int:
        """Count noted account-days of closed days; return how many of so many units are left.

        One takes COUNTED_UNITS; of many a part is counted, however few units there are.
        """
        left = max(at_most, COUNTED_UNITS * len(self.uncounted) // COUNTED_TURNS)
        while left > 0 and self.uncounted:
            account_id = next(iter(self.uncounted))
            left -= COUNTED_UNITS * self.count_closed(self._ledger.awake(account_id))
        if not self.uncounted and self.forget_at is not None:
            self._forget_expired(self.forget_at)
            self.forget_at = None
        return left

    def count_all(self) -> None:
        """Count all that is to be counted of closed days, before what decides changes."""
        while self.is_counting:
            self.count_some(len(self.uncounted) + 1)

    @property
    def is_counting(self) -> bool:
        """Whether there are closed account-days that are still to be counted, or forgotten."""
        return self.forget_at is not None  # until all are counted

    def count_closed(self, account: Account) -> int:
        """Count the noted account-days of an account on closed days; return how many they are.

        What is over by then is forgotten, too. It is done before anything else of the account is
        decided, so when it is done is nothing to what is told. The account itself may be empty
        then: whoever holds it sees to that.
        """
        uncounted = self.uncounted.pop(account.account_id, ())
        for closed, score, cause in uncounted:
            account_day = account.day_of(closed)
            assert account_day is not None, "it is emitted once it is counted"
            day = noted_day(account_day, self._policies, is_closed=True, score=score)
            account_day.facts = None
            self._ledger.dirty.add(account)
            if day is not None:
                if account.review is None:
                    account.review = Review()
                account.review.closed[day.day] = day
                self._may_be_explained(day.day, account)
                self.recount(account, cause, Moment.CLOSE)
                self._fold_days(account, account.review)
                self._expire(account)
        self._forget_due(account)
        return len(uncounted)

    # -- what is told -----------------------------------------------------------------------------

    def recount_all(self) -> None:
        """Recount every account that has noted days, by the policies in force now."""
        self.count_all()
        accounts = {account for expiring in self._expiries.values() for account in expiring}
        for open_day in self._ledger.open_days.values():
            accounts.update(noted.account for noted in self._ledger.noted_of(open_day))
        cause = self.no_record()
        for account in _in_order(accounts):
            self._ledger.wake(account)
            self.recount(account, cause)

    def _recount_explained(self, days: Iterable[int]) -> None:
        """Recount every account with a noted day of these, which other incidents explain now."""
        accounts: set[Account] = set()
        for day in days:
            accounts |= self._noted_on.get(day, set())
            open_day = self._ledger.open_days.get(day)
            if open_day is not None:
                accounts.update(noted.account for noted in self._ledger.noted_of(open_day))
        cause = self.no_record()
        for account in _in_order(accounts):
            self._ledger.wake(account)
            self._recount_ended(account, cause)
            self.recount(account, cause, Moment.VERDICT)

    def recount(self, account: Account, cause: Cause, moment: Moment = Moment.RECORD) -> None:
        """Report an account's reviews that differ from what was reported last."""
        review = account.review
        if (review is None or not review.told) and self._days_at_most(account) < (
            self._policies.review_days_least
        ):
            return
        noted = sorted(self._noted_days(account), key=lambda day: day.day)
        told = review.told if review is not None else {}
        if not noted and not told:
            return
        setting = self._setting(account, noted, cause, moment)
        rule, folded = setting.rule, review.folded if review is not None else None
        days = [self._review_day(day) for day in noted]
        episodes = episodes_of(days, rule, folded) if rule is not None else []
        firsts = {episode.first for episode in episodes}
        closed = review.closed if review is not None else {}
        for first in sorted(first for first, report in told.items() if report.is_episode):
            if first not in firsts:
                self._tell(account, first, fallen(first, told[first], days, episodes, setting))
        for episode in episodes:
            telling = told_anew(told.get(episode.first), episode, setting, closed)
            if telling is not None:
                self._tell(account, episode.first, telling)

    def _tell(self, account: Account, first: int, telling: Telling) -> None:
        if account.review is None:
            account.review = Review()
        account.review.told[first], alert = telling
        self._report(alert)
        self._ledger.dirty.add(account)
        self._expire(account)

    def _recount_ended(self, account: Account, cause: Cause) -> None:
        """Tell of reviews that are over where incidents explain other days of them now."""
        ended = {} if account.review is None else account.review.ended
        for first, review in sorted(ended.items()):
            policy = self._policies.of_version(review.policy_version)
            rule = policy.review_of((account.account_id, *review[4:]))
            if rule is None:
                continue
            setting = Setting(
                account.account_id, cause, Moment.VERDICT, review.segment, policy.version, rule
            )
            episode = Episode(tuple(map(self._review_day, review.days)), review.folded)
            telling = told_anew(review.told, episode, setting, {day.day for day in review.days})
            if telling is not None:
                told, alert = telling
                ended[first] = review._replace(told=told)
                self._report(alert)
                self._ledger.dirty.add(account)

    def _days_at_most(self, account: Account) -> int:
        """Return how many days may count, quickly: most accounts have one at a time."""
        closed = 0 if account.review is None else len(account.review.closed)
        return closed + sum(
            1 for account_day in account.days if account_day.told and account_day.facts is not None
        )

    def _noted_days(self, account: Account) -> Iterator[NotedDay]:
        if account.review is not None:
            yield from account.review.closed.values()
        for account_day in account.days:
            if account_day.facts is not None and not _has_closed(account_day):
                noted = noted_day(account_day, self._policies, is_closed=False)
                if noted is not None:
                    yield noted

    def _review_day(self, noted: NotedDay) -> ReviewDay:
        return review_day(noted, self._ledger.partition, self.verdicts.by_day.get(noted.day, ()))

    def _setting(
        self, account: Account, noted: list[NotedDay], cause: Cause, moment: Moment
    ) -> Setting:
        """Return the rule of the latest day, by the version that decided it, and what goes with."""
        account_id = account.account_id
        if not noted:
            day: int = self._ledger.day_open_first or 0
            scope: Scope = (account_id, None, None, None)
            if account.days:
                latest_day = max(account.days, key=lambda account_day: account_day.day)
                day, scope = latest_day.day, scope_of(latest_day)
            policy, _ = self._policies.for_day(day)
        else:
            latest = noted[-1]
            policy = self._policies.of_version(latest.policy_version)
            scope = (account_id, latest.segment, latest.peer_group, latest.product)
        rule = policy.review_of(scope)
        return Setting(account_id, cause, moment, scope[1], policy.version, rule)

    # -- what is forgotten ------------------------------------------------------------------------

    def _is_settled(self, day: int) -> bool:
        """Return whether no verdict to come can change what explains a day."""
        return (
            not self._policies.is_systemic
            or day + REACH_DAYS <= self.verdicts.decided
            or self._policies.for_day(day)[0].systemic is None
        )

    def _expire(self, account: Account, soonest: int = 0) -> None:
        """Note when to look whether an account's days are still of use: each of them by itself.

        So it does not matter to what is kept since when an account is in memory, nor how many days
        close together. A day that was looked at is looked at again by the first open day `soonest`.
        """
        review = account.review
        if review is None:
            return
        ends = {*review.closed, *(report.last or first for first, report in review.told.items())}
        for day in ends:
            due = max(day + self._policies.review_days_max, soonest)  # as `_forget` has it
            self._expiries.setdefault(due, set()).add(account)

    def _forget_expired(self, day_open_first: int) -> None:
        for due in sorted(day for day in self._expiries if day <= day_open_first):
            for account in self._expiries.pop(due):
                self._ledger.wake(account)
                review = account.review
                if review is not None and self._forget_by(account, review, day_open_first):
                    self._ledger.forget_if_empty(account)

    def _forget_due(self, account: Account) -> None:
        """Forget of an account what is to be forgotten after all that is to count, if anything."""
        day_open_first = self.forget_at
        if day_open_first is None or account.review is None:
            return
        due = [
            accounts
            for day, accounts in self._expiries.items()
            if day <= day_open_first and account in accounts
        ]
        for accounts in due:
            accounts.discard(account)
        if due:
            self._forget_by(account, account.review, day_open_first)

    def _forget_by(self, account: Account, review: Review, day_open_first: int) -> bool:
        """Forget of one account; return whether nothing of its reviews is left."""
        keep_from = day_open_first - self._policies.review_days_max
        if self._forget(account, review, keep_from):
            self._ledger.dirty.add(account)
        if review.is_empty:
            account.review = None
            return True
        self._expire(account, day_open_first + 1)
        return False

    def _forget(self, account: Account, review: Review, keep_from: int) -> bool:
        """Drop what no day to come can be counted with; return whether anything was.

        A day to come is in a window with days after `keep_from`, and goes on with a review whose
        last day is `keep_from` or later. A review that is over by that, while incidents may still
        explain days of it, is kept apart: what is counted with days to come never depends on when
        a verdict was known.
        """
        alive = [
            first
            for first, told in review.told.items()
            if told.is_episode and (told.last or first) >= keep_from
        ]
        kept_from = min([*alive, keep_from + 1])
        dropped = {day for day in review.closed if day < kept_from}
        kept = {
            first: told
            for first, told in review.told.items()
            if first in alive or first in review.closed.keys() - dropped or first >= keep_from
        }
        is_less = bool(dropped) or len(kept) < len(review.told)
        noted = [review.closed[day] for day in sorted(review.closed)]
        for first, told in review.told.items():
            if first not in kept and told.is_episode and not self._is_settled(told.last or first):
                self._end_review(account, first, noted)
        review.closed = {
            day: closed_day for day, closed_day in review.closed.items() if day not in dropped
        }
        review.told = kept
        if review.folded is not None and review.folded.first not in alive:
            review.folded = None
        for day in dropped.difference(
            *([ended_day.day for ended_day in e.days] for e in review.ended.values())
        ):
            self._noted_on.get(day, set()).discard(account)
        return is_less

    def _end_review(self, account: Account, first: int, noted: list[NotedDay]) -> None:
        """Keep a review that is over apart, by the rule that it was counted by last."""
        review = account.review
        assert review is not None
        told = review.told[first]
        were = {day_told.day for day_told in told.days}
        folded = review.folded if review.folded and review.folded.first == first else None
        # None of a later review: that may come first.
        own = [day for day in noted if day.day in were]
        setting = self._setting(account, own, self.no_record(), Moment.VERDICT)
        latest = own[-1]
        review.ended[first] = EndedReview(
            told, tuple(own), folded, setting.policy_version,
            latest.segment, latest.peer_group, latest.product,
        )  # fmt: skip
        self._ended_until.setdefault(told.last or first, set()).add(account)

    def _drop_ended(self) -> None:
        """Drop reviews that are over once no incident can explain another day of them."""
        for last in sorted(day for day in self._ended_until if self._is_settled(day)):
            for account in self._ended_until.pop(last):
                review = account.review
                if review is None:
                    continue
                self._ledger.wake(account)
                for first in [
                    f for f, ended in review.ended.items() if (ended.told.last or f) <= last
                ]:
                    del review.ended[first]
                    self._ledger.dirty.add(account)
                if review.is_empty:
                    account.review = None
                    self._ledger.forget_if_empty(account)
        for day in [day for day in self._noted_on if self._is_settled(day)]:
            del self._noted_on[day]

    def _fold_days(self, account: Account, review: Review) -> None:
        """Make numbers of the earliest days of a review that has more than are listed.

        Those that an incident may still explain, or whose windows have such days, wait.
        """
        while len(review.closed) > LISTED_DAYS_MAX:
            day = min(review.closed)
            first, told = next(
                (
                    (first, told)
                    for first, told in sorted(review.told.items())
                    if told.is_episode and any(day == day_told.day for day_told in told.days)
                ),
                (None, None),
            )
            if first is not None and told is not None:
                closed = sum(day_told.day in review.closed for day_told in told.days)
                if closed <= LISTED_DAYS_MAX or not self._is_settled(
                    day + self._policies.review_days_max
                ):
                    return
                review.folded = self._folded(account, first, told, review.closed[day])
                days = tuple(day_told for day_told in told.days if day_told.day != day)
                review.told[first] = told._replace(days=days)
            del review.closed[day]

    def _folded(
        self, account: Account, first: int, told: ReviewTold, noted: NotedDay
    ) -> FoldedDays:
        """Return the folded days of a review, and one more: what it is told to count, no more."""
        assert account.review is not None
        scope: Scope = (account.account_id, noted.segment, noted.peer_group, noted.product)
        rule = self._policies.of_version(noted.policy_version).review_of(scope)
        window_days = rule.window_days if rule is not None else self._policies.review_days_max
        of_window = [
            day_told.weight for day_told in told.days if 0 <= day_told.day - noted.day < window_days
        ]
        so_far = account.review.folded
        if so_far is None or so_far.first != first:
            so_far = FoldedDays(first, noted.day, 0, 0, 0)
        (weight,) = (day_told.weight for day_told in told.days if day_told.day == noted.day)
        return FoldedDays(
            first, noted.day, so_far.breach_days + (weight == BREACH_WEIGHT),
            so_far.near_days + (weight == NEAR_WEIGHT),
            max(so_far.weight_greatest, sum(of_window)),
        )  # fmt: skip


def _in_order(accounts: Iterable[Account]) -> list[Account]:
    return sorted(accounts, key=lambda account: account.account_id)


def _has_closed(account_day: AccountDay) -> bool:
    """Return whether its account counts it as closed, as after a crash between two writes."""
    review = account_day.account.review
    return review is not None and account_day.day in review.closed
