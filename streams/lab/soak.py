"""Runs one worker for long while business days open and close, and measures whether it grows.

Each second it notes the worker's memory and, from its metrics, its lag and the size of its state.
The broker is a process of its own: only the worker's memory counts.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, timedelta
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Final, NamedTuple

from monitor.core.business_day import Calendar
from monitor.policy.policy import Policy
from monitor.population import Population
from monitor.population.population import DAYS_MAX
from streams.feed.population import made_batches
from streams.feed.reader import Batch
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox
from streams.lab.rig import Samples, WorkerProcess, taken_in, total_of
from streams.send.transactions import SLICE_RECORDS, send_batches
from streams.settings import Settings
from streams.topics.catalog import Topics

SAMPLE_SECONDS: Final = 1.0
PROGRESS_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.1
STARTED_SECONDS_MAX: Final = 180.0
TAKEN_IN_SECONDS_MAX: Final = 120.0

WARM_UP_SHARE: Final = 0.2
"""This share of the time is left out: kernels load, tables and models take their first size."""

BLOCKS: Final = 12
STUDENT_95: Final = 2.228
"""Student's t of a two-sided interval of 95 %, for the 10 degrees of freedom of 12 blocks."""

DAY_FIRST: Final = date(1970, 1, 5)
"""The made days begin here: they must lie before today, or their records are from the future."""

MEGABYTE: Final = 1_000_000
_HOUR_SECONDS: Final = 3600.0
_MICROSECONDS: Final = 1_000_000
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class SoakSample(NamedTuple):
    """One look at the worker, so many seconds after the first."""

    seconds: float
    rss_bytes: int
    lag_records: int
    open_transactions: int
    accounts: int
    cpu_seconds: float  # of the worker since it began


class Slope(NamedTuple):
    """What values change by in an hour, and the 95 % interval of it."""

    per_hour: float
    low: float
    high: float


class Soaked(NamedTuple):
    """What a soak measured; samples of the warm-up are left out of all but the counts."""

    seconds: float
    sent: int
    taken_in: int
    days_closed: int
    account_days_closed: int
    memory: Slope | None  # in bytes; None if there were too few samples
    steady: list[SoakSample]

    def fields(self) -> dict[str, object]:
        """Return the figures for a program; memory in MB (1,000,000 bytes)."""
        fields: dict[str, object] = {
            "minutes": round(self.seconds / 60, 2),
            "sent": self.sent,
            "taken_in": self.taken_in,
            "per_second": round(self.sent / self.seconds) if self.seconds else 0,
            "days_closed": self.days_closed,
            "account_days_closed": self.account_days_closed,
            "samples": len(self.steady),
        }
        if not self.steady:
            return fields
        first, last = self.steady[0], self.steady[-1]
        if last.seconds > first.seconds:
            share = (last.cpu_seconds - first.cpu_seconds) / (last.seconds - first.seconds)
            fields["worker_cpu_per_cent"] = round(100 * share, 1)
        fields["memory_mb"] = _spread([s.rss_bytes / MEGABYTE for s in self.steady], 1)
        fields["lag_records"] = _spread([s.lag_records for s in self.steady], 0)
        fields["open_transactions"] = _spread([s.open_transactions for s in self.steady], 0)
        fields["accounts_held"] = _spread([s.accounts for s in self.steady], 0)
        if self.memory is not None:
            grows = self.per_cent()
            fields["memory_slope"] = {
                "mb_an_hour": round(self.memory.per_hour / MEGABYTE, 2),
                "per_cent_an_hour": round(grows.per_hour, 2),
                "per_cent_an_hour_95": [round(grows.low, 2), round(grows.high, 2)],
            }
        return fields

    def per_cent(self) -> Slope:
        """Return the slope of memory in per cent an hour of the mean."""
        assert self.memory is not None
        mean = statistics.fmean(sample.rss_bytes for sample in self.steady)
        return Slope(*(100 * value / mean for value in self.memory))

    def grows(self, slope_max: float) -> bool:
        """Return whether memory surely grows by more than so many per cent an hour.

        It does if the whole interval is above: a short soak, whose interval is wide, shows little.
        """
        return self.memory is not None and self.per_cent().low > slope_max


