"""Kills workers under load, and counts by other means what was lost, doubled or wrong."""

import asyncio
import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from monitor.core.threshold import Direction, Measure, Threshold
from monitor.population import Population
from monitor.population.made_rows import rows_of
from monitor.settings import Settings
from streams.broker import BrokerError, free_port
from streams.dealing import dealer
from streams.feed import BATCH_ROWS, Batch
from streams.outbox import Outbox
from streams.recount import DayKey, DayTotals, Recount
from streams.send import send_batches
from streams.tail import Tail
from streams.topics import RECORD_BYTES_MAX, Topics
from streams.worker_process import WorkerProcess, taken_in

POLL_SECONDS: Final = 0.1
STARTED_SECONDS_MAX: Final = 90.0
COMMITTED_SECONDS_MAX: Final = 180.0
BEFORE_KILL_SECONDS: Final = (0.3, 3.0)
"""A worker lives so long, at random, after its first decision."""

DRILL_ACCOUNTS: Final = 5000
CLOSING_DAYS: Final = 30
"""So many days after the last one, a last record on each partition closes every day."""


class Found(NamedTuple):
    """What the topics say at the end, beside the recount; all but `repeated` should be 0.

    `lost` and `doubled` are transactions that account-days have too few or too many of, and alerts
    that are missing; `wrong` are account-days of other sums, alerts that should not stand, and
    rejections, of which none is due.
    `repeated` are alerts told again with the same id and revision: harmless, and said.
    """

    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    repeated: int = 0
    alerts: int = 0
    account_days: int = 0


class Drill:
    """A stream of made transactions, workers that are killed at random, and the reckoning.

    Raises BrokerError where a worker ends by itself, or the group does not come to the end.
    """

    def __init__(self, settings: Settings, transactions: int, seed: int, workers: int = 1) -> None:
        self.recovery_seconds: list[float] = []
        self.sent = 0
        self._settings = settings
        self._topics = Topics.of(settings)
        self._random = random.Random(seed)  # noqa: S311 - when to kill is no secret
        self._rows = drill_rows(transactions, seed)
        self._workers = [self._start_worker() for _ in range(workers)]

    async def run(self, kills: int, rate: float) -> None:
        """Send at a rate, kill so many times, and wait until the group has committed it all."""
        try:
            sending = asyncio.create_task(self._send(rate))
            for _ in range(kills):
                await self._kill_one()
            await sending
            await asyncio.to_thread(self._wait_until_committed)
        finally:
            for worker in self._workers:
                worker.close()

    async def reckon(self, thresholds: Sequence[Threshold]) -> Found:
        """Read what was told from the topics, and compare it with the recount."""
        with Recount() as recount:
            recount.add(self._rows)
            expected = recount.totals()
        told_days, days_wrong = await self._told_account_days()
        found = compare_days(expected, told_days)
        alerts = [json.loads(record.value) for record in await self._all_of(self._topics.alerts)]
        found = compare_alerts(found, expected, thresholds, alerts)
        rejected = len(await self._all_of(self._topics.rejections))  # none is due
        return found._replace(
            wrong=found.wrong + days_wrong + rejected, account_days=len(told_days)
        )

    def _start_worker(self) -> WorkerProcess:
        return WorkerProcess(replace(self._settings, metrics_port=free_port()))

    async def _kill_one(self) -> None:
        """Kill a worker that works, start another, and note how long until that one works."""
        place = self._random.randrange(len(self._workers))
        await self._until_deciding(self._workers[place])
        await asyncio.sleep(self._random.uniform(*BEFORE_KILL_SECONDS))
        self._workers[place].kill()
        self._workers[place].close()
        killed_at = time.monotonic()
        self._workers[place] = self._start_worker()
        await self._until_deciding(self._workers[place])
        self.recovery_seconds.append(round(time.monotonic() - killed_at, 2))

    async def _until_deciding(self, worker: WorkerProcess) -> None:
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while not taken_in(await asyncio.to_thread(worker.samples)):
            worker.ensure_running()
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"a worker decided nothing within {STARTED_SECONDS_MAX:g} s: send more"
                    " transactions, so that the stream lasts longer than the kills"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _send(self, rate: float) -> None:
        outbox = Outbox(self._settings.broker, request_bytes_max=RECORD_BYTES_MAX)
        await outbox.start()
        try:
            batches = chain(
                batches_of(self._rows), [closing_batch(self._rows, self._settings.partitions)]
            )
            async for sent in send_batches(outbox, self._topics.transactions, batches, rate):
                self.sent = sent
        finally:
            await outbox.stop()

    def _wait_until_committed(self) -> None:
        """Wait until the group's committed offsets are all that was sent."""
        topic = self._topics.transactions
        partitions = [TopicPartition(topic, n) for n in range(self._settings.partitions)]
        deadline = time.monotonic() + COMMITTED_SECONDS_MAX
        reader = KafkaConsumer(
            bootstrap_servers=self._settings.broker.split(","), group_id=self._settings.group,
            enable_auto_commit=False,
        )  # fmt: skip
        try:
            while sum(reader.committed(one) or 0 for one in partitions) < self.sent:
                for worker in self._workers:
                    worker.ensure_running()
                if time.monotonic() > deadline:
                    raise BrokerError(
                        f"the group has not committed all within {COMMITTED_SECONDS_MAX:g} s"
                    )
                time.sleep(POLL_SECONDS)
        finally:
            reader.close()

    async def _told_account_days(self) -> tuple[dict[DayKey, DayTotals], int]:
        """Return each closed account-day; and how many were told again with another content."""
        told: dict[DayKey, DayTotals] = {}
        differing = 0
        for record in await self._all_of(self._topics.account_days):
            fields = json.loads(record.value)
            key = fields["account_id"], fields["business_day"]
            totals = _totals_of(fields)
            differing += told.setdefault(key, totals) != totals
        return {key: totals for key, totals in told.items() if any(totals[:4])}, differing

    async def _all_of(self, topic: str) -> list[Any]:
        tail = Tail(self._settings.broker, topic, self._settings.partitions)
        await tail.start()
        try:
            records: list[Any] = []
            while not await tail.is_at_end():
                records += await tail.read()
            return records
        finally:
            await tail.stop()


