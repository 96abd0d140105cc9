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
from streams.feed.envelopes.mapped import records_reading
from streams.kafka.cluster import cluster_of
from streams.kafka.reader import TopicReader
from streams.settings import Settings
from streams.topics.catalog import Topics

BEFORE: Final = 50_000
AFTER: Final = 10_000
"""Records of the partition that are read around the one that is named."""

SECONDS_MAX: Final = 15.0


class TransactionTopic:
    """The transactions topic, read around a record when somebody asks for an account's."""

    def __init__(self, settings: Settings) -> None:
        self._broker = cluster_of(settings)
        self._topic = Topics.of(settings).transactions
        self._records = records_reading(settings)

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
        key, end = self._records.key_of(account_id), offset + AFTER
        tail = TopicReader(self._broker, self._topic, [partition])
        await tail.start()
        first: int | None = None
        found: list[SeenTransaction] = []
        position = 0
        try:
            tail.go_to(partition, max(0, offset - BEFORE))
            while position < end and not await tail.is_read(partition):
                records = await tail.read()
                if not records:
                    continue
                first = records[0].offset if first is None else first
                position = records[-1].offset + 1
                near = [
                    record
                    for record in records
                    if record.offset < end and (key is None or record.key == key)
                ]
                run = await self._records.read([near])
                found += [
                    SeenTransaction(seen, item)
                    for seen, item in zip(run.offsets, run.items, strict=True)
                    if isinstance(item, Transaction) and item.account_id == account_id
                ]
        finally:
            await tail.stop()
        return FoundTransactions(found, first or 0, max(position - 1, 0))
