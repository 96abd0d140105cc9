"""Reads alerts out of a file of JSON Lines, as a replay or the topic has them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

NEEDED: Final = {"alert_id", "revision", "kind", "business_day"}


class AlertFileError(ValueError):
    """A file whose lines are no alerts: the message says which line, and why."""


def alerts_of_file(path: Path, alert_id: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the alerts of a file; only those of an id where one is given.

    Raises AlertFileError where a line is no alert, and OSError.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or (alert_id is not None and alert_id.encode() not in line):
                continue
            try:
                alert = json.loads(line)
            except ValueError as error:
                raise AlertFileError(f"{path}: line {number} is no JSON: {error}") from None
            if not isinstance(alert, dict) or not alert.keys() >= NEEDED:
                needed = ", ".join(sorted(NEEDED))
                raise AlertFileError(f"{path}: line {number} is no alert: one has {needed}")
            yield alert
