"""A stream of made transactions, workers to which something happens, and the reckoning."""

import asyncio
import json
import random
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from itertools import count, islice
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import RetriableError

from monitor.core.alert import Kind
from monitor.engine.engine import plain_engine
from monitor.policy.policy import Policy, PolicyBook
from monitor.population.rows import Row
from streams.feed.reader import Batch
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Dispatch, Outbox, Outgoing
from streams.kafka.reader import records_of_topic
from streams.lab.broker import free_port
from streams.lab.drills.figures import Figures, Lateness, Standstill, lateness_of
from streams.lab.drills.rows import CLOSING_ACCOUNTS, batch_of, closing_batch, drill_rows
from streams.lab.recount import (
    DayKey,
    DayTotals,
    Discrepancies,
    Recount,
    compare_alerts,
    compare_days,
    totals_of,
)
from streams.lab.rig import WorkerProcess, taken_in, total_of
from streams.send.transactions import SLICE_RECORDS, dealt_slices
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.wire.codec import alert_bytes
from streams.wire.columns import read_run

POLL_SECONDS: Final = 0.1
SENDING_SECONDS_MAX: Final = 600.0
STARTED_SECONDS_MAX: Final = 300.0
STILL_SECONDS: Final = 2.0
"""All is told if every day is closed, and for so long nothing more was told."""

COMMITTED_SECONDS_MAX: Final = 400.0
LATE_SECONDS: Final = 5.0
"""By which the alert rules judge, too."""

SLICES_A_SECOND: Final = 5

WATCH_SECONDS: Final = 0.2
"""Between two looks at the partitions that a worker decides on."""

BEFORE_FAILURE_SECONDS: Final = (0.3, 3.0)
"""A worker works so long, at random, after its first decision."""


