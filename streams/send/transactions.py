"""Sends rows of files to the transactions topic, dealt as every producer of Kafka deals them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Final

from monitor.core.business_day import event_time_of
from streams.feed.lateness import RowOrder
from streams.feed.reader import Batch
from streams.feed.rows import records_of
from streams.kafka.producer import Dispatch, Outbox, Outgoing, Prepared
from streams.wire.codec import heartbeat_bytes, is_heartbeat

SLICE_RECORDS: Final = 500
"""Records that are sent at a time: a paced stream comes in drops, not in floods."""

SLICE_RECORDS_MAX: Final = 2000

LINGER_SECONDS: Final = 0.01
"""A fast producer waits so long for a batch to fill, as Kafka's `linger.ms` is set for them."""


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
    dispatch = await Dispatch.to(outbox, topic, is_heartbeat)
    if too_large is not None:
        dispatch.too_large = too_large
    started = time.monotonic()
    for batch in batches:
        records = list(records_of(batch))
        if order is not None:
            times = (event_time_of(booked_at or "") for _, _, booked_at in records)
            order.take(batch.path, [time for time in times if time is not None])
        for part in _slices(records):
            await dispatch.send(part)
            yield dispatch.sent
            if rate:
                await asyncio.sleep(max(0.0, started + dispatch.sent / rate - time.monotonic()))
    await dispatch.finish()
    yield dispatch.sent


async def send_heartbeat(outbox: Outbox, topic: str, event_time: int) -> int:
    """Say to each partition that all up to a time was sent; return how many there are."""
    dispatch = await Dispatch.to(outbox, topic, is_heartbeat)
    await dispatch.send([(None, Outgoing(None, heartbeat_bytes("weir send", event_time)))])
    await dispatch.finish()
    return dispatch.sent


def dealt_slices(
    dispatch: Dispatch, batches: Iterable[Batch], rate: float
) -> Iterator[dict[int, Prepared]]:
    """Yield the records of batches that are sent at a time at a rate, by their partitions.

    They are those of LINGER_SECONDS, and no fewer than `send_batches` sends at a time. As batches
    that are made before they cost next to nothing when they are sent. Raises RecordTooLargeError if
    they are too large for that.
    """
    size = min(max(SLICE_RECORDS, round(rate * LINGER_SECONDS)), SLICE_RECORDS_MAX)
    for batch in batches:
        for part in _slices(list(records_of(batch)), size):
            dealt = dispatch.deal(part)
            yield {partition: Prepared(records) for partition, records in dealt.items()}


async def send_slices(
    dispatch: Dispatch, slices: Iterable[dict[int, Prepared]], rate: float
) -> AsyncIterator[int]:
    """Send slices made before, at most `rate` records a second; `dealt_slices` makes them."""
    started = time.monotonic()
    for part in slices:
        await dispatch.send_dealt(part)
        yield dispatch.sent
        await asyncio.sleep(max(0.0, started + dispatch.sent / rate - time.monotonic()))
    await dispatch.finish()


def _slices(
    records: Sequence[tuple[str | None, bytes, str | None]], size: int = SLICE_RECORDS
) -> Iterator[list[tuple[str | None, Outgoing]]]:
    for first in range(0, len(records), size):
        part = records[first : first + size]
        yield [(account_id, _outgoing(account_id, value)) for account_id, value, _ in part]


def _outgoing(account_id: str | None, value: bytes) -> Outgoing:
    """Return a row's record. Its Kafka timestamp is the time of sending: a row is judged by it."""
    key = account_id.encode(errors="surrogateescape") if account_id else None
    return Outgoing(key, value)
