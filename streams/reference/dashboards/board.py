"""The words in which a dashboard is written: boards, sections, charts and their queries.

Nothing here knows Grafana. Each query names the group that was chosen (`$group`), so that two
groups in one Prometheus stay apart; those of a process name the chosen processes, too
(`$instance`). Figures of a partition are always of the whole group, since partitions move.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

_OF_GROUP: Final = 'group="$group"'
_OF_PROCESS: Final = 'group="$group",instance=~"$instance"'

INTERVAL: Final = "$__rate_interval"
"""Grafana's own: four scrapes at least, and a pixel at most."""


class Drawing(Enum):
    """How a chart shows its numbers."""

    FIGURE = auto()
    """The newest number, large."""
    LINES = auto()
    AREAS = auto()
    """Lines that add up."""
    BARS = auto()
    PILES = auto()
    """Bars that add up."""
    HEAT = auto()
    """The buckets of a histogram over time."""
    TABLE = auto()


class Chart(NamedTuple):
    """One panel: `queries` are expressions by their legend."""

    drawing: Drawing
    title: str
    about: str
    queries: Mapping[str, str]
    unit: str = "short"
    """Grafana's name of a unit."""
    width: int = 8
    """Of 24 columns."""
    runbooks: Sequence[str] = ()
    """The alert rules that fire by what is shown; each becomes a link to its runbook."""
    steps: Sequence[tuple[float | None, str]] = ((None, "green"),)
    """Where a colour begins: None, then rising numbers."""
    decimals: int | None = None
    words: Mapping[int, str] = {}
    """A text in place of a number."""
    most: float | None = None
    """The upper end of the axis."""


class Section(NamedTuple):
    """Charts under one heading, from left to right."""

    title: str
    charts: Sequence[Chart]


class Board(NamedTuple):
    """One dashboard: its file is `name`, its address in Grafana `uid`."""

    name: str
    uid: str
    title: str
    about: str
    sections: Sequence[Section]


# -- queries --------------------------------------------------------------------------------------


def of_group(metric: str, where: str = "") -> str:
    """Return the series of a metric in the chosen group."""
    return _selected(metric, _OF_GROUP, where)


def of_process(metric: str, where: str = "") -> str:
    """Return the series of a metric that the chosen processes have."""
    return _selected(metric, _OF_PROCESS, where)


def per_second(metric: str, by: str = "", where: str = "") -> str:
    """Return how fast a counter of the chosen processes grows, added up."""
    return f"{_over('sum', by)}(rate({of_process(metric, where)}[{INTERVAL}]))"


def growth(metric: str, by: str = "", where: str = "", within: str = INTERVAL) -> str:
    """Return what a counter of the chosen processes grew by, added up."""
    return f"{_over('sum', by)}(increase({of_process(metric, where)}[{within}]))"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """Return the value that a share of a histogram's observations does not exceed."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {per_second(f'{histogram}_bucket', labels)})"


def mean(histogram: str) -> str:
    """Return the mean of a histogram's observations; nothing if there were none."""
    return ratio(per_second(f"{histogram}_sum"), per_second(f"{histogram}_count"))


def ratio(part: str, whole: str) -> str:
    """Return a part of a whole; nothing if the whole is 0."""
    return f"{part} / ({whole} > 0)"


def greatest(metric: str, by: str = "") -> str:
    """Return the greatest value in the group: of two workers that tell, the one that fears more."""
    return f"{_over('max', by)}({of_group(metric)})"


def least(metric: str, by: str = "") -> str:
    """Return the least value in the group: of two workers that tell, the fresher one."""
    return f"{_over('min', by)}({of_group(metric)})"


def total(metric: str, by: str = "", where: str = "") -> str:
    """Return the sum over the group."""
    return f"{_over('sum', by)}({of_group(metric, where)})"


def over_partitions(metric: str) -> str:
    """Return the sum over the group's partitions, each counted once while it moves."""
    return f"sum({greatest(metric, 'partition')})"


def _over(aggregate: str, by: str) -> str:
    return f"{aggregate} by ({by}) " if by else aggregate


def _selected(metric: str, labels: str, where: str) -> str:
    return f"{metric}{{{labels}{',' if where else ''}{where}}}"
