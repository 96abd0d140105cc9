"""Finds the transactions of an account on the topic, around the record that an alert names."""

import asyncio
from typing import Final

from aiokafka.errors import KafkaError

from monitor.console.transactions import (
    FoundTransactions,
    NotReachableError,
    SeenTransaction,
)
from monitor.core.transaction import Transaction
from streams.kafka.cluster import cluster_of
from streams.kafka.reader import TopicReader
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.wire.codec import decode

BEFORE: Final = 50_000
AFTER: Final = 10_000
"""Records of the partition that are read around the one that is named."""

SECONDS_MAX: Final = 15.0


class TransactionTopic:
    """The transactions topic, read around a record when somebody asks for an account's."""

    def __init__(self, settings: Settings) -> None:
        self._broker = cluster_of(settings)
        self._topic = Topics.of(settings).transactions

    async def of_account(self, account_id: str, partition: int, offset: int) -> FoundTransactions:
        """Return the account's transactions around an offset, in the order of the topic.

        Records that are no transaction are left out: they are among the rejections. Raises
        NotReachableError if the broker does not answer in time.
        """
        try:
            async with asyncio.timeout(SECONDS_MAX):
                return await self._read(account_id, partition, offset)
        except (TimeoutError, KafkaError) as error:
            raise NotReachableError(
                f"the broker does not answer: {type(error).__name__}. Try again"
            ) from error

    async def _read(self, account_id: str, partition: int, offset: int) -> FoundTransactions:
        key, end = account_id.encode(), offset + AFTER
        tail = TopicReader(self._broker, self._topic, [partition])
        await tail.start()
        first: int | None = None
        found: list[SeenTransaction] = []
        position = 0
        try:
            tail.go_to(partition, max(0, offset - BEFORE))
            while position < end and not await tail.is_read(partition):
                for record in await tail.read():
                    first = record.offset if first is None else first
                    position = record.offset + 1
                    if record.key == key and record.offset < end:
                        item = decode(record.value)
                        if isinstance(item, Transaction):
                            found.append(SeenTransaction(record.offset, item))
        finally:
            await tail.stop()
        return FoundTransactions(found, first or 0, max(position - 1, 0))
