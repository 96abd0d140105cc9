"""The engine whose ordinary accounts stand in arrays: kernels take what is ordinary.

What is not, it decides as `Engine` does, on the same objects, so that is the law which this one is
held to. While records of one account alone have come, all is decided so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from models.arrays import Bytes, Ints
from monitor.core.alert import Alert
from monitor.core.threshold import scope_of
from monitor.core.transaction import CREDIT, Rejection, Transaction
from monitor.engine.engine import Engine
from monitor.engine.limit_alerts import tell
from monitor.engine.run import RecordRun
from monitor.engine.step import Step
from monitor.ledger.ledger import BUCKETS, Ledger
from monitor.ordinary import decide, layout
from monitor.ordinary.entry_rows import take_entries
from monitor.ordinary.layout import (
    BY_ITSELF,
    CURRENCY_NUMBER,
    NONE,
    ORDINARY,
    READ,
    REJECTED,
    RunPlaces,
    Table,
)
from monitor.ordinary.ledger import OrdinaryLedger
from monitor.ordinary.restored import RowsRestored
from monitor.policy.policy import PolicyBook

if TYPE_CHECKING:
    from monitor.engine.seen import KnownModels, SeenRun

JUDGED_RECORDS: Final = 4096
"""Records by which it is judged whether kernels decide on most."""

PYTHON_RECORDS_MAX: Final = 1 << 20
"""Records of a turn of Python's, at most."""

_Items = Mapping[int, Transaction | Rejection]
"""What records are, by their places in a run."""

_Raised = tuple[int, int, list[int]]
"""What `layout.RAISED` has of a record: the account-day's place, the limit's bit, and totals."""


class _Turns:
    """Whose turn it is: the kernels', or Python's alone while it would decide on most records.

    Then an account would be made an object and rows again for nearly every record, which costs more
    than kernels save. A turn of Python's goes on while the rows themselves show that many records
    are odd. Each is twice as long as the one before, until kernels have decided on most again.
    """

    def __init__(self) -> None:
        self._judged = self._odd = 0
        self._left = self._length = 0  # records of Python's turn

    def note(self, records: int, in_python: Ints) -> None:
        """Note how many records of the kernels' turn came, and on how many Python decided, and why.

        Those do not count that a start or a recovery has many of, but not the records after it.
        """
        self._judged += records
        self._odd += int(
            in_python.sum() - in_python[[layout.LIMITS_UNKNOWN, layout.REDELIVERED]].sum()
        )
        if self._judged < JUDGED_RECORDS:
            return
        is_odd = 2 * self._odd > self._judged
        longer = min(max(2 * self._length, 4 * JUDGED_RECORDS), PYTHON_RECORDS_MAX)
        self._left = self._length = longer if is_odd else 0
        self._judged = self._odd = 0

    @property
    def is_of_python(self) -> bool:
        """Whether Python decides on all records of the next run."""
        return self._left > 0

    def note_python(self, rows: Table) -> bool:
        """Note the records that Python took in its turn; return whether that is over."""
        self._left -= len(rows)
        is_odd = (rows["state"] != ORDINARY) | (rows["length"][:, layout.REVERSES] > 0)
        if self._left <= 0 and 4 * np.count_nonzero(is_odd) > len(rows):
            self._left = 1
        return self._left <= 0


