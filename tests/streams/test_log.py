"""The log: what is kept back of it, how a message is written, and from which level on."""

import asyncio
import json
import logging
import signal
import subprocess
import sys
import time

import pytest
from mode.threads import ServiceThread

from streams.log import (
    LIKES_MAX,
    REPEATED_SECONDS,
    JsonFormatter,
    PatientFilter,
    RepeatFilter,
    TextFormatter,
    is_of_use,
)

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


def test_of_an_error_of_a_client_its_traceback_is_left_out_and_of_another_library_s_it_is_not() -> (
    None
):
    error = ConnectionResetError("gone")
    lines = {}
    for name in ("kafka.net.transport", "faust.app"):
        record = said(name, "cannot %s", 0, "read")
        record.exc_info = type(error), error, None
        assert RepeatFilter().filter(record)
        lines[name] = TextFormatter().format(record).partition(": ")[2]
    assert lines == {
        "kafka.net.transport": "cannot read: ConnectionResetError('gone')",
        "faust.app": "cannot read\n  ConnectionResetError: gone",
    }


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


# -- how a message is written ---------------------------------------------------------------------

FORGED = "bad id 'A\n2026-01-05 10:00:00,000 INFO weir: all is well\x1b[2J\u2028\u202e\x7f\ud800'"


def fail(text: str) -> None:
    raise ValueError(text)


def caught(text: str) -> logging.LogRecord:
    """Return the record of an exception with a text."""
    with pytest.raises(ValueError, match="bad id") as info:
        fail(text)
    about = info.type, info.value, info.tb
    return logging.LogRecord("faust.app", logging.ERROR, "f", 1, "crashed: %s", (text,), about)


def test_a_message_is_one_line_whatever_a_record_says() -> None:
    line = TextFormatter().format(said("weir", "record: %s", 0, FORGED))
    assert line.isprintable()
    assert r"'A\n2026-01-05 10:00:00,000 INFO weir: all is well\x1b[2J\u2028" in line


def test_no_line_of_a_traceback_looks_like_a_line_of_ours() -> None:
    first, *others = TextFormatter().format(caught(FORGED)).split("\n")
    assert first.endswith(r"\ud800'")
    assert len(others) > 3
    assert all(line.startswith("  ") and line.isprintable() for line in others)
    assert any("all is well" in line for line in others)


def test_a_json_line_is_an_object_of_any_librarys_record() -> None:
    record = caught(FORGED)
    record.created = 1_767_607_200.25
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    fields = json.loads(line)
    exception = fields.pop("exception")
    assert exception.startswith("Traceback (most recent call last):\n")
    assert FORGED in exception
    assert fields == {
        "time": "2026-01-05T10:00:00.250Z",
        "level": "error",
        "logger": "faust.app",
        "message": f"crashed: {FORGED}",
    }


# -- from which level on --------------------------------------------------------------------------

PROGRAM = """
import logging, sys, warnings
from streams.log import begin_log
begin_log(*sys.argv[1:])
def say():
    for name in ("weir", "streams.x", "aiokafka", "mode.timers"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger(name).log(level, "%s %d", name, level)
say()
for line in sys.stdin:
    logging.getLogger().handlers[0].filters.clear()
    say()
    print("said", flush=True)
"""


class Said:
    """A process that logs at each level, once and then at each word it is given."""

    def __init__(self, level: str, form: str = "text") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, level, form],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def signal(self) -> None:
        self._process.send_signal(signal.SIGUSR1)

    def again(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "said\n"

    def lines(self) -> list[str]:
        return self._process.communicate(timeout=20)[1].splitlines()


def messages(lines: list[str]) -> set[str]:
    return {line.partition(": ")[2] for line in lines}


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", {"weir": 10, "streams.x": 10, "aiokafka": 20}),
        ("info", {"weir": 20, "streams.x": 30, "aiokafka": 30}),
        ("warning", {"weir": 30, "streams.x": 30, "aiokafka": 30}),
        ("error", {"weir": 40, "streams.x": 40, "aiokafka": 40}),
    ],
)
def test_a_level_says_from_where_on_which_loggers_are_written(
    level: str, expected: dict[str, int]
) -> None:
    written = {
        f"{name} {number}"
        for name, least in {**expected, "mode.timers": 40}.items()
        for number in range(least, 50, 10)
    }
    assert messages(Said(level).lines()) == written


class Late(ServiceThread):
    """A thread of Faust's that was last heard of four seconds ago, and looks once."""

    async def sleep(self, n: object, *, loop: object = None) -> None:  # noqa: ARG002 - mode's own
        self._stopped.set()

    async def _wakeup_timer_in_thread(self) -> None:
        """Wake nobody: there is no thread."""


def test_a_loop_that_woke_late_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def look() -> None:
        late = Late()
        late.last_wakeup_at = time.monotonic() - 4.0
        await late._keepalive2()
        late.thread_loop.close()

    asyncio.run(look())
    (said,) = caplog.records
    assert said.levelno == logging.ERROR
    assert not is_of_use(said)
    assert is_of_use(record("Consumer thread is gone: %s", 0.0))


def test_json_is_written_on_stderr_line_by_line() -> None:
    lines = Said("info", "json").lines()
    assert [json.loads(line)["message"] for line in lines][:2] == ["weir 20", "weir 30"]


def test_a_signal_turns_debug_on_and_another_one_off() -> None:
    said = Said("warning")
    said.again()
    said.signal()
    said.again()
    said.signal()
    said.again()
    lines = said.lines()
    assert sum("weir 10" in line for line in lines) == 1
    assert sum("weir 30" in line for line in lines) == 4
    assert "SIGUSR1: the log level is debug now" in messages(lines)
