"""What docs/capacity.md says of the model: its errors, and what standbys would save."""

import re

import pytest

from streams.lab.capacity.costs import FULL, LIMITS, Costs
from streams.lab.capacity.plan import Surroundings, plan_of
from streams.lab.capacity.rebalance import RecoveryNeeds, WorkerGroup, WorkerLoss, simulate
from streams.lab.capacity.sizing import DAY_SECONDS, Target
from tests.support.documents import DOCS, tables

PARTITIONS = 4
ROWS = tables(DOCS / "capacity.md", "measurement")

DRILL = WorkerLoss(session_seconds=3, heartbeat_seconds=0.75, restart_seconds=0.0)
START = WorkerLoss(0, 0, restart_seconds=0.0, is_graceful=True)
"""A worker that begins alone, with state of another one that has left."""


def needs(costs: Costs, accounts: int, changelog_bytes: int, session: float) -> RecoveryNeeds:
    """Return what a takeover needs at the embedded broker, which waits for half of a session."""
    rebuild_us = costs.rebuild_account_us + costs.rebuild_transaction_us
    return RecoveryNeeds(
        record_seconds=costs.transaction_us / 1e6,
        read_bytes=changelog_bytes / PARTITIONS,
        read_seconds_a_byte=costs.read_ns_a_byte / 1e9,
        bandwidth=1e12,
        rebuild_seconds=accounts * rebuild_us / 1e6 / PARTITIONS,
        start_seconds=costs.start_seconds,
        join_seconds=costs.join_seconds + session / 2,
        flush_seconds=1.0,
    )


@pytest.mark.parametrize(
    ("row", "workers", "needs", "loss", "measured"),
    [
        (0, 1, needs(LIMITS, 5000, 5_000_000, 3), DRILL, 11.9),
        (1, 2, needs(LIMITS, 5000, 5_000_000, 3), DRILL, 18.4),
        (2, 1, needs(LIMITS, 1_000_000, 271_062_203, 6), START, 29.1),
        (3, 1, needs(LIMITS, 4000, 331_484, 6), START, 14.8),
        (4, 1, needs(FULL, 300_000, 182_954_660, 6), START, 47.0),
    ],
    ids=["drill", "drill of two", "recovery", "small recovery", "full recovery"],
)
def test_the_page_states_what_the_model_says_and_by_how_much_it_errs(
    row: int, workers: int, needs: RecoveryNeeds, loss: WorkerLoss, measured: float
) -> None:
    _, stated, of_model, error = ROWS[row]
    assert f"{measured} s" in stated
    seconds = [
        simulate(WorkerGroup(workers, PARTITIONS, 500), needs, loss, seed).deciding_seconds
        for seed in range(20)
    ]
    said = [float(found) for found in re.findall(r"[0-9.]+", of_model)]
    assert min(said) == pytest.approx(min(seconds), abs=0.06)
    assert max(said) == pytest.approx(max(seconds), abs=0.06)
    middle = (min(said) + max(said)) / 2
    assert float(error.split()[0]) == pytest.approx(100 * (middle / measured - 1), abs=1.5)


@pytest.mark.parametrize(("row", "segment_bytes"), [(0, 1.074e9), (1, 64e6)])
def test_the_page_states_what_standbys_and_segments_save(row: int, segment_bytes: float) -> None:
    rate = 20_000.0
    target = Target(rate, 10_000_000, rate * DAY_SECONDS / 4, worker_bytes=8e9)
    losses = plan_of(LIMITS, target, Surroundings(segment_bytes=segment_bytes)).losses
    names = (
        "killed, not replaced",
        "killed, not replaced, standbys",
        "killed, replaced at once",
    )
    said = [
        "never" if (outcome := losses[name]) is None else f"{outcome.deciding_seconds:.0f} s"
        for name in names
    ]
    assert tables(DOCS / "capacity.md", "`segment.bytes`")[row][1:] == said
