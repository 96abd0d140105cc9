"""What dispositions teach, from files or topics: the rules that alerts are shown with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.disposition import Disposed
from monitor.lesson import Lesson, lesson_of
from monitor.settings import Settings
from streams.alert_file import alerts_of_file
from streams.alert_reader import read_alerts
from streams.dispositions import dispositions_of_file, read_dispositions
from streams.rule_text import rule_fields

NOTHING_LEARNED = Lesson([], 0, [])


def lesson_of_files(dispositions: Path, alerts: Path) -> Lesson:
    """Return what the dispositions of a file teach of the alerts of a file."""
    return lesson_of(alerts_of_file(alerts), dispositions_of_file(dispositions))


async def lesson_of_topics(settings: Settings, dispositions: Path | None = None) -> Lesson:
    """Return what the dispositions of a file, or else of the topic, teach of the alerts there.

    Where there is none, the alerts are not read at all.
    """
    disposed: list[Disposed] = (
        await read_dispositions(settings)
        if dispositions is None
        else dispositions_of_file(dispositions)
    )
    return await lesson_of_disposed(settings, disposed)


async def lesson_of_disposed(settings: Settings, disposed: Sequence[Disposed]) -> Lesson:
    """Return what dispositions teach of the alerts on the topic."""
    if not disposed:
        return NOTHING_LEARNED
    return lesson_of([alert async for alert in read_alerts(settings, follow=False)], disposed)


def with_rules(alert: dict[str, Any], lesson: Lesson) -> dict[str, Any]:
    """Return an alert with the rules that it meets, where anything was learned."""
    if not lesson.disposed:
        return alert
    return {**alert, "rules": [rule_fields(one) for one in lesson.met_by(alert)]}
