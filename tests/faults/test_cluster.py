"""A cluster loses its controller, a disk, its network: nothing is lost or doubled."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.kafka.three_brokers import NUMBERS, ThreeBrokers
from tests.support.bad_network import BadNetwork
from tests.support.broker_drill import BrokerDrill, drilled
from tests.support.small_disk import DiskUnavailableError, SmallDisk, small_disk

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]

ON_SMALL_DISK: Final = NUMBERS[0]
DISK_MEGABYTES: Final = 256
DISK_SECONDS_MAX: Final = 30.0
"""In which a broker meets its full disk and ends."""

WITHOUT_CONTROLLER_SECONDS: Final = 10.0
"""Longer than a broker that says nothing keeps its partitions."""

WATCHED_SECONDS: Final = 4.0

BAD_SECONDS: Final = 20.0


class Place(NamedTuple):
    """A cluster, what leads to it, and what one of its brokers has its data on."""

    cluster: ThreeBrokers
    network: BadNetwork
    disk: SmallDisk | None
    why_no_disk: str


@pytest.fixture(scope="module")
def place(kafka_jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as stack:
        network = stack.enter_context(BadNetwork(seed=11))
        cluster = ThreeBrokers(kafka_jars, tmp_path_factory.mktemp("cluster"), network)
        disk, why = None, ""
        try:
            folder = cluster.data_of(ON_SMALL_DISK)
            disk = stack.enter_context(small_disk(folder, DISK_MEGABYTES))
        except DiskUnavailableError as error:
            why = str(error)
        stack.callback(cluster.kill)
        cluster.start()
        yield Place(cluster, network, disk, why)


@pytest.fixture(autouse=True)
def all_is_well(place: Place) -> Iterator[None]:
    """Repair what a test that failed has left."""
    yield
    place.network.is_bad = False
    if place.disk is not None:
        place.disk.free()
    place.cluster.start()


class ClusterDrill(BrokerDrill):
    """Something happens to the parts of a cluster."""

    async def kill_the_controller(self, place: Place) -> None:
        """Kill the controller, and a leader that nobody can replace until it is back."""
        cluster, first = place.cluster, self.workers[0]
        number = await self.leader()
        cluster.controller.kill()
        await asyncio.sleep(WITHOUT_CONTROLLER_SECONDS)
        await self.until_decided(time.monotonic())
        assert self.recovery_seconds.pop() < WITHOUT_CONTROLLER_SECONDS, first.said()
        failed_at = time.monotonic()
        cluster.brokers[number].kill()
        sent = self.sent_by_partition()
        await asyncio.sleep(WATCHED_SECONDS)
        assert not await self.is_beyond(sent)
        await asyncio.to_thread(cluster.controller.start)
        await self.until_decided(failed_at)
        await asyncio.to_thread(cluster.start)

    async def fill_a_disk(self, place: Place) -> None:
        """Fill the disk of a broker that leads a partition, and free it once it is replaced."""
        assert place.disk is not None
        broker = place.cluster.brokers[ON_SMALL_DISK]
        await self.any_deciding()
        leaders = await asyncio.to_thread(self._leaders)
        assert ON_SMALL_DISK in leaders
        failed_at = time.monotonic()
        place.disk.fill()
        status = await asyncio.to_thread(broker.end_within, DISK_SECONDS_MAX)
        assert status, "a broker whose only disk fails ends by itself"
        await self.until_decided(failed_at)
        assert "No space left on device" in broker.said()
        place.disk.free()
        await asyncio.to_thread(place.cluster.start)

    async def suffer_the_network(self, place: Place) -> None:
        """Let the network be bad for some seconds, for the worker and for the sender."""
        await self.any_deciding()
        failed_at = time.monotonic()
        place.network.is_bad = True
        await asyncio.sleep(BAD_SECONDS)
        place.network.is_bad = False
        assert place.network.happened["reset"] > 0
        assert place.network.happened["stalled"] > 0
        await self.until_decided(failed_at + BAD_SECONDS)

    async def forget_connections(self, place: Place) -> None:
        """Let nothing pass any more on what is open to a leader, and say so to nobody."""
        number = await self.leader()
        failed_at = time.monotonic()
        place.network.forget(place.cluster.brokers[number].outside_port)
        assert place.network.happened["forgotten"] > 0
        await self.until_decided(failed_at)

    async def kill_a_leader_and_a_worker(self, place: Place) -> None:
        """Kill a leader and soon one of two workers: the other one takes all partitions."""
        number = await self.leader()
        failed_at = time.monotonic()
        place.cluster.brokers[number].kill()
        await asyncio.sleep(self.random.uniform(0.5, 5.0))
        killed = self.random.choice(self.workers)
        killed.kill()
        self.dismiss(killed)
        await self.until_decided(failed_at)
        await asyncio.to_thread(place.cluster.start)

    def _leaders(self) -> set[int]:
        numbers = range(self.settings.partitions)
        return {self.cluster.leader(self.topics.transactions, number) for number in numbers}


class Case(NamedTuple):
    """What happens, to how many workers, and whether they come through the network."""

    happen: Callable[[ClusterDrill, Place], Awaitable[None]]
    workers: int = 1
    is_outside: bool = False


CASES: Final = {
    "controller-killed": Case(ClusterDrill.kill_the_controller),
    "disk-full": Case(ClusterDrill.fill_a_disk),
    "network-bad": Case(ClusterDrill.suffer_the_network, is_outside=True),
    "connections-forgotten": Case(ClusterDrill.forget_connections, is_outside=True),
    "leader-and-worker-killed": Case(ClusterDrill.kill_a_leader_and_a_worker, workers=2),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_part_of_the_cluster_fails_and_every_record_is_decided_once(
    place: Place, tmp_path: Path, case: Case
) -> None:
    if case.happen is ClusterDrill.fill_a_disk and place.disk is None:
        pytest.skip(f"NO DISK OF ITS OWN, a full one was not tried: {place.why_no_disk}")
    drill = drilled(
        lambda settings: ClusterDrill(settings, place.cluster, case.workers),
        place.cluster.outside if case.is_outside else place.cluster.bootstrap,
        tmp_path,
        lambda drill: case.happen(drill, place),
    )
    if case.workers == 1:  # a worker that is killed takes its metrics along
        assert drill.sent <= drill.received <= drill.sent + drill.sent_again
