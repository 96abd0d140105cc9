"""Partitions that wait for a second account, by the seals that their workers wrote last."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from monitor.core.business_day import event_time_text
from monitor.ledger.watermark import Watermark
from streams.kafka.admin import partitions_of
from streams.kafka.cluster import cluster_of
from streams.kafka.reader import TopicReader
from streams.settings import Settings
from streams.state import changelog, keys
from streams.state.keys import StateError
from streams.topics.catalog import Topics

LAST_RECORDS: Final = 500
"""So many offsets from its end a changelog is read: each flush ends with a seal."""


class HeldBack(NamedTuple):
    """A partition whose watermark waits; both times are RFC 3339."""

    partition: int
    account_id: str
    dated: str
    watermark: str
    seconds: int

    def text(self) -> str:
        """Return it as a sentence."""
        return (
            f"partition {self.partition}: account {self.account_id} has records dated {self.dated},"
            f" all others end at {self.watermark}: the watermark waits for a second account, and"
            " days stay open until then (by the worker's last flush)"
        )


class WaitingPartitions(NamedTuple):
    """The partitions that wait, and those of which no seal is there, or none that can be read."""

    held_back: list[HeldBack]
    unknown: list[int]


def waiting_of(last: dict[int, dict[bytes, bytes]], partitions: Iterable[int]) -> WaitingPartitions:
    """Return what the latest seals say; `last` has the last records of each partition by key."""
    found = WaitingPartitions([], [])
    for number in partitions:
        seals = {key: value for key, value in last.get(number, {}).items() if keys.is_seal(key)}
        try:
            seal = changelog.newest_seal(seals)
        except StateError:
            seal = None
        if seal is None:
            found.unknown.append(number)
            continue
        marks = Watermark(0, 0)
        marks.restore(seal.watermark)
        if marks.held_back:
            dated, watermark = map(event_time_text, (marks.first, marks.clock))
            seconds = marks.held_back // 1_000_000
            found.held_back.append(HeldBack(number, marks.leader, dated, watermark, seconds))
    return found


async def read_waiting(settings: Settings) -> WaitingPartitions:
    """Read the ends of the changelog. Raises BrokerError if no broker answers."""
    topic = Topics.of(settings).changelog
    count = partitions_of(cluster_of(settings), topic) or 0
    last: dict[int, dict[bytes, bytes]] = {number: {} for number in range(count)}
    if not count:
        return WaitingPartitions([], [])
    tail = TopicReader(cluster_of(settings), topic, count)
    await tail.start()
    try:
        gone_to: set[int] = set()
        while len(gone_to) < count or not await tail.is_at_end():
            records: list[Any] = await tail.read()
            for number in last.keys() - gone_to:
                end = tail.end_of(number)
                if end is not None:
                    gone_to.add(number)
                    tail.go_to(number, max(end - LAST_RECORDS, 0))
            for record in records:
                if record.key is not None and record.value is not None:
                    last[record.partition][record.key] = record.value
    finally:
        await tail.stop()
    return waiting_of(last, range(count))
