"""How the bench sends, and how often it looks."""

import asyncio
from collections.abc import Iterable
from itertools import pairwise
from typing import cast

from streams.kafka.producer import Dispatch, Outbox, Outgoing
from streams.lab.bench import bench_batches
from streams.send.transactions import dealt_slices, send_batches, send_slices


class Taking:
    """An outbox that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, list[Outgoing]]] = []

    async def partitions(self, _: str) -> int:
        return 4

    async def send(
        self, topic: str, partition: int, records: Iterable[Outgoing]
    ) -> list[asyncio.Future[object]]:
        assert topic == "transactions"
        self.sent.append((partition, list(records)))
        return []


def test_slices_made_before_are_sent_as_batches_are() -> None:
    batches = list(bench_batches(1700))

    async def by_batches(outbox: Taking) -> list[int]:
        sending = send_batches(cast("Outbox", outbox), "transactions", batches)
        return [sent async for sent in sending]

    async def by_slices(outbox: Taking) -> list[int]:
        dispatch = await Dispatch.to(cast("Outbox", outbox), "transactions")
        slices = list(dealt_slices(dispatch, batches, 1000.0))
        assert not outbox.sent
        return [sent async for sent in send_slices(dispatch, slices, 1e9)]

    one, other = Taking(), Taking()
    *counts, _ = asyncio.run(by_batches(one))
    assert asyncio.run(by_slices(other)) == counts
    assert all(earlier < later for earlier, later in pairwise(counts))
    assert counts[-1] == 1700
    assert other.sent == one.sent
