"""A worker that does not get on ends itself; one that has nothing to do does not."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaConsumer

from monitor.policy.document import DEFAULT_POLICY
from streams.lab.broker import EmbeddedBroker
from streams.security import SecretError
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.worker.liveness import EXIT_STALLED, Liveness
from tests.support.rigs import (
    QUICK,
    Broker,
    own_rig,
    records,
    running,
    send,
    until,
    until_ended,
    until_taken_in,
)

LINES_MAX = 60
"""Of a worker that a broker leaves for ten seconds; without holding back they are thousands."""


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 0], ids=["after-a-run", "from-the-start"])
def test_a_worker_that_lives_and_does_not_fetch_ends_with_status_4(
    embedded_broker: Broker, tmp_path: Path, runs: int
) -> None:
    with (
        own_rig(
            embedded_broker, tmp_path, DEFAULT_POLICY, partitions="1", liveness_seconds="3"
        ) as settings,
        running(settings, "tests.support.deaf_worker", "worker", str(runs)) as worker,
    ):
        if runs:
            send(settings, records(0, 10))
            until_taken_in(worker, 10)
        send(settings, records(10, 10))
        assert until_ended(worker) == EXIT_STALLED
        assert "records wait, and none was decided for 3 s" in worker.last_words()


@pytest.mark.slow
def test_a_worker_without_a_broker_ends_with_status_4(tmp_path: Path) -> None:
    with (
        EmbeddedBroker() as broker,
        own_rig(
            Broker(broker.address, QUICK), tmp_path, DEFAULT_POLICY, liveness_seconds="3"
        ) as settings,
        running(settings) as worker,
    ):
        send(settings, records(0, 10))
        until_taken_in(worker, 10)
        time.sleep(1.5)  # all is flushed and committed: nothing but liveness can miss the broker
        broker.stop()
        assert until_ended(worker) == EXIT_STALLED
        assert "no broker answers for 3 s" in worker.last_words()


@pytest.mark.slow
def test_a_worker_whose_broker_goes_while_records_flow_ends_in_the_same_way(
    tmp_path: Path,
) -> None:
    """Records that were decided are not acknowledged: that is no crash of the worker's own."""
    with (
        EmbeddedBroker() as broker,
        own_rig(
            Broker(broker.address, QUICK), tmp_path, DEFAULT_POLICY, liveness_seconds="8"
        ) as settings,
        running(settings) as worker,
    ):
        for first in range(0, 40_000, 5000):
            send(settings, records(first, 5000), partition=first // 5000 % 4)
        until_taken_in(worker, 5000)
        broker.stop()
        assert until_ended(worker) == EXIT_STALLED
        said = worker.said()
    last = said.splitlines()[-1]
    assert "CRITICAL" in last
    assert "stalled: no broker answers for" in last
    assert "Traceback" not in said
    assert len(said.splitlines()) < LINES_MAX


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop_does_not_wait_long_for_a_broker(tmp_path: Path) -> None:
    with (
        EmbeddedBroker() as broker,
        own_rig(Broker(broker.address, QUICK), tmp_path, DEFAULT_POLICY) as settings,
        running(settings) as worker,
    ):
        for first in range(0, 40_000, 5000):
            send(settings, records(first, 5000), partition=first // 5000 % 4)
        until_taken_in(worker, 5000)
        broker.stop()
        assert worker.terminate() == EXIT_STALLED
        assert "stalled: no broker answers for" in worker.said().splitlines()[-1]


@pytest.mark.slow
def test_a_worker_with_nothing_waiting_lives_on(embedded_broker: Broker, tmp_path: Path) -> None:
    with (
        own_rig(
            embedded_broker, tmp_path, DEFAULT_POLICY, partitions="2", liveness_seconds="1"
        ) as settings,
        running(settings) as worker,
    ):
        for pause in range(2):
            send(settings, records(pause * 10, 10))
            until_taken_in(worker, (pause + 1) * 10)
            time.sleep(4)
            worker.ensure_running()
        assert worker.terminate() == 0


# -- what counts as waiting -----------------------------------------------------------------------


class Working:
    """A worker as Liveness sees it."""

    def __init__(self, assigned: set[int], *, idle_seconds: float = 0.0) -> None:
        self.assigned = frozenset(assigned)
        self.offsets_taken: dict[int, int] = {}
        self.progress_at = time.monotonic() - idle_seconds


def watched(
    settings: Settings, working: Working, seconds: float, meanwhile: Callable[[], object]
) -> list[str]:
    """Return why a worker was said to have stalled while, or within `seconds` after, something."""
    stalls: list[str] = []
    topic = Topics.of(settings).transactions
    liveness = Liveness(settings, topic, working, stalls.append)
    liveness.start()
    meanwhile()
    deadline = time.monotonic() + seconds
    while not stalls and time.monotonic() < deadline:
        time.sleep(0.1)
    liveness.stop()
    liveness.join()
    return stalls


def test_a_partition_that_moved_away_is_not_waited_for(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY, liveness_seconds="1") as settings:
        for number in range(3):  # each a batch: of one batch the embedded broker tells but one
            send(settings, records(number, 1), partition=2)
        working = Working({1})
        working.offsets_taken = {1: -1, 2: 0}
        assert watched(settings, working, 3, lambda: None) == []


def test_a_partition_of_which_nothing_was_ever_taken_is_waited_for(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY, liveness_seconds="1") as settings:
        send(settings, records(0, 10), partition=2)
        (why,) = watched(settings, Working({2}), 20, lambda: None)
    assert "none was decided for 1 s" in why


def test_a_secret_that_is_gone_for_a_moment_does_not_end_the_watch(
    embedded_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected, tries = Liveness._connected, [0]

    def try_again(liveness: Liveness) -> KafkaConsumer:
        tries[0] += 1
        if tries[0] < 3:
            raise SecretError("password is empty")
        return connected(liveness)

    monkeypatch.setattr(Liveness, "_connected", try_again)
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY, liveness_seconds="1") as settings:
        send(settings, records(0, 10), partition=2)
        stalls = watched(settings, Working({2}), 20, lambda: None)
    assert tries[0] >= 3
    assert stalls, "the watch goes on, and tells of what stands still"


def test_after_a_quiet_night_the_first_record_has_its_time(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY, liveness_seconds="4") as settings:
        working = Working({0}, idle_seconds=36_000)

        def work() -> None:
            send(settings, records(0, 10))
            time.sleep(2)  # a look every second: it is seen to wait
            working.offsets_taken = {0: 9}

        assert watched(settings, working, 2, work) == []


@pytest.mark.slow
def test_what_the_group_has_committed_does_not_wait(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(
        embedded_broker, tmp_path, DEFAULT_POLICY, partitions="1", liveness_seconds="1"
    ) as settings:
        send(settings, records(0, 10))
        with running(settings) as worker:
            until_taken_in(worker, 10)
            assert worker.terminate() == 0
        # Another worker gets the partition: it has taken nothing, and nothing waits.
        working = Working({0})
        assert watched(settings, working, 3, lambda: None) == []
        stalls = watched(settings, working, 20, lambda: send(settings, records(10, 1)))
        until(lambda: bool(stalls), "what is not committed waits")
