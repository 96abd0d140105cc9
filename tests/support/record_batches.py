"""Record batches as aiokafka builds and reads them."""

from collections.abc import Sequence

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.wire import codec
from streams.wire.columns import BatchRecord, DamagedBatchError, DecodedRun, read_run
from streams.wire.records import RecordBatch
from tests.support.batches import HEADER, records_of

ROOM = 1 << 26


def batch_of(
    records: Sequence[codec.Record],
    *,
    append_time: int | None = None,
    from_offset: int = 0,
) -> RecordBatch:
    """Return records as a producer and a broker make a batch of them."""
    first = records[0].offset
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, ROOM)
    for record in records:
        made = builder.append(
            record.offset - first, record.timestamp, record.key, record.value, [*record.headers]
        )
        assert made is not None
    data = bytes(builder.build())
    first_timestamp = HEADER.unpack_from(data)[7]
    return RecordBatch(
        data[HEADER.size :], len(records), first, first_timestamp, append_time, from_offset
    )


def by_aiokafka(batch: RecordBatch) -> list[BatchRecord] | None:
    """Return the records that a consumer takes of a batch; None if it refuses the batch."""
    try:
        return [
            BatchRecord(
                record.offset, record.timestamp, record.key, record.value, tuple(record.headers)
            )
            for record in records_of(batch)
        ]
    except (CorruptRecordException, UnicodeDecodeError, OverflowError):
        return None


def by_weir(batch: RecordBatch) -> list[codec.Record] | None:
    """Return the records that Weir reads of a batch; None if it refuses the batch."""
    try:
        run = read_run([batch])
    except DamagedBatchError:
        return None
    return [run.record(offset) for offset in run.offsets]


def assert_read_as_by_the_codec(run: DecodedRun, records: Sequence[codec.Record]) -> None:
    """Fail if a run says of a record something else than the codec does."""
    assert run.offsets == [record.offset for record in records]
    assert run.written_at == codec.written_at(records)
    expected = codec.decode_run(records)
    if run.items != expected:  # a report of all of them would be too long to read
        for record, item, said in zip(records, run.items, expected, strict=True):
            assert (type(item), item) == (type(said), said), (record.key, record.value)
    assert [type(item) for item in run.items] == [type(item) for item in expected]
