"""`weir alerts`: the alerts topic, to read or to write down; and what analysts made of them."""

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from streams.commands.options import AsJson, Broker, Dispositions

if TYPE_CHECKING:
    from monitor.lesson import Lesson

alerts = typer.Typer(name="alerts", invoke_without_command=True)


@alerts.callback()
def show(
    context: typer.Context,
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
    dispositions: Dispositions = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print them on stdout as JSON Lines.")
    ] = False,
) -> None:
    """Show the alerts that were told, oldest first of each partition.

    Where alerts were disposed of, each is shown with the rules, learned from that, which it meets;
    with --json as `rules`. What --out writes is as it stands on the topic.

    Examples:

        weir alerts --broker kafka:9092 --day 2026-01-05

        weir alerts --last --out open-alerts.jsonl

        weir alerts --follow --json | jq 'select(.severity == "high")'
    """
    if context.invoked_subcommand is not None:
        return
    import asyncio
    import contextlib
    import os

    from monitor.settings import settings_of
    from streams.alert_reader import read_alerts
    from streams.commands.options import lines_to
    from streams.lessons import lesson_of_topics

    settings = settings_of(os.environ, broker=broker)

    async def run() -> None:
        latest: dict[str, tuple[dict[str, Any], bytes]] = {}
        is_shown = out is None
        lesson = await lesson_of_topics(settings, dispositions) if is_shown else None
        with lines_to(Path("-") if as_json and is_shown else out) as lines:
            async for alert, value in read_alerts(settings, follow=follow):
                if account in (None, alert["account_id"]) and day in (None, alert["business_day"]):
                    if last and not follow:
                        latest[alert["alert_id"]] = alert, value
                    else:
                        _tell(alert, value, lines, lesson)
            for alert, value in latest.values():
                _tell(alert, value, lines, lesson)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


def _tell(
    alert: dict[str, Any], value: bytes, lines: IO[bytes] | None, lesson: "Lesson | None"
) -> None:
    from streams.lessons import with_rules
    from streams.rule_text import rule_line
    from streams.systemic_text import systemic_text, whose

    if lines is not None:
        lines.write(with_rules(alert, value, lesson) + b"\n")
        lines.flush()
        return
    if alert["kind"] == "systemic":
        sys.stdout.write(
            f"{alert['business_day']}  {whose(alert):<16} {systemic_text(alert)}"
            f"  {alert['severity']:<8} {alert['status']}\n"
        )
        return
    currency = "days" if alert["kind"] == "review" else alert["currency"] or ""
    reading = alert["evidence"].get("reading")
    status = f"{alert['status']}, {reading}" if reading else alert["status"]
    sys.stdout.write(
        f"{alert['business_day']}  {alert['account_id']:<16} {alert['threshold_id']:<20}"
        f" {alert['value']!s:>14} {currency:<4} over {alert['limit']!s:>12}"
        f"  {alert['severity']:<8} {status}\n"
    )
    if lesson is not None:
        for rule in lesson.met_by(alert):
            sys.stdout.write(f"{'':<12}{rule_line(rule)}\n")


@alerts.command()
def dispose(
    alert: Annotated[
        str | None, typer.Argument(metavar="ALERT", help="The alert_id.", show_default=False)
    ] = None,
    said: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="suspicious, service-need, false-alarm, limit-wrong or data-fault.",
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    note: Annotated[str | None, typer.Option(help="Why, in words.")] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from", help="Many at once, as JSON Lines: alert_id, disposition, ..."),
    ] = None,
    to_file: Annotated[
        Path | None, typer.Option("--to", help="Add them to this file, not to the topic.")
    ] = None,
    broker: Broker = None,
    as_json: AsJson = False,
) -> None:
    """Say what was made of an alert; it is added to the dispositions topic, and stays there.

    To change one's mind, dispose again: the latest holds. An alert that is not on the alerts topic
    is refused (not with --to). In a file, lines without `by`, `at` or `note` get --by, now, and
    --note.

    Examples:

        weir alerts dispose ALERT --as service-need --by "A. Analyst" --note "seasonal trade"

        weir alerts dispose --from dispositions.jsonl --by audit --broker kafka:9092
    """
    from streams.commands.disposing import add, stated

    dispositions = stated(alert, said, by, note, from_file)
    add(dispositions, to_file, broker, as_json=as_json)
