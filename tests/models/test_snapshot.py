import hashlib
import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st
from numpy.typing import NDArray

from models.snapshot import (
    DTYPES,
    FORMAT,
    MAGIC,
    START,
    SnapshotError,
    expect,
    header_of,
    kind_of,
    pack,
    packed,
    plain_entry,
    reading,
    sealed,
    unpack,
)

Arrays = dict[str, NDArray[Any]]

KEY = b"a key of this bank"
keys = st.none() | st.binary(min_size=1, max_size=40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: numpy_st.arrays(
        st.sampled_from([np.dtype(dtype), np.dtype(dtype).newbyteorder(">")]),
        numpy_st.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    )
)


@given(
    st.text(max_size=9),
    st.integers(0, 9),
    st.dictionaries(st.text(max_size=5), json_values, max_size=4),
    st.dictionaries(st.text(max_size=5), arrays, max_size=4),
    keys,
)
def test_what_is_packed_is_unpacked(
    kind: str, version: int, meta: dict[str, Any], held: dict[str, Any], key: bytes | None
) -> None:
    data = pack(kind, version, meta, held, key)
    assert kind_of(data) == kind
    meta_back, back = unpack(data, kind, version, key)
    assert meta_back == meta
    assert list(back) == list(held)
    for name, array in held.items():
        assert back[name].dtype == array.dtype.newbyteorder("=")
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.astype(back[name].dtype).tobytes()  # NaN bits too
        assert back[name].flags.writeable
    assert pack(kind, version, meta, held, key) == data


def test_what_deflates_well_is_small_and_comes_back() -> None:
    held: Arrays = {"zeros": np.zeros((300, 1000)), "odd": np.arange(20_000, dtype=np.int32)[::3]}
    data = pack("k", 1, {}, held)
    assert len(data) < 60_000
    _, back = unpack(data, "k", 1)
    assert np.array_equal(back["zeros"], held["zeros"])
    assert np.array_equal(back["odd"], held["odd"])


@pytest.mark.parametrize("key", [None, KEY])
def test_what_was_packed_before_comes_back_as_other_arrays_do(key: bytes | None) -> None:
    zeros, noise = np.zeros((9, 90), np.int32), np.frombuffer(bytes(range(256)), np.uint8)
    arrays: Arrays = {"zeros": zeros, "noise": noise}
    before = {name: packed(name, array) for name, array in arrays.items()}
    assert pack("k", 1, {}, before, key) == pack("k", 1, {}, arrays, key)
    inner = pack("inner", 1, {}, arrays, key)
    _, back = unpack(pack("k", 1, {}, before, key, {"inner": inner}), "k", 1, key)
    assert list(back) == ["zeros", "noise", "inner"]
    assert unpack(back["inner"].tobytes(), "inner", 1, key)[1]["zeros"].tolist() == zeros.tolist()


def test_one_may_be_put_together_of_a_header_and_plain_bytes() -> None:
    header = header_of("k", 1, {"n": 2}, [plain_entry("zeros", 8000)])
    meta, back = unpack(sealed(header, [bytes(8000)], KEY), "k", 1, KEY)
    assert meta == {"n": 2}
    assert back["zeros"].shape == (8000,)
    assert not back["zeros"].any()


def small(key: bytes | None) -> bytes:
    held: Arrays = {
        "a": np.arange(6, dtype=np.int32).reshape(2, 3),
        "z": np.zeros(90),
        "b": np.ones(3, "?"),
    }
    return pack("kind", 3, {"n": 1}, held, key)


@pytest.mark.parametrize("key", [None, KEY])
def test_every_changed_byte_is_refused(key: bytes | None) -> None:
    data = small(key)
    for place in range(len(data)):
        for bit in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[place] ^= bit
            with pytest.raises(SnapshotError):
                unpack(bytes(changed), "kind", 3, key)


@pytest.mark.parametrize("key", [None, KEY])
def test_every_cut_is_refused_and_so_is_more(key: bytes | None) -> None:
    data = small(key)
    for length in range(len(data)):
        with pytest.raises(SnapshotError):
            unpack(data[:length], "kind", 3, key)
        with pytest.raises(SnapshotError):  # the end without the beginning
            unpack(data[len(data) - length :], "kind", 3, key)
    with pytest.raises(SnapshotError, match="after its end"):
        unpack(data + b"\0", "kind", 3, key)


