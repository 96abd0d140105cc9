"""Kills workers under load, and counts by other means what was lost, doubled or wrong."""

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition

from monitor.core.alert import Kind
from monitor.core.transaction import Fields, transaction_of
from monitor.engine.engine import plain_engine
from monitor.policy.policy import Policy, PolicyBook
from monitor.population import Population
from monitor.population.rows import Row, rows_of
from streams.feed.reader import Batch
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.partitioner import dealer
from streams.kafka.producer import Outbox
from streams.kafka.reader import records_of_topic
from streams.lab.broker import free_port
from streams.lab.recount import (
    DayKey,
    DayTotals,
    Discrepancies,
    Recount,
    compare_alerts,
    compare_days,
    totals_of,
)
from streams.lab.rig import WorkerProcess, taken_in
from streams.send.transactions import SLICE_RECORDS, send_batches
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.wire.codec import alert_bytes

POLL_SECONDS: Final = 0.1
SENDING_SECONDS_MAX: Final = 600.0
STARTED_SECONDS_MAX: Final = 300.0
COMMITTED_SECONDS_MAX: Final = 400.0
BEFORE_KILL_SECONDS: Final = (0.3, 3.0)
"""A worker lives so long, at random, after its first decision."""

DRILL_ACCOUNTS: Final = 5000
DRILL_DAYS: Final = 3660
"""A stream of some millions of transactions, of which as many are sent as it takes."""

CLOSING_DAYS: Final = 30
"""So many days after the last one, last records on each partition close every day."""

CLOSING_ACCOUNTS: Final = 2


_GAUGE_LIMITS: Final = """
[[limit]]
id = "week"
measure = "amount"
direction = "debit"
currency = "EUR"
period = "week"
tiers = [{ above = "3000.00", severity = "low" }, { above = "9000.00", severity = "high" }]

[[limit]]
id = "month"
measure = "count"
period = "month"
above = 60

[[limit]]
id = "burst"
measure = "count"
window = "30m"
at_least = 4

[[limit]]
id = "through"
measure = "through"
currency = "EUR"
window = "3d"
above = "2000.00"

[[limit]]
id = "largest"
measure = "largest"
direction = "debit"
currency = "EUR"
above = "1500.00"
where = { weekend = false }

[[limit]]
id = "net"
measure = "net"
direction = "debit"
currency = "EUR"
window = "24h"
above = "1800.00"

[[limit]]
id = "payees"
measure = "distinct"
of = "counterparty"
period = "week"
above = 20

[[limit]]
id = "one-payee"
measure = "amount"
direction = "debit"
currency = "EUR"
window = "24h"
per = "counterparty"
above = "1000.00"
where = { hours = "06:00-23:00" }

[[limit]]
id = "share"
measure = "share"
of = "counterparty"
direction = "debit"
currency = "EUR"
period = "week"
from = "500.00"
above = "66.7%"

[[limit]]
id = "silent"
measure = "amount"
direction = "debit"
currency = "EUR"
silent = "3d"
remembered = "20d"
above = "50.00"

[[limit]]
id = "new-payees"
measure = "distinct"
of = "counterparty"
direction = "debit"
window = "3d"
above = 5
where = { counterparty_new = "10d" }

[[limit]]
id = "holidays"
measure = "count"
period = "month"
above = 2
where = { holiday = true }
"""


def with_gauge_limits(policy: str) -> str:
    """Return the text of a policy with limits on gauges, and with holidays that these ask for."""
    holidays = [date(2026, month, day).isoformat() for month in range(1, 13) for day in (1, 2, 15)]
    return policy.replace("[calendar]", f"[calendar]\nholidays = {holidays}", 1) + _GAUGE_LIMITS


"""A limit of each sort, beside those on days."""


