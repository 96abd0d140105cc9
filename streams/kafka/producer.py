"""Writes records a batch at a time and hands back the broker's acknowledgements.

A producer call for each record costs some 20 us; a batch built here costs 1 to 2 us a record.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Final, NamedTuple, Self, overload

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import Cluster, no_answer
from streams.kafka.connections import end_with_broker
from streams.kafka.partitioner import dealer
from streams.settings import RECORD_BYTES_MAX

if TYPE_CHECKING:
    from monitor.ledger.rows import WrittenRecords

BATCH_BYTES_MAX: Final = RECORD_BYTES_MAX
"""Of several records that are sent together."""

_OVERHEAD_BYTES: Final = 150  # of a batch of one record (61), and of the record, at most
_HEADER_OVERHEAD_BYTES: Final = 10


class Outgoing(NamedTuple):
    """A record to be written: `value` None is a tombstone."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class _Encoded(Sequence[Outgoing]):
    """Records that are bytes already; each is made for whoever asks for it."""

    @overload
    def __getitem__(self, place: int, /) -> Outgoing: ...
    @overload
    def __getitem__(self, place: slice, /) -> Sequence[Outgoing]: ...
    def __getitem__(self, place: int | slice, /) -> Outgoing | Sequence[Outgoing]:
        """Return one of the records, or some."""
        return list(self)[place]


class OutgoingRows(_Encoded):
    """Records that stand as bytes in arrays, and that an Outbox writes in one go."""

    def __init__(self, written: Sequence["WrittenRecords"]) -> None:
        self.written = written

    def __len__(self) -> int:
        """Return how many records they are."""
        return sum(map(len, self.written))

    def __iter__(self) -> Iterator[Outgoing]:
        """Yield the records one by one."""
        for written in self.written:
            yield from starmap(Outgoing, written.pairs())


class Prepared(_Encoded):
    """Records that were made a batch before, but for the time at which they are written.

    Raises RecordTooLargeError if they have no room in one batch.
    """

    def __init__(self, records: Sequence[Outgoing]) -> None:
        from streams.kafka.built_batch import section_of  # noqa: PLC0415 - loads kernels

        if (size := sum(map(record_bytes, records))) > BATCH_BYTES_MAX:
            raise RecordTooLargeError(f"{len(records)} records have {size:,} bytes: too many")
        assert not any(record.headers for record in records), "a section is made without headers"
        self.section, self._count = section_of((record.key, record.value) for record in records)

    def __len__(self) -> int:
        """Return how many records they are."""
        return self._count

    def __iter__(self) -> Iterator[Outgoing]:
        """Yield the records one by one."""
        from streams.kafka.built_batch import pairs_of  # noqa: PLC0415 - as above

        yield from starmap(Outgoing, pairs_of(self.section, self._count))


class RecordTooLargeError(RuntimeError):
    """A record that no topic takes, of ours: whoever makes records bounds or splits them before."""


def record_bytes(record: Outgoing) -> int:
    """Return how many bytes a record takes at most, in a batch of its own."""
    size = _OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += _HEADER_OVERHEAD_BYTES + len(name.encode()) + len(value)
    return size


def ensure_fits(topic: str, record: Outgoing) -> None:
    """Raise RecordTooLargeError if a record is larger than RECORD_BYTES_MAX."""
    size = record_bytes(record)
    if size > RECORD_BYTES_MAX:
        raise RecordTooLargeError(
            f"a record for {topic} with a key of {len(record.key or b'')} bytes must have at most"
            f" {RECORD_BYTES_MAX:,} bytes, not {size:,}: this is a fault of Weir, please report it"
        )


