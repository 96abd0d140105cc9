"""What kernels leave to Python and why; and that they say what their plain functions say."""

import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from models.arrays import Bytes
from models.kernels import plain
from monitor.core.attributes import Attributes
from monitor.engine import ordinary_engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.ordinary import decide
from monitor.ordinary.layout import IN_PYTHON, Arrays, RunPlaces, Table
from streams.wire.columns import prepare, read_run
from tests.support import strange_stream
from tests.support.records import Record, record
from tests.support.spending import BUDGET
from tests.support.transactions import POLICY, book
from tests.support.two_engines import assert_engines_agree

LATER = 4_102_444_800_000
"""When records are written, in milliseconds: after all that they are dated."""


@pytest.fixture(autouse=True, scope="module")
def _kernels() -> None:
    prepare()


def made(
    offset: int, transaction_id: str, account_id: str = "A1", hours: float = 0, **fields: str
) -> Record:
    named = fields | {"account_id": account_id}
    return record(offset, transaction_id, hours=hours, timestamp=LATER, **named)


def begun(*more: Record, text: str = POLICY) -> OrdinaryEngine:
    """Return an engine that has had records of two accounts on a day, A1 and A2, and more."""
    text = text.replace('leap = "3660d"', 'leap = "1d"')
    engine = OrdinaryEngine(0, book(text))
    run = [made(0, "T0", segment="s"), made(1, "T1", "A2"), *more]
    engine.observe_run(read_run([run[:2]]))
    for each in run[2:]:
        engine.observe_run(read_run([[each]]))
    engine.take_step()
    return engine


def an_unread_one() -> Record:
    return made(5, "T5\u00e9")


FURTHER = ("USD", "JPY", "CHF")


def mostly_odd() -> OrdinaryEngine:
    """Return an engine on whose latest records Python has decided."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordinary_engine, "JUDGED_RECORDS", 3)
        return begun(*(made(number, "T0") for number in range(2, 5)))


CASES: dict[str, tuple[Callable[[], OrdinaryEngine], Record]] = {
    "not-read": (begun, an_unread_one()),
    "redelivered": (begun, made(1, "T1", "A2")),
    "object-account": (lambda: begun(made(2, "T2", reverses="T9")), made(5, "T5")),
    "late": (begun, made(5, "T5", hours=-200)),
    "ahead": (begun, made(5, "T5", hours=72)),
    "reversal": (begun, made(5, "T5", reverses="T0")),
    "great": (begun, made(5, "T" * 41)),
    "limits-unknown": (begun, made(5, "T5", "A3")),
    "duplicate": (begun, made(5, "T0")),
    "segment": (begun, made(5, "T5", segment="other")),
    "currency": (
        lambda: begun(*(made(2 + n, f"T{2 + n}", currency=code) for n, code in enumerate(FURTHER))),
        made(5, "T5", currency="GBP"),
    ),
    "near-limit": (lambda: begun(made(2, "T2", currency="USD")), made(5, "T5", amount="401")),
    "clock": (lambda: begun(made(2, "T2", hours=30)), made(5, "T5", "A2", hours=31)),
    "models-day": (
        lambda: begun(made(2, "T0", hours=30), made(3, "T1", "A2", hours=31), text=POLICY + BUDGET),
        made(5, "T5", hours=31),
    ),
    "no-kernels": (lambda: OrdinaryEngine(0, book()), made(5, "T5")),
    "mostly-odd": (mostly_odd, made(5, "T5")),
}


def test_each_reason_has_a_case() -> None:
    assert set(CASES) == set(IN_PYTHON)


@pytest.mark.parametrize("reason", IN_PYTHON)
def test_python_decides_and_why(reason: str) -> None:
    begin, last = CASES[reason]
    engine = begin()
    if reason == "limits-unknown":
        engine.ledger.attributes.take("A2", Attributes("s"))
    engine.observe_run(read_run([[last]]))
    assert engine.take_step().in_python == {reason: 1}
    assert not engine.take_step().in_python


@pytest.mark.parametrize(
    ("reason", "last"),
    [
        ("not-read", Record(5, b"{")),
        ("great", made(5, "T5", "A2", amount="5629499534213.12", direction="credit")),
    ],
)
def test_another_cause_of_a_reason(reason: str, last: Record) -> None:
    engine = begun()
    engine.observe_run(read_run([[last]]))
    assert engine.take_step().in_python == {reason: 1}


def test_a_kernel_decides_on_what_is_ordinary() -> None:
    engine = begun()
    ordinary = [
        made(2, "T2"), made(3, "T3", "A3"), made(4, "T" * 40, "A4", reverses="", segment=""),
        made(5, "T5", "A2", amount="5629499534213.11", direction="credit"),
    ]  # fmt: skip
    engine.observe_run(read_run([ordinary]))
    step = engine.take_step()
    assert (step.in_python, step.transactions, step.alerts) == (Counter(), 4, [])


def test_a_kernel_takes_in_what_it_raises_and_python_tells_it_in_order() -> None:
    engine = begun()
    over = [
        made(2, "T2", amount="401"), made(3, "T3", "A2", amount="401"),
        made(4, "T4", "A2", amount="5"), made(5, "T5", "A1", amount="1"),
        made(6, "T6", "A2", amount="1"), made(7, "T7", "A2", reverses="T3", amount="401"),
        made(8, "T8", "A1", amount="1"),
    ]  # fmt: skip
    engine.observe_run(read_run([over]))
    step = engine.take_step()
    assert step.in_python == {"reversal": 1}
    assert step.transactions == len(over)
    told = [
        (alert.cause.offset, alert.account_id, alert.kind.value, alert.status.value, alert.value)
        for alert in step.alerts
    ]
    assert told == [
        (2, "A1", "daily-amount", "raised", 501_00),
        (3, "A2", "daily-amount", "raised", 501_00),
        (6, "A2", "daily-count", "raised", 4),
        (7, "A2", "daily-amount", "withdrawn", 106_00),
        (7, "A2", "daily-count", "withdrawn", 3),
        (8, "A1", "daily-count", "raised", 4),
    ]
    account = engine.ledger.find("A1")
    assert account is not None
    (account_day,) = account.days
    assert {name: of_limit.value for name, of_limit in account_day.told.items()} == {
        "daily-amount": 501_00, "daily-count": 4,
    }  # fmt: skip


def test_a_kernel_raises_what_no_review_can_come_of() -> None:
    """A second day of two that make a review is Python's, and so is an account with a review."""
    engine = begun(text=POLICY + "[review]\ndays = 2\nwindow_days = 10\nnear_share = 0.5\n")

    def decided(*run: Record) -> tuple[Counter[str], list[tuple[str, str]]]:
        engine.observe_run(read_run([list(run)]))
        step = engine.take_step()
        return step.in_python, [(alert.kind.value, alert.account_id) for alert in step.alerts]

    assert decided(made(2, "T2", "A2", amount="401")) == ({}, [("daily-amount", "A2")])
    assert decided(made(3, "T3", hours=24)) == ({"clock": 1}, [])
    assert decided(made(4, "T4", hours=24, amount="401")) == ({}, [("daily-amount", "A1")])
    assert decided(made(5, "T5", "A2", hours=24, amount="501")) == (
        {"near-limit": 1}, [("daily-amount", "A2"), ("review", "A2")],
    )  # fmt: skip
    over = [made(6 + n, f"T{6 + n}", "A2", hours=24 + n, amount="1") for n in range(3)]
    in_python, alerts = decided(*over)
    assert in_python == {"near-limit": 1}
    assert alerts[0] == ("daily-count", "A2")