class OrdinaryEngine(Engine):
    """An `Engine`, with `ordinary` accounts in arrays."""

    ledger: OrdinaryLedger

    def __init__(
        self,
        partition: int,
        policies: PolicyBook,
        buckets: int = BUCKETS,
        partitions: int = 1,
        are_kernels_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(partition, policies, buckets, partitions)
        self._are_kernels_ready = are_kernels_ready
        self._turns = _Turns()
        self._models: KnownModels | None = None
        self._seen: SeenRun | None = None  # while a run is taken by kernels, and there are models
        self._place_now = NONE  # of the record that is taken by itself

    def _new_ledger(self, buckets: int) -> Ledger:
        return OrdinaryLedger(self.partition, self.policies, buckets)

    def take_step(self) -> Step:
        """Return what came since the last call, and begin the next Step."""
        ordinary = self.ledger.ordinary
        if ordinary is not None:
            entries = take_entries(ordinary.arrays)
            if entries is not None:
                self._step.transactions += len(entries)
                self._step.entry_rows.append(entries)
            self._step.in_python.update(ordinary.take_in_python())
            ordinary.compact()
        if self.ledger.woken and not self.has_closing_days and not self.reviews.is_counting:
            woken, self.ledger.woken = self.ledger.woken, []
            for account_id in woken:
                self._make_rows(account_id)
        return super().take_step()

    def observe_run(self, run: RecordRun) -> None:
        """Take a run of records of this partition, in order."""
        skew = self.policies.calendar.clock_skew
        begin, count, why = 0, len(run.offsets), layout.NO_KERNELS
        is_beating = False
        if self._is_by_kernels():
            if self._turns.is_of_python:
                why = layout.MOSTLY_ODD
            elif run.has_heartbeats:
                why, is_beating = layout.MOSTLY_ODD, True
            else:
                run.judge_rows(skew)
                begin = self._observe_rows(run, skew)
        if begin < count:
            items = run.judged_at(range(begin, count), skew) if begin else run.judged(skew)
            self._step.in_python[layout.IN_PYTHON[why]] += count - begin
            if why == layout.MOSTLY_ODD:
                self.ledger.look_up(items)
            self.observe(run.offsets[begin:], items)
            if why == layout.MOSTLY_ODD and (is_beating or self._turns.note_python(run.rows)):
                self.settle()

    def _is_by_kernels(self) -> bool:
        """Return whether kernels can go on; the first time that they can, accounts become rows."""
        ledger = self.ledger
        if self.gauging.is_on or ledger.marks.is_alone or ledger.lone is not None:
            return False  # what gauges measure, Python takes from each record
        if ledger.ordinary is None and not self._are_kernels_ready():
            return False
        if ledger.ordinary is None:
            ledger.begin_rows()
            self.settle()
        return True

    def _observe_rows(self, run: RecordRun, skew: int) -> int:
        """Take the records of a run by kernels; return the place of the first that is left."""
        rows, ordinary = run.rows, self.ledger.begin_rows()
        count = len(rows)
        in_python = ordinary.arrays.in_python.copy()
        places = layout.room_for_places(count, has_models=self.outliers.scorer is not None)
        data, read = self._read_odd(run, places, skew)
        self._see(run, data, places, read, skew)
        if self._ended:
            self._close_ended()
        place = 0
        while place < count and self._is_by_kernels():
            self._tell_marks()
            place, why = decide.decide(ordinary.arrays, data, rows, places, place)
            ordinary.ids.changed()
            self._hear_marks()
            self._take_deferred(run, places, read, skew)
            if why == decide.CLOCK:
                ordinary.arrays.in_python[layout.CLOCK_GOES_ON] += 1
                self._take_one(run, place, read, skew)
                place += 1
            elif why == decide.DAY:
                self.ledger.open_day(self.ledger.calendar.day_of(int(rows[place]["event_time"])))
            elif why == decide.ROOM:
                ordinary.make_room()
            elif why not in {decide.END, decide.BEGUN}:
                self._learn(int(rows[place]["event_time"]), why)
        self._run_done(run.offsets[:place])
        self._seen = None
        self._turns.note(place, ordinary.arrays.in_python - in_python)
        return place

    # -- the models -------------------------------------------------------------------------------

    def _see(self, run: RecordRun, data: Bytes, places: RunPlaces, read: _Items, skew: int) -> None:
        """Let models see a run from here on, if there are any."""
        models, ordinary = self._known_models(), self.ledger.begin_rows()
        if models is None:
            return

        from monitor.engine.seen import SeenRun  # noqa: PLC0415 - loads the models

        def item_at(place: int) -> Transaction:
            (item,) = self._items_at(run, [place], read, skew)
            assert isinstance(item, Transaction), "a kernel has taken it in"
            return item

        self._seen = SeenRun(run, data, places, models, ordinary, item_at)

    def _known_models(self) -> "KnownModels | None":
        """Return what the arrays know of the models, which is all; None if there are none."""
        scorer, ordinary = self.outliers.scorer, self.ledger.ordinary
        if scorer is None or ordinary is None:
            return None
        if self._models is None or not self._models.is_same:
            from monitor.engine.seen import KnownModels  # noqa: PLC0415 - loads the models

            self._models = KnownModels(scorer, ordinary)
        self._models.learn()
        return self._models

    def _scored(self) -> list[Alert]:
        if self._seen is None:
            alerts = super()._scored()
            self._known_models()
            return alerts
        others = self.outliers.take_seen()
        if len(others) > len(self._seen.of_python):
            self._seen.of_python.append(self._place_now)
        found = self._seen.take(others)
        return [] if found is None else self.outliers.score_columns(*found)

    def _read_odd(self, run: RecordRun, places: RunPlaces, skew: int) -> tuple[Bytes, _Items]:
        """Say of the records that no kernel reads what they are; return the bytes with theirs."""
        rows = run.rows
        odd = np.flatnonzero(rows["state"] != ORDINARY).tolist()
        if not odd:
            return run.data, {}
        items = dict(zip(odd, run.judged_at(odd, skew), strict=True))
        rows["state"][odd] = REJECTED
        found = [(at, item) for at, item in items.items() if isinstance(item, Transaction)]
        if not found:
            return run.data, items
        of_item = [at for at, _ in found]
        rows["event_time"][of_item] = [item.event_time for _, item in found]
        rows["state"][of_item] = BY_ITSELF
        written = []
        for at, item in found:
            texts = _written(item)
            if texts:
                written.append((at, item, texts))
            else:
                places.account[at] = self.ledger.begin_rows().number_of(item.account_id)
        return _put_texts(run.data, rows, written), items

    @staticmethod
    def _items_at(
        run: RecordRun, places: Sequence[int], read: _Items, skew: int
    ) -> list[Transaction | Rejection]:
        """Return what some records are; `read` has those that Python has read already."""
        if not read:
            return run.judged_at(places, skew)
        rest = iter(run.judged_at([place for place in places if place not in read], skew))
        return [read[place] if place in read else next(rest) for place in places]

    # -- the watermark, which both go on with ------------------------------------------------------

    def _tell_marks(self) -> None:
        ledger, marks = self.ledger, self.ledger.marks
        ordinary = ledger.begin_rows()
        leader = ordinary.number_of(marks.leader)
        ordinary.ids.write()
        calendar, numbers = ledger.calendar, ordinary.arrays.numbers
        day_end = calendar.end_of(calendar.day_of(marks.time))
        first_open = (
            layout.NEVER
            if ledger.day_open_first is None
            else (calendar.start_of(ledger.day_open_first))
        )
        numbers[_MARKS] = leader, marks.first, marks.second, marks.time, marks.lead
        numbers[layout.CLOCK_MAX] = min(ledger.closes_next, day_end)
        numbers[layout.OFFSET_LAST] = max(ledger.offset_last, ledger.offset_recovered_last)
        numbers[layout.FIRST_OPEN] = first_open
        numbers[layout.ASKS_OWN] = ledger.asks_own
        numbers[layout.DEFERRED] = numbers[layout.RAISED_USED] = 0
        days_told_max = self.policies.review_days_least or layout.DAYS_WITHOUT_REVIEWS
        is_counting = self.reviews.is_counting  # what has closed is counted before more is told
        numbers[layout.DAYS_TOLD_MAX] = 0 if is_counting else days_told_max
        models = self._known_models()
        if models is not None:
            numbers[layout.MODEL_DAY] = models.scorer.day

    def _hear_marks(self) -> None:
        marks, ordinary = self.ledger.marks, self.ledger.begin_rows()
        leader, first, second, time, _ = ordinary.arrays.numbers[_MARKS].tolist()
        marks.leader, marks.first = ordinary.account_id(leader), first
        marks.second, marks.time = second, time

    # -- what Python decides ----------------------------------------------------------------------

    def _take_deferred(self, run: RecordRun, places: RunPlaces, read: _Items, skew: int) -> None:
        """Tell of what the kernel has raised, and decide on what it has left, in their order.

        Then make rows again.
        """
        ordinary = self.ledger.begin_rows()
        numbers = ordinary.arrays.numbers
        count, raised_count = numbers[[layout.DEFERRED, layout.RAISED_USED]].tolist()
        if not count and not raised_count:
            return
        raised: dict[int, list[_Raised]] = {}
        found = places.raised[:raised_count]
        by_field = [found[name].tolist() for name in ("place", "day_at", "bit", "totals")]
        for place, *of_limit in zip(*by_field, strict=True):
            raised.setdefault(place, []).append(tuple(of_limit))
        deferred = places.deferred[:count].tolist()
        asked = sorted([*deferred, *raised])
        items = dict(zip(asked, self._items_at(run, asked, read, skew), strict=True))
        self.ledger.look_up([items[place] for place in deferred])
        redelivered_last = max(self.ledger.offset_last, self.ledger.offset_recovered_last)
        accounts: dict[str, None] = {}
        of_deferred = zip(
            places.is_ahead[:count].tolist(), places.account[deferred].tolist(), strict=True
        )
        for place, item in items.items():
            offset = run.offsets[place]
            if place in raised:
                assert isinstance(item, Transaction), "a kernel has taken it in"
                self._tell_raised(offset, item, raised[place])
                continue
            self._place_now = place
            is_ahead, number = next(of_deferred)
            if isinstance(item, Rejection):
                self._set_aside(offset, item)
                continue
            accounts[item.account_id] = None
            ordinary.note_number(item.account_id, number)
            self.ledger.account(item.account_id)  # whatever is decided: it is no row any more
            if offset <= redelivered_last and self._is_included(offset, item):
                self._step.redelivered += 1
            else:
                self._take(offset, item, bool(is_ahead))
                if self._seen and len(self.outliers.seen_next) > len(self._seen.of_python):
                    self._seen.of_python.append(self._place_now)
        for account_id in accounts:
            self._make_rows(account_id)

    def _tell_raised(self, offset: int, item: Transaction, raised: Sequence[_Raised]) -> None:
        """Tell that a transaction, which a kernel has taken in, took its day over limits."""
        ordinary, open_days = self.ledger.begin_rows(), self.ledger.open_days
        for day_at, bit, totals in raised:
            account_day = ordinary.raised_day(day_at, item.account_id, totals, open_days)
            open_day = open_days[account_day.day]
            threshold = open_day.limits.deciding(*scope_of(account_day))[bit]
            cause = self._cause(offset, item)
            alert = tell(account_day.account, account_day, threshold, open_day.policy, cause)
            assert alert is not None, "nothing was told of it before"
            ordinary.told[day_at] = account_day.told
            self._step.alerts.append(alert)

    def _take_one(self, run: RecordRun, place: int, read: _Items, skew: int) -> None:
        """Decide on one record by which the clock goes on, as the other engine does."""
        (item,) = self._items_at(run, [place], read, skew)
        assert isinstance(item, Transaction)
        self.ledger.account(item.account_id)
        self._place_now = place
        self.observe([run.offsets[place]], [item])
        self._make_rows(item.account_id)

    def _make_rows(self, account_id: str) -> None:
        """Make rows of an account of which nothing is remarkable."""
        account = self.ledger.accounts.get(account_id)
        if account is None:
            return
        if not account.days and account.review is None:
            self.ledger.forget_if_empty(account)
        elif account_id not in self.reviews.uncounted:
            self.ledger.make_rows(account)

    def _learn(self, event_time: int, why: int) -> None:
        """Learn of limits that a record of some time meets first."""
        ledger, ordinary = self.ledger, self.ledger.begin_rows()
        if why == decide.KIND:
            ordinary.learn_kind(ledger.open_days[ledger.calendar.day_of(event_time)])
        else:
            ordinary.learn_watches()

    # -- what concerns many accounts --------------------------------------------------------------

    def policies_changed(self) -> None:
        """Decide every open day again by the policies in force now."""
        self.ledger.make_objects()
        super().policies_changed()
        self.ledger.know_days()
        self.settle()

    def attributes_changed(self, account_ids: Iterable[str]) -> None:
        """Decide the open days of accounts again by the attributes that they have now."""
        account_ids = list(account_ids)
        super().attributes_changed(account_ids)
        for account_id in account_ids:
            self._make_rows(account_id)

    def begin_rows_restored(self) -> RowsRestored | None:
        """Return what puts state back into rows, if kernels can go on by the watermark restored."""
        return RowsRestored(self.ledger) if self._is_by_kernels() else None

    def settle(self) -> None:
        """Make rows of all accounts of which nothing is remarkable."""
        if self.ledger.ordinary is not None and not self.gauging.is_on:
            for account_id in list(self.ledger.accounts):
                self._make_rows(account_id)


_MARKS: Final = [layout.LEADER, layout.FIRST, layout.SECOND, layout.TIME, layout.LEAD]


_TEXTS: Final = (
    layout.ID,
    layout.ACCOUNT,
    layout.COUNTERPARTY,
    layout.INSTITUTION,
    layout.CHANNEL,
    layout.SEGMENT,
    layout.REVERSES,
)
"""The texts of a record that kernels ask for."""


def _written(item: Transaction) -> tuple[bytes | None, ...]:
    """Return those texts of a transaction; none if Python is to decide on it.

    It decides where an id is not ASCII, as state counts its characters.
    """
    if (
        not item.transaction_id.isascii()
        or not item.account_id.isascii()
        or item.amount_minor >= layout.AMOUNT_MAX
    ):
        return ()
    texts = tuple(
        None if text is None else text.encode()
        for text in (
            item.transaction_id,
            item.account_id,
            item.counterparty_id,
            item.counterparty_institution,
            item.channel,
            item.segment,
            item.reverses,
        )
    )
    return texts if max(len(text or b"") for text in texts) <= decide.TEXT_MAX else ()


def _put_texts(
    data: Bytes, rows: Table, written: Sequence[tuple[int, Transaction, tuple[bytes | None, ...]]]
) -> Bytes:
    """Fill the rows of transactions that Python has read; return the bytes with their texts."""
    if not written:
        return data
    at = [place for place, _, _ in written]
    rows["state"][at] = READ
    rows["amount"][at] = [item.amount_minor for _, item, _ in written]
    rows["currency"][at] = [CURRENCY_NUMBER[item.currency] for _, item, _ in written]
    rows["is_credit"][at] = [item.direction == CREDIT for _, item, _ in written]
    lengths = np.array(
        [[NONE if text is None else len(text) for text in texts] for _, _, texts in written]
    )
    sizes = np.maximum(lengths, 0).ravel()
    starts = data.size + np.cumsum(sizes) - sizes
    places = starts.reshape(lengths.shape) - rows["value_at"][at][:, np.newaxis]
    for number, field in enumerate(_TEXTS):
        rows["length"][at, field] = lengths[:, number]
        rows["at"][at, field] = places[:, number]
    joined = b"".join(text for _, _, texts in written for text in texts if text is not None)
    made = np.concatenate([data, np.frombuffer(joined, np.uint8)])
    made.flags.writeable = False  # as the run's own: a kernel is compiled for each type
    return made
