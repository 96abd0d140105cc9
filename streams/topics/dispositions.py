"""Dispositions: read from their topic or a file, and added to it."""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from monitor.dispositions.disposition import Disposed, DispositionError, disposed_of
from monitor.dispositions.rules import Lesson, lesson_of
from monitor.insight.rule_counts import rule_fields
from monitor.store.standing import Action, Does
from streams.kafka.admin import partitions_of, require_topic
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox, Outgoing
from streams.kafka.reader import records_of_topic
from streams.settings import Settings
from streams.topics.alerts import alerts_of_file, read_alerts
from streams.topics.catalog import Topics
from streams.wire import codec

_log = logging.getLogger(__name__)


async def read_dispositions(settings: Settings) -> list[Disposed]:
    """Return every disposition on the topic; none where there is no such topic.

    A record that is none is passed over, with a line in the log: it can change no alert.
    """
    topic = Topics.of(settings).dispositions
    partitions = partitions_of(cluster_of(settings), topic)
    if partitions is None:
        return []
    read: list[Disposed] = []
    async for record in records_of_topic(cluster_of(settings), topic, partitions):
        try:
            read.append(_decoded(record.value, f"record {record.offset} of {topic}"))
        except DispositionError as error:
            _log.warning("passed over: %s", "; ".join(error.problems))
    return read


async def write_dispositions(settings: Settings, dispositions: Sequence[Disposed]) -> None:
    """Add dispositions to the topic, and wait until the broker has them.

    Raises BrokerError if no broker answers, or there is no such topic.
    """
    topic = Topics.of(settings).dispositions
    require_topic(cluster_of(settings), topic)
    records = [
        Outgoing(disposed.alert_id.encode(), codec.disposition_bytes(disposed))
        for disposed in dispositions
    ]
    async with Outbox(cluster_of(settings)) as outbox:
        await outbox.write(topic, 0, records)


async def write_proposals(settings: Settings, dispositions: Sequence[Disposed]) -> None:
    """Propose dispositions on the topic of cases, where a second person finds them.

    Raises BrokerError if no broker answers, or there is no such topic.
    """
    topic = Topics.of(settings).cases
    require_topic(cluster_of(settings), topic)
    proposals = [
        Action.of_disposition(disposed)._replace(does=Does.PROPOSE) for disposed in dispositions
    ]
    records = [
        Outgoing(proposal.alert_id.encode(), json.dumps(proposal.fields()).encode())
        for proposal in proposals
    ]
    async with Outbox(cluster_of(settings)) as outbox:
        await outbox.write(topic, 0, records)


def dispositions_of_file(path: Path, **given: str | None) -> list[Disposed]:
    """Return the dispositions of a JSON Lines file; `given` are fields for lines without them.

    Raises DispositionError with the problems of every line, and OSError.
    """
    problems: list[str] = []
    read: list[Disposed] = []
    for where, line in _lines(path):
        try:
            read.append(_decoded(line, where, **given))
        except DispositionError as error:
            problems += error.problems
    if problems:
        raise DispositionError(problems)
    return read


def add_to_file(path: Path, dispositions: Iterable[Disposed]) -> None:
    """Add dispositions to the end of a JSON Lines file. Raises OSError."""
    lines = b"".join(codec.disposition_bytes(disposition) + b"\n" for disposition in dispositions)
    with path.open("ab") as file:
        file.write(lines)


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path}, line {number}", line


def _decoded(value: bytes | None, where: str, **given: str | None) -> Disposed:
    try:
        fields: Any = json.loads(value or b"")
    except (ValueError, RecursionError) as error:
        raise DispositionError([f"{where}: no JSON: {error}"]) from None
    if isinstance(fields, dict):
        fields = {name: text for name, text in given.items() if text is not None} | fields
    return disposed_of(fields, where)


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
    return {**alert, "rules": [rule_fields(rule) for rule in lesson.met_by(alert)]}
