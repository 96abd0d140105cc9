"""The whole detection: laws of its state, one made run, and the bars over many (slow)."""

import json

import pytest

from monitor.policy.systemic import SystemicSettings
from monitor.population import Population
from monitor.population.incidents import (
    DATA_FAULT_BRANCH,
    DATA_FAULT_DAYS,
    FUND_RAISING_DAYS,
    FUND_RAISING_INSTITUTION,
    SHIFT_DAY_FIRST,
)
from monitor.systemic.alert import SystemicNotice, Verdict
from monitor.systemic.detector import Systemic
from tests.support.made_systemic import (
    ACCOUNTS,
    FALSE,
    LIMIT_DAY,
    Told,
    days_of,
    limits,
    lowered,
    told_of,
)

SMALL = Population(6_000, 46, 3, with_incidents=True)
INSTITUTION = f"BANK{FUND_RAISING_INSTITUTION:02d}"
BRANCH = f"B{DATA_FAULT_BRANCH:02d}"


def observed(systemic: Systemic, first: int = 0, last: int | None = None) -> list[SystemicNotice]:
    days = days_of(SMALL)[first:last]
    return [notice for day, segments in days for notice in systemic.observe(day, dict(segments))]


# -- laws -----------------------------------------------------------------------------------------


STATED = SystemicSettings(breach_budget=(("*", 0.002),), pay_days=(-1, 0, 1, 25))


@pytest.mark.parametrize(
    ("cut", "settings"), [(9, SystemicSettings()), (26, STATED), (43, SystemicSettings())]
)
def test_what_was_dumped_as_json_goes_on_alike(cut: int, settings: SystemicSettings) -> None:
    whole, begun = Systemic(settings), Systemic(settings)
    expected = observed(whole)
    told = observed(begun, last=cut)
    resumed = Systemic(settings, json.loads(json.dumps(begun.dump())))
    assert resumed.dump() == begun.dump()
    told += observed(resumed, first=cut)
    assert told == expected
    assert json.dumps(resumed.dump()) == json.dumps(whole.dump())
    assert expected


def test_the_order_of_the_segments_is_nothing() -> None:
    expected = observed(Systemic(SystemicSettings()))
    systemic = Systemic(SystemicSettings())
    told = [
        notice
        for day, segments in days_of(SMALL)
        for notice in systemic.observe(day, dict(reversed(segments.items())))
    ]
    assert told == expected


def test_observing_changes_no_segment_day() -> None:
    day, segments = days_of(SMALL)[0]
    before = {
        name: (segment_day.account_days, segment_day.limits["daily-amount"].values.total)
        for name, segment_day in segments.items()
    }
    systemic = Systemic(SystemicSettings())
    systemic.observe(day, dict(segments))
    assert before == {
        name: (segment_day.account_days, segment_day.limits["daily-amount"].values.total)
        for name, segment_day in segments.items()
    }


def test_a_day_is_observed_once_and_in_order() -> None:
    (day, segments), *_ = days_of(SMALL)
    systemic = Systemic(SystemicSettings())
    systemic.observe(day, dict(segments))
    with pytest.raises(ValueError, match="is not after"):
        systemic.observe(day, dict(segments))
    with pytest.raises(ValueError, match="is not of business day"):
        systemic.observe(day + 1, dict(segments))


def test_ids_are_one_an_incident_and_revisions_count() -> None:
    revisions: dict[str, list[int]] = {}
    for notice in observed(Systemic(SystemicSettings())):
        revisions.setdefault(notice.systemic_id, []).append(notice.revision)
        assert notice.business_day == notice.days[-1]
        assert notice.days == tuple(sorted(set(notice.days)))
        assert notice.grouped >= 0
    assert all(
        revisions_of_alert == list(range(1, len(revisions_of_alert) + 1))
        for revisions_of_alert in revisions.values()
    )
    assert max(map(len, revisions.values())) >= 5


def test_an_incident_is_open_while_it_alarms_within_three_days() -> None:
    systemic = Systemic(SystemicSettings())
    last = FUND_RAISING_DAYS[-1]
    observed(systemic, last=last + 4)
    assert any(
        notice.cause and notice.cause.value == INSTITUTION for notice in systemic.open_notices
    )
    observed(systemic, first=last + 4, last=last + 5)
    assert not any(
        notice.cause and notice.cause.value == INSTITUTION for notice in systemic.open_notices
    )


