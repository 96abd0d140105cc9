"""Batches of records (Kafka's format 2) that a kernel writes, many records at a time.

aiokafka builds a batch a record at a time, which costs more than a microsecond each. What is
written here is what its builder would have made of the same records at the same time.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from aiokafka.record.default_records import (
    DefaultRecordBase,
    DefaultRecordBatch,
    DefaultRecordBatchBuilder,
)
from aiokafka.record.util import calc_crc32c

from models.arrays import Bytes, Ints
from models.kernels import borrowed, compiled
from monitor.ledger.rows import WrittenRecords

_HEADER: Final = DefaultRecordBase.HEADER_STRUCT
_MAGIC: Final = 2
_NO_PRODUCER: Final = -1

NUMBER_BYTES: Final = 5
"""Of a number of 32 bits as Kafka writes it, at most."""

RECORD_BYTES: Final = 3 + 4 * NUMBER_BYTES
"""Bytes of a record at most, beside its key and its value: attributes, time, headers; lengths."""


@compiled
def put_varint(out: Bytes, at: int, number: int) -> int:
    """Write a number from 0 on, zigzag and seven bits a byte; return the place behind."""
    rest = number << 1
    while rest > 0x7F:  # noqa: PLR2004 - the bits of a byte but the one that says that more comes
        out[at] = rest & 0x7F | 0x80
        rest >>= 7
        at += 1
    out[at] = rest
    return at + 1


@compiled
def varint_bytes(number: int) -> int:
    """Return how many bytes `put_varint` writes."""
    size, rest = 1, number >> 6
    while rest > 0:
        size += 1
        rest >>= 7
    return size


@compiled
def put_records(data: Bytes, spans: Ints, key_at: int, first: int, out: Bytes) -> tuple[int, int]:
    """Write records from the one with number `first` on, as a batch has them.

    The arrays are those of `WrittenRecords`. Returns the number of the first that has no room in
    `out`, and how many bytes are written.
    """
    data, out = borrowed(data), borrowed(out)
    at = 0
    for number in range(first, len(spans)):
        begin, end, key_length = spans[number]
        length = end - begin
        if at + RECORD_BYTES + key_length + length > out.size:
            return number, at
        offset = number - first
        size = 3 + varint_bytes(offset) + varint_bytes(key_length) + varint_bytes(length)
        at = put_varint(out, at, size + key_length + length)
        out[at] = 0  # attributes
        out[at + 1] = 0  # the time, as that of the batch
        at = put_varint(out, at + 2, offset)
        at = put_varint(out, at, key_length)
        for place in range(key_length):
            out[at + place] = data[begin + key_at + place]
        at = put_varint(out, at + key_length, length)
        for place in range(length):
            out[at + place] = data[begin + place]
        at += length
        out[at] = 0  # headers
        at += 1
    return len(spans), at


class BuiltBatch:
    """A batch that is there as bytes: what aiokafka's producer asks of its `BatchBuilder`."""

    def __init__(self, section: bytes, count: int, timestamp: int) -> None:
        """Make the batch of a section of so many records, all of one time (milliseconds)."""
        length = _HEADER.size - DefaultRecordBase.AFTER_LEN_OFFSET + len(section)
        times, producer = (timestamp, timestamp), (_NO_PRODUCER, _NO_PRODUCER, 0)
        rest = (0, count - 1, *times, *producer, count)
        data = bytearray(_HEADER.pack(0, length, _NO_PRODUCER, _MAGIC, 0, *rest) + section)
        checksum = calc_crc32c(memoryview(data)[DefaultRecordBase.ATTRIBUTES_OFFSET :])
        _HEADER.pack_into(data, 0, 0, length, _NO_PRODUCER, _MAGIC, checksum, *rest)
        self._data = data
        self._count = count

    def append(self, **_: object) -> None:
        """Take no record: it is built."""

    def close(self) -> None:
        """Take no further record: it takes none anyway."""

    def closed(self) -> bool:
        """Say that it takes no record."""
        return True

    def record_count(self) -> int:
        """Return how many records it has."""
        return self._count

    def size(self) -> int:
        """Return its bytes."""
        return len(self._data)

    def _build(self) -> bytearray:
        return self._data


def section_of(records: Iterable[tuple[bytes | None, bytes | None]]) -> tuple[bytes, int]:
    """Return records, given as their keys and values, as a batch has them, and how many they are.

    They have no time of their own.
    """
    builder = DefaultRecordBatchBuilder(_MAGIC, 0, 0, _NO_PRODUCER, _NO_PRODUCER, 0, 1 << 30)
    count = 0
    for key, value in records:
        builder.append(count, 0, key, value, [])
        count += 1
    return bytes(builder.build())[_HEADER.size :], count


def pairs_of(section: bytes, count: int) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Yield the key and the value of each record of a section."""
    if count:
        for record in DefaultRecordBatch(bytes(BuiltBatch(section, count, 0)._data)):  # noqa: SLF001 - of our own
            yield record.key, record.value


def built_batches(
    records: Iterable[WrittenRecords], timestamp: int, bytes_max: int
) -> Iterator[BuiltBatch]:
    """Yield the batches of records in their order, of so many bytes each at most.

    Raises ValueError if one record is larger than that.
    """
    out = np.empty(bytes_max - _HEADER.size, np.uint8)
    for written in records:
        first = 0
        while first < len(written):
            end, size = put_records(written.data, written.spans, written.key_at, first, out)
            if end == first:
                raise ValueError(f"a record has more than the {bytes_max:,} bytes of a batch")
            yield BuiltBatch(out[:size].tobytes(), end - first, timestamp)
            first = end
