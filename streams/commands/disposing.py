"""What `weir alerts dispose` and `weir alerts dispositions` do: dispositions added, and listed."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from monitor.disposition import Disposed
    from monitor.settings import Settings

WARNINGS_MAX: Final = 5
"""Alerts that were disposed of before and are named one by one; the others are counted."""


def stated(
    alert: str | None, said: str | None, by: str | None, note: str | None, from_file: Path | None
) -> "list[Disposed]":
    """Return the dispositions that options or a file state. Raises DispositionError."""
    import time

    from monitor.core.business_day import MICROSECONDS, event_time_text
    from monitor.disposition import disposed_of
    from streams.dispositions import dispositions_of_file

    now = event_time_text(int(time.time()) * MICROSECONDS)
    if from_file is not None:
        if alert is not None or said is not None:
            raise typer.BadParameter("--from says of which alerts, and what: leave the others out")
        return dispositions_of_file(from_file, by=by, at=now, note=note)
    if alert is None:
        raise typer.BadParameter("name an alert, or a file of dispositions by --from")
    fields = {"alert_id": alert, "disposition": said, "by": by, "at": now, "note": note}
    return [disposed_of(fields)]


def add(
    disposed: "Sequence[Disposed]", alert_file: Path | None, to_file: Path | None,
    broker: str | None, *, as_json: bool,
) -> None:  # fmt: skip
    """Add dispositions to a file or the topic, and say so; warn of alerts disposed of before.

    Raises DispositionError, and adds none, where an alert is not there.
    """
    import asyncio
    import os

    from monitor.settings import settings_of
    from streams.alert_file import alerts_of_file, dispositions_beside
    from streams.commands.options import print_result, require_place
    from streams.dispositions import add_to_file, dispositions_of_file

    result: dict[str, object] = {"dispositions": len(disposed)}
    if alert_file is None and to_file is None:
        require_place(alert_file, broker)
        settings = settings_of(os.environ, broker=broker)
        before = asyncio.run(_write(settings, disposed))
    else:
        if alert_file is not None:
            require_place(alert_file, broker)
            there = {alert["alert_id"] for alert in alerts_of_file(alert_file)}
            _refuse_unknown(disposed, there, str(alert_file))
        if to_file is None:
            assert alert_file is not None
            to_file = dispositions_beside(alert_file)
            result["file"] = str(to_file)
        before = dispositions_of_file(to_file) if to_file.is_file() else []
        add_to_file(to_file, disposed)
    _warn(before, disposed)
    print_result(result, as_json=as_json)


async def _write(settings: "Settings", disposed: "Sequence[Disposed]") -> "list[Disposed]":
    """Write them all, or none where an alert is not there; return what was there before."""
    from streams.alert_reader import read_alerts
    from streams.dispositions import read_dispositions, write_dispositions

    there = {alert["alert_id"] async for alert in read_alerts(settings, follow=False)}
    _refuse_unknown(disposed, there, "the topic")
    before = await read_dispositions(settings)
    await write_dispositions(settings, disposed)
    return before


def _refuse_unknown(disposed: "Sequence[Disposed]", there: set[str], where: str) -> None:
    from monitor.disposition import DispositionError

    problems = [
        f"no alert {one.alert_id} is on {where}"
        if where == "the topic"
        else f"no alert {one.alert_id} is in {where}"
        for one in disposed
        if one.alert_id not in there
    ]
    if problems and where == "the topic":
        problems.append("for alerts in a file, name it by --alerts FILE")
    if problems:
        raise DispositionError(problems)


def _warn(before: "Sequence[Disposed]", disposed: "Sequence[Disposed]") -> None:
    """Say which alerts were disposed of before, and what was said of them last."""
    from monitor.disposition import holding
    from streams.alert_text import said_before

    held = holding(before)
    warnings = []
    for one in disposed:
        if one.alert_id in held:
            warnings.append(said_before(held[one.alert_id]))
        held[one.alert_id] = holding([one, *filter(None, [held.get(one.alert_id)])])[one.alert_id]
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

    from monitor.settings import settings_of
    from streams.alert_list import Dispositions
    from streams.alert_text import disposition_lines
    from streams.commands.alert_listing import dispositions_beside_or
    from streams.commands.options import require_place
    from streams.dispositions import dispositions_of_file, read_dispositions

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
        for one in shown:
            fields = {**one.fields(), "holds": dispositions.holds(one)}
            sys.stdout.write(json.dumps(fields) + "\n")
    elif shown:
        sys.stdout.writelines(f"{line}\n" for line in disposition_lines(dispositions, shown))
    else:
        typer.echo("weir: no disposition is there", err=True)
