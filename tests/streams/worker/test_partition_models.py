"""Models beside the limits through crashes: limits stay exact, models go on from what is kept."""

import asyncio
import copy
import json
import random
from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.business_day import event_time_text
from monitor.core.money import EXPONENT, amount_text
from monitor.core.transaction import Transaction
from monitor.engine.engine import Engine
from streams.state.changelog import keep, parts_of
from streams.state.pieces import Kept
from streams.wire import codec
from streams.wire.columns import read_run
from streams.worker.partition import Partition
from tests.support.fake_log import TOPICS, CrashError, Event, FakeOutbox, Log
from tests.support.lives import Life, idle
from tests.support.made_stream import HOUR
from tests.support.records import Record, decided
from tests.support.spending import BUDGET, POLICY, made_spending
from tests.support.transactions import book

WARM = POLICY + BUDGET.replace("warm_up_days = 12", "warm_up_days = 5")
BUCKETS = 3
ACCOUNTS = 90
LAST = 70
"""Records that come after the models are warm: crashes fall among them."""


def record_of(offset: int, item: Transaction, timestamp: int) -> Record:
    fields = (
        item.transaction_id, item.account_id, event_time_text(item.event_time),
        amount_text(item.amount_minor, EXPONENT[item.currency]), *item[4:],
    )  # fmt: skip
    return Record(offset, codec.transaction_bytes(fields), item.account_id.encode(), timestamp)


