"""What changes account-days other than one more transaction: policies, attributes, reversals.

The less common paths of the engine, which is built upon it.
"""

from collections.abc import Iterable, Iterator

from xxhash import xxh3_64_intdigest

from monitor.core.account import COUNT_CREDIT, COUNT_DEBIT, NEVER, SERIES, Account, AccountDay
from monitor.core.alert import Alert, Cause
from monitor.core.attributes import NO_ATTRIBUTES
from monitor.core.threshold import scope_of
from monitor.core.transaction import DEBIT, Rejection, Transaction, nothing_to_reverse
from monitor.decision import retell, tell
from monitor.ledger import NOTHING, SERIES_BITS, Entry, OpenDay
from monitor.reviewed import Reviewed


class Amending(Reviewed):
    """What one partition holds, and how what was decided is decided anew."""

    def policies_changed(self) -> None:
        """Decide every open day anew by the policies in force now."""
        self._settle_all()
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
            if account in self._unsettled:
                self._settle(account)
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
        self._retell(account, account_day, open_day, None)
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
        account_day.segment = segment
        account_day.segment_time = event_time
        account_day.watches = open_day.limits.watches_of(*scope_of(account_day))
        if account_day.currency:
            cause = self._cause(offset, transaction)
            self._retell(account, account_day, open_day, cause)
            self._note_where_near(account_day, open_day)
            if account_day.facts is not None:
                self._recount(account, cause)

    def _retell(
        self, account: Account, account_day: AccountDay, open_day: OpenDay, cause: Cause | None
    ) -> None:
        if cause is None:
            cause = self._no_record()
        told: Iterator[Alert] = retell(
            account, account_day, open_day.limits, self.policies, open_day.policy, cause
        )
        before = len(self.step.alerts)
        self.step.alerts.extend(told)
        if len(self.step.alerts) > before:
            self.dirty.add(account)

    def _reverse(
        self, offset: int, transaction: Transaction, account: Account, day: int, id_hash: int
    ) -> None:
        """Take the reversed transaction out of its day; the reversing one adds nothing itself."""
        assert transaction.reverses is not None
        reverses_hash = xxh3_64_intdigest(transaction.reverses.encode(), account.seed)
        for reversed_day, open_day in self.open_days.items():  # noqa: B007 - used after the loop
            content = open_day.contents.get(reverses_hash, NOTHING)
            if content != NOTHING:
                break
        else:
            self._forget_if_empty(account)
            self.step.rejections.append((offset, nothing_to_reverse(transaction.reverses)))
            return
        open_day.contents[reverses_hash] = NOTHING
        self.open_days[day].contents[id_hash] = NOTHING
        self.step.entries += (
            Entry(offset, account.bucket, id_hash, day, NOTHING),
            Entry(offset, account.bucket, reverses_hash, reversed_day, NOTHING),
        )
        self.step.transactions += 1
        self.dirty.add(account)
        series = content & (1 << SERIES_BITS) - 1
        direction, currency = SERIES[series]
        account_day = account.day_of(reversed_day)
        assert account_day is not None, "an open day has the account-days of what it holds"
        totals = account_day.totals_in(currency)
        place = COUNT_DEBIT if direction == DEBIT else COUNT_CREDIT
        totals[place] -= 1
        totals[place + 1] -= content >> SERIES_BITS
        cause = self._cause(offset, transaction)
        watches = open_day.limits.watch(account_day, series)
        for watch in watches:
            if watch.threshold.threshold_id in account_day.told:
                alert = tell(account, account_day, watch.threshold, open_day.policy, cause)
                if alert is not None:
                    self.step.alerts.append(alert)
                    if account_day.facts is not None:
                        self._recount(account, cause)