def test_a_budget_sets_the_suggested_limit() -> None:
    population = Population(4_000, LIMIT_DAY + 4, 5)
    suggested = []
    for settings in (SystemicSettings(), SystemicSettings(breach_budget=(("*", 0.002),))):
        systemic = Systemic(settings)
        notices = [
            notice
            for day, segments in days_of(population, lowered)
            for notice in systemic.observe(day, dict(segments))
            if notice.verdict == Verdict.LIMIT_MIS_SET
        ]
        assert notices[0].suggested_limit is not None
        suggested.append(notices[0].suggested_limit)
    assert suggested[0] == pytest.approx(2_000_00, rel=0.03)
    assert suggested[1] > 1.5 * suggested[0]


# -- the bars -------------------------------------------------------------------------------------


def finds_the_fund_raising(told: list[Told]) -> bool:
    return any(
        report.day == FUND_RAISING_DAYS[0]
        and report.notice.verdict == Verdict.EXTERNAL_CAUSE
        and report.notice.cause is not None
        and report.notice.cause[:2] == ("institution", INSTITUTION)
        for report in told
    )


def finds_the_data_fault(told: list[Told]) -> bool:
    return any(
        report.day == DATA_FAULT_DAYS[0]
        and report.notice.verdict == Verdict.DATA_FAULT
        and report.notice.cause is not None
        and report.notice.cause[:2] == ("branch", BRANCH)
        for report in told
    )


def finds_the_shift(told: list[Told]) -> bool:
    return any(
        report.day >= SHIFT_DAY_FIRST and report.notice.verdict == Verdict.POPULATION_SHIFT
        for report in told
    )


def finds_the_limit(told: list[Told]) -> bool:
    news = [
        report.notice
        for report in told
        if LIMIT_DAY <= report.day <= LIMIT_DAY + 2
        and (report.notice.segment, report.notice.threshold_id) == ("current", "daily-amount")
    ]
    return (
        bool(news)
        and news[0].verdict == Verdict.LIMIT_MIS_SET
        and news[0].limit_ratio == pytest.approx(0.6, rel=0.1)
        and news[0].suggested_limit == pytest.approx(2_000_00, rel=0.1)
    )


def false_of(told: list[Told]) -> list[Told]:
    return [report for report in told if report.notice.verdict in FALSE]


def test_one_made_run_has_its_incidents_and_no_others() -> None:
    told = told_of(Population(5_000, 50, 11, with_incidents=True))
    assert finds_the_fund_raising(told)
    assert finds_the_data_fault(told)
    assert finds_the_shift(told)
    causes = {
        report.notice.cause.value for report in false_of(told) if report.notice.cause is not None
    }
    assert causes == {INSTITUTION, BRANCH}


def test_one_run_without_incidents_has_no_cause_and_no_mis_set_limit() -> None:
    assert false_of(told_of(Population(5_000, 60, 12))) == []


def test_one_lowered_limit_is_called_mis_set() -> None:
    assert finds_the_limit(told_of(Population(5_000, LIMIT_DAY + 3, 13), lowered))


@pytest.mark.slow
def test_incidents_of_ten_seeds() -> None:
    runs = [told_of(Population(ACCOUNTS, 50, 100 + n, with_incidents=True)) for n in range(10)]
    assert sum(map(finds_the_fund_raising, runs)) >= 9
    assert sum(map(finds_the_data_fault, runs)) >= 9
    assert sum(map(finds_the_shift, runs)) >= 9
    others = {
        report.notice.cause.value
        for told in runs
        for report in false_of(told)
        if report.notice.cause is not None
    } - {INSTITUTION, BRANCH}
    assert others == set()


@pytest.mark.slow
def test_lowered_limits_of_ten_seeds() -> None:
    runs = [told_of(Population(ACCOUNTS, LIMIT_DAY + 3, 200 + n), lowered) for n in range(10)]
    assert sum(map(finds_the_limit, runs)) >= 9


@pytest.mark.slow
def test_no_cause_and_no_mis_set_limit_in_400_days_of_nothing() -> None:
    days = 60
    seeds = range(300, 310)
    found = [false_of(told_of(Population(ACCOUNTS, days, seed), limits)) for seed in seeds]
    assert len(seeds) * (days - 14) >= 400
    assert found == [[]] * len(seeds)
