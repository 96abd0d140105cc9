"""Everything on this machine: a broker, a worker, a sender, and someone who reads the alerts."""

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final

from monitor.core.attributes import AccountRecord
from monitor.core.transaction import Reason
from streams.feed.lateness import RowOrder
from streams.feed.reader import Batch
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox
from streams.kafka.reader import TopicReader
from streams.lab.rig import LoadedWorker, Samples, WorkerProcess, embedded_rig, taken_in
from streams.replay.replay import Totals, warning_of
from streams.send.accounts import send_accounts
from streams.send.transactions import send_batches
from streams.settings import Settings
from streams.topics.alert_list import times_limit
from streams.topics.catalog import Topics
from streams.topics.policies import set_policy
from streams.topics.policy_file import policy_of_file

LATEST_MAX: Final = 100
POLL_SECONDS: Final = 0.25
JOIN_SECONDS_MAX: Final = 180.0
"""A machine that is busy, and compiles the models for the first time, needs a minute."""

KEPT_PORT: Final = 9092
"""Where a demo that is kept has its broker, unless told otherwise: Kafka's usual port."""

SETTINGS: Final = {"WEIR_SESSION_TIMEOUT_SECONDS": "3", "WEIR_HEARTBEAT_SECONDS": "0.75"}
"""The embedded broker lets a first join wait for half the session timeout."""

STARTS: Final = "the worker starts and joins its group, some 5 s"
COMPILES: Final = "the worker compiles its models, half a minute the first time on this machine"


class DemoState:
    """What there is to be seen of a running demo."""

    def __init__(self, settings: Settings) -> None:
        self.broker = settings.broker
        self.partitions = settings.partitions
        self.reading = ""  # the file, or the made day, that is being sent
        self.share_read = 0.0  # of it; of all made days
        self.sent = 0
        self.is_all_sent = False
        self.is_stopping = False
        self.decided = 0
        self.samples: Samples = {}
        self.totals = Totals()
        self.order = RowOrder()  # of what is sent
        self.latest: deque[dict[str, Any]] = deque(maxlen=LATEST_MAX)
        self.greatest: dict[str, Any] | None = None  # by how many times its limit it was over
        self.started_at = time.monotonic()
        self.first_at: float | None = None  # when the first record was decided
        self.ended_at: float | None = None

    def take(self, samples: Samples) -> None:
        """Take in the worker's metrics."""
        self.samples = samples
        self.decided = taken_in(samples)
        totals = self.totals
        totals.transactions = int(samples.get(("weir_transactions_total", ()), 0))
        totals.ahead = int(samples.get(("weir_ahead_transactions_total", ()), 0))
        by_currency = _by_label(samples, "weir_unwatched_transactions_total")
        totals.unwatched.update(by_currency - totals.unwatched)
        seen = _by_label(samples, "weir_limit_currency_seen", least=0)
        totals.unseen = sorted(currency for currency, is_seen in seen.items() if not is_seen)
        waiting = (
            value for (name, _), value in samples.items() if name == "weir_reversals_waiting"
        )
        totals.waiting = int(sum(waiting))
        if self.decided and self.first_at is None:
            self.first_at = time.monotonic()

    def tell(self, alert: dict[str, Any]) -> None:
        """Count an alert, and keep it if it is among the latest or is the greatest."""
        self.totals.alerts[alert["kind"], alert["status"]] += 1
        self.latest.append(alert)
        if self.greatest is None or times_limit(alert) > times_limit(self.greatest):
            self.greatest = alert

    @property
    def assigned(self) -> int:
        """How many partitions our worker has."""
        return int(self.samples.get(("weir_partitions_assigned", ()), 0))

    @property
    def stage(self) -> str:
        """What goes on, in words."""
        if self.is_stopping:
            return "stopping"
        if not self.assigned and not self.decided:
            is_compiling = self.samples.get(("weir_models_compiling", ()), 0)
            return COMPILES if is_compiling else STARTS
        if self.ended_at is not None and not self.lag:
            return "all is decided"
        if 0 < self.assigned < self.partitions:
            return f"running, with another worker: {self.assigned} of {self.partitions} partitions"
        return "running"

    @property
    def share_decided(self) -> float:
        """The share of all that there is to send that is decided; from 0 to 1."""
        if not self.sent:
            return 0.0
        share = 1.0 if self.is_all_sent else self.share_read
        return min(share * self.decided / self.sent, 1.0)

    @property
    def is_joined(self) -> bool:
        """Whether the systemic agent has all that the partitions told of closed days."""
        told, joined = (
            self.samples.get((f"weir_segment_records_{name}_total", ()), 0)
            for name in ("told", "joined")
        )
        return joined >= told

    @property
    def warning(self) -> str | None:
        """What is to be said of too many late records, and why; None if there are few."""
        return warning_of(self.totals, self.order)

    @property
    def lag(self) -> int:
        """Records that were sent, and are not decided yet."""
        return max(self.sent - self.decided, 0)

    @property
    def seconds(self) -> float:
        """Seconds from the first decision to the last, or to now."""
        if self.first_at is None:
            return 0.0
        return (self.ended_at or time.monotonic()) - self.first_at


def _by_label(samples: Samples, name: str, least: int = 1) -> Counter[str]:
    """Return a metric's values by its one label, from `least` on."""
    return Counter(
        {labels[0]: int(value) for (metric, labels), value in samples.items()
         if metric == name and value >= least}
    )  # fmt: skip


