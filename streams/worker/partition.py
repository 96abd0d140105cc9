"""One partition of the stream: takes runs, delivers what the engine tells, keeps its state.

The order of a flush is what nothing is lost by: alerts, rejections and account-days are
acknowledged, then the journal, then the buckets, then the seal, and only then are the records.
Whatever is cut in between is only repeated; ids, revisions and offsets make repetition harmless.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from uuid import uuid4

from monitor.core.transaction import Reason, Rejection
from monitor.engine.engine import Engine, Step
from monitor.ledger.ledger import BUCKETS_MAX, Entry
from monitor.ledger.rejections import rejection_rows
from monitor.ordinary.entry_rows import EntryRows
from monitor.review.membership import Verdicts
from monitor.systemic.record import segment_records_of
from streams.kafka.producer import Outgoing, OutgoingRows, acknowledged
from streams.state import changelog, journal, keys
from streams.state.accounts import account_bytes
from streams.state.pieces import Kept, Pieces
from streams.topics.catalog import Topics
from streams.wire import codec
from streams.wire.columns import DecodedRun
from streams.worker.completeness import Completeness

if TYPE_CHECKING:
    from monitor.outliers.checkpoint import Memory, Parts


class Sender(Protocol):
    """What a partition needs of the outbox."""

    async def send(
        self, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[asyncio.Future[object]]:
        """Queue records; return their acknowledgements."""
        ...


class Acknowledged(Protocol):
    """What is acknowledged when its records are included for good: Faust's event is one."""

    def ack(self) -> bool:
        """Let the offset be committed."""
        ...


class Flushed(NamedTuple):
    """What one flush wrote."""

    records: int
    bytes: int
    seconds: float
    steps: tuple[tuple[str, float], ...]  # in order, each with its seconds
    told: Step | None = None  # what was told before, of days that had closed


class Changes:
    """What has changed since an engine decided its open days last."""

    def __init__(self, engine: Engine) -> None:
        self.has_policies = False
        self._engine = engine
        self._verdicts: Verdicts | None = None
        self._accounts: dict[str, None] = {}  # in the order in which they changed

    def note_policies(self) -> None:
        """Note that there is a new policy version."""
        self.has_policies = True

    def note_account(self, account_id: str) -> None:
        """Note that an account has other attributes; without open days nothing is to be done."""
        if self._engine.ledger.is_held(account_id):
            self._accounts[account_id] = None

    def note_verdicts(self, verdicts: Verdicts) -> None:
        """Note what the systemic side has decided: all of it."""
        self._verdicts = verdicts

    def apply(self) -> None:
        """Decide anew the open days that are concerned."""
        if self.has_policies:
            self.has_policies = False
            self._engine.policies_changed()
        if self._accounts:
            accounts, self._accounts = self._accounts, {}
            self._engine.attributes_changed(accounts)
        if self._verdicts is not None:
            verdicts, self._verdicts = self._verdicts, None
            self._engine.set_verdicts(verdicts)


WAITS: Final = Rejection(Reason.NOTHING_TO_REVERSE, "")
"""As what the record of a reversal is kept while it waits; the detail follows if it comes to it."""


BUCKET_BYTES_MAX: Final = 1 << 14
"""Of a bucket, on average: beyond, state is dealt into `DEALT` times as many buckets.

One record changes its whole bucket, so of great buckets a flush writes much that is not new; and
small ones are many records, each of which costs its own."""

DEALT: Final = 4


class _Snapshot(NamedTuple):
    """What a flush writes, taken before its first await: the engine goes on meanwhile."""

    events: list[Acknowledged]
    records: int
    acks: list[asyncio.Future[object]]
    entries: list[Entry]
    entry_rows: list[EntryRows]
    originals: list[tuple[int, journal.Original]]
    buckets: list[tuple[bytes, bytes]]
    parts: list[Outgoing]
    seal: bytes
    needless: list[bytes]  # keys of what the flush before has replaced
    day_open_first: int


def _new_writer(kept: dict[bytes, bytes]) -> bytes:
    """Return a name that nobody has, of the term after all that is kept."""
    return keys.next_writer(kept, uuid4().bytes[:6].hex().encode())


