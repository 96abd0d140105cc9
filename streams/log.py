"""The log of a worker: its own lines always, all others by how much they matter."""

import logging
import re
from typing import Final, NamedTuple

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
        if like is not None and like.held_back:
            record.msg = f"{record.getMessage()} (and {like.held_back} more like it before)"
            record.args = None
        self._likes[key] = _Like(record.created, 0)
        return True


def begin_log(*, verbose: bool) -> None:
    """Write to stderr: warnings and `SAYS`; with `verbose` all that our own packages say.

    Without it, what a library repeats is kept back and counted.
    """
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger(SAYS).setLevel(logging.INFO)
    for name in ("streams", "monitor"):
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger(COORDINATOR).addFilter(PatientFilter())
    if not verbose:
        for handler in logging.getLogger().handlers:
            handler.addFilter(RepeatFilter())
