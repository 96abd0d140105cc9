"""A partition: whatever is cut off between two writes is repeated, and nothing lost or doubled."""

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.transaction import Reason
from monitor.engine.engine import Engine
from streams.state import changelog as state
from streams.state import journal, keys, pieces
from streams.state.pieces import PIECE_BYTES_MAX
from streams.wire.columns import read_run
from tests.support.fake_log import MOVED, TOPICS, Event, FakeOutbox, Log, Told
from tests.support.laws import law
from tests.support.lives import Life, idle, live
from tests.support.made_stream import HOUR, Outcome, made_stream, new_engine
from tests.support.records import Record, decided

SEEDS = (4, 21)
STREAMS = {seed: made_stream(seed) for seed in SEEDS}


@pytest.fixture(autouse=True)
def one_account_day_closes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a midnight leave account-days over, as it does where there are thousands."""
    close = Engine.close_account_days
    monkeypatch.setattr(Engine, "close_account_days", lambda engine, _=1: close(engine, 1))


# -- crashes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stream_has_everything_in_it(seed: int) -> None:
    outcome = Outcome.undisturbed(STREAMS[seed])
    told = b"".join(outcome.alerts.values())
    assert all(b'"%s"' % status in told for status in (b"raised", b"restated", b"withdrawn"))
    reasons = Counter(
        reason for value in outcome.rejections.values() for reason in Reason
        if b'"reason":"%s"' % reason.value.encode() in value
    )  # fmt: skip
    assert {
        Reason.MALFORMED, Reason.BAD_AMOUNT, Reason.FUTURE, Reason.TOO_LATE, Reason.DUPLICATE,
        Reason.WRONG_KEY, Reason.NOTHING_TO_REVERSE, Reason.REVERSAL_MISMATCH,
    } <= reasons.keys()  # fmt: skip
    assert len(outcome.account_days) > 20
    assert outcome.contents
    assert outcome.waiting


@pytest.mark.parametrize("seed", SEEDS)
def test_the_streams_have_reversals_that_wait_some_in_vain(seed: int) -> None:
    engine = new_engine()
    records = STREAMS[seed]
    engine.observe([record.offset for record in records], decided(records, HOUR))
    step = engine.take_step()
    in_vain = {offset for offset, _ in step.rejections} & set(step.settled)
    assert len(in_vain) > 2
    assert len(step.settled) > len(in_vain) + 1


def test_the_streams_have_reviews_that_grow_and_fall_and_near_days_in_them() -> None:
    told = [value for seed in SEEDS for value in Outcome.undisturbed(STREAMS[seed]).alerts.values()]
    reviews = [value for value in told if b'"kind":"review"' in value]
    for status in (b"raised", b"restated", b"withdrawn"):
        assert any(b'"status":"%s"' % status in value for value in reviews), status
    assert any(b'"kind":"near"' in value for value in reviews)


@pytest.mark.parametrize("batch_records", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_undisturbed_it_tells_and_keeps_what_the_engine_decides(
    seed: int, batch_records: int
) -> None:
    log = Log()
    live(log, STREAMS[seed], 7, batch_records=batch_records)
    assert Outcome.of_log(log) == Outcome.undisturbed(STREAMS[seed])
    told = [record.value for record in log.topics[TOPICS.alerts]]
    assert len(told) == len(set(told))


@pytest.mark.parametrize(
    ("seed", "batch_records", "stride", "piece_bytes"),
    [
        pytest.param(4, 1, 7, PIECE_BYTES_MAX, marks=pytest.mark.no_cover),
        (21, 1, 13, 60),
        pytest.param(4, 1, 3, PIECE_BYTES_MAX, marks=pytest.mark.slow),
        pytest.param(21, 3, 2, PIECE_BYTES_MAX, marks=pytest.mark.slow),
        pytest.param(4, 1, 5, 60, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(
    seed: int, batch_records: int, stride: int, piece_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few bytes a piece, buckets and seals are cut into several records each."""
    for module in (pieces, state):
        monkeypatch.setattr(module, "PIECE_BYTES_MAX", piece_bytes)
    monkeypatch.setattr(journal, "ENTRIES_MAX", 3)
    records = STREAMS[seed]
    expected = Outcome.undisturbed(records)
    steps = live(Log(), records, seed, batch_records=batch_records).steps
    assert steps > 100
    for crash_at in range(0, steps, stride):
        log = Log(is_compacted=crash_at % 2 == 1)
        crashed = live(log, records, seed, crash_at, batch_records)
        assert crashed.steps == crash_at
        live(log, records, seed + 1, batch_records=batch_records)
        assert Outcome.of_log(log) == expected, f"crash before step {crash_at}"


@pytest.mark.no_cover
@law(60)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 4)), min_size=2, max_size=6),
    st.integers(0, 1 << 32),
    st.booleans(),
)
@example(  # buckets that include more than the seal, and a day that closes before that comes again
    seed=4, crashes=[(89, 4), (103, 3)], rng_seed=105, is_compacted=True
)  # fmt: skip
@example(  # an account with a review was in rows meanwhile: its bucket has what it is now
    seed=4, crashes=[(90, 4), (116, 4)], rng_seed=205, is_compacted=False
)  # fmt: skip
def test_crashes_upon_crashes_lose_and_double_nothing(
    seed: int, crashes: list[tuple[int, int]], rng_seed: int, is_compacted: bool,  # noqa: FBT001 - drawn
) -> None:  # fmt: skip
    log, records = Log(is_compacted=is_compacted), STREAMS[seed]
    for number, (crash_at, batch_records) in enumerate(crashes):
        live(log, records, rng_seed + number, crash_at, batch_records)
    live(log, records, rng_seed - 1)
    assert Outcome.of_log(log) == Outcome.undisturbed(records)


