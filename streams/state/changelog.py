"""A partition's state as bytes of its changelog, and an engine put together from it.

Four sorts of record, each under a key of its own:

- a *bucket*: the offset that it includes, and its accounts with their open days;
- a *journal* chunk: the transactions of one day that one flush took in, until the day is closed
  (what tells a duplicate, and what a reversal takes back), or the records of reversals that wait;
- a *part* of what the models have learned (monitor/outliers/checkpoint.py), where a policy wants
  models;
- the *seal*: the offset up to which all of it is complete, the watermark and the policy versions.

All but the journal begin with their offset, and of two versions under one key the one with the
greater offset holds. Which keys count where several workers wrote stands in streams/state/keys.py.
A bucket, a part or a seal that outgrows a record is cut into pieces (streams/state/pieces.py).
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

from monitor.engine.engine import Engine
from monitor.ledger.ledger import BUCKETS_MAX, NO_ROWS, Bucket, KeptRows
from monitor.ledger.rejections import rejection_rows, rejections_of
from monitor.ledger.watermark import Lone, Marks
from monitor.ordinary.packing import BROKEN, begins_of_fields, read_array_head
from monitor.ordinary.restored import KeptAccounts, RowsRestored
from monitor.ordinary.restored_ids import KeptIds
from streams.state import keys
from streams.state.accounts import account_bytes, account_days
from streams.state.journal import Original, chunk_of, kept_ids_of
from streams.state.keys import (
    LOST,
    StateError,
    StateLostError,
    bucket_key,
    encode,
    is_journal,
    is_seal,
    packed,
    seal_pieces_key,
    term_of,
    unpacked,
    writer_of,
)
from streams.state.pieces import PIECE_BYTES_MAX, Kept, Pieces, whole_key

if TYPE_CHECKING:
    from monitor.outliers.checkpoint import Parts

_PART_KEY: Final = b"m:"

_OFFSET: Final = struct.Struct(">q")
_ARRAY: Final = struct.Struct(">BI")  # msgpack's array 32, so that kept bytes can be joined
_ARRAY_32: Final = 0xDD
_NO_ACCOUNTS: Final = b"\x90"

_BUCKET_FIELDS: Final = 3  # format, rejections, accounts


NO_GAUGES: Final[dict[str, int]] = {}


class Seal(NamedTuple):
    """Up to where the state of a partition is complete, and under which settings it was made."""

    offset: int
    watermark: Marks
    lone: Lone | None
    calendar: str
    policy_versions: list[int]
    buckets: int
    writer: bytes  # who wrote it: an engine that is still its own writer need not be rebuilt
    rejections: Sequence[list[Any]] = ()  # of records that no bucket knows
    held: tuple[int, int, int] = (0, 0, 0)  # a day, the chunks from that day on, and the buckets
    alone: bytes | None = None
    """The bucket of the account that is alone, empty if none came yet; None if there are more.

    Days go by the clock of that account then, which is nothing to others. So what was written of
    others before the next seal is passed over, and their records, which all come again, make it
    anew. Had the bucket a record of its own, it could have others in it.
    """

    gauges: dict[str, int] = NO_GAUGES
    """What `Gauging.kept` has: since when gauges measure. Only a policy with gauges has any."""


class Recovered(NamedTuple):
    """What an engine was put together from: the next writer keeps it under its own name."""

    buckets: dict[int, bytes]
    chunks: list[tuple[int, bytes]]  # the day of each, and its bytes
    originals: Mapping[int, Original] = MappingProxyType({})  # of reversals that wait, by offset
    lost: str | None = None  # what a seal says there must be, and is not there


def part_records(parts: "Parts", offset: int) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the records of what the models have learned; what is dropped comes last."""
    for name, data in parts.written.items():
        yield _PART_KEY + name.encode(), _OFFSET.pack(offset) + data
    for name in parts.dropped:
        yield _PART_KEY + name.encode(), None


def parts_of(known: Kept) -> dict[str, bytes]:
    """Return what the models had learned, part by part; empty bytes if a part is not whole."""
    wholes = {key: known.whole(key) for key in part_keys(known.records)}
    return {
        key.removeprefix(_PART_KEY).decode(): b""
        if record is None
        else record.value[_OFFSET.size :]
        for key, record in wholes.items()
    }


def part_keys(kept: Iterable[bytes]) -> set[bytes]:
    """Return the keys of what the models had learned, without those of their pieces."""
    return {whole_key(key) for key in kept if key.startswith(_PART_KEY)}


