"""What a partition keeps in its changelog, as bytes, and how an engine is put together from it.

Four sorts of record, each under a key of its own:

- a *bucket*: the offset that it includes, and its accounts with their open days;
- a *journal* chunk: the transactions of one day that one flush took in, until the day is closed
  (ids as 64-bit hashes; what tells a duplicate, and what a reversal takes back);
- a *part* of what the models have learned (monitor/memory.py), where a policy wants models;
- the *seal*: the offset up to which all of it is complete, the watermark and the policy versions.

All but the journal begin with their offset, and of two versions under one key the one with the
greater offset holds. Which keys count where several workers wrote stands in streams/state_key.py.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from monitor.engine import Engine
from monitor.ledger import Bucket, rejection_rows, rejections_of
from monitor.memory import Parts
from streams import kept_format
from streams.account_state import account_bytes, account_days
from streams.journal import entries_of
from streams.kept_format import StateError, encode, packed, unpacked
from streams.state_key import bucket_key, is_journal, is_seal, term_of, writer_of

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
    rejections: Sequence[list[Any]] = ()  # of records that no bucket knows


class Recovered(NamedTuple):
    """What an engine was put together from: the next writer keeps it under its own name."""

    buckets: dict[int, bytes]
    chunks: list[tuple[int, bytes]]  # the day of each, and its bytes


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
    return kept is None or _offset_of(kept) <= _offset_of(newer)


def _offset_of(value: bytes) -> bytes:
    return value[: _OFFSET.size]


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


def newest_seal(kept: dict[bytes, bytes]) -> Seal | None:
    """Return the seal that holds, of all writers'; None where there is none."""
    seals = [(term_of(key), _offset_of(kept[key]), key) for key in kept if is_seal(key)]
    return seal_of(kept[max(seals)[2]]) if seals else None


def seal_of(value: bytes) -> Seal:
    """Return the seal that the bytes hold."""
    (offset,) = _OFFSET.unpack_from(value)
    rest = unpacked(value[_OFFSET.size :])
    return Seal(offset, *rest)


def recover(engine: Engine, kept: dict[bytes, bytes]) -> Recovered:
    """Put an engine together from what its partition kept; return what that was.

    What the systemic side has decided is given to the engine before: no seal keeps it, because its
    topics do, and reviews are recounted by it. Without a seal nothing was ever committed: what is
    there is passed over, and made anew. Raises
    StateError where the state was made under another calendar or number of buckets.
    """
    seal = newest_seal(kept)
    if seal is None:
        return Recovered({}, [])
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
    engine.restore_rejections(engine.rejections, rejections_of(seal.rejections))
    buckets = _recover_buckets(engine, kept, seal.writer)
    chunks = _recover_journal(engine, kept, seal)
    engine.dirty.clear()
    if seal.policy_versions != list(engine.policies.versions):
        engine.policies_changed()
    engine.verdicts_restored()
    engine.attributes_changed(engine.accounts)  # to what differs from what they were decided by
    return Recovered(buckets, chunks)


def _recover_buckets(engine: Engine, kept: dict[bytes, bytes], writer: bytes) -> dict[int, bytes]:
    values = {}
    for number, bucket in enumerate(engine.buckets):
        value = kept.get(bucket_key(writer, number))
        if value is None:
            continue
        values[number] = value
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
    return values


def _recover_journal(
    engine: Engine, kept: dict[bytes, bytes], seal: Seal
) -> list[tuple[int, bytes]]:
    chunks = []
    for key, value in kept.items():
        if not is_journal(key) or writer_of(key) != seal.writer:
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
        chunks.append((day, value))
    return chunks


def is_versioned(key: bytes) -> bool:
    """Return whether a key's value begins with its offset (all but journal chunks)."""
    return not is_journal(key)


def keep(kept: dict[bytes, bytes], records: Iterable[tuple[bytes, bytes | None]]) -> None:
    """Apply records of a changelog, in their order, to what a partition keeps."""
    for key, value in records:
        if value is None:
            kept.pop(key, None)
        elif not is_versioned(key) or holds(kept.get(key), value):
            kept[key] = value
