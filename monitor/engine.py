"""One partition's monitor: runs of records in, a Step out. No clock, no I/O.

The same records, in the same order, give the same Steps, however they are cut into runs; that is
what makes a replay after a crash, or from a file, decide as the stream did.
"""

from collections.abc import Iterable, Iterator, Sequence

from xxhash import xxh3_64_intdigest

from monitor.core.account import (
    COUNT_CREDIT,
    COUNT_DEBIT,
    NEVER,
    SERIES,
    SERIES_INDEX,
    Account,
    AccountDay,
    Scored,
)
from monitor.core.alert import Alert, Cause, Status
from monitor.core.attributes import NO_ATTRIBUTES
from monitor.core.threshold import Threshold, Watch, scope_of
from monitor.core.transaction import (
    DEBIT,
    Rejection,
    Transaction,
    duplicate,
    nothing_to_reverse,
    too_late,
)
from monitor.decision import retell, tell
from monitor.ledger import CLOSED_DAYS_MAX, NOTHING, SERIES_BITS, Entry, OpenDay
from monitor.reviewed import Reviewed
from monitor.step import Step

__all__ = ["Engine", "Step"]


class Engine(Reviewed):
    """Decides on the records of one partition, as they come, by the policies in force."""

    def observe(  # noqa: C901, PLR0912, PLR0915 - the hot loop: a call each would cost a third more
        self, offsets: Sequence[int], items: Sequence[Transaction | Rejection]
    ) -> None:
        """Take a run of records of this partition, in order; what comes of it is in `step`.

        `items` has the transaction or the rejection that each record was decoded to.
        """
        step, accounts, open_days = self.step, self.accounts, self.open_days
        redelivered_last = max(self.offset_last, self.offset_recovered_last)
        day, open_day = 0, None
        start = end = 0  # of the day of the record before: most likely this one is of it too
        for offset, item in zip(offsets, items, strict=True):
            if self._ended:
                self._note_ended()
            redelivered = offset <= redelivered_last and self._is_included(offset, item)
            if isinstance(item, Rejection):
                if redelivered:
                    step.redelivered += 1
                else:
                    step.rejections.append((offset, item))
                continue
            transaction_id, account_id, event_time = item[:3]
            if self.watermark is None or event_time > self.watermark:
                self.watermark = event_time
                if self.closes_next is None or event_time >= self.closes_next:
                    self._closing_offset = offset
                    self._close_days()
                    start = end = 0
            if redelivered:
                step.redelivered += 1
                continue
            if not start <= event_time < end:
                day = self.calendar.day_of(event_time)
                open_day = self._open_day(day)
                if open_day is None:
                    start = end = 0
                    step.rejections.append((offset, too_late(day, self.day_open_first)))
                    continue
                start, end = open_day.start, open_day.end
            assert open_day is not None
            account = accounts.get(account_id)
            if account is None:
                account = self._account(account_id)
            id_hash = xxh3_64_intdigest(transaction_id.encode(), account.seed)
            for day_taken, other in open_days.items():
                if id_hash in other.contents:
                    self._forget_if_empty(account)
                    step.rejections.append((offset, duplicate(day_taken)))
                    break
            else:
                if item.reverses is None:
                    self._fold(offset, item, account, day, open_day, id_hash)
                else:
                    self._reverse(offset, item, account, day, id_hash)
        if offsets:
            self.offset_last = max(self.offset_last, offsets[-1])
        if self._scored or self._ended:
            self._note_ended()
        self.close_account_days(max(CLOSED_DAYS_MAX, 2 * len(offsets)))

    def _fold(  # noqa: C901, PLR0912 - the hot path, as above
        self, offset: int, transaction: Transaction, account: Account, day: int,
        open_day: OpenDay, id_hash: int,
    ) -> None:  # fmt: skip
        """Add a transaction to its account-day, and tell of the limits that it takes it over."""
        _, _, event_time, amount, currency, direction, _, _, _, segment, _, _ = transaction
        if self.scorer is not None and day > self.scorer.day:
            self._begin_day(day)
        series = SERIES_INDEX[direction][currency]
        content = amount << SERIES_BITS | series
        open_day.contents[id_hash] = content
        self.step.transactions += 1
        self.step.entries.append(
            tuple.__new__(Entry, (offset, account.bucket, id_hash, day, content))
        )
        self.dirty.add(account)
        for account_day in account.days:  # Account.day_of, without the call
            if account_day.day == day:
                break
        else:
            account_day = self._account_day(account, day, open_day)
        if segment is not None:
            if segment != account_day.segment:
                self._place(offset, transaction, account, account_day, open_day)
            elif event_time > account_day.segment_time:
                account_day.segment_time = event_time
        totals = account_day.counts
        if currency != account_day.currency:
            totals = account_day.totals_in(currency)
        place = COUNT_DEBIT if direction == DEBIT else COUNT_CREDIT
        totals[place] += 1
        totals[place + 1] += amount
        watches = account_day.watches.get(series)
        if watches is None:
            watches = open_day.limits.watch(account_day, series)
        for first, second, look_above, all_currencies, threshold in watches:
            if all_currencies and account_day.more is not None:
                is_near = threshold.value_of(account_day) > look_above
            else:
                is_near = totals[first] + totals[second] > look_above
            if is_near:
                self._near(offset, transaction, account, account_day, open_day, watches)
                break
        if self.scorer is not None:
            seen: tuple[tuple[str, tuple[int, ...]], ...] = ((currency, tuple(totals)),)
            if account_day.more is not None:
                seen = account_day.totals_now()
            self._scored.append(
                tuple.__new__(
                    Scored,
                    (
                        transaction, account_day, offset, bool(account_day.told),
                        account_day.segment, seen,
                    ),
                )
            )  # fmt: skip

    def _near(
        self, offset: int, transaction: Transaction, account: Account, account_day: AccountDay,
        open_day: OpenDay, watches: tuple[Watch, ...],
    ) -> None:  # fmt: skip
        """Look at a day that is near a limit of those that watch it, or over it."""
        if open_day.limits.look_permille is not None:
            self._look(transaction, account_day, open_day)
        totals = account_day.totals_in(transaction.currency)
        for first, second, _, all_currencies, threshold in watches:
            if all_currencies and account_day.more is not None:
                value = threshold.value_of(account_day)
            else:
                value = totals[first] + totals[second]
            if value > threshold.above:
                self._over(offset, transaction, account, account_day, open_day, threshold)

    def _over(
        self, offset: int, transaction: Transaction, account: Account, account_day: AccountDay,
        open_day: OpenDay, threshold: Threshold,
    ) -> None:  # fmt: skip
        """Tell that a day is over its limit: once, and again only where the day had ended."""
        told = account_day.told.get(threshold.threshold_id)
        assert self.watermark is not None
        day_goes_on = self.watermark < open_day.end
        if told is not None and told.status != Status.WITHDRAWN and day_goes_on:
            return
        cause = self._cause(offset, transaction)
        alert = tell(account, account_day, threshold, open_day.policy, cause)
        if alert is not None:
            self.step.alerts.append(alert)
            if account_day.facts is not None:
                self._recount(account, cause)

    def policies_changed(self) -> None:
        """Decide every open day anew by the policies in force now."""
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
        return Cause(transaction.transaction_id, transaction.event_time, self.partition, offset)

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