def holds(kept: bytes | None, newer: bytes) -> bool:
    """Return whether a bucket or seal takes the place of the one that is kept."""
    return kept is None or offset_bytes(kept) <= offset_bytes(newer)


def offset_bytes(value: bytes) -> bytes:
    """Return the offset that a value begins with, as it stands there: greater ones sort behind."""
    return value[: _OFFSET.size]


def bucket_bytes(bucket: Bucket, rows: KeptRows = NO_ROWS) -> bytes:
    """Return a bucket; accounts that did not change since they were last written are not redone.

    `rows` are those of its accounts that are no objects.
    """
    accounts = bucket.accounts
    for account in accounts.values():
        if not account.kept:
            account.kept = account_bytes(account)
    return b"".join(
        (
            _OFFSET.pack(bucket.offset_last),
            b"\x93",
            encode(keys.FORMAT),
            encode(rejection_rows(bucket.rejections)),
            _ARRAY.pack(_ARRAY_32, len(accounts) + rows.accounts),
            *[account.kept for account in accounts.values()],
            rows.data,
        )
    )


def seal_bytes(seal: Seal) -> bytes:
    """Return a seal; that of a policy without gauges is as it was before there were any."""
    return _OFFSET.pack(seal.offset) + packed(seal[1:] if seal.gauges else seal[1:-1])


def seal_records(seal: Seal, pieces: Pieces) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return what has to be written before a seal, if anything, and the seal's own record."""
    value, key = seal_bytes(seal), seal_pieces_key(seal.writer)
    if len(value) <= PIECE_BYTES_MAX:
        pieces.forget(key)
        return [], value
    records = list(pieces.records(key, value))
    return records, _OFFSET.pack(seal.offset) + packed((pieces.version,))


def newest_seal(kept: dict[bytes, bytes]) -> Seal | None:
    """Return the seal that holds, of all writers'; None if there is none.

    Raises StateError if it is in pieces, and they are not there.
    """
    seals = [(term_of(key), offset_bytes(kept[key]), key) for key in kept if is_seal(key)]
    if not seals:
        return None
    key = max(seals)[2]
    fields = unpacked(kept[key][_OFFSET.size :])
    if len(fields) > 1:
        return seal_of(kept[key])
    whole = Kept(kept).whole(seal_pieces_key(writer_of(key)), version=fields[0])
    if whole is None:
        raise StateError(
            "the changelog has lost a part of a seal: start with fresh state (another WEIR_GROUP),"
            " or restore the topic"
        )
    return seal_of(whole.value)


def sealed_offset(value: bytes) -> int:
    """Return the offset up to which a seal's record says that all is complete."""
    (offset,) = _OFFSET.unpack_from(value)
    return int(offset)


def seal_of(value: bytes) -> Seal:
    """Return the seal that the bytes hold."""
    (offset,) = _OFFSET.unpack_from(value)
    rest = unpacked(value[_OFFSET.size :])
    seal = Seal(offset, *rest)
    first, chunks, buckets = seal.held
    return seal._replace(
        watermark=Marks(*seal.watermark),
        lone=None if seal.lone is None else Lone(*seal.lone),
        held=(first, chunks, buckets),
    )


def recover(engine: Engine, kept: dict[bytes, bytes]) -> Recovered:
    """Put an engine together from what its partition kept; return what that was.

    What the systemic side has decided is given to the engine before: no seal keeps it, because its
    topics do, and reviews are recounted by it. Without a seal nothing was ever committed: what is
    there is passed over, and made anew. Raises
    StateError where the state was made under another calendar.
    """
    seal, ledger = newest_seal(kept), engine.ledger
    if seal is None:
        return Recovered({}, [])
    calendar = engine.policies.calendar.text()
    if seal.calendar != calendar:
        raise StateError(
            f"the state of partition {engine.partition} was made under the calendar"
            f" {seal.calendar}, the policy has {calendar}: days cannot be moved. Give the policy"
            " its old [calendar], or start with fresh state (another WEIR_GROUP)"
        )
    if not 1 <= seal.buckets <= BUCKETS_MAX:
        raise StateError(f"the seal of partition {engine.partition} is damaged. {LOST}")
    if seal.buckets != len(ledger.buckets):
        ledger.begin_with(seal.buckets)
    ledger.offset_last = seal.offset
    ledger.restore_watermark(seal.watermark, seal.lone)
    engine.gauging.restore(seal.gauges)
    ledger.restore_rejections(ledger.rejections, rejections_of(seal.rejections))
    # Other policies than those of the seal decide every open day again, on its object.
    is_same_policy = seal.policy_versions == list(engine.policies.versions)
    rows = engine.begin_rows_restored() if is_same_policy else None
    buckets = _recover_buckets(engine, _buckets_kept(engine, kept, seal), rows)
    chunks, originals = _recover_journal(engine, kept, seal, rows)
    ledger.dirty.clear()
    if not is_same_policy:
        engine.policies_changed()
    engine.reviews.verdicts_restored()
    engine.attributes_changed(ledger.accounts)  # to what differs from what they were decided by
    engine.settle()
    return Recovered(buckets, chunks, originals, _lost(seal, buckets, chunks))


