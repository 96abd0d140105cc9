"""What a partition keeps in its changelog, as bytes, and how an engine is put together from it.

Four sorts of record, each under a key of its own:

- a *bucket*: the offset that it includes, and its accounts with their open days;
- a *journal* chunk: the transactions of one day that one flush took in, until the day is closed
  (ids as 64-bit hashes; what tells a duplicate, and what a reversal takes back);
- a *part* of what the models have learned (monitor/memory.py), where a policy wants models;
- the *seal*: the offset up to which all of it is complete, the watermark and the policy versions.

All but the journal begin with their offset, and of two versions the one with the greater offset
holds: a worker that lost its partition and does not know it yet can write nothing that counts.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from monitor.engine import Engine
from monitor.ledger import Bucket, rejection_rows, rejections_of
from monitor.memory import Parts
from monitor.reviewed import Grouped
from streams import kept_format
from streams.account_state import account_bytes, account_days
from streams.journal import Chunk, entries_of
from streams.kept_format import StateError, encode, packed, unpacked

SEAL_KEY: Final = b"seal"
_BUCKET_KEY: Final = b"b:%d"
_PART_KEY: Final = b"m:"

_OFFSET: Final = struct.Struct(">q")
_ARRAY: Final = struct.Struct(">BI")  # msgpack's array 32, so that kept bytes can be joined
_ARRAY_32: Final = 0xDD


class Seal(NamedTuple):
    """Up to where the state of a partition is complete, and under which settings it was made."""

    offset: int
    watermark: int | None
    calendar: str
    policy_versions: list[int]
    buckets: int
    writer: bytes  # who wrote it: an engine that is still its own writer need not be rebuilt
    grouped: Sequence[Grouped] = ()  # days that a systemic alert explains
    rejections: Sequence[list[Any]] = ()  # of records that no bucket knows


def bucket_key(bucket: int) -> bytes:
    """Return the key of a bucket."""
    return _BUCKET_KEY % bucket


def part_records(parts: Parts, offset: int) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the records of what the models have learned; what is dropped comes last."""
    for name, data in parts.written.items():
        yield _PART_KEY + name.encode(), _OFFSET.pack(offset) + data
    for name in parts.dropped:
        yield _PART_KEY + name.encode(), None


def parts_of(kept: dict[bytes, bytes]) -> dict[str, bytes]:
    """Return what the models had learned, part by part."""
    return {
        key.removeprefix(_PART_KEY).decode(): value[_OFFSET.size :]
        for key, value in kept.items()
        if key.startswith(_PART_KEY)
    }


def holds(kept: bytes | None, newer: bytes) -> bool:
    """Return whether a bucket or seal takes the place of the one that is kept."""
    return kept is None or kept[: _OFFSET.size] <= newer[: _OFFSET.size]


def bucket_bytes(bucket: Bucket) -> bytes:
    """Return a bucket; accounts that did not change since they were last written are not redone."""
    accounts = bucket.accounts
    for account in accounts.values():
        if not account.kept:
            account.kept = account_bytes(account)
    return b"".join(
        (
            _OFFSET.pack(bucket.offset_last),
            b"\x93",
            encode(kept_format.FORMAT),
            encode(rejection_rows(bucket.rejections)),
            _ARRAY.pack(_ARRAY_32, len(accounts)),
            *[account.kept for account in accounts.values()],
        )
    )


def seal_bytes(seal: Seal) -> bytes:
    """Return a seal."""
    return _OFFSET.pack(seal.offset) + packed(seal[1:])


def seal_of(value: bytes) -> Seal:
    """Return the seal that the bytes hold."""
    (offset,) = _OFFSET.unpack_from(value)
    rest = unpacked(value[_OFFSET.size :])
    seal = Seal(offset, *rest)
    return seal._replace(grouped=tuple((of, name, day) for of, name, day in seal.grouped))


def recover(engine: Engine, kept: dict[bytes, bytes]) -> list[Chunk]:
    """Put an engine together from what its partition kept; return the journal chunks of it.

    Without a seal nothing was ever committed: what is there is passed over, and made anew. Raises
    StateError where the state was made under another calendar or number of buckets.
    """
    if SEAL_KEY not in kept:
        return []
    seal = seal_of(kept[SEAL_KEY])
    calendar = engine.policies.calendar.text()
    if seal.calendar != calendar:
        raise StateError(
            f"the state of partition {engine.partition} was made under the calendar"
            f" {seal.calendar}, the policy has {calendar}: days cannot be moved. Give the policy"
            " its old [calendar], or start with fresh state (another WEIR_GROUP)"
        )
    if seal.buckets != len(engine.buckets):
        raise StateError(
            f"the state of partition {engine.partition} has {seal.buckets} buckets, the setting is"
            f" {len(engine.buckets)}: set WEIR_BUCKETS={seal.buckets}, or start with fresh state"
        )
    engine.offset_last = seal.offset
    engine.restore_watermark(seal.watermark)
    engine.restore_grouped(seal.grouped)
    engine.restore_rejections(engine.rejections, rejections_of(seal.rejections))
    _recover_buckets(engine, kept)
    chunks = _recover_journal(engine, kept, seal)
    engine.dirty.clear()
    if seal.policy_versions != list(engine.policies.versions):
        engine.policies_changed()
    engine.attributes_changed(engine.accounts)  # to what differs from what they were decided by
    return chunks


def _recover_buckets(engine: Engine, kept: dict[bytes, bytes]) -> None:
    for number, bucket in enumerate(engine.buckets):
        value = kept.get(bucket_key(number))
        if value is None:
            continue
        (bucket.offset_last,) = _OFFSET.unpack_from(value)
        engine.offset_recovered_last = max(engine.offset_recovered_last, bucket.offset_last)
        rejections, accounts = unpacked(value[_OFFSET.size :])
        engine.restore_rejections(bucket.rejections, rejections_of(rejections))
        engine.restore_bucket(
            number,
            (
                (name, partial(account_days, (days, *review), engine.attributes))
                for name, days, *review in accounts
            ),
        )


def _recover_journal(engine: Engine, kept: dict[bytes, bytes], seal: Seal) -> list[Chunk]:
    chunks = []
    for key, value in kept.items():
        if not key.startswith(b"j:"):
            continue
        # Beyond the seal, an entry counts only where its bucket was written too: else the crash
        # came between the two, and its record will come again.
        day, entries = entries_of(value)
        engine.restore_entries(
            entry
            for entry in entries
            if entry.offset <= seal.offset
            or entry.offset <= engine.buckets[entry.bucket].offset_last
        )
        chunks.append(Chunk(key, day))
    return chunks


def is_versioned(key: bytes) -> bool:
    """Return whether a key's value begins with its offset (all but journal chunks)."""
    return not key.startswith(b"j:")


def keep(kept: dict[bytes, bytes], records: Iterable[tuple[bytes, bytes | None]]) -> None:
    """Apply records of a changelog, in their order, to what a partition keeps."""
    for key, value in records:
        if value is None:
            kept.pop(key, None)
        elif not is_versioned(key) or holds(kept.get(key), value):
            kept[key] = value
