"""The model of a rebalance, against closed forms and laws."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.lab.capacity.costs import CapacityError
from streams.lab.capacity.rebalance import (
    RebalanceOutcome,
    RecoveryNeeds,
    WorkerGroup,
    WorkerLoss,
    simulate,
    worst_of,
)
from tests.support.laws import law

NOTHING = RecoveryNeeds(
    record_seconds=1e-5,
    read_bytes=0,
    read_seconds_a_byte=0,
    bandwidth=1e9,
    rebuild_seconds=0,
    start_seconds=0,
    join_seconds=0.5,
    flush_seconds=0,
)
"""State of no bytes, and a worker that is there at once."""

SOME = NOTHING._replace(
    read_bytes=2e9, read_seconds_a_byte=5e-9, rebuild_seconds=1.5, start_seconds=4, flush_seconds=1
)
QUIET = 1e-6
"""A rate at which next to nothing waits."""

KILL = WorkerLoss(session_seconds=10, heartbeat_seconds=0)
"""Heartbeats come all the time, so that no chance is left."""

REPLACED = KILL._replace(restart_seconds=0.0)


# -- closed forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_without_state_a_group_recovers_in_session_timeout_and_join(workers: int) -> None:
    found = simulate(WorkerGroup(workers, 12, QUIET), NOTHING, KILL)
    assert found.deciding_seconds == pytest.approx(10 + 0.5)
    assert found.delay_seconds == pytest.approx(10 + 0.5)
    assert found.rebalances == 1
    assert found.moved == math.ceil(12 / workers)


def test_one_worker_that_is_replaced_reads_and_builds_after_the_session_timeout() -> None:
    found = simulate(WorkerGroup(1, 1, QUIET), SOME, REPLACED)
    reading = max(2e9 / 1e9, 2e9 * 5e-9)  # the slower of the brokers and the worker's own core
    assert found.deciding_seconds == pytest.approx(10 + 0.5 + reading + 1.5)
    assert found.caught_up_seconds == pytest.approx(found.deciding_seconds, abs=1e-3)


def test_one_worker_that_starts_slowly_joins_when_it_is_there() -> None:
    slow = SOME._replace(start_seconds=30)
    found = simulate(WorkerGroup(1, 4, QUIET), slow, REPLACED)
    assert found.deciding_seconds == pytest.approx(30 + 0.5 + 4 * 10 + 4 * 1.5)


def test_what_waits_is_worked_off_by_what_is_left_of_the_core() -> None:
    rate, needs = 40_000.0, NOTHING._replace(flush_seconds=2.0)
    found = simulate(WorkerGroup(1, 1, rate), needs, REPLACED)
    back = 10 + 0.5
    again = 2.0 * rate  # decided, and not sealed
    assert found.deciding_seconds == pytest.approx(back)
    assert found.caught_up_seconds == pytest.approx(back + (rate * back + again) / (1e5 - rate))
    assert found.delay_seconds == pytest.approx(back + again / 1e5)


def test_a_worker_that_is_stopped_in_order_leaves_at_once() -> None:
    rolled = KILL._replace(is_graceful=True)
    needs = NOTHING._replace(flush_seconds=3.0)
    found = simulate(WorkerGroup(2, 4, QUIET), needs, rolled)
    assert found.deciding_seconds == pytest.approx(3.0 + 0.5)  # the other one flushes, and rejoins
    assert found.paused_seconds == pytest.approx(3.0 + 0.5)


def test_static_membership_within_the_session_timeout_stops_nobody_else() -> None:
    static = REPLACED._replace(is_static=True)
    found = simulate(WorkerGroup(5, 10, QUIET), SOME, static)
    assert found.deciding_seconds == pytest.approx(4 + 0.5 + 2 * 10 + 2 * 1.5)
    assert (found.rebalances, found.moved, found.paused_seconds) == (0, 0, 0)


def test_static_membership_does_not_help_who_comes_back_too_late() -> None:
    late = REPLACED._replace(restart_seconds=20.0)
    group = WorkerGroup(5, 10, QUIET)
    assert simulate(group, SOME, late._replace(is_static=True)) == simulate(group, SOME, late)


def test_readers_share_what_the_brokers_send() -> None:
    needs = NOTHING._replace(read_bytes=1e9, bandwidth=1e8)
    group = WorkerGroup(3, 6, QUIET)  # two are left, and each is given one partition
    assert simulate(group, needs, KILL).deciding_seconds == pytest.approx(10.5 + 2 * 1e9 / 1e8)
    alone = simulate(WorkerGroup(2, 4, QUIET), needs, KILL)  # one is left, and is given two
    assert alone.deciding_seconds == pytest.approx(10.5 + 2 * 1e9 / 1e8)


def test_a_standby_reads_nothing_and_builds() -> None:
    group = WorkerGroup(3, 6, QUIET)
    found = simulate(group, SOME, KILL._replace(has_standby=True))
    assert found.deciding_seconds == pytest.approx(10 + 1 + 0.5 + 1.5)


def test_whoever_is_new_was_nobodys_standby() -> None:
    group = WorkerGroup(3, 6, QUIET)
    assert simulate(group, SOME, REPLACED._replace(has_standby=True)) == simulate(
        group, SOME, REPLACED
    )


def test_one_that_comes_later_moves_partitions_once_more() -> None:
    found = simulate(WorkerGroup(3, 6, QUIET), SOME, KILL._replace(restart_seconds=100.0))
    assert found.rebalances == 2
    assert found.moved == 4
    # It is there after 104 s; the others flush for 1 s; it reads and builds two.
    assert found.deciding_seconds == pytest.approx(104 + 1 + 0.5 + 2 * 10 + 2 * 1.5)


def test_a_rebalance_within_the_reading_begins_it_again() -> None:
    found = simulate(WorkerGroup(2, 4, QUIET), SOME, KILL._replace(restart_seconds=10.0))
    assert found.rebalances == 2  # the second one is there at 14 s, while the first reads
    assert found.deciding_seconds == pytest.approx(14 + 1 + 0.5 + 2 * 10 + 2 * 1.5)


def test_what_a_worker_cannot_bear_waits_until_it_is_relieved() -> None:
    rate = 120_000.0  # of 100,000 that one worker decides
    rolled = KILL._replace(is_graceful=True, restart_seconds=100.0)
    found = simulate(WorkerGroup(2, 4, rate), NOTHING, rolled)
    # From 0.5 s on one worker has all; from 100 to 100.5 s nobody decides, then each has half.
    waits = rate / 4 + (100 - 0.5) * (rate - 1e5) + 0.5 * rate + rate / 4
    of_each = waits / 2
    assert found.deciding_seconds == pytest.approx(100.5)
    assert found.caught_up_seconds == pytest.approx(100.5 + of_each / (1e5 - rate / 2))
    assert found.delay_seconds == pytest.approx(waits / rate)


# -- laws -----------------------------------------------------------------------------------------

groups = st.builds(WorkerGroup, st.integers(2, 12), st.integers(12, 60), st.floats(1, 50_000))
needs = st.builds(
    RecoveryNeeds,
    record_seconds=st.floats(1e-6, 9e-6),
    read_bytes=st.floats(0, 5e9),
    read_seconds_a_byte=st.floats(0, 2e-8),
    bandwidth=st.floats(1e7, 1e10),
    rebuild_seconds=st.floats(0, 5),
    start_seconds=st.floats(0, 20),
    join_seconds=st.floats(0, 3),
    flush_seconds=st.floats(0, 15),
)
losses = st.builds(
    WorkerLoss,
    session_seconds=st.floats(1, 60),
    heartbeat_seconds=st.floats(0, 3),
    restart_seconds=st.none() | st.floats(0, 200),
    is_graceful=st.booleans(),
    is_static=st.booleans(),
    has_standby=st.booleans(),
)
seeds = st.integers(0, 5)


@law(200)
@given(groups, needs, losses, seeds)
def test_every_loss_ends_and_the_same_seed_says_the_same(
    group: WorkerGroup, needs: RecoveryNeeds, loss: WorkerLoss, seed: int
) -> None:
    found = simulate(group, needs, loss, seed)
    assert found == simulate(group, needs, loss, seed)
    assert 0 <= found.deciding_seconds <= found.caught_up_seconds < math.inf
    assert found.paused_seconds <= found.caught_up_seconds + 1e-6


@law(200)
@given(groups, needs, losses, seeds, st.floats(1, 3))
def test_more_state_never_recovers_sooner(
    group: WorkerGroup, needs: RecoveryNeeds, loss: WorkerLoss, seed: int, more: float
) -> None:
    loss = loss._replace(restart_seconds=None)
    greater = needs._replace(
        read_bytes=needs.read_bytes * more, rebuild_seconds=needs.rebuild_seconds * more
    )
    least, most = (simulate(group, each, loss, seed) for each in (needs, greater))
    assert least.deciding_seconds <= most.deciding_seconds + 1e-6
    assert least.caught_up_seconds <= most.caught_up_seconds + 1e-6
    assert least.delay_seconds <= most.delay_seconds + 1e-6


@law(200)
@given(groups, needs, losses, seeds)
def test_a_standby_never_recovers_later(
    group: WorkerGroup, needs: RecoveryNeeds, loss: WorkerLoss, seed: int
) -> None:
    loss = loss._replace(restart_seconds=None)
    with_one = simulate(group, needs, loss._replace(has_standby=True), seed)
    without = simulate(group, needs, loss._replace(has_standby=False), seed)
    assert with_one.deciding_seconds <= without.deciding_seconds + 1e-6
    assert with_one.delay_seconds <= without.delay_seconds + 1e-6


@law(100)
@given(groups, needs, losses)
def test_the_worst_of_many_is_no_better_than_any(
    group: WorkerGroup, needs: RecoveryNeeds, loss: WorkerLoss
) -> None:
    worst = worst_of(group, needs, loss, 4, seed=7)
    for seed in range(7, 11):
        found = simulate(group, needs, loss, seed)
        assert all(most >= value for most, value in zip(worst, found, strict=True))


# -- what cannot be -------------------------------------------------------------------------------


def test_a_group_of_nobody_is_refused() -> None:
    with pytest.raises(CapacityError, match="must have a worker left"):
        simulate(WorkerGroup(1, 4, 100), SOME, KILL)


def test_a_core_that_cannot_catch_up_is_refused() -> None:
    with pytest.raises(CapacityError, match="a worker with 4 partitions cannot catch up"):
        simulate(WorkerGroup(2, 4, 100_000), NOTHING, KILL)


def test_an_outcome_has_no_delay_without_a_loss_of_time() -> None:
    at_once = NOTHING._replace(join_seconds=0)
    loss = KILL._replace(is_graceful=True)
    assert simulate(WorkerGroup(2, 2, QUIET), at_once, loss) == RebalanceOutcome(0, 0, 0, 0, 1, 1)
