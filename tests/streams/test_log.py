"""What a worker's log keeps back: what a healthy start has, and no more of it."""

import logging

import pytest

from streams.log import PatientFilter

FAILED = "Group Coordinator Request failed: %s"


def record(message: str, at: float) -> logging.LogRecord:
    made = logging.LogRecord("x", logging.ERROR, "f", 1, message, ("[Error 15]",), None)
    made.created = at
    return made


@pytest.mark.parametrize(
    ("moments", "written"),
    [
        ([0, 0.1, 1, 9.9], []),
        ([0, 5, 10, 11], [10, 11]),
        ([0, 5, 100, 105], []),  # another broker's restart
        ([0, 30, 80], [30, 80]),
    ],
)
def test_a_coordinator_that_is_not_there_yet_is_kept_back_for_a_while(
    moments: list[float], written: list[float]
) -> None:
    patient = PatientFilter()
    assert [at for at in moments if patient.filter(record(FAILED, at))] == written


def test_any_other_error_is_written_at_once() -> None:
    assert PatientFilter().filter(record("Heartbeat failed: %s", 0))
