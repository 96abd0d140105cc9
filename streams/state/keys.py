"""The keys of a partition's changelog, and the names of its writers.

A worker that lost its partition, and does not know it yet, may write after the one that has it now.
Therefore buckets, journal chunks and the seal are under the name of who writes them, and only those
of one writer count: the one whose seal is of the latest *term*, which is one more than any that the
writer found; within a term that of the greatest offset. What a writer found it writes anew under
its own name, before its first seal. So nothing that another one writes or takes away later changes
what counts, and compaction, which knows the latest record of a key alone, cannot either.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

FORMAT: Final = 5
"""Of all records; another one is refused, never guessed at."""

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode


class StateError(RuntimeError):
    """State that does not fit the policy or the program that wants to go on from it."""


class StateLostError(StateError):
    """State that was there once, and is not any more."""


LOST: Final = (
    "Start with fresh state (another WEIR_GROUP, which reads the transactions from the beginning),"
    " or restore the topic. WEIR_ACCEPT_STATE_LOSS=yes goes on without what is lost: days that were"
    " open are then decided by later transactions alone, and their alerts may be missing or wrong"
)
"""What to do where state is lost."""


def packed(fields: tuple[object, ...]) -> bytes:
    """Return a record of these fields."""
    return encode((FORMAT, *fields))


def unpacked(value: bytes) -> list[Any]:
    """Return the fields of a record. Raises StateError if it has another format."""
    decoded: list[Any] = decode(value)
    format_, *fields = decoded
    if format_ != FORMAT:
        raise StateError(
            f"the state has format {format_}, this program knows {FORMAT}: go on with the"
            " program that wrote it, or start with fresh state (another WEIR_GROUP)"
        )
    return fields


_SEAL: Final = b"seal:"
BUCKET: Final = b"b:"
_JOURNAL: Final = b"j:"
_COUNTS: Final = b"c:"
_OF_A_WRITER: Final = (_SEAL, BUCKET, _JOURNAL, _COUNTS)
_TERM_DIGITS: Final = 8


def next_writer(kept: Iterable[bytes], unique: bytes) -> bytes:
    """Return the name of a writer whose term is later than that of all keys; `unique` is its own.

    Raises StateError if the keys are those of a program before there were terms.
    """
    terms = [0]
    for key in kept:
        if key == b"seal":
            raise StateError(
                "the state was written by a program before this one: go on with that program, or"
                " start with fresh state (another WEIR_GROUP)"
            )
        if key.startswith(_OF_A_WRITER):
            terms.append(int(term_of(key), 16))
    return b"%0*x-%s" % (_TERM_DIGITS, max(terms) + 1, unique)


def writer_of(key: bytes) -> bytes:
    """Return who wrote a seal, a bucket, a chunk or counts, by its key."""
    return key.split(b":", 2)[1]


def term_of(key: bytes) -> bytes:
    """Return the term of who wrote it: a later one is greater."""
    return writer_of(key)[:_TERM_DIGITS]


def seal_key(writer: bytes) -> bytes:
    """Return the key of a writer's seal."""
    return _SEAL + writer


def bucket_key(writer: bytes, bucket: int) -> bytes:
    """Return the key of a bucket that a writer writes."""
    return b"%s%s:%d" % (BUCKET, writer, bucket)


def journal_key(writer: bytes, number: int) -> bytes:
    """Return the key of a writer's journal chunk."""
    return b"%s%s:%d" % (_JOURNAL, writer, number)


def counts_keys(writer: bytes) -> tuple[bytes, bytes]:
    """Return the two keys, taken by turns, of what a writer has counted."""
    return b"%s%s:0" % (_COUNTS, writer), b"%s%s:1" % (_COUNTS, writer)


def seal_pieces_key(writer: bytes) -> bytes:
    """Return the key of what a writer seals, where it is more than a seal may be."""
    return b"%s%s:seal" % (BUCKET, writer)


def is_seal(key: bytes) -> bool:
    """Return whether a key is that of a seal."""
    return key.startswith(_SEAL)


def is_journal(key: bytes) -> bool:
    """Return whether a key is that of a journal chunk."""
    return key.startswith(_JOURNAL)


def is_of_another(key: bytes, writer: bytes) -> bool:
    """Return whether another writer wrote a key: a seal, a bucket, a chunk or counts."""
    return key.startswith(_OF_A_WRITER) and writer_of(key) != writer
