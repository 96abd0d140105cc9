"""The engine with ordinary accounts in arrays tells and holds exactly what the plain one does.

Whatever the records are, however they are cut into runs, whatever changes between two runs, and
after a recovery from either's state.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.learner import learner
from models.peers.groups import PeerGroups
from monitor.core.attributes import Attributes
from monitor.core.money import EXPONENT, amount_text
from monitor.core.transaction import Transaction
from monitor.engine import engine, ordinary_engine
from monitor.ordinary import layout
from monitor.policy.document import policy_of
from streams.wire import codec
from streams.wire.columns import prepare
from tests.support.laws import examples, law
from tests.support.records import Record, record
from tests.support.spending import BUDGET, made_spending
from tests.support.spending import POLICY as SPENDING_POLICY
from tests.support.transactions import POLICY
from tests.support.two_engines import BUCKETS, Pair, assert_engines_agree

ROOT: Final = Path(__file__).parents[3]
LATER: Final = 4_102_444_800_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SYSTEMIC: Final = policy_of(POLICY + "[systemic]\n")._replace(outliers=None)


@pytest.fixture(autouse=True, scope="module")
def _kernels() -> None:
    prepare()


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Let closed days be told of some at a time, and only two segments have a number."""
    patch.setattr(engine, "UNITS_A_RUN", 1)
    patch.setattr(layout, "SEGMENTS_MAX", 2)


@pytest.fixture(params=[False, True], ids=["usual", "small"])
def _bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        make_small(monkeypatch)


# -- the law --------------------------------------------------------------------------------------


@law(60)
@given(st.randoms(use_true_random=False), st.integers(1, 160), st.booleans())
def test_any_stream(rng: random.Random, count: int, is_small: bool) -> None:  # noqa: FBT001 - drawn
    with pytest.MonkeyPatch.context() as patch:
        if is_small:
            make_small(patch)
        assert_engines_agree(rng, count)


@pytest.mark.usefixtures("_bounds")
def test_made_streams() -> None:
    """The law, and that it is not of nothing: kernels decide, and leave to Python all they may."""
    in_python: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for seed in range(examples(80)):
        pair = assert_engines_agree(random.Random(seed), 300)  # noqa: S311 - seeded, and no secret
        in_python.update(pair.arrays.in_python)
        counts.update(pair.arrays.counts)
        counts["dealt"] += len(pair.arrays.engine.ledger.buckets) > BUCKETS
    assert counts["dealt"]
    assert set(in_python) == set(layout.IN_PYTHON) - {"mostly-odd"}
    decided = counts["transactions"] + counts["rejections"] + counts["redelivered"]
    assert in_python.total() < 0.8 * decided
    assert min(counts[name] for name in ("ahead", "waiting", "settled", "rejections")) > 0


@pytest.mark.usefixtures("_bounds")
def test_made_streams_with_turns_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordinary_engine, "JUDGED_RECORDS", 20)
    in_python: Counter[str] = Counter()
    for seed in range(200, 200 + examples(40)):
        pair = assert_engines_agree(random.Random(seed), 300)  # noqa: S311 - seeded, and no secret
        in_python.update(pair.arrays.in_python)
    assert 0 < in_python["mostly-odd"] < in_python.total()


