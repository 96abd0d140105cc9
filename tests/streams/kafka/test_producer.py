import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaTimeoutError

from streams.kafka import producer
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import Cluster
from streams.kafka.producer import Outbox, Outgoing


class Batch:
    """A batch that takes any record, and counts them."""

    def __init__(self) -> None:
        self._records = 0

    def append(self, **_: object) -> object:
        self._records += 1
        return self

    def record_count(self) -> int:
        return self._records

    def size(self) -> int:
        return self._records

    def close(self) -> None:
        pass


class Producer:
    """A producer whose broker is gone by the time that it is stopped; it says nothing of that."""

    def __init__(self, **_: object) -> None:
        self._acks: list[asyncio.Future[object]] = []
        self.client = AIOKafkaClient(bootstrap_servers="nowhere:1")

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        for ack in self._acks:
            ack.set_exception(KafkaTimeoutError())

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, *_: object, **__: object) -> asyncio.Future[object]:
        self._acks.append(asyncio.get_running_loop().create_future())
        return self._acks[-1]


def test_what_the_broker_has_not_taken_at_the_end_is_an_error_though_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(producer, "AIOKafkaProducer", Producer)

    async def send() -> None:
        async with Outbox(Cluster("nowhere:1")) as outbox:
            await outbox.send("topic", 0, [Outgoing(b"k", b"v")])

    with pytest.raises(BrokerError, match=r"does not take records any more \(KafkaTimeoutError\)"):
        asyncio.run(send())


def test_an_outbox_that_is_given_up_while_it_connects_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Unanswered(Producer):
        is_ended = False

        async def start(self) -> None:
            await asyncio.Event().wait()

        async def stop(self) -> None:
            Unanswered.is_ended = True

    monkeypatch.setattr(producer, "AIOKafkaProducer", Unanswered)

    async def connect() -> None:
        async with Outbox(Cluster("localhost:1")):
            pass

    async def given_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connect(), timeout=0.01)

    asyncio.run(given_up())
    assert Unanswered.is_ended


def test_records_wait_only_for_those_of_their_own_group_of_topics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[Producer, list[str]]] = []

    class Noted(Producer):
        def __init__(self, **_: object) -> None:
            super().__init__()
            self.topics: list[str] = []
            made.append((self, self.topics))

        async def send_batch(self, *given: object, **named: object) -> asyncio.Future[object]:
            self.topics.append(str(given[1]))
            return await super().send_batch(*given, **named)

        async def stop(self) -> None:
            for ack in self._acks:
                ack.set_result(None)

    monkeypatch.setattr(producer, "AIOKafkaProducer", Noted)

    async def send() -> int:
        async with Outbox(
            Cluster("nowhere:1"), apart=(("alerts", "rejections"), ("state",))
        ) as outbox:
            for topic in ("state", "alerts", "days", "rejections", "state", "alerts"):
                await outbox.send(topic, 0, [Outgoing(b"k", b"v")])
        return outbox.arrived

    assert asyncio.run(send()) == 6
    sent = [topics for _, topics in made]
    assert sent == [["days"], ["alerts", "rejections", "alerts"], ["state", "state"]]


def test_an_error_of_one_producer_is_told_after_all_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[Producer] = []

    class Failing(Producer):
        async def stop(self) -> None:
            ended.append(self)
            if len(ended) == 1:
                raise KafkaTimeoutError

    monkeypatch.setattr(producer, "AIOKafkaProducer", Failing)

    async def send() -> None:
        async with Outbox(Cluster("nowhere:1"), apart=(("alerts",),)):
            pass

    with pytest.raises(BrokerError, match="KafkaTimeoutError"):
        asyncio.run(send())
    assert len(ended) == 2


def test_an_outbox_knows_how_long_the_oldest_of_its_batches_has_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(producer, "AIOKafkaProducer", Producer)
    clock = [100.0]
    now = SimpleNamespace(monotonic=lambda: clock[0], time=lambda: 0.0)
    monkeypatch.setattr(producer, "time", now)

    async def send() -> list[float]:
        outbox, found = Outbox(Cluster("nowhere:1")), []
        acks: list[asyncio.Future[object]] = []
        for clock[0] in (100.0, 103.0):
            acks += await outbox.send("topic", 0, [Outgoing(b"k", b"v")])
        clock[0] = 110.0
        found.append(outbox.waiting_seconds())
        for ack in acks:
            ack.set_result(None)
            await asyncio.sleep(0)
            found.append(outbox.waiting_seconds())
        return found

    assert asyncio.run(send()) == [10.0, 7.0, 0.0]
