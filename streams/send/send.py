"""One call of `weir send`: accounts first, then transactions, and what came of it."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from monitor.core.attributes import AccountRecord
from streams.feed.lateness import RowOrder, is_too_many
from streams.feed.reader import Batch
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox
from streams.send.accounts import send_accounts
from streams.send.transactions import send_batches, send_heartbeat
from streams.settings import RECORD_BYTES_MAX, Settings
from streams.topics.catalog import Topics


def too_large_text(sizes: Sequence[int]) -> str:
    """Return what is said of records that no topic takes, by their bytes."""
    return (
        f"{len(sizes):,} records are larger than a topic takes, and were not sent: a record must"
        f" have at most {RECORD_BYTES_MAX:,} bytes, the largest has {max(sizes):,}"
    )


class Sending:
    """What is to be sent; None if there is nothing of a sort. A heartbeat is a time.

    `warning` says what is wrong with the order of the rows that were sent, if anything is.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Iterable[AccountRecord] | None,
        batches: Iterable[Batch] | None,
        heartbeat: int | None = None,
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._batches = batches
        self._heartbeat = heartbeat
        self.warning: str | None = None
        self.too_large: list[int] = []  # the bytes of each record that no topic takes
        self._outbox: Outbox | None = None
        self._sent = 0

    async def run(self, rate: float | None = None, *, forget: bool = False) -> dict[str, Any]:
        """Send all; return how many records went to which topic, and in which time.

        At most `rate` transactions a second are sent, where one is given. `forget`: of accounts,
        tombstones are sent. Raises BrokerError, which says how many arrived, if the broker does not
        answer any more.
        """
        result = dict[str, Any]()
        started = time.perf_counter()
        try:
            async with Outbox(cluster_of(self._settings)) as outbox:
                self._outbox = outbox
                await self._send(outbox, result, rate, forget=forget)
        except BrokerError as error:
            raise BrokerError(
                f"{error}: {self.progress()}. Send the files again once it does:"
                " a transaction that is there already is rejected as a duplicate"
            ) from error
        if self.too_large:
            result["too_large"] = len(self.too_large)
        return result | {"seconds": round(time.perf_counter() - started, 3)}

    def progress(self) -> str:
        """Return how many records were sent, and how many the broker has for certain."""
        arrived = 0 if self._outbox is None else self._outbox.arrived
        return f"{self._sent:,} sent, {arrived:,} of them acknowledged"

    async def _send(
        self, outbox: Outbox, result: dict[str, Any], rate: float | None, *, forget: bool
    ) -> None:
        topics = Topics.of(self._settings)
        if self._accounts is not None:
            sent_accounts = await send_accounts(
                outbox, topics.accounts, self._accounts, forget=forget, too_large=self.too_large
            )
            self._sent = result["accounts_sent"] = sent_accounts
            result["accounts_topic"] = topics.accounts
        if self._batches is not None:
            before = self._sent
            order = RowOrder()
            sent = send_batches(
                outbox, topics.transactions, self._batches, rate, order, self.too_large
            )
            result |= {"sent": 0, "topic": topics.transactions}
            async for number in sent:
                result["sent"] = number
                self._sent = before + number
            result["late"] = order.late
            if is_too_many(order.late, order.rows):
                self.warning = _late_text(order)
        if self._heartbeat is not None:
            sent_to = await send_heartbeat(outbox, topics.transactions, self._heartbeat)
            result |= {"heartbeats": sent_to, "topic": topics.transactions}


def _late_text(order: RowOrder) -> str:
    return (
        f"{order.late:,} of {order.rows:,} rows are dated more than two days before rows that were"
        " sent earlier: if the policy's allowed_lateness is not longer, they are too-late."
        f" {order.likely_cause()}"
    )
