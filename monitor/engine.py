"""One partition's monitor: runs of records in, a Step out. No clock, no I/O.

The same records, in the same order, give the same Steps, however they are cut into runs; that is
what makes a replay after a crash, or from a file, decide as the stream did.
"""

from collections.abc import Sequence

from monitor.amending import Amending
from monitor.core.account import (
    COUNT_CREDIT,
    COUNT_DEBIT,
    SERIES_INDEX,
    Account,
    AccountDay,
    Scored,
)
from monitor.core.alert import Status
from monitor.core.threshold import Threshold, Watch
from monitor.core.transaction import (
    DEBIT,
    Reason,
    Rejection,
    Transaction,
    duplicate,
    too_late,
)
from monitor.core.waiting import ID_KEPT_MAX, kept_id
from monitor.decision import tell
from monitor.ledger import CLOSED_DAYS_MAX, OF_NO_AMOUNT, SERIES_BITS, Entry, OpenDay
from monitor.step import Step

__all__ = ["Engine", "Step"]


class Engine(Amending):
    """Decides on the records of one partition, as they come, by the policies in force."""

    def observe(  # noqa: C901, PLR0912, PLR0915 - the hot loop: a call each would cost a third more
        self, offsets: Sequence[int], items: Sequence[Transaction | Rejection]
    ) -> None:
        """Take a run of records of this partition, in order; what comes of it is in `step`.

        `items` has the transaction or the rejection that each record was decoded to.
        """
        step, accounts, open_days, marks = self.step, self.accounts, self.open_days, self.marks
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
                    if item.reason is Reason.FUTURE:
                        self._count_rejection(self.rejections, item)
                continue
            transaction_id, account_id, event_time = item[:3]
            is_ahead = False
            if event_time > marks.second:
                if account_id != marks.leader:
                    if event_time > marks.first:
                        marks.leader, marks.second = account_id, marks.first
                        marks.first = event_time
                    else:
                        marks.second = event_time
                elif event_time > marks.first:
                    marks.first = event_time
                if marks.first - marks.second > marks.lead:
                    is_ahead = self._lead(offset, account_id, event_time)
                    if self._ended:
                        start = end = 0
                elif marks.first > marks.time:
                    marks.time = marks.first
                    if marks.time >= self.closes_next:
                        self._go_on(offset)
                        start = end = 0
            if redelivered:
                step.redelivered += 1
                continue
            if not start <= event_time < end:
                day = self.calendar.day_of(event_time)
                open_day = self._open_day(day)
                lone = self.lone
                if open_day is None or (lone is not None and self._is_closed_to(account_id, day)):
                    start = end = 0
                    self._reject(offset, item, too_late(item, day, self._first_open_to(account_id)))
                    continue
                if lone is None:
                    start, end = open_day.start, open_day.end
            assert open_day is not None
            account = accounts.get(account_id)
            if account is None:
                account = self._account(account_id)
            if len(transaction_id) > ID_KEPT_MAX:
                transaction_id = kept_id(transaction_id)
            key = account.tag + transaction_id
            if self._uncounted and account in self._uncounted:
                self._count_closed(account)
            for other in open_days.values():
                if key in other.contents:
                    self._forget_if_empty(account)
                    self._reject(offset, item, duplicate(item, other.day))
                    break
            else:
                if item.reverses is None:
                    step.ahead += is_ahead
                    self._fold(offset, item, account, open_day, transaction_id, key, is_ahead)
                else:
                    self._reverse(offset, item, account, open_day)
        if offsets:
            self.offset_last = max(self.offset_last, offsets[-1])
        if self._scored or self._ended:
            self._note_ended()
        self.close_account_days(max(CLOSED_DAYS_MAX, 4 * len(offsets)))

    def _fold(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - the hot path, as above
        self, offset: int, transaction: Transaction, account: Account, open_day: OpenDay,
        name: str, key: str, is_ahead: bool,  # noqa: FBT001 - hot: by its place
    ) -> None:  # fmt: skip
        """Add a transaction to its account-day, and tell of the limits that it takes it over.

        `name` is its kept id, `key` that of the open day; what waited to reverse it has its say
        before anything is told. The models do not see one that is far ahead: their day would go on
        to its own.
        """
        _, _, event_time, amount, currency, direction, _, _, _, segment, _, _ = transaction
        day = open_day.day
        if self.scorer is not None and day > self.scorer.day and not is_ahead:
            self._begin_day(day)
        series = SERIES_INDEX[direction][currency]
        content = (amount << SERIES_BITS if amount else OF_NO_AMOUNT) | series
        open_day.contents[key] = content
        self.step.transactions += 1
        self.step.entries.append(
            tuple.__new__(Entry, (offset, account.account_id, name, day, content, None))
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
        if account.waiting:
            self._settle_waiting(offset, account, key)
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
        if self.scorer is not None and not is_ahead:
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
        day_goes_on = self.marks.clock < open_day.end
        if told is not None and told.status != Status.WITHDRAWN and day_goes_on:
            return
        cause = self._cause(offset, transaction)
        alert = tell(account, account_day, threshold, open_day.policy, cause)
        if alert is not None:
            self.step.alerts.append(alert)
            if account_day.facts is not None:
                self._recount(account, cause)
