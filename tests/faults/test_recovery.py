"""What waits when a recovery ends is decided, once: nothing falls between Faust's steps."""

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.policy.document import DEFAULT_POLICY
from streams.lab.broker import free_port
from streams.lab.rig import WorkerProcess, total_of
from streams.settings import Settings
from tests.support.rigs import (
    Broker,
    has_partitions,
    own_rig,
    records,
    running,
    send,
    until,
    until_committed,
    until_taken_in,
    value_of,
)


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["run", "records", "plain"])
def test_records_that_are_fetched_as_a_recovery_ends_reach_the_agent(
    embedded_broker: Broker, tmp_path: Path, transport: str
) -> None:
    with own_rig(
        embedded_broker, tmp_path, DEFAULT_POLICY, partitions="1", transport=transport
    ) as settings:
        sent = 0
        for program in (
            ("streams.cli", "worker"),  # leaves something to recover
            ("tests.support.slow_seek_worker", "worker"),
            ("streams.cli", "worker"),
        ):
            send(settings, records(sent, 300))
            with running(settings, *program) as worker:
                until_taken_in(worker, 300)
                send(settings, records(sent + 300, 100))
                until_taken_in(worker, 400)
                samples = worker.samples()
                assert value_of(samples, "weir_transactions_total") == 400
                assert value_of(samples, "weir_redeliveries_total") == 0
                assert worker.terminate() == 0
            sent += 400


@pytest.mark.slow
def test_a_partition_that_comes_back_has_what_others_decided_meanwhile(
    broker: Broker, tmp_path: Path
) -> None:
    """No record shows a worker that it was without partitions, if it had no other."""
    with (
        own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="1") as settings,
        running(settings) as first,
    ):
        send(settings, records(0, 10))
        until_committed(settings, 10)
        first.pause()
        with running(replace(settings, metrics_port=free_port())) as second:
            until(lambda: has_partitions(second, 1), "it takes over", second)
            send(settings, records(10, 10))
            until_committed(settings, 20)
            first.go_on()
            until(lambda: rejoined(first, second), "one has it, and one none", first)
            send(settings, records(20, 10))
            until_committed(settings, 30)
            assert second.terminate() == 0
        until(lambda: has_partitions(first, 1), "it is back", first)
        send(settings, records(30, 10))
        until_committed(settings, 40)
        until_open(first, 40)
        assert first.terminate() == 0


@pytest.mark.slow
def test_a_worker_that_cannot_go_on_after_a_rebalance_reads_its_state_again(
    broker: Broker, tmp_path: Path
) -> None:
    """It has let go of the values by then, and Faust's table is not read for what stays ours."""
    program = ("tests.support.unsettled_worker", "worker")
    with (
        own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="2") as settings,
        running(settings, *program) as worker,
    ):
        send_to_both(settings, 0)
        with running(replace(settings, metrics_port=free_port())) as second:
            until(lambda: has_partitions(second, 1), "each has one", second)
            assert second.terminate() == 0
        until(lambda: has_partitions(worker, 2), "it has both", worker)
        send_to_both(settings, 10)
        until_open(worker, 40)
        assert worker.terminate() == 0


def send_to_both(settings: Settings, first: int) -> None:
    """Send ten records to each of two partitions, and wait until they are decided for good."""
    for number in range(2):
        send(settings, records(number * 100 + first, 10), number)
        until_committed(settings, first + 10, number)


def rejoined(first: WorkerProcess, second: WorkerProcess) -> bool:
    """Return whether one of two workers has the one partition, and both are in the group."""
    has = [total_of(worker.samples(), "weir_partitions_assigned") for worker in (first, second)]
    return sorted(has) == [0, 1]


def until_open(worker: WorkerProcess, transactions: int) -> None:
    """Wait until a worker says that it holds the day of so many transactions open."""
    name = "weir_state_open_transactions"
    until(lambda: total_of(worker.samples(), name) == transactions, f"{transactions} are open")
