"""Workers are killed, join and leave, and the broker goes away: nothing is lost or doubled."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from monitor.policy.document import DEFAULT_LIMITS, policy_of
from streams.lab.drills.drill import Drill
from streams.lab.recount import Discrepancies
from streams.lab.rig import WorkerProcess
from streams.settings import Settings
from streams.topics.catalog import Topics
from tests.kafka.apache_kafka import ApacheKafka
from tests.support.forked import forked_worker
from tests.support.rigs import KAFKA, Broker, command, own_rig, records_of, value_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

POLICY = policy_of(DEFAULT_LIMITS)


# -- kills, by the command ------------------------------------------------------------------------


def drilled(*options: str) -> dict[str, float]:
    done = command("drill", "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, float] = json.loads(done.stdout)
    assert (result["lost"], result["doubled"], result["wrong"]) == (0, 0, 0)
    assert result["account_days"] > 5_000
    assert result["alerts"] > 100
    assert result["recovery_seconds_max"] > 0
    return result


def test_kills_lose_nothing_by_faust_s_own_transport() -> None:
    """By the transport that is the default, `.ci/run` drills."""
    result = drilled("--times", "2", "--transactions", "30000", "--transport", "plain")
    assert result["times"] == 2
    assert result["transactions"] >= 30_000


def test_kills_lose_nothing_of_limits_on_weeks_windows_and_parts() -> None:
    result = drilled("--times", "2", "--transactions", "20000", "--limits")
    assert result["times"] == 2


@pytest.mark.kafka
def test_five_kills_of_two_workers_lose_nothing_on_kafka(apache_kafka: ApacheKafka) -> None:
    before = topics_of(apache_kafka)
    result = drilled(
        "--times", "5", "--transactions", "60000", "--workers", "2",
        "--broker", apache_kafka.bootstrap,
    )  # fmt: skip
    assert result["workers"] == 2
    assert topics_of(apache_kafka) - before <= {"__consumer_offsets"}  # it leaves nothing there


def topics_of(kafka: ApacheKafka) -> set[str]:
    admin = KafkaAdminClient(bootstrap_servers=[kafka.bootstrap])
    topics = set(admin.list_topics())
    admin.close()
    return topics


# -- workers join and leave -----------------------------------------------------------------------


class Shifts(Drill):
    """A drill in which workers join and leave in order, too."""

    def __init__(self, settings: Settings, transactions: int, seed: int) -> None:
        super().__init__(settings, transactions, seed, begin=forked_worker)

    async def join(self) -> None:
        """Start one more worker, and see it decide while another one does."""
        await self.until_deciding(self.workers[0])
        await self.until_deciding(self.start_worker())

    async def leave(self) -> None:
        """Let the oldest worker end in order: it flushes, commits, and gives its partitions up."""
        worker = self.workers.pop(0)
        status = await asyncio.to_thread(worker.terminate)
        assert status == 0, worker.last_words()
        worker.close()
        await self.until_deciding(self.workers[0])


Incidents = Sequence[Callable[[], Awaitable[None]]]


def reckoned(drill: Drill, incidents: Incidents, seconds_each: float = 8) -> Discrepancies:
    rate = drill.transactions / (seconds_each * len(incidents))
    asyncio.run(drill.run_through(incidents, rate))
    found = asyncio.run(drill.reckon(POLICY))
    assert found.account_days > 5_000
    assert found.alerts > 100
    return found


def test_workers_join_leave_and_are_killed_while_two_run(broker: Broker, tmp_path: Path) -> None:
    with own_rig(broker, tmp_path, DEFAULT_LIMITS) as settings:
        drill = Shifts(settings, transactions=40_000, seed=5)
        incidents = [drill.join, drill.leave, drill.join, drill.kill_one]
        found = reckoned(drill, incidents)
    assert (found.lost, found.doubled, found.wrong) == (0, 0, 0)


class Relay(Shifts):
    """A drill whose only worker ends in order, and another one goes on."""

    def __init__(self, settings: Settings, transactions: int, seed: int) -> None:
        super().__init__(settings, transactions, seed)
        self.redelivered = 0.0

    async def hand_over(self) -> None:
        """Let the worker end in order while records flow, then start the next one."""
        (worker,) = self.workers
        await self.until_deciding(worker)
        await asyncio.sleep(1)
        self._note(worker)
        self.workers.clear()
        assert await asyncio.to_thread(worker.terminate) == 0, worker.last_words()
        worker.close()
        await self.until_deciding(self.start_worker())

    async def end(self) -> None:
        """Look at the last one, too."""
        await asyncio.sleep(1)
        self._note(self.workers[0])

    def _note(self, worker: WorkerProcess) -> None:
        self.redelivered += value_of(worker.samples(), "weir_redeliveries_total")


def test_what_a_worker_that_ends_in_order_has_taken_in_does_not_come_again(
    broker: Broker, tmp_path: Path
) -> None:
    with own_rig(broker, tmp_path, DEFAULT_LIMITS) as settings:
        drill = Relay(settings, transactions=30_000, seed=6)
        found = reckoned(drill, [drill.hand_over, drill.hand_over, drill.end])
    assert (found.lost, found.doubled, found.wrong) == (0, 0, 0)
    assert drill.redelivered == 0
    assert found.repeated == 0


# -- the broker goes away -------------------------------------------------------------------------


class Outage(Drill):
    """A drill in which Kafka dies and comes back; a worker that ends is started again."""

    def __init__(
        self, settings: Settings, transactions: int, kafka: ApacheKafka, away_seconds: float
    ) -> None:
        super().__init__(settings, transactions, 7, begin=forked_worker)
        self.statuses: list[int] = []
        self._kafka = kafka
        self._away_seconds = away_seconds

    async def outage(self) -> None:
        """Kill the broker while records are sent and decided, and start it again."""
        await self.until_deciding(self.workers[0])
        await asyncio.sleep(1)
        self._kafka.kill()
        await asyncio.sleep(self._away_seconds)
        await asyncio.to_thread(self._kafka.start)
        await self.until_deciding(self.workers[0])

    def look_after(self, worker: WorkerProcess) -> None:
        """Be the supervisor that starts a worker again."""
        status = worker.exit_status()
        if status is not None:
            assert status != 0, worker.last_words()
            self.statuses.append(status)
            worker.close()
            self.workers.remove(worker)
            self.start_worker()


@pytest.mark.kafka
@pytest.mark.parametrize("away_seconds", [2, 35])
def test_kafka_dies_in_the_middle_of_a_stream_and_comes_back(
    own_apache_kafka: ApacheKafka, tmp_path: Path, away_seconds: float
) -> None:
    """The worker waits, also for longer than its clients wait for the answer to a request."""
    own_apache_kafka.start()
    broker = Broker(own_apache_kafka.bootstrap, KAFKA)
    # The outage lasts until Kafka is up again, which takes half a minute on a busy machine: with
    # the usual liveness of 60 s the worker would rightly end.
    with own_rig(broker, tmp_path, DEFAULT_LIMITS, liveness_seconds="240") as settings:
        drill = Outage(settings, 40_000, own_apache_kafka, away_seconds)
        found = reckoned(drill, [drill.outage])
        rejected = [
            json.loads(record.value)
            for record in records_of(settings, Topics.of(settings).rejections)
        ]
    assert drill.statuses == []
    # The sender does not know what of its last batches the broker had taken, and sends them again.
    assert {rejection["reason"] for rejection in rejected} <= {"duplicate"}
    assert (found.lost, found.doubled, found.wrong) == (0, 0, len(rejected))
