"""Policies and attributes that change at run time: the end is the same, whatever is cut off."""

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Status
from monitor.core.attributes import AttributeBook, Attributes
from monitor.core.business_day import day_text
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.state import changelog
from streams.wire import codec
from streams.wire.columns import read_run
from streams.worker.partition import Partition
from tests.support.fake_log import TOPICS, CrashError, Event, FakeOutbox, Log
from tests.support.laws import law
from tests.support.records import Record, record
from tests.support.scoped_limits import BOTH, BUSINESS, SAVINGS, SCOPED
from tests.support.transactions import observed

Said = list[tuple[str, Attributes | None]]

KINDS = (None, BUSINESS, SAVINGS, BOTH, Attributes("retail"))


def made(seed: int, count: int = 40) -> tuple[list[Record], Said]:
    """Return records of two days that stay open, and what is said of their accounts meanwhile."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    records = []
    for offset in range(count):
        fields: dict[str, Any] = {"account_id": f"A{rng.randrange(4)}"}
        fields["amount"] = f"{rng.randint(50, 400)}.00"
        if rng.random() < 0.15:
            fields["segment"] = rng.choice(["business", "retail"])
        records.append(record(offset, f"T{offset}", hours=rng.randint(0, 40), **fields))
    said = [(f"A{rng.randrange(4)}", rng.choice(KINDS)) for _ in range(10)]
    return records, said


def book_of(said: Said) -> AttributeBook:
    book = AttributeBook()
    for account_id, attributes in said:
        book.take(account_id, attributes)
    return book


def engine_with(book: AttributeBook) -> Engine:
    engine = Engine(0, PolicyBook([policy_of(SCOPED)]), 3)
    engine.ledger.attributes = book
    return engine


def engine_as_written(log: Log) -> Engine:
    """Return what state has, with no attribute changed since it was written."""
    engine = engine_with(AttributeBook())
    engine.attributes_changed = lambda account_ids: None  # type: ignore[method-assign]  # noqa: ARG005 - its name
    changelog.recover(engine, log.kept())
    return engine


class World:
    """What survives a crash: the log, and how far the accounts topic is written."""

    def __init__(self, seed: int) -> None:
        self.log = Log()
        self.records, self.said = made(seed)
        self.written = 0  # of what is said
        self.unsealed: set[str] = set()  # accounts that were told of, in no state at a crash

    async def live(self, rng: random.Random, crash_at: int | None) -> int:
        """Live until all is decided and sealed, or until the crash; return the steps it took."""
        outbox = FakeOutbox(self.log, rng, crash_at=crash_at)
        book = book_of(self.said[: self.written])
        engine = engine_with(book)
        partition = Partition(engine, self.log.kept(), outbox, TOPICS, lambda _: True)
        at, flushing = self.log.committed, asyncio.create_task(asyncio.sleep(0))
        try:
            while at < len(self.records) or self.written < len(self.said):
                if rng.random() < 0.3 and self.written < len(self.said):
                    self._say(book, partition)
                run = self.records[at : at + rng.randint(1, 5)]
                if run and rng.random() < 0.7:
                    await partition.take(Event(outbox, rng, run[-1].offset), read_run([run]))
                    at += len(run)
                if rng.random() < 0.3:
                    await partition.tick()
                if flushing.done() and rng.random() < 0.4:
                    flushing.result()
                    flushing = asyncio.create_task(partition.flush())  # type: ignore[arg-type]
            await flushing
            await partition.tick()
            while await partition.flush() is not None:
                pass
            self.log.committed = at
        except CrashError:
            assert crash_at is not None
            self.unsealed |= self._unsealed()
        finally:
            await asyncio.gather(flushing, return_exceptions=True)
        return outbox.steps

    def _say(self, book: AttributeBook, partition: Partition) -> None:
        account_id, attributes = self.said[self.written]
        self.written += 1
        if book.take(account_id, attributes):
            partition.changes.note_account(account_id)

    def last_alerts(self) -> dict[str, dict[str, Any]]:
        alerts = [json.loads(written.value or b"") for written in self.log.topics[TOPICS.alerts]]
        return {alert["alert_id"]: alert for alert in sorted(alerts, key=lambda a: a["revision"])}

    def told(self) -> set[tuple[str, ...]]:
        """Return what stands by the topic: account, business day and limit."""
        return {
            (alert["account_id"], alert["business_day"], alert["threshold_id"])
            for alert in self.last_alerts().values()
            if alert["status"] != "withdrawn"
        }

    def kept(self) -> set[tuple[str, ...]]:
        """Return what stands by the state that a worker would recover now, as it was written."""
        days = standing(engine_as_written(self.log)).items()
        return {(*key, name) for key, (*_, stands) in days for name in stands}

    def _unsealed(self) -> set[str]:
        """Return the accounts of alerts whose revision no state has yet."""
        engine = engine_as_written(self.log)
        kept = {
            (account.account_id, day_text(account_day.day), name): told.revision
            for account in engine.ledger.accounts.values()
            for account_day in account.days
            for name, told in account_day.told.items()
        }
        return {
            alert["account_id"]
            for alert in self.last_alerts().values()
            if alert["revision"]
            > kept.get((alert["account_id"], alert["business_day"], alert["threshold_id"]), 0)
        }

    def recovered(self) -> Engine:
        engine = engine_with(book_of(self.said))
        changelog.recover(engine, self.log.kept())
        assert not engine.take_step().alerts
        return engine


def standing(engine: Engine) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {
        (account.account_id, day_text(account_day.day)): (
            account_day.segment,
            account_day.attributes[1:],
            account_day.totals,
            {
                name: told.limit
                for name, told in account_day.told.items()
                if told.status != Status.WITHDRAWN
            },
        )
        for account in engine.ledger.accounts.values()
        for account_day in account.days
    }


def assert_ended_well(world: World) -> None:
    plain = engine_with(book_of(world.said))
    observed(plain, *[codec.decode(sent.value) for sent in world.records])
    recovered = standing(world.recovered())
    assert recovered == standing(plain)
    # What was told and not sealed before a crash may have been decided by what holds no more: then
    # its revision is told in two ways. Everything else that state has as told is what was told.
    told, kept = (
        {key for key in keys if key[0] not in world.unsealed}
        for keys in (world.told(), world.kept())
    )
    assert told == kept


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_attributes_that_change_while_a_stream_runs_end_as_if_they_had_been_there(
    seed: int,
) -> None:
    world = World(seed)
    asyncio.run(world.live(random.Random(seed), None))  # noqa: S311 - seeded, and no secret
    assert_ended_well(world)
    statuses = {alert["status"] for alert in world.last_alerts().values()}
    assert {"raised", "withdrawn"} <= statuses


@law(60)
@given(st.integers(0, 1 << 20), st.lists(st.integers(0, 150), min_size=1, max_size=4))
def test_crashes_between_any_two_steps_change_nothing_of_that(
    seed: int, crashes: list[int]
) -> None:
    world, rng = World(seed), random.Random(seed)  # noqa: S311 - seeded, and no secret
    for crash_at in crashes:
        asyncio.run(world.live(rng, crash_at))
    asyncio.run(world.live(rng, None))
    assert_ended_well(world)


@pytest.mark.parametrize("what", ["policy", "account"])
def test_a_flush_before_a_change_was_told_does_not_keep_it_as_told(what: str) -> None:
    """A crash would lose the alert: state would have it as told, and nobody would tell it."""
    log, rng = Log(), random.Random(1)  # noqa: S311 - seeded, and no secret
    policies = PolicyBook([policy_of(SCOPED)])
    book = AttributeBook()
    records = [record(0, "T0", amount="450.00"), record(1, "T1", account_id="A2")]

    async def run() -> None:
        engine = Engine(0, policies, 3)
        engine.ledger.attributes = book
        outbox = FakeOutbox(log, rng)
        partition = Partition(engine, log.kept(), outbox, TOPICS, lambda _: True)
        await partition.take(Event(outbox, rng, 0), read_run([records[:1]]))
        await partition.flush()
        await partition.take(Event(outbox, rng, 1), read_run([records[1:]]))
        if what == "policy":
            lower = SCOPED.replace("version = 1", "version = 2").replace("500.00", "400.00")
            policies.add(policy_of(lower))
            partition.changes.note_policies()
        else:
            book.take("A1", SAVINGS)
            partition.changes.note_account("A1")
        await partition.flush()  # and the process ends here

    asyncio.run(run())
    assert not log.topics[TOPICS.alerts]
    recovered = Engine(0, policies, 3)
    recovered.ledger.attributes = book
    changelog.recover(recovered, log.kept())
    (alert,) = recovered.take_step().alerts
    assert alert.threshold.threshold_id == ("daily-amount" if what == "policy" else "savings")
