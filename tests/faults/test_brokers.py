"""Brokers of a cluster are killed, paused and restarted under load: nothing is lost or doubled."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.kafka.three_brokers import NUMBERS, ThreeBrokers
from tests.support.broker_drill import BrokerDrill, drilled

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]

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


class Brokers(BrokerDrill):
    """Brokers are killed, paused and restarted."""

    async def kill_a_leader(self) -> None:
        """Kill the broker that leads a partition, and start it again once the others do."""
        number = await self.leader()
        failed_at = time.monotonic()
        self.cluster.brokers[number].kill()
        await self.until_decided(failed_at)
        await asyncio.to_thread(self.cluster.start)

    async def pause_the_coordinator(self) -> None:
        """Let the broker that coordinates the group stand still, and go on where it was."""
        await self.any_deciding()
        number = await asyncio.to_thread(self.cluster.coordinator)
        failed_at = time.monotonic()
        self.cluster.brokers[number].pause()
        await self.until_decided(failed_at)
        await asyncio.sleep(max(failed_at + PAUSED_SECONDS - time.monotonic(), 0))
        self.cluster.brokers[number].go_on()
        await asyncio.to_thread(self.cluster.until_in_sync)

    async def restart_each(self) -> None:
        """Restart one broker after the other, each once all copies are in sync."""
        for number in NUMBERS:
            await self.any_deciding()
            failed_at = time.monotonic()
            await asyncio.to_thread(self.cluster.brokers[number].stop)
            await asyncio.to_thread(self.cluster.start)
            await self.until_decided(failed_at)

    async def kill_two(self) -> None:
        """Kill two of three: nothing is acknowledged until one of them is back."""
        number = await self.leader()
        failed_at = time.monotonic()
        for each in (number, number % len(NUMBERS) + 1):
            self.cluster.brokers[each].kill()
        await asyncio.sleep(FENCED_SECONDS)
        before = await self._acknowledged()
        await asyncio.sleep(WATCHED_SECONDS)
        assert await self._acknowledged() == before
        said = self.workers[0].said()
        assert "the brokers have not acknowledged" in said
        assert "min.insync.replicas" in said
        await asyncio.to_thread(self.cluster.brokers[number].start)
        await self.until_decided(failed_at)
        await asyncio.to_thread(self.cluster.start)
        assert "the brokers acknowledge again" in self.workers[0].said()

    async def _acknowledged(self) -> tuple[int, Counter[int]]:
        """Return how many records the cluster has taken of the sender, and the worker decided."""
        assert self._outbox is not None
        return self._outbox.arrived, await self.decided_by_partition()


@pytest.mark.parametrize(
    "happen",
    [
        Brokers.kill_a_leader,
        Brokers.pause_the_coordinator,
        Brokers.restart_each,
        Brokers.kill_two,
    ],
    ids=["leader-killed", "coordinator-paused", "restarted-in-turn", "two-of-three-killed"],
)
def test_a_broker_fails_and_every_record_is_decided_once(
    cluster: ThreeBrokers, tmp_path: Path, happen: Callable[[Brokers], Awaitable[None]]
) -> None:
    drill = drilled(
        lambda settings: Brokers(settings, cluster), cluster.bootstrap, tmp_path, happen
    )
    assert drill.sent <= drill.received <= drill.sent + drill.sent_again
