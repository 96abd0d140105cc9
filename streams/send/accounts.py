"""Sends accounts to their topic, each to the partition that its transactions go to."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from monitor.core.attributes import AccountRecord
from streams.kafka.producer import Dispatch, Outbox, Outgoing
from streams.wire.accounts import account_record_bytes

SLICE_RECORDS: Final = 5000


async def send_accounts(
    outbox: Outbox,
    topic: str,
    accounts: Iterable[AccountRecord],
    *,
    forget: bool = False,
    too_large: list[int] | None = None,
) -> int:
    """Send accounts in order; return how many, once the broker has them all.

    `forget`: tombstones are sent, so that nothing is known of them any more. `too_large` gets the
    bytes of each account that no topic takes.
    """
    dispatch = await Dispatch.to(outbox, topic)
    if too_large is not None:
        dispatch.too_large = too_large
    records = iter(accounts)
    while part := list(islice(records, SLICE_RECORDS)):
        await dispatch.send(
            (record.account_id, _outgoing(record, forget=forget)) for record in part
        )
    await dispatch.finish()
    return dispatch.sent


def _outgoing(record: AccountRecord, *, forget: bool) -> Outgoing:
    return Outgoing(record.account_id.encode(), None if forget else account_record_bytes(record))
