"""A fetch as bytes gives the records that aiokafka gives, in order, and stands where it stands."""

import asyncio
import gc
import random
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from types import SimpleNamespace
from typing import Any, Final
from weakref import ref

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, Fetcher
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import CorruptRecordException
from aiokafka.structs import ConsumerRecord, TopicPartition
from hypothesis import example, given
from hypothesis import strategies as st

from streams.wire.columns import read_run
from streams.wire.records import RecordBatch
from streams.worker.raw_fetch import FetchedRun, fetch_runs
from tests.support.batches import (
    CODECS,
    HEADER,
    TIME,
    Made,
    MadeLog,
    batch_of,
    changed,
    emptied,
    made_logs,
    marker,
    records_of,
)
from tests.support.laws import law

TP: Final = TopicPartition("t", 0)
OTHER: Final = TopicPartition("other", 0)
POLL_MAX: Final = 100
ISOLATIONS: Final = st.sampled_from([READ_COMMITTED, READ_UNCOMMITTED])

Plain = tuple[int, int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]


def plain(record: Any) -> Plain:  # noqa: ANN401 - of any reader
    return record.offset, record.timestamp, record.key, record.value, tuple(record.headers)


class Reader:
    """aiokafka's own fetcher over a made log, with or without batches as bytes.

    It is the fetcher's code from the answer of a broker on: only what sends is ours.
    """

    def __init__(
        self, log: MadeLog, *, records_max: int | None = None, bytes_max: int = 1 << 30,
        isolation: int = READ_COMMITTED, tp: TopicPartition = TP,
    ) -> None:  # fmt: skip
        self.log, self.tp = log, tp
        self.bytes_max = bytes_max
        self.fetches = 0
        self.assignment = Assignment([tp])
        self.state = self.assignment.state_value(tp)
        self.state.reset_to(log.begin)
        self.fetcher = fetcher = Fetcher.__new__(Fetcher)
        fetcher._client = SimpleNamespace(send=self._send)
        fetcher._client_rack = fetcher._key_deserializer = fetcher._value_deserializer = None
        fetcher._check_crcs, fetcher._isolation_level = True, isolation
        fetcher._records, fetcher._prefetch_backoff = OrderedDict(), 0.1
        fetcher._fetch_waiters, fetcher._wait_consume_future = set(), None
        fetcher._max_partition_fetch_bytes, fetcher._preferred_read_replica = bytes_max, {}
        fetcher._subscriptions = SimpleNamespace(
            reassignment_in_progress=False, is_assigned=lambda _: True
        )
        if records_max is not None:
            fetch_runs(SimpleNamespace(_fetcher=fetcher), {TP.topic}, records_max)

    async def _send(self, _: int, request: Any) -> Any:  # noqa: ANN401 - aiokafka's
        self.fetches += 1
        offset = request.topics[0][1][0][1]
        data, aborted = self.log.fetched(offset, self.bytes_max)
        partition = (self.tp.partition, 0, self.log.end, self.log.end, 0, aborted, data)
        return SimpleNamespace(API_VERSION=5, topics=[(self.tp.topic, [partition])])

    async def poll(self) -> list[Any]:
        """Return what the next call brings, after a fetch if nothing is left of the last one."""
        if self.tp not in self.fetcher._records:
            where = [(self.tp.topic, [(self.tp.partition, self.state.position, self.bytes_max)])]
            await self.fetcher._proc_fetch_request(
                self.assignment, 0, SimpleNamespace(topics=where)
            )
        found = await self.fetcher.fetched_records([self.tp], 0, POLL_MAX)
        drained: list[Any] = found.get(self.tp, [])
        return drained

    async def rest(self) -> list[Any]:
        """Return everything up to the end of the log."""
        got: list[Any] = []
        for _ in range(1000):
            if self.state.position >= self.log.end and self.tp not in self.fetcher._records:
                return got
            got += await self.poll()
        raise AssertionError(f"it stands at {self.state.position}, of {self.log.end}")


