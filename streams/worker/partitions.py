"""The agent: hands each run to its partition, and flushes the partitions as they fill.

Nothing here decides. Any exception ends the process (`on_crash`): what was not acknowledged is
read again by whoever takes the partitions over.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import faust
from faust.types.tuples import TP

from monitor.core.business_day import day_text, event_time_text
from monitor.core.transaction import Rejection
from monitor.engine.coverage import currencies_seen, undecided, unwatched
from monitor.engine.engine import Step
from monitor.policy.policy import PolicyBook
from monitor.review.membership import NO_VERDICTS, Verdicts
from streams.exposition import Condition
from streams.feed.envelopes.mapped import Records
from streams.interpreter import free_forgotten
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox, Outgoing
from streams.log import SAYS
from streams.settings import Settings
from streams.topics.accounts import AccountsFollower
from streams.topics.catalog import Topics
from streams.traces import Traces
from streams.worker.app import StateTable
from streams.worker.builder import PartitionBuilder
from streams.worker.engines import engine_of
from streams.worker.idle import IdlePartitions
from streams.worker.lateness_log import LatenessLog
from streams.worker.metrics import Metrics
from streams.worker.partition import Partition
from streams.worker.transport import RunConsumer, Stand

_log = logging.getLogger(__name__)
_say = logging.getLogger(SAYS)

FLUSH_SHARE: Final = 10
"""A flush that took long puts the next one off by so many times its duration: with a great state
flushing takes at most a tenth of the time. Alerts do not wait for it."""

FLUSH_WAIT_SECONDS_MAX: Final = 15.0
"""But not longer: a flush may have taken long because the broker was away, and is quick again."""

FLUSH_TIMES_MAX: Final = 8
"""So many times WEIR_FLUSH_RECORDS wait at most: what comes fast must not flush a great state more
often than that, either."""

TICK_SECONDS: Final = 0.1

IDLE_LOOK_SECONDS: Final = 1.0
"""So often is looked whether a partition is idle."""


def in_turn(
    waiting: Iterable[tuple[float, int]], partitions: int, interval_seconds: float
) -> list[int]:
    """Return which partitions are flushed at a tick, of those that wait: (since when, number).

    They are as many as give each of all partitions its turn in an interval. If all of them were
    flushed at one tick, the records of all would wait for it.
    """
    count = math.ceil(partitions * min(TICK_SECONDS / interval_seconds, 1))
    return [number for _, number in sorted(waiting)[:count]]


def is_due(records: int, of_settings: int, since_seconds: float, took_seconds: float) -> bool:
    """Return whether so many records that wait are to be flushed, whatever the time is.

    They are, once they are as many as the settings say; but if the last flush took long, only when
    it was long ago enough, or when they are FLUSH_TIMES_MAX times as many.
    """
    if records < of_settings:
        return False
    wait = min(FLUSH_SHARE * took_seconds, FLUSH_WAIT_SECONDS_MAX)
    return since_seconds >= wait or records >= FLUSH_TIMES_MAX * of_settings


class Observed(NamedTuple):
    """What was seen of the partitions after so many assignments by the group.

    `unbuilt` are those whose records wait for an engine that is not put together yet.
    """

    assignments: int = 0
    assigned: frozenset[int] = frozenset()
    unbuilt: frozenset[int] = frozenset()


class Agents:
    """The partitions that this worker has, and what keeps them going."""

    def __init__(  # noqa: PLR0913 - what they stand on, each by itself
        self,
        settings: Settings,
        app: faust.App,
        table: StateTable,
        outbox: Outbox,
        *,
        records: Records,
        metrics: Metrics,
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self.partitions: dict[int, Partition] = {}
        self.observed = Observed()
        self.offsets_taken: dict[int, int] = {}
        self._decided_at = time.monotonic()
        self._settings = settings
        self._topics = Topics.of(settings)
        self.accounts = AccountsFollower(
            cluster_of(settings),
            self._topics.accounts,
            self.attributes_changed,
            self.account_rejected,
            0 if settings.transactions_map is None else settings.partitions,
        )
        self._app = app
        self._table = table
        self._outbox = outbox
        self._records, self._metrics = records, metrics
        self.traces = Traces(settings)
        self._is_freeing = False
        self._builder = PartitionBuilder(settings, app, table, outbox, metrics, self.traces)
        table.on_left = self._left
        self._on_crash = on_crash
        self._policies: PolicyBook | None = None
        self._flush_interval_seconds = settings.flush_seconds
        self._warned: set[object] = set()
        self._currencies_known = (0, -1)
        self._currencies_seen: set[str] = set()  # by any policy: another one forgets them
        self._limits_waiting: dict[int, dict[str, int]] = {}  # by the number of the partition
        self._verdicts = NO_VERDICTS
        self._generation = -1
        self._flushed_at: dict[int, float] = {}
        self._looked_at: dict[int, float] = {}  # when the timer's turn was, whatever came of it
        self._flush_seconds: dict[int, float] = {}
        self._flushes: dict[int, asyncio.Task[None]] = {}
        self._lateness = LatenessLog()
        self._idle = IdlePartitions(self._write_heartbeat)

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions that this worker had when it was looked last."""
        return self.observed.assigned

    @property
    def progress_at(self) -> float:
        """When a run was decided last, or state was read (recovery gets on, too)."""
        read_at = max(self._table.read_at, self.accounts.read_at, self._records.waited_at)
        return max(self._decided_at, read_at)

    def begin(self, policies: PolicyBook) -> None:
        """Set the policies that decide; needed before the first record comes."""
        self._policies = policies

    async def monitor(self, stream: Any) -> None:  # noqa: ANN401 - Faust's stream
        """Take each run of the stream; acknowledging is the flush's."""
        async for event in stream.noack().events():
            message = event.message
            try:
                # No name is kept for the partition: it would outlive the partition here.
                await self._take(
                    await self._partition(message.partition, message.generation_id), event
                )
            except Exception as error:  # noqa: BLE001 - not passed over: the process ends, and replays
                self._on_crash(error)
                return

    async def _partition(self, number: int, generation: int) -> Partition:
        if generation != self._generation:
            self._generation = generation
            self._keep_settled(generation)
        partition = self.partitions.get(number)
        if partition is None:
            await self._builder.prepare(number)
            attributes = await self.accounts.book(number)  # all that was said before we decide
            # From here on nothing waits: what is said of policies, verdicts and accounts reaches
            # the engine now, or the partition later.
            assert self._policies is not None
            engine = engine_of(self._settings, number, self._policies)
            engine.ledger.attributes = attributes
            engine.reviews.restore_verdicts(self._verdicts)
            partition = self._builder.build(engine, generation)
            self.partitions[number] = partition
        return partition

    def _keep_settled(self, generation: int) -> None:
        """After a rebalance: go on with partitions that nobody else wrote meanwhile."""
        assigned = {
            tp.partition
            for tp in self._app.consumer.assignment()
            if tp.topic == self._topics.transactions
        }
        self.accounts.want(assigned)
        for number, partition in tuple(self.partitions.items()):
            is_ours = number in assigned and partition.is_settled
            if is_ours and not self._is_behind(partition):
                partition.go_on(generation)
            else:
                self._forget(number)
                self._builder.note_partly_kept(number)
        self._metrics.rebalances.inc()

    def _is_behind(self, partition: Partition) -> bool:
        """Return whether the group has committed what a partition has not decided.

        Our own last seal may stand behind what another worker wrote: Faust passes that over then.
        """
        consumer = self._app.consumer
        assert isinstance(consumer, RunConsumer)
        committed = consumer.committed(TP(self._topics.transactions, partition.number))
        return (committed or 0) > partition.engine.ledger.offset_last + 1

    def _left(self, number: int) -> None:
        """Forget a partition that another worker has now, and what is known of its state."""
        self._forget(number)
        self._builder.note_left(number)

    def _forget(self, number: int) -> None:
        if self.partitions.pop(number, None) is not None:
            self._metrics.forget_partition(number)
            if not self._is_freeing:
                self._is_freeing = True
                asyncio.get_running_loop().call_soon(self._free)

    def _free(self) -> None:
        self._is_freeing = False
        free_forgotten()

    async def _take(self, partition: Partition, event: Any) -> None:  # noqa: ANN401 - Faust's event
        started = time.perf_counter()
        run = await self._records.read(event.value)
        records, unaccounted = partition.completeness.records, partition.completeness.unaccounted
        step = await partition.take(event, run)
        label = str(partition.number)
        counted = partition.completeness.records - records
        self._metrics.received.labels(label).inc(counted - step.heartbeats - step.left_out)
        self._metrics.heartbeats.labels(label).inc(step.heartbeats)
        self._metrics.left_out.labels(label).inc(step.left_out)
        if partition.completeness.unaccounted > unaccounted:
            self._note_unaccounted(partition, partition.completeness.unaccounted - unaccounted)
        # First: what waits no more must not be counted twice, not even for a moment.
        self._metrics.reversals_waiting.labels(label).set(partition.engine.ledger.reversals_waiting)
        seconds = time.perf_counter() - started
        self._count(step, len(run.offsets), seconds)
        self.traces.note(
            "weir.run",
            seconds,
            {
                "weir.partition": partition.number,
                "weir.records": len(run.offsets),
                "weir.alerts": len(step.alerts),
                "weir.rejections": len(step.rejections),
            },
        )
        self.offsets_taken[partition.number] = event.message.offset
        self._idle.note_record(partition.number)
        self._decided_at = time.monotonic()
        event.value.clear()  # it waits for its flush, and what it brought need not
        number, pending = partition.number, partition.records_pending
        since = self._decided_at - self._flushed_at.get(number, 0.0)
        took = self._flush_seconds.get(number, 0.0)
        if is_due(pending, self._settings.flush_records, since, took):
            flush = self._flushes.get(number)
            if flush is not None and not flush.done():
                if pending < FLUSH_TIMES_MAX * self._settings.flush_records:
                    return
                await flush  # many times as much waits as a flush takes: let it catch up
            self._start_flush(partition)

    def _count(self, step: Step, records: int, seconds: float) -> None:
        metrics = self._metrics
        metrics.run_duration.observe(seconds)
        metrics.run_records.observe(records)
        self._observe_currencies()  # before they count: who sees transactions sees their currencies
        metrics.transactions.inc(step.transactions)
        self._count_unwatched(step)
        metrics.redeliveries.inc(step.redelivered)
        metrics.ahead.inc(step.ahead)
        for reason, count in step.in_python.items():
            metrics.in_python.labels(reason).inc(count)
        self._count_told(step)
        for _, rejection in step.rejections:
            metrics.rejections.labels(rejection.reason.value).inc()
        self._lateness.take(step, time.monotonic())

    def _note_unaccounted(self, partition: Partition, records: int) -> None:
        """Say that the engine made nothing of records: a fault of ours."""
        self._metrics.unaccounted.labels(str(partition.number)).inc(records)
        said = "partition %d: %d records up to offset %d were neither decided, rejected nor skipped"
        _log.error(said, partition.number, records, partition.completeness.counted_to - 1)

    def _observe_currencies(self) -> None:
        """Note which currencies of limits have come, if that has changed."""
        if self._policies is None:
            return
        seen_in = [len(limits.seen) for limits in self._policies.limit_sets]
        known = len(seen_in), sum(seen_in)
        if known != self._currencies_known:
            self._currencies_known = known
            for currency, is_seen in currencies_seen(self._policies).items():
                if is_seen:
                    self._currencies_seen.add(currency)
                seen = self._metrics.limit_currency_seen.labels(currency)
                seen.set(currency in self._currencies_seen)
                self._metrics.unwatched.labels(currency)  # at 0, so that rates see the first one

    def _count_unwatched(self, step: Step) -> None:
        assert self._policies is not None
        for currency, count in unwatched(self._policies, step).items():
            counted = "transactions so far, all are counted in weir_unwatched_transactions_total"
            self._warn_once(currency, f"no limit watches %s: %d {counted}", currency, count)
            self._metrics.unwatched.labels(currency).inc(count)
        for (currency, day), count in undecided(self._policies, step).items():
            said = "no rate of %s on %s, limits on all currencies are undecided: %d transactions"
            where = "so far, all are counted in weir_undecided_transactions_total"
            self._warn_once((currency, day), f"{said} {where}", currency, day_text(day), count)
            self._metrics.undecided.labels(currency).inc(count)

    def _warn_once(self, what: object, said: str, *values: str | int) -> None:
        """Say of a currency, or of one on a business day, what is to be known of it."""
        if what not in self._warned:
            self._warned.add(what)
            _say.warning(said, *values)

    def _count_told(self, step: Step) -> None:
        self._metrics.account_days_closed.inc(step.account_days_closed)
        self._metrics.segment_days_told.inc(sum(map(len, step.segment_days)))
        for alert in step.alerts:
            self._metrics.alerts.labels(alert.kind.value, alert.status.value).inc()
            if alert.suppressed is not None:
                self._metrics.alerts_suppressed.labels(alert.kind.value, alert.status.value).inc()

    # -- flushing ---------------------------------------------------------------------------------

    def _start_flush(self, partition: Partition) -> None:
        """Flush in the background, while the next runs are decided; one at a time a partition."""
        flush = self._flushes.get(partition.number)
        if flush is None or flush.done():
            self._flushes[partition.number] = asyncio.create_task(self._flush_one(partition))

    async def _flush_one(self, partition: Partition) -> None:
        # Else closed days are gone on with by turns, which holds nothing up.
        is_late = partition.records_pending >= FLUSH_TIMES_MAX * self._settings.flush_records
        try:
            flushed = await partition.flush(is_late=is_late)
        except Exception as error:  # noqa: BLE001 - not passed over: the process ends, and replays
            self._on_crash(error)
            return
        if flushed is None:
            return
        if flushed.told is not None:
            self._count_told(flushed.told)
        self._flushed_at[partition.number] = time.monotonic()
        self._flush_seconds[partition.number] = flushed.seconds
        _log.debug(
            "partition %d: flushed %d records in %.3f s",
            partition.number,
            flushed.records,
            flushed.seconds,
        )
        self.traces.note(
            "weir.flush",
            flushed.seconds,
            {
                "weir.partition": partition.number,
                "weir.records": flushed.records,
                "weir.bytes": flushed.bytes,
            },
            flushed.steps,
        )
        self._metrics.flush_duration.observe(flushed.seconds)
        self._metrics.flush_bytes.inc(flushed.bytes)
        self._metrics.last_flush.set_to_current_time()
        self._note_sealed(partition)

    def _note_sealed(self, partition: Partition) -> None:
        """Tell Faust's recovery how far our own writes reach: it need not read them back.

        Not if records of others stand between them: those are read after the next rebalance.
        """
        if partition.sealed_at is not None:
            tp = TP(self._topics.changelog, partition.number)
            offsets = self._app.tables.recovery.active_offsets  # type: ignore[attr-defined]  # of the manager
            if offsets.get(tp) == partition.sealed_at - partition.records_of_seal:
                offsets[tp] = partition.sealed_at

    async def keep_flushing(self) -> None:
        """Flush each partition when its time has come, until cancelled."""
        while True:
            await asyncio.sleep(min(TICK_SECONDS, self._flush_interval_seconds))
            await self._flush_due()

    async def _flush_due(self) -> None:
        for partition in self._due():
            self._looked_at[partition.number] = time.monotonic()
            await self._tick(partition)
            self._start_flush(partition)

    def _due(self) -> list[Partition]:
        """Return the partitions to be flushed at this tick."""
        now, interval = time.monotonic(), self._flush_interval_seconds
        is_awaited = self._app.rebalancing  # goes on only once all that was taken is flushed
        waiting: list[tuple[float, int]] = []
        for number, partition in self.partitions.items():
            long = FLUSH_SHARE * self._flush_seconds.get(number, 0.0)
            flushed_at = self._flushed_at.get(number, 0.0)
            # A flush that wrote nothing, because a day is closing, must not put off the next.
            had_turn_at = max(flushed_at, self._looked_at.get(number, 0.0))
            is_time = is_awaited or now - flushed_at >= min(long, FLUSH_WAIT_SECONDS_MAX)
            if partition.is_current() and is_time and now - had_turn_at >= interval:
                waiting.append((had_turn_at, number))
        turns = in_turn(waiting, len(self.partitions), interval)
        return [self.partitions[number] for number in turns]

    async def _tick(self, partition: Partition) -> None:
        """Let a partition do what needs no record; others may go on between two of its pieces."""
        is_closing = True
        while is_closing and partition.is_current():
            try:
                step = await partition.tick()
            except Exception as error:  # noqa: BLE001 - not passed over: the process ends, and replays
                self._on_crash(error)
                return
            self._count_told(step)
            is_closing = partition.engine.is_closing
            await asyncio.sleep(0)

    async def keep_closing_idle(self) -> None:
        """Write heartbeats to partitions that rest, if the policy asks for it, until cancelled."""
        while True:
            await asyncio.sleep(IDLE_LOOK_SECONDS)
            assigned = self.assigned
            self._idle.forget(assigned)
            after = None if self._policies is None else self._policies.idle_closes_after
            if after is None or self._app.rebalancing or self._app.in_recovery:
                continue
            for number in sorted(assigned):
                await self._close_if_idle(number, after)

    async def _close_if_idle(self, number: int, after: int) -> None:
        partition = self.partitions.get(number)
        if self._is_at_end(number):
            ledger = None if partition is None else partition.engine.ledger
            await self._idle.look(number, ledger, after)

    def _is_at_end(self, number: int) -> bool:
        """Return whether no record of a partition waits, for us or for the end of a transaction."""
        stand = self._stand(number)
        return stand is not None and stand.position >= stand.end >= stand.highwater

    async def _write_heartbeat(self, number: int, record: Outgoing) -> None:
        await self._outbox.write(self._topics.transactions, number, [record])

    def hurry(self) -> None:
        """Flush at every tick from now on: a graceful stop waits for what is not acknowledged."""
        for partition in self.partitions.values():
            partition.completeness.hurry()
        self._flush_interval_seconds = 0.02
        self._flush_seconds.clear()

    async def end_flushes(self, seconds_max: float) -> None:
        """Wait for what is still being written: with no record pending there may be counts to tell.

        What is not done by then is given up: state without it is whole, and they are told again.
        """
        flushes = [flush for flush in self._flushes.values() if not flush.done()]
        if flushes:
            _, left = await asyncio.wait(flushes, timeout=seconds_max)
            for flush in left:
                flush.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    # -- policies, attributes and gauges ----------------------------------------------------------

    def policies_changed(self) -> None:
        """Decide every open day anew; what comes of it is told at the next tick."""
        for partition in self.partitions.values():
            partition.changes.note_policies()

    def verdicts_changed(self, verdicts: Verdicts) -> None:
        """Let reviews leave out what systemic alerts explain, from the next tick on."""
        self._verdicts = verdicts
        for partition in self.partitions.values():
            partition.changes.note_verdicts(verdicts)

    def attributes_changed(self, partition: int, account_id: str) -> None:
        """Decide the open days of an account anew; what comes of it is told at the next tick."""
        self._metrics.account_changes.inc()
        if partition in self.partitions:
            self.partitions[partition].changes.note_account(account_id)

    def account_rejected(self, rejection: Rejection) -> None:
        """Count a record of the accounts topic that cannot be used."""
        self._metrics.account_rejections.labels(rejection.reason.value).inc()

    def observe_gauges(self) -> None:
        """Note what is measured by looking: lag, state size, assignment."""
        metrics, consumer = self._metrics, self._app.consumer
        assert isinstance(consumer, RunConsumer)
        assigned = frozenset(
            tp.partition for tp in consumer.assignment() if tp.topic == self._topics.transactions
        )
        unbuilt = frozenset(filter(self._waits_for_engine, assigned))
        self.observed = Observed(consumer.assignments, assigned, unbuilt)
        metrics.partitions_assigned.set(len(assigned))
        for number in assigned:  # at 0, so that a partition without records is seen to have none
            metrics.received.labels(str(number))
            metrics.unaccounted.labels(str(number))
        self._observe_currencies()
        for number, partition in self.partitions.items():
            if number not in assigned:
                metrics.forget_partition(number)  # the worker that has it now tells of it
                continue
            label = str(number)
            engine = partition.engine
            metrics.state_accounts.labels(label).set(engine.ledger.count_accounts())
            metrics.state_bytes.labels(label).set(partition.state_bytes)
            metrics.accounts_known.labels(label).set(len(engine.ledger.attributes.known))
            metrics.systemic_behind.labels(label).set(engine.reviews.days_undecided)
            metrics.state_open_transactions.labels(label).set(engine.ledger.open_transactions())
            metrics.reversals_waiting.labels(label).set(engine.ledger.reversals_waiting)
            for table, count in engine.names_held().items():
                metrics.names_held.labels(label, table).set(count)
            for table, count in engine.names_counted_as_others().items():
                metrics.names_beyond.labels(label, table).set(count)
            scorer = engine.outliers.scorer
            if scorer is not None:
                warmth = scorer.warmth()
                metrics.models_warm.labels(label).set(warmth.is_warm)
                for kind, tail in warmth.tails().items():
                    metrics.tail_scores.labels(label, kind).set(tail.scores)
                metrics.outliers_held_back.labels(label).set(scorer.learner.held_back)
            told = partition.completeness.told
            metrics.not_monitored_records.labels(label).set(told.records if told else 0)
            metrics.not_monitored_at.labels(label).set(told.at if told else 0)
            self._note_limits_waiting(number, engine.gauging.waiting())
            metrics.held_back.labels(label).set(engine.ledger.marks.held_back / 1_000_000)
            self._lateness.note_held_back(number, engine.ledger.marks)
            if engine.ledger.clock is not None:
                lag = time.time() - engine.ledger.clock / 1_000_000
                metrics.event_time_lag.labels(label).set(lag)
            self._observe_lag(number, engine.ledger.offset_last)

    def _note_limits_waiting(self, number: int, waiting: dict[str, int]) -> None:
        """Say of each limit that a later policy brought from when on it decides."""
        self._metrics.limits_waiting.labels(str(number)).set(len(waiting))
        for limit_id, begins in waiting.items() - self._limits_waiting.get(number, {}).items():
            said = "partition %d: limit %s decides from %s on, its first period measured whole"
            _say.info(said, number, limit_id, event_time_text(begins))
        self._limits_waiting[number] = waiting

    def readiness(self) -> Condition:
        """Return whether this worker has joined its group and can decide on what it was given."""
        observed, app = self.observed, self._app
        if not observed.assignments:
            return Condition(is_ok=False, says="the worker has not joined its group yet")
        assert isinstance(app.consumer, RunConsumer)
        if app.rebalancing or app.consumer.assignments != observed.assignments:
            return Condition(is_ok=False, says="the group distributes its partitions")
        if app.in_recovery:
            return Condition(is_ok=False, says="state is being read from the changelog")
        if observed.unbuilt:
            numbers = ", ".join(map(str, sorted(observed.unbuilt)))
            return Condition(is_ok=False, says=f"partitions are being put together: {numbers}")
        if not observed.assigned:
            return Condition(is_ok=True, says="none: the other workers of the group have all")
        return Condition(is_ok=True, says=", ".join(map(str, sorted(observed.assigned))))

    def _waits_for_engine(self, number: int) -> bool:
        """Return whether a partition has records, or may have, and no engine to decide on them.

        An engine is put together for the first record: without one there is nothing to wait for.
        """
        if number in self.partitions:
            return False
        stand = self._stand(number)
        return stand is None or stand.position < stand.end

    def _stand(self, number: int, offset_last: int = -1) -> Stand | None:
        """Return where a partition stands; `offset_last` was decided if no run has come yet."""
        consumer = self._app.consumer
        assert isinstance(consumer, RunConsumer)
        taken = self.offsets_taken.get(number, offset_last)
        return consumer.stand(TP(self._topics.transactions, number), taken)

    def _observe_lag(self, number: int, offset_last: int) -> None:
        """Note how many records of a partition wait: for us, or for the end of a transaction."""
        stand = self._stand(number, offset_last)
        if stand is not None and stand.highwater:
            metrics, label = self._metrics, str(number)
            metrics.consumer_lag.labels(label).set(max(stand.end - stand.position, 0))
            metrics.uncommitted.labels(label).set(stand.highwater - stand.end)
