"""Whole runs of the detection over a made population."""

import math
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from models.sketches.histogram import Sketch
from monitor.policy.systemic import SystemicSettings
from monitor.population import Population
from monitor.systemic.alert import SystemicNotice, Verdict
from monitor.systemic.detector import Systemic
from monitor.systemic.segment_day import LimitDay, measured
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


Above = dict[tuple[str | None, str], int]
"""Limits by segment and id."""


def keeping_to(share: float, days: Iterable[tuple[int, OfSegments]]) -> Above:
    """Return the limits that so great a share of some days' account-days is over."""
    values: dict[tuple[str | None, str], Sketch] = {}
    for _, segments in days:
        for segment, segment_day in segments.items():
            for name, limit in segment_day.limits.items():
                values.setdefault((segment, name), Sketch()).merge(limit.values)
    return {
        about: sketch.limit_for(math.floor(share * measured(sketch)))
        for about, sketch in values.items()
    }


def told_by(
    settings: SystemicSettings, days: Iterable[tuple[int, OfSegments]], above: Above, factor: float
) -> list[SystemicNotice]:
    """Return what is told of days under other limits than theirs, so many times `above`.

    Account-days over them are counted by the values; of what they have in common nothing is known.
    """
    systemic = Systemic(settings)
    told: list[SystemicNotice] = []
    for day, segments in days:
        under: OfSegments = {}
        for segment, segment_day in segments.items():
            limits = {
                name: LimitDay(
                    limit := int(above[segment, name] * factor),
                    round(limit_day.values.count_above(limit).likely), limit_day.values, {},
                )
                for name, limit_day in segment_day.limits.items()
            }  # fmt: skip
            under[segment] = segment_day._replace(limits=limits)
        told += systemic.observe(day, under)
    return told