class Partition:
    """One assigned partition, for as long as this worker has it.

    `kept` is what its changelog holds; `is_current` says whether the partition is still ours: it
    is asked before each write. `on_latency` is given the seconds from a record's writing to its
    acknowledged alert, and the alert's id: of each run with alerts, those of the earliest record
    that caused one.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands on, each by itself
        self,
        engine: Engine,
        kept: dict[bytes, bytes],
        outbox: Sender,
        topics: Topics,
        is_current: Callable[["Partition"], bool],
        generation: int = 0,
        snapshot_key: bytes | None = None,
        on_latency: Callable[[float, str], None] = lambda *_: None,
        late_seconds: float = 60.0,
    ) -> None:
        self.engine = engine
        self._on_latency = on_latency
        self.generation = generation  # of the group, in which it was given to us
        self._is_current = is_current
        self.writer = _new_writer(kept)
        self.records_pending = 0
        self._footprint = changelog.Footprint(kept)
        self._outbox = outbox
        self._topics = topics
        self._events: list[Acknowledged] = []
        self._entries: list[Entry] = []
        self._entry_rows: list[EntryRows] = []
        self._new_originals: list[tuple[int, journal.Original]] = []  # with the day of each
        self._acks: list[asyncio.Future[object]] = []
        self.changes = Changes(engine)
        self._steps: list[tuple[str, float]] = []  # of the flush, each with its seconds
        self._step_began = 0.0
        self._is_writing = False  # from a snapshot until all of it is sealed
        self._taking = asyncio.Lock()  # a snapshot never falls between deciding and sending
        self._flushing = asyncio.Lock()  # one flush at a time: state never goes backwards
        self._found: changelog.Recovered | None = changelog.recover(engine, kept)
        self.completeness = Completeness(self.number, self.writer, kept, late_seconds)
        self._originals = dict(self._found.originals)  # of reversals that wait
        self.lost = self._found.lost  # what the changelog should have, and has not
        self._chunks: list[journal.Chunk] = []
        self._bucket_numbers: set[int] = set()  # of those that are under our own name
        self._others: list[bytes] = []  # keys of other writers, once nothing needs them any more
        self._snapshot_key = snapshot_key
        self._memory: Memory | None = None
        known = Kept(kept)
        self.parts_refused = self._recover_models(known)
        self._chunk_number = 0
        self._pieces = Pieces(known, self.writer, changelog.part_keys(kept))
        self._sealed_day_open_first = engine.ledger.day_open_first or 0
        self.sealed_at: int | None = None  # the changelog's offset of our last seal
        self.records_of_seal = 0  # of the changelog, that the flush of that seal wrote

    def _recover_models(self, known: Kept) -> list[str]:
        """Put back what the models had learned; return what was refused of it, and why."""
        memory = self._remember()
        if memory is None:
            return []
        parts = changelog.parts_of(known)
        return memory.restore(parts, len(self.engine.ledger.buckets)) if parts else []

    def _remember(self) -> "Memory | None":
        """Return the memory of the models, from when there are any."""
        engine = self.engine
        if self._memory is None and engine.outliers.scorer is not None:
            from monitor.outliers.checkpoint import Memory  # noqa: PLC0415 - loads the models

            self._memory = Memory(
                engine.outliers.scorer, engine.ledger.bucket_of, self._snapshot_key
            )
        return self._memory

    @property
    def state_bytes(self) -> int:
        """Bytes that the changelog holds live."""
        return self._footprint.bytes

    @property
    def number(self) -> int:
        """The partition's number."""
        return self.engine.partition

    def is_current(self) -> bool:
        """Return whether the partition is still ours."""
        return self._is_current(self)

    @property
    def is_settled(self) -> bool:
        """Whether all that it did is sealed, and by itself: then it may go on as it is."""
        seal = changelog.newest_seal(self._footprint.kept)
        return (
            not self.records_pending
            and not self.engine.ledger.is_dirty
            and not self._is_writing
            and seal is not None
            and seal.writer == self.writer
        )

    def go_on(self, generation: int) -> None:
        """Stay as it is in another generation; what Faust read of its own records is let go."""
        self.generation = generation
        self._footprint.let_go()

    async def take(self, event: Acknowledged, run: DecodedRun) -> Step:
        """Decide on a run of records and send what is to be told; `event` is acked at a flush."""
        async with self._taking:
            self.changes.apply()
            offset_last = self.engine.ledger.offset_last
            self.engine.observe_run(run)
            self._events.append(event)
            self.records_pending += len(run.offsets)
            step = await self._deliver(run)
            self.completeness.count(run, step, offset_last)
            return step

    async def tick(self) -> Step:
        """Send what comes without records: what a midnight left over, policies, attributes."""
        async with self._taking:
            self.changes.apply()
            self.engine.close_account_days()
            self.completeness.tick()
            return await self._deliver(None)

    async def _deliver(self, run: DecodedRun | None) -> Step:
        step = self.engine.take_step()
        self._entries += step.entries
        self._entry_rows += step.entry_rows
        if step.rejections or step.waiting:
            of_run = set(run.offsets) if run is not None else set()
            for waiting in step.waiting:
                assert run is not None, "only a record that just came begins to wait"
                key, rejection, _ = self._rejection(run.record(waiting.offset), WAITS)
                assert rejection is not None
                original = journal.Original(waiting.offset, key, rejection)
                self._originals[waiting.offset] = original
                self._new_originals.append((waiting.day, original))
            await self._send(
                self._topics.rejections,
                [
                    self._rejection(run.record(offset), why)
                    if run is not None and offset in of_run
                    else self._rejection_of_waiting(offset, why)
                    for offset, why in step.rejections
                ],
            )
        for offset in step.settled:
            del self._originals[offset]
        if step.alerts:
            acks = await self._send(
                self._topics.alerts,
                [Outgoing(a.account_id.encode(), *codec.alert_record(a)) for a in step.alerts],
            )
            if run is not None:
                first = run.first_written(alert.cause.offset for alert in step.alerts)
                if first is not None:
                    told = next(a.alert_id for a in step.alerts if a.cause.offset == first[1])
                    acks[-1].add_done_callback(partial(self._note_latency, first[0], told))
        if step.account_days:
            await self._send(
                self._topics.account_days,
                [
                    Outgoing(closed.account_id.encode(), codec.closed_day_bytes(closed))
                    for closed in step.account_days
                ],
            )
        if step.closed_rows:
            await self._send(self._topics.account_days, OutgoingRows(step.closed_rows))
        for of_day in step.segment_days:
            records = [
                Outgoing(record.key, codec.segment_record_bytes(record))
                for record in segment_records_of(self.number, of_day)
            ]
            self._acks += await self._outbox.send(self._topics.segment_days, 0, records)
        return step

    def _rejection(self, record: codec.Record, why: Rejection) -> Outgoing:
        where = {
            "topic": self._topics.transactions,
            "partition": self.number,
            "offset": record.offset,
        }
        value = codec.rejection_bytes(why, where, record.key, record.value)
        return Outgoing(codec.rejection_key(record.key), value)

    def _rejection_of_waiting(self, offset: int, why: Rejection) -> Outgoing:
        """Return the rejection of a reversal that waited: its record came in an earlier run."""
        original = self._originals[offset]
        return Outgoing(original.key, codec.rejection_bytes_for(original.rejection, why))

    async def _send(self, topic: str, records: Sequence[Outgoing]) -> list[asyncio.Future[object]]:
        acks = await self._outbox.send(topic, self.number, records)
        self._acks += acks
        return acks

    def _note_latency(self, written_at: int, alert_id: str, ack: asyncio.Future[object]) -> None:
        """Report how long a record's alert took, once the broker has it; clocks may differ."""
        if not ack.cancelled() and ack.exception() is None:
            self._on_latency(max(time.time() - written_at / 1_000_000, 0.0), alert_id)

    async def flush(self, *, is_late: bool = False) -> Flushed | None:
        """Write what is new, and acknowledge its records; None if there is nothing new.

        A seal says that all was told of the days that are closed. So nothing is written before, or
        it is told now, all of it, if the flush `is_late`: days may end faster than they are gone on
        with. Nothing is written once the partition has moved to another worker.
        """
        async with self._flushing:
            started = self._step_began = time.perf_counter()
            self._steps.clear()
            async with self._taking:
                if not self.is_current() or not self._has_news:
                    return None
                if self.changes.has_policies:
                    return None  # a seal would say that they have decided: the next tick first
                told = None
                if self.engine.is_closing:
                    if not is_late:
                        return None
                    self.engine.finish_closing()
                    told = await self._deliver(None)
                self._is_writing = True
                await self._send(self._topics.completeness, self.completeness.take_records())
                snapshot = self._snapshot()
            self._end_step("snapshot")
            written = await self._write(snapshot)
            if written is None:
                return None
            self._is_writing = False
            for event in snapshot.events:
                event.ack()
            seconds = time.perf_counter() - started
            return Flushed(snapshot.records, written, seconds, tuple(self._steps), told)

    def _end_step(self, name: str) -> None:
        now = time.perf_counter()
        self._steps.append((name, now - self._step_began))
        self._step_began = now

    @property
    def _has_news(self) -> bool:
        return bool(self._events) or self.engine.ledger.is_dirty or self.completeness.is_due

    def _snapshot(self) -> _Snapshot:
        ledger = self.engine.ledger
        if self._is_outgrown():
            self._deal()
        needless = self._pieces.needless()
        for account in ledger.dirty:
            account.kept = account_bytes(account)
        numbers = ledger.take_dirty()
        buckets = self._found_buckets(numbers)
        in_order = sorted(numbers)
        for number, rows in zip(in_order, ledger.rows_of(in_order), strict=True):
            bucket = ledger.buckets[number]
            # One that was recovered may include more than we have come to again: it still does.
            bucket.offset_last = max(bucket.offset_last, ledger.offset_last)
            key = keys.bucket_key(self.writer, number)
            value = changelog.bucket_bytes(bucket, rows)
            buckets += self._pieces.records(key, value)
        seal = changelog.Seal(
            ledger.offset_last,
            ledger.marks.marks(),
            ledger.lone,
            ledger.policies.calendar.text(),
            list(ledger.policies.versions),
            len(ledger.buckets),
            self.writer,
            rejection_rows(ledger.rejections),
            self._held(numbers),
            self._alone(),
            self.engine.gauging.kept,
        )
        memory = self._remember()
        parts = [] if memory is None else self._parts(memory.new_parts(), seal.offset)
        before_seal, sealed = changelog.seal_records(seal, self._pieces)
        before_seal.append(self.completeness.kept_record(seal.offset))
        snapshot = _Snapshot(
            self._events, self.records_pending, self._acks, self._entries, self._entry_rows,
            self._new_originals, buckets + before_seal, parts, sealed, needless,
            ledger.day_open_first or 0,
        )  # fmt: skip
        self._events, self._acks, self._entries, self._entry_rows = [], [], [], []
        self._new_originals = []
        self.records_pending = 0
        return snapshot

    def _is_outgrown(self) -> bool:
        """Return whether the buckets have become too great, and can be dealt into more of them.

        Not while a recovered one includes more than we have come to again: an empty one of those to
        come would not say so. Nor while another writer's are there, which count twice in the size.
        """
        ledger = self.engine.ledger
        count = len(ledger.buckets)
        return (
            DEALT * count <= BUCKETS_MAX
            and self.state_bytes > BUCKET_BYTES_MAX * count  # cheap, and tells of most
            and self._found is None
            and not self._others
            and not ledger.marks.is_alone
            and ledger.offset_recovered_last <= ledger.offset_last
            and self.state_bytes - self._journal_bytes() > BUCKET_BYTES_MAX * count
        )

    def _journal_bytes(self) -> int:
        return self._footprint.bytes_of(chunk.key for chunk in self._chunks)

    def _deal(self) -> None:
        """Go on as another writer with more buckets, as one would that has found our state.

        So what is there stays whole until all is written again, and sealed.
        """
        ledger = self.engine.ledger
        chunks = [(chunk.day, self._footprint.kept[chunk.key]) for chunk in self._chunks]
        ledger.deal(DEALT * len(ledger.buckets))
        if self._memory is not None:
            self._memory.deal(len(ledger.buckets))
        self.writer = _new_writer(self._footprint.kept)
        self.completeness.writer = self.writer
        self._found = changelog.Recovered({}, chunks)
        self._chunks, self._chunk_number, self._bucket_numbers = [], 0, set()
        self._pieces.go_on_as(self.writer, changelog.part_keys(self._footprint.kept))

    def _alone(self) -> bytes | None:
        """Return the bucket of the account that is alone: see `state.Seal`."""
        ledger = self.engine.ledger
        if not ledger.marks.is_alone:
            return None
        if ledger.lone is None:
            return b""
        number = ledger.bucket_of(ledger.lone.account_id)
        (rows,) = ledger.rows_of([number])
        return changelog.bucket_bytes(ledger.buckets[number], rows)

    def _held(self, numbers: set[int]) -> tuple[int, int, int]:
        """Return what there must be once a snapshot of these buckets is sealed: see `state.Seal`.

        Chunks of days before the first open one are taken away by the flush that follows; those of
        this snapshot are counted by the next.
        """
        first = self.engine.ledger.day_open_first or 0
        days = [chunk.day for chunk in self._chunks]
        self._bucket_numbers |= numbers
        if self._found is not None:
            days += [day for day, _ in self._found.chunks]
            self._bucket_numbers |= self._found.buckets.keys()
        return first, sum(day >= first for day in days), len(self._bucket_numbers)

    def _parts(self, parts: "Parts", offset: int) -> list[Outgoing]:
        """Return the records of what the models have learned; what is dropped goes next time."""
        records: list[Outgoing] = []
        for key, value in changelog.part_records(parts, offset):
            if value is None:
                self._pieces.forget(key)
            else:
                records += starmap(Outgoing, self._pieces.records(key, value))
        return records

    async def _write(self, snapshot: _Snapshot) -> int | None:
        """Write a snapshot, each step after the one before is acknowledged; return its bytes."""
        await acknowledged(snapshot.acks)
        self._end_step("reports")
        written = count = 0
        receipts: list[Any] = []
        for step, records in (
            ("journal", self._journal(snapshot)),
            (
                "buckets",
                [*(Outgoing(key, value) for key, value in snapshot.buckets), *snapshot.parts],
            ),
            # The seal goes alone: a broker may say wrongly where a log ends whose last batch has
            # several records (`weir check` probes for it), and recovery would stop early.
            ("seal", [Outgoing(keys.seal_key(self.writer), snapshot.seal)]),
        ):
            if not records:
                continue
            if not self.is_current():
                return None
            receipts = await acknowledged(
                await self._outbox.send(self._topics.changelog, self.number, records)
            )
            self._footprint.keep((r.key, r.value) for r in records if r.key is not None)
            count += len(records)
            written += sum(len(r.value) for r in records if r.value is not None)
            self._end_step(step)
        if self._found is not None:  # it is all under our own name now
            self._found = None
            of_another = keys.is_of_another
            self._others = [key for key in self._footprint.kept if of_another(key, self.writer)]
            self._footprint.let_go()
        self.sealed_at, self.records_of_seal = receipts[-1].offset, count
        self._sealed_day_open_first = snapshot.day_open_first
        return written

    def _journal(self, snapshot: _Snapshot) -> list[Outgoing]:
        """Return the new chunks, and the tombstones of what a seal has made needless.

        That are the chunks of closed days, and all that other writers wrote.
        """
        first = self._sealed_day_open_first
        records = [Outgoing(chunk.key, None) for chunk in self._chunks if chunk.day < first]
        records += [Outgoing(key, None) for key in (*self._others, *snapshot.needless)]
        self._others = []
        self._chunks = [chunk for chunk in self._chunks if chunk.day >= first]
        originals: dict[int, list[journal.Original]] = {}
        for day, original in snapshot.originals:
            originals.setdefault(day, []).append(original)
        found = [] if self._found is None else self._found.chunks
        written = [*journal.chunks_by_day(snapshot.entries, snapshot.entry_rows)]
        for day, of_day in originals.items():
            written += [(day, chunk) for chunk in journal.originals_bytes(day, of_day)]
        for day, value in (*found, *written):
            self._chunk_number += 1
            key = keys.journal_key(self.writer, self._chunk_number)
            self._chunks.append(journal.Chunk(key, day))
            records.append(Outgoing(key, value))
        return records

    def _found_buckets(self, but: set[int]) -> list[tuple[bytes, bytes]]:
        """Return the buckets that were found, to be written under our own name, but for some."""
        found = {} if self._found is None else self._found.buckets
        return [
            record
            for number, value in found.items()
            if number not in but
            for record in self._pieces.records(keys.bucket_key(self.writer, number), value)
        ]
