"""The fetch of aiokafka, with record batches as bytes: runs of them, and no object for each record.

aiokafka makes two objects of each record; these are most of what a record costs before anybody
reads it. Here a batch stays bytes if it is ordinary: format 2, not of a transaction, no control
batch, every offset in it taken. Its CRC is checked and it is decompressed by aiokafka's codecs.
Every other batch goes aiokafka's own way and comes as records: so what was aborted, what a marker
means and what is damaged is decided by aiokafka alone.

What aiokafka keeps private and this relies on stands in docs/architecture.md. All of it is here;
only the one consumer that is given to `fetch_runs` is changed.
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final, NamedTuple
from weakref import ref

from aiokafka import AIOKafkaConsumer, codec
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBase
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from streams.wire.records import RecordBatch

_Decode = Callable[[bytes], bytes]

DECODES: Final[dict[int, _Decode]] = {
    DefaultRecordBase.CODEC_NONE: bytes,
    DefaultRecordBase.CODEC_GZIP: codec.gzip_decode,
    DefaultRecordBase.CODEC_SNAPPY: codec.snappy_decode,
    DefaultRecordBase.CODEC_LZ4: codec.lz4_decode,
    DefaultRecordBase.CODEC_ZSTD: codec.zstd_decode,
}

_HEADER: Final = DefaultRecordBase.HEADER_STRUCT
_LENGTH_AT: Final = 8
_RECORDS_BEGIN_AT: Final = _HEADER.size
_LOG_OVERHEAD: Final = DefaultRecordBase.AFTER_LEN_OFFSET
_CODEC: Final = DefaultRecordBase.CODEC_MASK
_APPEND_TIME: Final = DefaultRecordBase.TIMESTAMP_TYPE_MASK


class FetchedRun:
    """Records of one partition in the order of their offsets, to be decided at a time.

    `pieces` are record batches and lists of records as aiokafka makes them; `records` is how many
    records they have, `offset` and `timestamp` (milliseconds) are those of the last one.
    """

    __slots__ = ("offset", "pieces", "records", "timestamp")

    def __init__(self) -> None:
        self.pieces: list[RecordBatch | list[Any]] = []
        self.records = 0
        self.offset = self.timestamp = -1

    def add_records(self, records: list[Any]) -> None:
        """Append records as aiokafka makes them, one or more."""
        if self.pieces and isinstance(self.pieces[-1], list):
            self.pieces[-1] += records
        else:
            self.pieces.append(records)
        self.records += len(records)
        self.offset, self.timestamp = records[-1].offset, records[-1].timestamp

    def add_batch(self, batch: RecordBatch, records: int, offset: int, timestamp: int) -> None:
        """Append a batch; the rest is what the class says of all of it."""
        self.pieces.append(batch)
        self.records += records
        self.offset, self.timestamp = offset, timestamp


class KeptRecords(MemoryRecords):  # type: ignore[misc]  # untyped
    """What a fetch brought of a partition: as aiokafka's, whose bytes can be asked for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class _Part(NamedTuple):
    """A batch, or a part of a large one: `first` and `last` are offsets."""

    data: bytes
    records: int
    first: int
    last: int


class RunRecords(PartitionRecords):  # type: ignore[misc]  # untyped
    """Iterates over what a fetch brought of a partition, a FetchedRun at a time.

    A run has at most `records_max` records. When a run is handed over, `next_fetch_offset` stands
    behind its last record, as aiokafka has it behind each record.
    """

    _records: Any
    _records_iterator: Any
    next_fetch_offset: int

    def __init__(self, records_max: int, *given: Any) -> None:  # noqa: ANN401 - aiokafka's own
        self.is_read_out = False  # nothing comes behind the run that was handed over last
        self._records_max = records_max
        super().__init__(*given)

    def _unpack_records(self) -> Iterator[FetchedRun]:
        run = FetchedRun()
        for batch in _batches(self._records.data):
            parts = self._ordinary(batch)
            if parts is None:
                if run.records >= self._records_max:
                    yield run
                    run = FetchedRun()
                self._records = MemoryRecords(bytes(batch))
                for record in super()._unpack_records():
                    run.add_records([record])
                    if run.records >= self._records_max:
                        yield run
                        run = FetchedRun()
                continue
            base, *_, attributes, _, first_timestamp, last_timestamp, _, _, _, _ = (
                _HEADER.unpack_from(batch)
            )
            append_time = last_timestamp if attributes & _APPEND_TIME else None
            for part in parts:
                if part.last < self.next_fetch_offset:
                    continue
                from_offset = max(part.first, self.next_fetch_offset)
                records = part.last - from_offset + 1
                if run.records and run.records + records > self._records_max:
                    yield run
                    run = FetchedRun()
                made = RecordBatch(
                    part.data, part.records, base, first_timestamp, append_time, from_offset
                )
                run.add_batch(made, records, part.last, last_timestamp)
                self.next_fetch_offset = part.last + 1
        if run.records:
            self.is_read_out = True
            yield run

    def close(self) -> None:
        """Let go of what the fetch brought: nothing comes any more."""
        self._records_iterator.close()

    def _ordinary(self, batch: memoryview) -> list[_Part] | None:
        """Return the records of a batch as bytes, in parts if a run has not room for all of them.

        None if aiokafka has to read it. Raises CorruptRecordException if its CRC is wrong.
        """
        if len(batch) < _HEADER.size:
            return None
        base, length, _, magic, crc, attributes, last_delta, *_, count = _HEADER.unpack_from(batch)
        if length + _LOG_OVERHEAD != len(batch):
            return None  # its length is a lie, or an old format: all that is left
        decode = DECODES.get(attributes & _CODEC)
        if magic != 2 or decode is None or attributes & ~(_CODEC | _APPEND_TIME):  # noqa: PLR2004 - the format
            return None
        # Compaction takes records out and leaves the header: then only a reader of the records
        # knows which one is the last. Nothing behind the last record may be committed.
        last = base + last_delta
        if count < 1 or count != last_delta + 1 or last < self.next_fetch_offset:
            return None
        if self._check_crcs and calc_crc32c(batch[DefaultRecordBase.ATTRIBUTES_OFFSET :]) != crc:
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        data = decode(bytes(batch[_RECORDS_BEGIN_AT:]))
        if count <= self._records_max:
            return [_Part(data, count, base, last)]
        return _parts(data, count, base, self._records_max)


