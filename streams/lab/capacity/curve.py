"""Costs of one partition over its accounts and open transactions, without a broker.

Each size is measured in a fresh process. Processor time and bytes are a worker's own: its
partition decides, flushes and recovers here as it does there. Only the transport is missing.
"""

import asyncio
import gc
import multiprocessing
import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import islice
from statistics import median
from typing import Final, NamedTuple, TypeVar

from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.policy.document import policy_of
from monitor.policy.policy import Policy, PolicyBook
from streams.interpreter import building, configure_interpreter, give_back_memory
from streams.lab.account_memory import resident_bytes
from streams.lab.stages import (
    RUN_RECORDS,
    WRITTEN_AT,
    MadeRecord,
    NoEvent,
    load_kernels,
    made_partition,
    record_batches,
)
from streams.wire import columns
from streams.worker.partition import Partition

SIZES: Final = ((10_000, 1), (30_000, 1), (100_000, 1), (100_000, 5), (300_000, 1), (1_000_000, 1))
"""Accounts of the partition, and open transactions of each."""

FEW_RECORDS: Final = 2000
MANY_RECORDS: Final = 15_000
"""Records between two flushes: a quiet partition's in a second, and many."""

ROUNDS: Final = 3
FILLING_RUNS_A_FLUSH: Final = 60
FLUSHES_TO_SETTLE: Final = 9
"""From 256 to 65,536 buckets in four steps of two flushes each, and one more."""

WARM_UP_ACCOUNTS: Final = 1000

_Found = TypeVar("_Found")
_DAY: Final = date(2026, 1, 5).isoformat()


class SizedCosts(NamedTuple):
    """Costs of one partition of a size; every figure is of the whole partition or a transaction.

    A flush is measured after few and after many records of random accounts; decisions come before
    it.
    """

    accounts: int
    open_transactions: int
    memory_bytes: int
    state_bytes: int
    buckets: int
    decide_us: float  # a transaction: bytes to decisions to bytes
    flush_bytes_few: int
    flush_us_few: float  # a transaction
    flush_bytes_many: int
    flush_us_many: float
    rebuild_seconds: float = 0.0


def curve(
    policy_text: str,
    sizes: Iterable[tuple[int, int]] = SIZES,
    say: Callable[[str], None] = lambda _: None,
) -> list[SizedCosts]:
    """Measure a partition of each size (accounts, transactions of each), smallest first."""
    found = []
    for accounts, each in sizes:
        say(f"{accounts:,} accounts, {each} open transactions of each")
        size = policy_text, accounts, each
        rebuild_seconds = _in_a_process(_rebuild, size)
        found.append(_in_a_process(_measure, size)._replace(rebuild_seconds=rebuild_seconds))
    return found


def _in_a_process(measure: Callable[[str, int, int], _Found], size: tuple[str, int, int]) -> _Found:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, size)


def _rebuild(policy_text: str, accounts: int, each: int) -> float:
    """Return the seconds in which a partition is put together from its changelog's records."""
    policy = policy_of(policy_text)
    load_kernels(policy)
    kept: dict[bytes, bytes] = {}
    asyncio.run(_fill(_partition(policy, into=kept), accounts, each))
    configure_interpreter()
    rebuilt = []
    for _ in range(ROUNDS):
        started = time.process_time()
        with building():
            again = _partition(policy, dict(kept))
        rebuilt.append(time.process_time() - started)
        assert again.engine.ledger.open_transactions() >= accounts * each, "nothing was lost"
        del again
    return round(median(rebuilt), 3)


def _measure(policy_text: str, accounts: int, each: int) -> SizedCosts:
    """Return all costs but that of putting a partition together."""
    policy = policy_of(policy_text)
    load_kernels(policy)
    asyncio.run(_fill(_partition(policy), WARM_UP_ACCOUNTS, 1))
    configure_interpreter()
    give_back_memory()
    before = resident_bytes()
    partition = _partition(policy)
    asyncio.run(_fill(partition, accounts, each))
    gc.collect()
    give_back_memory()
    memory, state = resident_bytes() - before, partition.state_bytes
    buckets = len(partition.engine.ledger.buckets)
    few = asyncio.run(_rounds(partition, accounts, FEW_RECORDS))
    many = asyncio.run(_rounds(partition, accounts, MANY_RECORDS))
    return SizedCosts(
        accounts,
        accounts * each,
        memory,
        state,
        buckets,
        round(many.decide_us, 2),
        few.flush_bytes,
        round(few.flush_us, 2),
        many.flush_bytes,
        round(many.flush_us, 2),
    )


def _partition(
    policy: Policy,
    kept: dict[bytes, bytes] | None = None,
    into: dict[bytes, bytes] | None = None,
) -> Partition:
    return made_partition(OrdinaryEngine(0, PolicyBook([policy])), kept, into)


async def _fill(partition: Partition, accounts: int, each: int) -> None:
    """Give every account so many open transactions; end when buckets are as many as they will be.

    A flush deals state into four times as many buckets at most, and not while the records of the
    writer before are still to be deleted: so several are needed.
    """
    records = _records(0, (number for _ in range(each) for number in range(accounts)))
    taken = 0
    while run := list(islice(records, RUN_RECORDS)):
        await partition.take(NoEvent(), columns.read_run(record_batches(run)))
        taken += 1
        if taken % FILLING_RUNS_A_FLUSH == 0:
            await partition.flush()
    await partition.flush()
    for _ in range(FLUSHES_TO_SETTLE):
        offset = partition.engine.ledger.offset_last + 1
        (last,) = _records(offset, [0])
        await partition.take(NoEvent(), columns.read_run(record_batches([last])))
        await partition.flush()


class _Round(NamedTuple):
    decide_us: float
    flush_us: float
    flush_bytes: int


async def _rounds(partition: Partition, accounts: int, count: int) -> _Round:
    """Let so many records of random accounts be decided and flushed, several times."""
    chosen = random.Random(count)  # noqa: S311 - accounts of a made stream
    rounds: list[_Round] = []
    for _ in range(1 + ROUNDS):
        first = partition.engine.ledger.offset_last + 1
        records = list(_records(first, (chosen.randrange(accounts) for _ in range(count))))
        runs = [records[at : at + RUN_RECORDS] for at in range(0, count, RUN_RECORDS)]
        made = [record_batches(run) for run in runs]
        started = time.process_time()
        for batches in made:
            await partition.take(NoEvent(), columns.read_run(batches))
        decided = time.process_time()
        flushed = await partition.flush()
        ended = time.process_time()
        assert flushed is not None, "records are new"
        rounds.append(
            _Round(
                1e6 * (decided - started) / count, 1e6 * (ended - decided) / count, flushed.bytes
            )
        )
    decide, flush, written = zip(*rounds[1:], strict=True)
    return _Round(median(decide), median(flush), round(median(written)))


def _records(first: int, numbers: Iterable[int]) -> Iterator[MadeRecord]:
    """Yield a transaction of each account that is named by its number, from an offset on."""
    for offset, number in enumerate(numbers, first):
        account_id = f"A{number:09d}"
        value = (
            f'{{"transaction_id":"R{offset:012d}","account_id":"{account_id}"'
            f',"booked_at":"{_DAY}T12:00:00Z","amount":"12.30","currency":"EUR"'
            f',"direction":"debit","counterparty_id":"C{number % 1000}","channel":"card"'
            ',"segment":"current"}'
        )
        yield MadeRecord(offset, WRITTEN_AT, account_id.encode(), value.encode())
