"""Reads the alerts topic."""

import json
from collections.abc import AsyncIterator
from typing import Any

from monitor.settings import Settings
from streams.admin import partitions_of
from streams.broker import BrokerError
from streams.tail import Tail
from streams.topics import Topics


async def read_alerts(
    settings: Settings, *, follow: bool
) -> AsyncIterator[tuple[dict[str, Any], bytes]]:
    """Yield every alert (its fields, and its bytes) that the topic holds; and go on if told to.

    Raises BrokerError where no broker answers, or there is no such topic.
    """
    topic = Topics.of(settings).alerts
    partitions = partitions_of(settings.broker, topic)
    if partitions is None:
        raise BrokerError(f"there is no topic {topic}: create it by weir check --create-topics")
    tail = Tail(settings.broker, topic, partitions)
    await tail.start()
    try:
        while follow or not await tail.is_at_end():
            for record in await tail.read():
                yield json.loads(record.value), record.value
    finally:
        await tail.stop()
