"""Memory of an account in a worker with all models, measured in a fresh process."""

import asyncio
import gc
import multiprocessing
import os
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.interpreter import configure_interpreter, give_back_memory
from streams.lab.stages import (
    WRITTEN_AT,
    MadeRecord,
    NoEvent,
    load_kernels,
    made_partition,
    record_batches,
)
from streams.wire import columns
from streams.worker.partition import Partition

RUN_RECORDS: Final = 5000
RUNS_A_FLUSH: Final = 10  # as many records as a worker's flush has
DAYS_BETWEEN: Final = 20
"""In the ordinary measurement an account has a transaction in so many days, so that at any time
the open days are those of about three accounts in twenty."""

_START: Final = date(2026, 1, 5).toordinal()
_WARM_UP_ACCOUNTS: Final = 1000


class AccountMemory(NamedTuple):
    """Bytes of resident memory an account.

    Where one account in `DAYS_BETWEEN` is active a day, and where every account has an open day
    with one transaction. The bytes of its state on the changelog stand beside it: a worker does not
    keep them in memory.
    """

    engine: str
    accounts: int
    bytes_per_account: int
    state_bytes_per_account: int
    bytes_per_account_all_open: int
    state_bytes_per_account_all_open: int


def account_memory(policy_text: str, accounts: int, engine: str) -> AccountMemory:
    """Measure one partition of so many accounts by a named engine, in two processes of their own.

    An account more has what it costs: tables that are half empty at one number may be full at
    another.
    """
    (spread, of_spread), (at_once, of_at_once) = (
        _in_a_process(policy_text, accounts, days, engine) for days in (DAYS_BETWEEN, 1)
    )
    return AccountMemory(engine, accounts, spread, of_spread, at_once, of_at_once)


def _in_a_process(policy_text: str, accounts: int, days: int, engine: str) -> tuple[int, int]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measure, (policy_text, accounts, days, engine))


def _measure(policy_text: str, accounts: int, days: int, engine: str) -> tuple[int, int]:
    policy = policy_of(policy_text)
    kind = Engine if engine == "plain" else OrdinaryEngine
    load_kernels(policy)
    other = made_partition(kind(0, PolicyBook([policy])))
    asyncio.run(_run(other, _records(_WARM_UP_ACCOUNTS, 2)))  # everything is loaded then
    configure_interpreter()
    give_back_memory()
    before = resident_bytes()
    partition = made_partition(kind(0, PolicyBook([policy])))
    asyncio.run(_run(partition, _records(accounts, days)))
    gc.collect()
    give_back_memory()
    after = resident_bytes()
    return round((after - before) / accounts), round(partition.state_bytes / accounts)


async def _run(partition: Partition, records: Iterator[MadeRecord]) -> None:
    number = 0
    while run := list(islice(records, RUN_RECORDS)):
        await partition.take(NoEvent(), columns.read_run(record_batches(run)))
        number += 1
        if number % RUNS_A_FLUSH == 0:
            await partition.flush()
    await partition.flush()


def _records(accounts: int, days: int) -> Iterator[MadeRecord]:
    """Yield a transaction of each account, an equal part of the accounts a day."""
    for number in range(accounts):
        day = date.fromordinal(_START + number * days // accounts).isoformat()
        account_id = f"A{number:07d}"
        value = (
            f'{{"transaction_id":"R{number:010d}","account_id":"{account_id}"'
            f',"booked_at":"{day}T12:00:00Z","amount":"12.30","currency":"EUR"'
            f',"direction":"debit","counterparty_id":"C{number % 1000}","channel":"card"'
            ',"segment":"current"}'
        )
        yield MadeRecord(number, WRITTEN_AT, account_id.encode(), value.encode())


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
