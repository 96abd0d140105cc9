"""A Faust transport whose event is a run of records: what one fetch brought of one partition.

Stock Faust spends about 70 us of plumbing on each record before an agent sees it; handed over a
run at a time this is about 3 us, and most of that is aiokafka's objects: `raw_fetch` leaves them
out. Group membership, rebalance, recovery, flow control and the commit timer stay Faust's own. What
is overridden is little, but some of it is private (`_wait_next_records`, `_add_gap`, `_new_offset`,
`_reset_state`, `_active_partitions`), so faust-streaming is pinned exactly and the kill and
rebalance tests run in CI. Runs of aiokafka's records (`WEIR_TRANSPORT=records`) and the plain
transport (`plain`) stay selectable.

What makes it safe: deliveries of a partition are kept in order, and only the acknowledged prefix
of them is committed; whatever is in flight is forgotten at a seek or when a partition is revoked,
because it is fetched again. And nothing is fetched between Faust's seek after a recovery and the
moment at which it has emptied its queues: what came in between would be thrown away with them,
and not come again before the next rebalance.
"""

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, Final, NamedTuple

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError
from aiokafka.structs import TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types.tuples import TP, ConsumerMessage

from streams.kafka.connections import end_with_broker
from streams.kafka.reader import READ_COMMITTED, end_of
from streams.worker.raw_fetch import FetchedRun, fetch_runs

FETCH_WAIT_MS: Final = 25
"""The embedded broker looks after half of it whether records have come, and no sooner."""


class RunMessage(ConsumerMessage):
    """A run of records of one partition as one message; `offset` is that of the last one."""

    __slots__ = ("run",)
    run: FetchedRun


class SingleRecord(NamedTuple):
    """A record as the plain transport delivers it, with what the codec reads of a record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class RunSchema(faust.Schema[Any, Any]):
    """Hands records on as they are, always as the pieces of a run (`FetchedRun.pieces`)."""

    def compile(self, app: Any, **_: Any) -> Any:  # noqa: ANN401 - Faust's own signature
        """Return the function by which Faust makes an event of a message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ANN401, ARG001
            is_run = isinstance(message, RunMessage)
            pieces = message.run.pieces if is_run else [[_single(message)]]
            return faust.Event(app, None, pieces, None, message)

        return decode


def _single(message: Any) -> SingleRecord:  # noqa: ANN401 - Faust's message
    headers = message.headers or ()
    pairs = headers.items() if hasattr(headers, "items") else headers
    return SingleRecord(
        message.offset,
        round(message.timestamp * 1000),
        message.key,
        message.value,
        tuple(pairs),
    )


class Stand(NamedTuple):
    """Where a consumer stands in a partition: what it reads next, and where the partition ends.

    From `end` on, up to `highwater`, records wait for the end of a transaction.
    """

    position: int
    end: int
    highwater: int


REPLACED: Final = frozenset({25, 82})
"""Kafka's errors UNKNOWN_MEMBER_ID, and FENCED_INSTANCE_ID, which aiokafka does not know."""


def end_if_replaced(coordinator: Any, on_replaced: Callable[[], None]) -> None:  # noqa: ANN401 - aiokafka's, which ships no types
    """Call back as soon as the group says that it has a static member no more.

    aiokafka then joins again by the same name, which takes it away from whoever has it by now: two
    workers of one name would fence each other without end.
    """
    send = coordinator._send_req  # noqa: SLF001 - all that a coordinator asks goes through it

    async def send_and_look(request: Any) -> Any:  # noqa: ANN401 - as above
        response = await send(request)
        if getattr(response, "error_code", 0) in REPLACED:
            on_replaced()
        return response

    coordinator._send_req = send_and_look  # noqa: SLF001 - as above