def test_a_turn_of_python_ends_once_records_are_ordinary() -> None:
    """And not while the rows show that many are odd, however long it lasts."""
    odd = [made(2 + n, f"O{n}", hours=1, reverses=f"T{n}" if n % 2 else "") for n in range(200)]
    ordinary = [made(300 + n, f"N{n}", "A2", hours=1) for n in range(100)]

    async def steps(pair: Pair) -> None:
        await pair.take([*BOTH, *odd], tens)
        assert pair.arrays.in_python["mostly-odd"] > 150
        before = pair.arrays.in_python.copy()
        await pair.take(ordinary, tens)
        after = pair.arrays.in_python - before
        assert 0 < after["mostly-odd"] < 50
        await pair.compare()
        assert not (pair.arrays.in_python - before - Counter({"mostly-odd": 100}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordinary_engine, "JUDGED_RECORDS", 4)
        asyncio.run(steps(Pair([SYSTEMIC])))


def test_suppressions_send_no_record_to_python() -> None:
    many = "".join(
        f'[[suppression]]\naccount = "A{n}"\nuntil = "2999-12-31"\nreason = "agreed"\n'
        for n in range(2000)
    )
    records = [made(2 + n, f"N{n}", f"A{n % 9}", amount="90.00", hours=1) for n in range(300)]

    async def steps(pair: Pair) -> None:
        await pair.take([*BOTH, *records], tens)
        await pair.compare()

    with_marks, without = Pair([policy_of(POLICY + many)]), Pair([policy_of(POLICY)])
    for pair in (with_marks, without):
        asyncio.run(steps(pair))
    assert with_marks.arrays.in_python == without.arrays.in_python
    told = [
        [alert for its in p.arrays.alerts.values() for alert in its] for p in (with_marks, without)
    ]
    assert len(told[0]) == len(told[1]) > 0
    assert all(b'"suppressed"' in alert for alert in told[0])


@pytest.mark.slow
@pytest.mark.usefixtures("_bounds")
@pytest.mark.parametrize("first", range(10_000, 10_200, 100))
def test_many_made_streams(first: int) -> None:
    for seed in range(first, first + 100):
        assert_engines_agree(random.Random(seed), 500)  # noqa: S311 - seeded, and no secret


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_kernel_reads_beside_its_arrays(tmp_path: Path) -> None:
    """The law with Numba's own check of every index; most of the time goes into compiling."""
    environment = os.environ | {
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "LAWS": "",
    }
    tests = [Path(__file__), ROOT / "tests" / "monitor" / "ordinary"]
    ran = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=0",
            "-m", "not slow", *tests,
        ],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1700,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


COMPILES_NOTHING: Final = """
import random
from monitor.ordinary import decide, ids, names, packing, restored, restored_ids, tables
from streams.worker import engines
from tests.support.two_engines import assert_engines_agree

def signatures():
    return {
        (module.__name__, name): len(kernel.signatures)
        for module in (decide, ids, names, packing, restored, restored_ids, tables)
        for name, kernel in vars(module).items()
        if hasattr(kernel, "signatures")
    }

engines.prepare()
before = signatures()
assert before, "there are kernels"
for seed in range(12):
    assert_engines_agree(random.Random(seed), 300)
after = signatures()
assert after == before, {key: (before[key], n) for key, n in after.items() if before[key] != n}
"""


def test_nothing_is_compiled_after_all_is_loaded() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", COMPILES_NOTHING], cwd=ROOT, env=os.environ, capture_output=True,
        text=True, check=False, timeout=280,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


# -- models ---------------------------------------------------------------------------------------


def records_of(items: Sequence[Transaction]) -> list[Record]:
    """Return transactions as records, in their order."""
    records = []
    for offset, item in enumerate(items):
        booked_at = (EPOCH + timedelta(microseconds=item.event_time)).isoformat()
        amount = amount_text(item.amount_minor, EXPONENT[item.currency])
        fields = (*item[:2], booked_at, amount, *item[4:])
        value = codec.transaction_bytes(fields)
        records.append(Record(offset, value, item.account_id.encode(), LATER))
    return records


