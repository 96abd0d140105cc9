"""The same engine over a file: rows are dealt to partitions as the producer deals them."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from monitor.core.account import AccountDay, ClosedDay
from monitor.core.alert import Alert
from monitor.core.as_of import AsOf
from monitor.core.attributes import AttributeBook
from monitor.core.business_day import day_text
from monitor.core.transaction import Heartbeat, Reason, Rejection, Transaction, transaction_of
from monitor.engine.coverage import WithoutRate, currencies_seen, undecided, unwatched
from monitor.engine.engine import Engine, MakeEngine, Step, plain_engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.policy.policy import PolicyBook
from monitor.review.membership import Explanations, Verdicts
from monitor.systemic.alert import SystemicAlert
from monitor.systemic.detection import SystemicRun
from monitor.systemic.record import SegmentRecord, segment_records_of
from streams.feed.lateness import RowOrder, is_too_many, too_late_text
from streams.feed.reader import Batch
from streams.kafka.partitioner import dealer
from streams.replay.rows import rows_of
from streams.wire import codec, lines

if TYPE_CHECKING:
    from models.learner.warmth import Warmth


class RowRejection(NamedTuple):
    """A row that was set aside: where it stands in which file, why, and what it was."""

    rejection: Rejection
    file: str
    row: int
    record: bytes


class Run(NamedTuple):
    """Records of one partition in order: where each stands, and what it was decoded to."""

    partition: int
    offsets: Sequence[int]
    items: Sequence[Transaction | Rejection]


class Taken(NamedTuple):
    """A run that an engine took, and offsets of records that it decided on meanwhile.

    `waiting` are those of reversals that began to wait for their originals, `settled` of those
    that no longer do: a reversal that is rejected after it waited is in both and in `rejected`.
    """

    run: Run
    rejected: frozenset[int]
    waiting: frozenset[int]
    settled: frozenset[int]


class BatchReport(NamedTuple):
    """What a batch of rows made the engines tell, in the order in which they did.

    `closed_rows` are the records of account-days that stood in arrays; these have no order beside
    `account_days`. Engines with arrays leave `taken` empty.
    """

    alerts: list[Alert | SystemicAlert]
    rejections: list[RowRejection]
    account_days: list[ClosedDay]
    segment_days: list[SegmentRecord]
    taken: list[Taken]
    closed_rows: list[bytes]

    def account_day_records(self) -> list[bytes]:
        """Return the records of all closed account-days, by account and business day."""
        return sorted([*map(codec.closed_day_bytes, self.account_days), *self.closed_rows])


class Totals:
    """Counts of a run over files or of a stream, as `--json` prints them."""

    def __init__(self) -> None:
        self.transactions = 0
        self.alerts: Counter[tuple[str, str]] = Counter()
        self.rejections: Counter[str] = Counter()
        self.waiting = 0
        self.skipped = 0
        self.skips: Counter[str] = Counter()  # those that a format left out, by the reason
        self.ahead = 0
        self.unwatched: Counter[str] = (
            Counter()
        )  # transactions, by a currency that no limit watches
        self.undecided: Counter[WithoutRate] = Counter()  # transactions that have no rate
        self.unseen: list[str] = []  # currencies that limits name, and no transaction is in

    def fields(self, seconds: float) -> dict[str, object]:
        """Return the counts: records read, what became of them, and what was told.

        Reversals that still wait for their originals are among the transactions.
        """
        rejected = sum(self.rejections.values())
        return {
            "records": self.transactions + self.waiting + rejected,
            "transactions": self.transactions + self.waiting,
            "waiting": self.waiting,
            "skipped": self.skipped,
            "skipped_by_reason": dict(sorted(self.skips.items())),
            "duplicates": self.rejections[Reason.DUPLICATE.value],
            "rejected": rejected,
            "rejected_by_reason": dict(sorted(self.rejections.items())),
            "alerts": sum(self.alerts.values()),
            "alerts_by_kind_and_status": {
                f"{kind}/{status}": count for (kind, status), count in sorted(self.alerts.items())
            },
            "unwatched": dict(sorted(self.unwatched.items())),
            "unseen_currencies": self.unseen,
            "without_rate": {
                f"{currency} {day_text(day)}": count
                for (currency, day), count in sorted(self.undecided.items())
            },
            "seconds": round(seconds, 3),
            "ahead": self.ahead,
        }


def warning_of(totals: Totals, order: RowOrder) -> str | None:
    """Return what is to be said of too many late records, and why; None if there are few."""
    too_late = totals.rejections[Reason.TOO_LATE.value]
    records = totals.transactions + sum(totals.rejections.values())
    if not is_too_many(too_late, records):
        return None
    return too_late_text(too_late, records, order.likely_cause())


class Deal(NamedTuple):
    """What of a batch goes to one partition, in order: its place in the batch, and the record."""

    places: list[int]
    items: list[Transaction | Rejection]


class Replay:
    """Engines for every partition of a topic that is not there.

    `attributes` are those of all accounts: they share them. Rows that are dated ahead of `as_of`
    are rejected; None: none is. Engines with arrays take rows as columns, once kernels are loaded.
    """

    def __init__(
        self,
        policies: PolicyBook,
        partitions: int,
        attributes: AttributeBook | None = None,
        as_of: AsOf | None = None,
        make_engine: MakeEngine = plain_engine,
    ) -> None:
        self.totals = Totals()
        self._as_of = as_of
        self._order = RowOrder(policies.calendar.allowed_lateness)
        self._policies = policies
        self._deal = dealer(partitions)
        self._engines = [make_engine(number, policies, partitions) for number in range(partitions)]
        self._systemic = SystemicRun(policies, partitions)
        self._waiting: dict[tuple[int, int], tuple[str, int, bytes]] = {}  # by partition, offset
        self._takes_rows = any(isinstance(engine, OrdinaryEngine) for engine in self._engines)
        self._explanations = Explanations()
        if attributes is not None:
            for engine in self._engines:
                engine.ledger.attributes = attributes

    def observe(self, batch: Batch) -> BatchReport:
        """Take a batch of rows; return what came of it."""
        told = BatchReport([], [], [], [], [], [])
        self.totals.skipped += batch.skipped
        self.totals.skips.update(batch.skips)
        has_heartbeats = any(codec.is_heartbeat(value) for _, value in batch.raw)
        if self._takes_rows and lines.are_loaded() and not has_heartbeats:
            self._observe_rows(batch, told)
        else:
            self._observe_items(batch, told)
        # In a file all partitions stand at one place: one that is far behind has nothing in
        # between, and is not waited for.
        self._join(told, range(len(self._engines)))
        seen = currencies_seen(self._policies)
        self.totals.unseen = [currency for currency, is_seen in seen.items() if not is_seen]
        return told

    def _observe_rows(self, batch: Batch, told: BatchReport) -> None:
        """Take a batch as columns, by engines that can."""
        dealt = rows_of(batch, len(self._engines), self._deal, self._as_of)
        for engine in self._engines:
            first = engine.ledger.offset_last + 1
            run = dealt.run(engine.partition, first)
            if run is not None:
                engine.observe_run(run)
                _close_all(engine)
                step = self._take_step(engine, told)
                self._tell_rejections(step, batch, run.places, (engine.partition, first), told)
        self._order.take(batch.path, dealt.times)

    def _observe_items(self, batch: Batch, told: BatchReport) -> None:
        deals = [Deal([], []) for _ in self._engines]
        deal, times = self._deal, list[int]()
        for place, fields in enumerate(batch.rows):
            account_id = fields[1]
            to = deals[deal(account_id) if account_id else 0]
            self._append(to, place, transaction_of(fields), times)
        for place, (_, value) in enumerate(batch.raw, len(batch.rows)):
            item = codec.decode(value)
            if isinstance(item, Heartbeat):  # of every partition
                for to in deals:
                    self._append(to, place, item, times)
                continue
            to = deals[deal(item.account_id) if isinstance(item, Transaction) else 0]
            self._append(to, place, item, times)
        for engine, dealt in zip(self._engines, deals, strict=True):
            if dealt.items:
                first = engine.ledger.offset_last + 1
                offsets = range(first, first + len(dealt.items))
                run = Run(engine.partition, offsets, dealt.items)
                engine.observe(run.offsets, run.items)
                engine.settle()
                _close_all(engine)
                step = self._take_step(engine, told)
                told.taken.append(_taken(run, step))
                self._tell_rejections(step, batch, dealt.places, (engine.partition, first), told)
        self._order.take(batch.path, np.array(times, np.int64))

    def _append(
        self, to: Deal, place: int, item: Transaction | Rejection, times: list[int]
    ) -> None:
        if self._as_of is not None:
            item = self._as_of.judge(item)
        to.places.append(place)
        to.items.append(item)
        if isinstance(item, Transaction):
            times.append(item.event_time)

    def _tell_rejections(
        self,
        step: Step,
        batch: Batch,
        places: Sequence[int],
        start: tuple[int, int],
        told: BatchReport,
    ) -> None:
        """Tell of rejected rows; a reversal that waited may be one of a batch before.

        `places` are those of the rows that were dealt to a partition; `start` is its number, and
        the offset of the first of them.
        """
        waiting, (partition, first) = self._waiting, start
        for reversal in step.waiting:
            place = places[reversal.offset - first]
            file = batch.file_of(place).name
            waiting[partition, reversal.offset] = (file, *_record(batch, place))
        for offset, rejection in step.rejections:
            if (partition, offset) in waiting:
                name, number, record = waiting[partition, offset]
            else:
                place = places[offset - first]
                name = batch.file_of(place).name
                number, record = _record(batch, place)
            told.rejections.append(RowRejection(rejection, name, number, record))
        for offset in step.settled:
            del waiting[partition, offset]

    @property
    def warning(self) -> str | None:
        """What is to be said of too many late rows, and why; None if there are few."""
        return warning_of(self.totals, self._order)

    def warmth(self) -> "list[Warmth]":
        """Return how far the models of each partition are; nothing if no policy has a budget."""
        if not self._policies.reports_outliers:
            return []
        scorers = [engine.outliers.scorer for engine in self._engines]
        return [scorer.warmth() for scorer in scorers if scorer is not None]

    def observe_runs(self, runs: Sequence[Run], silent: Collection[int] = ()) -> BatchReport:
        """Take runs of partitions as a topic has them; `rejections` of what is returned is empty.

        Partitions that are `silent` (nothing more of them comes) are not waited for where they are
        far behind, see `Joining.ready`.
        """
        told = BatchReport([], [], [], [], [], [])
        for run in runs:
            self._observe(run, told)
        self._join(told, silent)
        return told

    @property
    def day_decided(self) -> int:
        """The last business day of which it was decided what its account-days mean; 0 for none."""
        return self._systemic.joining.decided

    def is_past(self, partition: int, offset: int) -> bool:
        """Return whether all that a partition tells by its records up to an offset was told."""
        engine = self._engines[partition]
        return bool(engine.ledger.offset_last >= offset) and not engine.has_closing_days

    def _join(self, told: BatchReport, silent: Collection[int]) -> None:
        """Decide the days that every partition has told of."""
        for record in told.segment_days:
            self._systemic.take(record)
        for decided in self._systemic.decide(silent):
            told.alerts.extend(decided.alerts)
            self._count_alerts(decided.alerts)
            for alert in decided.alerts:
                self._explanations.take(alert.fields())
            self._group(self._explanations.verdicts(decided.day), told)

    def _group(self, verdicts: Verdicts, told: BatchReport) -> None:
        """Let reviews leave out what incidents explain."""
        for engine in self._engines:
            engine.set_verdicts(verdicts)
            step = engine.take_step()
            self._count(step)
            told.alerts.extend(step.alerts)

    def open_account_days(self) -> Iterator[tuple[str, AccountDay]]:
        """Yield the account-days that were not handed on as closed, as they stand, by account."""
        for engine in self._engines:
            for account_id, account in engine.ledger.accounts.items():
                for account_day in account.days:
                    yield account_id, account_day

    def _observe(self, run: Run, told: BatchReport) -> None:
        engine = self._engines[run.partition]
        engine.observe(run.offsets, run.items)
        told.taken.append(_taken(run, self._take_step(engine, told)))

    def _take_step(self, engine: Engine, told: BatchReport) -> Step:
        step = engine.take_step()
        self._count(step)
        told.alerts.extend(step.alerts)
        told.account_days.extend(step.account_days)
        for written in step.closed_rows:
            told.closed_rows.extend(value for _, value in written.pairs())
        for of_day in step.segment_days:
            told.segment_days.extend(segment_records_of(engine.partition, of_day))
        return step

    def _count(self, step: Step) -> None:
        totals = self.totals
        totals.transactions += step.transactions
        totals.ahead += step.ahead
        totals.unwatched.update(unwatched(self._policies, step))
        totals.undecided.update(undecided(self._policies, step))
        totals.waiting += len(step.waiting) - len(step.settled)
        self._count_alerts(step.alerts)
        totals.rejections.update(rejection.reason.value for _, rejection in step.rejections)

    def _count_alerts(self, alerts: Sequence[Alert | SystemicAlert]) -> None:
        self.totals.alerts.update((alert.kind.value, alert.status.value) for alert in alerts)


def _close_all(engine: Engine) -> None:
    """Go on with the days that have closed until nothing is left: here nobody waits meanwhile.

    So the account-days of a batch do not depend on their order, which engines do not share.
    """
    while engine.has_closing_days:
        engine.close_account_days()


def _taken(run: Run, step: Step) -> Taken:
    return Taken(
        run,
        rejected=frozenset(offset for offset, _ in step.rejections),
        waiting=frozenset(reversal.offset for reversal in step.waiting),
        settled=frozenset(step.settled),
    )


def _record(batch: Batch, place: int) -> tuple[int, bytes]:
    """Return the number and the record of what stands at a place of a batch."""
    if place < len(batch.rows):
        return batch.numbers[place], codec.transaction_bytes(batch.rows[place])
    return batch.raw[place - len(batch.rows)]
