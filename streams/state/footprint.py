"""What a worker remembers of the records that its partition's changelog holds.

Their values are needed to put an engine together, and hardly for anything afterwards: the engine
holds the same. So of a bucket and of a part of the models only the offset stays, by which a newer
version is told from an older one, and the size. Seals, counts and journal chunks stay whole: the
first two are small, and a chunk is written once more when state is dealt into more buckets.
"""

from collections.abc import Iterable

from streams.state import changelog


class Footprint:
    """The records of a partition's changelog, by key: `kept`, which is changed in place.

    `is_whole` is False once values were let go. Nothing can be put together from `kept` then; the
    changelog itself has to be read again.
    """

    def __init__(self, kept: dict[bytes, bytes]) -> None:
        self.kept = kept
        self.is_whole = True
        self._sizes = {key: len(value) for key, value in kept.items()}
        self.bytes = sum(self._sizes.values())

    def keep(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take in records that were written, in their order, without the values."""
        for key, value in records:
            if value is not None and not changelog.takes_place(self.kept.get(key), key, value):
                continue
            self.bytes -= self._sizes.pop(key, 0)
            if value is None:
                self.kept.pop(key, None)
                continue
            self.kept[key] = self._of(key, value)
            self._sizes[key] = len(value)
            self.bytes += len(value)

    def let_go(self) -> None:
        """Let the values of all records go: the engine that was put together from them has them."""
        for key, value in self.kept.items():
            self.kept[key] = self._of(key, value)

    def bytes_of(self, keys: Iterable[bytes]) -> int:
        """Return how many bytes the values under some keys have on the changelog."""
        return sum(map(self._sizes.__getitem__, keys))

    def _of(self, key: bytes, value: bytes) -> bytes:
        if not changelog.is_great(key):
            return value
        self.is_whole = False
        return changelog.offset_bytes(value)