def _batches(data: bytes) -> Iterator[memoryview]:
    """Yield the whole batches of a fetch; from one too short for format 2 on, all that is left."""
    view, at = memoryview(data), 0
    while at + _LOG_OVERHEAD <= len(view):
        end = (
            at
            + _LOG_OVERHEAD
            + int.from_bytes(view[at + _LENGTH_AT : at + _LOG_OVERHEAD], signed=True)
        )
        if end > len(view):
            return  # the fetch ends in the middle of a batch: it comes again
        if end - at < _HEADER.size:
            yield view[at:]
            return
        yield view[at:end]
        at = end


def _parts(data: bytes, count: int, base: int, records_max: int) -> list[_Part] | None:
    """Return a batch in parts of so many records; None if its records do not end where it does."""
    parts: list[_Part] = []
    begin = at = done = 0
    while done < count:
        part_count = min(records_max, count - done)
        for _ in range(part_count):
            at = _record_end(data, at)
            if at < 0:
                return None
        first = base + done
        done += part_count
        parts.append(_Part(data[begin:at], part_count, first, base + done - 1))
        begin = at
    return parts if at == len(data) else None


def _record_end(data: bytes, at: int) -> int:
    """Return where the record that begins at a place ends; -1 if it ends behind all that is there.

    A record begins with its length: seven bits a byte, the lowest first, as a zigzag number.
    """
    length = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more comes
            end = at + (length >> 1)
            return -1 if length & 1 or end > len(data) else end
        shift += 7
    return -1


def fetch_runs(consumer: AIOKafkaConsumer, topics: Collection[str], records_max: int) -> None:
    """Let a started consumer fetch runs of these topics: `getmany` gives them in place of records.

    Of a fetch, a call gives one run of each partition, whatever its `max_records`; the position is
    behind it then, and the next call goes on from there.
    """

    def partition_records(tp: Any, *given: Any) -> Any:  # noqa: ANN401 - as aiokafka's class
        if tp.topic in topics:
            return RunRecords(records_max, tp, *given)
        return PartitionRecords(tp, *given)

    def fetch_result(tp: Any, **given: Any) -> Any:  # noqa: ANN401 - as aiokafka's class
        result = FetchResult(tp, **given)
        if isinstance(given["partition_records"], RunRecords):
            result.getall = partial(_next_run, ref(result))  # a cycle would keep its bytes
        return result

    method = Fetcher._proc_fetch_request  # noqa: SLF001 - the one method that makes these three
    names = method.__globals__ | {
        "MemoryRecords": KeptRecords,
        "PartitionRecords": partition_records,
        "FetchResult": fetch_result,
    }
    own = FunctionType(method.__code__, names)
    fetcher = consumer._fetcher  # noqa: SLF001 - no public name leads there
    fetcher._proc_fetch_request = MethodType(own, fetcher)  # noqa: SLF001 - see above


def _next_run(fetch: "ref[FetchResult]", max_records: int | None = None) -> list[FetchedRun]:  # noqa: ARG001 - aiokafka's
    """Return the next run of a fetch, if there is one; the position is behind it.

    A fetch that is read out is freed at once: its iterator knows it, and it the iterator, and the
    collector of such cycles runs once in minutes (`streams/interpreter.py`).
    """
    result = fetch()
    assert result is not None, "whoever asks it has it"
    runs: list[FetchedRun] = FetchResult.getall(result, 1)
    records = result._partition_records  # noqa: SLF001 - aiokafka asks it when to fetch again
    if records is not None and records.is_read_out:
        records.close()
        result._partition_records = None  # noqa: SLF001 - so at once, and not at the next call
    return runs
