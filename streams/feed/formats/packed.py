"""Compressed files as the bytes in them, unpacked while they are read: gzip and Zstandard."""

import io
from pathlib import Path
from typing import IO, Any, Final, cast

import pyarrow as pa

from streams.feed.mapping import FeedError

ENDS: Final = {".gz": "gzip", ".zst": "zstd"}
_MARKS: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
STEP_BYTES: Final = 1 << 14
"""Bytes that are unpacked at a time: of damaged data so many may not be read."""

_LINE_FEED: Final = b"\n"


def packing_of(path: Path) -> str | None:
    """Return how a file is compressed, by its first bytes, else its name; None if it is not.

    Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(4)
    by_mark = next((kind for mark, kind in _MARKS.items() if head.startswith(mark)), None)
    return by_mark or (ENDS.get(path.suffix.lower()) if head else None)


def plain_suffix(path: Path) -> str:
    """Return the ending of a file's name below that of its compression, in small letters.

    >>> plain_suffix(Path("a/May.CSV.gz")), plain_suffix(Path("may.csv"))
    ('.csv', '.csv')
    """
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in ENDS else suffix


def plain_stem(path: Path) -> str:
    """Return a file's name without its ending: packed or not, it is the same.

    >>> plain_stem(Path("a/May.csv.gz")), plain_stem(Path("May.csv"))
    ('May', 'May')
    """
    return Path(path.stem).stem if path.suffix.lower() in ENDS else path.stem


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file to read what is in it. `tell` is the place in the file itself, on the disk.

    Raises OSError; reading raises FeedError if the compressed data are damaged or cut.
    """
    kind = packing_of(path)
    if kind is None:
        return path.open("rb")
    return cast("IO[bytes]", _Unpacked(path, kind))


def buffered(file: IO[bytes]) -> IO[bytes]:
    """Return a file to be read by the line: by itself an unpacked one is read byte by byte."""
    return io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file


def head_of(path: Path, count: int) -> bytes:
    """Return the first bytes of what is in a file: fewer if it has not as many, or is damaged."""
    head = b""
    with open_bytes(path) as file:
        try:
            while len(head) < count and (more := file.read(count - len(head))):
                head += more
        except FeedError:
            pass  # it is told when the file is read
    return head


class _Unpacked(io.RawIOBase):
    """What is in a compressed file."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path = path
        self._kind = kind
        self._file = path.open("rb")
        self._stream = pa.CompressedInputStream(self._file, kind)
        self._lines = 0
        self._fault: OSError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever has room for bytes
        """Fill a buffer, or what of it can be: what is above damage is handed on before it."""
        count = 0
        while count < len(buffer) and self._fault is None:
            try:
                data: bytes = self._stream.read(min(len(buffer) - count, STEP_BYTES))
            except OSError as error:
                if error.errno is not None:
                    raise  # the file system's, not the file's
                self._fault = error
                break
            if not data:
                break
            self._lines += data.count(_LINE_FEED)
            buffer[count : count + len(data)] = data
            count += len(data)
        if self._fault is not None and not count:
            raise self._told(self._fault) from self._fault
        return count

    def _told(self, error: OSError) -> FeedError:
        said = "ends in the middle" if "runcated" in str(error) else "is damaged"
        problem = (
            f"its {self._kind} data {said}, after {self._lines:,} whole lines ({error}): fetch the"
            " file again"
        )
        return FeedError([problem], str(self._path))

    def tell(self) -> int:
        """Return the place in the compressed file."""
        return self._file.tell()

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._file.close()
        super().close()
