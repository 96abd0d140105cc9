"""Memory of an account in a worker with all models, measured in a fresh process."""

import gc
import multiprocessing
import os
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from monitor.core.transaction import Transaction, transaction_of
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook

RUN_RECORDS: Final = 5000
DAYS_BETWEEN: Final = 20
"""In the ordinary measurement an account has a transaction in so many days, so that at any time
the open days are those of about three accounts in twenty."""

_START: Final = date(2026, 1, 5).toordinal()
_WARM_UP_ACCOUNTS: Final = 1000


class AccountMemory(NamedTuple):
    """Bytes of resident memory an account.

    Where one account in `DAYS_BETWEEN` is active a day, and where every account has an open day
    with one transaction.
    """

    accounts: int
    bytes_per_account: int
    bytes_per_account_all_open: int


def account_memory(policy_text: str, accounts: int) -> AccountMemory:
    """Measure an engine of one partition with so many accounts, in two processes of their own."""
    spread, at_once = (_in_a_process(policy_text, accounts, days) for days in (DAYS_BETWEEN, 1))
    return AccountMemory(accounts, spread, at_once)


def _in_a_process(policy_text: str, accounts: int, days: int) -> int:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measure, (policy_text, accounts, days))


def _measure(policy_text: str, accounts: int, days: int) -> int:
    engine = Engine(0, PolicyBook([policy_of(policy_text)]))
    other = Engine(0, PolicyBook([policy_of(policy_text)]))
    _run(other, _transactions(_WARM_UP_ACCOUNTS, 2))  # everything is loaded then
    gc.collect()
    before = _resident_bytes()
    _run(engine, _transactions(accounts, days))
    gc.collect()
    return round((_resident_bytes() - before) / accounts)


def _run(engine: Engine, transactions: Iterator[Transaction]) -> None:
    offset = 0
    while run := list(islice(transactions, RUN_RECORDS)):
        engine.observe(range(offset, offset + len(run)), run)
        engine.take_step()
        engine.ledger.dirty.clear()
        if engine.outliers.scorer is not None:
            engine.outliers.scorer.changed.clear()
        offset += len(run)


def _transactions(accounts: int, days: int) -> Iterator[Transaction]:
    """Yield a transaction of each account, an equal part of the accounts a day."""
    for number in range(accounts):
        day = date.fromordinal(_START + number * days // accounts).isoformat()
        made = transaction_of(
            (
                f"R{number:010d}", f"A{number:07d}", f"{day}T12:00:00Z", "12.30", "EUR", "debit",
                f"C{number % 1000}", None, "card", "current", None, None,
            )
        )  # fmt: skip
        assert isinstance(made, Transaction)
        yield made


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
