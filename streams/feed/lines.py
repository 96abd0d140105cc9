"""The lines of a CSV file: as bytes whose cells a kernel finds, or one by one as texts."""

import codecs
import io
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO, Final, overload

import numpy as np

from models.arrays import Ints
from monitor.core.business_day import event_time_of
from monitor.core.transaction import FIELDS, Fields
from streams.feed.mapping import FeedMap
from streams.feed.rows import Shape
from streams.wire import lines
from streams.wire.rows.layout import NOWHERE, RunColumns
from streams.wire.rows.values import NO_TIME

READ_BYTES: Final = 4 << 20
_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_LINE_FEED: Final = b"\n"
_RETURN: Final = b"\r"


class LineRows(Sequence[Fields]):
    """Rows of lines that are whole by themselves: columns of their cells, and texts if asked for.

    Each line is as long as its cells and delimiters; what ends it stands behind.
    """

    def __init__(self, columns: RunColumns, shape: Shape, delimiter: str) -> None:
        self.columns = columns
        self._data = columns.data.data
        self._shape = shape
        self._delimiter = delimiter

    def __len__(self) -> int:
        return len(self.columns.rows)

    @overload
    def __getitem__(self, place: int) -> Fields: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Fields]: ...
    def __getitem__(self, place: int | slice) -> Fields | Sequence[Fields]:
        if isinstance(place, slice):
            return self.fields_at(range(len(self))[place])
        return self.fields_at([place])[0]

    def __iter__(self) -> Iterator[Fields]:
        return iter(self.fields_at(range(len(self))))

    def fields_at(self, places: Sequence[int]) -> Sequence[Fields]:
        """Return the texts of the rows at some places."""
        rows = self.columns.rows[list(places)]
        starts, lengths = rows["value_at"].tolist(), rows["value_length"].tolist()
        cells = [
            bytes(self._data[start : start + length]).decode().split(self._delimiter)
            for start, length in zip(starts, lengths, strict=True)
        ]
        return self._shape.of_rows(cells, range(len(cells))).rows


class LineSource(Iterator[str]):
    """The lines of a UTF-8 file from its beginning; what is not valid stays, as surrogates.

    Iterated, it yields texts that end as the file's lines do: by CR, LF or both.
    """

    def __init__(self, binary: IO[bytes]) -> None:
        self._binary = binary
        self._buffer = binary.read(READ_BYTES).removeprefix(_UTF_8_MARK)
        self._at = 0
        self._texts: deque[str] = deque()

    def __next__(self) -> str:
        if not self._texts and not self._read_texts():
            raise StopIteration
        return self._texts.popleft()

    def give_back(self, texts: Sequence[str]) -> None:
        """Take lines back that were yielded last."""
        self._texts.extendleft(reversed(texts))

    def take_whole(self, dialect: lines.Dialect, count: int) -> RunColumns | None:
        """Return the cells of the next lines, of so many if there are; None if they are not plain.

        They are if each is whole by itself, and valid text.
        """
        self._put_texts_back()
        while True:
            placed = lines.place_lines(self._buffer, self._at, dialect, count)
            if placed is None:
                return None
            if len(placed.columns.rows) == count or not self._read_more():
                break
        begin, end = self._at, placed.end
        rows = placed.columns.rows
        if not len(rows):
            return None  # the last line may have no end
        data = self._buffer[begin:end]
        if not placed.is_ascii and not _is_utf_8(data):
            return None
        rows["value_at"] -= begin
        self._at = end
        return RunColumns(np.frombuffer(data, np.uint8), rows)

    def _read_more(self) -> bool:
        more = self._binary.read(READ_BYTES)
        rest = self._buffer[self._at :]
        if not more and rest and not rest.endswith(_LINE_FEED):
            more = _LINE_FEED  # the last line is a line like any other
        if more:
            self._buffer, self._at = rest + more, 0
        return bool(more)

    def _put_texts_back(self) -> None:
        if self._texts:
            text = "".join(self._texts).encode(errors="surrogateescape")
            self._texts.clear()
            self._buffer = text + self._buffer[self._at :]
            self._at = 0

    def _read_texts(self) -> bool:
        """Make texts of some whole lines; return False at the end of the file."""
        end = self._end_of_some()
        while end < 0 and self._read_more():
            end = self._end_of_some()
        if end < 0:
            end = len(self._buffer)
        text = self._buffer[self._at : end].decode(errors="surrogateescape")
        self._at = end
        self._texts.extend(io.StringIO(text, newline=""))
        return bool(text)

    def _end_of_some(self) -> int:
        """Return the place after some whole lines; -1 if no line is whole."""
        most = self._at + (1 << 16)
        end = self._buffer.rfind(_LINE_FEED, self._at, most)
        if end < 0:
            end = self._buffer.find(_LINE_FEED, self._at)
        if end < 0:
            # Of a file whose lines end in CR: the last one may have its LF in what is not read yet.
            end = self._buffer.rfind(_RETURN, self._at, len(self._buffer) - 1)
        return end + 1 if end >= 0 else -1


def fields_at(rows: Sequence[Fields], places: Sequence[int]) -> Sequence[Fields]:
    """Return the rows at some places."""
    return rows.fields_at(places) if isinstance(rows, LineRows) else [rows[at] for at in places]


def times_in(rows: LineRows) -> Ints:
    """Return the times that can be read, in the order of the rows."""
    times = lines.times_of(rows.columns)
    is_read = np.asarray(times != NO_TIME)
    for place in np.flatnonzero(~is_read).tolist():
        (text,) = rows[place]
        time = event_time_of(text) if text else None
        if time is not None:
            times[place], is_read[place] = time, True
    found: Ints = times[is_read]
    return found


def dialect_of(shape: Shape, feed_map: FeedMap, delimiter: str) -> lines.Dialect | None:
    """Return how kernels find the cells of a file; None if they do not, or are not loaded."""
    is_utf_8 = codecs.lookup(feed_map.encoding).name == "utf-8"
    marks = delimiter + feed_map.quote
    is_plain = not (feed_map.fields or shape.where or shape.further)
    if not (lines.are_loaded() and is_utf_8 and marks.isascii() and is_plain):
        return None
    fields = feed_map.form.fields
    if feed_map.skip_incomplete_last_line or not set(fields) <= set(FIELDS):
        return None
    numbers = [FIELDS.index(name) if name in fields else NOWHERE for name in shape.header]
    return lines.Dialect(np.array(numbers, np.int64), *map(ord, marks))


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
