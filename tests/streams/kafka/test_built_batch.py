from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import example, given
from hypothesis import strategies as st

from models.kernels import plain
from monitor.ledger.rows import WrittenRecords
from streams.kafka import built_batch
from streams.kafka.built_batch import (
    BuiltBatch,
    built_batches,
    put_records,
    put_varint,
    varint_bytes,
)
from streams.kafka.producer import Outgoing, Prepared, RecordTooLargeError
from tests.support.laws import law

NOW = 1_774_000_000_123
KEY_AT = 3
SMALL = 400


def made(values: list[tuple[int, bytes]]) -> WrittenRecords:
    """Return records of such values, whose keys have so many bytes."""
    data = b"".join(value for _, value in values)
    ends = np.cumsum([len(value) for _, value in values], dtype=np.int64)
    lengths = np.array([length for length, _ in values], np.int64)
    starts = ends - [len(value) for _, value in values]
    spans = np.stack([starts, ends, lengths], axis=1) if values else np.zeros((0, 3), np.int64)
    return WrittenRecords(np.frombuffer(data, np.uint8), spans, KEY_AT)


values = st.binary(min_size=KEY_AT, max_size=200).flatmap(
    lambda value: st.tuples(st.integers(0, len(value) - KEY_AT), st.just(value))
)


@given(st.lists(values, max_size=200), st.sampled_from([put_records, plain(put_records)]))
@example([(n % 90, bytes(range(256)) * 70) for n in range(140)], put_records)
@law(300)
def test_a_built_batch_is_what_the_clients_own_builder_makes(
    told: list[tuple[int, bytes]], kernel: Callable[..., object]
) -> None:
    records = made(told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(built_batch, "put_records", kernel)
        batches = list(built_batches([records], NOW, 1 << 24))
    assert len(batches) == bool(told)
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 30)
    for number, (key, value) in enumerate(records.pairs()):
        builder.append(number, NOW, key, value, [])
    for batch in batches:
        assert batch._build() == bytes(builder.build())
        assert (batch.record_count(), batch.closed()) == (len(told), True)


@given(st.lists(values, max_size=60), st.lists(values, max_size=60))
@law(200)
def test_what_has_no_room_in_a_batch_goes_into_the_next(
    one: list[tuple[int, bytes]], other: list[tuple[int, bytes]]
) -> None:
    read: list[tuple[bytes | None, bytes | None]] = []
    for batch in built_batches([made(one), made(other)], NOW, SMALL + 200):
        assert batch.size() <= SMALL + 200
        records = list(DefaultRecordBatch(bytes(batch._build())))
        assert [record.offset for record in records] == list(range(batch.record_count()))
        assert {record.timestamp for record in records} == {NOW}
        read += [(record.key, record.value) for record in records]
    assert read == [*made(one).pairs(), *made(other).pairs()]


def test_a_record_that_no_batch_takes_is_an_error() -> None:
    with pytest.raises(ValueError, match="more than the 300 bytes of a batch"):
        list(built_batches([made([(3, b"x" * 300)])], NOW, 300))


def test_each_number_is_written_in_so_many_bytes() -> None:
    out = np.zeros(10, np.uint8)
    edges = [0, 1, 63, 64, 8191, 8192, 1 << 20, (1 << 20) - 1, 1 << 27, (1 << 31) - 1]
    for number in edges:
        assert put_varint(out, 0, number) == varint_bytes(number)
    assert all(varint_bytes(less) <= varint_bytes(more) for less, more in pairwise(sorted(edges)))


def test_a_batch_takes_no_further_record() -> None:
    batch = BuiltBatch(b"", 1, NOW)
    batch.append(key=b"k", value=b"v")
    batch.close()
    assert batch.record_count() == 1


@given(st.lists(values, max_size=60))
@law(100)
def test_prepared_records_are_the_ones_they_were_made_of(told: list[tuple[int, bytes]]) -> None:
    records = [Outgoing(key, value) for key, value in made(told).pairs()]
    prepared = Prepared([*records, Outgoing(None, b"v"), Outgoing(b"k", None)])
    assert len(prepared) == len(records) + 2
    assert list(prepared) == [*records, Outgoing(None, b"v"), Outgoing(b"k", None)]
    assert prepared[-1] == Outgoing(b"k", None)
    assert not list(Prepared([]))


def test_prepared_records_have_room_in_one_batch() -> None:
    with pytest.raises(RecordTooLargeError, match="too many"):
        Prepared([Outgoing(b"k", bytes(500_000))] * 2)