def slope_of(seconds: Sequence[float], values: Sequence[float]) -> Slope | None:
    """Return the least-squares slope of values over time; None of fewer values than blocks.

    Values that follow one another are alike, so an interval that took each for a draw of its own
    would be far too narrow. The interval is that of the line through the means of 12 blocks of
    equally many values (Student's t, 10 degrees of freedom), put around the slope of all values.
    It holds if what moves the values lasts for less than a block: an odd jump widens it.
    """
    if len(values) < BLOCKS:
        return None
    hours = [second / _HOUR_SECONDS for second in seconds]
    slope = statistics.linear_regression(hours, values).slope
    edges = [len(values) * number // BLOCKS for number in range(BLOCKS + 1)]
    parts = [slice(first, end) for first, end in pairwise(edges)]
    middles = [statistics.fmean(hours[part]) for part in parts]
    means = [statistics.fmean(values[part]) for part in parts]
    line = statistics.linear_regression(middles, means)
    middle = statistics.fmean(middles)
    rest = sum(
        (mean - line.intercept - line.slope * hour) ** 2
        for hour, mean in zip(middles, means, strict=True)
    )
    spread = sum((hour - middle) ** 2 for hour in middles)
    half = STUDENT_95 * (rest / (BLOCKS - 2) / spread) ** 0.5
    return Slope(slope, slope - half, slope + half)


class Soak:
    """A worker, a sender of made days at a rate (records a second), and what is noted of both.

    The event time of `accounts` runs as fast as their days are sent: nobody waits for a real day.
    `say` is told how it goes, each 10 s. Raises BrokerError if the worker ends by itself.
    """

    def __init__(
        self,
        settings: Settings,
        policy: Policy,
        rate: float,
        accounts: int,
        say: Callable[[str], None] = lambda _: None,
        begin: Callable[[Settings], WorkerProcess] = WorkerProcess,
    ) -> None:
        self.samples: list[SoakSample] = []
        self.sent = 0
        self._settings = settings
        self._calendar = policy.calendar.calendar()
        self._lateness = policy.calendar.allowed_lateness
        self._rate = rate
        self._accounts = accounts
        self._say = say
        self._begin = begin
        self._is_over = False
        self._started_at = 0.0
        self._metrics: Samples = {}
        self._watermark: float | None = None

    async def run(self, seconds: float) -> None:
        """Send and measure for so long, then wait until all that was sent is taken in.

        Ended before (by Ctrl-C), it leaves what was measured so far.
        """
        worker = self._begin(self._settings)
        try:
            await self._until_assigned(worker)
            await self._measure(worker, seconds)
        finally:
            worker.close()

    def result(self) -> Soaked:
        """Return what was measured so far."""
        samples = self.samples
        lasted = samples[-1].seconds if samples else 0.0
        steady = [sample for sample in samples if sample.seconds >= lasted * WARM_UP_SHARE]
        closed_until = (self._watermark or 0.0) * _MICROSECONDS - self._lateness
        return Soaked(
            lasted,
            self.sent,
            taken_in(self._metrics),
            days_closed(self._calendar, int(closed_until)),
            total_of(self._metrics, "weir_account_days_closed_total"),
            slope_of([s.seconds for s in steady], [s.rss_bytes for s in steady]),
            steady,
        )

    async def _until_assigned(self, worker: WorkerProcess) -> None:
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while total_of(worker.samples(), "weir_partitions_assigned") < self._settings.partitions:
            worker.ensure_running()
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"the worker got no partitions within {STARTED_SECONDS_MAX:g} s. It said:\n"
                    f"{worker.last_words()}"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _measure(self, worker: WorkerProcess, seconds: float) -> None:
        self._started_at = time.monotonic()
        sending = asyncio.create_task(self._send())
        try:
            said = due = 0.0
            while (now := time.monotonic() - self._started_at) < seconds and not sending.done():
                await self._sample(worker)
                if self.samples and now - said >= PROGRESS_SECONDS:
                    said = now
                    self._say_sample()
                due = max(due, now) + SAMPLE_SECONDS
                await asyncio.sleep(max(0.0, self._started_at + due - time.monotonic()))
            is_early = sending.done()
            self._is_over = True
            await sending
            if is_early:
                self._say("the made days have reached today: the soak ends here")
            await self._until_taken_in(worker)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def _send(self) -> None:
        topic = Topics.of(self._settings).transactions
        async with Outbox(cluster_of(self._settings)) as outbox:
            batches = takewhile(lambda _: not self._is_over, self._batches())
            async for sent in send_batches(outbox, topic, batches, self._rate):
                self.sent = sent

    def _batches(self) -> Iterator[Batch]:
        """Yield made days in pieces of a quarter of a second: a stream that is even, and ends."""
        size = max(1, min(SLICE_RECORDS, round(self._rate / 4)))
        for batch in soak_batches(self._accounts, date(*time.gmtime()[:3])):
            for first in range(0, len(batch.rows), size):
                rows = batch.rows[first : first + size]
                yield batch._replace(rows=rows, numbers=range(1, len(rows) + 1))

    async def _sample(self, worker: WorkerProcess) -> None:
        worker.ensure_running()
        metrics = await asyncio.to_thread(worker.samples)
        if not metrics:
            return  # it was too busy to answer: the next look is in a second
        self._take(metrics)
        self.samples.append(
            SoakSample(
                time.monotonic() - self._started_at,
                rss_bytes(worker.pid),
                total_of(metrics, "weir_consumer_lag_records"),
                total_of(metrics, "weir_state_open_transactions"),
                total_of(metrics, "weir_state_accounts"),
                worker.cpu_seconds(),
            )
        )

    def _take(self, metrics: Samples) -> None:
        self._metrics = metrics
        lags = [
            value for (name, _), value in metrics.items() if name == "weir_event_time_lag_seconds"
        ]
        if len(lags) == self._settings.partitions:  # the others have no record yet
            self._watermark = time.time() - max(lags)

    async def _until_taken_in(self, worker: WorkerProcess) -> None:
        deadline = time.monotonic() + TAKEN_IN_SECONDS_MAX
        while taken_in(self._metrics) < self.sent and time.monotonic() < deadline:
            worker.ensure_running()
            self._take(await asyncio.to_thread(worker.samples) or self._metrics)
            await asyncio.sleep(POLL_SECONDS)

    def _say_sample(self) -> None:
        now, found = self.samples[-1], self.result()
        text = (
            f"{found.days_closed:,} days closed, {self.sent:,} sent,"
            f" {now.rss_bytes / MEGABYTE:,.1f} MB, lag {now.lag_records:,}"
        )
        if found.memory is not None:
            text += f", slope {found.per_cent().per_hour:+.1f} % an hour"
        self._say(text)


def soak_batches(accounts: int, today: date, seed: int = 1) -> Iterator[Batch]:
    """Yield made days from 1970 on until the day before `today`, ten years of them at a time.

    Amounts do not grow over these years: more and more accounts would breach limits that stay as
    they are, and what is kept of their breaches would pass for a worker that leaks.
    """
    start = DAY_FIRST
    while (left := (today - start).days) > 0:
        days = min(left, DAYS_MAX)
        yield from made_batches(Population(accounts, days, seed, start, growth_a_day=0.0))
        start += timedelta(days)


def days_closed(calendar: Calendar, moment: int) -> int:
    """Return how many made business days end by a moment (microseconds since 1970).

    The first one is the day that the first made record falls into.
    """
    first = DAY_FIRST.toordinal()
    return max(calendar.day_of(moment) - first, 0)


def rss_bytes(pid: int) -> int:
    """Return the memory that a process has in RAM (Linux). Raises BrokerError if it is gone."""
    try:
        text = Path(f"/proc/{pid}/statm").read_text(encoding="ascii")
    except FileNotFoundError:
        raise BrokerError(f"the memory of process {pid} cannot be read in /proc") from None
    return int(text.split()[1]) * _PAGE_BYTES


def _spread(values: Sequence[float], digits: int) -> dict[str, float]:
    mean, greatest = statistics.fmean(values), max(values)
    if not digits:
        return {"mean": round(mean), "max": round(greatest)}
    return {"mean": round(mean, digits), "max": round(greatest, digits)}
