"""A partition goes on after a rebalance only if it knows all that was written of it."""

import asyncio
import time
from collections import Counter
from types import SimpleNamespace
from unittest.mock import AsyncMock, MagicMock

import pytest
from faust.types.tuples import TP

from monitor.core.attributes import AttributeBook
from monitor.policy.document import DEFAULT_POLICY, policy_of
from monitor.policy.policy import PolicyBook
from monitor.review.membership import Verdicts
from streams.feed.envelopes.mapped import OwnRecords
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.worker.app import build_app
from streams.worker.partitions import Agents
from streams.worker.transport import RunConsumer

SETTINGS = Settings(broker="localhost:1", partitions=2)
CHANGELOG = TP(Topics.of(SETTINGS).changelog, 0)
TRANSACTIONS = TP(Topics.of(SETTINGS).transactions, 0)
GENERATION = 3


class World:
    """The agents of a worker that has partition 0; a stub stands for it, and for Faust's app."""

    def __init__(self) -> None:
        _, _, self.table = build_app(SETTINGS, Topics.of(SETTINGS), lambda: None)
        self.committed = 10
        self.consumer = MagicMock(spec=RunConsumer)
        self.consumer.assignment.return_value = {TRANSACTIONS}
        self.consumer.committed.side_effect = lambda _: self.committed
        self.offsets: Counter[TP] = Counter({CHANGELOG: 99})
        recovery = SimpleNamespace(active_offsets=self.offsets)
        self.app = SimpleNamespace(
            consumer=self.consumer,
            consumer_generation_id=GENERATION,
            rebalancing=False,
            tables=SimpleNamespace(recovery=recovery),
        )
        self.agents = Agents(
            SETTINGS,
            self.app,  # type: ignore[arg-type]  # what is asked of it
            self.table,
            MagicMock(),
            records=OwnRecords(),
            metrics=MagicMock(),
            on_crash=lambda _: None,
        )
        self.agents.begin(PolicyBook([policy_of(DEFAULT_POLICY)]))
        self.partition = MagicMock()
        self.partition.number = 0
        self.partition.is_settled = True
        self.partition.engine.ledger.offset_last = 9
        self.agents.partitions[0] = self.partition

    def rebalanced(self) -> bool:
        """Return whether the partition goes on as it is in the next generation."""

        async def rebalance() -> None:
            self.agents._keep_settled(GENERATION + 1)

        asyncio.run(rebalance())
        return 0 in self.agents.partitions


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    accounts = MagicMock()
    accounts.book = AsyncMock(return_value=AttributeBook())
    monkeypatch.setattr("streams.worker.partitions.AccountsFollower", lambda *_: accounts)
    return World()


def test_a_settled_partition_that_stays_goes_on(world: World) -> None:
    assert world.rebalanced()
    world.partition.go_on.assert_called_once_with(GENERATION + 1)


@pytest.mark.parametrize("why", ["unsettled", "moved", "behind"])
def test_any_other_is_forgotten_and_its_changelog_read_again(world: World, why: str) -> None:
    if why == "unsettled":
        world.partition.is_settled = False
    elif why == "moved":
        world.consumer.assignment.return_value = set()
    else:
        world.committed = 11  # of what another worker decided
    assert not world.rebalanced()
    read: list[int] = []

    async def read_again(number: int) -> dict[bytes, bytes]:
        read.append(number)
        return {b"of": b"now"}

    world.agents._builder._read = read_again  # type: ignore[method-assign]
    asyncio.run(world.agents._builder.prepare(0))
    asyncio.run(world.agents._builder.prepare(0))
    assert read == [0], "once"
    assert world.table.kept[0] == {b"of": b"now"}


def test_one_that_the_table_forgets_is_forgotten_without_a_record(world: World) -> None:
    world.table.kept[0] = {}
    asyncio.run(world.table.on_recovery_completed(set(), set()))
    assert not world.agents.partitions


def test_a_rebalance_does_not_wait_for_a_flush_that_is_put_off(world: World) -> None:
    """As by one that took long because a broker was away."""
    agents = world.agents
    agents._flush_seconds[0] = 9.0
    agents._flushed_at[0] = time.monotonic() - 1.0 - agents._flush_interval_seconds
    for is_rebalancing in (False, True):
        world.app.rebalancing = is_rebalancing
        assert agents._due() == ([world.partition] if is_rebalancing else [])


@pytest.mark.parametrize(("others", "reaches"), [(0, 104), (1, 99)])
def test_own_records_are_passed_over_only_if_no_others_stand_between(
    world: World, others: int, reaches: int
) -> None:
    """A worker that was paused may seal behind what another one wrote meanwhile."""
    world.partition.records_of_seal = 5
    world.partition.sealed_at = 99 + 5 + others
    world.agents._note_sealed(world.partition)
    assert world.offsets[CHANGELOG] == reaches


def test_a_verdict_that_comes_while_a_changelog_is_read_again_is_known(world: World) -> None:
    world.partition.is_settled = False
    assert not world.rebalanced()
    world.agents._generation = GENERATION

    async def build() -> Verdicts:
        gate = asyncio.Event()

        async def read_again(number: int) -> dict[bytes, bytes]:
            await gate.wait()
            return {b"of": bytes([number])} if number else {}

        world.agents._builder._read = read_again  # type: ignore[method-assign]
        building = asyncio.create_task(world.agents._partition(0, GENERATION))
        await asyncio.sleep(0)
        world.agents.verdicts_changed(Verdicts(decided=20_000))
        gate.set()
        return (await building).engine.reviews.verdicts

    world.committed = 0
    assert asyncio.run(build()).decided == 20_000