@pytest.mark.parametrize("length", [7, 500])
def test_models_say_of_rows_what_they_say_of_objects(length: int) -> None:
    """Long enough for all that they tell: outliers, hot payers, peer groups with their limits."""
    peer_limit = """
    [[limit]]
    id = "of-peers"
    measure = "count"
    above = 6
    scope = { peer_group = "A" }
    [review]
    days = 2
    window_days = 10
    """
    policy = policy_of(SPENDING_POLICY + peer_limit + BUDGET + "[systemic]\n")
    records = records_of(made_spending(3))

    def cut(count: int) -> list[int]:
        return [min(length, count - first) for first in range(0, count, length)]

    async def run() -> Pair:
        pair = Pair([policy])
        half = len(records) // 2
        await pair.take(records[:half], cut)
        await pair.compare()
        await pair.flush()
        offset = await pair.recover(is_crossed=True, stops_before=None)
        await pair.take(records[offset:], cut)
        await pair.compare()
        return pair

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner, "PeerGroups", partial(PeerGroups, coarse=2, fine=2, warm_up=40))
        pair = asyncio.run(run())
    told = [json.loads(alert) for alerts in pair.arrays.alerts.values() for alert in alerts]
    kinds = Counter(alert["kind"] for alert in told)
    assert kinds["outlier"] > 10
    assert any(alert["threshold_id"] == "of-peers" for alert in told)
    assert pair.arrays.in_python.total() < 0.9 * len(records)


# -- reviews --------------------------------------------------------------------------------------


def test_kernels_take_records_of_accounts_near_a_limit_and_of_those_with_a_review() -> None:
    """Facts stand in rows, and a review rests beside them, also after a recovery from either."""
    policy = policy_of(POLICY + "[review]\ndays = 2\nwindow_days = 10\nnear_share = 0.5\n")

    def day(first: int, hours: float, amount: str = "390") -> list[Record]:
        names = {"counterparty_id": "P1", "counterparty_institution": "I1", "channel": "web"}
        return [
            made(first, f"T{first}", hours=hours, amount=amount, **names),
            made(first + 1, f"T{first + 1}", "A2", hours=hours + 1, **names),
        ]

    async def steps() -> None:
        pair = Pair([policy])
        await pair.take([*BOTH, *day(2, 24), *day(4, 96), *day(6, 168)], each)
        await pair.both(lambda side: side.drain())
        before = pair.arrays.in_python.copy()
        await pair.take(day(8, 169, amount="0.50"), each)
        assert pair.arrays.in_python == before
        account = pair.arrays.engine.ledger.find("A1")
        assert account is not None
        assert account.review is not None
        await pair.compare()
        for is_crossed in (False, True):
            await pair.flush()
            await pair.recover(is_crossed=is_crossed, stops_before=None)
            await pair.compare()
        await pair.take([*day(10, 192), *day(12, 264), *day(14, 600)], each)
        await pair.compare()

    asyncio.run(steps())


# -- what was wrong once --------------------------------------------------------------------------


def made(
    offset: int, transaction_id: str, account_id: str = "A1", hours: float = 0, **fields: str
) -> Record:
    named = fields | {"account_id": account_id}
    return record(offset, transaction_id, hours=hours, timestamp=LATER, **named)


def run(steps: Coroutine[Any, Any, None]) -> None:
    asyncio.run(steps)


def each(count: int) -> Sequence[int]:
    return [1] * count


def tens(count: int) -> Sequence[int]:
    return [min(10, count - first) for first in range(0, count, 10)]


BOTH: Final = [made(0, "T0"), made(1, "T1", "A2")]


def test_attributes_that_change_while_nothing_is_held_of_an_account() -> None:
    """Its next account-day goes by the new ones."""

    async def steps() -> None:
        pair = Pair([SYSTEMIC])
        await pair.take(BOTH, each)
        await pair.set_attributes("A1", Attributes("business", "B1"))
        await pair.take([made(2, "T2", "A3", hours=240), made(3, "T3", "A2", hours=241)], each)
        await pair.both(lambda side: side.drain())
        await pair.set_attributes("A1", Attributes("retail", "B2"))
        await pair.take([made(4, "T4", hours=242)], each)
        await pair.compare()

    run(steps())


