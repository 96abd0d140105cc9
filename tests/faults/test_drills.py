"""Every kind of failure that `weir drill` knows costs nothing; an accepted loss is counted."""

import json
from typing import Any

import pytest

from streams.lab.drills.kinds import KINDS
from tests.support.rigs import command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHORT = ("--times", "1", "--transactions", "15000", "--json")


def drilled(status: int, *options: str) -> dict[str, Any]:
    done = command("drill", *SHORT, *options)
    assert done.returncode == status, done.stdout + done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    assert figures["account_days"] > 3_000
    assert figures["alerts"] > 50
    assert 0 < figures["recovery_seconds"] <= figures["recovery_seconds_max"]
    assert figures["standstill_seconds_max"] > 0
    return figures


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_loses_doubles_and_falsifies_nothing(kind: str) -> None:
    figures = drilled(0, "--kind", kind)
    assert figures["kind"] == kind
    assert (figures["lost"], figures["doubled"], figures["wrong"]) == (0, 0, 0)


def test_a_loss_of_state_that_is_accepted_is_counted_and_fails() -> None:
    figures = drilled(1, "--kind", "changelog-lost", "--accept-state-loss")
    assert figures["lost"] > 1_000
    assert figures["doubled"] == 0