def _lost(seal: Seal, buckets: dict[int, bytes], chunks: list[tuple[int, bytes]]) -> str | None:
    """Return what is missing of what a seal says there must be; there may be more."""
    first, chunks_held, buckets_held = seal.held
    there = sum(day >= first for day, _ in chunks)
    if there >= chunks_held and len(buckets) >= buckets_held:
        return None
    return (
        f"the changelog has {len(buckets)} of {buckets_held} buckets and {there} of {chunks_held}"
        " journal chunks that its seal names"
    )


def ensure_kept(kept: dict[bytes, bytes], committed: int | None, partition: int) -> None:
    """Raise StateLostError if a partition's changelog does not reach what the group has committed.

    `committed` is the offset that is read next: all before it was sealed.
    """
    seal = newest_seal(kept)
    if not committed or (seal is not None and seal.offset >= committed - 1):
        return
    there = "has no state" if seal is None else f"ends at offset {seal.offset}"
    raise StateLostError(
        f"state is lost: the group has committed partition {partition} up to offset"
        f" {committed - 1}, and its changelog {there}. {LOST}"
    )


def _buckets_kept(engine: Engine, kept: dict[bytes, bytes], seal: Seal) -> dict[int, bytes]:
    """Return the bytes of the buckets that go with a seal, by number."""
    if seal.alone is not None:
        if seal.lone is None:
            return {}
        return {engine.ledger.bucket_of(seal.lone.account_id): seal.alone}
    known = Kept(kept)
    wholes = {
        number: known.whole(bucket_key(seal.writer, number))
        for number in range(len(engine.ledger.buckets))
    }
    return {number: whole.value for number, whole in wholes.items() if whole is not None}


def _recover_buckets(
    engine: Engine, values: dict[int, bytes], rows: RowsRestored | None
) -> dict[int, bytes]:
    if rows is not None:
        return _recover_rows(engine, values, rows)
    for number, value in values.items():
        rejections, accounts = unpacked(value[_OFFSET.size :])
        _recover_bucket(engine, number, value, rejections)
        _recover_objects(engine, number, accounts)
    return values


def _recover_rows(engine: Engine, values: dict[int, bytes], rows: RowsRestored) -> dict[int, bytes]:
    """Put buckets back into rows, as far as they can be."""
    kept = [_kept_accounts(engine, number, value) for number, value in values.items()]
    rows.make_room(kept)
    for accounts in kept:
        value = values[accounts.bucket]
        left = [keys.decode(value[begin:end]) for begin, end in rows.accounts(accounts)]
        _recover_objects(engine, accounts.bucket, left)
    return values


def _kept_accounts(engine: Engine, number: int, value: bytes) -> KeptAccounts:
    """Return the accounts of a bucket, once what it holds beside them is put back."""
    data = np.frombuffer(value, np.uint8)
    begins = begins_of_fields(data, _OFFSET.size, _BUCKET_FIELDS)
    count, at = 0, BROKEN
    rejections: Sequence[list[Any]] = ()
    if begins.size:
        accounts_at = int(begins[-2])
        rejections, _ = unpacked(value[_OFFSET.size : accounts_at] + _NO_ACCOUNTS)
        count, at = read_array_head(data, accounts_at, data.size)
    else:
        with suppress(msgspec.DecodeError):
            unpacked(value[_OFFSET.size :])  # of another format, it may have other fields
    if at == BROKEN:
        raise StateError(f"bucket {number} of partition {engine.partition} is damaged. {LOST}")
    _recover_bucket(engine, number, value, rejections)
    return KeptAccounts(number, data, at, count)


def _recover_bucket(
    engine: Engine, number: int, value: bytes, rejections: Sequence[list[Any]]
) -> None:
    """Put back what a bucket holds beside its accounts."""
    ledger = engine.ledger
    bucket = ledger.buckets[number]
    (bucket.offset_last,) = _OFFSET.unpack_from(value)
    ledger.offset_recovered_last = max(ledger.offset_recovered_last, bucket.offset_last)
    ledger.restore_rejections(bucket.rejections, rejections_of(rejections))


