"""Everything on this machine: a broker, a worker, a sender, and someone who reads the alerts."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from monitor.core.attributes import AccountRecord
from monitor.core.transaction import Reason
from monitor.settings import Settings
from streams.broker import BrokerError
from streams.feed import Batch
from streams.outbox import Outbox
from streams.replay import Totals
from streams.rig import embedded_rig
from streams.send import send_batches
from streams.send_accounts import send_accounts
from streams.tail import Tail
from streams.topics import RECORD_BYTES_MAX, Topics
from streams.worker_process import Samples, WorkerProcess, taken_in

LATEST_MAX: Final = 40
POLL_SECONDS: Final = 0.25
JOIN_SECONDS_MAX: Final = 180.0
"""A machine that is busy, and compiles the models for the first time, needs a minute."""

USUAL_SECONDS: Final = 8.0
STARTS: Final = "the worker starts and joins its group, some 5 s"
STARTS_FIRST: Final = "the worker starts; the first time it compiles its models, some 20 s more"


class DemoState:
    """What there is to be seen of a running demo."""

    def __init__(self, broker: str) -> None:
        self.broker = broker
        self.stage = STARTS
        self.reading = ""  # the file, or the made day, that is being sent
        self.share_read = 0.0  # of it; of all made days
        self.sent = 0
        self.is_all_sent = False
        self.decided = 0
        self.samples: Samples = {}
        self.totals = Totals()
        self.latest: deque[dict[str, Any]] = deque(maxlen=LATEST_MAX)
        self.greatest: dict[str, Any] | None = None  # by how many times its limit it was over
        self.started_at = time.monotonic()
        self.first_at: float | None = None  # when the first record was decided
        self.ended_at: float | None = None

    def take(self, samples: Samples) -> None:
        """Take in the worker's metrics."""
        self.samples = samples
        self.decided = taken_in(samples)
        self.totals.transactions = int(samples.get(("weir_transactions_total", ()), 0))
        waiting = (of for (name, _), of in samples.items() if name == "weir_reversals_waiting")
        self.totals.waiting = int(sum(waiting))
        if self.decided and self.first_at is None:
            self.first_at = time.monotonic()

    def tell(self, alert: dict[str, Any]) -> None:
        """Count an alert, and keep it if it is among the latest or is the greatest."""
        self.totals.alerts[alert["kind"], alert["status"]] += 1
        self.latest.append(alert)
        if self.greatest is None or times_limit(alert) > times_limit(self.greatest):
            self.greatest = alert

    @property
    def is_joined(self) -> bool:
        """Whether the systemic agent has all that the partitions told of closed days."""
        told, joined = (
            self.samples.get((f"weir_segment_records_{name}_total", ()), 0)
            for name in ("told", "joined")
        )
        return joined >= told

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


def times_limit(alert: dict[str, Any]) -> float:
    """Return how many times its limit a day was; 0 where that cannot be said."""
    return float(alert["evidence"].get("times_limit", 0))


class Demo:
    """Runs batches of rows through a broker, a worker and durable state of their own.

    What is known of `accounts` is sent before the batches.
    `alerts` and `rejections` are files that take what is told, as it is told. `on_change` is
    called now and then with the state, to show it; `state` is there once the broker runs.
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
    ) -> None:
        self._batches = batches
        self._policy = policy
        self._accounts = accounts
        self._rate: float | None = None
        self._alerts = alerts
        self._rejections = rejections
        self._environment = {"WEIR_TRANSPORT": transport}
        self._on_change = on_change
        self.state: DemoState | None = None

    async def run(self, *, until_end: bool, rate: float | None) -> DemoState:
        """Run until all is decided and told, or (not `until_end`) until cancelled; then clean up.

        At most `rate` records a second are sent, where one is given.
        Raises BrokerError where the broker or the worker ends by itself.
        """
        self._rate = rate
        with embedded_rig(self._policy, self._environment) as settings:
            worker = WorkerProcess(settings)
            try:
                state = self.state = DemoState(settings.broker)
                await self._run(settings, worker, state, until_end=until_end)
                return state
            finally:
                worker.close()

    async def _run(
        self, settings: Settings, worker: WorkerProcess, state: DemoState, *, until_end: bool
    ) -> None:
        topics = Topics.of(settings)
        tails = [
            Tail(settings.broker, topic, settings.partitions)
            for topic in (topics.alerts, topics.rejections)
        ]
        outbox = Outbox(settings.broker, request_bytes_max=RECORD_BYTES_MAX)
        await outbox.start()
        for tail in tails:
            await tail.start()
        sending = asyncio.create_task(self._send(outbox, topics, state))
        try:
            async for _ in self._until_decided(worker, state, sending, until_end=until_end):
                await self._read(tails, state)
                self._on_change(state)
            state.stage = "stopping"
            await asyncio.to_thread(worker.terminate)  # flushes: all alerts are there now
            for tail in tails:
                await tail.look_again()
            while not all([await tail.is_at_end() for tail in tails]):
                await self._read(tails, state)
            self._on_change(state)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            for tail in tails:
                await tail.stop()
            await outbox.stop()

    async def _send(self, outbox: Outbox, topics: Topics, state: DemoState) -> None:
        while self._rate and not state.samples.get(("weir_partitions_assigned", ())):
            # A paced stream begins when someone is there to watch it.
            if time.monotonic() - state.started_at > JOIN_SECONDS_MAX:
                raise BrokerError(f"the worker got no partitions within {JOIN_SECONDS_MAX:g} s")
            if time.monotonic() - state.started_at > USUAL_SECONDS:
                state.stage = STARTS_FIRST
            await asyncio.sleep(POLL_SECONDS / 2)
        await send_accounts(outbox, topics.accounts, self._accounts)
        state.stage = "running"
        batches = self._noted(state)
        async for sent in send_batches(outbox, topics.transactions, batches, self._rate):
            state.sent = sent
        state.is_all_sent = True

    def _noted(self, state: DemoState) -> Iterator[Batch]:
        for batch in self._batches:
            state.reading, state.share_read = batch.path.name, batch.share_read
            state.totals.skipped += batch.skipped
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
                    state.stage = "all is decided"
                if until_end:
                    return
            yield

    async def _read(self, tails: list[Tail], state: DemoState) -> None:
        alerts, rejections = tails
        for record in await alerts.read(POLL_SECONDS / 2):
            state.tell(json.loads(record.value))
            if self._alerts:
                self._alerts.write(record.value + b"\n")
        for record in await rejections.read(POLL_SECONDS / 10):
            reason = Reason(json.loads(record.value)["reason"])
            state.totals.rejections[reason.value] += 1
            if self._rejections:
                self._rejections.write(record.value + b"\n")
