"""A model's state as bytes: JSON and arrays under one digest; nothing is ever unpickled.

A snapshot is a fixed start (magic, format, whether a key was used, lengths), a JSON header (kind,
version, `meta` and what its arrays are), the arrays (little-endian, deflated where it pays) and 32
bytes of SHA-256 over all before; with a key it is HMAC-SHA-256. The digest is compared before the
header is read, so what is damaged is never looked at. Without a key anybody can make a digest:
therefore nothing that the header says of sizes is believed beyond the bytes that are there.
"""

import hashlib
import hmac
import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

MAGIC: Final = b"weirmdl\n"
FORMAT: Final = 1
START: Final = struct.Struct("<8sBBIQ")
"""Magic, format, 1 where it is keyed, bytes of the header, bytes of the whole snapshot."""

Buffer = bytes | memoryview

DIGEST_BYTES: Final = 32
DTYPES: Final = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8")
"""Types that an array may have: plain numbers."""

DIMENSIONS_MAX: Final = 8
DEFLATE_LEVEL: Final = 1  # higher ones take many times as long and save a few per cent
DEFLATED_SHARE_MAX: Final = 0.9


class SnapshotError(ValueError):
    """Bytes that are not the snapshot that was asked for; the message says in what way."""


def pack(
    kind: str,
    version: int,
    meta: Mapping[str, Any],
    arrays: Mapping[str, "NDArray[Any] | Packed"],
    key: bytes | None = None,
    inner: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """Return a snapshot of a kind of model, in a version of that kind's contents.

    `meta` is what JSON can hold, finite numbers only (a tuple comes back as a list). `inner` are
    snapshots that this one has in it, as arrays of bytes: they are deflated as they are. Raises
    SnapshotError for an array whose type is not in `DTYPES`, and for a `meta` that is not JSON.
    """
    body: list[Buffer] = []
    entries = []
    for name, array in arrays.items():
        entry, stored = array if isinstance(array, Packed) else packed(name, array)
        entries.append(entry)
        body.append(stored)
    for name, data in inner.items():
        entries.append(plain_entry(name, len(data)))
        body.append(data)
    return sealed(header_of(kind, version, meta, entries), body, key)


def header_of(kind: str, version: int, meta: Mapping[str, Any], entries: list[list[Any]]) -> bytes:
    """Return the header of a snapshot, whose arrays are `entries` (as `plain_entry` has them).

    For who writes the like of it again and again. Raises SnapshotError as `pack` does for `meta`.
    """
    contents = {"kind": kind, "version": version, "meta": dict(meta), "arrays": entries}
    try:
        return json.dumps(contents, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise SnapshotError(f"the meta of {kind} is not JSON: {error}") from error


def plain_entry(name: str, size: int) -> list[Any]:
    """Return the entry of an array of so many bytes, which is kept as it is."""
    return [name, "|u1", [size], False, size]


def sealed(header: bytes, body: Sequence[Buffer], key: bytes | None) -> bytes:
    """Return the snapshot of a header and its arrays' bytes."""
    total = START.size + len(header) + sum(map(len, body)) + DIGEST_BYTES
    start = START.pack(MAGIC, FORMAT, key is not None, len(header), total)
    if key is not None:
        data = b"".join((start, header, *body))
        return data + _digest(data, key)
    digest = hashlib.sha256(start)  # part by part: what is joined once is copied once
    for part in (header, *body):
        digest.update(part)
    return b"".join((start, header, *body, digest.digest()))


def unpack(
    data: bytes, kind: str, version: int, key: bytes | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return `meta` and the arrays (new, writable, in the machine's byte order) of a snapshot.

    Raises SnapshotError if it is none, is cut or changed, was made with another key, with one
    where none is set or the reverse, and where it is of another format, kind or version.
    """
    header_bytes = _checked_start(data, key is not None)
    if not hmac.compare_digest(_digest(data[:-DIGEST_BYTES], key), data[-DIGEST_BYTES:]):
        raise SnapshotError(
            "the snapshot was changed since it was made"
            + ("" if key is None else ", or was made with another key")
        )
    contents = _contents(data, header_bytes)
    if contents["kind"] != kind:
        raise SnapshotError(f"the snapshot is of {contents['kind']!r}, not of {kind!r}")
    if contents["version"] != version:
        raise SnapshotError(
            f"the snapshot has version {contents['version']!r} of {kind}; this program reads"
            f" version {version}"
        )
    body = memoryview(data)[START.size + header_bytes : -DIGEST_BYTES]
    with reading(kind):
        return contents["meta"], _arrays(contents["arrays"], body)


def kind_of(data: bytes) -> str:
    """Return the kind that a snapshot says it is of: unproven until it is unpacked.

    Raises SnapshotError if the bytes cannot be a snapshot.
    """
    is_keyed = len(data) >= START.size and START.unpack_from(data)[2] == 1
    kind: str = _contents(data, _checked_start(data, is_keyed))["kind"]
    return kind


@contextmanager
def reading(kind: str) -> Iterator[None]:
    """Raise SnapshotError for whatever does not fit while a snapshot's contents are taken up."""
    try:
        yield
    except SnapshotError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, zlib.error) as error:
        raise SnapshotError(
            f"the contents of the {kind} snapshot do not fit together: {error!r}"
        ) from error


def expect(
    arrays: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[str, tuple[int, ...]]]
) -> None:
    """Raise SnapshotError unless there are exactly these arrays, of these types and shapes."""
    found = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
    if found != dict(shapes):
        raise SnapshotError(f"the snapshot has the arrays {found}, not {dict(shapes)}")


class Packed(NamedTuple):
    """An array as a snapshot has it: what the header says of it, and its bytes."""

    entry: list[Any]
    stored: bytes


def packed(name: str, array: NDArray[Any]) -> Packed:
    """Return an array as `pack` stores it: for who writes one that never changes again and again.

    Raises SnapshotError as `pack` does.
    """
    dtype = array.dtype.newbyteorder("<").str
    if dtype not in DTYPES:
        raise SnapshotError(f"array {name} is of {array.dtype}: a snapshot holds plain numbers")
    raw = array.astype(dtype, copy=False).tobytes()
    deflated = zlib.compress(raw, DEFLATE_LEVEL)
    is_deflated = len(deflated) < DEFLATED_SHARE_MAX * len(raw)
    stored = deflated if is_deflated else raw
    return Packed([name, dtype, list(array.shape), is_deflated, len(stored)], stored)


def _digest(data: bytes, key: bytes | None) -> bytes:
    if key is None:
        return hashlib.sha256(data).digest()
    if not key:
        raise ValueError("an empty key keeps nobody out")
    return hmac.digest(key, data, "sha256")


def _checked_start(data: bytes, is_keyed: bool) -> int:  # noqa: FBT001 - it is what is compared
    """Return the bytes of the header, once the fixed start has been found right."""
    if data[: len(MAGIC)] != MAGIC[: len(data)] or not data:
        raise SnapshotError("these bytes are not a snapshot")
    if len(data) < START.size:
        raise SnapshotError("the snapshot is cut short")
    _, form, keyed, header_bytes, total = START.unpack_from(data)
    if form != FORMAT:
        raise SnapshotError(f"the snapshot has format {form}; this program reads {FORMAT}")
    if keyed != is_keyed:
        raise SnapshotError(
            "the snapshot was made without a key, and a key is set"
            if is_keyed
            else "the snapshot was made with a key, and none is set"
        )
    if len(data) < total:
        raise SnapshotError(f"the snapshot is cut short: {len(data)} of {total} bytes")
    if len(data) > total:
        raise SnapshotError(f"the snapshot has bytes after its end: {len(data)}, not {total}")
    if START.size + header_bytes + DIGEST_BYTES > total:
        raise SnapshotError("the snapshot's header is longer than the snapshot")
    return int(header_bytes)


def _contents(data: bytes, header_bytes: int) -> dict[str, Any]:
    try:
        contents = json.loads(
            data[START.size : START.size + header_bytes], parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"the snapshot's header is not JSON: {error}") from error
    types = {"kind": str, "version": int, "meta": dict, "arrays": list}
    if (
        not isinstance(contents, dict)
        or contents.keys() != types.keys()
        or not all(isinstance(contents[name], type_) for name, type_ in types.items())
    ):
        raise SnapshotError("the snapshot's header does not name kind, version, meta and arrays")
    return contents


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _arrays(entries: list[Any], body: memoryview) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, dtype, shape, is_deflated, stored_bytes in entries:
        if not isinstance(name, str) or name in arrays:
            raise SnapshotError("the snapshot names an array twice, or with no name")
        if dtype not in DTYPES or not isinstance(is_deflated, bool):
            raise SnapshotError(f"array {name} is of {dtype!r}: a snapshot holds plain numbers")
        size = _array_bytes(np.dtype(dtype).itemsize, shape)
        if not _is_count(stored_bytes) or stored_bytes > len(body):
            raise SnapshotError(f"array {name} is longer than the snapshot")
        raw = _raw(body[:stored_bytes], size, is_deflated=is_deflated)
        if dtype == "|b1" and raw.strip(b"\0\1"):
            raise SnapshotError(f"array {name} has what is neither true nor false")
        native = np.dtype(dtype).newbyteorder("=")
        arrays[name] = np.frombuffer(raw, dtype).astype(native, copy=True).reshape(shape)
        body = body[stored_bytes:]
    if body:
        raise SnapshotError("the snapshot has more bytes than its arrays")
    return arrays


def _array_bytes(item_bytes: int, shape: Any) -> int:
    if not isinstance(shape, list) or len(shape) > DIMENSIONS_MAX or not all(map(_is_count, shape)):
        raise SnapshotError(f"{shape!r} is not the shape of an array")
    return item_bytes * math.prod(shape)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0  # a bool is an int, and no count


def _raw(stored: memoryview, size: int, *, is_deflated: bool) -> bytes:
    """Return the bytes of an array.

    What is deflated takes the memory that its bytes fill, up to the size that they should: deflate
    makes at most 1032 of one, and a greater size in the header takes none by itself.
    """
    if not is_deflated:
        if len(stored) != size:
            raise SnapshotError(f"an array has {len(stored)} bytes and should have {size}")
        return bytes(stored)
    inflater = zlib.decompressobj()
    raw = inflater.decompress(stored, size + 1)  # one more than right: never without a bound
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        raise SnapshotError(f"an array has other bytes than the {size} that it should have")
    return raw
