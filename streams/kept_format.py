"""The format of all that a partition keeps: it stands first in each record's fields."""

from typing import Any, Final

import msgspec

FORMAT: Final = 5
"""Of all records; another one is refused, never guessed at."""

encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


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
    decoded: list[Any] = _decode(value)
    format_, *fields = decoded
    if format_ != FORMAT:
        raise StateError(
            f"the state has format {format_}, this program knows {FORMAT}: go on with the"
            " program that wrote it, or start with fresh state (another WEIR_GROUP)"
        )
    return fields
