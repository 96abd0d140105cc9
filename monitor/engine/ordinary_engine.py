"""The engine whose ordinary accounts stand in arrays: kernels take what is ordinary.

What is not, it decides as `Engine` does, on the same objects, so that is the law which this one is
held to. While there are models, or records of one account alone have come, all is decided so.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from monitor.core.transaction import Rejection, Transaction
from monitor.engine.engine import Engine
from monitor.engine.run import Run
from monitor.engine.step import Step
from monitor.ledger.ledger import BUCKETS, Ledger
from monitor.ordinary import decide, layout
from monitor.ordinary.layout import BY_ITSELF, NONE, ORDINARY, REJECTED, RunPlaces
from monitor.ordinary.ledger import OrdinaryLedger
from monitor.policy.policy import PolicyBook


class OrdinaryEngine(Engine):
    """An `Engine`, with `ordinary` accounts in arrays."""

    ledger: OrdinaryLedger

    def __init__(
        self, partition: int, policies: PolicyBook, buckets: int = BUCKETS, partitions: int = 1,
        are_kernels_ready: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        super().__init__(partition, policies, buckets, partitions)
        self._are_kernels_ready = are_kernels_ready

    def _new_ledger(self, buckets: int) -> Ledger:
        return OrdinaryLedger(self.partition, self.policies, buckets)

    def take_step(self) -> Step:
        """Return what came since the last call, and begin the next Step."""
        ordinary = self.ledger.ordinary
        if ordinary is not None:
            entries = ordinary.take_entries()
            self._step.transactions += len(entries)
            self._step.ahead += ordinary.take_ahead()
            self._step.entries += entries
            self._step.in_python.update(ordinary.take_in_python())
        return super().take_step()

    def observe_run(self, run: Run) -> None:
        """Take a run of records of this partition, in order."""
        skew = self.policies.calendar.clock_skew
        begin, count = 0, len(run.offsets)
        if self._is_by_kernels():
            run.judge_rows(skew)
            begin = self._observe_rows(run, skew)
        if begin < count:
            items = run.judged_at(range(begin, count), skew) if begin else run.judged(skew)
            self._step.in_python[layout.IN_PYTHON[layout.NO_KERNELS]] += count - begin
            self.observe(run.offsets[begin:], items)

    def _is_by_kernels(self) -> bool:
        """Return whether kernels can go on; the first time that they can, accounts become rows."""
        ledger = self.ledger
        if self.outliers.scorer is not None or ledger.marks.is_alone or ledger.lone is not None:
            return False
        if ledger.ordinary is None and not self._are_kernels_ready():
            return False
        if ledger.ordinary is None:
            ledger.begin_rows()
            self.settle()
        return True

    def _observe_rows(self, run: Run, skew: int) -> int:
        """Take the records of a run by kernels; return the place of the first that is left."""
        rows, ordinary = run.rows, self.ledger.begin_rows()
        count = len(rows)
        places = RunPlaces(
            np.full(count, NONE, np.int32), np.zeros(count, np.int64), np.zeros(count, np.uint8)
        )
        self._know_odd(run, places, skew)
        if self._ended:
            self._close_ended()
        place = 0
        while place < count and self._is_by_kernels():
            self._tell_marks()
            place, why = decide.decide(ordinary.arrays, run.data, rows, places, place)
            ordinary.kernels_went_on()
            self._hear_marks()
            self._take_deferred(run, places, skew)
            if why == decide.CLOCK:
                ordinary.arrays.in_python[layout.CLOCK_GOES_ON] += 1
                self._take_one(run, place, skew)
                place += 1
            elif why == decide.DAY:
                self.ledger.open_day(self.ledger.calendar.day_of(int(rows[place]["event_time"])))
            elif why == decide.ROOM:
                ordinary.make_room()
            elif why != decide.END:
                self._learn(run, places, place, why)
        self._run_done(run.offsets[:place])
        return place

    def _know_odd(self, run: Run, places: RunPlaces, skew: int) -> None:
        """Say of the records that no kernel reads what they are, and whose."""
        rows = run.rows
        odd = np.flatnonzero(rows["state"] != ORDINARY).tolist()
        if not odd:
            return
        for place, item in zip(odd, run.judged_at(odd, skew), strict=True):
            if isinstance(item, Rejection):
                rows["state"][place] = REJECTED
            else:
                rows["state"][place] = BY_ITSELF
                rows["event_time"][place] = item.event_time
                places.account[place] = self.ledger.begin_rows().number_of(item.account_id)

    # -- the watermark, which both go on with ------------------------------------------------------

    def _tell_marks(self) -> None:
        ledger, marks = self.ledger, self.ledger.marks
        ordinary = ledger.begin_rows()
        leader = ordinary.number_of(marks.leader)
        calendar, numbers = ledger.calendar, ordinary.arrays.numbers
        day_end = calendar.end_of(calendar.day_of(marks.time))
        first_open = layout.NEVER if ledger.day_open_first is None else (
            calendar.start_of(ledger.day_open_first)
        )  # fmt: skip
        numbers[_MARKS] = leader, marks.first, marks.second, marks.time, marks.lead
        numbers[layout.CLOCK_MAX] = min(ledger.closes_next, day_end)
        numbers[layout.OFFSET_LAST] = max(ledger.offset_last, ledger.offset_recovered_last)
        numbers[layout.FIRST_OPEN] = first_open
        numbers[layout.ASKS_OWN] = ledger.asks_own
        numbers[layout.DEFERRED] = 0

    def _hear_marks(self) -> None:
        marks, ordinary = self.ledger.marks, self.ledger.begin_rows()
        leader, first, second, time, _ = ordinary.arrays.numbers[_MARKS].tolist()
        marks.leader, marks.first = ordinary.account_id(leader), first
        marks.second, marks.time = second, time

    # -- what Python decides ----------------------------------------------------------------------

    def _take_deferred(self, run: Run, places: RunPlaces, skew: int) -> None:
        """Decide on the records that the kernel has left, in order; then make rows again."""
        count = int(self.ledger.begin_rows().arrays.numbers[layout.DEFERRED])
        if not count:
            return
        deferred = places.deferred[:count].tolist()
        offsets = [run.offsets[place] for place in deferred]
        items = run.judged_at(deferred, skew)
        redelivered_last = max(self.ledger.offset_last, self.ledger.offset_recovered_last)
        accounts: dict[str, None] = {}
        for offset, item, is_ahead in zip(
            offsets, items, places.is_ahead[:count].tolist(), strict=True
        ):
            if isinstance(item, Rejection):
                self._set_aside(offset, item)
                continue
            accounts[item.account_id] = None
            self.ledger.account(item.account_id)  # whatever is decided: it is no row any more
            if offset <= redelivered_last and self._is_included(offset, item):
                self._step.redelivered += 1
            else:
                self._take(offset, item, bool(is_ahead))
        for account_id in accounts:
            self._make_rows(account_id)

    def _take_one(self, run: Run, place: int, skew: int) -> None:
        """Decide on one record by which the clock goes on, as the other engine does."""
        (item,) = run.judged_at([place], skew)
        assert isinstance(item, Transaction)
        self.ledger.account(item.account_id)
        self.observe([run.offsets[place]], [item])
        self._make_rows(item.account_id)

    def _make_rows(self, account_id: str) -> None:
        """Make rows of an account; not while there are models, which ask for all as objects."""
        account = self.ledger.accounts.get(account_id)
        if account is None or self.outliers.scorer is not None:
            return
        if not account.days:
            self.ledger.forget_if_empty(account)
        elif account not in self.reviews.uncounted:
            self.ledger.make_rows(account)

    def _learn(self, run: Run, places: RunPlaces, place: int, why: int) -> None:
        """Learn of a limit that a record meets first."""
        ledger, row = self.ledger, run.rows[place]
        number = int(places.account[place])
        day = ledger.calendar.day_of(int(row["event_time"]))
        open_day = ledger.open_days[day]
        (item,) = run.judged_at([place], ledger.policies.calendar.clock_skew)
        assert isinstance(item, Transaction)
        ordinary = ledger.begin_rows()
        segment = ordinary.segment_number(item.segment)
        assert segment is not None, "the kernel has found its number"
        if segment == NONE:
            own = max(int(ordinary.arrays.accounts[number]["own"]), 0)
            segment = int(ordinary.arrays.own_segment[own])
        if why == decide.KIND:
            ordinary.learn_kind(open_day, segment, number)
        else:
            series = 2 * int(row["currency"]) + int(row["is_credit"])
            ordinary.learn_watches(open_day, segment, number, series)

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

    def settle(self) -> None:
        """Make rows of all accounts of which nothing is remarkable."""
        if self.ledger.ordinary is not None:
            for account_id in list(self.ledger.accounts):
                self._make_rows(account_id)


_MARKS: Final = [layout.LEADER, layout.FIRST, layout.SECOND, layout.TIME, layout.LEAD]
