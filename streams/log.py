"""The log of a worker: its own lines always, all others by how much they matter."""

import logging
from typing import Final

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


def begin_log(*, verbose: bool) -> None:
    """Write to stderr: warnings and `SAYS`; with `verbose` all that our own packages say."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger(SAYS).setLevel(logging.INFO)
    for name in ("streams", "monitor"):
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger(COORDINATOR).addFilter(PatientFilter())
