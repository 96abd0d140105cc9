"""`weir alerts`: the alerts of the topic or of a file, to list, to write down, to dispose of."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from streams.cli.options import (
    AlertFile,
    AsJson,
    Broker,
    DisposedAs,
    Dispositions,
    OfKind,
    OfStatus,
    SortedBy,
)

if TYPE_CHECKING:
    from monitor.dispositions.disposition import Disposed
    from streams.settings import Settings

PROPOSED: Final = (
    "{held} of them critical: proposed, not closed. A second person confirms at the console;"
    " --alone closes without one"
)
ALONE: Final = "{held} of them critical: closed without a second person, and the console says so"

AHEAD_SECONDS_MAX: Final = 300
"""A disposition may be dated so far ahead, because clocks differ."""

WARNINGS_MAX: Final = 5
"""Alerts that were disposed of before and are named one by one; the others are counted."""


def stated(
    alert: str | None, said: str | None, by: str | None, note: str | None, from_file: Path | None
) -> "list[Disposed]":
    """Return the dispositions that options or a file state.

    Raises DispositionError, also if one is dated ahead: all that people do with its alert later
    would be dated after it.
    """
    import time

    from monitor.core.business_day import MICROSECONDS, event_time_text
    from monitor.dispositions.disposition import DispositionError, disposed_of
    from streams.topics.dispositions import dispositions_of_file

    seconds = int(time.time())
    now = event_time_text(seconds * MICROSECONDS)
    if from_file is not None:
        if alert is not None or said is not None:
            raise typer.BadParameter("--from says of which alerts, and what: leave the others out")
        disposed = dispositions_of_file(from_file, by=by, at=now, note=note)
        latest = (seconds + AHEAD_SECONDS_MAX) * MICROSECONDS
        problems = [
            f"{from_file}: at of alert {each.alert_id} must be no later than now ({now}), not"
            f" {event_time_text(each.at)}"
            for each in disposed
            if each.at > latest
        ]
        if problems:
            raise DispositionError(problems)
        return disposed
    if alert is None:
        raise typer.BadParameter("name an alert, or a file of dispositions by --from")
    fields = {"alert_id": alert, "disposition": said, "by": by, "at": now, "note": note}
    return [disposed_of(fields)]


def add(
    disposed: "Sequence[Disposed]", alert_file: Path | None, to_file: Path | None,
    broker: str | None, *, alone: bool, as_json: bool,
) -> None:  # fmt: skip
    """Add dispositions to a file or the topic, and say so; warn of alerts disposed of before.

    Raises DispositionError, and adds none, where an alert is not there.
    """
    import asyncio
    import os

    from monitor.dispositions.rules import last_told
    from streams.cli.options import print_result, require_place
    from streams.settings import settings_of
    from streams.topics.alerts import alerts_of_file, dispositions_beside
    from streams.topics.dispositions import add_to_file, dispositions_of_file

    result: dict[str, object] = {"dispositions": len(disposed)}
    if alert_file is None and to_file is None:
        require_place(alert_file, broker)
        settings = settings_of(os.environ, broker=broker)
        before, held = asyncio.run(_write(settings, disposed, alone=alone))
        if held and alone:
            typer.echo(f"weir: {ALONE.format(held=f'{held:,}')}", err=True)
        elif held:
            result = {"dispositions": len(disposed) - held, "proposals": held}
            typer.echo(f"weir: {PROPOSED.format(held=f'{held:,}')}", err=True)
    else:
        if alert_file is not None:
            require_place(alert_file, broker)
            there = last_told(alerts_of_file(alert_file))
            _refuse_unknown(disposed, there, str(alert_file))
        if to_file is None:
            assert alert_file is not None
            to_file = dispositions_beside(alert_file)
            result["file"] = str(to_file)
        before = dispositions_of_file(to_file) if to_file.is_file() else []
        add_to_file(to_file, disposed)
    _warn(before, disposed)
    print_result(result, as_json=as_json)


async def _write(
    settings: "Settings", disposed: "Sequence[Disposed]", *, alone: bool
) -> "tuple[list[Disposed], int]":
    """Write them all, or none if an alert is not there; return what was there before.

    Those that need a second person are proposed, unless `alone`; the number says how many need it.
    """
    from monitor.dispositions.rules import last_told
    from streams.topics.alerts import read_alerts
    from streams.topics.dispositions import (
        read_dispositions,
        write_dispositions,
        write_proposals,
    )

    there = last_told([alert async for alert in read_alerts(settings, follow=False)])
    _refuse_unknown(disposed, there, "the topic")
    before = await read_dispositions(settings)
    held, others = held_of(disposed, there)
    if held and not alone:
        await write_proposals(settings, held)
        disposed = others
    if disposed:
        await write_dispositions(settings, disposed)
    return before, len(held)


def held_of(
    disposed: "Sequence[Disposed]", there: Mapping[str, Mapping[str, Any]]
) -> "tuple[list[Disposed], list[Disposed]]":
    """Return dispositions that need a second person, and the others; `there` has the last reports.

    An alert that the machine has withdrawn waits for nobody: a proposal would have no answer.
    """
    from monitor.core.alert import Status
    from monitor.dispositions.disposition import needs_two

    held: list[Disposed] = []
    others: list[Disposed] = []
    for each in disposed:
        alert = there[each.alert_id]
        is_withdrawn = alert["status"] == Status.WITHDRAWN.value
        needs = needs_two(alert["severity"]) and not is_withdrawn
        (held if needs else others).append(each)
    return held, others


def _refuse_unknown(
    disposed: "Sequence[Disposed]", there: Mapping[str, Mapping[str, Any]], where: str
) -> None:
    from monitor.dispositions.disposition import DispositionError

    problems = [
        f"no alert {disposition.alert_id} is on {where}"
        if where == "the topic"
        else f"no alert {disposition.alert_id} is in {where}"
        for disposition in disposed
        if disposition.alert_id not in there
    ]
    if problems and where == "the topic":
        problems.append("for alerts in a file, name it by --alerts FILE")
    problems += [
        f"revision must be at most {last} of alert {each.alert_id}, not {each.revision}"
        for each in disposed
        if each.alert_id in there
        and each.revision is not None
        and each.revision > (last := there[each.alert_id]["revision"])
    ]
    if problems:
        raise DispositionError(problems)


def _warn(before: "Sequence[Disposed]", disposed: "Sequence[Disposed]") -> None:
    """Say which alerts were disposed of before, and what was said of them last."""
    from monitor.dispositions.disposition import holding
    from streams.cli.views.alerts import said_before

    held = holding(before)
    warnings = []
    for disposition in disposed:
        if disposition.alert_id in held:
            warnings.append(said_before(held[disposition.alert_id]))
        held[disposition.alert_id] = holding(
            [disposition, *filter(None, [held.get(disposition.alert_id)])]
        )[disposition.alert_id]
    for warning in warnings[:WARNINGS_MAX]:
        typer.echo(f"weir: {warning}", err=True)
    if len(warnings) > WARNINGS_MAX:
        typer.echo(f"weir: and {len(warnings) - WARNINGS_MAX:,} more such alerts", err=True)


def list_dispositions(
    alert: str | None, alert_file: Path | None, named: Path | None, broker: str | None,
    *, as_json: bool,
) -> None:  # fmt: skip
    """Print the dispositions of a file or of the topic, all of them or those of an alert."""
    import asyncio
    import json
    import os

    from streams.cli.alert_listing import dispositions_beside_or
    from streams.cli.options import require_place
    from streams.cli.views.alerts import disposition_lines
    from streams.settings import settings_of
    from streams.topics.alert_list import Dispositions
    from streams.topics.dispositions import dispositions_of_file, read_dispositions

    if named is not None:
        read = dispositions_of_file(named)
    else:
        require_place(alert_file, broker)
        if alert_file is not None:
            read = dispositions_beside_or(None, alert_file)
        else:
            read = asyncio.run(read_dispositions(settings_of(os.environ, broker=broker)))
    dispositions = Dispositions(read)
    shown = dispositions.all if alert is None else dispositions.of(alert)
    if as_json:
        for disposition in shown:
            fields = {**disposition.fields(), "holds": dispositions.holds(disposition)}
            sys.stdout.write(json.dumps(fields) + "\n")
    elif shown:
        sys.stdout.writelines(f"{line}\n" for line in disposition_lines(dispositions, shown))
    else:
        typer.echo("weir: no disposition is there", err=True)


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
    from streams.cli.alert_listing import Listing, follow_alerts, list_alerts
    from streams.cli.options import require_place
    from streams.topics.alert_list import Choice, Sort, day_stated, time_stated

    choice = Choice(
        account,
        day_stated(day, "--day"),
        time_stated(since, "--since"),
        day_stated(told_day, "--told-day"),
        frozenset(chosen.value for chosen in kind or ()),
        frozenset(chosen.value for chosen in status or ()),
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
    alone: Annotated[
        bool,
        typer.Option("--alone", help="Close critical alerts, too, without a second person."),
    ] = False,
    broker: Broker = None,
    as_json: AsJson = False,
) -> None:
    """Record your verdict on an alert; it is added to the dispositions, and stays there.

    To change your mind, dispose again: both stay, and the latest holds. If the alert has a
    disposition already, a warning says by whom, when and as what. The alert must be on the topic,
    or in the file of --alerts; with --to alone Weir does not look. In a file of --from, lines
    without `by`, `at` or `note` get --by, now, and --note; `at` must not be later than now.

    On the topic, a critical alert needs a second person: it is proposed, and an approver confirms
    it at the console. --alone closes it at once; the console then shows by whom.

    Examples:

        weir alerts dispose ALERT --as service-need --by "A. Analyst" --note "seasonal trade"

        weir alerts dispose ALERT --as false-alarm --by ann --alerts alerts.jsonl

        weir alerts dispose --from dispositions.jsonl --by audit --broker kafka:9092
    """
    disposed = stated(alert, said and said.value, by, note, from_file)
    add(disposed, alert_file, to_file, broker, alone=alone, as_json=as_json)


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
    list_dispositions(alert, alert_file, dispositions, broker, as_json=as_json)
