"""Days close from rows as they close from objects, whatever is moved in the arrays meanwhile."""

import gc
import random
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Ints
from monitor.core.account import Account
from monitor.core.threshold import LimitSet
from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.engine.step import Step
from monitor.ledger.ledger import Ledger
from monitor.ordinary import layout, room
from monitor.ordinary.ledger import OrdinaryLedger
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.systemic.record import segment_records_of
from streams.wire import codec
from streams.wire.columns import prepare, read_run
from tests.support.laws import law
from tests.support.record_batches import batch_of
from tests.support.records import Record, record
from tests.support.transactions import POLICY

SYSTEMIC = (
    POLICY.replace("above = 3", "above = 12")
    + """
[[limit]]
id = "business"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "900.00"
scope = { segment = "business" }
[[limit]]
id = "both"
measure = "amount"
direction = "both"
currency = "USD"
above = "300.00"
[[limit]]
id = "of-one"
measure = "amount"
direction = "debit"
currency = "EUR"
above = "400.00"
scope = { account = "A1" }
[systemic]
[review]
days = 2
window_days = 5
near_share = 0.8
"""
)
HOURS = 24 * 9
BUCKETS = 4
UNITS = 40


@pytest.fixture(autouse=True, scope="module")
def _kernels() -> None:
    prepare()


def policies() -> PolicyBook:
    return PolicyBook([policy_of(SYSTEMIC)._replace(outliers=None)])