class RunConsumerThread(AIOKafkaConsumerThread):
    """Faust's consumer thread, which reads committed records, and waits less for them to come.

    Faust reads committed records only if it writes by transactions itself. And it lets a fetch wait
    1.5 s: a broker that answers as records come makes nothing of it; one that does not (the
    embedded one) would make every alert late.
    """

    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - no setting leads there
        consumer._isolation_level = READ_COMMITTED  # noqa: SLF001 - nor there
        end_with_broker(consumer._client)  # noqa: SLF001 - nor there
        return consumer

    async def on_start(self) -> None:
        """Start the consumer; what it fetches of run topics stays bytes, if it is to."""
        await super().on_start()
        transport = self.transport
        assert isinstance(transport, RunTransport)
        if transport.has_batches:  # nothing is fetched before the subscription, which comes later
            fetch_runs(self._consumer, transport.run_topics, transport.run_records_max)
        if transport.on_replaced is not None:
            assert self._consumer is not None
            end_if_replaced(self._consumer._coordinator, transport.on_replaced)  # noqa: SLF001 - nothing public leads there

    def stands(self, tps: Iterable[TP]) -> dict[TP, Stand]:
        """Return where the consumer stands in partitions; those without a position are left out."""
        stands: dict[TP, Stand] = {}
        subscription = None
        if self._consumer is not None:
            subscription = self._consumer._subscription.subscription  # noqa: SLF001 - aiokafka's own way is for the other thread
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return stands
        for tp in tps:
            partition = TopicPartition(*tp)
            if partition not in assignment.tps:
                continue
            state = assignment.state_value(partition)
            position = state._position  # noqa: SLF001 - None at times, which `position` asserts it is not
            end = end_of(state.lso, state.highwater)
            if position is not None and end is not None:
                stands[tp] = Stand(position, end, state.highwater)
        return stands


class Fetched(set[TP]):
    """The partitions that are fetched from. Faust changes it while a fetch waits.

    It is true even when empty: to aiokafka a set that is not true means every partition, and Faust
    empties its set for a moment when a recovery ends.
    """

    def __bool__(self) -> bool:
        return True


