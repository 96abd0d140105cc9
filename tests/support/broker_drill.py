"""A drill in which something happens to a cluster's brokers, and what must be so afterwards."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

from monitor.policy.document import DEFAULT_LIMITS, policy_of
from streams.kafka.partitioner import dealer
from streams.lab.drills.drill import POLL_SECONDS, Drill
from streams.lab.drills.limits import with_gauge_limits
from streams.lab.rig import total_of
from streams.settings import Settings
from tests.kafka.three_brokers import ThreeBrokers
from tests.support.forked import forked_worker
from tests.support.rigs import KAFKA, Broker, own_rig, records_of

_log = logging.getLogger(__name__)

POLICY: Final = with_gauge_limits(DEFAULT_LIMITS)
TRANSACTIONS_MIN: Final = 6000
RATE: Final = 250.0
DECIDED_SECONDS_MAX: Final = 60.0
"""WEIR_LIVENESS_SECONDS: beyond, a worker would end."""


class BrokerDrill(Drill):
    """A drill in which something happens to brokers, and the workers go on by themselves.

    Had one that nobody killed ended, the drill would raise BrokerError.
    """

    def __init__(self, settings: Settings, cluster: ThreeBrokers, workers: int = 1) -> None:
        super().__init__(settings, TRANSACTIONS_MIN, seed=11, workers=workers, begin=forked_worker)
        self.cluster = cluster
        self._deal = dealer(settings.partitions)
        self.received = self.unaccounted = -1  # records, by the workers' own metrics at the end
        self.sent_again = 0  # records that the sender sent twice, and that were rejected for it

    async def leader(self) -> int:
        """Return the broker that leads the first partition, at a random moment of the work."""
        await self.any_deciding()
        return await asyncio.to_thread(self.cluster.leader, self.topics.transactions, 0)

    async def until_decided(self, failed_at: float) -> None:
        """Wait until more was decided of each partition than has been sent of it by now."""
        sent = self.sent_by_partition()
        deadline = time.monotonic() + DECIDED_SECONDS_MAX
        while not await self.is_beyond(sent):
            for worker in tuple(self.workers):
                self.look_after(worker)
                assert time.monotonic() < deadline, worker.said()
            await asyncio.sleep(POLL_SECONDS)
        self.note_recovery(failed_at, "failure", "each partition is decided")

    async def is_beyond(self, sent: Counter[int]) -> bool:
        """Return whether more of each partition is decided."""
        decided = await self.decided_by_partition()
        return all(decided[number] > sent[number] for number in range(self.settings.partitions))

    def sent_by_partition(self) -> Counter[int]:
        """Return how many records have been sent to each partition by now."""
        return Counter(self._deal(row[1]) for row in self.rows[: self.sent])

    async def decided_by_partition(self) -> Counter[int]:
        """Return how many records of each partition are decided.

        With more than one worker it is what the group has committed: a record may come to both.
        """
        if self._workers_first > 1:
            return Counter(dict(enumerate(await asyncio.to_thread(self.committed_offsets))))
        samples = await asyncio.to_thread(self.workers[0].samples)
        return Counter(
            {
                int(labels[0]): int(value)
                for (name, labels), value in samples.items()
                if name == "weir_received_records_total"
            }
        )

    def _wait_until_told(self) -> None:
        """Look at the workers' metrics, too, once all is told."""
        super()._wait_until_told()
        samples = [worker.samples() for worker in self.workers]
        self.received = sum(total_of(each, "weir_received_records_total") for each in samples)
        self.unaccounted = sum(total_of(each, "weir_unaccounted_records_total") for each in samples)


D = TypeVar("D", bound=BrokerDrill)


def drilled(
    make: Callable[[Settings], D], bootstrap: str, folder: Path,
    happen: Callable[[D], Awaitable[None]],
) -> D:  # fmt: skip
    """Let something happen in a drill on the brokers at `bootstrap`, and return it.

    Asserts that nothing was lost, doubled or wrong.
    """
    with own_rig(Broker(bootstrap, KAFKA), folder, POLICY, replication="3") as settings:
        drill = make(settings)
        asyncio.run(drill.run_through([lambda: happen(drill)], RATE))
        figures = asyncio.run(drill.figures(policy_of(POLICY)))
        rejected = [
            json.loads(record.value) for record in records_of(settings, drill.topics.rejections)
        ]
    # The sender does not know what a broker had taken of its last batches, and sends them again.
    assert {rejection["reason"] for rejection in rejected} <= {"duplicate"}
    twice = {(rejection["partition"], rejection["offset"]) for rejection in rejected}
    drill.sent_again = len(twice)
    found = figures.found
    assert (found.lost, found.doubled, found.wrong) == (0, 0, len(twice)), found
    assert drill.unaccounted == 0, found
    assert found.account_days > 1500
    assert found.alerts > 500
    _log.info("figures: %s; told: %s", figures.fields(), figures.lateness.told)
    return drill