def made_records(rng: random.Random, count: int, accounts: int) -> list[Record]:
    """Return records of some days: amounts near limits, late ones, duplicates, reversals."""
    records: list[Record] = []
    for offset in range(count):
        hours = HOURS * offset / count
        number = rng.randrange(accounts)
        name = f"T{offset}"
        # Of some accounts there is nothing after a while, and again later.
        if 0.3 < offset / count < 0.7:
            number = rng.randrange(max(accounts // 8, 1))
        is_great = number % 7 == 0
        fields: dict[str, Any] = {
            "account_id": ("A{}", 'Q"{}', "\u00e9{}")[number % 23 % 3 if number % 5 == 0 else 0]
            .format(number),
            "amount": rng.choice(["0.00", "1.05", "30.00"] + ["150.00", "420.00"] * is_great),
            "currency": ("EUR", "EUR", "USD")[(number + (rng.random() < 0.01)) % 3],
            "direction": rng.choice(["debit", "debit", "credit"]),
        }  # fmt: skip
        if number % 4:
            fields["segment"] = ("retail", "business", "s3")[number % 3]
        kind = rng.random()
        if kind < 0.03:
            name = f"T{rng.randrange(offset + 1)}"
        elif kind < 0.05:
            fields["reverses"] = f"T{rng.randrange(offset + 1)}"
        elif kind < 0.09:
            hours = max(hours - rng.choice([5, 30, 70]), 0)
        elif kind < 0.1:
            fields["segment"] = rng.choice(["retail", "business"])
        records.append(record(offset, name, hours=hours, **fields))
    return records


def closing_records(first: int) -> list[Record]:
    """Return records of two accounts that close all days before."""
    return [
        record(first + n, f"E{n}", hours=HOURS + 24 * 8, account_id=f"E{n % 2}") for n in range(4)
    ]


class Told(NamedTuple):
    """All that Steps said, and how often."""

    records: Counter[bytes]
    days: list[bytes]
    entries: Counter[Any]

    def add(self, step: Step) -> None:
        """Add what a Step says."""
        self.records.update(map(codec.alert_bytes, step.alerts))
        self.records.update(map(codec.closed_day_bytes, step.account_days))
        self.records.update(value for rows in step.closed_rows for _, value in rows.pairs())
        self.records.update(repr(said).encode() for said in step.rejections)
        self.entries.update(step.entries)
        for rows in step.entry_rows:
            self.entries.update(rows.entries())
        for of_day in step.segment_days:
            self.days.extend(map(codec.segment_record_bytes, segment_records_of(0, of_day)))


def accounts_in_rows(ledger: Ledger) -> list[Account]:
    """Return the accounts that stand in rows, each as an object of its own."""
    ordinary = ledger.ordinary if isinstance(ledger, OrdinaryLedger) else None
    if ordinary is None:
        return []
    accounts = ordinary.arrays.accounts[: ordinary.arrays.numbers[layout.ACCOUNTS_USED]]
    made = []
    for number in np.flatnonzero(accounts["head"] != layout.NONE).tolist():
        account = Account(ordinary.account_id(number), int(accounts[number]["bucket"]), "")
        place = int(accounts[number]["head"])
        while place != layout.NONE:
            account.days += (ordinary.view(place, LimitSet(()), account),)
            place = int(ordinary.arrays.days[place]["next"])
        made.append(account)
    return made


def held(engine: Engine) -> dict[tuple[str, int], Any]:
    """Return what is held of each account on each day that is not emitted."""
    ledger = engine.ledger
    accounts = [*ledger.accounts.values(), *accounts_in_rows(ledger)]
    return {
        (account.account_id, day.day): (day.totals, day.segment, day.segment_time, account.bucket)
        for account in accounts
        for day in account.days
    }


def compare(records: list[Record], cuts: int, *, changes: bool = False) -> OrdinaryEngine:
    """Fail if the engines say otherwise of records that are cut into runs; return ours."""
    plain = Engine(0, policies(), BUCKETS)
    ours = OrdinaryEngine(0, policies(), BUCKETS)
    told = Told(Counter(), [], Counter()), Told(Counter(), [], Counter())
    engines = (plain, ours)
    for first in range(0, len(records), cuts):
        batch = batch_of(records[first : first + cuts])
        for engine, said in zip(engines, told, strict=True):
            engine.observe_run(read_run([batch]))
            if changes and first % 3 == 0:
                engine.policies_changed()  # to the same ones: all become objects for a moment
            said.add(engine.take_step())
        in_rows = {account.account_id for account in accounts_in_rows(ours.ledger)}
        assert in_rows.isdisjoint(ours.ledger.accounts)
        if not plain.has_closing_days and not ours.has_closing_days:
            assert held(ours) == held(plain)
        assert ours.ledger.open_transactions() == plain.ledger.open_transactions()
    for engine, said in zip(engines, told, strict=True):
        while engine.has_closing_days:
            engine.close_account_days(UNITS)
            step = engine.take_step()
            assert step.account_days_closed <= UNITS
            said.add(step)
    assert told[1].records == told[0].records
    assert told[1].days == told[0].days
    assert told[1].entries == told[0].entries
    assert held(ours) == held(plain)
    return ours


streams = st.tuples(st.integers(0, 10**6), st.integers(50, 700), st.integers(1, 60))


@given(streams, st.sampled_from([7, 40, 250]), st.booleans())
@law(120)
def test_steps_are_those_of_the_plain_engine(
    stream: tuple[int, int, int], cuts: int, changes: bool  # noqa: FBT001 - drawn
) -> None:  # fmt: skip
    seed, count, accounts = stream
    records = made_records(random.Random(seed), count, accounts)  # noqa: S311 - no secret
    with pytest.MonkeyPatch.context() as patch:
        # So that accounts become objects while their days are still to be summed up and emitted.
        patch.setattr("monitor.engine.engine.UNITS_A_RUN", 3)
        patch.setattr("monitor.engine.closing.UNITS_A_RUN", 3)
        compare([*records, *closing_records(len(records))], cuts, changes=changes)


def test_the_days_of_a_stream_are_emitted_from_rows() -> None:
    records = made_records(random.Random(1), 900, 60)  # noqa: S311 - no secret
    engine = OrdinaryEngine(0, policies(), BUCKETS)
    records += closing_records(900)
    for first in range(0, len(records), 50):
        engine.observe_run(read_run([batch_of(records[first : first + 50])]))
    while engine.has_closing_days:
        engine.close_account_days()
    step = engine.take_step()
    assert sum(map(len, step.closed_rows)) > len(step.account_days) > 0


def test_no_account_and_no_day_waits_for_the_collector_of_cycles() -> None:
    """That runs seldom, and a day leads to all accounts that were objects on it."""
    records = made_records(random.Random(1), 900, 60)  # noqa: S311 - no secret
    records += closing_records(900)
    engine = OrdinaryEngine(0, policies(), BUCKETS)
    gc.collect()
    gc.disable()
    try:
        for first in range(0, len(records), 50):
            engine.observe_run(read_run([batch_of(records[first : first + 50])]))
        while engine.has_closing_days:
            engine.close_account_days()
        step = engine.take_step()
        assert sum(map(len, step.closed_rows)) > len(step.account_days) > 0
        del step
        assert engine.ledger.begin_rows().count() > 0
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found = Counter(type(held).__name__ for held in gc.garbage if of_ours(held))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not found


def of_ours(held: object) -> bool:
    return type(held).__module__.startswith(("monitor.", "models.", "streams."))


def at_each_day(patch: pytest.MonkeyPatch) -> Counter[str]:
    """Let arrays be compacted after each day that is emitted; return a count of how often."""
    done: Counter[str] = Counter()
    for name in ("ACCOUNTS_LEAST", "DAYS_LEAST", "IDS_LEAST", "_ROOM_MAX", "_ROOM_FOR_IDS_MAX"):
        patch.setattr(room, name, 0)
    patch.setattr(room, "GONE_DAYS", 1)
    moved = room.Compaction.moved

    def counted(self: room.Compaction, arrays: layout.Arrays) -> tuple[layout.Arrays, Ints, Ints]:
        before = int(arrays.numbers[layout.ACCOUNTS_USED])
        after = moved(self, arrays)
        done["times"] += 1
        done["accounts"] += before - int(after[0].numbers[layout.ACCOUNTS_USED])
        return after

    patch.setattr(room.Compaction, "moved", counted)
    return done


@given(streams, st.sampled_from([7, 40, 250]), st.booleans())
@law(80)
def test_all_goes_on_equal_after_a_compaction(
    stream: tuple[int, int, int], cuts: int, changes: bool  # noqa: FBT001 - drawn
) -> None:  # fmt: skip
    seed, count, accounts = stream
    records = made_records(random.Random(seed), count, accounts)  # noqa: S311 - no secret
    with pytest.MonkeyPatch.context() as patch:
        at_each_day(patch)
        compare([*records, *closing_records(len(records))], cuts, changes=changes)


def test_accounts_that_are_gone_give_back_their_room(monkeypatch: pytest.MonkeyPatch) -> None:
    done = at_each_day(monkeypatch)
    records = made_records(random.Random(2), 1500, 200)  # noqa: S311 - no secret
    ours = compare([*records, *closing_records(1500)], 100)
    assert done["times"] > 2
    assert done["accounts"] > 150
    ordinary = ours.ledger.begin_rows()
    assert ordinary.arrays.numbers[layout.ACCOUNTS_USED] < 200


def test_one_great_day_does_not_keep_its_room_for_ever() -> None:
    """Few accounts stay of many; the arrays are as small again after the days that are known."""
    many, few = 20_000, 10
    engine = OrdinaryEngine(0, policies(), BUCKETS)
    offset = 0

    def observe(day: int, accounts: int) -> None:
        nonlocal offset
        records = [
            record(offset + n, f"T{day}", hours=24 * day + n / accounts, account_id=f"B{n:030d}")
            for n in range(accounts)
        ]
        offset += len(records)
        for first in range(0, len(records), 5000):
            engine.observe_run(read_run([batch_of(records[first : first + 5000])]))
            while engine.has_closing_days:
                engine.close_account_days()
            engine.take_step()

    observe(0, few)
    before = bytes_of(engine)
    observe(1, many)
    greatest = bytes_of(engine)
    for day in range(2, 2 + 2 * room.GONE_DAYS + 4):
        observe(day, few)
    after = bytes_of(engine)
    assert greatest > 4 * before
    assert 2 * after < greatest
    arrays = engine.ledger.begin_rows().arrays
    assert arrays.numbers[layout.ACCOUNTS_USED] <= few + 1


def bytes_of(engine: OrdinaryEngine) -> int:
    """Return the bytes of accounts, account-days and ids."""
    arrays = engine.ledger.begin_rows().arrays
    return sum(
        array.nbytes
        for array in (arrays.accounts, arrays.index, arrays.texts, arrays.days, arrays.ids)
    )