class Demo:
    """Runs batches of rows through a broker, a worker and durable state of their own.

    What is known of `accounts` is sent before the batches.
    `alerts` and `rejections` are files that take what is told, as it is told. `on_change` is
    called now and then with the state, to show it, and `on_alert` with each alert; `state` is there
    once the broker runs. A worker that is `loaded` already is used.
    With a `port` the broker is for others, too: it listens there, and the policy is on its topic.
    `beside` are further commands of `weir` that run with it, each in a process of its own.
    """

    def __init__(  # noqa: PLR0913 - what it runs, and where it goes, each by itself
        self,
        batches: Iterable[Batch],
        policy: Path,
        *,
        alerts: IO[bytes] | None = None,
        rejections: IO[bytes] | None = None,
        accounts: Iterable[AccountRecord] = (),
        transport: str = "run",
        on_change: Callable[[DemoState], None] = lambda _: None,
        on_alert: Callable[[dict[str, Any]], None] = lambda _: None,
        loaded: LoadedWorker | None = None,
        port: int | None = None,
        beside: Sequence[Sequence[str]] = (),
    ) -> None:
        self._beside = beside
        self._batches = batches
        self._policy = policy
        self._accounts = accounts
        self._rate: float | None = None
        self._alerts = alerts
        self._rejections = rejections
        self._environment = {**SETTINGS, "WEIR_TRANSPORT": transport}
        self._on_change = on_change
        self._on_alert = on_alert
        self._loaded = loaded
        self._port = port
        self.state: DemoState | None = None

    async def run(self, *, until_end: bool, rate: float | None) -> DemoState:
        """Run until all is decided and told, or (not `until_end`) until cancelled; then clean up.

        At most `rate` records a second are sent, where one is given.
        Raises BrokerError if the broker or the worker ends by itself.
        """
        self._rate = rate
        with embedded_rig(self._policy, self._environment, self._port) as settings:
            worker = WorkerProcess(settings, loaded=self._loaded)
            others: list[WorkerProcess] = []
            try:
                state = self.state = DemoState(settings)
                self._on_change(state)
                if self._port is not None or self._beside:  # others ask for it, too
                    await set_policy(settings, policy_of_file(self._policy))
                await self._run(settings, worker, others, state, until_end=until_end)
                return state
            finally:
                for other in (*others, worker):
                    other.close()

    async def _run(
        self,
        settings: Settings,
        worker: WorkerProcess,
        others: list[WorkerProcess],
        state: DemoState,
        *,
        until_end: bool,
    ) -> None:
        topics = Topics.of(settings)
        async with AsyncExitStack() as stack:
            outbox = await stack.enter_async_context(Outbox(cluster_of(settings)))
            tails = []
            for topic in (topics.alerts, topics.rejections):
                tail = TopicReader(cluster_of(settings), topic, settings.partitions)
                stack.push_async_callback(tail.stop)
                await tail.start()
                tails.append(tail)
            sending = asyncio.create_task(self._send(outbox, topics, state))
            stack.push_async_callback(_cancelled, sending)
            async for _ in self._until_decided(worker, state, sending, until_end=until_end):
                self._start_beside(settings, state, others)
                await self._read(tails, state)
                self._on_change(state)
            state.is_stopping = True
            await asyncio.to_thread(worker.terminate)  # flushes: all alerts are there now
            for tail in tails:
                await tail.look_again()
            while not all([await tail.is_at_end() for tail in tails]):
                await self._read(tails, state)
            self._on_change(state)

    def _start_beside(
        self, settings: Settings, state: DemoState, others: list[WorkerProcess]
    ) -> None:
        """Start the other commands once the worker has begun: it needs the processor until then."""
        if state.assigned and len(others) < len(self._beside):
            quiet = replace(settings, metrics_port=0)  # the port is the worker's
            others += [WorkerProcess(quiet, ("streams.cli", *words)) for words in self._beside]
        for other in others:
            other.ensure_running()

    async def _send(self, outbox: Outbox, topics: Topics, state: DemoState) -> None:
        while self._rate and not state.assigned:
            # A paced stream begins when someone is there to watch it.
            if time.monotonic() - state.started_at > JOIN_SECONDS_MAX:
                raise BrokerError(f"the worker got no partitions within {JOIN_SECONDS_MAX:g} s")
            await asyncio.sleep(POLL_SECONDS / 4)
        await send_accounts(outbox, topics.accounts, self._accounts)
        batches = self._noted(state)
        sending = send_batches(outbox, topics.transactions, batches, self._rate, state.order)
        async for sent in sending:
            state.sent = sent
        state.is_all_sent = True

    def _noted(self, state: DemoState) -> Iterator[Batch]:
        for batch in self._batches:
            state.reading, state.share_read = batch.path.name, batch.share_read
            state.totals.skipped += batch.skipped
            state.totals.skips.update(batch.skips)
            yield batch

    async def _until_decided(
        self,
        worker: WorkerProcess,
        state: DemoState,
        sending: asyncio.Task[None],
        *,
        until_end: bool,
    ) -> AsyncIterator[None]:
        while True:
            worker.ensure_running()
            if sending.done():
                sending.result()  # raises what went wrong there
            state.take(await asyncio.to_thread(worker.samples) or state.samples)
            if state.is_all_sent and state.decided >= state.sent and state.is_joined:
                if state.ended_at is None:
                    state.ended_at = time.monotonic()
                if until_end:
                    return
            yield

    async def _read(self, tails: list[TopicReader], state: DemoState) -> None:
        alerts, rejections = tails
        for record in await alerts.read(POLL_SECONDS / 2):
            alert = json.loads(record.value)
            state.tell(alert)
            self._on_alert(alert)
            if self._alerts:
                self._alerts.write(record.value + b"\n")
                self._alerts.flush()
        for record in await rejections.read(POLL_SECONDS / 10):
            reason = Reason(json.loads(record.value)["reason"])
            state.totals.rejections[reason.value] += 1
            if self._rejections:
                self._rejections.write(record.value + b"\n")


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
