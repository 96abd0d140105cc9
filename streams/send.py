"""Sends rows of files to the transactions topic, dealt as every producer of Kafka deals them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Final

from monitor.core.business_day import event_time_of
from streams import codec
from streams.dispatch import Dispatch
from streams.feed import Batch
from streams.outbox import Outbox, Outgoing
from streams.replay import records_of

SLICE_RECORDS: Final = 500
"""Records that are sent at a time: a paced stream comes in drops, not in floods."""

_FROM_FILE: Final = ((codec.FROM_FILE_HEADER, b"1"),)


async def send_batches(
    outbox: Outbox,
    topic: str,
    batches: Iterable[Batch],
    rate: float | None = None,
    too_large: list[int] | None = None,
) -> AsyncIterator[int]:
    """Send the rows of batches in order, and yield how many were sent so far, slice by slice.

    At most `rate` records a second, where one is given. The last number comes when the broker has
    acknowledged them all. `too_large` gets the bytes of each row that no topic takes.
    """
    dispatch = await Dispatch.to(outbox, topic)
    if too_large is not None:
        dispatch.too_large = too_large
    started = time.monotonic()
    for batch in batches:
        now = time.time_ns() // 1000
        records = list(records_of(batch))
        for first in range(0, len(records), SLICE_RECORDS):
            part = records[first : first + SLICE_RECORDS]
            await dispatch.send((record[0], _outgoing(*record, now)) for record in part)
            yield dispatch.sent
            if rate:
                await asyncio.sleep(max(0.0, started + dispatch.sent / rate - time.monotonic()))
    await dispatch.finish()
    yield dispatch.sent


def _outgoing(account_id: str | None, value: bytes, booked_at: str | None, now: int) -> Outgoing:
    moment = event_time_of(booked_at) if booked_at else None
    # Only a time to come needs the header that says it is out of a file.
    headers = _FROM_FILE if moment is not None and moment > now else ()
    key = account_id.encode(errors="surrogateescape") if account_id else None
    return Outgoing(key, value, headers)
