"""The size of a deployment, from measured costs and a target.

Everything here is arithmetic: no clock, no broker. `docs/capacity.md` has the same formulas.
"""

import math
from typing import Final, NamedTuple

from streams.lab.capacity.costs import PARTITION_ACCOUNTS, CapacityError, Costs
from streams.lab.capacity.flushes import Flushing, flushing
from streams.lab.capacity.rebalance import RecoveryNeeds

PARTITIONS_MAX: Final = 10_000
"""As WEIR_PARTITIONS allows."""

PARTITIONS_A_WORKER: Final = 4
"""If nobody states a number: a worker that goes away leaves its work to four others."""

WORKERS_MAX: Final = 1_000_000
DAY_SECONDS: Final = 86_400


class Target(NamedTuple):
    """What a deployment must bear.

    `accounts` are those that state holds: with limits alone, those with an open day.
    `transactions_a_day` is None for as many as the greatest rate makes in a day. `open_days` are
    the business day and the allowed lateness, in days: transactions of so many days are held.
    `headroom` is the share of a core and of `worker_bytes` that is left free. `partitions` is None
    if the sizing may choose.
    """

    per_second: float
    accounts: int
    transactions_a_day: float | None = None
    open_days: float = 3.0
    replicas: int = 3
    headroom: float = 0.4
    worker_bytes: float = 16e9
    core_share: float = 1.0
    partitions: int | None = None

    @property
    def open_transactions(self) -> float:
        """Transactions that state holds: transactions a day, times open days."""
        a_day = self.transactions_a_day
        return (self.per_second * DAY_SECONDS if a_day is None else a_day) * self.open_days


class Sizing(NamedTuple):
    """What a target needs. Bytes, seconds and cores; figures "a worker" are of the busiest one."""

    partitions: int
    workers: int
    decided_by: str  # processor or memory, or `partitions` if one worker would do
    cores_busy: float  # of all workers, at the stated rate
    core_share_busy: float  # of the busiest worker's core
    memory_bytes: float  # of all workers, without headroom
    worker_memory_bytes: float
    state_bytes: float  # live state on the changelog, one copy
    open_transactions: float
    flush: Flushing  # of one partition
    changelog_bytes_per_second: float  # one copy
    changelog_disk_bytes: float  # all copies, at most, before compaction has run
    read_bytes: float  # of one partition's changelog, at recovery, at most


def size_of(costs: Costs, target: Target, segment_bytes: float, dirty_ratio: float = 0.5) -> Sizing:
    """Return the fewest workers that bear a target, and what they need.

    A worker bears its partitions if both hold:

    - processor: r * decided_us + p * f <= (1 - headroom) * core_share, where r are its transactions
      a second, p its partitions, and f the core share of one partition's flushes;
    - memory: process_bytes + accounts * account_bytes + open transactions * transaction_bytes
      <= (1 - headroom) * worker_bytes.

    Raises CapacityError if the target is impossible, or no number of workers bears it.
    """
    _check(target, costs)
    high = 1
    while _lacks(costs, target, high):
        high *= 2
        if high > _workers_max(target):
            high = _workers_max(target)
            if why := _lacks(costs, target, high):
                raise CapacityError(_refusal(costs, target, high, why))
            break
    low = high // 2
    while high - low > 1:  # `low` does not bear it, `high` does
        middle = (low + high) // 2
        low, high = (middle, high) if _lacks(costs, target, middle) else (low, middle)
    return _sized(costs, target, high, segment_bytes, dirty_ratio)


def _check(target: Target, costs: Costs) -> None:
    problems = [
        f"{name} must be greater than 0{unit}, not {value:g}{unit}"
        for name, value, unit in (
            ("transactions a second", target.per_second, ""),
            ("accounts", target.accounts, ""),
            ("open days", target.open_days, ""),
            ("memory of a worker", target.worker_bytes / 1e9, " GB"),
            ("copies", target.replicas, ""),
            ("share of a core", target.core_share, ""),
        )
        if not 0 < value < math.inf
    ]
    if target.transactions_a_day is not None and not 0 < target.transactions_a_day < math.inf:
        problems.append(
            f"transactions a day must be greater than 0, not {target.transactions_a_day:g}"
        )
    if target.core_share > 1:
        problems.append(f"share of a core must be at most 1, not {target.core_share:g}")
    if not 0 <= target.headroom < 1:
        problems.append(f"headroom must be from 0 to below 1, not {target.headroom:g}")
    if target.partitions is not None and not 1 <= target.partitions <= PARTITIONS_MAX:
        problems.append(f"partitions must be from 1 to {PARTITIONS_MAX:,}, not {target.partitions}")
    elif not problems and (1 - target.headroom) * target.worker_bytes <= costs.process_bytes:
        least = costs.process_bytes / (1 - target.headroom)
        problems.append(
            f"memory of a worker must be more than {least / 1e9:.2f} GB, which one without accounts"
            f" needs, not {target.worker_bytes / 1e9:.3g} GB"
        )
    if problems:
        raise CapacityError("; ".join(problems))


def _workers_max(target: Target) -> int:
    return target.partitions or PARTITIONS_MAX


