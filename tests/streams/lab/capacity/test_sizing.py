"""The size of a deployment: laws, and the formulas against figures by hand."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.lab.capacity.costs import FULL, LIMITS, CapacityError, Costs
from streams.lab.capacity.flushes import buckets, flush_bytes, flush_bytes_most, flushing
from streams.lab.capacity.plan import Surroundings, plan_of
from streams.lab.capacity.sizing import (
    DAY_SECONDS,
    PARTITIONS_MAX,
    Sizing,
    Target,
    bears_a_loss,
    recovery_needs,
    size_of,
)
from tests.support.laws import law

SEGMENT = 1e9

costs = st.sampled_from([LIMITS, FULL])
targets = st.builds(
    Target,
    per_second=st.floats(1, 1e5),
    accounts=st.integers(1, 10**8),
    transactions_a_day=st.none() | st.floats(1, 1e9),
    open_days=st.floats(1, 5),
    replicas=st.integers(1, 3),
    headroom=st.floats(0, 0.8),
    worker_bytes=st.floats(4e9, 256e9),
    core_share=st.floats(0.3, 1),
    partitions=st.none() | st.integers(1, PARTITIONS_MAX),
)


def sized(costs: Costs, target: Target) -> Sizing:
    """Return the size of a target; one that nothing bears is no example."""
    try:
        return size_of(costs, target, SEGMENT)
    except CapacityError:
        assume(False)  # noqa: FBT003 - as hypothesis has it
        raise


# -- laws -----------------------------------------------------------------------------------------


@law(200)
@given(costs, targets, st.floats(1, 10))
def test_more_accounts_never_need_less(costs: Costs, target: Target, more: float) -> None:
    least = sized(costs, target)
    most = sized(costs, target._replace(accounts=math.ceil(target.accounts * more)))
    assert most.workers >= least.workers
    assert most.partitions > least.partitions - most.workers  # each worker has as many
    assert most.memory_bytes >= least.memory_bytes
    assert most.state_bytes >= least.state_bytes


@law(200)
@given(costs, targets)
def test_twice_the_rate_needs_at_least_as_many_workers(costs: Costs, target: Target) -> None:
    once, twice = (
        sized(costs, target),
        sized(costs, target._replace(per_second=2 * target.per_second)),
    )
    assert twice.workers >= once.workers
    assert twice.partitions > once.partitions - twice.workers
    assert twice.memory_bytes >= once.memory_bytes


@law(200)
@given(costs, targets, st.floats(0, 0.1))
def test_more_headroom_never_needs_fewer_workers(costs: Costs, target: Target, more: float) -> None:
    generous = target._replace(headroom=target.headroom + more)
    assert sized(costs, generous).workers >= sized(costs, target).workers


@law(200)
@given(costs, targets)
def test_the_busiest_worker_bears_its_share_and_one_worker_fewer_would_not(
    costs: Costs, target: Target
) -> None:
    found = sized(costs, target)
    free = 1 - target.headroom
    assert found.core_share_busy <= free
    assert found.worker_memory_bytes <= free * target.worker_bytes
    assert found.workers <= found.partitions <= PARTITIONS_MAX
    assert found.cores_busy <= found.workers
    assert (found.decided_by == "one is enough") == (found.workers == 1)


@law(300)
@given(costs, st.floats(1, 1e8), st.floats(1, 1e8), st.floats(1, 1e5), st.floats(1, 1e5))
def test_flushes_never_shrink_with_accounts_or_records(
    costs: Costs, accounts: float, others: float, records: float, further: float
) -> None:
    few, many = sorted((accounts, others))
    least, most = sorted((records, further))
    smaller, larger = flush_bytes_most(costs, few, least), flush_bytes_most(costs, many, most)
    assert smaller <= larger * (1 + 1e-9)
    assert flush_bytes(costs, many, most) <= larger
    whole = many * costs.state_account_bytes + most * costs.state_transaction_bytes
    assert flush_bytes(costs, many, most) <= whole * (1 + 1e-9)


@law(300)
@given(costs, st.floats(0.1, 1e5), st.floats(1, 1e7))
def test_a_partition_flushes_when_a_worker_would(
    costs: Costs, per_second: float, accounts: float
) -> None:
    found = flushing(costs, per_second, accounts)
    assert found.seconds <= 15
    records = per_second * found.seconds
    assert records <= 400_000 * (1 + 1e-9)
    assert found.seconds >= 1 or records >= 50_000 * (1 - 1e-9)
    assert found.core_share == pytest.approx(
        found.bytes * costs.flush_ns_a_byte / 1e9 / found.seconds
    )


# -- by hand --------------------------------------------------------------------------------------

ROUND = LIMITS._replace(
    transaction_us=10, growth_us=0, account_bytes=300, transaction_bytes=100, process_bytes=3e8,
    state_account_bytes=50, state_transaction_bytes=30, flush_ns_a_byte=0,
)  # fmt: skip
"""Costs that can be reckoned with in the head: flushes cost nothing."""


def test_the_processor_decides() -> None:
    target = Target(per_second=120_000, accounts=10_000, transactions_a_day=1, worker_bytes=1e12)
    found = size_of(ROUND, target, SEGMENT)
    assert found.workers == 2  # 1.2 cores, of each of which 0.6 may be used
    assert found.decided_by == "processor"
    assert found.partitions == 8
    assert found.cores_busy == pytest.approx(1.2)
    assert found.core_share_busy == pytest.approx(0.6)


def test_memory_decides() -> None:
    target = Target(per_second=10, accounts=10_000_000, transactions_a_day=1e8, worker_bytes=10e9)
    found = size_of(ROUND, target, SEGMENT)
    assert found.open_transactions == 3e8
    # 33 GB of accounts and transactions, and 0.3 GB a process; each may use 6 GB.
    assert (found.workers, found.decided_by) == (6, "memory")
    assert found.memory_bytes == pytest.approx(33e9 + 6 * 0.3e9)
    assert found.worker_memory_bytes == pytest.approx(33e9 / 6 + 0.3e9)
    assert found.state_bytes == pytest.approx(0.5e9 + 9e9)
    assert found.partitions == 36  # one for each 300,000 accounts, and as many for each worker
    assert found.read_bytes == pytest.approx(2 * 9.5e9 / 36 + SEGMENT)
    assert found.changelog_disk_bytes == pytest.approx(3 * (2 * 9.5e9 + 36 * SEGMENT))


def test_a_stated_number_of_partitions_is_kept_and_the_busiest_worker_counts() -> None:
    target = Target(per_second=120_000, accounts=100, transactions_a_day=1, partitions=5)
    found = size_of(ROUND, target, SEGMENT)
    assert found.partitions == 5
    assert found.workers == 3  # two would have three and two: 0.72 of a core
    assert found.core_share_busy == pytest.approx(0.48)


def test_a_rate_that_is_not_stated_for_the_day_lasts_all_day() -> None:
    assert Target(per_second=10, accounts=1).open_transactions == 10 * 86_400 * 3
    assert Target(10, 1, transactions_a_day=5, open_days=2).open_transactions == 10


def test_costs_grow_with_the_accounts_of_a_partition() -> None:
    growing = ROUND._replace(growth_us=2)
    assert growing.decided_us(10_000) == growing.decided_us(1) == 10
    assert growing.decided_us(1_000_000) == pytest.approx(14)


@pytest.mark.parametrize(
    ("state_bytes", "count"),
    [(0, 256), (4 << 20, 256), ((4 << 20) + 1, 1024), (1 << 28, 16_384), (1 << 40, 65_536)],
)
def test_buckets_are_as_many_as_a_worker_deals(state_bytes: float, count: int) -> None:
    assert buckets(state_bytes) == count


def test_recovery_knows_what_a_record_costs_with_its_flushes() -> None:
    target = Target(per_second=40_000, accounts=400_000, transactions_a_day=1e6, core_share=0.5)
    flushed = ROUND._replace(flush_ns_a_byte=10, rebuild_account_us=2, rebuild_transaction_us=1)
    found = size_of(flushed, target, SEGMENT)
    needs = recovery_needs(flushed, target, found, 1e9)
    a_partition = 40_000 / found.partitions
    assert needs.record_seconds * a_partition * 0.5 == pytest.approx(
        a_partition * 1e-5 + found.flush.core_share
    )
    seconds = (400_000 * 2 + 3e6) / 1e6 / found.partitions
    assert needs.rebuild_seconds == pytest.approx(seconds / 0.5)
    assert needs.read_bytes == found.read_bytes


def test_a_plan_has_every_loss_and_a_single_worker_none_that_nobody_ends() -> None:
    around = Surroundings()
    many = plan_of(LIMITS, Target(10_000, 10**7), around)
    assert all(outcome is not None for outcome in many.losses.values())
    alone = plan_of(LIMITS, Target(10, 1000), around)
    assert alone.sizing.workers == 1
    never = [name for name, outcome in alone.losses.items() if outcome is None]
    assert never == ["killed, not replaced", "killed, not replaced, standbys"]
    assert many.standby_bytes == many.sizing.state_bytes


def test_two_workers_that_are_busy_for_more_than_half_cannot_bear_a_loss() -> None:
    target = Target(per_second=110_000, accounts=10_000, transactions_a_day=1, worker_bytes=1e12)
    found = size_of(ROUND, target, SEGMENT)
    assert found.workers == 2
    assert found.cores_busy == pytest.approx(1.1)
    assert not bears_a_loss(ROUND, target, found)
    assert plan_of(ROUND, target, Surroundings()).losses["killed, not replaced"] is None
    fewer = target._replace(per_second=90_000, headroom=0.5)
    assert bears_a_loss(ROUND, fewer, size_of(ROUND, fewer, SEGMENT))


def test_two_workers_that_need_more_than_half_of_their_memory_cannot_bear_a_loss() -> None:
    target = Target(per_second=1, accounts=30_000_000, transactions_a_day=1, worker_bytes=8.5e9)
    found = size_of(ROUND, target, SEGMENT)  # 9 GB of accounts, and each may use 5.1 GB
    assert found.workers == 2
    assert not bears_a_loss(ROUND, target, found)
    assert bears_a_loss(ROUND, target._replace(worker_bytes=10e9), found)


@law(60)
@given(targets)
def test_every_plan_has_an_outcome_for_whoever_is_replaced(target: Target) -> None:
    most = target.per_second * DAY_SECONDS
    target = target._replace(transactions_a_day=min(target.transactions_a_day or most, most))
    assume(sized(LIMITS, target).partitions <= 100)
    for name, outcome in plan_of(LIMITS, target, Surroundings()).losses.items():
        assert outcome is not None or "not replaced" in name


# -- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"per_second": 0}, "transactions a second must be greater than 0, not 0"),
        ({"per_second": -1}, "transactions a second must be greater than 0, not -1"),
        ({"per_second": math.nan}, "transactions a second must be greater than 0, not nan"),
        ({"accounts": 0}, "accounts must be greater than 0, not 0"),
        ({"open_days": 0}, "open days must be greater than 0, not 0"),
        ({"replicas": 0}, "copies must be greater than 0, not 0"),
        ({"core_share": 0}, "share of a core must be greater than 0, not 0"),
        ({"core_share": 2}, "share of a core must be at most 1, not 2"),
        ({"transactions_a_day": -5}, "transactions a day must be greater than 0, not -5"),
        ({"headroom": 1}, "headroom must be from 0 to below 1, not 1"),
        ({"partitions": 0}, "partitions must be from 1 to 10,000, not 0"),
        ({"partitions": 10_001}, "partitions must be from 1 to 10,000, not 10001"),
        ({"worker_bytes": 1e8}, "memory of a worker must be more than"),
        ({"per_second": 1e6, "partitions": 2}, "2 workers, one for each of 2 partitions, cannot"),
        (
            {"per_second": 1, "accounts": 10**9, "partitions": 2, "headroom": 0},
            "cannot hold 1,000,000,000 accounts",
        ),
    ],
)
def test_an_impossible_target_is_refused(change: dict[str, float], says: str) -> None:
    good = Target(per_second=100, accounts=1000)
    size_of(LIMITS, good, SEGMENT)
    with pytest.raises(CapacityError) as refused:
        size_of(LIMITS, good._replace(**change), SEGMENT)  # type: ignore[arg-type]  # some are whole
    assert says in str(refused.value)
