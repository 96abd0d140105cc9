"""The plan of a deployment: its size, and the loss of a worker with and without remedies."""

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Final, NamedTuple

from streams.lab.capacity.costs import CapacityError, Costs
from streams.lab.capacity.rebalance import RebalanceOutcome, WorkerGroup, WorkerLoss, worst_of
from streams.lab.capacity.sizing import (
    DAY_SECONDS,
    Sizing,
    Target,
    bears_a_loss,
    recovery_needs,
    size_of,
)
from streams.settings import Settings

MB: Final = 1e6
SEGMENT_BYTES_MAX: Final = (1 << 31) - 1
"""The greatest segment.bytes that Kafka takes."""

ROUNDING: Final = 1 + 1e-9

SEEDS: Final = 5
"""Losses of each sort, with heartbeats of their own; the greatest of each figure counts."""


class Surroundings(NamedTuple):
    """What is around the workers.

    Seconds of the group's settings, bytes a second that the brokers send to all workers together,
    and `segment.bytes` of the changelog (Kafka's default is 1 GiB).
    """

    session_seconds: float = 10.0
    heartbeat_seconds: float = 3.0
    bandwidth: float = 1e9
    segment_bytes: float = 1.074e9


class Plan(NamedTuple):
    """A sizing, and the outcome of each loss by its name; None if the others cannot bear it."""

    target: Target
    around: Surroundings
    sizing: Sizing
    losses: dict[str, RebalanceOutcome | None]
    standby_bytes: float  # of memory more, for one standby of each partition
    standby_cores: float  # busy more, to follow the changelog


def losses_of(around: Surroundings) -> dict[str, WorkerLoss]:
    """Return the losses of a worker that a plan shows, by their names."""
    plain = WorkerLoss(around.session_seconds, around.heartbeat_seconds)
    replaced = plain._replace(restart_seconds=0.0)
    rolled = replaced._replace(is_graceful=True)
    return {
        "killed, not replaced": plain,
        "killed, not replaced, standbys": plain._replace(has_standby=True),
        "killed, replaced at once": replaced,
        "killed, replaced at once, standbys": replaced._replace(has_standby=True),
        "killed, replaced at once, static": replaced._replace(is_static=True),
        "rolled": rolled,
        "rolled, static": rolled._replace(is_static=True),
    }


def _problems(target: Target, around: Surroundings) -> Iterator[str]:
    """Yield what no cluster and no worker can have."""
    if not 0 < around.bandwidth < math.inf:
        yield f"bandwidth must be greater than 0 MB a second, not {around.bandwidth / MB:g}"
    if not 0 <= around.segment_bytes <= SEGMENT_BYTES_MAX:
        yield (
            f"segment.bytes must be from 0 to {SEGMENT_BYTES_MAX / MB:,.0f} MB, not"
            f" {around.segment_bytes / MB:,g}"
        )
    bad = [
        problem
        for name, words, text in (
            ("session_timeout_seconds", "session timeout", f"{around.session_seconds:.6f}"),
            ("heartbeat_seconds", "heartbeat", f"{around.heartbeat_seconds:.6f}"),
            ("replication", "copies", str(target.replicas)),
        )
        if (problem := _problem_of_setting(name, words, text))
    ]
    yield from bad
    if not bad and 2 * around.heartbeat_seconds > around.session_seconds:
        yield (
            f"heartbeat must be at most half of the session timeout, {around.session_seconds:g} s,"
            f" as a worker requires; not {around.heartbeat_seconds:g} s"
        )
    a_day, most = target.transactions_a_day, target.per_second * DAY_SECONDS
    if a_day is not None and most * ROUNDING < a_day < math.inf:
        yield (
            f"{target.per_second:,.9g} transactions a second make {most:,.0f} a day at most, not"
            f" {a_day:,.0f}: give the greatest rate of the day"
        )


def _problem_of_setting(name: str, words: str, text: str) -> str:
    """Return why a worker would refuse a setting; empty if it would not."""
    (setting,) = (field for field in fields(Settings) if field.name == name)
    try:
        setting.metadata["parse"](text)
    except ValueError as error:
        shown = f"{float(text):g}"
        return f"{words} must {error}, not {shown}"
    return ""


def plan_of(costs: Costs, target: Target, around: Surroundings, seed: int = 1) -> Plan:
    """Return the plan of a target. Raises CapacityError if it cannot be, or cannot be met."""
    if problems := [*_problems(target, around)]:
        raise CapacityError("; ".join(problems))
    sizing = size_of(costs, target, around.segment_bytes)
    group = WorkerGroup(sizing.workers, sizing.partitions, target.per_second)
    needs = recovery_needs(costs, target, sizing, around.bandwidth)
    is_borne = bears_a_loss(costs, target, sizing)
    losses = {
        name: worst_of(group, needs, loss, SEEDS, seed)
        if is_borne or loss.restart_seconds is not None
        else None
        for name, loss in losses_of(around).items()
    }
    following = sizing.changelog_bytes_per_second * costs.read_ns_a_byte / 1e9
    return Plan(target, around, sizing, losses, sizing.state_bytes, following)
