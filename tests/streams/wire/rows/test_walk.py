"""Batches are read and refused as aiokafka does, and never beyond their bytes."""

import ast
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.wire import codec
from streams.wire.columns import DamagedBatchError, prepare, read_run
from streams.wire.records import RecordBatch
from streams.wire.rows.walk import varint
from tests.support.laws import examples, law
from tests.support.record_batches import batch_of, by_aiokafka, by_weir
from tests.support.records import GOOD_TIMESTAMP, Record

SMALL = st.none() | st.binary(max_size=20)
HEADERS = st.lists(st.tuples(st.text(max_size=4), SMALL), max_size=3)
NUMBERS = (
    b"\x80\x00", b"\xff" * 9 + b"\x01", b"\xfe" + b"\xff" * 8 + b"\x01", b"\xff" * 9 + b"\x7f",
    b"\xff" * 10 + b"\x01", b"\x80" * 9 + b"\x01",
)  # fmt: skip
"""Numbers as no writer writes them: too long, the least and the greatest, one without an end."""


@pytest.fixture(autouse=True, scope="module")
def _kernels() -> None:
    prepare()


def some_records(rng: random.Random) -> list[Record]:
    headers = (("h", b"x"), ("weir", b""), ("h\u00e9", b"1"))
    return [
        Record(
            offset, rng.choice([None, b"", rng.randbytes(70)]), rng.choice([None, b"", b"key"]),
            GOOD_TIMESTAMP + rng.randrange(-90, 9000), headers[: rng.randrange(4)],
        )
        for offset in range(rng.randint(1, 6))
    ]  # fmt: skip


@law(200)
@given(st.lists(st.tuples(SMALL, SMALL, st.integers(0, 1 << 45), HEADERS), min_size=1), st.data())
def test_a_batch_is_read_as_by_aiokafka(
    drawn: list[tuple[bytes | None, bytes | None, int, list[tuple[str, bytes | None]]]],
    data: st.DataObject,
) -> None:
    first = data.draw(st.integers(0, 1 << 60))
    records = [
        Record(first + n, value, key, time, tuple(headers))  # type: ignore[arg-type]  # a value may be None
        for n, (key, value, time, headers) in enumerate(drawn)
    ]
    append_time = data.draw(st.none() | st.integers(0, 1 << 45))
    from_offset = data.draw(st.integers(first - 1, first + len(records)))
    batch = batch_of(records, append_time=append_time, from_offset=from_offset)
    read = by_weir(batch)
    assert read == by_aiokafka(batch)
    assert read is not None
    assert len(read) == len(records) - max(0, from_offset - first)
    run = read_run([batch])
    assert run.items == codec.decode_run(read)
    assert run.written_at == codec.written_at(read)


def test_damaged_batches_are_refused_where_aiokafka_refuses_them() -> None:
    rng = random.Random(11)  # noqa: S311 - seeded, and no secret
    refused = 0
    count = examples(20_000)
    for _ in range(count):
        whole = batch_of(some_records(rng))
        data = bytearray(whole.data)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data) + 1) :]
        for _ in range(rng.randrange(4)):
            if data:
                data[rng.randrange(len(data))] = rng.choice(
                    [0, 1, 2, 127, 128, 129, 254, 255, rng.randrange(256)]
                )
        if rng.random() < 0.2:
            place = rng.randrange(len(data) + 1)
            data[place : place + rng.randrange(3)] = rng.choice(NUMBERS)
        batch = RecordBatch(
            bytes(data), whole.count + rng.choice([0, 0, 0, 0, 1, -1]),
            rng.choice([0, 5, 2**63 - 3]), rng.choice([GOOD_TIMESTAMP, 2**63 - 100]),
            rng.choice([None, None, 77]), rng.choice([0, 0, 7]),
        )  # fmt: skip
        read = by_weir(batch)
        assert read == by_aiokafka(batch), batch
        refused += read is None
    assert count / 2 < refused < count * 9 / 10


@pytest.mark.parametrize("count", [-1, 3, 2**31 - 1])
def test_a_number_of_records_that_the_bytes_cannot_have(count: int) -> None:
    batch = batch_of([Record(5, b"{}"), Record(6, b"")])._replace(count=count)
    with pytest.raises(DamagedBatchError, match="the batch at offset 5 must have"):
        read_run([batch_of([Record(1, b"")]), batch])


def test_a_batch_without_records_is_one() -> None:
    """Compaction leaves such batches."""
    assert read_run([RecordBatch(b"", 0, 5, 0, None, 5)]).offsets == []
    with pytest.raises(DamagedBatchError):
        read_run([RecordBatch(b"\0", 0, 5, 0, None, 5)])


@given(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=3))
def test_a_number_of_64_bits(number: int, after: bytes) -> None:
    zigzag = (number << 1) ^ (number >> 63)
    written = bytearray()
    left = zigzag & (2**64 - 1)
    while left > 127:
        written.append(left & 127 | 128)
        left >>= 7
    written.append(left)
    data = np.frombuffer(bytes(written) + after, np.uint8)
    assert varint(data, 0, data.size) == (number, len(written))
    assert varint(data, 0, len(written) - 1) == (0, -1)


def test_a_kernel_is_made_of_nothing_that_its_machine_code_does_not_know() -> None:
    """The code is kept for the sources of its own folder and of `models` (models/kernels.py)."""
    folder = Path(read_run.__code__.co_filename).parent / "rows"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                module = str(node.module)
                known = module.startswith(("models.", "streams.wire.rows"))
                assert known or module in {"typing", "collections.abc"}, (path.name, module)