class Outbox:
    """A producer of whole batches to partitions that the caller names; acks of all replicas.

    As `async with Outbox(...)` it is connected, and disconnected once all that is queued was sent;
    a broker that does not answer, or no longer, is a BrokerError then: so is one that has not taken
    all, whether or not anybody waits for the acknowledgements.

    A producer has one request at a broker at a time, so a record waits until all that was sent
    before it is answered. Each group of topics in `apart` has a producer of its own, and its
    records wait for each other only.
    """

    def __init__(
        self, broker: Cluster, client_id: str = "weir", apart: Sequence[Collection[str]] = ()
    ) -> None:
        self._broker = broker
        self._producer_of = {
            topic: number for number, topics in enumerate(apart, start=1) for topic in topics
        }
        self._producers = [
            AIOKafkaProducer(
                **broker.for_aiokafka(),
                client_id=client_id,
                acks="all",
                max_batch_size=BATCH_BYTES_MAX,
                linger_ms=0,
            )
            for _ in range(1 + len(apart))
        ]
        for producer in self._producers:
            end_with_broker(producer.client)
        self._partitions: dict[str, int] = {}
        self.bytes_sent = 0
        self.arrived = 0  # records that the broker has acknowledged
        self.clock_ahead_seconds = 0.0  # of Kafka's timestamps; only a drill has a wrong clock
        self._refusal: BaseException | None = None  # the first one
        self._sent_at: dict[asyncio.Future[object], float] = {}  # in order, of time.monotonic

    async def __aenter__(self) -> Self:
        is_connected = False
        try:
            await self.start()
            is_connected = True
        except KafkaError as error:
            raise no_answer(self._broker, error) from error
        finally:
            if not is_connected:  # or cancelled: a Ctrl-C may come here, too
                await self.stop()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, _: object) -> None:
        try:
            await self.stop()
        except KafkaError as late:
            if error is None:
                error = late
        await asyncio.sleep(0)  # what came of the last batches is noted in the loop's next turn
        if error is None:
            error = self._refusal
        if isinstance(error, KafkaError):
            raise BrokerError(
                f"the broker at {self._broker} does not take records any more"
                f" ({type(error).__name__})"
            ) from error

    async def start(self) -> None:
        """Connect. Raises aiokafka.errors.KafkaConnectionError where there is no broker."""
        for producer in self._producers:
            await producer.start()

    async def stop(self) -> None:
        """Send what is queued, and disconnect."""
        outcomes = await asyncio.gather(
            *(producer.stop() for producer in self._producers), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def wait_for(self, seconds: float) -> None:
        """Let records wait so long for a broker that does not take them, before they are refused.

        Without it they wait for 40 s, as long as for the answer to a request.
        """
        for producer in self._producers:
            producer._request_timeout_ms = round(seconds * 1000)  # noqa: SLF001 - for room in a queue; no setting leads there
            producer._message_accumulator._batch_ttl = seconds  # noqa: SLF001 - nor there

    def waiting_seconds(self) -> float:
        """Return for how long the oldest batch waits for its acknowledgement; 0 if none does."""
        first = next(iter(self._sent_at.values()), None)
        return 0.0 if first is None else time.monotonic() - first

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        if topic not in self._partitions:
            self._partitions[topic] = len(await self._producer(topic).partitions_for(topic))
        return self._partitions[topic]

    async def send(
        self, topic: str, partition: int, records: Iterable[Outgoing]
    ) -> list[asyncio.Future[object]]:
        """Queue records for a partition, in order; return the acknowledgement of each batch.

        Raises RecordTooLargeError, before any is queued, if one is larger than a topic takes.
        """
        acks: list[asyncio.Future[object]] = []
        if isinstance(records, OutgoingRows | Prepared):
            from streams.kafka.built_batch import BuiltBatch, built_batches  # noqa: PLC0415 - as above

            now = self._written_ms() or round(time.time() * 1000)
            if isinstance(records, Prepared):
                built = BuiltBatch(records.section, len(records), now)
                return [await self._queue(built, topic, partition)] if records else []
            for built in built_batches(records.written, now, BATCH_BYTES_MAX):
                acks.append(await self._queue(built, topic, partition))  # noqa: PERF401 - sent one by one
            return acks
        records = tuple(records)
        for record in records:
            ensure_fits(topic, record)
        producer = self._producer(topic)
        batch, written_ms = producer.create_batch(), self._written_ms()
        for record in records:
            if not _append(batch, record, written_ms):
                acks.append(await self._queue(batch, topic, partition))
                batch = producer.create_batch()
                appended = _append(batch, record, written_ms)
                assert appended, "an empty batch takes any record"
        if batch.record_count():
            acks.append(await self._queue(batch, topic, partition))
        return acks

    async def write(self, topic: str, partition: int, records: Iterable[Outgoing]) -> None:
        """Send records, and wait until the broker has them all."""
        await acknowledged(await self.send(topic, partition, records))

    def _written_ms(self) -> int | None:
        """Return the timestamp of records that are written now; None if aiokafka is to say."""
        if not self.clock_ahead_seconds:
            return None
        return round((time.time() + self.clock_ahead_seconds) * 1000)

    def _producer(self, topic: str) -> AIOKafkaProducer:
        return self._producers[self._producer_of.get(topic, 0)]

    async def _queue(self, batch: object, topic: str, partition: int) -> asyncio.Future[object]:
        batch.close()  # type: ignore[attr-defined]  # aiokafka's BatchBuilder is not exported
        self.bytes_sent += batch.size()  # type: ignore[attr-defined]
        ack: asyncio.Future[object] = await self._producer(topic).send_batch(
            batch, topic, partition=partition
        )
        self._sent_at[ack] = time.monotonic()
        ack.add_done_callback(partial(self._note, batch.record_count()))  # type: ignore[attr-defined]
        return ack

    def _note(self, records: int, ack: asyncio.Future[object]) -> None:
        self._sent_at.pop(ack, None)
        if ack.cancelled():
            return
        refusal = ack.exception()
        if refusal is None:
            self.arrived += records
        elif self._refusal is None:
            self._refusal = refusal


def _append(batch: object, record: Outgoing, written_ms: int | None) -> bool:
    return (
        batch.append(  # type: ignore[attr-defined]
            key=record.key, value=record.value, timestamp=written_ms, headers=list(record.headers)
        )
        is not None
    )


async def acknowledged(acks: Sequence[asyncio.Future[object]]) -> list[object]:
    """Wait for acknowledgements, and return what the broker said (each has the batch's `offset`).

    Raises the first error of the broker, after all are there.
    """
    outcomes = await asyncio.gather(*acks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes


def is_of_broker(error: BaseException) -> bool:
    """Return whether a broker does not answer, or cannot do now what it is asked.

    Asking it again later may help, and nothing of ours is at fault.
    """
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, KafkaTimeoutError)
    return isinstance(error, BrokerError)


IN_FLIGHT_MAX: Final = 16
"""Batches that wait for the broker's acknowledgement at most."""


class Dispatch:
    """Sends records to a topic, in order, each to the partition of its account.

    Records without an account go to the first partition, but to each partition if their value
    `is_for_all`. `sent` counts them. What is larger than a
    topic takes is not sent, and stands in `too_large`, as the bytes that it has.
    """

    def __init__(
        self,
        outbox: Outbox,
        topic: str,
        partitions: int,
        is_for_all: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self.sent = 0
        self.too_large: list[int] = []
        self._outbox = outbox
        self._topic = topic
        self._deal = dealer(partitions)
        self._partitions = partitions
        self._is_for_all = is_for_all
        self._acks: list[asyncio.Future[object]] = []

    @classmethod
    async def to(
        cls, outbox: Outbox, topic: str, is_for_all: Callable[[bytes], bool] = lambda _: False
    ) -> Self:
        """Return one for a topic, whose partitions the broker is asked for."""
        return cls(outbox, topic, await outbox.partitions(topic), is_for_all)

    async def send(self, records: Iterable[tuple[str | None, Outgoing]]) -> None:
        """Send records, each with the id of its account; wait where too many are under way."""
        await self.send_dealt(self.deal(records))

    def deal(self, records: Iterable[tuple[str | None, Outgoing]]) -> dict[int, list[Outgoing]]:
        """Return records by the partitions of their accounts, but for those that are too large."""
        dealt: dict[int, list[Outgoing]] = {}
        for account_id, outgoing in records:
            if (size := record_bytes(outgoing)) > RECORD_BYTES_MAX:
                self.too_large.append(size)
                continue
            partitions = [self._deal(account_id)] if account_id else self._of_no_account(outgoing)
            for partition in partitions:
                dealt.setdefault(partition, []).append(outgoing)
        return dealt

    def _of_no_account(self, outgoing: Outgoing) -> Iterable[int]:
        is_for_all = outgoing.value is not None and self._is_for_all(outgoing.value)
        return range(self._partitions if is_for_all else 1)

    async def send_dealt(self, dealt: Mapping[int, Sequence[Outgoing]]) -> None:
        """Send records by their partitions; wait where too many are under way."""
        for partition, outgoings in dealt.items():
            self._acks += await self._outbox.send(self._topic, partition, outgoings)
            self.sent += len(outgoings)
        if len(self._acks) > IN_FLIGHT_MAX:
            await acknowledged(self._acks[:-IN_FLIGHT_MAX])
            del self._acks[:-IN_FLIGHT_MAX]

    async def finish(self) -> None:
        """Wait until the broker has them all."""
        await acknowledged(self._acks)