class Drill:
    """A stream of made transactions, workers to which something happens, and the reckoning.

    At least so many `transactions` are sent, and more where what happens to the workers takes
    longer: no moment of it is without load. `say` is told what happens; `begin` starts a worker.
    Raises BrokerError if a worker ends by itself, or the group does not come to the end.
    """

    def __init__(
        self,
        settings: Settings,
        transactions: int,
        seed: int,
        workers: int = 1,
        say: Callable[[str], None] = lambda _: None,
        begin: Callable[[Settings], WorkerProcess] = WorkerProcess,
    ) -> None:
        self.is_static = False  # whether each worker has a name of its own in the group
        self.late_after = LATE_SECONDS  # an alert is late that is told so long after its record
        self.recovery_seconds: list[float] = []  # from each failure to the next decision
        self.standstill = Standstill()
        self.lateness = Lateness(0, 0, 0.0)  # of alerts; known once all is reckoned
        self.sent = 0
        self.rejectable = 0  # records that were sent among them, and must be rejected
        self.clock_ahead_seconds = 0.0  # of the sender, by which Kafka's timestamps are wrong
        self.workers: list[WorkerProcess] = []
        self.settings = settings
        self.topics = Topics.of(settings)
        self.random = random.Random(seed)  # noqa: S311 - when to kill is no secret
        self.transactions = transactions
        self._made = drill_rows(seed)
        self.rows: list[Row] = []  # those that were sent
        self._workers_first = workers
        self.say = say
        self._begin = begin
        self._is_over = asyncio.Event()  # all that was to happen to workers has happened
        self._flows = asyncio.Event()
        self._flows.set()
        self._sent_at: list[tuple[int, float]] = []  # how many were sent before, and when (Unix)
        self._numbers = count(1)
        self._works_since: float | None = None  # Unix time of the first decision
        self._committed_last = [0] * settings.partitions
        self._outbox: Outbox | None = None
        self._watches: list[asyncio.Task[None]] = []

    async def run(self, kills: int, rate: float) -> None:
        """Send at a rate, kill so many times, and wait until the group has committed it all."""
        await self.run_through([self.kill_one] * kills, rate)

    async def run_through(
        self, incidents: Sequence[Callable[[], Awaitable[None]]], rate: float
    ) -> None:
        """Let one incident after the other happen while records flow at a rate (a second).

        What is left afterwards goes at once.
        """
        sending = asyncio.create_task(self._send(rate))
        try:
            for _ in range(self._workers_first):
                self.start_worker()
            if incidents:
                await self._until_shared()
            for incident in incidents:
                await incident()
            self._is_over.set()
            await sending
            self.say(f"all {self.sent:,} are sent; waiting until the group has committed them")
            await asyncio.to_thread(self._wait_until_told)
        finally:
            tasks = [sending, *self._watches]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for worker in self.workers:
                worker.close()

    def start_worker(self, instead: WorkerProcess | None = None) -> WorkerProcess:
        """Start one more worker, and return it; if names are static, by the name of another."""
        worker = self.begin_worker(instead)
        self.workers.append(worker)
        self._watches.append(asyncio.create_task(self._watch(worker)))
        return worker

    def begin_worker(self, instead: WorkerProcess | None = None) -> WorkerProcess:
        """Begin a worker that is not counted among the workers: whoever asks for it ends it."""
        instance = None
        if self.is_static:
            instance = f"worker-{next(self._numbers)}"
            if instead is not None:
                instance = instead.settings.instance
        return self._begin(replace(self.settings, metrics_port=free_port(), instance=instance))

    async def kill_one(self) -> None:
        """Kill a worker that works, start another, and note how long until that one works."""
        worker = await self.any_deciding()
        worker.kill()
        killed_at = time.monotonic()
        self.dismiss(worker)
        await self.until_deciding(self.start_worker(worker))
        self.note_recovery(killed_at, "kill", "the next worker decides")

    async def restart_one(self) -> None:
        """Let a worker end in order, start it again at once, and note how long until it works."""
        worker = await self.any_deciding()
        stopped_at = time.monotonic()
        status = await asyncio.to_thread(worker.terminate)
        if status:
            raise BrokerError(
                f"a worker that was asked to end did so with status {status}. It said:\n"
                f"{worker.last_words()}"
            )
        self.dismiss(worker)
        await self.until_deciding(self.start_worker(worker))
        self.note_recovery(stopped_at, "restart", "the worker decides again")

    async def _until_shared(self) -> None:
        """Wait until each worker has partitions, and count standstills from then on.

        Workers for which there are too few partitions need not have any.
        """
        for worker in self.workers:
            await self.until_answering(worker)
        least = min(len(self.workers), self.settings.partitions)
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while await self._sharing() < least:
            for worker in self.workers:
                self.look_after(worker)
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"no {least} workers have partitions within {STARTED_SECONDS_MAX:g} s"
                )
            await asyncio.sleep(POLL_SECONDS)
        self.standstill.begin()

    async def _sharing(self) -> int:
        """Return how many workers have partitions."""
        samples = [await asyncio.to_thread(worker.samples) for worker in self.workers]
        return sum(total_of(sample, "weir_partitions_assigned") > 0 for sample in samples)

    async def any_deciding(self) -> WorkerProcess:
        """Return a worker, at random, that has decided something, at a moment that is random."""
        worker = self.random.choice(self.workers)
        await self.until_deciding(worker)
        await asyncio.sleep(self.random.uniform(*BEFORE_FAILURE_SECONDS))
        return worker

    def dismiss(self, worker: WorkerProcess) -> None:
        """Be done with a worker that has ended, or end it."""
        worker.close()
        self.workers.remove(worker)

    def note_recovery(self, failed_at: float, failure: str, found: str) -> None:
        """Note how long it took from a failure (by time.monotonic) until now, and say so."""
        self.recovery_seconds.append(round(time.monotonic() - failed_at, 2))
        number, seconds = len(self.recovery_seconds), self.recovery_seconds[-1]
        self.say(f"{failure} {number}: {found} after {seconds:.1f} s")

    async def stop_flow(self) -> None:
        """Send nothing more, and wait until the workers have decided on all that was sent."""
        self._flows.clear()
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while await asyncio.to_thread(self._committed) < self.sent + self.rejectable:
            if time.monotonic() > deadline:
                raise BrokerError(f"not all is committed within {STARTED_SECONDS_MAX:g} s")
            await asyncio.sleep(POLL_SECONDS)

    def resume_flow(self) -> None:
        """Send on."""
        self.standstill.forget()
        self._flows.set()

    async def send_rejectable(self, partition: int, records: Sequence[Outgoing]) -> None:
        """Send records among the others, each of which must be rejected, once."""
        assert self._outbox is not None, "whoever works has been sent something"
        await self._outbox.write(self.topics.transactions, partition, records)
        self.rejectable += len(records)

    async def decided(self, workers: Iterable[WorkerProcess]) -> int:
        """Return how many records workers have taken in."""
        samples = [await asyncio.to_thread(worker.samples) for worker in workers]
        return sum(map(taken_in, samples))

    async def until_further(self, workers: Sequence[WorkerProcess], before: int) -> None:
        """Wait until workers have taken in more than so many records."""
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while await self.decided(workers) <= before:
            for worker in workers:
                self.look_after(worker)
            if time.monotonic() > deadline:
                raise BrokerError(f"nothing was decided within {STARTED_SECONDS_MAX:g} s")
            await asyncio.sleep(POLL_SECONDS)

    async def until_answering(self, worker: WorkerProcess) -> None:
        """Wait until a worker serves metrics: it is about to join the group."""
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while not await asyncio.to_thread(worker.samples):
            self.look_after(worker)
            if time.monotonic() > deadline:
                raise BrokerError(f"a worker did not start within {STARTED_SECONDS_MAX:g} s")
            await asyncio.sleep(POLL_SECONDS)

    async def _watch(self, worker: WorkerProcess) -> None:
        """Note which partitions a worker decides on, as long as it is one of ours."""
        received: dict[str, float] = {}
        while worker in self.workers and worker.is_running():
            samples = await asyncio.to_thread(worker.samples)
            for (name, labels), value in samples.items():
                if name == "weir_received_records_total":
                    if value > received.get(labels[0], 0.0):
                        self.standstill.note(int(labels[0]), time.monotonic())
                        self._works_since = self._works_since or time.time()
                    received[labels[0]] = value
            await asyncio.sleep(WATCH_SECONDS)

    def look_after(self, worker: WorkerProcess) -> None:
        """Raise BrokerError where a worker has ended that was not told to."""
        worker.ensure_running()

    async def until_deciding(self, worker: WorkerProcess) -> None:
        """Wait until a worker has decided on something."""
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while not taken_in(await asyncio.to_thread(worker.samples)):
            self.look_after(worker)
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"a worker decided nothing within {STARTED_SECONDS_MAX:g} s, though records"
                    f" flow. It said:\n{worker.last_words()}"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def reckon(self, policy: Policy) -> Discrepancies:
        """Read what was told from the topics, and compare it with the recount.

        Alerts of limits on gauges are compared with those of an engine that nobody kills.
        """
        with Recount() as recount:
            recount.add(self.rows)
            expected = recount.totals()
        told_days, days_wrong = await self._told_account_days()
        found = compare_days(expected, told_days)
        records = await self.all_of(self.topics.alerts)
        alerts = [json.loads(record.value) for record in records]
        found = compare_alerts(found, expected, policy.thresholds, alerts)
        if policy.gauges:
            again = await self._gauges_again(policy)
            told = last_of(alert for alert in alerts if alert["kind"] == Kind.LIMIT.value)
            differing = sum(told[name] != again[name] for name in again.keys() & told.keys())
            found = found._replace(
                lost=found.lost + len(again.keys() - told.keys()),
                wrong=found.wrong + differing + len(told.keys() - again.keys()),
            )
        told_at = [record.timestamp / 1000 for record in records]
        self.lateness = lateness_of(
            zip(told_at, alerts, strict=True), self._sending_times(), self.late_after
        )
        rejected = await self._rejected()
        return found._replace(
            lost=found.lost + max(self.rejectable - rejected, 0),
            wrong=found.wrong + days_wrong + max(rejected - self.rejectable, 0),
            account_days=len(told_days),
        )

    async def figures(self, policy: Policy) -> Figures:
        """Reckon, and return all figures; `policy` is the one that has decided in the end."""
        found = await self.reckon(policy)
        return Figures(found, self.lateness, tuple(self.recovery_seconds), self.standstill)

    async def _rejected(self) -> int:
        """Return how many records were rejected; one that was told twice counts once."""
        records = await self.all_of(self.topics.rejections)
        rejections = [json.loads(record.value) for record in records]
        return len({(rejection["partition"], rejection["offset"]) for rejection in rejections})

    def _sending_times(self) -> Mapping[tuple[str, str], float]:
        """Return when each transaction was sent (Unix time), by its account and its id.

        Those are left out that came before the first worker worked: it had to start.
        """
        slices = [sent for sent, _ in self._sent_at]
        since = self._works_since or 0.0
        times: dict[tuple[str, str], float] = {}
        for place, row in enumerate(self.rows):
            sent_at = self._sent_at[bisect_right(slices, place) - 1][1]
            if sent_at >= since:
                times[row[1], row[0]] = sent_at
        return times

    async def _gauges_again(self, policy: Policy) -> dict[str, Mapping[str, Any]]:
        """Return what is told last of limits on gauges where each partition is decided in one go.

        In the order of the topic: a sender whose broker fails may send a batch behind later ones.
        """
        by_partition = defaultdict[int, list[Any]](list)
        for record in await self.all_of(self.topics.transactions):
            by_partition[record.partition].append(record)
        alerts: list[Mapping[str, Any]] = []
        for number, records in by_partition.items():
            engine = plain_engine(number, PolicyBook([policy]), self.settings.partitions)
            engine.observe_run(read_run([records]))
            told = engine.take_step().alerts
            alerts += [json.loads(alert_bytes(alert)) for alert in told if alert.kind is Kind.LIMIT]
        return last_of(alerts)

    async def _send(self, rate: float) -> None:
        async with Outbox(cluster_of(self.settings)) as outbox:
            outbox.wait_for(SENDING_SECONDS_MAX)  # longer than the workers, whom it is about
            self._outbox = outbox
            dispatch = await Dispatch.to(outbox, self.topics.transactions)
            # Several times a second: a partition that decides nothing then stands still.
            size = max(1, min(SLICE_RECORDS, round(rate / SLICES_A_SECOND)))
            started = time.monotonic()
            for part in dealt_slices(dispatch, self._batches(size), rate):
                await self._flows.wait()
                self._sent_at.append((self.sent, time.time()))
                outbox.clock_ahead_seconds = self.clock_ahead_seconds
                await dispatch.send_dealt(part)
                self.sent = dispatch.sent
                with suppress(TimeoutError):
                    pause = started + self.sent / rate - time.monotonic()
                    await asyncio.wait_for(self._is_over.wait(), pause)
            await dispatch.finish()

    def _batches(self, size: int) -> Iterator[Batch]:
        """Yield so many rows at a time while any are due, or something is still to happen.

        The closing ones come last.
        """
        while (due := self.transactions - len(self.rows)) > 0 or not self._is_over.is_set():
            rows = list(islice(self._made, min(due, size) if due > 0 else size))
            self.rows += rows
            yield batch_of(rows)
        yield closing_batch(self.rows, self.settings.partitions)

    def _wait_until_told(self) -> None:
        """Wait until the group has committed all that was sent, and told every closed day."""
        deadline = time.monotonic() + COMMITTED_SECONDS_MAX
        told, still_since = -1.0, time.monotonic()
        while (
            self._committed() < self.sent + self.rejectable
            or not self._is_all_closed()
            or time.monotonic() - still_since < STILL_SECONDS
        ):
            if (now_told := self._told()) != told:
                told, still_since = now_told, time.monotonic()
            for worker in tuple(self.workers):
                self.look_after(worker)
            if time.monotonic() > deadline:
                raise BrokerError(
                    "the group has not committed all, and closed every day, within"
                    f" {COMMITTED_SECONDS_MAX:g} s"
                )
            time.sleep(POLL_SECONDS)

    def _committed(self) -> int:
        """Return how many records the group has committed."""
        return sum(self.committed_offsets())

    def committed_offsets(self) -> list[int]:
        """Return the offset that the group has committed of each partition; 0 if it has none.

        What was read last, if the broker that is asked was just lost: whoever waits asks again.
        """
        topic = self.topics.transactions
        partitions = [TopicPartition(topic, n) for n in range(self.settings.partitions)]
        with suppress(RetriableError), closing(self._group_reader()) as reader:
            self._committed_last = [reader.committed(partition) or 0 for partition in partitions]
        return self._committed_last

    def _group_reader(self) -> KafkaConsumer:
        return KafkaConsumer(
            **cluster_of(self.settings).for_kafka_python(), group_id=self.settings.group,
            enable_auto_commit=False,
        )  # fmt: skip

    def _told(self) -> float:
        """Return how many account-days the workers have told: closed days are told by turns."""
        return sum(
            total_of(worker.samples(), "weir_account_days_closed_total") for worker in self.workers
        )

    def _is_all_closed(self) -> bool:
        """Return whether no partition has a day open but those of the records that closed the rest.

        Accounts may be left: a review may count their days for long.
        """
        held: dict[str, float] = {}
        for worker in self.workers:
            for (name, labels), left in worker.samples().items():
                if name == "weir_state_open_transactions":  # of two workers, one may have had it
                    held[labels[0]] = min(left, held.get(labels[0], left))
        return len(held) == self.settings.partitions and max(held.values()) <= CLOSING_ACCOUNTS

    async def _told_account_days(self) -> tuple[dict[DayKey, DayTotals], int]:
        """Return each closed account-day; and how many were told again with another content."""
        told: dict[DayKey, DayTotals] = {}
        differing = 0
        for record in await self.all_of(self.topics.account_days):
            fields = json.loads(record.value)
            key = fields["account_id"], fields["business_day"]
            totals = totals_of(fields)
            differing += told.setdefault(key, totals) != totals
        return {key: totals for key, totals in told.items() if any(totals[:4])}, differing

    async def all_of(self, topic: str) -> list[Any]:
        """Return all records of a topic, partition by partition."""
        settings = self.settings
        return [
            record
            async for record in records_of_topic(cluster_of(settings), topic, settings.partitions)
        ]


def last_of(alerts: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return what was told last of each alert, by its id."""
    last: dict[str, Mapping[str, Any]] = {}
    for alert in alerts:
        known = last.get(alert["alert_id"])
        if known is None or known["revision"] <= alert["revision"]:
            last[alert["alert_id"]] = alert
    return last
