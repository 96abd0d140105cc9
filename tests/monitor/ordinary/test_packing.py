"""What the kernels write is msgpack: it reads back, and is as short as msgspec has it."""

import random

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Bytes, Ints
from monitor.ordinary import packing

encode = msgspec.msgpack.Encoder().encode

edges = st.sampled_from(
    [sign * (1 << bits) + step for bits in range(63) for sign in (-1, 1) for step in (-1, 0, 1)]
)
whole = edges | st.integers(-(1 << 63), (1 << 63) - 1)
lengths = st.sampled_from([0, 31, 32, 255, 256, 65_535, 65_536]) | st.integers(0, 40)


def in_bytes(texts: list[str]) -> tuple[Bytes, Ints, Ints]:
    """Return texts behind another one, and where each stands."""
    sizes = np.array([len(text.encode()) for text in texts], np.int64)
    data = np.frombuffer(b"x" + "".join(texts).encode(), np.uint8)
    return data, 1 + np.cumsum(sizes) - sizes, sizes


@given(st.lists(whole, max_size=30))
def test_numbers_are_as_msgspec_writes_them(values: list[int]) -> None:
    assert packing.packed_numbers(np.array(values, np.int64)).tobytes() == encode(values)


def test_arrays_of_any_size_are_too() -> None:
    for count in (0, 15, 16, 65_535, 65_536):
        values = np.arange(count)
        assert packing.packed_numbers(values).tobytes() == encode(values.tolist())


@given(st.lists(st.tuples(st.sampled_from("aé中"), lengths), max_size=4))
def test_texts_are_as_msgspec_writes_them(drawn: list[tuple[str, int]]) -> None:
    texts = [letter * length for letter, length in drawn]
    assert packing.packed_texts(*in_bytes(texts)).tobytes() == encode(texts)
    assert packing.packed_joined(*in_bytes(texts)).tobytes() == encode("".join(texts))


@given(st.lists(st.integers(0, 12) | st.integers(0, 1 << 40), max_size=60))
def test_values_are_numbered_in_the_order_in_which_they_come(values: list[int]) -> None:
    firsts, numbers = packing.numbered(np.array(values, np.int64))
    differing = list(dict.fromkeys(values))
    assert [values[first] for first in firsts.tolist()] == differing
    assert [differing[number] for number in numbers.tolist()] == values
    assert firsts.tolist() == [values.index(value) for value in differing]


# -- reading --------------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | whole | st.integers(0, (1 << 64) - 1) | st.floats(width=64)
    | st.tuples(st.sampled_from("aé中"), lengths).map(lambda drawn: drawn[0] * drawn[1]),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)  # fmt: skip


@given(values, st.binary(max_size=9), st.randoms(use_true_random=False))
def test_a_value_is_skipped_whatever_is_in_it(
    value: object, behind: bytes, rng: random.Random
) -> None:
    written = encode(value)
    data = np.frombuffer(written + behind, np.uint8)
    assert packing.skip_value(data, 0, data.size) == len(written)
    cut = rng.randrange(len(written))
    assert packing.skip_value(data, 0, cut) == packing.BROKEN
    begins = packing.begins_of_fields(np.frombuffer(encode([value, 5]), np.uint8), 0, 2)
    assert begins.tolist() == [1, 1 + len(written), 2 + len(written)]
    assert not packing.begins_of_fields(data, 0, 1 + rng.randrange(3)).size or behind == b""


@given(whole | st.integers(1 << 63, (1 << 64) - 1), lengths)
def test_what_is_written_is_read(number: int, length: int) -> None:
    written = np.frombuffer(encode(number) + encode("x" * length), np.uint8)
    behind = len(encode(number))
    expected = (number, behind) if number < 1 << 63 else (0, packing.BROKEN)
    assert packing.read_number(written, 0, behind) == expected
    assert packing.read_number(written, 0, behind - 1) == (0, packing.BROKEN)
    begin = written.size - length
    assert packing.read_text_head(written, behind, written.size) == (length, begin)
    if length:
        assert packing.read_text_head(written, behind, written.size - 1)[1] == packing.BROKEN
    for count in (0, 15, 16, 70_000):
        array = np.frombuffer(encode([0] * count), np.uint8)
        assert packing.read_array_head(array, 0, array.size) == (count, array.size - count)
    assert packing.read_array_head(written, behind, written.size) == (0, packing.BROKEN)
