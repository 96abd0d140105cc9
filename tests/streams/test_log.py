"""What a worker's log keeps back: what a healthy start has, and no more of it."""

import logging

import pytest

from streams.log import LIKES_MAX, REPEATED_SECONDS, PatientFilter, RepeatFilter

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


def said(name: str, message: str, at: float, *args: object) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.ERROR, "f", 1, message, args, None)
    made.created = at
    return made


def test_what_a_library_repeats_is_written_now_and_then_and_all_of_it_is_counted() -> None:
    repeat = RepeatFilter()
    written = [
        line.getMessage()
        for tenth in range(10 * 25)
        if repeat.filter(line := said("aiokafka", "no node %s at 10.0.0.%d", tenth / 10, "a", 7))
    ]
    assert written == [
        "no node a at 10.0.0.7",
        "no node a at 10.0.0.7 (and 99 more like it before)",
        "no node a at 10.0.0.7 (and 99 more like it before)",
    ]


def test_other_messages_and_our_own_are_never_kept_back() -> None:
    repeat = RepeatFilter()
    for at in range(3):
        assert repeat.filter(said("streams.archive.archive", "the archive waits", at))
        assert repeat.filter(said("weir", "partitions of t: 1", at))
    assert repeat.filter(said("kafka.conn", "closed", 0))
    assert repeat.filter(said("kafka.client", "closed", 0))
    assert repeat.filter(said("kafka.conn", "refused", 0))
    assert not repeat.filter(said("kafka.conn", "closed", REPEATED_SECONDS - 1))
    assert repeat.filter(said("kafka.conn", "closed", REPEATED_SECONDS))


def test_messages_without_end_take_no_memory_without_end() -> None:
    repeat = RepeatFilter()
    for number in range(3 * LIKES_MAX):
        assert repeat.filter(said(f"kafka.{number}", "odd", 0))
    assert len(repeat._likes) <= LIKES_MAX
