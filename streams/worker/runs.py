"""Runs as they are decided: what their records are, read from batches and records alike."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatch

from streams.wire import codec
from streams.wire.records import RecordBatch

_HEADER: Final = DefaultRecordBase.HEADER_STRUCT
_MAGIC: Final = 2
_NOBODY: Final = -1


class ReadRun:
    """The records of a run: offsets, when each was written (microseconds), what each is."""

    def __init__(self, records: Sequence[Any]) -> None:
        self._records = records
        self._by_offset: dict[int, codec.Record] = {}
        self.offsets: list[int] = [record.offset for record in records]
        self.written_at = codec.written_at(records)
        self.items = codec.decode_run(records)

    def record(self, offset: int) -> codec.Record:
        """Return the record at an offset of the run, as it was written."""
        if not self._by_offset:
            self._by_offset = dict(zip(self.offsets, self._records, strict=True))
        return self._by_offset[offset]


def read_run(pieces: Iterable[RecordBatch | Sequence[Any]]) -> ReadRun:
    """Return what the records of a run are, by themselves."""
    return ReadRun([record for piece in pieces for record in records_of(piece)])


def records_of(piece: RecordBatch | Sequence[Any]) -> Sequence[Any]:
    """Return the records of a piece, as aiokafka reads them.

    Raises CorruptRecordException if the bytes of a batch are no records.
    """
    if not isinstance(piece, RecordBatch):
        return piece
    attributes = 0 if piece.append_time is None else DefaultRecordBase.TIMESTAMP_TYPE_MASK
    length = _HEADER.size - DefaultRecordBase.AFTER_LEN_OFFSET + len(piece.data)
    times = piece.first_timestamp, piece.append_time or 0
    header = _HEADER.pack(
        *(piece.first_offset, length, _NOBODY, _MAGIC, 0, attributes, piece.count - 1, *times),
        *(_NOBODY, _NOBODY, _NOBODY, piece.count),
    )
    records, next_offset = [], piece.from_offset
    for record in DefaultRecordBatch(header + piece.data):
        if record.offset >= next_offset:  # aiokafka passes over what goes back
            records.append(record)
            next_offset = record.offset + 1
    return records
