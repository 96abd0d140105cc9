"""Sends rows of files to the transactions topic, dealt as every producer of Kafka deals them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Final

from monitor.core.business_day import event_time_of
from streams import codec
from streams.dealing import dealer
from streams.feed import Batch
from streams.outbox import Outbox, Outgoing, acknowledged
from streams.replay import records_of

SLICE_RECORDS: Final = 500
"""Records that are sent at a time: a paced stream comes in drops, not in floods."""

IN_FLIGHT_MAX: Final = 16
"""Batches that wait for the broker's acknowledgement at most."""

_FROM_FILE: Final = ((codec.FROM_FILE_HEADER, b"1"),)


async def send_batches(
    outbox: Outbox, topic: str, batches: Iterable[Batch], rate: float | None = None
) -> AsyncIterator[int]:
    """Send the rows of batches in order, and yield how many were sent so far, slice by slice.

    At most `rate` records a second, where one is given. The last number comes when the broker has
    acknowledged them all.
    """
    deal = dealer(await outbox.partitions(topic))
    started, sent = time.monotonic(), 0
    acks: list[asyncio.Future[object]] = []
    for batch in batches:
        now = time.time_ns() // 1000
        records = list(records_of(batch))
        for first in range(0, len(records), SLICE_RECORDS):
            part = records[first : first + SLICE_RECORDS]
            dealt: dict[int, list[Outgoing]] = {}
            for account_id, value, booked_at in part:
                moment = event_time_of(booked_at) if booked_at else None
                # Only a time to come needs the header that says it is out of a file.
                headers = _FROM_FILE if moment is not None and moment > now else ()
                key = account_id.encode(errors="surrogateescape") if account_id else None
                partition = deal(account_id) if account_id else 0
                dealt.setdefault(partition, []).append(Outgoing(key, value, headers))
            for partition, outgoing in dealt.items():
                acks += await outbox.send(topic, partition, outgoing)
            sent += len(part)
            if len(acks) > IN_FLIGHT_MAX:
                await acknowledged(acks[:-IN_FLIGHT_MAX])
                del acks[:-IN_FLIGHT_MAX]
            yield sent
            if rate:
                await asyncio.sleep(max(0.0, started + sent / rate - time.monotonic()))
    await acknowledged(acks)
    yield sent
