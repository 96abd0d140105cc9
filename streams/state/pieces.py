"""Kept values that outgrow a record, as several records: the newest whole version counts.

A value that fits is one record under its key. One that does not is cut into pieces, under one of
two sets of keys of its writer by turns, so that the version before stays whole until the new one
is: what a crash cuts off between two pieces is no version. A value that was cut once stays so for
its writer; so of one record and of pieces at the same offset, the pieces are newer.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from streams.settings import RECORD_BYTES_MAX

PIECE_BYTES_MAX: Final = RECORD_BYTES_MAX - 10_000
"""Bytes of a piece at most; the rest is for its key and what a record takes beside it."""

_HEAD: Final = struct.Struct(">qQQII")  # offset, version, digest of the whole, index, count
_OFFSET: Final = struct.Struct(">q")
_MARK: Final = b"/"  # no other key has one
_SLOTS: Final = (b"a", b"b")


class Whole(NamedTuple):
    """A whole version of a value: its bytes, which begin with its offset, and its keys.

    `version` is 0 if it is one record.
    """

    value: bytes
    version: int
    keys: tuple[bytes, ...]


class Kept:
    """The values that a changelog keeps, of those that may be cut; joined when they are asked for.

    `records` must stay as they are meanwhile.
    """

    def __init__(self, kept: Mapping[bytes, bytes]) -> None:
        self.records = kept
        self._slots: dict[bytes, list[bytes]] = {}  # of each value that was cut
        self._joined: dict[bytes, Whole | None] = {}  # by slot, of those that were asked for
        self.version_last = 0  # of any piece
        for key, value in kept.items():
            stem, mark, _ = key.partition(_MARK)
            if mark and len(value) >= _HEAD.size:
                self.version_last = max(self.version_last, _HEAD.unpack_from(value)[1])
                if key.endswith(b":0"):
                    self._slots.setdefault(stem, []).append(key[:-1])

    def whole(self, key: bytes, version: int | None = None) -> Whole | None:
        """Return the newest whole version of a value, or the one that is asked for; or None."""
        found = []
        for slot in self._slots.get(key, ()):
            if slot not in self._joined:
                self._joined[slot] = _joined(self.records, slot)
            whole = self._joined[slot]
            if whole is not None:
                found.append(whole)
        if key in self.records:
            found.append(Whole(self.records[key], 0, (key,)))
        if version is not None:
            found = [piece for piece in found if piece.version == version]
        return max(
            found, key=lambda piece: (piece.value[: _OFFSET.size], piece.version), default=None
        )


def whole_key(key: bytes) -> bytes:
    """Return the key of the value that a record is, or is a piece of."""
    return key.partition(_MARK)[0]


def _joined(kept: Mapping[bytes, bytes], slot: bytes) -> Whole | None:
    offset, version, digest, _, count = _HEAD.unpack_from(kept[slot + b"0"])
    if count > len(kept):
        return None
    keys = tuple(b"%s%d" % (slot, index) for index in range(count))
    pieces = [kept.get(key, b"") for key in keys]
    heads = [_HEAD.pack(offset, version, digest, index, count) for index in range(count)]
    if any(piece[: _HEAD.size] != head for piece, head in zip(pieces, heads, strict=True)):
        return None
    data = b"".join(piece[_HEAD.size :] for piece in pieces)
    return None if _digest(data) != digest else Whole(_OFFSET.pack(offset) + data, version, keys)


def _digest(data: bytes | memoryview) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest())


class Pieces:
    """What one writer writes, by key, and which keys a newer version has made needless.

    `known` is what is there before its first record. Of `shared` keys, which several writers write,
    it takes on what stands there.
    """

    def __init__(self, known: Kept, writer: bytes, shared: Iterable[bytes] = ()) -> None:
        self.version = known.version_last  # of the last value that was cut
        self._writer = writer
        self._keys: dict[bytes, tuple[bytes, ...]] = {}
        for stem in shared:
            whole = known.whole(stem)
            self._keys[stem] = () if whole is None else whole.keys
        used = {key for keys in self._keys.values() for key in keys}
        self._needless = [
            key for key in known.records if whole_key(key) in self._keys and key not in used
        ]  # of versions that are older, or not whole

    def go_on_as(self, writer: bytes, shared: Iterable[bytes]) -> None:
        """Write as another writer from now on, which has written none but the shared keys."""
        self._writer = writer
        self._keys = {stem: self._keys[stem] for stem in shared if stem in self._keys}

    def records(self, key: bytes, value: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the records of a value, which begins with its offset."""
        before = self._keys.get(key, ())
        if len(value) <= PIECE_BYTES_MAX and before in ((), (key,)):
            self._keys[key] = (key,)
            yield key, value
            return
        slots = [b"%s%s%s:%s:" % (key, _MARK, self._writer, slot) for slot in _SLOTS]
        slot = slots[bool(before) and before[0].startswith(slots[0])]
        self.version += 1
        (offset,), data = _OFFSET.unpack_from(value), memoryview(value)[_OFFSET.size :]
        count = max(1, -(-len(data) // PIECE_BYTES_MAX))
        digest = _digest(data)
        self._needless += before
        self._keys[key] = tuple(b"%s%d" % (slot, index) for index in range(count))
        for index, name in enumerate(self._keys[key]):
            piece = data[index * PIECE_BYTES_MAX : (index + 1) * PIECE_BYTES_MAX]
            yield name, _HEAD.pack(offset, self.version, digest, index, count) + piece

    def forget(self, key: bytes) -> None:
        """Let a value go: nothing needs it once all records so far are written."""
        self._needless += self._keys.pop(key, ())

    def needless(self) -> list[bytes]:
        """Return, once, the keys that nothing needs as soon as all records so far are written."""
        needless, self._needless = self._needless, []
        return needless
