"""The demo on a terminal: rate, lag, and the account-days that exceed their limit as they do."""

import sys
import time
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from streams.alert_text import over_what, times_limit, told
from streams.demo import DemoState
from streams.systemic_text import systemic_text, whose

LINE_SECONDS: Final = 2.0
FIGURES: Final = 4
"""In a row."""

LINES_AROUND: Final = 14
"""Of the screen above the alerts, and of the summary below it."""

WIDE: Final = 96
"""Columns from which on there is room for the limit's value."""

_STATUS_STYLE: Final = {"raised": "bold red", "restated": "yellow", "withdrawn": "green"}
_KINDS: Final = {
    "daily-amount": "over amount", "daily-count": "over count", "outlier": "outliers",
    "review": "reviews", "systemic": "systemic",
}  # fmt: skip
_OF_LIMITS: Final = ("daily-amount", "daily-count")


class LiveView:
    """A screen where there is a terminal, and a plain line now and then where there is none."""

    def __init__(self, policy: str) -> None:
        self._policy = policy
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False)
        self._line_at = 0.0
        self._stage = ""
        self._decided, self._decided_at = 0, time.monotonic()
        self._rate = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
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
        if self._console.is_terminal:
            self._live.update(self._screen(state), refresh=True)
        elif state.stage != self._stage or (state.sent and now - self._line_at >= LINE_SECONDS):
            self._stage, self._line_at = state.stage, now
            sys.stderr.write(self._line(state) + "\n")

    def _line(self, state: DemoState) -> str:
        if not state.sent:
            return f"{state.stage} (broker {state.broker})"
        totals = state.totals
        return (
            f"{_stage(state)}: {state.decided:,} decided, {self._rate:,.0f}/s, lag {state.lag:,},"
            f" {sum(totals.alerts.values()):,} alerts, {sum(totals.rejections.values()):,} rejected"
        )

    def _screen(self, state: DemoState) -> Group:
        width = self._console.width
        title = Rule(f"[bold]Weir[/]: {_stage(state)}", align="left", style="dim")
        foot = Text(f"broker {state.broker}, policy {self._policy}        Ctrl-C ends", style="dim")
        alerts = list(state.latest)[-max(self._console.height - LINES_AROUND, 3) :]
        parts: list[RenderableType] = [
            title, self._figures(state, width), foot, Text(), _table(alerts, is_wide=width >= WIDE),
            Text(),  # where a terminal shows ^C
        ]  # fmt: skip
        return Group(*parts)

    def _figures(self, state: DemoState, width: int) -> Table:
        totals = state.totals
        rejected = sum(totals.rejections.values())
        corrected = _of_status(state, "restated") + _of_status(state, "withdrawn")
        over: list[tuple[str, float]] = [
            (name, totals.alerts[kind, "raised"])
            for kind, name in _KINDS.items()
            if kind in _OF_LIMITS or totals.alerts[kind, "raised"]
        ]
        over.append(("corrected", corrected))
        rows: list[list[tuple[str, float]]] = [
            [
                ("records/s", self._rate),
                ("decided", state.decided),
                ("lag", state.lag),
                ("set aside", rejected),
            ],
            over[:FIGURES],
            over[FIGURES:],
        ]
        figures = Table.grid()
        for _ in range(FIGURES):
            figures.add_column(width=min(width // FIGURES, 24), no_wrap=True)
        for row in rows:
            figures.add_row(*[_figure(name, value) for name, value in row])
        return figures


def _stage(state: DemoState) -> str:
    if not state.reading or state.is_all_sent:
        return state.stage
    return f"{state.stage}, {state.reading} ({state.share_read:.0%})"


def _figure(name: str, value: float) -> Text:
    return Text.assemble((f"{value:>8,.0f} ", "bold cyan"), (name, "dim"))


def _table(alerts: list[dict[str, Any]], *, is_wide: bool) -> Table:
    """Return the latest alerts; columns keep their width, whatever stands in them."""
    table = Table(expand=True, box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("day", width=10, no_wrap=True)
    table.add_column("account", width=10, no_wrap=True)
    table.add_column("over its limit", ratio=1, no_wrap=True)
    table.add_column("total of the day", width=16, justify="right", no_wrap=True)
    if is_wide:
        table.add_column("limit", width=14, justify="right", no_wrap=True)
    table.add_column("times", width=6, justify="right", no_wrap=True)
    table.add_column("", width=9, no_wrap=True)
    for alert in alerts:
        if alert["kind"] == "systemic":
            status = Text(alert["status"], style=_STATUS_STYLE[alert["status"]])
            rest = ["", "", ""] if is_wide else ["", ""]
            table.add_row(
                alert["business_day"], whose(alert), Text(systemic_text(alert), style="bold"),
                *rest, status,
            )  # fmt: skip
            continue
        cells: list[str | Text] = [
            alert["business_day"], alert["account_id"], over_what(alert), told(alert, "value"),
        ]  # fmt: skip
        if is_wide:
            cells.append(told(alert, "limit"))
        times = times_limit(alert)
        cells += [
            f"{times:.2f}" if times else "",
            Text(alert["status"], style=_STATUS_STYLE[alert["status"]]),
        ]
        table.add_row(*cells)
    return table


def summary(state: DemoState) -> str:
    """Return what a demo came to, for a person to read."""
    totals = state.totals
    raised = {kind: totals.alerts[kind, "raised"] for kind in _KINDS}
    kinds = [f"{n:,} {_KINDS[kind]}" for kind, n in raised.items() if n or kind in _OF_LIMITS]
    corrected = {status: _of_status(state, status) for status in ("restated", "withdrawn")}
    text = (
        f"{totals.transactions:,} transactions decided in {state.seconds:.1f} s,"
        f" set aside: {_counted(totals.rejections) or 'none'}\n"
        f"alerts on account-days: {', '.join(kinds)}\n"
    )
    if any(corrected.values()):
        text += f"corrected later: {_counted(corrected)}\n"
    if state.greatest is not None and times_limit(state.greatest):
        alert = state.greatest
        text += (
            f"farthest over: {alert['account_id']} on {alert['business_day']},"
            f" {told(alert, 'value')}, {times_limit(alert):.2f} times its limit\n"
        )
    return text


def _of_status(state: DemoState, status: str) -> int:
    """Return how many alerts were corrected so; a review that is restated has grown."""
    corrected = state.totals.alerts.items()
    return sum(
        n
        for (kind, of), n in corrected
        if of == status and (kind, status) != ("review", "restated")
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in sorted(counts.items()) if n)