class RunConsumer(Consumer):
    """Delivers runs for the transport's run topics, and single messages for all others."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Faust's own signature
        self._in_flight: defaultdict[TP, deque[RunMessage]] = defaultdict(deque)
        self._held: set[TP] = set()  # to be resumed as soon as Faust's queues are open
        self._is_open = False
        self._delivered: dict[TP, int] = {}  # the last offset that was handed on
        self._stands: dict[TP, Stand] = {}  # all before its position was handed on
        self._dropped: set[TP] = set()  # of these, something was not; until a seek
        self.assignments = 0  # how often the group has given us partitions, if only none
        super().__init__(*args, **kwargs)
        transport = self.transport
        assert isinstance(transport, RunTransport)
        self._run_topics = transport.run_topics
        self._changelogs = transport.changelogs
        self._run_records_max = transport.run_records_max
        self._has_batches = transport.has_batches

    def _new_consumer_thread(self) -> RunConsumerThread:
        return RunConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's own signature
        """Yield what a fetch brought: runs of the run topics first, then the other topics.

        Records of changelogs come as runs, too: Faust takes some 50 us for each message.
        """
        thread = self._thread
        assert isinstance(thread, RunConsumerThread)
        # Between two fetches nothing is on its way from the consumer to us.
        self._stands = thread.stands(self.assignment())
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            # A rebalance came in between: what was fetched is dropped, and fetched again.
            self._dropped |= records.keys()
            # While its offset was asked for, a partition may have gone to another worker. The
            # assignment that a rebalance ends with seeks all that it gives us, and drops the rest.
            with suppress(IllegalStateError):
                await self.perform_seek()
            return
        in_runs = self._run_topics | self._changelogs
        singles = {tp: run for tp, run in records.items() if tp.topic not in in_runs}
        runs = {tp: run for tp, run in records.items() if tp.topic in in_runs}
        for tp, message in chain(self._messages(runs), self._single_messages(singles)):
            if not self._is_current(generation):
                self._dropped |= records.keys()
                return
            if not self._is_active(tp, active):
                self._dropped.add(tp)
                continue
            self._delivered[tp] = message.offset
            if tp.topic in self._run_topics:
                self._in_flight[tp].append(message)  # before delivery: nothing overtakes it
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, message

    def _messages(self, fetched: dict[TP, list[Any]]) -> Iterator[tuple[TP, RunMessage]]:
        for tp, of_partition in fetched.items():
            has_batches = self._has_batches and tp.topic in self._run_topics
            for run in of_partition if has_batches else self._cut(of_partition):
                yield tp, self._run_message(tp, run)

    def _cut(self, records: list[Any]) -> Iterator[FetchedRun]:
        for start in range(0, len(records), self._run_records_max):
            run = FetchedRun()
            run.add_records(records[start : start + self._run_records_max])
            yield run

    def _single_messages(self, singles: dict[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        if singles:
            for tp, record in self.scheduler.iterate(singles):
                yield tp, self._to_message(tp, record)

    def _is_current(self, generation: int) -> bool:
        return bool(self.flow_active) and self.app.consumer_generation_id == generation

    def _is_active(self, tp: TP, active: set[TP] | None) -> bool:
        return active is None or tp in active or tp in self._buffered_partitions

    def _run_message(self, tp: TP, run: FetchedRun) -> RunMessage:
        message = RunMessage(
            tp.topic, tp.partition, run.offset, run.timestamp / 1000.0, 0,
            None, None, None, None, 0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip
        message.run = run
        return message

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self._run_topics:  # offsets inside a run are no gaps
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset to commit: after the last of the acknowledged prefix of deliveries."""
        if tp.topic not in self._run_topics:
            offset: int | None = super()._new_offset(tp)
            return offset
        in_flight, committable = self._in_flight[tp], None
        while in_flight and in_flight[0].acked:
            committable = in_flight.popleft().offset + 1
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return committable

    def _reset_state(self) -> None:
        super()._reset_state()
        self._active_partitions = Fetched()

    def stop_flow(self) -> None:
        """Let nothing through: a rebalance begins."""
        super().stop_flow()
        self._is_open = False
        self._held.clear()

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Resume changelogs at once, and all others at the `resume_flow` that follows.

        After a recovery Faust resumes them, seeks, empties its queues, and resumes the flow.
        """
        self._held |= {tp for tp in tps if not self._is_changelog_tp(tp)}
        super().resume_partitions(set(tps) - self._held)

    def resume_flow(self) -> None:
        """Let messages through, and what was held back be fetched."""
        super().resume_flow()
        if self._held:
            self._is_open = True
            super().resume_partitions(self._held)
            self._held.clear()

    def on_buffer_drop(self, tp: TP) -> None:
        """Fetch on when a queue has room again; one that a rebalance empties has no such say."""
        if self._is_open:
            super().on_buffer_drop(tp)
        else:
            self._buffered_partitions.discard(tp)

    async def perform_seek(self) -> None:
        """Seek to what was committed; all that is in flight comes again."""
        self._in_flight.clear()
        await super().perform_seek()
        self._forget_stands({tp for tp in self.assignment() if not self._is_changelog_tp(tp)})

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek to offsets, as a recovery does with its changelogs."""
        await super().seek_wait(partitions)
        self._forget_stands(partitions)

    def committed(self, tp: TP) -> int | None:
        """Return the offset that the group has committed of a partition; None if it has none."""
        return self._committed_offset.get(tp)

    def stand(self, tp: TP, taken: int) -> Stand | None:
        """Return where we stand in a partition; None while that is not known.

        `taken` is the last offset that whoever we deliver to has taken. Everything before the
        position that is returned is taken, or is no record: a commit marker, an aborted one, or one
        that compaction removed.
        """
        stand = self._stands.get(tp)
        if stand is None or tp in self._dropped:
            return None
        if self._delivered.get(tp, -1) > taken:
            return stand._replace(position=taken + 1)
        return stand

    def _forget_stands(self, tps: Iterable[TP]) -> None:
        """Begin anew to note where we stand in partitions: they were sought."""
        for tp in tps:
            self._delivered.pop(tp, None)
            self._stands.pop(tp, None)
            self._dropped.discard(tp)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Count an assignment; what it means is Faust's."""
        self.assignments += 1
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let Faust finish and commit what it can, then forget what moved away."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._in_flight.pop(tp, None)


class RunTransport(Transport):
    """Faust's aiokafka transport, with runs for the topics that are named.

    A run has at most `run_records_max` records. If `has_batches`, ordinary record batches in it
    stay bytes; otherwise every record is one that aiokafka makes, as in the runs of `changelogs`,
    which are read and never committed. `on_replaced`, of a static member alone, is called in the
    consumer's thread if the group has it no more.
    """

    Consumer = RunConsumer

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - Faust's own signature
        run_topics: frozenset[str],
        changelogs: frozenset[str],
        run_records_max: int,
        has_batches: bool,
        on_replaced: Callable[[], None] | None = None,
        **kwargs: Any,  # noqa: ANN401 - Faust's own signature
    ) -> None:
        super().__init__(*args, **kwargs)
        self.run_topics = run_topics
        self.changelogs = changelogs
        self.run_records_max = run_records_max
        self.has_batches = has_batches
        self.on_replaced = on_replaced