@cache
def stream() -> list[Record]:
    """Return records of sixteen days; the last of them are around a midnight."""
    records, latest = [], 0
    for offset, item in enumerate(made_spending(6, days=17, accounts=ACCOUNTS)):
        latest = max(latest, item.event_time // 1000)
        records.append(record_of(offset, item, latest))
    midnight = 16 * 24 * 3_600_000 + (records[0].timestamp // 86_400_000) * 86_400_000
    end = next(record.offset for record in records if record.timestamp >= midnight) + LAST // 2
    return records[:end]


def new_engine(text: str = WARM) -> Engine:
    return Engine(0, book(text), BUCKETS)


class ModelledLife(Life):
    """A worker's time with a partition whose policy wants models."""

    def __init__(
        self, outbox: FakeOutbox, rng: random.Random, records: list[Record], text: str = WARM
    ) -> None:
        super().__init__(outbox, rng, records)
        self.partition = Partition(
            new_engine(text), outbox.log.kept(), outbox, TOPICS, lambda _: self.is_current()
        )


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - seeded, and no secret


@cache
def warmed_up(text: str = WARM) -> Log:
    """Return the log of a partition that has taken all but the last records, and sealed them."""
    log, records = Log(), stream()[:-LAST]

    async def run() -> None:
        rng = seeded(1)
        outbox = FakeOutbox(log, rng, batch_records=50)
        life = ModelledLife(outbox, rng, records, text)
        for first in range(0, len(records), 400):
            run = records[first : first + 400]
            await life.partition.take(Event(outbox, rng, run[-1].offset), read_run([run]))
            await life.partition.flush()
        log.committed = len(records)

    asyncio.run(run())
    return log


def live(log: Log, seed: int, crash_at: int | None = None) -> tuple[FakeOutbox, list[str]]:
    """Live through the last records, or until the crash; return also what was refused."""
    rng = seeded(seed)

    async def run() -> tuple[FakeOutbox, list[str]]:
        outbox = FakeOutbox(log, rng, crash_at=crash_at)
        life = ModelledLife(outbox, rng, stream())
        try:
            await life.finish()
        except CrashError:
            assert crash_at is not None
        finally:
            await life.end()
        return outbox, life.partition.parts_refused

    return asyncio.run(run())


# -- limits ----------------------------------------------------------------------------------------

Written = dict[tuple[str, ...], object]


def plain(value: bytes) -> dict[str, object]:
    """Return what was written of an account-day but for what models say of it."""
    return {**json.loads(value), "score": None, "peer_group": None}


def limits_in(alerts: Iterable[bytes], days: Iterable[bytes], names: Iterable[bytes]) -> Written:
    """Return all that limits told; what is told twice must be told in the same words."""
    found: Written = {}
    for value in alerts:
        fields = json.loads(value)
        if fields["kind"] != "outlier":
            key = ("alert", fields["alert_id"], str(fields["revision"]))
            assert found.setdefault(key, fields) == fields
    for value in days:
        fields = plain(value)
        key = ("day", str(fields["account_id"]), str(fields["business_day"]))
        assert found.setdefault(key, fields) == fields
    for value in names:
        fields = json.loads(value)
        assert found.setdefault(("rejection", str(fields["offset"])), fields) == fields
    return found


def values(log: Log, topic: str) -> list[bytes]:
    return [record.value for record in log.topics[topic] if record.value is not None]


def limits_of(log: Log) -> Written:
    topics = (TOPICS.alerts, TOPICS.account_days, TOPICS.rejections)
    return limits_in(*(values(log, topic) for topic in topics))


def left_in(engine: Engine) -> dict[tuple[str, int], tuple[object, ...]]:
    return {
        (account.account_id, account_day.day): (
            account_day.totals,
            dict(account_day.told),
            account_day.segment,
        )
        for account in engine.ledger.accounts.values()
        for account_day in account.days
    }


def recovered(log: Log, text: str = WARM) -> Partition:
    outbox = FakeOutbox(log, seeded(0))
    return Partition(new_engine(text), log.kept(), outbox, TOPICS, lambda _: True)


@cache
def without_models() -> tuple[Written, dict[tuple[str, int], tuple[object, ...]]]:
    """Return what an engine without models tells of the whole stream, and what it holds then."""
    engine, records = new_engine(POLICY), stream()
    engine.observe([record.offset for record in records], decided(records, HOUR))
    while engine.has_closing_days:
        engine.close_account_days()
    step = engine.take_step()
    where = {"topic": TOPICS.transactions, "partition": 0}
    rejections = [
        codec.rejection_bytes(
            why, {**where, "offset": at}, records[at].key, records[at].value
        )
        for at, why in step.rejections
    ]  # fmt: skip
    told = limits_in(
        map(codec.alert_bytes, step.alerts), map(codec.closed_day_bytes, step.account_days),
        rejections,
    )  # fmt: skip
    return told, left_in(engine)


def assert_limits_are_exact(log: Log) -> None:
    told, left = without_models()
    assert limits_of(log) == told
    assert left_in(recovered(log).engine) == left


# -- models ----------------------------------------------------------------------------------------


def assert_models_go_on(log: Log) -> None:
    """Whoever recovers from the log finds models that are warm, and that score what comes next."""
    partition = recovered(log)
    assert partition.parts_refused == []
    scorer = partition.engine.outliers.scorer
    assert scorer is not None
    assert scorer.learner.is_warm
    scores: list[float] = []
    scorer.on_scored = lambda _, outcome: scores.extend(outcome.scores.tolist())
    first, last = len(stream()), stream()[-1]
    more = [
        Record(first + n, value.replace(b'"transaction_id":"', b'"transaction_id":"again-'), key,
               last.timestamp)
        for n, (_, value, key, _, _) in enumerate(stream()[-40:])
        if value is not None
    ]  # fmt: skip
    engine = partition.engine
    engine.observe([record.offset for record in more], decided(more, HOUR))
    assert len(scores) > 30
    assert np.isfinite(scores).all()


def assert_outliers_are_alerts(log: Log) -> None:
    outliers = [
        alert for alert in map(json.loads, values(log, TOPICS.alerts)) if alert["kind"] == "outlier"
    ]
    assert outliers
    for alert in outliers:
        assert 0 < alert["score"] < 1
        assert alert["value"] > alert["limit"]


def test_the_stream_has_everything_in_it() -> None:
    log = copy.deepcopy(warmed_up())
    told = len(values(log, TOPICS.alerts))
    live(log, 5)
    late = [json.loads(value) for value in values(log, TOPICS.alerts)[told:]]
    assert {alert["kind"] for alert in late} >= {"outlier"}
    kinds = {alert["kind"] for alert in map(json.loads, values(log, TOPICS.alerts))}
    assert kinds == {"outlier", "daily-amount", "daily-count"}
    names = parts_of(Kept(log.kept()))
    assert {name.partition(":")[0] for name in names} == {"core", "day", "accounts", "levels"}
    keys = {key for key in warmed_up().kept() if key.startswith(b"m:day:")}
    assert {key for key in log.kept() if key.startswith(b"m:day:")} != keys  # a day was finished


def test_undisturbed_limits_are_exact_and_models_go_on() -> None:
    log = copy.deepcopy(warmed_up())
    live(log, 5)
    assert_limits_are_exact(log)
    assert_models_go_on(log)
    assert_outliers_are_alerts(log)


def crash_everywhere(first: int, stride: int) -> None:
    steps = live(copy.deepcopy(warmed_up()), 5)[0].steps
    assert steps > 150
    for crash_at in range(first, steps, stride):
        log = copy.deepcopy(warmed_up())
        crashed, refused = live(log, 5, crash_at)
        assert crashed.steps == crash_at
        assert refused == live(log, 6)[1] == []
        assert_limits_are_exact(log)
        assert_models_go_on(log)
        assert_outliers_are_alerts(log)


def test_after_a_crash_between_two_steps_limits_are_exact_and_models_go_on() -> None:
    crash_everywhere(20, 41)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 6, 2))
