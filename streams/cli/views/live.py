"""The demo on a terminal: rate, lag, and the account-days that exceed their limit as they do."""

import os
import stat
import sys
import textwrap
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from rich.cells import set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from monitor.engine.coverage import coverage_lines
from streams.cli.views.alerts import over_what, systemic_text, told, whose
from streams.lab.demo import DemoState
from streams.topics.alert_list import times_limit

LINE_SECONDS: Final = 2.0
FIGURES: Final = 4
"""In a row."""

SUMMARY_WIDTH: Final = 79

ROWS_MIN: Final = 3

WIDE: Final = 98
"""Columns from which on there is room for the limit's value."""

YEARS: Final = 110
"""Columns from which on a day is shown with its year."""

_STATUS_STYLE: Final = {"raised": "bold red", "restated": "yellow", "withdrawn": "green"}
_KINDS: Final = {
    "daily-amount": "over amount", "daily-count": "over count", "outlier": "outliers",
    "review": "reviews", "systemic": "systemic",
}  # fmt: skip
_OF_LIMITS: Final = ("daily-amount", "daily-count")

_LEGEND: Final = (
    "outlier 1 in 40: one day in 40 is as strange; review: over limits repeatedly",
    "corrected: restated or withdrawn, as late or reversing records came",
)


class LiveView:
    """A screen where there is a terminal, and plain lines where there is none.

    Where stdout is no terminal (`is_listing`), each alert is a line of it as it comes. `port` is
    that of a broker which is for others, too.
    """

    def __init__(self, policy: str, *, is_listing: bool = False, port: int | None = None) -> None:
        self._policy = policy
        self._is_listing = is_listing
        self._port = port
        self._console = Console(stderr=True, highlight=False)
        self._is_screen = self._console.is_terminal and not _is_pipe(sys.stdout.fileno())
        self._live = Live(console=self._console, auto_refresh=False)
        self._line_at = 0.0
        self._stage = ""
        self._decided, self._decided_at = 0, time.monotonic()
        self._rate = 0.0

    def __enter__(self) -> Self:
        if self._is_screen:
            self._live.start()
            self._live.update(Text("Weir: the broker starts"), refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, state: DemoState) -> None:
        """Show the state as it is now."""
        now = time.monotonic()
        if now - self._decided_at >= 1:
            self._rate = (state.decided - self._decided) / (now - self._decided_at)
            self._decided, self._decided_at = state.decided, now
        if self._is_screen:
            self._live.update(self._screen(state), refresh=True)
        elif state.stage != self._stage or (state.sent and now - self._line_at >= LINE_SECONDS):
            self._stage, self._line_at = state.stage, now
            sys.stderr.write(self._line(state) + "\n")

    def note(self, alert: dict[str, Any]) -> None:
        """Write an alert as a line to stdout, where nobody looks at a screen."""
        if self._is_listing and not sys.stdout.isatty():
            sys.stdout.write(alert_line(alert) + "\n")
            sys.stdout.flush()

    def _line(self, state: DemoState) -> str:
        if not state.decided:
            waits = f"; {state.sent:,} records are sent and wait for it" if state.sent else ""
            return f"{state.stage} (broker {state.broker}){waits}"
        totals = state.totals
        return (
            f"{_stage(state)}: {state.decided:,} decided, {self._rate:,.0f}/s, {state.lag:,}"
            f" waiting, {sum(totals.alerts.values()):,} alerts,"
            f" {sum(totals.rejections.values()):,} rejected"
        )

    def _screen(self, state: DemoState) -> Group:
        width = self._console.width
        figures = _figures(state, self._rate, width)
        above: list[RenderableType] = [
            Rule(f"[bold]Weir[/]: {_stage(state)}", align="left", style="dim"), figures,
            *(Text(line, "dim", no_wrap=True, overflow="ellipsis") for line in self._foot(state)),
            *(Text(line, style="bold yellow") for line in _coverage(state)),
        ]  # fmt: skip
        legend = [line for line in _LEGEND if len(line) <= width] if state.latest else []
        lines = len(above) - 1 + figures.row_count + len(legend)
        rows = max(self._console.height - lines - 4, ROWS_MIN)  # a blank, the head, ^C, the cursor
        columns = ColumnWidths.of(width)
        return Group(
            *above, Text(), Text(columns.head(), style="dim"),
            *(columns.row(alert) for alert in list(state.latest)[-rows:]),
            *(Text(line, style="dim") for line in legend), Text(),
        )  # fmt: skip

    def _foot(self, state: DemoState) -> list[str]:
        lines = [f"broker {state.broker}, policy {self._policy}        Ctrl-C ends"]
        if self._port is not None:
            lines.append(f"elsewhere: export WEIR_BROKER={state.broker}; weir alerts, send, ...")
        return lines


