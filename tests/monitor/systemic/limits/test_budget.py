"""Limits beside their breach budget: what is tolerated, what is told, and that it is told once."""

import json
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.sketches.histogram import Sketch
from monitor.core.alert import Status
from monitor.policy.systemic import QUIET_DAYS, SystemicSettings
from monitor.population import Population
from monitor.review.membership import explanations_of
from monitor.systemic.alert import SystemicAlert, SystemicNotice, Verdict
from monitor.systemic.detector import Systemic
from monitor.systemic.limits.budget import DAYS_LEAST, edge_of, off_budget
from monitor.systemic.segment_day import LimitDay, SegmentDay
from tests.support.laws import law
from tests.support.made_days import Limits
from tests.support.made_systemic import ACCOUNTS, days_of, keeping_to, lowered, told_by
from tests.support.systemic_samples import a_systemic_alert

MONDAY = 739_621
SHARE = 0.01
BUDGETED = SystemicSettings(breach_budget=(("*", SHARE),))


def sketch_of(values: Sequence[int]) -> Sketch:
    sketch = Sketch()
    sketch.add(np.array(values, np.int64))
    return sketch


@cache
def values_of(day: int, times: float = 1.0) -> Sketch:
    """Return a day's values of 2,000 accounts: 1 % are over 1,000 or so."""
    rng = np.random.default_rng(day)
    return sketch_of((times * 100 * np.exp(rng.normal(0, 1, 2_000))).astype(np.int64).tolist())


def segments_of(day: int, above: int, times: float = 1.0) -> dict[str | None, SegmentDay]:
    values = values_of(day, times)
    limit = LimitDay(above, values.count_above(above).most, values, {})
    return {"s": SegmentDay(day, "s", values.total, {"of-day": limit}, 0, 0, {}, {})}


def observed(systemic: Systemic, days: int, above: int, times: float = 1.0) -> list[SystemicNotice]:
    """Return what is told of so many further days."""
    first = (systemic.day or MONDAY - 1) + 1
    return [
        notice
        for day in range(first, first + days)
        for notice in systemic.observe(day, segments_of(day, above, times))
    ]


# -- laws -----------------------------------------------------------------------------------------


@law(60)
@given(
    st.lists(st.integers(1, 2_000), min_size=5, max_size=40), st.integers(14, 30),
    st.integers(1, 2_000), st.floats(0, 1),
)  # fmt: skip
@example(list(range(100, 2_000, 50)), 28, 1_000, 0.0)
@example(list(range(100, 2_000, 50)), 28, 1_000, 1.0)
def test_what_is_tolerated_is_never_told(
    values: list[int], days: int, above: int, place: float
) -> None:
    """A budget between the shares over a limit a quarter higher, and over one a quarter lower."""
    of_day = sketch_of(values * 50)
    breaches = 50 * sum(value > above for value in values)
    fewest, most = (
        of_day.count_above(edge_of(above, is_exceeded=is_up)).most for is_up in (True, False)
    )
    budget = max((fewest + place * (most - fewest)) / of_day.total, 1e-6)
    of_days = [(MONDAY + n, breaches, of_day) for n in range(days)]
    assert off_budget(of_days, above, budget) is None


@given(st.integers(0, 2**62), st.booleans())
def test_the_edge_is_a_quarter_away_or_a_step(above: int, is_exceeded: bool) -> None:  # noqa: FBT001
    edge = edge_of(above, is_exceeded=is_exceeded)
    if is_exceeded:
        assert edge > above
        assert 4 * edge >= 5 * above
        assert 4 * (edge - 1) < 5 * above or edge == above + 1
    else:
        assert 0 <= edge < max(above, 1)
        assert 5 * edge <= 4 * above


@pytest.mark.parametrize("by", [lowered, None])
def test_without_a_budget_the_other_alerts_are_the_same(by: Limits | None) -> None:
    """A budget adds its own alerts, and changes but the suggested limit of others."""
    population = Population(4_000, 46, 3, with_incidents=by is None)
    told = {}
    for settings in (SystemicSettings(), BUDGETED):
        systemic = Systemic(settings)
        days = days_of(population, by) if by else days_of(population)
        told[settings] = [n for day, segs in days for n in systemic.observe(day, dict(segs))]
    without = [n._replace(suggested_limit=None) for n in told[SystemicSettings()]]
    others = [n for n in told[BUDGETED] if "breach_budget" not in n.evidence]
    assert [n._replace(suggested_limit=None) for n in others] == without
    assert not any("breach_budget" in notice.evidence for notice in without)
    assert len(others) < len(told[BUDGETED])


@pytest.mark.parametrize("cut", [3, 13, 14, 20, 35])
def test_a_restart_changes_nothing(cut: int) -> None:
    whole, begun = Systemic(BUDGETED), Systemic(BUDGETED)
    expected = observed(whole, 40, 400)
    told = observed(begun, cut, 400)
    resumed = Systemic(BUDGETED, json.loads(json.dumps(begun.dump())))
    told += observed(resumed, 40 - cut, 400)
    assert told == expected
    assert len(expected) == 1
    assert json.dumps(resumed.dump()) == json.dumps(whole.dump())