def _recover_objects(engine: Engine, number: int, accounts: Iterable[list[Any]]) -> None:
    attributes = engine.ledger.attributes
    engine.restore_bucket(
        number,
        (
            (name, partial(account_days, (days, *review), attributes))
            for name, days, *review in accounts
        ),
    )


def _recover_journal(
    engine: Engine, kept: dict[bytes, bytes], seal: Seal, rows: RowsRestored | None
) -> tuple[list[tuple[int, bytes]], dict[int, Original]]:
    ledger, chunks = engine.ledger, []
    originals: dict[int, Original] = {}
    of_seal = [
        value for key, value in kept.items() if is_journal(key) and writer_of(key) == seal.writer
    ]
    for_rows = {} if rows is None else _kept_ids(of_seal, rows)
    for number, value in enumerate(of_seal):
        ids = for_rows.get(number)
        left = None if rows is None or ids is None else rows.ids(ids, seal.offset)
        if ids is not None and left == []:
            chunks.append((ids.day, value))
            continue
        # Beyond the seal, an entry counts only if its bucket was written too: else the crash came
        # between the two, and its record will come again.
        day, entries, kept_originals = chunk_of(value)
        ledger.restore_entries(
            entry
            for entry in (entries if left is None else map(entries.__getitem__, left))
            if entry.offset <= seal.offset
            or entry.offset <= ledger.buckets[ledger.bucket_of(entry.account_id)].offset_last
        )
        originals.update((original.offset, original) for original in kept_originals)
        chunks.append((day, value))
    ledger.entries_restored()
    waiting = {
        reversal.offset for account in ledger.accounts.values() for reversal in account.waiting
    }
    return chunks, {offset: original for offset, original in originals.items() if offset in waiting}


def _kept_ids(values: Sequence[bytes], rows: RowsRestored) -> dict[int, KeptIds]:
    """Return the chunks that kernels can read, by their places; there is room for all then."""
    found = ((number, kept_ids_of(value)) for number, value in enumerate(values))
    kept = {number: ids for number, ids in found if ids is not None}
    rows.make_room_for_ids(sum(ids.size for ids in kept.values()))
    return kept


def is_great(key: bytes) -> bool:
    """Return whether a key is that of a bucket, of a part of the models, or of a piece of one."""
    if key.startswith(keys.BUCKET):
        return whole_key(key) != seal_pieces_key(writer_of(key))
    return key.startswith(_PART_KEY)


def takes_place(kept: bytes | None, key: bytes, newer: bytes) -> bool:
    """Return whether a record takes the place of what is kept under its key.

    The offset that values begin with decides; journal chunks have none, and are written once.
    """
    return is_journal(key) or holds(kept, newer)


def keep(kept: dict[bytes, bytes], records: Iterable[tuple[bytes, bytes | None]]) -> None:
    """Apply records of a changelog, in their order, to what a partition keeps."""
    for key, value in records:
        if value is None:
            kept.pop(key, None)
        elif takes_place(kept.get(key), key, value):
            kept[key] = value


class Footprint:
    """The records of a partition's changelog, by key: `kept`, which is changed in place.

    Their values are needed to put an engine together, and hardly for anything afterwards: the
    engine holds the same. So of a bucket and of a part of the models only the offset stays, by
    which a newer version is told from an older one, and the size. Seals, counts and journal chunks
    stay whole: the first two are small, and a chunk is written once more when state is dealt into
    more buckets.

    Nothing can be put together from `kept` once values were let go; the changelog itself has to be
    read again.
    """

    def __init__(self, kept: dict[bytes, bytes]) -> None:
        self.kept = kept
        self._sizes = {key: len(value) for key, value in kept.items()}
        self.bytes = sum(self._sizes.values())

    def keep(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take in records that were written, in their order, without the values."""
        for key, value in records:
            if value is not None and not takes_place(self.kept.get(key), key, value):
                continue
            self.bytes -= self._sizes.pop(key, 0)
            if value is None:
                self.kept.pop(key, None)
                continue
            self.kept[key] = _remembered(key, value)
            self._sizes[key] = len(value)
            self.bytes += len(value)

    def let_go(self) -> None:
        """Let the values of all records go: the engine that was put together from them has them."""
        for key, value in self.kept.items():
            self.kept[key] = _remembered(key, value)

    def bytes_of(self, keys: Iterable[bytes]) -> int:
        """Return how many bytes the values under some keys have on the changelog."""
        return sum(map(self._sizes.__getitem__, keys))


def _remembered(key: bytes, value: bytes) -> bytes:
    return offset_bytes(value) if is_great(key) else value
