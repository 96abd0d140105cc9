"""Received is decided, rejected and skipped, by partition, hour and offset, whatever is cut off."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.business_day import event_time_of
from monitor.engine.step import Step
from streams.state import keys
from streams.state.changelog import newest_seal
from streams.wire.columns import read_run
from streams.worker import completeness as module
from streams.worker.completeness import HOUR_MS, Completeness
from streams.worker.partition import Partition
from tests.support.fake_log import TOPICS, CrashError, Event, FakeOutbox, Log
from tests.support.laws import law
from tests.support.lives import Life
from tests.support.made_stream import Outcome, arrays_engine, made_stream
from tests.support.records import GOOD_TIMESTAMP, Record, record

SEEDS = (4, 21)
STREAMS = {seed: made_stream(seed) for seed in SEEDS}
NOW = GOOD_TIMESTAMP / 1000


@pytest.fixture(autouse=True)
def told_at_each_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PUBLISH_SECONDS", 0.0)


def lived(log: Log, records: list[Record], seed: int, crash_at: int | None = None) -> FakeOutbox:
    """Live until all is told, or until the crash; return the outbox."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret

    async def run() -> FakeOutbox:
        outbox = FakeOutbox(log, rng, crash_at=crash_at)
        life = Life(outbox, rng, records)
        try:
            await life.finish()
            life.partition.completeness.hurry()
            await life.partition.flush()
        except CrashError:
            assert crash_at is not None
        finally:
            await life.end()
        return outbox

    return asyncio.run(run())


def told(log: Log, kind: str) -> list[dict[str, Any]]:
    """Return the last record of each key, as a compacted topic keeps them."""
    last = {sent.key: json.loads(sent.value or b"") for sent in log.topics[TOPICS.completeness]}
    return [fields for fields in last.values() if fields["kind"] == kind]


