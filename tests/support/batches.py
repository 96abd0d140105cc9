"""Logs of one partition as a broker keeps them: batches of every sort, by aiokafka's builders."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka.record.default_records import (
    DefaultRecordBase,
    DefaultRecordBatch,
    DefaultRecordBatchBuilder,
)
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from hypothesis import strategies as st

from streams.wire.records import RecordBatch

HEADER: Final = DefaultRecordBase.HEADER_STRUCT
ABORT, COMMIT = b"\x00\x00\x00\x00", b"\x00\x00\x00\x01"
CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
TIME: Final = 1_767_603_600_000
NOBODY: Final = -1


class Made(NamedTuple):
    """A record to be written: `delta` is how far behind its batch's first offset it stands."""

    delta: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def changed(batch: bytes, **fields: int) -> bytes:
    """Return a batch with another header and the CRC that goes with it."""
    names = (
        "base", "length", "epoch", "magic", "crc", "attributes", "last_delta", "first_timestamp",
        "last_timestamp", "producer", "producer_epoch", "sequence", "count",
    )  # fmt: skip
    header = dict(zip(names, HEADER.unpack_from(batch), strict=True)) | fields
    made = HEADER.pack(*header.values()) + batch[HEADER.size :]
    header["crc"] = calc_crc32c(made[DefaultRecordBase.ATTRIBUTES_OFFSET :])
    result: bytes = HEADER.pack(*header.values()) + batch[HEADER.size :]
    return result


def batch_of(  # noqa: PLR0913 - a field of a header each
    records: Sequence[Made], base: int = 0, *, codec: str = "none", producer: int = -1,
    is_transactional: bool = False, last_delta: int | None = None, append_time: int | None = None,
    attributes: int = 0,
) -> bytes:  # fmt: skip
    """Return a batch of format 2; `last_delta` is that of the header if it is not the last one's.

    `append_time` makes its timestamps the broker's; `attributes` are bits on top.
    """
    builder = DefaultRecordBatchBuilder(
        2, CODECS[codec], is_transactional, producer, 0 if producer >= 0 else -1, -1, 1 << 24
    )
    for delta, timestamp, key, value, headers in records:
        assert builder.append(delta, timestamp, key, value, list(headers)) is not None
    built = bytes(builder.build())
    made = HEADER.unpack_from(built)
    fields: dict[str, int] = {"base": base, "attributes": made[5] | attributes}
    if append_time is not None:
        fields |= {"attributes": fields["attributes"] | 8, "last_timestamp": append_time}
    if last_delta is not None:
        fields["last_delta"] = last_delta
    return changed(built, **fields)


def emptied(base: int, last_delta: int) -> bytes:
    """Return what compaction leaves of a batch of which it takes every record: a header alone."""
    header = HEADER.unpack_from(batch_of([Made(0, TIME, b"k", b"v")], base))
    empty = HEADER.pack(base, HEADER.size - DefaultRecordBase.AFTER_LEN_OFFSET, *header[2:])
    return changed(empty, count=0, last_delta=last_delta)


def marker(base: int, producer: int, *, commits: bool) -> bytes:
    """Return the control batch that ends a transaction."""
    record = Made(0, TIME, COMMIT if commits else ABORT, b"\x00\x00\x00\x00\x00\x00")
    return batch_of([record], base, producer=producer, is_transactional=True, attributes=0x20)


def old_batch(records: Sequence[Made], base: int, magic: int) -> bytes:
    """Return messages of an old format, each by itself."""
    builder = LegacyRecordBatchBuilder(magic, 0, 1 << 24)
    for delta, timestamp, key, value, _ in records:
        assert builder.append(base + delta, timestamp, key, value) is not None
    return bytes(builder.build())


@dataclass
class MadeLog:
    """A partition's log: batches with the offset behind each, and the aborted transactions."""

    batches: list[tuple[int, bytes]] = field(default_factory=list)
    aborted: list[tuple[int, int]] = field(default_factory=list)  # producer, first offset
    ended: dict[tuple[int, int], int] = field(default_factory=dict)  # the offsets of their markers
    begin: int = 0

    @property
    def end(self) -> int:
        """The offset behind the last batch."""
        return self.batches[-1][0] if self.batches else self.begin

    def add(self, batch: bytes, offsets: int) -> None:
        """Append a batch that takes so many offsets."""
        self.batches.append((self.end + offsets, batch))

    def fetched(self, offset: int, bytes_max: int) -> tuple[bytes, list[tuple[int, int]]]:
        """Return what a broker answers to a fetch: whole batches, and a last one that is cut.

        The first one is whole however large it is, as Kafka has it. With them come the aborted
        transactions that did not end before the offset.
        """
        left = [batch for behind, batch in self.batches if behind > offset]
        size = max(bytes_max, len(left[0])) if left else 0
        aborted = [each for each in self.aborted if self.ended.get(each, offset) >= offset]
        return b"".join(left)[:size], aborted