def _partitions(target: Target, workers: int) -> int:
    """Return the stated number; else the same for each worker: 4, and one for 300,000 accounts.

    So no partition is greater than the costs hold for, as far as WEIR_PARTITIONS goes.
    """
    if target.partitions is not None:
        return target.partitions
    by_accounts = math.ceil(target.accounts / PARTITION_ACCOUNTS / workers)
    return workers * min(max(PARTITIONS_A_WORKER, by_accounts), PARTITIONS_MAX // workers)


def _accounts_most(target: Target, workers: int, partitions: int) -> float:
    """Return the most accounts that a partition has while a deployment grows up to the target.

    Where the sizing chooses, more accounts are more and smaller partitions.
    """
    accounts = target.accounts / partitions
    if target.partitions is not None:
        return accounts
    before = target.accounts / (workers * PARTITIONS_A_WORKER)
    return max(accounts, min(before, PARTITION_ACCOUNTS))


class _Load(NamedTuple):
    """Of the busiest of so many workers."""

    partitions: int
    core_share: float
    memory_bytes: float
    flush: Flushing


def _load(costs: Costs, target: Target, workers: int) -> _Load:
    partitions = _partitions(target, workers)
    mine = math.ceil(partitions / workers)
    per_second = target.per_second / partitions
    accounts, transactions = target.accounts / partitions, target.open_transactions / partitions
    most = _accounts_most(target, workers, partitions)
    flush = flushing(costs, per_second, most)
    deciding = per_second * costs.decided_us(most) / 1e6
    held = accounts * costs.account_bytes + transactions * costs.transaction_bytes
    return _Load(
        partitions,
        mine * (deciding + flush.core_share),
        costs.process_bytes + mine * held,
        flush,
    )


def _lacks(costs: Costs, target: Target, workers: int) -> str:
    """Return what so many workers lack: `processor`, `memory`, or nothing."""
    load = _load(costs, target, workers)
    if load.core_share > (1 - target.headroom) * target.core_share:
        return "processor"
    if load.memory_bytes > (1 - target.headroom) * target.worker_bytes:
        return "memory"
    return ""


def bears_a_loss(costs: Costs, target: Target, sizing: Sizing) -> bool:
    """Return whether the workers bear the target with one of them gone, without any headroom."""
    if sizing.workers == 1:
        return False
    stated = target._replace(partitions=sizing.partitions)
    load = _load(costs, stated, sizing.workers - 1)
    return load.core_share < target.core_share and load.memory_bytes <= target.worker_bytes


def _refusal(costs: Costs, target: Target, workers: int, why: str) -> str:
    load = _load(costs, target, workers)
    free = 1 - target.headroom
    whose = f"{workers:,} workers, one for each of {load.partitions:,} partitions,"
    if workers == load.partitions == 1:
        whose = "1 worker with 1 partition"
    if why == "memory":
        return (
            f"{whose} cannot hold {target.accounts:,} accounts and"
            f" {target.open_transactions:,.0f} open transactions: one of them would need"
            f" {load.memory_bytes / 1e9:,.1f} GB, and may use"
            f" {free * target.worker_bytes / 1e9:,.1f} GB. Give more partitions, or more memory to"
            " each worker"
        )
    return (
        f"{whose} cannot keep up with {target.per_second:,.0f} transactions a second: one of them"
        f" would need {load.core_share:.2f} of a core, and may use"
        f" {free * target.core_share:.2f}. Give more partitions or cores, or less headroom"
    )


def _sized(
    costs: Costs, target: Target, workers: int, segment_bytes: float, dirty_ratio: float
) -> Sizing:
    load = _load(costs, target, workers)
    partitions = load.partitions
    state = (
        target.accounts * costs.state_account_bytes
        + target.open_transactions * costs.state_transaction_bytes
    )
    read = state / partitions / (1 - dirty_ratio) + segment_bytes
    memory = (
        workers * costs.process_bytes
        + target.accounts * costs.account_bytes
        + target.open_transactions * costs.transaction_bytes
    )
    decided_us = costs.decided_us(target.accounts / partitions)
    busy = target.per_second * decided_us / 1e6 + partitions * load.flush.core_share
    return Sizing(
        partitions=partitions,
        workers=workers,
        decided_by="one is enough" if workers == 1 else _lacks(costs, target, workers - 1),
        cores_busy=busy,
        core_share_busy=load.core_share,
        memory_bytes=memory,
        worker_memory_bytes=load.memory_bytes,
        state_bytes=state,
        open_transactions=target.open_transactions,
        flush=load.flush,
        changelog_bytes_per_second=partitions * load.flush.bytes / load.flush.seconds,
        changelog_disk_bytes=target.replicas * partitions * read,
        read_bytes=read,
    )


def recovery_needs(costs: Costs, target: Target, sizing: Sizing, bandwidth: float) -> RecoveryNeeds:
    """Return what the model of a rebalance needs to know of a sizing.

    A record costs decided_us and its part of the flushes, so that the worker keeps up and
    catches up by what is left of its core.
    """
    per_second, core_share = target.per_second / sizing.partitions, target.core_share
    decided_us = costs.decided_us(target.accounts / sizing.partitions)
    rebuild = (
        target.accounts * costs.rebuild_account_us
        + sizing.open_transactions * costs.rebuild_transaction_us
    ) / sizing.partitions
    return RecoveryNeeds(
        record_seconds=(decided_us / 1e6 + sizing.flush.core_share / per_second) / core_share,
        read_bytes=sizing.read_bytes,
        read_seconds_a_byte=costs.read_ns_a_byte / 1e9 / core_share,
        bandwidth=bandwidth,
        rebuild_seconds=rebuild / 1e6 / core_share,
        start_seconds=costs.start_seconds,
        join_seconds=costs.join_seconds,
        flush_seconds=sizing.flush.seconds,
    )