def _figures(state: DemoState, rate: float, width: int) -> Table:
    totals = state.totals
    over: list[tuple[str, float]] = [
        (name, totals.alerts[kind, "raised"])
        for kind, name in _KINDS.items()
        if kind in _OF_LIMITS or totals.alerts[kind, "raised"]
    ]
    corrected = _of_status(state, "restated") + _of_status(state, "withdrawn")
    over.append(("corrected", corrected))
    rows: list[list[tuple[str, float]]] = [
        [
            ("records/s", rate),
            ("decided", state.decided),
            ("waiting", state.lag),
            ("rejected", sum(totals.rejections.values())),
        ],
        *(over[first : first + FIGURES] for first in range(0, len(over), FIGURES)),
    ]
    figures = Table.grid()
    for _ in range(FIGURES):
        figures.add_column(width=min(width // FIGURES, 24), no_wrap=True)
    for row in rows:
        figures.add_row(*[_figure(name, value) for name, value in row])
    return figures


def _stage(state: DemoState) -> str:
    """Return what goes on, how much of it is decided, and what is being sent."""
    if not state.decided:
        return state.stage
    share = f"{state.stage}, {int(state.share_decided * 100)} % decided"
    if not state.reading or state.is_all_sent:
        return share
    return f"{share}, {state.reading} is sent"


def _figure(name: str, value: float) -> Text:
    return Text.assemble((f"{value:>8,.0f} ", "bold cyan"), (name, "dim"))


class ColumnWidths(NamedTuple):
    """How wide the columns of alerts are; they keep their width, whatever stands in them."""

    day: int
    account: int
    over: int
    total: int
    limit: int  # 0 is none
    times: int
    status: int
    gap: str

    @classmethod
    def of(cls, width: int) -> "ColumnWidths":
        """Return the columns of a screen of so many; a very wide one leaves the rest empty."""
        limit, day = 14 if width >= WIDE else 0, 10 if width >= YEARS else 5
        gap = "  " if limit else " "
        total, times, status = 18, 8, 9
        gaps = len(gap) * (6 if limit else 5)
        room = width - 1 - day - total - limit - times - status - gaps
        account = min(max(room - 22, 9), 24)  # 22 are a limit's usual name
        return cls(day, account, min(max(room - account, 12), 36), total, limit, times, status, gap)

    def head(self) -> str:
        """Return the names of the columns."""
        return self._line(
            ("day", "account", "over its limit", "total, when told", "limit", "times", "")
        )

    def row(self, alert: dict[str, Any]) -> Text:
        """Return an alert as a row; a systemic one tells its verdict across the columns."""
        style = _STATUS_STYLE[alert["status"]]
        day = alert["business_day"][-self.day :]
        if alert["kind"] == "systemic":
            numbers = self.total + self.limit + self.times
            verdict = self.over + numbers + len(self.gap) * (3 if self.limit else 2)
            start = self._cells((day, whose(alert)), (self.day, self.account))
            said = set_cell_size(_plain(systemic_text(alert)), verdict)
            return Text.assemble(
                start, self.gap, (said, "bold"), self.gap, (alert["status"], style)
            )
        times = times_limit(alert)
        cells = (
            day, alert["account_id"], over_what(alert), told(alert, "value"), told(alert, "limit"),
            f"{times:,.2f}" if times else "",
        )  # fmt: skip
        return Text.assemble(self._line(cells), self.gap, (alert["status"], style))

    def _line(self, cells: Sequence[str]) -> str:
        return self._cells(cells, self[:7])

    def _cells(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        shown = [
            set_cell_size(_plain(cell).rjust(width) if place in {3, 4, 5} else _plain(cell), width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=False))
            if width
        ]
        return self.gap.join(shown)


def alert_line(alert: dict[str, Any]) -> str:
    """Return an alert as a line of text."""
    return ColumnWidths.of(140).row(alert).plain.rstrip()


def _plain(text: str) -> str:
    """Return a text without what would move a terminal's cursor; records name such, too."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _coverage(state: DemoState) -> list[str]:
    """Return which currencies no limit watches; and once all is decided, which limits saw none."""
    is_over = state.ended_at is not None and not state.lag
    return coverage_lines(state.totals.unwatched, state.totals.unseen if is_over else ())


def summary(state: DemoState) -> str:
    """Return what a demo came to, for a person to read."""
    totals = state.totals
    raised = {kind: totals.alerts[kind, "raised"] for kind in _KINDS}
    kinds = [f"{n:,} {_KINDS[kind]}" for kind, n in raised.items() if n or kind in _OF_LIMITS]
    corrected = {status: _of_status(state, status) for status in ("restated", "withdrawn")}
    rejected = _counted(totals.rejections) or "none"
    decided = f"{totals.transactions:,} transactions decided in {state.seconds:.1f} s"
    lines = [
        f"{decided}, rejected: {rejected}",
        f"alerts raised: {', '.join(kinds)}",
    ]
    if any(corrected.values()):
        lines.append(f"corrected later: {_counted(corrected)}")
    if state.greatest is not None and times_limit(state.greatest):
        alert = state.greatest
        lines.append(
            f"farthest over: {alert['account_id']} on {alert['business_day']},"
            f" {told(alert, 'value')}, {times_limit(alert):,.2f} times its limit"
        )
    lines += _coverage(state)
    return "".join(
        textwrap.fill(line, SUMMARY_WIDTH, subsequent_indent="  ", break_long_words=False) + "\n"
        for line in lines
    )


def _of_status(state: DemoState, status: str) -> int:
    """Return how many alerts were corrected so; a review that is restated has grown."""
    corrected = state.totals.alerts.items()
    return sum(
        n
        for (kind, corrected_status), n in corrected
        if corrected_status == status and (kind, status) != ("review", "restated")
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in sorted(counts.items()) if n)


def _is_pipe(descriptor: int) -> bool:
    return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