@pytest.mark.slow
def test_many_streams_of_many_crashes() -> None:
    rng = random.Random(7)  # noqa: S311 - seeded, and no secret
    for number in range(120):
        records, log = made_stream(number), Log(is_compacted=number % 2 == 1)
        for _ in range(rng.randint(1, 6)):
            live(log, records, rng.randrange(1 << 30), rng.randrange(250), rng.randint(1, 4))
        live(log, records, number)
        assert Outcome.of_log(log) == Outcome.undisturbed(records), f"stream {number}"


def test_where_pieces_are_small_everything_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pieces, state):
        monkeypatch.setattr(module, "PIECE_BYTES_MAX", 60)
    log = Log()
    live(log, STREAMS[4], 4)
    cut = {record.key.split(b":")[-3] for record in log.topics[TOPICS.changelog]
           if record.key and b"/" in record.key}  # fmt: skip
    assert {name.partition(b"/")[0] for name in cut} == {b"0", b"1", b"2", b"seal"}
    assert Outcome.of_log(log) == Outcome.undisturbed(STREAMS[4])


# -- rebalances ----------------------------------------------------------------------------------


@pytest.mark.no_cover
@law(80)
@given(
    st.sampled_from(SEEDS), st.integers(0, 1 << 32), st.integers(1, 25), st.integers(0, 40),
    st.booleans(), st.booleans(), st.sampled_from([PIECE_BYTES_MAX, 60]),
)  # fmt: skip
def test_what_a_worker_writes_that_lost_its_partition_does_not_count(  # noqa: PLR0913, PLR0917 - drawn
    seed: int, rng_seed: int, runs: int, turns: int, knows: bool,  # noqa: FBT001 - drawn
    is_compacted: bool, piece_bytes: int,  # noqa: FBT001 - drawn
) -> None:  # fmt: skip
    """The old owner is in the midst of a flush, and may not know for long that it lost it."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (pieces, state):
            patch.setattr(module, "PIECE_BYTES_MAX", piece_bytes)
        _lose_a_partition(seed, rng_seed, runs, turns, knows=knows, is_compacted=is_compacted)


def _lose_a_partition(
    seed: int, rng_seed: int, runs: int, turns: int, *, knows: bool, is_compacted: bool
) -> None:
    log, records = Log(is_compacted=is_compacted), STREAMS[seed]
    rng = random.Random(rng_seed)  # noqa: S311 - seeded, and no secret

    async def run() -> None:
        old = Life(FakeOutbox(log, rng), rng, records)
        await old.take(runs)
        old.start_flush()
        await idle(turns)
        log.generation += 1
        new = Life(FakeOutbox(log, rng), rng, records)
        taking = asyncio.create_task(new.take(runs))
        if knows:
            await idle(turns)
            old.is_current = lambda: False
        await old.take(3)
        old.start_flush()
        await taking
        await new.until_flushed()
        await old.until_flushed()
        assert log.committed <= log.sealed() + 1
        await idle(200)

    asyncio.run(run())
    live(log, records, rng_seed)
    assert Outcome.of_log(log) == Outcome.undisturbed(records)


@pytest.mark.parametrize("seed", SEEDS)
def test_once_it_has_moved_it_writes_no_state_and_acknowledges_no_more(seed: int) -> None:
    records = STREAMS[seed][:40]
    steps = live(Log(), records, seed).steps
    for moves_at in range(0, steps, 3):
        story = asyncio.run(moved(records, seed, moves_at))
        at = story.index(MOVED)
        changelog = [i for i, told in enumerate(story) if told[:2] == ("sent", TOPICS.changelog)]
        assert not [i for i in changelog if i > at]
        if changelog and not keys.is_seal(story[changelog[-1]][2][0] or b""):
            # Only what a seal on its way includes may still be acknowledged.
            assert not [i for i, told in enumerate(story) if told[0] == "committed" and i > at]


async def moved(records: list[Record], seed: int, moves_at: int) -> list[Told]:
    """Live until the end, the partition moving to another worker at a step; return the story."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    outbox = FakeOutbox(Log(), rng, moves_at=moves_at)
    life = Life(outbox, rng, records)
    life.is_current = lambda: MOVED not in outbox.story
    await life.take()
    await life.until_flushed()
    if MOVED not in outbox.story:
        outbox.story.append(MOVED)
    assert await life.partition.flush() is None
    return outbox.story


def test_it_goes_on_as_it_is_only_where_its_own_seal_holds() -> None:
    log, rng, records = Log(), random.Random(1), STREAMS[4]  # noqa: S311 - seeded, and no secret

    async def run() -> None:
        life = Life(FakeOutbox(log, rng), rng, records)
        partition = life.partition

        def is_settled() -> bool:
            return partition.is_settled

        assert not is_settled()  # nothing is sealed yet
        await partition.take(Event(life.outbox, rng, 4), read_run([records[:5]]))
        assert not is_settled()
        flushing = asyncio.create_task(partition.flush())
        await idle(3)
        assert not is_settled()
        await flushing
        assert is_settled()
        recovered = Life(FakeOutbox(log, rng), rng, records).partition
        assert not recovered.is_settled  # the seal that holds is another writer's

    asyncio.run(run())
