"""`weir alerts`: the alerts topic, to read or to write down."""

import sys
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from streams.commands.options import Broker


def alerts(
    broker: Broker = None,
    account: Annotated[str | None, typer.Option(help="Only those of this account.")] = None,
    day: Annotated[
        str | None, typer.Option(help="Only those of this business day, YYYY-MM-DD.")
    ] = None,
    last: Annotated[
        bool, typer.Option("--last", help="Only the last status of each alert, at the end.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write them here, as JSON Lines; - is stdout.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print them on stdout as JSON Lines.")
    ] = False,
) -> None:
    """Show the alerts that were told, oldest first of each partition.

    Examples:

        weir alerts --broker kafka:9092 --day 2026-01-05

        weir alerts --last --out open-alerts.jsonl

        weir alerts --follow --json | jq 'select(.severity == "high")'
    """
    import asyncio
    import contextlib
    import os

    from monitor.settings import settings_of
    from streams.alert_reader import read_alerts
    from streams.commands.options import lines_to

    settings = settings_of(os.environ, broker=broker)

    async def run() -> None:
        latest: dict[str, tuple[dict[str, Any], bytes]] = {}
        with lines_to(Path("-") if as_json and out is None else out) as lines:
            async for alert, value in read_alerts(settings, follow=follow):
                if account in (None, alert["account_id"]) and day in (None, alert["business_day"]):
                    if last and not follow:
                        latest[alert["alert_id"]] = alert, value
                    else:
                        _tell(alert, value, lines)
            for alert, value in latest.values():
                _tell(alert, value, lines)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


def _tell(alert: dict[str, Any], value: bytes, lines: IO[bytes] | None) -> None:
    if lines is not None:
        lines.write(value + b"\n")
        lines.flush()
        return
    currency = alert["currency"] or ""
    sys.stdout.write(
        f"{alert['business_day']}  {alert['account_id']:<16} {alert['threshold_id']:<20}"
        f" {alert['value']!s:>14} {currency:<4} over {alert['limit']!s:>12}"
        f"  {alert['severity']:<8} {alert['status']}\n"
    )
