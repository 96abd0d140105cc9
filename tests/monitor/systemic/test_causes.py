"""What breaching account-days have in common, who is paid strangely much, and broken feeds."""

import numpy as np
import pytest

from models.sketches.histogram import Sketch
from monitor.systemic.concentration import Breaching, Concentrated, Concentration, HotPayers
from monitor.systemic.faults import (
    CLOCK,
    DUPLICATES,
    REPLAYED,
    Rejected,
    Values,
    amounts_fault,
    jump_of,
    likely_factor,
)
from monitor.systemic.limits.counterfactual import LimitMemory
from monitor.systemic.segment_day import LimitDay

BANKS = [("institution", f"BANK{number:02d}") for number in range(20)]


def breaching(rng: np.random.Generator, account_days: int = 100, above: int = 10) -> Breaching:
    counts = rng.multinomial(account_days, np.full(len(BANKS), 1 / len(BANKS)))
    return Breaching(above, account_days, dict(zip(BANKS, counts.tolist(), strict=True)))


def learned(days: int = 20) -> tuple[Concentration, np.random.Generator]:
    rng = np.random.default_rng(1)
    concentration = Concentration()
    for _ in range(days):
        day = {"limit": {"business": breaching(rng)}}
        assert concentration.look(day) == []
        concentration.learn(day, [])
    return concentration, rng


def with_cases(before: Breaching, value: tuple[str, str], cases: int) -> Breaching:
    return before._replace(
        account_days=before.account_days + cases,
        causes={**before.causes, value: before.causes.get(value, 0) + cases},
    )


def test_an_institution_that_stands_out_among_those_that_breach_is_found() -> None:
    concentration, rng = learned()
    day = {"limit": {"business": with_cases(breaching(rng), BANKS[3], 25)}}
    (found,) = concentration.look(day)
    assert (found.type, found.value) == BANKS[3]
    assert found.lift > 3
    concentration.learn(day, [found])
    (again,) = concentration.look(day)
    assert again.lift == pytest.approx(found.lift, rel=0.1)  # it never becomes usual by itself


def test_where_the_limit_moves_its_history_begins_anew() -> None:
    concentration, rng = learned()
    day = {"limit": {"business": with_cases(breaching(rng, above=6), BANKS[3], 25)}}
    assert concentration.look(day) == []


def test_another_mix_of_segments_is_no_concentration() -> None:
    concentration = Concentration()
    card, api = ("channel", "card"), ("channel", "api")
    for _ in range(20):
        day = {"limit": {
            "current": Breaching(10, 20, {card: 18, api: 2}),
            "business": Breaching(10, 100, {card: 5, api: 95}),
        }}  # fmt: skip
        concentration.learn(day, concentration.look(day))
    week_end = {"limit": {"current": Breaching(10, 20, {card: 18, api: 2})}}
    assert concentration.look(week_end) == []


def test_hot_payers_of_one_institution_stand_out_and_a_rise_of_all_does_not() -> None:
    rng = np.random.default_rng(2)
    hot = HotPayers()
    for _ in range(10):
        day = dict(zip(BANKS, rng.poisson(1, len(BANKS)).tolist(), strict=True))
        assert hot.look(day) == []
        hot.learn(day, [])
    usual = dict.fromkeys(BANKS, 1)
    (found,) = hot.look({**usual, ("institution", "NEW"): 14})
    assert found.value == "NEW"
    assert hot.look(dict.fromkeys(BANKS, 14)) == []
    assert HotPayers(hot.dump()).look({**usual, BANKS[0]: 25}) == hot.look({**usual, BANKS[0]: 25})


def usual_rejections() -> Rejected:
    rejected = Rejected()
    for _ in range(8):
        rejected.learn({("duplicate", "B01"): 2, ("too-late", "B02"): 1, ("bad-time", ""): 3}, [])
    return rejected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ({("duplicate", "B01"): 3, ("bad-time", ""): 900}, []),
        ({("duplicate", "B01"): 200}, [(DUPLICATES, "B01")]),
        ({("future", "B02"): 150}, [(CLOCK, "B02")]),
        ({("too-late", "B02"): 150}, [(CLOCK, "B02")]),
        ({("duplicate", "B01"): 200, ("too-late", "B01"): 300}, [(REPLAYED, "B01")]),
        ({("duplicate", f"B0{n}"): 200 for n in range(5)}, [(REPLAYED, "")]),
    ],
)
def test_faults_of_a_feed(day: dict[tuple[str, str], int], expected: list[tuple[str, str]]) -> None:
    rejected = usual_rejections()
    found = rejected.look(day)
    assert [(fault.kind, fault.branch) for fault in found] == expected
    rejected.learn(day, found)
    assert [(fault.kind, fault.branch) for fault in rejected.look(day)] == expected


def spread(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.exp(rng.normal(8, 1, count)).astype(np.int64)


def sketch_of(values: np.ndarray) -> Sketch:
    sketch = Sketch()
    sketch.add(values)
    return sketch


@pytest.mark.parametrize("factor", [1, 10, 100, 1000])
def test_a_jump_of_a_part_of_the_values_is_measured(factor: int) -> None:
    rng = np.random.default_rng(4)
    now = spread(rng, 2_000)
    now[:60] *= factor
    values = [Values(sketch_of(spread(rng, 40_000)), sketch_of(now))]
    jump = jump_of(values)
    branch = Concentrated("limit", "branch", "B07", 40, 0.4, 8.0, 1e-20)
    fault = amounts_fault(branch, values)
    if factor == 1:
        assert jump == pytest.approx(0, abs=0.6)
    else:
        assert jump == pytest.approx(np.log10(factor), abs=0.15)
    assert (fault is not None) == (factor >= 100)
    if fault is not None:
        assert likely_factor(fault) == factor


@pytest.mark.parametrize("factor", [0.5, 0.6, 0.75])
def test_the_counterfactual_limit_is_the_one_before_and_the_ratio_is_right(factor: float) -> None:
    rng = np.random.default_rng(5)
    memory = LimitMemory()
    limit = 30_000
    for day in range(30):
        above = round(limit * factor) if day >= 28 else limit
        values = spread(rng, 3_000)
        limit_day = LimitDay(above, int((values > above).sum()), sketch_of(values), {})
        memory.keep(day, limit_day, range(30))
    found = memory.ask(range(28), [28, 29], lambda _: 1.0, 1.2)
    assert found is not None
    assert found.ratio == pytest.approx(factor, rel=0.05)
    assert found.limit_was_lowered
    assert not found.population_moved
    assert memory.limit_for(range(28), None) == pytest.approx(limit, rel=0.03)
    assert LimitMemory(memory.dump()).dump() == memory.dump()


def test_the_counterfactual_sees_that_it_is_the_population_that_moved() -> None:
    rng = np.random.default_rng(6)
    memory = LimitMemory()
    for day in range(29):
        values = spread(rng, 3_000) * (2 if day == 28 else 1)
        limit_day = LimitDay(30_000, int((values > 30_000).sum()), sketch_of(values), {})
        memory.keep(day, limit_day, range(29))
    found = memory.ask(range(28), [28], lambda _: 1.0, 1.2)
    assert found is not None
    assert found.population_moved
    assert not found.limit_was_lowered
