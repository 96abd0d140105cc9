"""A reader of a topic knows where it ends, on the broker that says it wrongly, too."""

import asyncio
from pathlib import Path

from monitor.policy.document import DEFAULT_POLICY
from streams.kafka.producer import Outbox, Outgoing
from streams.kafka.reader import TopicReader
from streams.topics.catalog import Topics
from tests.support.rigs import Broker, own_rig


async def read_to_the_end(tail: TopicReader) -> list[bytes]:
    values: list[bytes] = []
    while not await tail.is_at_end():
        values += [record.value for record in await tail.read()]
    return values


def test_what_came_since_the_last_look_is_read_too(broker: Broker, tmp_path: Path) -> None:
    async def run() -> None:
        with own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="3") as settings:
            topic = Topics.of(settings).alerts
            outbox = Outbox(settings.broker)
            tail = TopicReader(settings.broker, topic, partitions=3)
            await outbox.start()
            await tail.start()
            try:
                assert await read_to_the_end(tail) == []
                for number in range(20):
                    values = [b"%d-%d" % (number, place) for place in range(5)]
                    records = [Outgoing(None, value) for value in values]
                    await outbox.write(topic, number % 3, records)
                    await tail.look_again()
                    assert await read_to_the_end(tail) == values
            finally:
                await tail.stop()
                await outbox.stop()

    asyncio.run(run())