def test_a_kernel_decides_on_further_currencies_and_other_segments() -> None:
    """Until a limit on transactions of all currencies is exceeded."""
    engine = begun(text=POLICY.replace("above = 3", "above = 7"))
    records = [
        *(made(2 + n, f"T{2 + n}", currency=code) for n, code in enumerate(FURTHER)),
        made(8, "T8", segment="other", hours=2), made(9, "T9", segment="earlier", hours=1),
        made(10, "T10", currency="USD", hours=3, segment="s", direction="credit"),
    ]  # fmt: skip
    engine.observe_run(read_run([records]))
    step = engine.take_step()
    assert (step.in_python, step.transactions, step.alerts) == (Counter(), 6, [])
    engine.observe_run(read_run([[made(11, "T11", currency="CHF", hours=4)]]))
    step = engine.take_step()
    assert step.in_python == {"near-limit": 1}
    assert [alert.threshold.threshold_id for alert in step.alerts] == ["daily-count"]
    account = engine.ledger.find("A1")
    assert account is not None
    (account_day,) = account.days
    assert list(account_day.totals) == ["EUR", *FURTHER]
    assert account_day.totals["USD"][0] == account_day.totals["USD"][2] == 1
    assert account_day.segment == "s"


def copied(arrays: Table) -> Table:
    return arrays._make(array.copy() for array in arrays)


def assert_equal(array: Table, other: Table, name: str) -> None:
    """Fail unless two arrays have the same values; what lies between fields is nothing."""
    for field in array.dtype.names or [...]:
        assert np.array_equal(array[field], other[field]), (name, field)


@pytest.mark.parametrize("seed", range(3))
def test_compiled_and_plain_kernels_fill_the_same_arrays(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, written = decide.decide, plain(decide.decide)
    stops: Counter[int] = Counter()

    def both(
        arrays: Arrays, data: Bytes, rows: Table, run: RunPlaces, begin: int
    ) -> tuple[int, int]:
        others, other_run = copied(arrays), copied(run)
        with np.errstate(over="ignore"):
            said: tuple[int, int] = written(others, data, rows, other_run, begin)
        assert kernel(arrays, data, rows, run, begin) == said
        for name, array, other in zip(arrays._fields, arrays, others, strict=True):
            assert_equal(array, other, name)
        for array, other in zip(run, other_run, strict=True):
            assert_equal(array, other, "places")
        stops[said[1]] += 1
        return said

    monkeypatch.setattr(strange_stream, "HAS_GAUGES", 0.0)  # with gauges, no kernel decides
    monkeypatch.setattr(decide, "decide", both)
    assert_engines_agree(random.Random(seed), 120)  # noqa: S311 - seeded, and no secret
    assert stops.total() > 3