@pytest.mark.parametrize(
    ("made_with", "read_with", "words"),
    [
        (KEY, b"another key", "another key"),
        (KEY, None, "made with a key, and none is set"),
        (None, KEY, "made without a key, and a key is set"),
    ],
)
def test_keys_must_agree(made_with: bytes | None, read_with: bytes | None, words: str) -> None:
    with pytest.raises(SnapshotError, match=words):
        unpack(small(made_with), "kind", 3, read_with)


def test_an_empty_key_is_none_at_all() -> None:
    with pytest.raises(ValueError, match="empty key"):
        small(b"")


def test_another_kind_version_or_format_is_refused_by_name() -> None:
    data = small(None)
    with pytest.raises(SnapshotError, match="is of 'kind', not of 'other'"):
        unpack(data, "other", 3)
    with pytest.raises(SnapshotError, match="version 3 of kind; this program reads version 4"):
        unpack(data, "kind", 4)
    later = bytearray(data)
    later[len(MAGIC)] = FORMAT + 1
    with pytest.raises(SnapshotError, match=f"format {FORMAT + 1}"):
        unpack(bytes(later), "kind", 3)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    for attempt in (data, MAGIC + data, MAGIC + bytes([FORMAT, 0]) + data):
        with pytest.raises(SnapshotError):
            unpack(attempt, "kind", 3)
        with pytest.raises(SnapshotError):
            kind_of(attempt)


def test_only_plain_numbers_and_json_are_packed() -> None:
    for array in (np.array(["text"]), np.array([None]), np.zeros(2, "c16"), np.zeros(2, "i4,f4")):
        with pytest.raises(SnapshotError, match="plain numbers"):
            pack("k", 1, {}, {"a": array})
    for meta in ({"a": float("nan")}, {"a": b""}, {"a": np.int64(1)}):
        with pytest.raises(SnapshotError, match="not JSON"):
            pack("k", 1, meta, {})


# -- headers that lie: without a key anybody can make a digest -------------------------------------

ONES = np.ones(4).tobytes()
DEFLATED = zlib.compress(bytes(8000))


def forged(header: bytes, body: bytes = b"", header_bytes: int | None = None) -> bytes:
    size = len(header) if header_bytes is None else header_bytes
    start = START.pack(MAGIC, FORMAT, 0, size, START.size + len(header) + len(body) + 32)
    data = start + header + body
    return data + hashlib.sha256(data).digest()


def with_arrays(entries: object, body: bytes = b"") -> bytes:
    header = {"kind": "kind", "version": 3, "meta": {}, "arrays": entries}
    return forged(json.dumps(header).encode(), body)


def test_the_forger_can_make_a_true_one() -> None:
    entries = [["a", "<f8", [2, 2], False, 32], ["z", "<f8", [1000], True, len(DEFLATED)]]
    _, back = unpack(with_arrays(entries, ONES + DEFLATED), "kind", 3)
    assert np.array_equal(back["a"], np.ones((2, 2)))
    assert np.array_equal(back["z"], np.zeros(1000))


