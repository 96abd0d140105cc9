"""Sends accounts to their topic, each to the partition that its transactions go to."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Final

from monitor.core.attributes import AccountRecord
from streams.account_codec import account_record_bytes
from streams.dealing import dealer
from streams.outbox import Outbox, Outgoing, acknowledged

SLICE_RECORDS: Final = 5000
IN_FLIGHT_MAX: Final = 16
"""Batches that wait for the broker's acknowledgement at most."""


async def send_accounts(
    outbox: Outbox,
    topic: str,
    accounts: Iterable[AccountRecord],
    *,
    forget: bool = False,
) -> int:
    """Send accounts in order; return how many, once the broker has them all.

    `forget`: tombstones are sent, so that nothing is known of them any more.
    """
    deal = dealer(await outbox.partitions(topic))
    records = iter(accounts)
    acks: list[asyncio.Future[object]] = []
    sent = 0
    while part := list(islice(records, SLICE_RECORDS)):
        dealt: dict[int, list[Outgoing]] = {}
        for record in part:
            value = None if forget else account_record_bytes(record)
            outgoing = Outgoing(record.account_id.encode(), value)
            dealt.setdefault(deal(record.account_id), []).append(outgoing)
        for partition, outgoings in dealt.items():
            acks += await outbox.send(topic, partition, outgoings)
        sent += len(part)
        if len(acks) > IN_FLIGHT_MAX:
            await acknowledged(acks[:-IN_FLIGHT_MAX])
            del acks[:-IN_FLIGHT_MAX]
    await acknowledged(acks)
    return sent