def test_a_limit_of_an_account_alone_that_a_later_version_has() -> None:
    """The account's days before it are rows; one that begins by it has its own limit."""
    own = (
        '[[limit]]\nid = "own"\nmeasure = "amount"\ncurrency = "EUR"\nabove = "10"\n'
        'direction = "debit"\nscope = { account = "A1" }\n'
    )
    calendar = POLICY.replace('leap = "3660d"', 'allowed_lateness = "240h"')
    later = calendar.replace("version = 1", 'version = 2\neffective_from = "2026-01-06"') + own

    async def steps() -> None:
        pair = Pair([policy_of(calendar), policy_of(later)])
        await pair.set_attributes("A1", Attributes("business"))
        await pair.take([*BOTH, made(2, "T2")], each)
        await pair.take([made(3, "T3", "A2", hours=24), made(4, "T4", hours=24)], each)
        await pair.compare()
        assert len(pair.plain.alerts["A1"]) == 1

    run(steps())


def test_attributes_name_a_segment_that_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that no record names a segment of has that of the attributes all the same."""
    make_small(monkeypatch)

    async def steps() -> None:
        pair = Pair([SYSTEMIC])
        named = [made(2, "T2", "A3", segment="s1"), made(3, "T3", "A3", segment="s2")]
        await pair.take([*BOTH, *named], each)
        await pair.set_attributes("A1", Attributes("own"))
        await pair.take([made(4, "T4", segment="s1")], each)
        await pair.take([made(5, "T5", "A2", hours=24), made(6, "T6", hours=24)], each)
        await pair.compare()

    run(steps())


def test_a_great_amount_among_others_of_a_journal_chunk() -> None:
    """Kernels put the ids before it, and leave the chunk to Python: each is counted once."""

    async def steps() -> None:
        pair = Pair([SYSTEMIC])
        great = made(3, "T3", "A2", amount="5629499534213.12", direction="credit")
        await pair.take([*BOTH, made(2, "T2"), great, made(4, "T4")], each)
        await pair.flush()
        await pair.recover(is_crossed=False, stops_before=None)
        await pair.compare()

    run(steps())


@pytest.mark.parametrize("stops_before", [0, 1, 2])
def test_an_id_that_two_open_days_hold_after_a_crash(stops_before: int) -> None:
    """The first of them had closed; after the crash both are open until it closes again."""
    policy = policy_of(POLICY.replace('leap = "3660d"', 'allowed_lateness = "24h"\nleap = "9d"'))

    async def steps() -> None:
        pair = Pair([policy])
        again = [
            *BOTH, made(2, "T2", "A2", hours=72), made(3, "T3", "A3", hours=73),
            made(4, "T0", hours=73),
        ]  # fmt: skip
        await pair.take(again[:2], each)
        await pair.flush()
        await pair.take(again[2:], each)
        at = await pair.recover(is_crossed=False, stops_before=stops_before)
        await pair.take(again[at:], each)
        await pair.compare()
        await pair.take([made(5, "T5", "A2", hours=74), made(6, "T0", hours=74)], each)
        await pair.compare()

    run(steps())


def test_no_account_is_in_rows_while_there_are_models() -> None:
    models = policy_of(POLICY.replace("version = 1", "version = 2") + "[systemic]\n")

    async def steps() -> None:
        pair = Pair([policy_of(POLICY)])
        await pair.take(BOTH, each)
        await pair.add_policy(models)
        await pair.set_attributes("A1", Attributes("business"))
        await pair.take([made(2, "T2", "A2", hours=99), made(3, "T3", "A3", hours=99)], each)
        await pair.compare()

    run(steps())


def test_a_redelivered_record_opens_no_day() -> None:
    """It was a duplicate, of a day on which nothing else has happened."""

    async def steps() -> None:
        pair = Pair([SYSTEMIC])
        records = [*BOTH, made(2, "T2", "A3"), made(3, "T0", hours=24)]
        await pair.take(records, each)
        await pair.flush()
        at = await pair.recover(is_crossed=False, stops_before=None)
        await pair.take(records[at - 1 :], each)
        await pair.compare()

    run(steps())
