"""What `weir alerts dispose` does: dispositions of options or a file, added."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from monitor.disposition import Disposed
    from monitor.settings import Settings


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
    dispositions: "list[Disposed]", to_file: Path | None, broker: str | None, *, as_json: bool
) -> None:
    """Add dispositions to a file or the topic, and say so."""
    import asyncio
    import os

    from monitor.settings import settings_of
    from streams.commands.options import print_result
    from streams.dispositions import add_to_file

    if to_file is not None:
        add_to_file(to_file, dispositions)
    else:
        settings = settings_of(os.environ, broker=broker)
        asyncio.run(_write(settings, dispositions))
    print_result({"dispositions": len(dispositions)}, as_json=as_json)


async def _write(settings: "Settings", dispositions: "list[Disposed]") -> None:
    """Write them all, or none where an alert is not there."""
    from monitor.disposition import DispositionError
    from streams.alert_reader import read_alerts
    from streams.dispositions import write_dispositions

    there = {alert["alert_id"] async for alert, _ in read_alerts(settings, follow=False)}
    problems = [
        f"no alert {one.alert_id} is on the topic"
        for one in dispositions
        if one.alert_id not in there
    ]
    if problems:
        raise DispositionError(problems)
    await write_dispositions(settings, dispositions)
