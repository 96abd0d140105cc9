"""Measures a worker, beside an ordinary Faust agent, in one run on one machine.

Each worker is one process, kept on the last core; broker and sender have the others. The topic is
filled before the worker starts, so that what is measured is the worker.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from monitor.population import Population
from monitor.population.labels import account_id
from streams.feed.population import made_batches
from streams.feed.reader import BATCH_ROWS, Batch
from streams.interpreter import building
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Dispatch, Outbox, Prepared
from streams.kafka.reader import TopicReader
from streams.lab.rig import Samples, WorkerProcess, embedded_rig, taken_in, total_of
from streams.send.transactions import dealt_slices, send_batches, send_slices
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.worker.partitions import FLUSH_WAIT_SECONDS_MAX

ACCOUNTS: Final = 20_000
LATENCY_SECONDS: Final = 15.0
WAIT_SECONDS_MAX: Final = 300.0
POLL_SECONDS: Final = 0.05
POLL_SECONDS_MAX: Final = 1.0
RECOVERY_POLL_SECONDS: Final = 0.2
"""More often, and asking would be a tenth of what a recovery takes."""

SESSION_GRACE_SECONDS: Final = 1.0
TAIL_WAIT_MS: Final = 10
"""The embedded broker looks again after half of it whether there are alerts."""
FLUSHED: Final = "weir_flush_bytes_total"
STOCK: Final = "streams.lab.stock_faust"


class Throughput(NamedTuple):
    """What one worker did with a full topic."""

    per_second: float
    cpu_us: float  # of processor time a record
    samples: Samples


class Latency(NamedTuple):
    """From sending the record that tips a limit to reading its alert, in milliseconds."""

    alerts: int
    p50_ms: float
    p99_ms: float


def bench_batches(records: int, seed: int = 1) -> Iterator[Batch]:
    """Yield batches of a made population until there are so many records."""
    population = Population(ACCOUNTS, days=3660, seed=seed)
    left = records
    for batch in made_batches(population):
        rows = list(islice(batch.rows, left))
        left -= len(rows)
        yield batch._replace(rows=rows, numbers=range(1, len(rows) + 1))
        if not left:
            return


async def fill(settings: Settings, batches: Iterable[Batch]) -> int:
    """Send batches as fast as it goes; return how many records they were."""
    topic = Topics.of(settings).transactions
    async with Outbox(cluster_of(settings)) as outbox:
        return max([sent async for sent in send_batches(outbox, topic, batches)], default=0)


def weir_throughput(policy: Path, records: int) -> Throughput:
    """Measure a Weir worker: limits, durable state, awaited alerts."""
    with embedded_rig(policy) as settings:
        sent = asyncio.run(fill(settings, bench_batches(records)))
        return _throughput(WorkerProcess(settings), sent, taken_in)


def stock_throughput(policy: Path, records: int) -> Throughput:
    """Measure an ordinary Faust agent with a Table on the same kind of topic."""
    with embedded_rig(policy) as settings:
        sent = asyncio.run(fill(settings, bench_batches(records)))
        command = (
            STOCK, settings.broker, settings.topic_prefix, str(settings.partitions),
            str(settings.metrics_port),
        )  # fmt: skip
        return _throughput(
            WorkerProcess(settings, command),
            sent,
            lambda samples: int(samples.get(("stock_records_total", ()), 0)),
        )


class _Reading(NamedTuple):
    seconds: float
    cpu_seconds: float
    records: int
    samples: Samples


def _throughput(worker: WorkerProcess, records: int, taken: Callable[[Samples], int]) -> Throughput:
    """Return the rate between a twentieth and nineteen twentieths of the records, and end it.

    In between, the worker is busy from end to end: starting and stopping are not measured.
    """
    try:
        worker.pin(-1)
        first = _reading(worker, taken, at_least=records // 20)
        last = _reading(worker, taken, at_least=records - records // 20)
        end = _reading(worker, taken, at_least=records)
        time.sleep(2 * worker.settings.flush_seconds)  # the last flush, for the size of state
        samples = worker.samples() or end.samples
    finally:
        worker.close()
    done = last.records - first.records
    return Throughput(
        done / (last.seconds - first.seconds),
        (last.cpu_seconds - first.cpu_seconds) / done * 1e6,
        samples,
    )


def _reading(
    worker: WorkerProcess,
    taken: Callable[[Samples], int],
    at_least: int,
    poll_seconds: float = POLL_SECONDS,
) -> _Reading:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    before: _Reading | None = None
    while time.monotonic() < deadline:
        worker.ensure_running()
        samples = worker.samples()
        reading = _Reading(time.perf_counter(), worker.cpu_seconds(), taken(samples), samples)
        if reading.records >= at_least:
            return reading
        time.sleep(_seconds_to_wait(before, reading, at_least, poll_seconds))
        before = reading
    raise BrokerError(f"the worker took in no {at_least} records within {WAIT_SECONDS_MAX:g} s")


def _seconds_to_wait(
    before: _Reading | None, now: _Reading, at_least: int, poll_seconds: float
) -> float:
    """Return half the time until there are so many records: each answer takes the worker's time."""
    if before is None or now.records <= before.records:
        return poll_seconds
    a_record = (now.seconds - before.seconds) / (now.records - before.records)
    return min(max(poll_seconds, (at_least - now.records) * a_record / 2), POLL_SECONDS_MAX)


