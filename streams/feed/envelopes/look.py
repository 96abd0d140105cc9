"""A look at the last records of the transactions topic: what its map makes of them."""

from collections import Counter
from typing import Final, NamedTuple

from monitor.core.transaction import Heartbeat, LeftOut, Rejection
from streams.feed.envelopes.mapped import records_reading
from streams.kafka.admin import partitions_of
from streams.kafka.cluster import cluster_of
from streams.kafka.reader import TopicReader
from streams.settings import Settings
from streams.topics.catalog import Topics

LAST_RECORDS: Final = 100
"""So many offsets of each partition are looked at, from its end."""


class MapLook(NamedTuple):
    """What a map makes of some records: how many are what, and an example of each rejection.

    `rejected` has the number of records and the first detail by the reason.
    """

    records: int
    transactions: int
    left_out: int
    rejected: dict[str, tuple[int, str]]

    @property
    def fits(self) -> bool:
        """Whether the map does not reject more than half of them: then it is of other records."""
        return 2 * sum(count for count, _ in self.rejected.values()) <= self.records

    def text(self) -> str:
        """Return it as a sentence."""
        if not self.records:
            return "the topic has no record to try the map on: check again once there is one"
        said = [f"{self.transactions} are transactions"]
        if self.left_out:
            said.append(f"{self.left_out} are left out by [[where]]")
        said += [
            f"{count} are rejected as {reason} ({detail})"
            for reason, (count, detail) in self.rejected.items()
        ]
        text = f"of the last {self.records} records, by the map: {', '.join(said)}"
        return text if self.fits else f"wrong: {text}. Mend the map before workers read by it"


async def look_at(settings: Settings) -> MapLook:
    """Read the end of the topic by the map of the settings, or without one.

    Raises FeedError if the map cannot be used, OSError, BrokerError if no broker answers.
    """
    reading = records_reading(settings)
    topic = Topics.of(settings).transactions
    count = partitions_of(cluster_of(settings), topic) or 0
    counts: Counter[str] = Counter()
    rejected: dict[str, tuple[int, str]] = {}
    tail = TopicReader(cluster_of(settings), topic, count)
    await tail.start()
    try:
        for number in range(count):
            for record in await tail.last_of(number, LAST_RECORDS):
                (item,) = (await reading.read([[record]])).items
                counts["records"] += 1
                if isinstance(item, LeftOut):
                    counts["left out"] += 1
                elif isinstance(item, Rejection) and not isinstance(item, Heartbeat):
                    before, detail = rejected.get(item.reason.value, (0, item.detail))
                    rejected[item.reason.value] = before + 1, detail
                else:
                    counts["transactions"] += not isinstance(item, Rejection)
    finally:
        await tail.stop()
    return MapLook(counts["records"], counts["transactions"], counts["left out"], rejected)
