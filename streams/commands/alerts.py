"""`weir alerts`: the alerts of the topic or of a file, to list, to write down, to dispose of."""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands.choices import DisposedAs, OfKind, OfStatus, SortedBy
from streams.commands.options import AlertFile, AsJson, Broker, Dispositions

alerts = typer.Typer(name="alerts", invoke_without_command=True)


@alerts.callback()
def show(
    context: typer.Context,
    broker: Broker = None,
    alert_file: AlertFile = None,
    account: Annotated[str | None, typer.Option(help="Only those of this account.")] = None,
    day: Annotated[
        str | None, typer.Option(help="Only those of this business day, YYYY-MM-DD.")
    ] = None,
    told_day: Annotated[
        str | None, typer.Option(help="Only those reported on this day, YYYY-MM-DD in UTC.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Reported since then: 2026-01-05 (UTC) or 2026-01-05T09:00:00Z."),
    ] = None,
    kind: Annotated[
        list[OfKind] | None,
        typer.Option(help="Only alerts of this kind; may be repeated.", show_default=False),
    ] = None,
    status: Annotated[
        list[OfStatus] | None,
        typer.Option(help="Only alerts of this status; may be repeated.", show_default=False),
    ] = None,
    incident: Annotated[
        str | None,
        typer.Option(
            metavar="ALERT", help="Only the members of this systemic alert, as last reported."
        ),
    ] = None,
    is_open: Annotated[
        bool, typer.Option("--open", help="Only those without a disposition.")
    ] = False,
    last: Annotated[
        bool, typer.Option("--last", help="Only the last status of each alert.")
    ] = False,
    sort: Annotated[
        SortedBy | None,
        typer.Option(
            help="Order: by time of the report, by business day, or by account. Default: told,"
            " and day for a file that does not say when.",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow new alerts, until Ctrl-C.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write them to FILE.jsonl, FILE.csv or FILE.parquet; - is stdout."),
    ] = None,
    dispositions: Dispositions = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print them on stdout as JSON Lines.")
    ] = False,
) -> None:
    """List the alerts of the topic or of a file, with the disposition of each.

    `told_at` is when the worker reported an alert: the time of its record on the topic. A file of
    `weir replay` has no such time. --json and --out add it to the alert. They also add the
    `disposition` that holds (or null), all `dispositions`, and the `rules` that the alert meets, if
    any were learned.

    A file of alerts has its dispositions in NAME.dispositions.jsonl beside it, unless
    --dispositions names another file.

    Examples:

        weir alerts --broker kafka:9092 --day 2026-01-05

        weir alerts --last --open --kind review --since 2026-01-05

        weir alerts --last --out open-alerts.parquet

        weir alerts --alerts alerts.jsonl --incident ALERT

        weir alerts --follow --json | jq 'select(.severity == "high")'
    """
    if context.invoked_subcommand is not None:
        return
    from streams.alert_list import Choice, Sort, day_stated, time_stated
    from streams.commands.alert_listing import Listing, follow_alerts, list_alerts
    from streams.commands.options import require_place

    choice = Choice(
        account,
        day_stated(day, "--day"),
        time_stated(since, "--since"),
        day_stated(told_day, "--told-day"),
        frozenset(of.value for of in kind or ()),
        frozenset(of.value for of in status or ()),
        is_open,
    )
    listing = Listing(choice, incident, Sort(sort) if sort else None, is_last=last)
    require_place(alert_file, broker)
    to = Path("-") if as_json and out is None else out
    if not follow:
        list_alerts(listing, alert_file, broker, dispositions, to)
    elif alert_file is not None or incident is not None or sort is not None:
        raise typer.BadParameter("--follow is for the topic, without --incident and --sort")
    else:
        follow_alerts(listing, broker, dispositions, to)


@alerts.command()
def dispose(
    alert: Annotated[
        str | None, typer.Argument(metavar="ALERT", help="The alert_id.", show_default=False)
    ] = None,
    said: Annotated[
        DisposedAs | None, typer.Option("--as", help="Your verdict.", show_default=False)
    ] = None,
    by: Annotated[str | None, typer.Option(help="The name of the analyst.")] = None,
    note: Annotated[str | None, typer.Option(help="Why, in words.")] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from", help="Many at once, as JSON Lines: alert_id, disposition, ..."),
    ] = None,
    alert_file: AlertFile = None,
    to_file: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="Add them to this file, not to the topic. With --alerts, the default is"
            " NAME.dispositions.jsonl beside it.",
        ),
    ] = None,
    broker: Broker = None,
    as_json: AsJson = False,
) -> None:
    """Record your verdict on an alert; it is added to the dispositions, and stays there.

    To change your mind, dispose again: both stay, and the latest holds. If the alert has a
    disposition already, a warning says by whom, when and as what. The alert must be on the topic,
    or in the file of --alerts; with --to alone Weir does not look. In a file of --from, lines
    without `by`, `at` or `note` get --by, now, and --note.

    Examples:

        weir alerts dispose ALERT --as service-need --by "A. Analyst" --note "seasonal trade"

        weir alerts dispose ALERT --as false-alarm --by ann --alerts alerts.jsonl

        weir alerts dispose --from dispositions.jsonl --by audit --broker kafka:9092
    """
    from streams.commands.disposing import add, stated

    disposed = stated(alert, said and said.value, by, note, from_file)
    add(disposed, alert_file, to_file, broker, as_json=as_json)


@alerts.command()
def dispositions(
    alert: Annotated[
        str | None,
        typer.Argument(metavar="ALERT", help="Only those of this alert_id.", show_default=False),
    ] = None,
    alert_file: AlertFile = None,
    dispositions: Dispositions = None,
    broker: Broker = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print them on stdout as JSON Lines.")
    ] = False,
) -> None:
    """List everything that was made of alerts, by whom and when, the oldest first.

    The one of each alert that holds is marked: `*`, with --json `holds`.

    Examples:

        weir alerts dispositions --broker kafka:9092

        weir alerts dispositions ALERT --alerts alerts.jsonl --json
    """
    from streams.commands.disposing import list_dispositions

    list_dispositions(alert, alert_file, dispositions, broker, as_json=as_json)
