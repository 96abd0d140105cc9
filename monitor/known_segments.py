"""The segments that the systemic detection tells apart over all days: a bound on what it learns.

What it learns of a segment it keeps. So the segments that came first have their places, and all
further ones are one, named `OTHERS`.
"""

from collections.abc import Iterable

from monitor.core.names import OTHERS, SEGMENTS_MAX
from monitor.joining import Segments
from monitor.systemic.segment_day import merged


class KnownSegments:
    """At most `SEGMENTS_MAX` names of segments, in the order in which they came."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = dict.fromkeys(names)

    def dump(self) -> list[str]:
        """Return the names, as JSON has them."""
        return list(self._names)

    def within(self, segments: Segments) -> Segments:
        """Return a day's segments with those that found no place as one, named `OTHERS`."""
        kept: Segments = {}
        for name, of in segments.items():
            under = self._place(name)
            part = of._replace(segment=under)
            kept[under] = merged([kept[under], part]) if under in kept else part
        return kept

    def _place(self, name: str | None) -> str | None:
        if name is None or name == OTHERS or name in self._names:
            return name
        if len(self._names) >= SEGMENTS_MAX:
            return OTHERS
        self._names[name] = None
        return name
