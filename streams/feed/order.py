"""Rows of files in the order of the world: by booked_at, whatever the order of rows and of files.

Banks export the newest rows first, and files of several branches overlap. As they stand, the first
row would close the days of all others. Rows of one time keep the order in which they stand; a row
whose time cannot be read comes after the row that it stands below.
"""

import heapq
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final, NamedTuple

import msgspec

from monitor.core.business_day import event_time_of
from monitor.core.transaction import FIELDS, Fields
from streams.feed.formats.packed import packing_of
from streams.feed.lines import LineRows, times_in
from streams.feed.mapping import TIMES, FeedMap
from streams.feed.reader import read
from streams.feed.rows import BATCH_ROWS, Batch

RUN_ROWS: Final = 200_000
"""Rows that are put in order in memory, some 1 kB each; more go to a file without a name."""

RUN_BYTES: Final = 128 << 20
"""Bytes of files whose rows are put in order in memory at most: rows may be long."""

FRAME_ROWS: Final = 200
"""Rows of a run that are read again at a time."""

_BOOKED_AT: Final = "booked_at"
_PLACE: Final = FIELDS.index(_BOOKED_AT)
_USUAL: Final = "0000-00-00T00:00:00Z"
_FIRST: Final = -(1 << 62)
"""The time of rows above the first one whose time can be read."""

Watch = Callable[[Iterator[Batch], int], Iterator[Batch]]
"""Hands batches on, and shows how far they have come: a `share_read` is of one of so many files."""


class _Item(NamedTuple):
    """A row of a file, or a record as it is; `time` and `sequence` are the order."""

    time: int
    sequence: int
    file: int
    number: int
    row: Fields | None
    record: bytes | None
    is_timed: bool  # the time is its own, so it may be a transaction


class _Wire(msgspec.Struct, gc=False):
    """Of a record as it is, the time."""

    booked_at: str | None = None


_decode: Final = msgspec.json.Decoder(_Wire).decode
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[_Item]).decode


def in_order(
    files: Sequence[Path],
    feed_map: FeedMap | None = None,
    watch: Watch = lambda batches, _: batches,
) -> Iterator[Batch]:
    """Return the rows of files in the order of booked_at, in batches of at most `BATCH_ROWS`.

    All files are read to the end before this returns: once for their times, and once more where
    these are not in order. `watch` sees these readings, and what is returned. Raises FeedError as
    `read` does, and OSError if there is no room for what does not fit in memory.
    """
    feed_map = feed_map or FeedMap()
    batches = read(files, feed_map)  # all headers now
    if _is_in_order(watch(read(files, _times_alone(feed_map)), len(files))):
        return watch(batches, len(files))
    return watch(_sorted(watch(batches, len(files)), files), 1)


def _times_alone(feed_map: FeedMap) -> FeedMap:
    """Return the map that makes nothing but the time of a row."""
    times = {name: source for name, source in feed_map.fields.items() if name == _BOOKED_AT}
    return feed_map._replace(fields=times, form=TIMES)


def _is_in_order(batches: Iterable[Batch]) -> bool:
    """Say whether rows, of which the time is the one field, are in its order. All are read."""
    last, is_in_order = _FIRST, True
    for batch in batches:
        if not is_in_order:
            continue  # to the end: what is wrong with a file is told before the first row is sent
        times = _times_of(batch)
        is_in_order = times == sorted(times) and (not times or times[0] >= last)
        last = times[-1] if times else last
    return is_in_order


def _times_of(batch: Batch) -> list[int]:
    """Return the times of a batch that can be read; of many in order, the first and the last."""
    if batch.raw:
        return [time for _, time in _timed(batch, 0) if time is not None]
    if isinstance(batch.rows, LineRows):
        read = times_in(batch.rows)
        is_in_order = bool((read[1:] >= read[:-1]).all())
        found: list[int] = (read[[0, -1]] if is_in_order and len(read) else read).tolist()
        return found
    texts = [row[0] or "" for row in batch.rows]
    ends = [event_time_of(text) for text in (texts[0], texts[-1])] if texts else []
    if all(ends) and texts == sorted(texts) and _are_as_usual(texts):
        # Texts of one form are in the order of their times; of those that are none it says nothing.
        return [time for time in ends if time is not None]
    times = [event_time_of(text) for text in texts if text]
    return [time for time in times if time is not None]


def _are_as_usual(texts: list[str]) -> bool:
    """Say whether all texts are written like 2026-01-05T09:30:00Z, whatever their digits."""
    if set(map(len, texts)) != {len(_USUAL)}:
        return False
    text = "".join(texts)
    return text.isascii() and all(
        text[place :: len(_USUAL)].isdigit()
        if mark == "0"
        else text[place :: len(_USUAL)] == mark * len(texts)
        for place, mark in enumerate(_USUAL)
    )