def weir_latency(policy: Path, rate: float) -> Latency:
    """Send at a rate, and measure how long each alert takes to be read by someone."""
    with embedded_rig(policy) as settings:
        worker = WorkerProcess(settings)
        try:
            worker.pin(-1)
            return asyncio.run(_latency(settings, worker, rate))
        finally:
            worker.close()


async def _latency(settings: Settings, worker: WorkerProcess, rate: float) -> Latency:
    topics = Topics.of(settings)
    outbox = Outbox(cluster_of(settings))
    tail = TopicReader(cluster_of(settings), topics.alerts, settings.partitions, TAIL_WAIT_MS)
    await outbox.start()
    await tail.start()
    sent_at: list[float] = []
    waits: list[float] = []
    numbers: dict[str, int] = {}  # of each transaction, in the order of sending
    slices: list[dict[int, Prepared]] = []  # held to the end: to free them takes long

    async def send() -> None:
        dispatch = await Dispatch.to(outbox, topics.transactions)
        with building():  # a look at a million records for garbage would hold up what is measured
            batches = list(bench_batches(round(rate * LATENCY_SECONDS), seed=2))
            for batch in batches:
                numbers.update((str(row[0]), len(numbers)) for row in batch.rows)
            slices.extend(dealt_slices(dispatch, batches, rate))
            del batches
        while not worker.samples().get(("weir_partitions_assigned", ())):
            worker.ensure_running()
            await asyncio.sleep(POLL_SECONDS)
        async for sent in send_slices(dispatch, slices, rate):
            now = time.perf_counter()
            sent_at.extend([now] * (sent - len(sent_at)))

    sending = asyncio.create_task(send())
    quiet_since = time.monotonic()
    while not sending.done() or time.monotonic() - quiet_since < 2 * settings.flush_seconds:
        records = await tail.read(POLL_SECONDS)
        now = time.perf_counter()
        if records:
            quiet_since = time.monotonic()
        for record in records:
            number = numbers.get(json.loads(record.value).get("transaction_id"))
            if number is None:
                continue  # a systemic alert is of no transaction
            if number < len(sent_at):
                waits.append(now - sent_at[number])
            else:
                waits.append(0.0)  # read before the sender knew that it was sent
    sending.result()
    await tail.stop()
    await outbox.stop()
    return _percentiles(waits[len(waits) // 10 :])  # without the start


def _percentiles(waits: list[float]) -> Latency:
    if not waits:
        raise BrokerError("no alert was told: give a policy that is exceeded now and then")
    ordered = sorted(waits)
    return Latency(
        len(ordered),
        round(1000 * ordered[len(ordered) // 2], 1),
        round(1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 1),
    )


class Recovery(NamedTuple):
    """How long a worker takes from its start to its first decision, with so much state.

    `cpu_seconds` are its processor time until then, imports and kernels included. After
    `read_seconds` it had joined, and read the changelog: `changelog_bytes` are what the worker
    before it had written, and the embedded broker compacts nothing.
    """

    accounts: int
    seconds: float
    cpu_seconds: float
    state_bytes: int
    read_seconds: float
    read_cpu_seconds: float
    changelog_bytes: int


def weir_recovery(policy: Path, accounts: int) -> Recovery:
    """Fill state with accounts of one transaction each, end the worker, and start another."""
    with embedded_rig(policy) as settings:
        population = Population(accounts, 1, seed=1)
        asyncio.run(fill(settings, one_each(population)))
        first = WorkerProcess(settings)
        try:
            _reading(first, taken_in, at_least=accounts)
            samples = _flushed(first)
            state_bytes = total_of(samples, "weir_state_bytes")
            changelog_bytes = total_of(samples, FLUSHED)
            first.terminate()
        finally:
            first.close()
        left_at = time.monotonic()
        asyncio.run(fill(settings, one_each(Population(1000, 1, seed=2), number_from=accounts)))
        # The embedded broker begins at generation 0, of which aiokafka's client does not leave:
        # the first worker's session has to end, or the second one waits for that.
        session_ends = left_at + settings.session_timeout_seconds + SESSION_GRACE_SECONDS
        time.sleep(max(session_ends - time.monotonic(), 0.0))
        second = WorkerProcess(settings)
        try:
            read = _reading(second, assigned, 1, RECOVERY_POLL_SECONDS)
            read_seconds = time.monotonic() - second.started_at
            reading = _reading(second, taken_in, 1000, RECOVERY_POLL_SECONDS)
            kept = total_of(reading.samples, "weir_transactions_total")
            seconds = time.monotonic() - second.started_at
        finally:
            second.close()
        assert kept <= 1000, "the second worker began anew: nothing was recovered"  # noqa: PLR2004 - as above
        return Recovery(
            accounts,
            round(seconds, 2),
            round(reading.cpu_seconds, 2),
            state_bytes,
            round(read_seconds, 2),
            round(read.cpu_seconds, 2),
            changelog_bytes,
        )


def _flushed(worker: WorkerProcess) -> Samples:
    """Return what a worker says when it has written all: no flush comes while one may wait."""
    samples = worker.samples()
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < FLUSH_WAIT_SECONDS_MAX + 1:
        time.sleep(POLL_SECONDS_MAX)
        worker.ensure_running()
        now = worker.samples()
        if total_of(now, FLUSHED) != total_of(samples, FLUSHED):
            quiet_since = time.monotonic()
        samples = now
    return samples


def assigned(samples: Samples) -> int:
    """Return how many partitions a worker has."""
    return total_of(samples, "weir_partitions_assigned")


def one_each(population: Population, number_from: int = 0) -> Iterator[Batch]:
    """Yield one transaction of each account."""
    day = population.start.isoformat()
    for first in range(0, population.accounts, BATCH_ROWS):
        numbers = range(first + 1, min(first + BATCH_ROWS, population.accounts) + 1)
        rows = [
            (
                f"R{number_from + n:010d}", account_id(n), f"{day}T12:00:00Z", "12.30", "EUR",
                "debit", None, None, "card", "current", None, None,
            )
            for n in numbers
        ]  # fmt: skip
        yield Batch(Path("one-each"), rows, numbers, [], first / population.accounts)


def state_size(samples: Samples) -> dict[str, int]:
    """Return the size of state, and what 160 bytes an account and 20 a transaction would be."""
    accounts = total_of(samples, "weir_state_accounts")
    transactions = total_of(samples, "weir_state_open_transactions")
    return {
        "bytes": total_of(samples, "weir_state_bytes"),
        "accounts": accounts,
        "open_transactions": transactions,
        "bytes_allowed": 160 * accounts + 20 * transactions,
    }
