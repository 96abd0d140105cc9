"""One call of `weir send`: accounts first, then transactions, and what came of it."""

import time
from collections.abc import Iterable
from typing import Any

from monitor.core.attributes import AccountRecord
from monitor.settings import Settings
from streams.admin import partitions_of
from streams.broker import BrokerError
from streams.feed import Batch
from streams.outbox import Outbox
from streams.row_order import RowOrder, is_too_many
from streams.send import send_batches
from streams.send_accounts import send_accounts
from streams.topics import RECORD_BYTES_MAX, Topics


def ensure_topic(settings: Settings, topic: str) -> None:
    """Raise BrokerError where a topic is not there, or no broker answers."""
    if partitions_of(settings.broker, topic) is None:
        raise BrokerError(f"there is no topic {topic}: create it by weir check --create-topics")


class Sending:
    """What is to be sent; None where there is nothing of a sort.

    `warning` says what is wrong with the order of the rows that were sent, if anything is.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Iterable[AccountRecord] | None,
        batches: Iterable[Batch] | None,
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._batches = batches
        self.warning: str | None = None

    async def run(self, rate: float | None = None, *, forget: bool = False) -> dict[str, Any]:
        """Send all; return how many records went to which topic, and in which time.

        At most `rate` transactions a second are sent, where one is given. `forget`: of accounts,
        tombstones are sent.
        """
        topics, result, order = Topics.of(self._settings), dict[str, Any](), RowOrder()
        outbox = Outbox(self._settings.broker, request_bytes_max=RECORD_BYTES_MAX)
        started = time.perf_counter()
        await outbox.start()
        try:
            if self._accounts is not None:
                result["accounts_sent"] = await send_accounts(
                    outbox, topics.accounts, self._accounts, forget=forget
                )
                result["accounts_topic"] = topics.accounts
            if self._batches is not None:
                sent = send_batches(outbox, topics.transactions, self._batches, rate, order)
                result["sent"] = max([number async for number in sent], default=0)
                result["topic"] = topics.transactions
                result["late"] = order.late
                if is_too_many(order.late, order.rows):
                    self.warning = _late_text(order)
        finally:
            await outbox.stop()
        return result | {"seconds": round(time.perf_counter() - started, 3)}


def _late_text(order: RowOrder) -> str:
    return (
        f"{order.late:,} of {order.rows:,} rows are dated more than two days before rows that were"
        " sent earlier: if the policy's allowed_lateness is not longer, they are too-late."
        f" {order.likely_cause()}"
    )
