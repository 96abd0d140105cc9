"""Dispositions: read from their topic or a file, and added to it."""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from monitor.disposition import Disposed, DispositionError, disposed_of
from monitor.settings import Settings
from streams import codec
from streams.admin import partitions_of, require_topic
from streams.outbox import Outbox, Outgoing
from streams.tail import records_of_topic
from streams.topics import Topics

_log = logging.getLogger(__name__)


async def read_dispositions(settings: Settings) -> list[Disposed]:
    """Return every disposition on the topic; none where there is no such topic.

    A record that is none is passed over, with a line in the log: it can change no alert.
    """
    topic = Topics.of(settings).dispositions
    partitions = partitions_of(settings.broker, topic)
    if partitions is None:
        return []
    read: list[Disposed] = []
    async for record in records_of_topic(settings.broker, topic, partitions):
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
    require_topic(settings.broker, topic)
    records = [
        Outgoing(disposed.alert_id.encode(), codec.disposition_bytes(disposed))
        for disposed in dispositions
    ]
    async with Outbox(settings.broker) as outbox:
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
    lines = b"".join(codec.disposition_bytes(one) + b"\n" for one in dispositions)
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
    except ValueError as error:
        raise DispositionError([f"{where}: no JSON: {error}"]) from None
    if isinstance(fields, dict):
        fields = {name: text for name, text in given.items() if text is not None} | fields
    return disposed_of(fields, where)
