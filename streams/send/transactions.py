"""Sends rows of files to the transactions topic, dealt as every producer of Kafka deals them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Final

from monitor.core.business_day import event_time_of
from streams.feed.lateness import RowOrder
from streams.feed.reader import Batch
from streams.feed.rows import records_of
from streams.kafka.producer import Dispatch, Outbox, Outgoing

SLICE_RECORDS: Final = 500
"""Records that are sent at a time: a paced stream comes in drops, not in floods."""


async def send_batches(
    outbox: Outbox,
    topic: str,
    batches: Iterable[Batch],
    rate: float | None = None,
    order: RowOrder | None = None,
    too_large: list[int] | None = None,
) -> AsyncIterator[int]:
    """Send the rows of batches in order, and yield how many were sent so far, slice by slice.

    At most `rate` records a second, where one is given. `order` is shown the rows' event times;
    `too_large` gets the bytes of each row that no topic takes. The last number comes when the
    broker has acknowledged them all.
    """
    dispatch = await Dispatch.to(outbox, topic)
    if too_large is not None:
        dispatch.too_large = too_large
    started = time.monotonic()
    for batch in batches:
        records = list(records_of(batch))
        if order is not None:
            times = (event_time_of(booked_at or "") for _, _, booked_at in records)
            order.take(batch.path, [time for time in times if time is not None])
        for first in range(0, len(records), SLICE_RECORDS):
            part = records[first : first + SLICE_RECORDS]
            await dispatch.send((record[0], _outgoing(record[0], record[1])) for record in part)
            yield dispatch.sent
            if rate:
                await asyncio.sleep(max(0.0, started + dispatch.sent / rate - time.monotonic()))
    await dispatch.finish()
    yield dispatch.sent


def _outgoing(account_id: str | None, value: bytes) -> Outgoing:
    """Return a row's record. Its Kafka timestamp is the time of sending: a row is judged by it."""
    key = account_id.encode(errors="surrogateescape") if account_id else None
    return Outgoing(key, value)