def _timed(batch: Batch, place: int) -> Iterator[tuple[tuple[int, Any], int | None]]:
    """Yield each row and record of a batch, with its number and its time, as they stand."""
    rows: Iterator[tuple[int, Any]] = zip(batch.numbers, batch.rows, strict=True)
    for number, item in heapq.merge(rows, batch.raw, key=lambda numbered: numbered[0]):
        text: str | None = _time_of_record(item) if isinstance(item, bytes) else item[place]
        yield (number, item), event_time_of(text) if text else None


def _time_of_record(record: bytes) -> str | None:
    try:
        return _decode(record).booked_at
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _sorted(batches: Iterable[Batch], files: Sequence[Path]) -> Iterator[Batch]:
    """Read batches to the end; return their rows in order."""
    runs = _Runs()
    places = {path: place for place, path in enumerate(files)}
    sequence, last = count(), _FIRST
    skipped = filtered = 0
    skips: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    notes: list[str] = []
    packed = {path for path in files if packing_of(path)}
    read_of: dict[Path, float] = {}
    for batch in batches:
        skipped, filtered = skipped + batch.skipped, filtered + batch.filtered
        skips.update(batch.skips)
        passed.update(batch.passed)
        notes += batch.notes
        size = batch.path.stat().st_size * (batch.share_read - read_of.get(batch.path, 0.0))
        if batch.path in packed:
            size = _size_of(batch)
        read_of[batch.path] = batch.share_read
        items = []
        for (number, item), time in _timed(batch, _PLACE):
            last = last if time is None else time
            row, record = (None, item) if isinstance(item, bytes) else (item, None)
            items.append(
                _Item(
                    last, next(sequence), places[batch.path], number, row, record, time is not None
                )
            )
        runs.take(items, size)
    told = Batch(
        files[0], [], [], [], 0.0, skipped, filtered, skips=skips, notes=notes, passed=passed
    )
    return _batches_of(runs, files, told)


def _size_of(batch: Batch) -> int:
    """Return the characters of a batch's cells."""
    cells = sum(len(cell) for row in batch.rows for cell in row if cell)
    return cells + sum(len(record) for _, record in batch.raw)


class _Runs:
    """Rows that are put in order run by run, and merged: in memory, or through one file.

    The file has no name, so nothing stays behind, however the process ends.
    """

    def __init__(self) -> None:
        self.count = 0
        self._run: list[_Item] = []
        self._size = 0.0
        self._file: IO[bytes] | None = None
        self._frames: list[
            list[tuple[int, int]]
        ] = []  # of each run: where a frame is, and its size

    def take(self, items: list[_Item], size: float) -> None:
        """Take rows; `size` is that of what they were read from, in bytes."""
        self.count += len(items)
        self._run += items
        self._size += size
        if len(self._run) >= RUN_ROWS or self._size >= RUN_BYTES:
            self._write()

    def merged(self) -> Iterator[_Item]:
        """Return all rows in order; this may be asked once."""
        if self._file is not None and self._run:
            self._write()
        self._run.sort()
        return heapq.merge(self._run, *map(self._read, self._frames))

    def _write(self) -> None:
        if self._file is None:
            self._file = TemporaryFile(prefix="weir-")  # noqa: SIM115 - it ends with this object
            weakref.finalize(self, self._file.close)
        self._run.sort()
        frames, rows = [], iter(self._run)
        while frame := list(islice(rows, FRAME_ROWS)):
            packed = _pack(frame)
            frames.append((self._file.tell(), len(packed)))
            self._file.write(packed)
        self._frames.append(frames)
        self._run, self._size = [], 0.0

    def _read(self, frames: list[tuple[int, int]]) -> Iterator[_Item]:
        assert self._file is not None
        for place, size in frames:
            self._file.seek(place)
            yield from _unpack(self._file.read(size))


def _batches_of(runs: _Runs, files: Sequence[Path], told: Batch) -> Iterator[Batch]:
    """Yield rows in order. Of a batch its rows come first, so a record that counts ends it.

    The first batch tells what was skipped and noted of all files.
    """
    of_files = {
        name: getattr(told, name) for name in ("skipped", "filtered", "skips", "notes", "passed")
    }
    total, done = max(runs.count, 1), 0
    rows: list[_Item] = []
    raw: list[_Item] = []
    for item in runs.merged():
        if len(rows) + len(raw) == BATCH_ROWS or (
            item.row is not None and raw and any(record.is_timed for record in raw)
        ):
            done += len(rows) + len(raw)
            yield _batch_of(rows, raw, files, done / total)._replace(**of_files)
            rows, raw, of_files = [], [], {}
        (raw if item.row is None else rows).append(item)
    yield _batch_of(rows, raw, files, 1.0)._replace(**of_files)


def _batch_of(
    rows: list[_Item], raw: list[_Item], files: Sequence[Path], share_read: float
) -> Batch:
    paths = [files[item.file] for item in (*rows, *raw)]
    path = paths[0] if paths else files[0]
    return Batch(
        path,
        [item.row for item in rows if item.row is not None],
        [item.number for item in rows],
        [(item.number, item.record) for item in raw if item.record is not None],
        share_read,
        files=() if paths.count(path) == len(paths) else paths,
    )