class Drill:
    """A stream of made transactions, workers that are killed at random, and the reckoning.

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
        self.recovery_seconds: list[float] = []
        self.sent = 0
        self.workers: list[WorkerProcess] = []
        self._settings = settings
        self._topics = Topics.of(settings)
        self._random = random.Random(seed)  # noqa: S311 - when to kill is no secret
        self.transactions = transactions
        self._made = drill_rows(seed)
        self.rows: list[Row] = []  # those that were sent
        self._workers_first = workers
        self._say = say
        self._begin = begin
        self._is_over = asyncio.Event()  # all that was to happen to workers has happened

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
            for incident in incidents:
                await incident()
            self._is_over.set()
            await sending
            self._say(f"all {self.sent:,} are sent; waiting until the group has committed them")
            await asyncio.to_thread(self._wait_until_told)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            for worker in self.workers:
                worker.close()

    def start_worker(self) -> WorkerProcess:
        """Start one more worker, and return it."""
        worker = self._begin(replace(self._settings, metrics_port=free_port()))
        self.workers.append(worker)
        return worker

    async def kill_one(self) -> None:
        """Kill a worker that works, start another, and note how long until that one works."""
        worker = self._random.choice(self.workers)
        await self.until_deciding(worker)
        await asyncio.sleep(self._random.uniform(*BEFORE_KILL_SECONDS))
        worker.kill()
        worker.close()
        self.workers.remove(worker)
        killed_at = time.monotonic()
        await self.until_deciding(self.start_worker())
        self.recovery_seconds.append(round(time.monotonic() - killed_at, 2))
        self._say(
            f"kill {len(self.recovery_seconds)}: the next worker decides after"
            f" {self.recovery_seconds[-1]:.1f} s"
        )

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
        alerts = [json.loads(record.value) for record in await self._all_of(self._topics.alerts)]
        found = compare_alerts(found, expected, policy.thresholds, alerts)
        if policy.gauges:
            again = self._gauges_again(policy)
            told = last_of(alert for alert in alerts if alert["kind"] == Kind.LIMIT.value)
            differing = sum(told[name] != again[name] for name in again.keys() & told.keys())
            found = found._replace(
                lost=found.lost + len(again.keys() - told.keys()),
                wrong=found.wrong + differing + len(told.keys() - again.keys()),
            )
        rejected = len(await self._all_of(self._topics.rejections))  # none is due
        return found._replace(
            wrong=found.wrong + days_wrong + rejected, account_days=len(told_days)
        )

    def _gauges_again(self, policy: Policy) -> dict[str, Mapping[str, Any]]:
        """Return what is told last of limits on gauges where the rows are decided in one go."""
        partitions = self._settings.partitions
        deal, by_partition = dealer(partitions), defaultdict[int, list[Fields]](list)
        for fields in [*self.rows, *closing_batch(self.rows, partitions).rows]:
            account_id = fields[1]
            assert account_id is not None, "a row has an account"
            by_partition[deal(account_id)].append(fields)
        alerts: list[Mapping[str, Any]] = []
        for number, rows in by_partition.items():
            engine = plain_engine(number, PolicyBook([policy]), partitions)
            engine.observe(range(len(rows)), [transaction_of(fields) for fields in rows])
            told = engine.take_step().alerts
            alerts += [json.loads(alert_bytes(alert)) for alert in told if alert.kind is Kind.LIMIT]
        return last_of(alerts)

    async def _send(self, rate: float) -> None:
        async with Outbox(cluster_of(self._settings)) as outbox:
            outbox.wait_for(SENDING_SECONDS_MAX)  # longer than the workers, whom it is about
            started = time.monotonic()
            async for sent in send_batches(outbox, self._topics.transactions, self._batches()):
                self.sent = sent
                with suppress(TimeoutError):
                    pause = started + sent / rate - time.monotonic()
                    await asyncio.wait_for(self._is_over.wait(), pause)

    def _batches(self) -> Iterator[Batch]:
        """Yield rows while any are due, or something is still to happen; then the closing ones."""
        while (due := self.transactions - len(self.rows)) > 0 or not self._is_over.is_set():
            rows = list(islice(self._made, min(due, SLICE_RECORDS) if due > 0 else SLICE_RECORDS))
            self.rows += rows
            yield batch_of(rows)
        yield closing_batch(self.rows, self._settings.partitions)

    def _wait_until_told(self) -> None:
        """Wait until the group has committed all that was sent, and told every closed day."""
        topic = self._topics.transactions
        partitions = [TopicPartition(topic, n) for n in range(self._settings.partitions)]
        deadline = time.monotonic() + COMMITTED_SECONDS_MAX
        reader = KafkaConsumer(
            **cluster_of(self._settings).for_kafka_python(), group_id=self._settings.group,
            enable_auto_commit=False,
        )  # fmt: skip
        try:
            while (
                sum(reader.committed(partition) or 0 for partition in partitions) < self.sent
                or not self._is_all_told()
            ):
                for worker in tuple(self.workers):
                    self.look_after(worker)
                if time.monotonic() > deadline:
                    raise BrokerError(
                        "the group has not committed all, and closed every day, within"
                        f" {COMMITTED_SECONDS_MAX:g} s"
                    )
                time.sleep(POLL_SECONDS)
        finally:
            reader.close()

    def _is_all_told(self) -> bool:
        """Return whether no partition has a day open but those of the records that closed the rest.

        Accounts may be left: a review may count their days for long.
        """
        held: dict[str, float] = {}
        for worker in self.workers:
            for (name, labels), left in worker.samples().items():
                if name == "weir_state_open_transactions":  # of two workers, one may have had it
                    held[labels[0]] = min(left, held.get(labels[0], left))
        return len(held) == self._settings.partitions and max(held.values()) <= CLOSING_ACCOUNTS

    async def _told_account_days(self) -> tuple[dict[DayKey, DayTotals], int]:
        """Return each closed account-day; and how many were told again with another content."""
        told: dict[DayKey, DayTotals] = {}
        differing = 0
        for record in await self._all_of(self._topics.account_days):
            fields = json.loads(record.value)
            key = fields["account_id"], fields["business_day"]
            totals = totals_of(fields)
            differing += told.setdefault(key, totals) != totals
        return {key: totals for key, totals in told.items() if any(totals[:4])}, differing

    async def _all_of(self, topic: str) -> list[Any]:
        settings = self._settings
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


def drill_rows(seed: int) -> Iterator[Row]:
    """Yield rows of a made population, of ten years."""
    days = rows_of(Population(DRILL_ACCOUNTS, DRILL_DAYS, seed))
    return chain.from_iterable(rows for _, rows in days)


def batch_of(rows: Sequence[tuple[str | None, ...]]) -> Batch:
    """Return rows as a batch of a feed."""
    return Batch(Path("drill"), rows, range(1, len(rows) + 1), [], 0)


def closing_batch(rows: Sequence[Row], partitions: int) -> Batch:
    """Return rows for each partition, so late that they close every day before them.

    They are of two accounts: one account alone closes no days of others.
    """
    day = date.fromordinal(date.fromisoformat(rows[-1][2][:10]).toordinal() + CLOSING_DAYS)
    deal = dealer(partitions)
    accounts: dict[int, list[str]] = {partition: [] for partition in range(partitions)}
    number = 0
    while any(len(names) < CLOSING_ACCOUNTS for names in accounts.values()):
        name = f"closing-{number}"
        if len(accounts[deal(name)]) < CLOSING_ACCOUNTS:
            accounts[deal(name)].append(name)
        number += 1
    closing = [
        (f"X{partition}", account, f"{day}T00:00:00Z", "0.01", "EUR", "credit", *[None] * 6)
        for partition, names in accounts.items()
        for account in names
    ]
    return batch_of(closing)
