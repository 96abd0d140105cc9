"""The same engine over a file: rows are dealt to partitions as the producer deals them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from monitor.core.account import AccountDay, ClosedDay
from monitor.core.alert import Alert
from monitor.core.as_of import AsOf
from monitor.core.attributes import AttributeBook
from monitor.core.business_day import event_time_text
from monitor.core.noted_day import Grouped
from monitor.core.transaction import Reason, Rejection, Transaction, transaction_of
from monitor.engine import Engine, Step
from monitor.policy import PolicyBook
from monitor.segment_record import SegmentRecord, segment_records_of
from monitor.systemic_alert import SystemicAlert
from monitor.systemic_run import SystemicRun, grouped_by
from streams import codec
from streams.dealing import dealer
from streams.feed import Batch
from streams.row_order import RowOrder, is_too_many, too_late_text


class RowRejection(NamedTuple):
    """A row that was set aside: where it stands in which file, why, and what it was."""

    rejection: Rejection
    file: str
    row: int
    record: bytes


class Told(NamedTuple):
    """What a batch of rows made the engines tell, in the order in which they did."""

    alerts: list[Alert | SystemicAlert]
    rejections: list[RowRejection]
    account_days: list[ClosedDay]
    segment_days: list[SegmentRecord]


class Totals:
    """Counts of a run over files or of a stream, as `--json` prints them."""

    def __init__(self) -> None:
        self.transactions = 0
        self.alerts: Counter[tuple[str, str]] = Counter()
        self.rejections: Counter[str] = Counter()
        self.skipped = 0
        self.ahead = 0

    def fields(self, seconds: float) -> dict[str, object]:
        """Return the counts: records read, what became of them, and what was told."""
        rejected = sum(self.rejections.values())
        return {
            "records": self.transactions + rejected,
            "transactions": self.transactions,
            "skipped": self.skipped,
            "duplicates": self.rejections[Reason.DUPLICATE.value],
            "rejected": rejected,
            "rejected_by_reason": dict(sorted(self.rejections.items())),
            "alerts": sum(self.alerts.values()),
            "alerts_by_kind_and_status": {
                f"{kind}/{status}": count for (kind, status), count in sorted(self.alerts.items())
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
    are rejected; None: none is.
    """

    def __init__(
        self,
        policies: PolicyBook,
        partitions: int,
        attributes: AttributeBook | None = None,
        as_of: AsOf | None = None,
    ) -> None:
        self.totals = Totals()
        self._as_of = as_of
        self._order = RowOrder(policies.calendar.allowed_lateness)
        self._deal = dealer(partitions)
        self._engines = [
            Engine(number, policies, partitions=partitions) for number in range(partitions)
        ]
        self._systemic = SystemicRun(policies, partitions)
        self._grouped: dict[str, set[Grouped]] = {}
        if attributes is not None:
            for engine in self._engines:
                engine.attributes = attributes

    def observe(self, batch: Batch) -> Told:
        """Take a batch of rows; return what came of it."""
        deals = [Deal([], []) for _ in self._engines]
        deal, times = self._deal, list[int]()
        for place, fields in enumerate(batch.rows):
            account_id = fields[1]
            to = deals[deal(account_id) if account_id else 0]
            self._append(to, place, transaction_of(fields), times)
        for place, (_, value) in enumerate(batch.raw, len(batch.rows)):
            item = codec.decode(value)
            to = deals[deal(item.account_id) if isinstance(item, Transaction) else 0]
            self._append(to, place, item, times)
        told = Told([], [], [], [])
        self.totals.skipped += batch.skipped
        for engine, dealt in zip(self._engines, deals, strict=True):
            if dealt.items:
                self._observe(engine, batch, dealt, told)
        self._order.take(batch.path, times)
        self._join(told)
        return told

    def _append(
        self, to: Deal, place: int, item: Transaction | Rejection, times: list[int]
    ) -> None:
        if self._as_of is not None:
            item = self._as_of.judge(item)
        to.places.append(place)
        to.items.append(item)
        if isinstance(item, Transaction):
            times.append(item.event_time)

    @property
    def warning(self) -> str | None:
        """What is to be said of too many late rows, and why; None if there are few."""
        return warning_of(self.totals, self._order)

    def _join(self, told: Told) -> None:
        """Decide the days that every partition has told of; in a file all stand at one place.

        So one that is far behind has nothing in between, and is not waited for.
        """
        for record in told.segment_days:
            self._systemic.take(record)
        for decided in self._systemic.decide(silent=range(len(self._engines))):
            told.alerts.extend(decided.alerts)
            self._count_alerts(decided.alerts)
            self._group(decided.alerts, told)

    def _group(self, alerts: Sequence[SystemicAlert], told: Told) -> None:
        """Let reviews leave out what the alerts explain, from here on."""
        for alert in alerts:
            self._grouped[alert.alert_id] = grouped_by(alert.fields())
        if alerts:
            entries = {entry for of in self._grouped.values() for entry in of}
            for engine in self._engines:
                engine.set_grouped(entries)
                step = engine.take_step()
                self._count(step)
                told.alerts.extend(step.alerts)

    def open_account_days(self) -> Iterator[tuple[str, AccountDay]]:
        """Yield the account-days that were not handed on as closed, as they stand, by account."""
        for engine in self._engines:
            for account_id, account in engine.accounts.items():
                for account_day in account.days:
                    yield account_id, account_day

    def _observe(self, engine: Engine, batch: Batch, dealt: Deal, told: Told) -> None:
        first = engine.offset_last + 1
        engine.observe(range(first, first + len(dealt.items)), dealt.items)
        step = engine.take_step()
        self._count(step)
        told.alerts.extend(step.alerts)
        told.account_days.extend(step.account_days)
        for of_day in step.segment_days:
            told.segment_days.extend(segment_records_of(engine.partition, of_day))
        for offset, rejection in step.rejections:
            number, record = _record(batch, dealt.places[offset - first])
            told.rejections.append(RowRejection(rejection, batch.path.name, number, record))

    def _count(self, step: Step) -> None:
        totals = self.totals
        totals.transactions += step.transactions
        totals.ahead += step.ahead
        self._count_alerts(step.alerts)
        totals.rejections.update(rejection.reason.value for _, rejection in step.rejections)

    def _count_alerts(self, alerts: Sequence[Alert | SystemicAlert]) -> None:
        self.totals.alerts.update((alert.kind.value, alert.status.value) for alert in alerts)


def _record(batch: Batch, place: int) -> tuple[int, bytes]:
    """Return the number and the record of what stands at a place of a batch."""
    if place < len(batch.rows):
        return batch.numbers[place], codec.transaction_bytes(batch.rows[place])
    return batch.raw[place - len(batch.rows)]


def records_of(batch: Batch) -> Iterator[tuple[str | None, bytes, str | None]]:
    """Yield account id (None where a record names none), record and booked_at of each row, to send.

    In the order in which `Replay` takes them, so that a stream and a replay give one answer.
    """
    for fields in batch.rows:
        yield fields[1] or None, codec.transaction_bytes(fields), fields[2]
    for _, value in batch.raw:
        item = codec.decode(value)
        if isinstance(item, Transaction):
            yield item.account_id, value, event_time_text(item.event_time)
        else:
            yield None, value, None