# -- examples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", [500, 2_000])
def test_a_limit_wrong_from_its_first_day_is_told_once(above: int) -> None:
    systemic = Systemic(BUDGETED)
    (notice,) = observed(systemic, 100, above)
    assert (notice.verdict, notice.status) == (Verdict.LIMIT_MIS_SET, Status.RAISED)
    assert (notice.segment, notice.threshold_id) == ("s", "of-day")
    assert notice.suggested_limit == pytest.approx(1_000, rel=0.1)
    assert notice.limit_ratio == pytest.approx(above / 1_000, rel=0.1)
    said = notice.evidence
    assert said["breach_budget"] == SHARE
    assert said["days_counted"] == DAYS_LEAST
    assert said["account_days"] == 2_000 * DAYS_LEAST
    assert (said["share"] > SHARE) is (above < 1_000)  # type: ignore[operator]  # a number
    assert notice.decided_by == ("budget_probability", said["probability"])
    assert notice.business_day >= MONDAY + DAYS_LEAST - 1


def test_a_right_limit_is_not_told_and_without_a_budget_no_limit_is() -> None:
    assert observed(Systemic(BUDGETED), 200, 1_000) == []
    assert observed(Systemic(SystemicSettings()), 60, 500) == []
    of_another = SystemicSettings(breach_budget=(("t", SHARE),))
    assert observed(Systemic(of_another), 60, 500) == []


def test_it_is_told_again_if_the_limit_changes_and_is_still_wrong() -> None:
    systemic = Systemic(BUDGETED)
    (first,) = observed(systemic, 40, 2_000)
    (second,) = observed(systemic, 60, 2_100)
    assert first.systemic_id != second.systemic_id
    assert second.business_day >= MONDAY + 40 + DAYS_LEAST - 1
    assert second.limit_ratio == pytest.approx(2.1, rel=0.1)
    observed(systemic, 40, 1_000)
    (third,) = observed(systemic, 60, 2_100)
    assert third.revision == 1


def test_it_is_told_again_if_the_budget_changes() -> None:
    systemic = Systemic(BUDGETED)
    assert len(observed(systemic, 40, 2_000)) == 1
    systemic.settings = SystemicSettings(breach_budget=(("*", 0.03),))
    (again,) = observed(systemic, 10, 2_000)
    assert again.evidence["breach_budget"] == 0.03


def test_it_explains_no_account_alert_and_closes_after_quiet_days() -> None:
    systemic = Systemic(BUDGETED)
    (notice,) = observed(systemic, 30, 500)[-1:]
    assert (notice.grouped, notice.members) == (0, ())
    alert = a_systemic_alert()
    fields = SystemicAlert(notice, alert.severity, alert.threshold, 1, alert.event_time).fields()
    assert list(explanations_of(fields)) == []
    assert systemic.open_notices == []
    fresh = Systemic(BUDGETED)
    told = observed(fresh, notice.business_day - MONDAY + 1, 500)
    assert [notice.systemic_id for notice in fresh.open_notices] == [told[-1].systemic_id]
    observed(fresh, QUIET_DAYS, 500)
    assert len(fresh.open_notices) == 1
    observed(fresh, 1, 500)
    assert fresh.open_notices == []


def test_days_that_alarmed_do_not_count() -> None:
    """A limit that is right stays so, where the accounts pay three times as much for a week."""
    systemic = Systemic(BUDGETED)
    observed(systemic, 40, 1_000)
    told = observed(systemic, 7, 1_000, 3.0) + observed(systemic, 40, 1_000)
    assert told
    assert not any("breach_budget" in notice.evidence for notice in told)


def test_state_from_before_there_were_budgets_is_read() -> None:
    systemic = Systemic(SystemicSettings())
    observed(systemic, 20, 500)
    state = systemic.dump()
    assert state.pop("budgets") == []
    resumed = Systemic(BUDGETED, json.loads(json.dumps(state)))
    (notice,) = observed(resumed, 5, 500)
    assert notice.business_day == MONDAY + 20


def test_no_limit_is_suggested_by_few_account_days() -> None:
    """Of ten that the budget allows, none is so far out that it is known."""
    few = [(MONDAY + n, 5, sketch_of([10] * 45 + [5_000] * 5)) for n in range(14)]
    found = off_budget(few, 1_000, 0.01)
    assert found is not None
    assert (found.suggested, found.ratio) == (None, None)
    nothing = [(MONDAY + n, 0, sketch_of([0] * 50)) for n in range(14)]
    assert off_budget(nothing, 1_000, 0.01) is None


# -- the bars -------------------------------------------------------------------------------------

KNOWN_WELL = ("student", "current", "business")
"""Savings have some 100 account-days a day: one is over the limit, which is too few to tell by."""


@pytest.mark.slow
def test_limits_x_a_half_and_x_two_of_ten_seeds_and_right_ones() -> None:
    """The right limit is the population's own; or that of others, which nobody is told of."""
    of_others = keeping_to(SHARE, days_of(Population(ACCOUNTS, 35, 9_000)))
    found = {(name, factor): 0 for name in KNOWN_WELL for factor in (0.5, 2.0)}
    for seed in range(400, 410):
        days = days_of.__wrapped__(Population(ACCOUNTS, 60, seed))
        assert off_budgets(told_by(BUDGETED, days, of_others, 1.0)) == []
        right = keeping_to(SHARE, days[:30])
        for factor in (0.5, 2.0):
            off = off_budgets(told_by(BUDGETED, days[:30], right, factor))
            for name in KNOWN_WELL:
                found[name, factor] += ("daily-amount", name) in {
                    (notice.threshold_id, notice.segment) for notice in off
                }
    assert min(found.values()) >= 9, found


def off_budgets(told: list[SystemicNotice]) -> list[SystemicNotice]:
    return [notice for notice in told if "breach_budget" in notice.evidence]