@pytest.mark.parametrize(
    "entries",
    [
        [["a", "<f8", [5], False, 32]],  # says more than it stores
        [["a", "<f8", [3], False, 32]],
        [["a", "<f8", [4], False, 40]],  # stores more than there is
        [["a", "<f8", [4], False, 24]],
        [["a", "<f8", [4], False, 10**30]],
        [["a", "<f8", [10**12], False, 32]],
        [["a", "<f8", [2**61, 8], False, 32]],  # wraps around to nothing in 64 bits
        [["a", "<f8", [0, 10**30], False, 0]],
        [["a", "<f8", [-4], False, 32]],
        [["a", "<f8", [-2, -2], False, 32]],
        [["a", "<f8", [4.0], False, 32]],
        [["a", "<f8", [True, 4], False, 32]],
        [["a", "<f8", [1] * 40 + [4], False, 32]],
        [["a", "<f8", "4", False, 32]],
        [["a", "<f8", [4], 0, 32]],
        [["a", "<f8", [4], True, 32]],  # is not deflated
        [["a", "<f8", [4], False, 32.0]],
        [["a", "<f8", [4], False, -32]],
        [["a", "|O", [4], False, 32]],
        [["a", "<c16", [2], False, 32]],
        [["a", ">f8", [4], False, 32]],
        [["a", ["<f8"], [4], False, 32]],
        [["a", "|b1", [32], False, 32]],  # bytes that are no bool
        [[["a"], "<f8", [4], False, 32]],
        [["a", "<f8", [2], False, 16], ["a", "<f8", [2], False, 16]],
        [["a", "<f8", [4], False]],
        [],
        [None],
        {},
        "a",
    ],
)
def test_a_header_that_lies_of_its_arrays_is_refused(entries: object) -> None:
    with pytest.raises(SnapshotError):
        unpack(with_arrays(entries, ONES), "kind", 3)


@pytest.mark.parametrize("items", [999, 1001, 10**6, 10**15, 0])
def test_what_inflates_to_another_size_is_refused(items: int) -> None:
    entries = [["z", "<f8", [items], True, len(DEFLATED)]]
    with pytest.raises(SnapshotError):
        unpack(with_arrays(entries, DEFLATED), "kind", 3)


def test_deflated_bytes_are_all_of_the_array() -> None:
    for body in (DEFLATED + b"more", DEFLATED[:-1], DEFLATED[:-1] + b"\0"):
        entries = [["z", "<f8", [1000], True, len(body)]]
        with pytest.raises(SnapshotError):
            unpack(with_arrays(entries, body), "kind", 3)


@pytest.mark.parametrize(
    "header",
    [
        b"", b"[]", b"{}", b"null", b"\xff", b"{" * 50_000, b"[" * 100_000,
        b'{"kind":"kind","version":3,"meta":{},"arrays":[],"more":1}',
        b'{"kind":"kind","version":3,"meta":[],"arrays":[]}',
        b'{"kind":3,"version":3,"meta":{},"arrays":[]}',
        b'{"kind":"kind","version":3,"meta":{"a":NaN},"arrays":[]}',
        b'{"kind":"kind","version":"3","meta":{},"arrays":[]}',
    ],
)  # fmt: skip
def test_a_header_that_is_not_ours_is_refused(header: bytes) -> None:
    with pytest.raises(SnapshotError):
        unpack(forged(header), "kind", 3)
    with pytest.raises(SnapshotError):
        kind_of(forged(header))


@pytest.mark.parametrize("header_bytes", [0, 1, 10, 60, 10_000, 2**32 - 1])
def test_a_header_of_another_length_is_refused(header_bytes: int) -> None:
    header = b'{"kind":"kind","version":3,"meta":{},"arrays":[]}'
    assert unpack(forged(header), "kind", 3) == ({}, {})
    with pytest.raises(SnapshotError):
        unpack(forged(header, header_bytes=header_bytes), "kind", 3)


def test_contents_that_do_not_fit_are_told_as_such() -> None:
    for error in (KeyError("a"), TypeError("a"), ValueError("a"), IndexError("a")):
        with pytest.raises(SnapshotError, match="kind snapshot do not fit"), reading("kind"):
            raise error
    with pytest.raises(ZeroDivisionError), reading("kind"):  # a mistake of ours is no bad snapshot
        raise ZeroDivisionError


def test_expected_arrays_are_all_there_and_no_others() -> None:
    held: Arrays = {"a": np.zeros((2, 3)), "b": np.zeros(2, np.int32)}
    expect(held, {"b": ("int32", (2,)), "a": ("float64", (2, 3))})
    for wrong in ({"a": ("float64", (2, 3))}, {"a": ("float64", (3, 2)), "b": ("int32", (2,))},
                  {"a": ("float32", (2, 3)), "b": ("int32", (2,))}):  # fmt: skip
        with pytest.raises(SnapshotError, match="has the arrays"):
            expect(held, wrong)
