"""The demo on a terminal: rate, lag, and the account-days that exceed their limit as they do."""

import sys
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.demo import DemoState

LINE_SECONDS: Final = 1.0
_STATUS_STYLE: Final = {"raised": "bold red", "restated": "yellow", "withdrawn": "green"}


class LiveView:
    """A screen where there is a terminal, and a plain line now and then where there is none."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=8, auto_refresh=False)
        self._line_at = 0.0
        self._decided, self._decided_at = 0, time.monotonic()
        self._rate = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
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
        elif now - self._line_at >= LINE_SECONDS:
            self._line_at = now
            sys.stderr.write(self._line(state) + "\n")

    def _line(self, state: DemoState) -> str:
        totals = state.totals
        return (
            f"{state.stage}: {state.decided:,} decided, {self._rate:,.0f}/s, lag {state.lag:,},"
            f" {sum(totals.alerts.values()):,} alerts, {sum(totals.rejections.values()):,} rejected"
        )

    def _screen(self, state: DemoState) -> Panel:
        figures = Table.grid(padding=(0, 3))
        for _ in range(4):
            figures.add_column()
        totals = state.totals
        figures.add_row(
            _figure("records/s", f"{self._rate:,.0f}"),
            _figure("decided", f"{state.decided:,}"),
            _figure("lag", f"{state.lag:,}"),
        )
        figures.add_row(
            _figure("over amount", f"{totals.alerts['daily-amount', 'raised']:,}"),
            _figure("over count", f"{totals.alerts['daily-count', 'raised']:,}"),
            _figure("restated, withdrawn", f"{_corrected(state):,}"),
            _figure("rejected", f"{sum(totals.rejections.values()):,}"),
        )
        alerts = Table(expand=True, box=None, header_style="dim", pad_edge=False)
        for name, justify in (
            ("business day", "left"), ("account", "left"), ("segment", "left"), ("limit", "left"),
            ("value", "right"), ("allowed", "right"), ("times", "right"), ("status", "left"),
        ):  # fmt: skip
            alerts.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
        for alert in state.latest:
            currency = alert["currency"] or ""
            alerts.add_row(
                alert["business_day"],
                alert["account_id"],
                alert["segment"] or "",
                alert["threshold_id"],
                f"{alert['value']} {currency}",
                f"{alert['limit']} {currency}",
                alert["evidence"].get("times_limit", ""),
                Text(alert["status"], style=_STATUS_STYLE[alert["status"]]),
            )
        title = f"Weir - {state.stage} - broker {state.broker}, policy {state.policy.name}"
        hint = "account-days over their limit, as they happen      Ctrl-C ends"
        return Panel(Group(figures, Text(), Text(hint, style="dim"), alerts), title=title)


def _figure(name: str, value: str) -> Text:
    return Text.assemble((f"{value:>10} ", "bold cyan"), (name, "dim"))


def _corrected(state: DemoState) -> int:
    return sum(n for (_, status), n in state.totals.alerts.items() if status != "raised")
