"""Whole runs of the detection over a made population."""

from functools import cache
from typing import NamedTuple

from monitor.policy.systemic import SystemicSettings
from monitor.population import Population
from monitor.systemic.alert import SystemicNotice, Verdict
from monitor.systemic.detector import Systemic
from tests.support.made_days import SEGMENT_NAMES, Limit, Limits, OfSegments, SegmentDays

ACCOUNTS = 10_000
LIMIT_DAY = 35
"""The day of the run from which `lowered` limits are in force."""

FALSE = {Verdict.EXTERNAL_CAUSE, Verdict.LIMIT_MIS_SET, Verdict.DATA_FAULT}


class Told(NamedTuple):
    day: int
    notice: SystemicNotice


def limits(number: int) -> dict[str, list[Limit]]:
    """Return the limits of the default policy, which are the same on every day."""
    del number
    return {
        name: [
            Limit("daily-amount", 50_000_00 if name == "business" else 2_000_00),
            Limit("daily-count", 40 if name == "business" else 15, is_count=True),
        ]
        for name in SEGMENT_NAMES
    }


def lowered(number: int) -> dict[str, list[Limit]]:
    """Return the same, but that of the current accounts' amounts x0.6 from a day on."""
    made = limits(number)
    if number >= LIMIT_DAY:
        first, *rest = made["current"]
        made["current"] = [first._replace(above=first.above * 6 // 10), *rest]
    return made


@cache
def days_of(population: Population, by: Limits = limits) -> list[tuple[int, OfSegments]]:
    return list(SegmentDays(population, by).days())


def told_of(population: Population, by: Limits = limits) -> list[Told]:
    """Return all notices of a run, each with the day of the run, from 0."""
    systemic = Systemic(SystemicSettings())
    first = population.start.toordinal()
    return [
        Told(day - first, notice)
        for day, segments in SegmentDays(population, by).days()
        for notice in systemic.observe(day, dict(segments))
    ]