def drill_rows(transactions: int, seed: int) -> list[tuple[str, ...]]:
    """Return rows of a made population, so many."""
    rows: list[tuple[str, ...]] = []
    for _, made in rows_of(Population(DRILL_ACCOUNTS, 3660, seed)):
        rows += made
        if len(rows) >= transactions:
            break
    return rows[:transactions]


def batches_of(rows: Sequence[tuple[str, ...]]) -> Iterator[Batch]:
    """Yield rows as batches of a feed."""
    for first in range(0, len(rows), BATCH_ROWS):
        part = rows[first : first + BATCH_ROWS]
        yield Batch(Path("drill"), part, range(first + 1, first + 1 + len(part)), [], 0)


def closing_batch(rows: Sequence[tuple[str, ...]], partitions: int) -> Batch:
    """Return one row for each partition, so late that it closes every day before it."""
    day = date.fromordinal(date.fromisoformat(rows[-1][2][:10]).toordinal() + CLOSING_DAYS)
    deal = dealer(partitions)
    accounts: dict[int, str] = {}
    number = 0
    while len(accounts) < partitions:
        name = f"closing-{number}"
        accounts.setdefault(deal(name), name)
        number += 1
    closing = [
        (f"X{partition}", account, f"{day}T00:00:00Z", "0.01", "EUR", "credit", *[None] * 6)
        for partition, account in sorted(accounts.items())
    ]
    return Batch(Path("drill"), closing, range(1, partitions + 1), [], 1)


def _totals_of(fields: Mapping[str, Any]) -> DayTotals:
    """Return the totals of a closed account-day as it was told, in one currency."""
    if not fields["totals"]:
        return DayTotals(0, 0, 0, 0, fields["segment"])
    (totals,) = fields["totals"]
    return DayTotals(
        totals["debit_count"],
        int(totals["debit_amount"].replace(".", "")),
        totals["credit_count"],
        int(totals["credit_amount"].replace(".", "")),
        fields["segment"],
    )


def compare_days(expected: Mapping[DayKey, DayTotals], told: Mapping[DayKey, DayTotals]) -> Found:
    """Return what account-days have too few, too many, or wrongly."""
    lost = doubled = wrong = 0
    nothing = DayTotals(0, 0, 0, 0, None)
    for key in expected.keys() | told.keys():
        right, said = expected.get(key, nothing), told.get(key, nothing)
        more = said.debits + said.credits - right.debits - right.credits
        lost += max(-more, 0)
        doubled += max(more, 0)
        wrong += more == 0 and said[:4] != right[:4]
    return Found(lost, doubled, wrong)


def compare_alerts(
    found: Found,
    expected: Mapping[DayKey, DayTotals],
    thresholds: Sequence[Threshold],
    alerts: Iterable[Mapping[str, Any]],
) -> Found:
    """Add what alerts are missing, or should not stand, or were told twice in different words."""
    due = {
        (threshold.threshold_id, *key)
        for key, totals in expected.items()
        for threshold in _deciding(thresholds, totals.segment)
        if _value(threshold, totals) > threshold.above
    }
    by_revision: dict[tuple[str, int], Mapping[str, Any]] = {}
    last: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    repeated = wrong = 0
    for alert in alerts:
        first = by_revision.setdefault((alert["alert_id"], alert["revision"]), alert)
        if first is not alert:
            repeated += 1
            wrong += first != alert
        key = alert["threshold_id"], alert["account_id"], alert["business_day"]
        if key not in last or last[key]["revision"] <= alert["revision"]:
            last[key] = alert
    standing = {key for key, alert in last.items() if alert["status"] != "withdrawn"}
    return found._replace(
        lost=found.lost + len(due - standing),
        wrong=found.wrong + wrong + len(standing - due),
        repeated=repeated,
        alerts=len(by_revision),
    )


def _deciding(thresholds: Sequence[Threshold], segment: str | None) -> list[Threshold]:
    """Return the limits for a segment, where a limit of the segment comes before the default."""
    own = [t for t in thresholds if t.segment == segment and t.account_id is None and segment]
    subjects = {t.subject for t in own}
    return own + [t for t in thresholds if t.specificity == 0 and t.subject not in subjects]


def _value(threshold: Threshold, totals: DayTotals) -> int:
    amount = threshold.measure is Measure.AMOUNT
    debit = totals.debit_cents if amount else totals.debits
    credit = totals.credit_cents if amount else totals.credits
    return {Direction.DEBIT: debit, Direction.CREDIT: credit, Direction.BOTH: debit + credit}[
        threshold.direction
    ]
