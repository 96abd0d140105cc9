"""Reads the alerts topic."""

import json
from collections.abc import AsyncIterator
from typing import Any

from monitor.settings import Settings
from streams.admin import require_topic
from streams.alert_list import with_told_at
from streams.tail import records_of_topic
from streams.topics import Topics


async def read_alerts(settings: Settings, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
    """Yield every alert that the topic holds, with when it was told; and go on if told to.

    Raises BrokerError if no broker answers, or there is no such topic.
    """
    topic = Topics.of(settings).alerts
    partitions = require_topic(settings.broker, topic)
    async for record in records_of_topic(settings.broker, topic, partitions, follow=follow):
        yield with_told_at(json.loads(record.value), record.timestamp)