def flat(runs: Iterable[FetchedRun]) -> list[Plain]:
    return [plain(record) for run in runs for piece in run.pieces for record in records_of(piece)]


def run_async(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


# -- laws -----------------------------------------------------------------------------------------


@given(made_logs(), st.integers(1, 12), st.integers(61, 900), ISOLATIONS, st.randoms())
@law(600)
def test_the_records_are_those_of_aiokafka_however_a_fetch_is_cut_and_sought(
    log: MadeLog, records_max: int, bytes_max: int, isolation: int, rng: random.Random
) -> None:
    async def work() -> None:
        theirs = Reader(log, bytes_max=bytes_max, isolation=isolation)
        ours = Reader(log, bytes_max=bytes_max, isolation=isolation, records_max=records_max)
        for _ in range(3):
            begin = rng.randint(log.begin, log.end)
            theirs.state.seek(begin)
            ours.state.seek(begin)
            for _ in range(rng.randrange(4)):  # and now and then in the middle of a fetch
                for run in await ours.poll():
                    assert 1 <= run.records <= records_max
                    assert flat([run])[-1][0] == run.offset < ours.state.position
            ours.state.seek(begin)
            expected = [plain(record) for record in await theirs.rest()]
            runs = await ours.rest()
            assert flat(runs) == expected
            assert ours.state.position == theirs.state.position
            for run in runs:
                assert run.records == len(flat([run])) <= records_max
                assert run.offset == flat([run])[-1][0]

    run_async(work)


@given(made_logs(), st.integers(1, 12), st.integers(61, 900))
@law(300)
def test_the_position_stands_behind_the_run_that_was_handed_over_and_before_the_next_record(
    log: MadeLog, records_max: int, bytes_max: int
) -> None:
    async def work() -> None:
        ours = Reader(log, records_max=records_max, bytes_max=bytes_max)
        offsets = [record.offset for record in await Reader(log).rest()]
        taken = 0
        while taken < len(offsets):
            before = ours.state.position
            runs = await ours.poll()
            assert len(runs) <= 1  # of a fetch, a call hands one over: memory is bounded
            taken += sum(run.records for run in runs)
            assert ours.state.position >= before
            assert all(offset < ours.state.position for offset in offsets[:taken])
            assert all(offset >= ours.state.position for offset in offsets[taken:])
            # Whatever is sought in between, the position says all: a new reader goes on from it.
            again = Reader(log, records_max=records_max)
            again.state.seek(ours.state.position)
            assert [offset for offset, *_ in flat(await again.rest())] == offsets[taken:]

    run_async(work)


@given(st.sampled_from(sorted(CODECS)), st.integers(0, 1 << 20), st.integers(1, 255))
@example("none", 8, 128)  # the length is negative
@law(200)
def test_any_changed_byte_is_as_loud_as_with_aiokafka(codec: str, place: int, bits: int) -> None:
    records = [Made(delta, TIME, b"k", b"v%d" % delta) for delta in range(5)]
    whole = bytearray(batch_of(records, codec=codec))
    whole[place % len(whole)] ^= bits
    log = MadeLog()
    log.add(bytes(whole), 5)

    async def outcome(reader: Reader) -> object:
        try:
            return [plain(record) for record in await reader.poll()]
        except Exception as error:  # noqa: BLE001 - which one is what is compared
            return type(error), str(error)

    async def raw_outcome(reader: Reader) -> object:
        try:
            return flat(await reader.poll())
        except Exception as error:  # noqa: BLE001 - which one is what is compared
            return type(error), str(error)

    async def work() -> None:
        theirs, ours = Reader(log), Reader(log, records_max=3)
        first = await outcome(theirs)
        if isinstance(first, list):
            first = first[:3]  # a run has no more
        assert await raw_outcome(ours) == first

    run_async(work)


# -- examples -------------------------------------------------------------------------------------


def ordinary(count: int, base: int = 0, codec: str = "none", **given: Any) -> bytes:  # noqa: ANN401 - of `batch_of`
    records = [Made(delta, TIME + delta, b"k%d" % delta, b"v" * 30) for delta in range(count)]
    return batch_of(records, base, codec=codec, **given)


@pytest.mark.parametrize("codec", CODECS)
def test_an_ordinary_batch_is_handed_on_as_bytes(codec: str) -> None:
    log = MadeLog(begin=7)
    log.add(ordinary(4, 7, codec, append_time=TIME + 99), 4)

    async def work() -> None:
        (run,) = await Reader(log, records_max=10).poll()
        ((batch),) = run.pieces
        assert isinstance(batch, RecordBatch)
        assert batch.data == ordinary(4)[HEADER.size :]
        assert batch[1:] == (4, 7, TIME, TIME + 99, 7)
        assert (run.offset, run.records, run.timestamp) == (10, 4, TIME + 99)

    run_async(work)


def test_a_fetch_in_the_middle_of_a_batch_passes_over_its_beginning() -> None:
    log = MadeLog()
    log.add(ordinary(4), 4)

    async def work() -> None:
        reader = Reader(log, records_max=10)
        reader.state.seek(2)
        (run,) = await reader.poll()
        assert run.pieces[0].from_offset == 2
        assert [offset for offset, *_ in flat([run])] == [2, 3]
        assert run.records == 2

    run_async(work)


def test_a_batch_larger_than_a_run_is_cut_and_stays_bytes() -> None:
    log = MadeLog(begin=100)
    log.add(ordinary(25, 100, "zstd"), 25)

    async def work() -> None:
        reader = Reader(log, records_max=10)
        reader.state.seek(113)
        runs = await reader.rest()
        assert [(run.records, run.offset) for run in runs] == [(7, 119), (5, 124)]
        assert all(isinstance(piece, RecordBatch) for run in runs for piece in run.pieces)
        assert [offset for offset, *_ in flat(runs)] == list(range(113, 125))
        assert reader.fetches == 1  # what is left of a fetch is not fetched again

    run_async(work)


def test_the_next_fetch_begins_as_soon_as_the_last_run_of_one_is_handed_over() -> None:
    log = MadeLog()
    log.add(ordinary(4), 4)
    log.add(ordinary(4, 4), 4)

    async def work() -> None:
        reader = Reader(log, records_max=5)
        await reader.poll()
        assert TP in reader.fetcher._records
        await reader.poll()
        assert TP not in reader.fetcher._records

    run_async(work)


def test_a_fetch_that_is_read_out_is_freed_without_the_collector_of_cycles() -> None:
    """That runs once in minutes, and a second's fetches have megabytes."""
    log = MadeLog()
    log.add(ordinary(4), 4)
    log.add(ordinary(4, 4), 4)

    async def work() -> None:
        reader = Reader(log, records_max=5)
        first = await reader.poll()
        result = reader.fetcher._records[TP]
        fetched = [ref(held) for held in (result, result._partition_records)]
        del result
        assert all(held() is not None for held in fetched)
        second = await reader.poll()
        assert [held() for held in fetched] == [None, None]
        assert [offset for offset, *_ in flat([*first, *second])] == list(range(8))

    gc.disable()
    try:
        run_async(work)
    finally:
        gc.enable()


def test_what_compaction_left_keeps_its_offsets_and_ends_at_a_record() -> None:
    """No offset without a record is ever the last of a run: what is committed is sealed."""
    log = MadeLog()
    log.add(ordinary(2), 2)
    log.add(batch_of([Made(1, TIME, b"k", b"v")], 2, last_delta=4), 5)
    log.add(emptied(7, 3), 4)

    async def work() -> None:
        reader = Reader(log, records_max=10)
        (run,) = await reader.poll()
        assert [offset for offset, *_ in flat([run])] == [0, 1, 3]
        assert (run.offset, reader.state.position) == (3, 11)

    run_async(work)


def test_what_was_aborted_never_comes_and_ordinary_batches_between_stay_bytes() -> None:
    log = MadeLog(aborted=[(1, 0)])
    log.add(ordinary(2, 0, producer=1, is_transactional=True), 2)
    log.add(ordinary(2, 2), 2)
    log.add(ordinary(1, 4, producer=2, is_transactional=True), 1)
    log.add(marker(5, 1, commits=False), 1)
    log.add(ordinary(2, 6, producer=1, is_transactional=True), 2)
    log.add(marker(8, 1, commits=True), 1)
    log.add(marker(9, 2, commits=True), 1)

    async def work() -> None:
        reader = Reader(log, records_max=10)
        (run,) = await reader.poll()
        assert [type(piece) for piece in run.pieces] == [RecordBatch, list]
        assert [offset for offset, *_ in flat([run])] == [2, 3, 4, 6, 7]
        assert (run.offset, reader.state.position) == (7, 10)

    run_async(work)


def test_a_batch_with_a_wrong_crc_is_an_error_each_time_and_nothing_before_it_is_passed_over() -> (
    None
):
    log = MadeLog()
    log.add(ordinary(2), 2)
    damaged = bytearray(ordinary(2, 2))
    damaged[-1] ^= 1
    log.add(bytes(damaged), 2)

    async def work() -> None:
        reader = Reader(log, records_max=10)
        for _ in range(2):
            with pytest.raises(CorruptRecordException, match="Invalid CRC"):
                await reader.poll()
            assert await reader.poll() == []  # aiokafka drops the fetch
            assert reader.state.position == 0

    run_async(work)


def test_records_that_are_none_are_an_error_where_they_are_read() -> None:
    whole = ordinary(3)
    batch = RecordBatch(whole[HEADER.size : -1], 3, 0, TIME, None, 0)
    with pytest.raises(CorruptRecordException):
        records_of(batch)


def test_a_large_batch_whose_lengths_lie_goes_aiokafka_s_way() -> None:
    whole = ordinary(6)
    length = len(whole) - HEADER.size
    lies = changed(whole[: HEADER.size] + bytes([0xFE, 0x7F]) + whole[HEADER.size + 2 :])
    assert length == len(lies) - HEADER.size
    log = MadeLog()
    log.add(lies, 6)

    async def work() -> None:
        theirs = ours = None
        try:
            await Reader(log).poll()
        except Exception as error:  # noqa: BLE001 - compared
            theirs = type(error), str(error)
        try:
            await Reader(log, records_max=4).poll()
        except Exception as error:  # noqa: BLE001 - compared
            ours = type(error), str(error)
        assert ours == theirs

    run_async(work)


def test_other_topics_come_as_aiokafka_makes_them() -> None:
    log = MadeLog()
    log.add(ordinary(3), 3)

    async def work() -> None:
        got = await Reader(log, records_max=10, tp=OTHER).poll()
        assert [type(record) for record in got] == [ConsumerRecord] * 3

    run_async(work)


def test_aiokafka_s_fetch_makes_what_is_replaced_by_these_names() -> None:
    names = Fetcher._proc_fetch_request.__code__.co_names
    assert {"MemoryRecords", "PartitionRecords", "FetchResult"} <= set(names)
    assert not Fetcher._proc_fetch_request.__code__.co_freevars


def test_a_run_knows_its_records_by_offset() -> None:
    log = MadeLog()
    log.add(ordinary(3), 3)
    log.add(marker(3, 1, commits=True), 1)
    log.add(ordinary(2, 4, producer=1, is_transactional=True), 2)

    async def work() -> None:
        (run,) = await Reader(log, records_max=10).poll()
        read = read_run(run.pieces)
        expected = [plain(record) for record in await Reader(log).rest()]
        assert [plain(read.record(offset)) for offset in read.offsets] == expected
        assert read.written_at == [timestamp * 1000 for _, timestamp, *_ in expected]
        assert len(read.items) == 5

    run_async(work)
