"""One partition's monitor: runs of records in, a Step out. No clock, no I/O.

The same records, in the same order, give the same Steps, however they are cut into runs; that is
what makes a replay after a crash, or from a file, decide as the stream did.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from monitor.core.account import (
    COUNT_CREDIT,
    COUNT_DEBIT,
    NEVER,
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
    Heartbeat,
    LeftOut,
    Reason,
    Rejection,
    Transaction,
    duplicate,
    too_late,
)
from monitor.core.waiting import ID_KEPT_MAX, kept_id
from monitor.engine.closing import CLOSED_DAYS_MAX, UNITS_A_RUN, Closing
from monitor.engine.gauging import Gauging
from monitor.engine.limit_alerts import retell, tell
from monitor.engine.reversals import Reversals, Reversed
from monitor.engine.run import RecordRun
from monitor.engine.step import Step
from monitor.ledger.ledger import BUCKETS, OF_NO_AMOUNT, SERIES_BITS, Entry, Ledger, OpenDay
from monitor.outliers.watch import OutlierWatch
from monitor.policy.policy import PolicyBook
from monitor.review.membership import Verdicts
from monitor.review.reviews import Reviews

if TYPE_CHECKING:
    from monitor.ordinary.restored import RowsRestored

__all__ = ["Engine", "MakeEngine", "Step", "plain_engine"]


NOT_NEAR: Final = (0, 0, None)
"""As the day of the record before the first."""


class Engine:
    """Decides on the records of one partition, as they come, by the policies in force.

    It has a ledger of what it holds, the models that watch it, and the reviews of its accounts.
    What comes of all that it does, recovery included, is collected until `take_step` hands it over.
    """

    def __init__(
        self, partition: int, policies: PolicyBook, buckets: int = BUCKETS, partitions: int = 1
    ) -> None:
        self.partition = partition
        self.policies = policies
        self.ledger = self._new_ledger(buckets)
        self.outliers = OutlierWatch(partition, partitions, policies, self.ledger.calendar)
        self.reviews = Reviews(self.ledger, self._report)
        self._closing = Closing(self.ledger, self.outliers, self.reviews)
        self._reversals = Reversals(self.ledger)
        self.gauging = Gauging(self.ledger, policies)
        # The day of the record before, from start to end: most likely the next is of it too.
        self._day_near: tuple[int, int, OpenDay | None] = NOT_NEAR
        self._ended: list[OpenDay] = []  # days whose last records the models are still to see
        self._step = Step()

    def _new_ledger(self, buckets: int) -> Ledger:
        return Ledger(self.partition, self.policies, buckets)

    def take_step(self) -> Step:
        """Return what came since the last call, and begin the next Step."""
        step, self._step = self._step, Step()
        step.alerts = self.policies.marked(step.alerts)
        return step

    def _report(self, alert: Alert) -> None:
        self._step.alerts.append(alert)

    # -- records ----------------------------------------------------------------------------------

    def observe_run(self, run: RecordRun) -> None:
        """Take a run of records of this partition, in order."""
        self.observe(run.offsets, run.judged(self.policies.calendar.clock_skew))

    def observe(  # noqa: C901, PLR0912 - the hot loop: a call each would cost more
        self, offsets: Sequence[int], items: Sequence[Transaction | Rejection]
    ) -> None:
        """Take a run of records of this partition, in order.

        `items` has the transaction or the rejection that each record was decoded to.
        """
        ledger, marks = self.ledger, self.ledger.marks
        redelivered_last = max(ledger.offset_last, ledger.offset_recovered_last)
        for offset, item in zip(offsets, items, strict=True):
            if self._ended:
                self._close_ended()
            if isinstance(item, Rejection):
                self._set_aside(offset, item)
                continue
            _, account_id, event_time = item[:3]
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
                    is_ahead = ledger.lead(offset, account_id, event_time)
                    if ledger.has_ended:
                        self._take_ended()
                elif marks.first > marks.time:
                    marks.time = marks.first
                    if marks.time >= ledger.closes_next:
                        ledger.go_on(offset)
                        self._take_ended()
            if offset <= redelivered_last and self._is_included(offset, item):
                self._step.redelivered += 1
            else:
                self._take(offset, item, is_ahead)
        self._run_done(offsets)

    def _run_done(self, offsets: Sequence[int]) -> None:
        """End a run: the models see what was taken in, and what has closed is gone on with."""
        if offsets:
            self.ledger.offset_last = max(self.ledger.offset_last, offsets[-1])
        self._score()
        if self._ended:
            self._close_ended()
        self.close_account_days(max(UNITS_A_RUN, 4 * len(offsets)))

    def _set_aside(self, offset: int, rejection: Rejection) -> None:
        """Report a record that is no transaction."""
        if offset <= self.ledger.offset_last:
            self._step.redelivered += 1
            return
        if isinstance(rejection, Heartbeat):
            self._step.heartbeats += 1
            if self.ledger.beat(offset, rejection.event_time):
                self._take_ended()
            return
        if isinstance(rejection, LeftOut):
            self._step.left_out += 1
            return
        self._step.rejections.append((offset, rejection))
        if rejection.reason is Reason.FUTURE:
            self.ledger.count_rejection(self.ledger.rejections, rejection)

    def _take(
        self,
        offset: int,
        item: Transaction,
        is_ahead: bool,  # noqa: FBT001 - hot: by its place
    ) -> None:
        """Decide on a transaction that has led the watermark as far as it can."""
        ledger, reviews = self.ledger, self.reviews
        transaction_id, account_id, event_time = item[:3]
        start, end, open_day = self._day_near
        if open_day is None or not start <= event_time < end or ledger.lone is not None:
            day = ledger.calendar.day_of(event_time)
            found = ledger.open_day(day)
            if found is None or (ledger.lone is not None and ledger.is_closed_to(account_id, day)):
                first = ledger.first_open_to(account_id)
                self._reject(offset, item, too_late(item, day, first))
                return
            open_day = found
            self._day_near = found.start, found.end, found
        account = ledger.accounts.get(account_id)
        if account is None:
            account = ledger.account(account_id)
        if len(transaction_id) > ID_KEPT_MAX:
            transaction_id = kept_id(transaction_id)
        key = account.tag + transaction_id
        if reviews.forget_at is not None:  # as long as something is to be counted, too
            reviews.count_closed(account)
        other = ledger.day_holding(key)
        if other is not None:
            ledger.forget_if_empty(account)
            self._reject(offset, item, duplicate(item, other.day))
            return
        if item.reverses is None:
            self._step.ahead += is_ahead
            self._fold(offset, item, account, open_day, transaction_id, key, is_ahead)
            return
        done = self._reversals.reverse(offset, item, account, open_day, self._step)
        if done is not None:
            self._decide_reversed(offset, item, done)

    def _is_included(self, offset: int, item: Transaction) -> bool:
        ledger = self.ledger
        if offset <= ledger.offset_last:
            return True
        return offset <= ledger.buckets[ledger.bucket_of(item.account_id)].offset_last

    def _reject(self, offset: int, item: Transaction, rejection: Rejection) -> None:
        """Reject a transaction; its bucket counts it, and so includes it like all it has."""
        self._step.rejections.append((offset, rejection))
        if self.policies.is_systemic:
            ledger = self.ledger
            number = ledger.bucket_of(item.account_id)
            ledger.count_rejection(ledger.buckets[number].rejections, rejection)
            ledger.dirty_buckets.add(number)

    def _fold(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - the hot path, as above
        self, offset: int, transaction: Transaction, account: Account, open_day: OpenDay,
        name: str, key: str, is_ahead: bool,  # noqa: FBT001 - hot: by its place
    ) -> None:  # fmt: skip
        """Add a transaction to its account-day, and raise the alerts of limits it is over then.

        `name` is its kept id, `key` that of the open day; what waited to reverse it has its say
        before anything is raised. The models do not see one that is far ahead: their day would go
        on to its own.
        """
        _, _, event_time, amount, currency, direction, _, _, _, segment, _, _ = transaction
        day, step, outliers = open_day.day, self._step, self.outliers
        scorer = outliers.scorer
        if scorer is not None and day > scorer.day and not is_ahead:
            self._score()
            outliers.begin_day(day)
        series = SERIES_INDEX[direction][currency]
        content = (amount << SERIES_BITS if amount else OF_NO_AMOUNT) | series
        open_day.contents[key] = content
        step.transactions += 1
        step.entries.append(
            tuple.__new__(Entry, (offset, account.account_id, name, day, content, None))
        )
        self.ledger.dirty.add(account)
        for account_day in account.days:  # Account.day_of, without the call
            if account_day.day == day:
                break
        else:
            peer_group = outliers.peer_group_of(account.account_id)
            account_day = self.ledger.account_day(account, open_day, peer_group)
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
            self._reversals.settle_waiting(offset, account, key, step)
        if self.gauging.is_on:
            self.gauging.take(
                transaction,
                name,
                open_day.contents[key],
                account_day,
                lambda: self._cause(offset, transaction),
            )
            step.alerts += self.gauging.take_alerts()
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
        if scorer is not None and not is_ahead:
            seen: tuple[tuple[str, tuple[int, ...]], ...] = ((currency, tuple(totals)),)
            if account_day.more is not None:
                seen = account_day.totals_now()
            outliers.seen_next.append(
                tuple.__new__(
                    Scored,
                    (
                        transaction, day, offset, bool(account_day.told),
                        account_day.segment, account_day.attributes.product, seen,
                    ),
                )
            )  # fmt: skip

    def _near(
        self, offset: int, transaction: Transaction, account: Account, account_day: AccountDay,
        open_day: OpenDay, watches: tuple[Watch, ...],
    ) -> None:  # fmt: skip
        """Look at a day that is near a limit of those that watch it, or over it."""
        if open_day.limits.look_permille is not None:
            self.reviews.look(transaction, account_day, open_day)
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
        """Raise that a day is over its limit: once, and again only if the day had ended."""
        told = account_day.told.get(threshold.threshold_id)
        day_goes_on = self.ledger.marks.clock < open_day.end
        if told is not None and told.status != Status.WITHDRAWN and day_goes_on:
            return
        cause = self._cause(offset, transaction)
        alert = tell(account, account_day, threshold, open_day.policy, cause)
        if alert is not None:
            self._step.alerts.append(alert)
            if account_day.facts is not None:
                self.reviews.recount(account, cause)

    def _cause(self, offset: int, transaction: Transaction) -> Cause:
        return Cause(
            transaction.transaction_id, transaction.event_time, self.partition, offset,
            transaction.origin,
        )  # fmt: skip

    # -- days that end ----------------------------------------------------------------------------

    def _take_ended(self) -> None:
        """Take the days that the ledger has closed; no original can come for what waits there."""
        self._day_near = NOT_NEAR
        for closed in self.ledger.take_ended():
            self._reversals.reject_waiting(closed, self._step)
            self.gauging.note_closed(closed)
            self._ended.append(closed)
        self.gauging.days_closed()

    def _close_ended(self) -> None:
        """Let days close, once the models have seen their last record."""
        self._score()
        ended, self._ended = self._ended, []
        self._closing.add(ended, self._step)

    def _score(self) -> None:
        """Let the models see what was taken in; their alerts stand where their records do."""
        alerts = self._scored()
        if alerts:
            self._step.alerts = sorted(
                [*self._step.alerts, *alerts], key=lambda alert: alert.cause.offset
            )

    def _scored(self) -> list[Alert]:
        """Let the models see what was taken in; return their alerts."""
        return self.outliers.score()

    def close_account_days(self, at_most: int = CLOSED_DAYS_MAX) -> None:
        """Go on with the days that have closed, by so many units; call it too when no record comes.

        A unit is an account-day to be summed up or emitted; see `Closing.work`.
        """
        self._closing.work(at_most, self._step)

    def finish_closing(self) -> None:
        """Go on with the days that have closed until all of them is told."""
        self._closing.finish(self._step)

    @property
    def has_closing_days(self) -> bool:
        """Whether something is still to be told of days that have closed."""
        return bool(self._closing.days)

    @property
    def is_closing(self) -> bool:
        """Whether state must not be kept now: it would say that closed days were told of."""
        return self._closing.is_kept_back

    # -- what changes account-days other than one more transaction ---------------------------------

    def policies_changed(self) -> None:
        """Decide every open day again by the policies in force now."""
        self.reviews.count_all()
        self.outliers.begin()
        self.gauging.begin()
        # In an order that does not depend on which of them was put back first.
        for day, open_day in sorted(self.ledger.open_days.items(), key=itemgetter(0)):
            open_day.policy, open_day.limits = self.policies.for_day(day)
            for account_day in open_day.account_days:
                account_day.watches = open_day.limits.watches_of(*scope_of(account_day))
                self._retell(account_day.account, account_day, open_day, None)
                self.reviews.note_if_near(account_day, open_day)
        self.reviews.recount_all()

    def attributes_changed(self, account_ids: Iterable[str]) -> None:
        """Decide the open days of accounts again by the attributes that they have now.

        Days that have closed keep what they were, emitted or not.
        """
        for account_id in account_ids:
            account = self.ledger.find(account_id)
            if account is None:
                continue
            self.reviews.count_closed(account)
            for account_day in account.days:
                open_day = self.ledger.open_days.get(account_day.day)
                if open_day is not None:
                    self._attribute(account, account_day, open_day)
            if self.reviews.is_counting:
                self.ledger.forget_if_empty(account)

    def set_verdicts(self, verdicts: Verdicts) -> None:
        """Say what the systemic side has decided, all of it; reviews are recounted by it."""
        self.reviews.set_verdicts(verdicts)

    def _attribute(self, account: Account, account_day: AccountDay, open_day: OpenDay) -> None:
        """Give the account-day its account's attributes; other limits may decide then."""
        attributes = self.ledger.attributes.known.get(account.account_id, NO_ATTRIBUTES)
        before = (account_day.segment, *account_day.attributes[1:])
        account_day.attributes = attributes
        if account_day.segment_time == NEVER:
            account_day.segment = attributes.segment
        if (account_day.segment, *attributes[1:]) == before:
            return
        self.ledger.dirty.add(account)
        account_day.watches = open_day.limits.watches_of(*scope_of(account_day))
        is_moved = account_day.segment != before[0]
        self._retell(account, account_day, open_day, None, is_moved=is_moved)
        self.reviews.note_if_near(account_day, open_day)
        self.reviews.recount(account, self.reviews.no_record())

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
            self.reviews.note_if_near(account_day, open_day)
            if account_day.facts is not None:
                self.reviews.recount(account, cause)

    def _retell(
        self, account: Account, account_day: AccountDay, open_day: OpenDay, cause: Cause | None,
        *, is_moved: bool = False,
    ) -> None:  # fmt: skip
        if cause is None:
            cause = self.reviews.no_record()
        before = len(self._step.alerts)
        self.gauging.decide_again(account_day, cause)
        self._step.alerts += self.gauging.take_alerts()
        self._step.alerts.extend(
            retell(
                account, account_day, open_day.limits, self.policies, open_day.policy, cause,
                is_moved=is_moved,
            )
        )  # fmt: skip
        if len(self._step.alerts) > before:
            self.ledger.dirty.add(account)

    def _decide_reversed(self, offset: int, transaction: Transaction, done: Reversed) -> None:
        """Decide an account-day again by what reversals have left of it, or restored to it."""
        account_day, open_day = done.account_day, done.fit.root
        account, cause = account_day.account, self._cause(offset, transaction)
        _, key, _ = done.fit.taken[-1]
        name = key.removeprefix(account.tag)
        self.gauging.reverse(account, name, open_day.contents[key], cause)
        self._step.alerts += self.gauging.take_alerts()
        self.reviews.note_if_near(account_day, open_day)
        for watch in open_day.limits.watch(account_day, done.fit.series):
            alert = tell(account, account_day, watch.threshold, open_day.policy, cause)
            if alert is not None:
                self._step.alerts.append(alert)
                if account_day.facts is not None:
                    self.reviews.recount(account, cause)

    # -- recovery, and what the outside looks at ---------------------------------------------------

    def restore_bucket(
        self,
        number: int,
        accounts: Iterable[tuple[str, Callable[[Account], tuple[AccountDay, ...]]]],
    ) -> None:
        """Put back a bucket's accounts with their days; those already closed are closed again.

        Each account comes as its id, and a function that gives the days it had.
        """
        restored, closed = self.ledger.restore_bucket(number, accounts)
        for account in restored:
            self.reviews.restored(account)
            self.gauging.restored(account)
        for account_day in closed:
            self._closing.add_restored(account_day)

    def begin_rows_restored(self) -> "RowsRestored | None":
        """Return what puts state back without objects; None if all of it becomes objects."""
        return None

    def settle(self) -> None:
        """Put what was restored where it belongs, once all of it is there."""

    def names_held(self) -> dict[str, int]:
        """Return how many names each table holds that records fill, those of the models too."""
        return self.ledger.names_held() | self.outliers.names_held() | self.gauging.names_held()

    def names_counted_as_others(self) -> dict[str, int]:
        """Return how much was counted under no name of its own, by table."""
        attributes = Counter({"attributes": self.ledger.attributes.unshared})
        scorer = self.outliers.scorer
        of_models = Counter[str]() if scorer is None else scorer.names_beyond
        return dict(self.ledger.names_beyond + attributes + of_models)


MakeEngine = Callable[[int, PolicyBook, int], Engine]
"""Makes the engine of a partition, of so many, that decides by policies."""


def plain_engine(partition: int, policies: PolicyBook, partitions: int) -> Engine:
    """Return an engine that decides on every record in Python."""
    return Engine(partition, policies, partitions=partitions)
