"""Deadlines: how long after its first report an alert may be open, by severity."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from monitor.core.business_day import MICROSECONDS
from monitor.core.threshold import Severity

_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60}
_LENGTH: Final = re.compile(r"([0-9]{1,6})([dhm])")
NUMBERS_MAX: Final = {"d": 366, "h": 366 * 24, "m": 24 * 60}
"""Of each unit: so the page that shows two units shows a deadline whole."""


class Deadlines(NamedTuple):
    """Seconds by severity: an alert that is open for longer is late.

    >>> str(Deadlines()), Deadlines.of("low=36h") == Deadlines(low=129_600)
    ('critical=4h,high=1d,medium=3d,low=7d', True)
    """

    critical: int = 4 * 3_600
    high: int = 86_400
    medium: int = 3 * 86_400
    low: int = 7 * 86_400

    @classmethod
    def of(cls, text: str) -> "Deadlines":
        """Return those that a text states, as `critical=4h,high=1d`; the others are as ever.

        Raises ValueError with what the text must do.
        """
        found: dict[str, int] = {}
        for part in text.split(","):
            name, _, length = (piece.strip() for piece in part.partition("="))
            if name not in cls._fields:
                raise ValueError(
                    f"name severities ({', '.join(cls._fields)}) with their times, e.g. {cls()}"
                )
            if name in found:
                raise ValueError(f"name {name} once")
            match = _LENGTH.fullmatch(length)
            if match is None or not 0 < int(match[1]) <= NUMBERS_MAX[match[2]]:
                most = " or ".join(f"1{unit} to {n}{unit}" for unit, n in NUMBERS_MAX.items())
                raise ValueError(f"give {name} a time of {most}")
            found[name] = int(match[1]) * _UNITS[match[2]]
        return cls(**found)

    def __str__(self) -> str:
        """Return the text that states them."""
        return ",".join(f"{name}={_text(getattr(self, name))}" for name in self._fields)

    def lengths(self) -> Mapping[str, int]:
        """Return the microseconds of each severity, the most severe first."""
        return {
            severity.value: getattr(self, severity.value) * MICROSECONDS
            for severity in reversed(Severity)
        }


def _text(seconds: int) -> str:
    unit, length = next((u, n) for u, n in _UNITS.items() if seconds % n == 0)
    return f"{seconds // length}{unit}"
