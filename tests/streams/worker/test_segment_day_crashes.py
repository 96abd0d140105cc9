"""Segment-days through crashes: what the topic has joins to what one engine tells, undisturbed."""

import asyncio
import json
import random

import pytest

from monitor.engine import closing as closing_day
from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.systemic.assembly import Joining
from monitor.systemic.record import SegmentRecord, segment_records_of
from streams.wire import codec
from tests.support import lives
from tests.support.fake_log import TOPICS, CrashError, FakeOutbox, Log
from tests.support.lives import Life
from tests.support.made_stream import BUCKETS, HOUR, SEGMENTED, made_stream
from tests.support.records import Record, decided, record


def with_origin(made: Record) -> Record:
    """Return a record that names an institution and a branch, where it can be read."""
    try:
        fields = json.loads(made.value or b"")
    except ValueError:
        return made
    fields |= {"counterparty_institution": f"I{made.offset % 5}", "branch": f"B{made.offset % 2}"}
    return made._replace(value=json.dumps(fields).encode())


SEED = 6
LAST_HOURS = 24 * 40
RECORDS = [with_origin(sent) for sent in made_stream(SEED)]
RECORDS.append(
    record(
        len(RECORDS), "last", hours=LAST_HOURS, timestamp=RECORDS[-1].timestamp + 40 * 86_400_000
    )
)
Day = dict[str | None, dict[str, object]]


def policies() -> PolicyBook:
    """Return a policy that asks for segment-days; models would take time, and are not exact."""
    return PolicyBook([policy_of(SEGMENTED + "[systemic]\n")._replace(outliers=None)])


def new_engine() -> Engine:
    """Return an engine that tells of segment-days."""
    return Engine(0, policies(), BUCKETS)


def arrays_engine() -> Engine:
    """Return the same engine with its ordinary accounts in arrays."""
    policy = policy_of(SEGMENTED + "[systemic]\n")._replace(outliers=None)
    return OrdinaryEngine(0, PolicyBook([policy]), BUCKETS)


@pytest.fixture(autouse=True)
def systemic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the lives have the engine above, and one account-day close at a time."""
    close = Engine.close_account_days
    monkeypatch.setattr(Engine, "close_account_days", lambda engine, _=1: close(engine, 1))
    monkeypatch.setattr(closing_day, "UNITS_A_RUN", 1)  # nor is it done where the day ends
    monkeypatch.setattr(lives, "arrays_engine", arrays_engine)


def joined(told: list[SegmentRecord]) -> dict[int, Day]:
    joining = Joining(1)
    for offset, made in enumerate(told):
        joining.take(made, offset)
    return {
        day: {
            name: SegmentRecord(0, 1, segment_day).fields()
            for name, segment_day in segments.items()
        }
        for day, segments in joining.ready()
    }


def undisturbed(records: list[Record]) -> dict[int, Day]:
    engine = new_engine()
    engine.observe([record.offset for record in records], decided(records, HOUR))
    while engine.has_closing_days:
        engine.close_account_days()
    days = engine.take_step().segment_days
    return joined([made for of_day in days for made in segment_records_of(0, of_day)])


def told_in(log: Log) -> list[SegmentRecord]:
    values = [written.value for written in log.topics[TOPICS.segment_days]]
    return [codec.segment_record(value) for value in values if value is not None]


def live(log: Log, seed: int, crash_at: int | None = None, batch_records: int = 1) -> FakeOutbox:
    """Live until all is sealed, or until the crash; every few runs all is sealed, as with time."""
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret

    async def run() -> FakeOutbox:
        outbox = FakeOutbox(log, rng, batch_records=batch_records, crash_at=crash_at)
        life = Life(outbox, rng, RECORDS)
        try:
            for _ in range(len(RECORDS) // 12):
                await life.take(rng.randrange(1, 5))
                life.start_flush()
                await life.until_flushed()
            await life.finish()
        except CrashError:
            assert crash_at is not None
        finally:
            await life.end()
        return outbox

    return asyncio.run(run())


def test_the_stream_has_everything_in_it() -> None:
    days = [fields for day in undisturbed(RECORDS).values() for fields in day.values()]
    assert len(days) > 15
    reasons = {row["reason"] for fields in days for row in fields["rejections"]}  # type: ignore[attr-defined]
    assert reasons == {"duplicate", "too-late", "future"}
    assert any(limit["breaches"] for fields in days for limit in fields["limits"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("batch_records", "stride"),
    [
        (3, 7),
        pytest.param(3, 2, marks=pytest.mark.slow),
        pytest.param(1, 3, marks=pytest.mark.slow),
    ],
)
def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(
    batch_records: int, stride: int
) -> None:
    expected = undisturbed(RECORDS)
    steps = live(Log(), SEED, batch_records=batch_records).steps
    for crash_at in range(0, steps, stride):
        log = Log(is_compacted=crash_at % 2 == 1)
        live(log, SEED, crash_at, batch_records)
        if random.Random(crash_at).random() < 0.3:  # noqa: S311 - seeded: a second crash, too
            live(log, SEED + 1, crash_at // 3 + 1, batch_records)
        live(log, SEED + 2, batch_records=batch_records)
        assert joined(told_in(log)) == expected, crash_at
