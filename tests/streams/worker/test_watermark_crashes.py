"""The watermark through crashes: an account that is alone, rows far ahead, and a second account."""

import json
import random

import pytest

from monitor.engine import closing as closing_day
from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from tests.support import lives, made_stream
from tests.support.fake_log import Log
from tests.support.lives import live
from tests.support.made_stream import Outcome
from tests.support.records import Record, decided

ALONE = 60
DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def a_usual_leap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the policy have the leap that one has which states none."""
    policy = policy_of(made_stream.SEGMENTED.replace('leap = "3660d"\n', ""))

    def new_engine() -> Engine:
        return Engine(0, PolicyBook([policy]), made_stream.BUCKETS)

    def arrays_engine() -> Engine:
        return OrdinaryEngine(0, PolicyBook([policy]), made_stream.BUCKETS)

    monkeypatch.setattr(made_stream, "new_engine", new_engine)
    monkeypatch.setattr(lives, "arrays_engine", arrays_engine)
    close = Engine.close_account_days
    monkeypatch.setattr(Engine, "close_account_days", lambda engine, _=1: close(engine, 1))
    monkeypatch.setattr(closing_day, "UNITS_A_RUN", 1)  # nor is it done where the day ends


def leaping(seed: int) -> list[Record]:
    """Return a stream of one account, with rows far ahead, which others join days later."""
    rng = random.Random(seed)  # noqa: S311 - a made stream is no secret
    records = []
    for record in made_stream.made_stream(seed):
        try:
            fields = json.loads(record.value or b"")
        except ValueError:
            records.append(record)
            continue
        days = rng.choice([4, 9, 40]) if rng.random() < 0.06 else 0
        if record.offset < ALONE:
            fields["account_id"] = "A0"
        elif record.offset < ALONE + 30 or rng.random() < 0.2:
            days = -rng.randrange(3, 7)  # as late as what the first account closed alone
        day = int(fields["booked_at"][8:10]) + days
        month, day = (1, day) if 1 <= day <= 31 else (2, day - 31) if day > 0 else (1, 1)
        month, day = (3, day - 28) if month == 2 and day > 28 else (month, day)
        fields["booked_at"] = f"2026-{month:02d}-{day:02d}{fields['booked_at'][10:]}"
        records.append(
            record._replace(
                key=fields["account_id"].encode() if record.key != b"A9" else record.key,
                value=json.dumps(fields).encode(),
                timestamp=record.timestamp + max(days, 0) * DAY_MS,
            )
        )
    return records


SEEDS = (3, 8)
STREAMS = {seed: leaping(seed) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_streams_have_all_of_it_in_them(seed: int) -> None:
    engine, seen = made_stream.new_engine(), set()
    for record in STREAMS[seed]:
        engine.observe([record.offset], decided([record], made_stream.HOUR))
        step, ledger = engine.take_step(), engine.ledger
        lone = ledger.lone
        seen |= {"ahead"} if step.ahead else set()
        seen |= (
            {"waits"}
            if engine.ledger.watermark is not None and engine.ledger.marks.held_back
            else set()
        )
        if lone is not None and lone.day_open_first is not None:
            seen.add("alone" if lone.offset is None else "second")
    assert seen == {"ahead", "waits", "alone", "second"}


@pytest.mark.parametrize(
    ("seed", "stride"),
    [
        (8, 13),
        pytest.param(3, 2, marks=pytest.mark.slow),
        pytest.param(8, 3, marks=pytest.mark.slow),
    ],
)
def test_a_crash_between_any_two_steps_changes_nothing_of_it(seed: int, stride: int) -> None:
    records = STREAMS[seed]
    expected = Outcome.undisturbed(records)
    steps = live(Log(), records, seed).steps
    for crash_at in range(0, steps, stride):
        log = Log(is_compacted=crash_at % 2 == 1)
        live(log, records, seed, crash_at)
        live(log, records, seed + 1)
        assert Outcome.of_log(log) == expected, f"crash before step {crash_at}"


MET = {
    # Days that close together, of which one was looked at for being forgotten and one was not.
    41: [(261844732, 125, 1)],
    # A crash before the seal after which a second account is known of: its bucket was written.
    53: [(839417795, 119, 4)],
}


@pytest.mark.parametrize("number", MET)
def test_crashes_that_were_met_change_nothing_of_it(number: int) -> None:
    live_through(number, MET[number])


@pytest.mark.slow
def test_crashes_upon_crashes_change_nothing_of_it() -> None:
    rng = random.Random(11)  # noqa: S311 - seeded, and no secret
    for number in range(100):
        lives_before = [
            (rng.randrange(1 << 30), rng.randrange(250), rng.randint(1, 4))
            for _ in range(rng.randint(1, 5))
        ]
        live_through(number, lives_before)


def live_through(number: int, lives_before: list[tuple[int, int, int]]) -> None:
    """See that lives that end in a crash (seed, step and batch of each) leave nothing behind."""
    records, log = leaping(number), Log(is_compacted=number % 2 == 1)
    for seed, crash_at, batch_records in lives_before:
        live(log, records, seed, crash_at, batch_records)
    live(log, records, number)
    assert Outcome.of_log(log) == Outcome.undisturbed(records), f"stream {number}"