def made_records(draw: Any, most: int, gap: int = 1) -> list[Made]:  # noqa: ANN401 - hypothesis's
    """Draw records of one batch, with gaps between offsets if `gap` is more than 1."""
    deltas = [draw(st.integers(0, gap - 1))]
    for _ in range(draw(st.integers(0, most - 1))):
        deltas.append(deltas[-1] + draw(st.integers(1, gap)))
    some = st.none() | st.binary(max_size=20)
    headers = st.lists(st.tuples(st.text(max_size=5), some), max_size=3)
    return [
        Made(delta, TIME + draw(st.integers(-10**6, 10**6)), draw(some), draw(some),
             tuple(draw(headers)))
        for delta in deltas
    ]  # fmt: skip


class _Writing:
    """Writes a log of drawn batches; each method writes one of its sort."""

    def __init__(self, draw: Any) -> None:  # noqa: ANN401 - hypothesis's
        self.log = MadeLog(begin=draw(st.integers(0, 2**40)))
        self._draw = draw
        self._open: dict[int, bool] = {}  # transactions, by producer: whether it will be aborted

    def _given(self) -> dict[str, Any]:
        return {
            "codec": self._draw(st.sampled_from(sorted(CODECS))),
            "append_time": self._draw(st.none() | st.integers(TIME, TIME + 10**6)),
        }

    def plain(self) -> None:
        drawn = made_records(self._draw, 9)
        records = [made._replace(delta=delta) for delta, made in enumerate(drawn)]
        producer = self._draw(st.sampled_from([-1, 1, 7]))  # an idempotent one has a number
        batch = batch_of(records, self.log.end, producer=producer, **self._given())
        self.log.add(batch, len(records))

    def thinned(self) -> None:
        records = made_records(self._draw, 5, gap=3)
        last = records[-1].delta + self._draw(st.integers(0, 3))
        self.log.add(batch_of(records, self.log.end, last_delta=last, **self._given()), last + 1)

    def emptied(self) -> None:
        last = self._draw(st.integers(0, 4))
        self.log.add(emptied(self.log.end, last), last + 1)

    def transaction(self) -> None:
        producer, base = self._draw(st.integers(1, 3)), self.log.end
        if producer not in self._open:
            self._open[producer] = self._draw(st.booleans())
            if self._open[producer]:
                self.log.aborted.append((producer, base))
        records = made_records(self._draw, 4)
        given = self._given()
        batch = batch_of(records, base, producer=producer, is_transactional=True, **given)
        self.log.add(batch, records[-1].delta + 1)

    def marker(self) -> None:
        producer = self._draw(st.integers(1, 3))
        is_aborted = self._open.pop(producer, False)
        if is_aborted:
            begun = next(each for each in reversed(self.log.aborted) if each[0] == producer)
            self.log.ended[begun] = self.log.end
        self.log.add(marker(self.log.end, producer, commits=not is_aborted), 1)

    def old(self) -> None:
        magic = self._draw(st.sampled_from([0, 1]))
        for made in made_records(self._draw, 3):
            self.log.add(old_batch([made._replace(delta=0)], self.log.end, magic), 1)

    def odd(self) -> None:
        """A bit that nobody knows yet."""
        records = made_records(self._draw, 3)
        batch = batch_of(records, self.log.end, attributes=0x40)
        self.log.add(batch, records[-1].delta + 1)


@st.composite
def made_logs(draw: Any) -> MadeLog:  # noqa: ANN401 - hypothesis's
    """Draw a log with batches of every sort; aiokafka cannot read old formats beside the new."""
    writing = _Writing(draw)
    sorts = [
        writing.plain, writing.plain, writing.plain, writing.thinned, writing.emptied,
        writing.transaction, writing.marker, writing.odd,
    ]  # fmt: skip
    if draw(st.integers(0, 9)) == 0:
        sorts = [writing.old]
    for _ in range(draw(st.integers(1, 8))):
        draw(st.sampled_from(sorts))()
    return writing.log


def records_of(piece: RecordBatch | Sequence[Any]) -> Sequence[Any]:
    """Return the records of a piece, as aiokafka reads them.

    Raises CorruptRecordException if the bytes of a batch are no records.
    """
    if not isinstance(piece, RecordBatch):
        return piece
    attributes = 0 if piece.append_time is None else DefaultRecordBase.TIMESTAMP_TYPE_MASK
    length = HEADER.size - DefaultRecordBase.AFTER_LEN_OFFSET + len(piece.data)
    times = piece.first_timestamp, piece.append_time or 0
    header = HEADER.pack(
        *(piece.first_offset, length, NOBODY, 2, 0, attributes, piece.count - 1, *times),
        *(NOBODY, NOBODY, NOBODY, piece.count),
    )
    records, next_offset = [], piece.from_offset
    for record in DefaultRecordBatch(header + piece.data):
        if record.offset >= next_offset:  # aiokafka passes over what goes back
            records.append(record)
            next_offset = record.offset + 1
    return records
