"""The log of a worker: its own lines always, all others by how much they matter."""

import json
import logging
import re
import signal
import threading
from datetime import UTC, datetime
from itertools import cycle
from types import TracebackType
from typing import Final, NamedTuple

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

SAYS: Final = "weir"
"""The logger of the few lines that every worker writes: what it is, and what it works on."""

COORDINATOR: Final = "aiokafka.consumer.group_coordinator"
_NOT_THERE_YET: Final = "Group Coordinator Request failed"
PATIENCE_SECONDS: Final = 10.0
"""A broker that was just started makes its groups' topic first; aiokafka asks again meanwhile."""

QUIET_SECONDS: Final = 60.0
"""After so long without one, a failure is the first of a new row."""


class PatientFilter(logging.Filter):
    """Keeps back that a group's coordinator is not there yet, until it goes on for long.

    aiokafka logs each try as an error, also on a start at which all is well.
    """

    def __init__(self) -> None:
        super().__init__()
        self._first_at: float | None = None
        self._last_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written."""
        if not str(record.msg).startswith(_NOT_THERE_YET):
            return True
        if self._first_at is None or record.created - self._last_at > QUIET_SECONDS:
            self._first_at = record.created
        self._last_at = record.created
        return record.created - self._first_at >= PATIENCE_SECONDS


CLIENTS: Final = ("aiokafka", "kafka")
"""What they raise is an outage's as a rule: the error is written, and not where it was raised."""

OWN: Final = ("weir", "streams", "monitor", "models")
REPEATED_SECONDS: Final = 10.0
"""A library's message is written once in so many seconds, and then with how many were not."""

LIKES_MAX: Final = 500
"""Messages that are told apart; with more, all are forgotten and written again."""


class _Like(NamedTuple):
    written_at: float
    held_back: int


class RepeatFilter(logging.Filter):
    """Keeps back what a library says again and again, as clients do while a broker is away.

    Without it they write some hundred lines a second. What is kept back is counted in the next line
    that is written. Our own lines are never kept back.
    """

    def __init__(self) -> None:
        super().__init__()
        self._likes: dict[tuple[str, int, str], _Like] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written; it may say how many were not."""
        if record.name.partition(".")[0] in OWN:
            return True
        key = record.name, record.levelno, re.sub(r"[0-9]+", "0", str(record.msg))
        like = self._likes.get(key)
        if like is not None and record.created - like.written_at < REPEATED_SECONDS:
            self._likes[key] = like._replace(held_back=like.held_back + 1)
            return False
        if like is None and len(self._likes) >= LIKES_MAX:
            self._likes.clear()
        if record.exc_info and record.name.partition(".")[0] in CLIENTS:
            record.msg = f"{record.getMessage()}: {record.exc_info[1]!r}"
            record.args = record.exc_info = record.exc_text = None
        if like is not None and like.held_back:
            record.msg = f"{record.getMessage()} (and {like.held_back} more like it before)"
            record.args = None
        self._likes[key] = _Like(record.created, 0)
        return True


def escaped(text: str) -> str:
    r"""Return text with an escape for each character that would move a cursor or end a line.

    What a record says may be in it, and nobody may write lines of ours.

    >>> print(escaped("cafe\n2026 INFO weir: all is well\x1b[2J"))
    cafe\n2026 INFO weir: all is well\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


class TextFormatter(logging.Formatter):
    """A line for each record; those of a traceback are indented, so that none looks like one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own
        """Return the line of a record."""
        record.message = escaped(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - logging's own
        """Return the lines of a traceback."""
        return "\n".join(f"  {escaped(line)}" for line in super().formatException(ei).split("\n"))


class JsonFormatter(logging.Formatter):
    """A JSON object for each record, in ASCII on one line: of libraries' records, too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


FORMATS: Final = {"text": TextFormatter, "json": JsonFormatter}

NOISE: Final = "mode.timers"
"""Faust's timers warn of each delay, as of a large batch: nobody can do anything about it."""

_LATE: Final = "Thread keepalive is not responding"


def is_of_use(record: logging.LogRecord) -> bool:
    """Return whether a record says more than that a loop of Faust's woke three seconds late.

    That is an error for Faust, and blames a thread: of a busy machine, where all goes on. A worker
    that does not get on is ended by `streams.worker.liveness`, with a reason.
    """
    return _LATE not in str(record.msg)


OF_FAUST: Final = ("streams.worker.app", "streams.worker.transport")
"""Modules of ours whose loggers Faust writes to, as it extends classes there."""


class LogLevels(NamedTuple):
    """Whose records are written from which level on."""

    says: int
    own: int
    others: int


LEVELS: Final = {
    "debug": LogLevels(logging.DEBUG, logging.DEBUG, logging.INFO),
    "info": LogLevels(logging.INFO, logging.WARNING, logging.WARNING),
    "warning": LogLevels(logging.WARNING, logging.WARNING, logging.WARNING),
    "error": LogLevels(logging.ERROR, logging.ERROR, logging.ERROR),
}
"""Libraries are never at debug: aiokafka would write what records say."""


def begin_log(level: str, form: str) -> None:
    """Write to stderr, by a level and a form of those above; SIGUSR1 turns debug on and off.

    What a library repeats is kept back and counted.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[form]())
    handler.addFilter(is_of_use)
    handler.addFilter(RepeatFilter())
    logging.basicConfig(handlers=[handler])
    logging.captureWarnings(capture=True)
    logging.getLogger(COORDINATOR).addFilter(PatientFilter())
    logging.getLogger(NOISE).setLevel(logging.ERROR)
    _set_levels(level)
    _toggle_debug_by_signal(level)


def writes_json() -> bool:
    """Return whether the log is JSON."""
    return any(isinstance(each.formatter, JsonFormatter) for each in logging.getLogger().handlers)


def _set_levels(level: str) -> None:
    says, own, others = LEVELS[level]
    logging.getLogger().setLevel(others)
    for name in OWN:
        logging.getLogger(name).setLevel(says if name == SAYS else own)
    for name in OF_FAUST:
        logging.getLogger(name).setLevel(others)


def _toggle_debug_by_signal(level: str) -> None:
    levels = cycle(("debug", "info" if level == "debug" else level))

    def toggle(*_: object) -> None:
        chosen = next(levels)
        _set_levels(chosen)
        # In a thread: the signal may have come while the main one writes a line.
        text = "SIGUSR1: the log level is %s now"
        threading.Thread(target=logging.getLogger(SAYS).info, args=(text, chosen)).start()

    if threading.current_thread() is threading.main_thread():
        if level == "debug":
            next(levels)
        signal.signal(signal.SIGUSR1, toggle)
