"""Read, choose and sort alerts, and write or print them, for `weir alerts`."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import typer

from streams.topics.alert_list import (
    AlertListError,
    Choice,
    Dispositions,
    Sort,
    in_list_order,
    told_once,
)

if TYPE_CHECKING:
    from monitor.dispositions.rules import Lesson
    from streams.settings import Settings

Alert = dict[str, Any]


class Listing(NamedTuple):
    """Which alerts are listed, and how: only members of an `incident`, only the last status."""

    choice: Choice
    incident: str | None
    sort: Sort | None
    is_last: bool

    def of(self, alerts: Iterable[Alert], dispositions: Dispositions) -> list[Alert]:
        """Return the alerts that are listed, in order, with what was made of each.

        Raises AlertListError if they cannot be listed so.
        """
        from monitor.dispositions.rules import last_told
        from streams.topics.members import IncidentAlerts

        once = told_once(alerts)
        if self.incident is not None:
            of_id = [alert for alert in once if alert["alert_id"] == self.incident]
            if not of_id or of_id[0]["kind"] != "systemic":
                raise AlertListError(f"there is no systemic alert {self.incident}")
            last = last_told(of_id)[self.incident]
            once = [dict(member) for member in IncidentAlerts(once).members_of(last)]
        elif self.is_last:
            once = [dict(alert) for alert in last_told(once).values()]
        chosen = [alert for alert in map(dispositions.beside, once) if self.choice.has(alert)]
        return in_list_order(chosen, self.sort)

    @property
    def needs_all(self) -> bool:
        """Whether every alert is needed to tell which are listed."""
        return self.is_last or self.incident is not None


def list_alerts(
    listing: Listing, alert_file: Path | None, broker: str | None, dispositions: Path | None,
    to: Path | None,
) -> None:  # fmt: skip
    """List the alerts of a file or of the topic on stdout, or write them to a file.

    Raises AlertListError if they cannot be listed or written so; other errors as of the reader.
    """
    import asyncio
    import os

    from monitor.dispositions.rules import lesson_of
    from streams.cli.files import check_outputs
    from streams.settings import settings_of
    from streams.topics.alert_table import ending_of
    from streams.topics.alerts import alerts_of_file
    from streams.topics.dispositions import NOTHING_LEARNED

    if to is not None:
        check_outputs([to], [alert_file, dispositions])
        ending_of(to)
    if alert_file is not None:
        alerts = list(alerts_of_file(alert_file))
        disposed = Dispositions(dispositions_beside_or(dispositions, alert_file))
        lesson = lesson_of(alerts, disposed.all) if disposed.all else NOTHING_LEARNED
    else:
        settings = settings_of(os.environ, broker=broker)
        alerts, disposed, lesson = asyncio.run(_of_topics(settings, listing, dispositions))
    listed = listing.of(alerts, disposed)
    if to is None:
        _print(listed, lesson)
    else:
        _write(listed, lesson, to)


def dispositions_beside_or(named: Path | None, alert_file: Path) -> list[Any]:
    """Return the dispositions of a file that is named, or else of the one beside the alerts."""
    from streams.topics.alerts import dispositions_beside
    from streams.topics.dispositions import dispositions_of_file

    if named is None and not dispositions_beside(alert_file).exists():
        return []
    return dispositions_of_file(named or dispositions_beside(alert_file))


async def _disposed_of_topic(settings: "Settings", named: Path | None) -> Dispositions:
    from streams.topics.dispositions import dispositions_of_file, read_dispositions

    if named is not None:
        return Dispositions(dispositions_of_file(named))
    return Dispositions(await read_dispositions(settings))


async def _of_topics(
    settings: "Settings", listing: Listing, named: Path | None
) -> "tuple[list[Alert], Dispositions, Lesson]":
    """Return the alerts of the topic that may be listed; others are not kept in memory."""
    from streams.topics.alerts import read_alerts
    from streams.topics.dispositions import lesson_of_disposed

    disposed = await _disposed_of_topic(settings, named)
    lesson = await lesson_of_disposed(settings, disposed.all)
    choice = listing.choice._replace(is_open=False)
    alerts = [
        alert
        async for alert in read_alerts(settings, follow=False)
        if listing.needs_all or choice.has(alert)
    ]
    return alerts, disposed, lesson


def follow_alerts(
    listing: Listing, broker: str | None, dispositions: Path | None, to: Path | None
) -> None:
    """List the alerts of the topic as they come, until Ctrl-C."""
    import asyncio
    import contextlib
    import os

    from streams.cli.files import check_outputs
    from streams.cli.options import lines_to
    from streams.cli.views.alerts import AlertTable
    from streams.settings import settings_of
    from streams.topics.alert_table import ending_of

    if to is not None:
        check_outputs([to], [dispositions])
        if ending_of(to) != ".jsonl":
            raise AlertListError(f"{to} is written at the end, which --follow has not: name .jsonl")
    settings = settings_of(os.environ, broker=broker)

    async def run() -> None:
        from streams.topics.alerts import read_alerts
        from streams.topics.dispositions import lesson_of_disposed

        disposed = await _disposed_of_topic(settings, dispositions)
        lesson = await lesson_of_disposed(settings, disposed.all)
        table = AlertTable()
        with lines_to(to) as lines:
            if lines is None:
                sys.stdout.write(table.header + "\n")
            async for read in read_alerts(settings, follow=True):
                alert = disposed.beside(read)
                if not listing.choice.has(alert):
                    continue
                if lines is None:
                    sys.stdout.write(table.line(alert) + "\n")
                    sys.stdout.writelines(_rule_lines(alert, lesson))
                    sys.stdout.flush()
                else:
                    _write_lines([alert], lesson, lines)
                    lines.flush()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


def _print(alerts: Sequence[Alert], lesson: "Lesson") -> None:
    from streams.cli.views.alerts import AlertTable

    if not alerts:
        typer.echo("weir: no alert is as asked for", err=True)
        return
    table = AlertTable(alerts)
    sys.stdout.write(table.header + "\n")
    for alert in alerts:
        sys.stdout.write(table.line(alert) + "\n")
        sys.stdout.writelines(_rule_lines(alert, lesson))


def _rule_lines(alert: Alert, lesson: "Lesson") -> list[str]:
    from monitor.insight.rule_counts import rule_line

    return [f"    {rule_line(rule)}\n" for rule in lesson.met_by(alert)]


def _write(alerts: Sequence[Alert], lesson: "Lesson", to: Path) -> None:
    from streams.cli.files import written_whole
    from streams.topics.alert_table import WRITERS, ending_of

    write = WRITERS.get(ending_of(to))
    with written_whole(to) as file:
        if write is None:
            _write_lines(alerts, lesson, file)
        else:
            write(alerts, file)


def _write_lines(alerts: Iterable[Alert], lesson: "Lesson", file: IO[bytes]) -> None:
    from streams.topics.dispositions import with_rules
    from streams.wire.codec import json_bytes

    file.writelines(json_bytes(with_rules(alert, lesson)) + b"\n" for alert in alerts)