def test_so_it_is_between_any_two_steps(first: int) -> None:
    crash_everywhere(first, 6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_so_it_is_after_crash_upon_crash(seed: int) -> None:
    rng, log = seeded(seed), copy.deepcopy(warmed_up())
    for _ in range(rng.randint(2, 5)):
        _, refused = live(log, rng.randrange(1000), rng.randrange(250))
        assert refused == []
    live(log, rng.randrange(1000))
    assert_limits_are_exact(log)
    assert_models_go_on(log)


# -- what is kept ----------------------------------------------------------------------------------


def parts_kept(log: Log) -> dict[bytes, bytes]:
    return {key: value for key, value in log.kept().items() if key.startswith(b"m:")}


def offset_of(value: bytes) -> int:
    return int.from_bytes(value[:8], "big", signed=True)


def test_the_core_is_that_of_the_seal() -> None:
    log = copy.deepcopy(warmed_up())
    assert offset_of(log.kept()[b"m:core"]) == log.sealed()
    live(log, 5)
    assert offset_of(log.kept()[b"m:core"]) == log.sealed() == len(stream()) - 1


def test_a_worker_that_lost_its_partition_writes_no_models_that_count() -> None:
    """It does not know yet, and flushes after the one that has gone on from the same records."""
    log = copy.deepcopy(warmed_up())
    records = stream()

    async def run() -> None:
        old = ModelledLife(FakeOutbox(log, seeded(2)), seeded(2), records)
        new = ModelledLife(FakeOutbox(log, seeded(3)), seeded(3), records)
        first = log.committed
        for life, end in ((old, first + 12), (new, first + 50)):
            run = records[first:end]
            event = Event(life.outbox, seeded(4), run[-1].offset)
            await life.partition.take(event, read_run([run]))
        await new.partition.flush()
        kept = parts_kept(log)
        await old.partition.flush()
        await idle(200)
        assert old.outbox.story
        assert parts_kept(log) == kept
        assert offset_of(kept[b"m:core"]) == first + 49

    asyncio.run(run())
    live(log, 6)
    assert_models_go_on(log)


records = st.lists(
    st.tuples(st.sampled_from([b"m:core", b"m:day:5", b"m:accounts:1"]), st.integers(0, 50)),
    max_size=30,
)


@given(records)
def test_of_two_parts_the_one_with_the_greater_offset_holds(
    written: list[tuple[bytes, int]],
) -> None:
    kept: dict[bytes, bytes] = {}
    for number, (key, offset) in enumerate(written):
        keep(kept, [(key, offset.to_bytes(8, "big") + b"%d" % number)])
    for key, value in kept.items():
        greatest = max(offset for name, offset in written if name == key)
        latest = max(n for n, record in enumerate(written) if record == (key, greatest))
        assert value == greatest.to_bytes(8, "big") + b"%d" % latest


def test_parts_are_read_back_as_they_were_written() -> None:
    log = warmed_up()
    parts = parts_of(Kept(log.kept()))
    assert all(value.startswith(b"weirmdl\n") for value in parts.values())
    assert {b"m:" + name.encode() for name in parts} == parts_kept(log).keys()


def test_without_a_budget_no_models_are_kept() -> None:
    log = copy.deepcopy(warmed_up(POLICY))
    assert not [
        record for record in log.topics[TOPICS.changelog] if (record.key or b"").startswith(b"m:")
    ]
    assert recovered(log, POLICY).engine.outliers.scorer is None


def test_parts_that_cannot_be_read_are_refused_and_limits_go_on() -> None:
    log = copy.deepcopy(warmed_up())
    changelog = log.topics[TOPICS.changelog]
    for place, record in enumerate(changelog):
        if record.key == b"m:core" and record.value is not None:
            changelog[place] = record._replace(
                value=record.value[:-1] + bytes([record.value[-1] ^ 1])
            )
    (why,) = live(log, 5)[1]
    assert why == "core: the snapshot was changed since it was made"
    assert_limits_are_exact(log)
    assert recovered(log).parts_refused == []
