"""Brokers of a cluster are killed, paused and restarted under load: nothing is lost or doubled."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from monitor.policy.document import DEFAULT_LIMITS, policy_of
from streams.kafka.partitioner import dealer
from streams.lab.drills.drill import POLL_SECONDS, Drill
from streams.lab.drills.limits import with_gauge_limits
from streams.lab.rig import total_of
from streams.settings import Settings
from tests.kafka.three_brokers import NUMBERS, ThreeBrokers
from tests.support.forked import forked_worker
from tests.support.rigs import KAFKA, Broker, own_rig, records_of

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]

POLICY: Final = with_gauge_limits(DEFAULT_LIMITS)
TRANSACTIONS_MIN: Final = 6000
RATE: Final = 250.0
DECIDED_SECONDS_MAX: Final = 60.0
"""WEIR_LIVENESS_SECONDS: beyond, a worker would end."""

PAUSED_SECONDS: Final = 42.0
"""Longer than clients wait for the answer to a request."""

FENCED_SECONDS: Final = 12.0
"""After which the controller has given up brokers that are silent."""

WATCHED_SECONDS: Final = 3.0


@pytest.fixture(scope="module")
def cluster(kafka_jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeBrokers]:
    made = ThreeBrokers(kafka_jars, tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        yield made
    finally:
        made.kill()


class BrokerDrill(Drill):
    """A drill in which something happens to brokers, and one worker goes on by itself.

    Had the worker ended, the drill would raise BrokerError.
    """

    def __init__(self, settings: Settings, cluster: ThreeBrokers) -> None:
        super().__init__(settings, TRANSACTIONS_MIN, seed=11, begin=forked_worker)
        self._cluster = cluster
        self._deal = dealer(settings.partitions)
        self.received = self.unaccounted = -1  # records, by the worker's own metrics at the end

    async def kill_a_leader(self) -> None:
        """Kill the broker that leads a partition, and start it again once the others do."""
        number = await self._leader()
        failed_at = time.monotonic()
        self._cluster.brokers[number].kill()
        await self._until_decided(failed_at)
        await asyncio.to_thread(self._cluster.start)

    async def pause_the_coordinator(self) -> None:
        """Let the broker that coordinates the group stand still, and go on where it was."""
        await self.any_deciding()
        number = await asyncio.to_thread(self._cluster.coordinator)
        failed_at = time.monotonic()
        self._cluster.brokers[number].pause()
        await self._until_decided(failed_at)
        await asyncio.sleep(max(failed_at + PAUSED_SECONDS - time.monotonic(), 0))
        self._cluster.brokers[number].go_on()
        await asyncio.to_thread(self._cluster.until_in_sync)

    async def restart_each(self) -> None:
        """Restart one broker after the other, each once all copies are in sync."""
        for number in NUMBERS:
            await self.any_deciding()
            failed_at = time.monotonic()
            await asyncio.to_thread(self._cluster.brokers[number].stop)
            await asyncio.to_thread(self._cluster.start)
            await self._until_decided(failed_at)

    async def kill_two(self) -> None:
        """Kill two of three: nothing is acknowledged until one of them is back."""
        number = await self._leader()
        failed_at = time.monotonic()
        for each in (number, number % len(NUMBERS) + 1):
            self._cluster.brokers[each].kill()
        await asyncio.sleep(FENCED_SECONDS)
        before = await self._acknowledged()
        await asyncio.sleep(WATCHED_SECONDS)
        assert await self._acknowledged() == before
        said = self.workers[0].said()
        assert "the brokers have not acknowledged" in said
        assert "min.insync.replicas" in said
        await asyncio.to_thread(self._cluster.brokers[number].start)
        await self._until_decided(failed_at)
        await asyncio.to_thread(self._cluster.start)
        assert "the brokers acknowledge again" in self.workers[0].said()

    def _wait_until_told(self) -> None:
        """Look at the worker's metrics, too, once all is told."""
        super()._wait_until_told()
        samples = self.workers[0].samples()
        self.received = total_of(samples, "weir_received_records_total")
        self.unaccounted = total_of(samples, "weir_unaccounted_records_total")

    async def _leader(self) -> int:
        await self.any_deciding()
        return await asyncio.to_thread(self._cluster.leader, self.topics.transactions, 0)

    async def _acknowledged(self) -> tuple[int, Counter[int]]:
        """Return how many records the cluster has taken of the sender, and the worker decided."""
        assert self._outbox is not None
        return self._outbox.arrived, await self._received()

    async def _until_decided(self, failed_at: float) -> None:
        """Wait until more was decided of each partition than has been sent of it by now."""
        sent = Counter(self._deal(row[1]) for row in self.rows[: self.sent])
        (worker,) = self.workers
        deadline = time.monotonic() + DECIDED_SECONDS_MAX
        while not sent < await self._received():
            self.look_after(worker)
            assert time.monotonic() < deadline, worker.said()
            await asyncio.sleep(POLL_SECONDS)
        self.note_recovery(failed_at, "failure", "each partition is decided")

    async def _received(self) -> Counter[int]:
        samples = await asyncio.to_thread(self.workers[0].samples)
        return Counter(
            {
                int(labels[0]): int(value)
                for (name, labels), value in samples.items()
                if name == "weir_received_records_total"
            }
        )


@pytest.mark.parametrize(
    "happen",
    [
        BrokerDrill.kill_a_leader,
        BrokerDrill.pause_the_coordinator,
        BrokerDrill.restart_each,
        BrokerDrill.kill_two,
    ],
    ids=["leader-killed", "coordinator-paused", "restarted-in-turn", "two-of-three-killed"],
)
def test_a_broker_fails_and_every_record_is_decided_once(
    cluster: ThreeBrokers, tmp_path: Path, happen: Callable[[BrokerDrill], Awaitable[None]]
) -> None:
    with own_rig(Broker(cluster.bootstrap, KAFKA), tmp_path, POLICY, replication="3") as settings:
        drill = BrokerDrill(settings, cluster)
        asyncio.run(drill.run_through([lambda: happen(drill)], RATE))
        figures = asyncio.run(drill.figures(policy_of(POLICY)))
        rejected = [
            json.loads(record.value) for record in records_of(settings, drill.topics.rejections)
        ]
    # The sender does not know what a broker had taken of its last batches, and sends them again.
    assert {rejection["reason"] for rejection in rejected} <= {"duplicate"}
    twice = {(rejection["partition"], rejection["offset"]) for rejection in rejected}
    found = figures.found
    assert (found.lost, found.doubled, found.wrong) == (0, 0, len(twice))
    assert drill.sent <= drill.received <= drill.sent + len(twice)
    assert drill.unaccounted == 0
    assert found.account_days > 1500
    assert found.alerts > 500