def assert_whole(log: Log, records: list[Record]) -> None:
    """Assert that each record is counted once, in its hour, as what it came to."""
    hours = told(log, "hour")
    for hour in hours:
        assert hour["received"] == hour["decided"] + hour["rejected"] + hour["skipped"], hour
    by_hour: Counter[int] = Counter()
    for hour in hours:
        by_hour[(event_time_of(hour["hour"]) or 0) // 1000 // HOUR_MS] += hour["received"]
    assert by_hour == Counter(sent.timestamp // HOUR_MS for sent in records)
    last = max(hours, key=lambda hour: (hour["term"], hour["counted_to"]))
    assert (last["counted_from"], last["counted_to"]) == (0, len(records))
    assert last["records"] == len(records) == sum(by_hour.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_every_record_is_counted_in_its_hour_as_what_it_came_to(seed: int) -> None:
    log, records = Log(), STREAMS[seed]
    lived(log, records, seed)
    assert_whole(log, records)
    hours = told(log, "hour")
    assert not sum(hour["skipped"] for hour in hours)
    rejected = Counter(records[offset].timestamp // HOUR_MS for offset in rejected_at_once(records))
    assert rejected == Counter(
        {
            (event_time_of(hour["hour"]) or 0) // 1000 // HOUR_MS: hour["rejected"]
            for hour in hours
            if hour["rejected"]
        }
    )


def rejected_at_once(records: list[Record]) -> Iterator[int]:
    """Yield the offsets of what was rejected as it came: others waited for what they reverse."""
    engine = arrays_engine()
    engine.observe_run(read_run([records]))
    step = engine.take_step()
    yield from {offset for offset, _ in step.rejections} - set(step.settled)


@pytest.mark.parametrize(("seed", "stride"), [(4, 11), (21, 17)])
def test_a_crash_between_any_two_steps_counts_nothing_twice(seed: int, stride: int) -> None:
    records = STREAMS[seed]
    steps = lived(Log(), records, seed).steps
    assert steps > 100
    skipped = 0
    for crash_at in range(0, steps, stride):
        log = Log(is_compacted=crash_at % 2 == 1)
        lived(log, records, seed, crash_at)
        lived(log, records, seed + 1)
        assert_whole(log, records)
        assert Outcome.of_log(log) == Outcome.undisturbed(records)
        skipped += sum(hour["skipped"] for hour in told(log, "hour"))
        late = told(log, "not-monitored")
        assert sum(stretch["records"] for stretch in late) == len(records), crash_at
    assert skipped, "no crash came between a bucket and its seal"


@pytest.mark.no_cover
@law(40)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.integers(0, 400), min_size=2, max_size=5),
    st.integers(0, 1 << 32),
)
def test_crashes_upon_crashes_count_nothing_twice(
    seed: int, crashes: list[int], rng_seed: int
) -> None:
    log, records = Log(), STREAMS[seed]
    for number, crash_at in enumerate(crashes):
        lived(log, records, rng_seed + number, crash_at)
    lived(log, records, rng_seed - 1)
    assert_whole(log, records)


# -- late records ---------------------------------------------------------------------------------


class Clock:
    """A clock that is set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def counting(clock: Callable[[], float]) -> Completeness:
    return Completeness(3, b"00000001-w", {}, 60.0, clock)


def step_of(transactions: int) -> Step:
    step = Step()
    step.transactions = transactions
    return step


def sent(offset: int, minutes: float, account: str = "A1") -> Record:
    """Return a record that was written so many minutes after nine."""
    timestamp = GOOD_TIMESTAMP + round(minutes * 60_000)
    return record(offset, f"T{offset}", timestamp=timestamp, account_id=account)


def take(counted: Completeness, records: list[Record]) -> None:
    run = read_run([records])
    counted.count(run, step_of(len(records)), records[0].offset - 1)


def notices(counted: Completeness) -> list[dict[str, Any]]:
    made = [json.loads(outgoing.value or b"") for outgoing in counted.take_records()]
    return [fields for fields in made if fields["kind"] == "not-monitored"]


def test_records_of_an_outage_are_told_once_they_are_caught_up_with() -> None:
    clock = Clock(NOW + 60)
    counted = counting(clock)
    take(counted, [sent(0, 0.5)])
    clock.now = NOW + 9 * 60
    backlog = [sent(1 + n, 2 + n * 0.5, f"A{n % 3}") for n in range(11)]  # 9:02 to 9:07
    take(counted, backlog[:4])
    take(counted, [*backlog[4:], sent(12, 8.9)])
    counted.tick()
    assert notices(counted) == []  # it may go on
    clock.now += 30
    take(counted, [sent(13, 9.4)])
    clock.now += 30
    counted.tick()
    assert notices(counted) == [
        {
            "kind": "not-monitored",
            "partition": 3,
            "term": 1,
            "offset": 1,
            "next_offset": 12,
            "records": 11,
            "accounts": 3,
            "written_from": "2026-01-05T09:02:00Z",
            "written_to": "2026-01-05T09:07:00Z",
            "decided_from": "2026-01-05T09:09:00Z",
            "decided_to": "2026-01-05T09:09:00Z",
            "late_after_seconds": 60.0,
        }
    ]
    assert counted.told is not None
    assert counted.told.records == 11
    assert notices(counted) == []


def test_what_is_decided_within_the_threshold_is_not_told() -> None:
    clock = Clock(NOW + 60)
    counted = counting(clock)
    take(counted, [sent(0, 0)])  # 60 s, and no longer
    clock.now = NOW + 3600
    counted.tick()
    assert notices(counted) == []


def test_a_record_without_a_time_is_not_late() -> None:
    counted = counting(Clock(NOW))
    take(counted, [sent(0, 0)._replace(timestamp=-1)])
    counted.hurry()
    assert notices(counted) == []


def test_a_long_stretch_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRETCH_ACCOUNTS_MAX", 3)
    counted = counting(Clock(NOW + 7200))
    for offset in range(7):
        take(counted, [sent(offset, 0, f"A{offset}")])
    counted.hurry()
    parts = [(part["offset"], part["records"], part["accounts"]) for part in notices(counted)]
    assert parts == [(0, 3, 3), (3, 3, 3), (6, 1, 1)]


def test_a_stretch_ends_with_its_worker_and_is_told_by_the_next() -> None:
    log, records = Log(), [sent(n, n, f"A{n % 2}") for n in range(5)]

    async def run(*, is_all: bool) -> Partition:
        rng = random.Random(1)  # noqa: S311 - seeded, and no secret
        outbox = FakeOutbox(log, rng)
        partition = Partition(arrays_engine(), log.kept(), outbox, TOPICS, lambda _: True)
        some = records if is_all else records[:3]
        await partition.take(Event(outbox, rng, some[-1].offset), read_run([some]))
        await partition.flush()
        return partition

    asyncio.run(run(is_all=False))
    assert told(log, "not-monitored") == []
    partition = asyncio.run(run(is_all=True))
    (stretch,) = told(log, "not-monitored")
    assert (stretch["offset"], stretch["next_offset"]) == (0, 3)
    assert (stretch["records"], stretch["accounts"], stretch["term"]) == (3, 2, 2)
    assert partition.completeness.told is not None


# -- programs that count nothing ------------------------------------------------------------------


def test_what_a_program_of_before_decided_is_a_gap_and_no_guess() -> None:
    log, records = Log(), STREAMS[4]
    lived(log, records[:40], 1)
    log.topics[TOPICS.changelog] = [  # as one that counts nothing would have left it
        kept for kept in log.topics[TOPICS.changelog] if not (kept.key or b"").startswith(b"c:")
    ]
    lived(log, records, 2)
    hours = [hour for hour in told(log, "hour") if hour["term"] == 2]
    assert {hour["counted_from"] for hour in hours} == {40}
    assert sum(hour["received"] for hour in hours) == len(records) - 40


def test_the_counts_of_another_writer_are_taken_away() -> None:
    log, records = Log(), STREAMS[4]
    lived(log, records[:40], 1)
    lived(log, records, 2)
    kept = log.kept()
    seal = newest_seal(kept)
    assert seal is not None
    counts = {key for key in kept if key.startswith(b"c:")}
    assert counts <= {*keys.counts_keys(seal.writer)}
    assert counts


def test_a_record_that_came_to_nothing_is_seen() -> None:
    counted = counting(Clock(NOW))
    take(counted, [sent(0, 0)])
    assert counted.unaccounted + 0 == 0
    run = read_run([[sent(1, 0), sent(2, 0)]])
    counted.count(run, step_of(1), 0)
    assert counted.unaccounted == 1
