"""What changes account-days other than one more transaction: policies, attributes, reversals.

The less common paths of the engine, which is built upon it.
"""

from collections.abc import Iterable, Iterator

from monitor.core.account import COUNT_CREDIT, COUNT_DEBIT, NEVER, SERIES, Account, AccountDay
from monitor.core.alert import Alert, Cause
from monitor.core.attributes import NO_ATTRIBUTES
from monitor.core.threshold import scope_of
from monitor.core.transaction import DEBIT, Rejection, Transaction, nothing_to_reverse
from monitor.core.waiting import WAITING_MAX, Waiting, kept_id, waiting_of
from monitor.decision import retell, tell
from monitor.ledger import SERIES_BITS, Entry, Link, OpenDay
from monitor.reversing import Fit, fit_of, held_by
from monitor.reviewed import Reviewed


class Amending(Reviewed):
    """What one partition holds, and how what was decided is decided anew."""

    def policies_changed(self) -> None:
        """Decide every open day anew by the policies in force now."""
        self._count_all()
        self._begin_scoring()
        for day, open_day in self.open_days.items():
            open_day.policy, open_day.limits = self.policies.for_day(day)
            for account_day in open_day.account_days:
                account_day.watches = open_day.limits.watches_of(*scope_of(account_day))
                self._retell(account_day.account, account_day, open_day, None)
                self._note_where_near(account_day, open_day)
        self._recount_all()

    def attributes_changed(self, account_ids: Iterable[str]) -> None:
        """Decide the open days of accounts anew by the attributes that they have now.

        Days that have closed keep what they were, emitted or not.
        """
        for account_id in account_ids:
            account = self.accounts.get(account_id)
            if account is None:
                continue
            if account in self._uncounted:
                self._count_closed(account)
            for account_day in account.days:
                open_day = self.open_days.get(account_day.day)
                if open_day is not None:
                    self._attribute(account, account_day, open_day)

    # -- the less common paths --------------------------------------------------------------------
    def _attribute(self, account: Account, account_day: AccountDay, open_day: OpenDay) -> None:
        """Give the account-day its account's attributes; other limits may decide then."""
        attributes = self.attributes.known.get(account.account_id, NO_ATTRIBUTES)
        before = (account_day.segment, *account_day.attributes[1:])
        account_day.attributes = attributes
        if account_day.segment_time == NEVER:
            account_day.segment = attributes.segment
        if (account_day.segment, *attributes[1:]) == before:
            return
        self.dirty.add(account)
        account_day.watches = open_day.limits.watches_of(*scope_of(account_day))
        is_moved = account_day.segment != before[0]
        self._retell(account, account_day, open_day, None, is_moved=is_moved)
        self._note_where_near(account_day, open_day)
        self._recount(account, self._no_record())

    def _is_included(self, offset: int, item: Transaction | Rejection) -> bool:
        if offset <= self.offset_last:
            return True
        if isinstance(item, Rejection):
            return False  # a rejection changes no bucket: it is told again, with the same offset
        return offset <= self.buckets[self.bucket_of(item.account_id)].offset_last

    def _cause(self, offset: int, transaction: Transaction) -> Cause:
        return Cause(
            transaction.transaction_id, transaction.event_time, self.partition, offset,
            transaction.origin,
        )  # fmt: skip

    def _reject(self, offset: int, item: Transaction, rejection: Rejection) -> None:
        """Set a transaction aside; its bucket counts it, and so includes it like all it has."""
        self.step.rejections.append((offset, rejection))
        if self.policies.is_systemic:
            number = self.bucket_of(item.account_id)
            self._count_rejection(self.buckets[number].rejections, rejection)
            self.dirty_buckets.add(number)

    def _place(
        self, offset: int, transaction: Transaction, account: Account, account_day: AccountDay,
        open_day: OpenDay,
    ) -> None:  # fmt: skip
        """Give the account-day the segment of its latest event; other limits may decide then."""
        segment, event_time = transaction.segment, transaction.event_time
        assert segment is not None
        before = (account_day.segment_time, account_day.segment or "")
        if (event_time, segment) < before:
            return
        is_moved = segment != account_day.segment
        account_day.segment = segment
        account_day.segment_time = event_time
        account_day.watches = open_day.limits.watches_of(*scope_of(account_day))
        if account_day.currency:
            cause = self._cause(offset, transaction)
            self._retell(account, account_day, open_day, cause, is_moved=is_moved)
            self._note_where_near(account_day, open_day)
            if account_day.facts is not None:
                self._recount(account, cause)

    def _retell(
        self, account: Account, account_day: AccountDay, open_day: OpenDay, cause: Cause | None,
        *, is_moved: bool = False,
    ) -> None:  # fmt: skip
        if cause is None:
            cause = self._no_record()
        told: Iterator[Alert] = retell(
            account, account_day, open_day.limits, self.policies, open_day.policy, cause,
            is_moved=is_moved,
        )  # fmt: skip
        before = len(self.step.alerts)
        self.step.alerts.extend(told)
        if len(self.step.alerts) > before:
            self.dirty.add(account)

    # -- reversals --------------------------------------------------------------------------------

    def _reverse(
        self, offset: int, transaction: Transaction, account: Account, open_day: OpenDay
    ) -> None:
        """Take a reversal out of what is left of its original, or let it wait for that.

        `open_day` is that of the reversal, which adds nothing to it itself.
        """
        reversal = waiting_of(offset, open_day.day, transaction)
        target_key = account.tag + kept_id(reversal.reverses)
        target = held_by(self.open_days, target_key)
        if target is None:
            self._wait(offset, reversal, account)
            return
        fit = fit_of(self.open_days, reversal, target, target_key)
        if isinstance(fit, Rejection):
            self._forget_if_empty(account)
            self.step.rejections.append((offset, fit))
            return
        account_day = self._take_back(offset, reversal, account, Link(target_key, target.day), fit)
        if account.waiting:
            self._settle_waiting(offset, account, account.tag + kept_id(reversal.transaction_id))
        self._decide_reversed(offset, transaction, account_day, fit)

    def _wait(self, offset: int, reversal: Waiting, account: Account) -> None:
        if len(account.waiting) >= WAITING_MAX:
            why = f"not in the open days of this account, of which {WAITING_MAX} reversals wait"
            self.step.rejections.append((offset, nothing_to_reverse(reversal.reverses, why)))
            return
        account.waiting += (reversal,)
        self._mark_waiting(account, reversal)
        self.step.waiting.append(reversal)
        self.dirty.add(account)

    def _take_back(
        self, offset: int, reversal: Waiting, account: Account, link: Link, fit: Fit
    ) -> AccountDay:
        """Do what a fit says; return the account-day whose totals have changed.

        The reversal is held by the later day of its own and that of what it takes back, so that
        what is left of a transaction can be counted again for as long as it is held.
        """
        for of, key, takes in fit.taken:
            of.contents[key] -= takes << SERIES_BITS
        held = self.open_days[max(reversal.day, link.day)]
        name = kept_id(reversal.transaction_id)
        held.contents[account.tag + name] = fit.content
        held.links[account.tag + name] = link
        self._hold(account, held)
        reverses = (kept_id(reversal.reverses), link.day)
        self.step.entries.append(
            Entry(offset, account.account_id, name, held.day, fit.content, reverses)
        )
        self.step.transactions += 1
        self.dirty.add(account)
        account_day = account.day_of(fit.root.day)
        assert account_day is not None, "an open day has the account-days of what it holds"
        direction, currency = SERIES[fit.series]
        totals = account_day.totals_in(currency)
        place = COUNT_DEBIT if direction == DEBIT else COUNT_CREDIT
        totals[place] += fit.counted
        totals[place + 1] += fit.amount_minor
        return account_day

    def _settle_waiting(self, offset: int, account: Account, key: str) -> None:
        """Judge the reversals that waited for a transaction, and those that waited for them.

        In the order in which they came: the earliest one whose original is there is the next.
        """
        there = {key}
        keys = [(of, account.tag + kept_id(of.reverses)) for of in account.waiting]
        while pair := next((pair for pair in keys if pair[1] in there), None):
            keys.remove(pair)
            reversal, target_key = pair
            name = self._stop_waiting(account, reversal)
            target = held_by(self.open_days, target_key)
            assert target is not None, "it is there"
            fit = fit_of(self.open_days, reversal, target, target_key)
            if isinstance(fit, Rejection):
                self.step.rejections.append((reversal.offset, fit))
                continue
            self._take_back(offset, reversal, account, Link(target_key, target.day), fit)
            there.add(account.tag + name)

    def _stop_waiting(self, account: Account, reversal: Waiting) -> str:
        """Forget that a reversal waits; return its kept id."""
        account.waiting = tuple(of for of in account.waiting if of is not reversal)
        name = kept_id(reversal.transaction_id)
        open_day = self.open_days.get(reversal.day)
        if open_day is not None:
            del open_day.contents[account.tag + name]
        self.reversals_waiting -= 1
        self.step.settled.append(reversal.offset)
        self.dirty.add(account)
        return name

    def _end(self, closed: OpenDay) -> None:
        """Reject the reversals of a closed day that still wait, in the order in which they came."""
        super()._end(closed)
        waiting = [
            (reversal, account)
            for account in closed.holders
            for reversal in account.waiting
            if reversal.day == closed.day
        ]
        for reversal, account in sorted(waiting, key=lambda pair: pair[0].offset):
            self._stop_waiting(account, reversal)
            rejection = nothing_to_reverse(
                reversal.reverses,
                "it did not come to this account before the reversal's day closed",
            )
            self.step.rejections.append((reversal.offset, rejection))
        for account in closed.holders:
            self.dirty.add(account)
            if self.accounts.get(account.account_id) is account:
                self._forget_if_empty(account)

    def _decide_reversed(
        self, offset: int, transaction: Transaction, account_day: AccountDay, fit: Fit
    ) -> None:
        """Decide an account-day again by what reversals have left of it, or restored to it."""
        account, open_day = account_day.account, fit.root
        cause = self._cause(offset, transaction)
        self._note_where_near(account_day, open_day)
        for watch in open_day.limits.watch(account_day, fit.series):
            alert = tell(account, account_day, watch.threshold, open_day.policy, cause)
            if alert is not None:
                self.step.alerts.append(alert)
                if account_day.facts is not None:
                    self._recount(account, cause)
