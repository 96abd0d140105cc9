"""Records that carry as much as a record may, and say what they leave out.

An alert's evidence follows from a policy with any number of limits, and from names that others
wrote. What fits is written as it is.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from streams.settings import RECORD_BYTES_MAX

VALUE_BYTES_MAX: Final = RECORD_BYTES_MAX - 20_000
"""Bytes of a value; the rest is for its key, its headers and what a record takes beside it."""

LEFT_OUT: Final = "left_out"
"""The field that counts what was left out: `items` of lists, and `characters` of texts."""

TEXT_LENGTH_MAX: Final = 256
_ITEMS_MAX: Final = (10_000, 1000, 200, 62, 20, 5, 1)
"""Lists are cut to so many items, to the next of these if that is not enough."""

_NAMES_MAX: Final = 64  # of an object with fixed names


def bounded_bytes(fields: dict[str, Any], encode: Callable[[Any], bytes]) -> bytes:
    """Return fields as JSON of at most VALUE_BYTES_MAX.

    If they are more, texts are cut to 256 characters and lists to their first items, as many as
    fit, and a field `left_out` counts what is not there.
    """
    encoded = encode(fields)
    for items_max in _ITEMS_MAX:
        if len(encoded) <= VALUE_BYTES_MAX:
            break
        cut = _Cut(items_max)
        shorter = {name: cut.shortened(value) for name, value in fields.items()}
        encoded = encode(shorter | {LEFT_OUT: {"items": cut.items, "characters": cut.characters}})
    return encoded


class _Cut:
    """Shortens what it is given, and counts what it leaves out."""

    def __init__(self, items_max: int) -> None:
        self.items = 0
        self.characters = 0
        self._items_max = items_max

    def shortened(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, str):
            self.characters += max(len(value) - TEXT_LENGTH_MAX, 0)
            return value[:TEXT_LENGTH_MAX]
        if isinstance(value, Mapping):
            names_max = max(self._items_max, _NAMES_MAX)
            self.items += max(len(value) - names_max, 0)
            return {
                self.shortened(name): self.shortened(item)
                for name, item in islice(value.items(), names_max)
            }
        if isinstance(value, list | tuple):
            self.items += max(len(value) - self._items_max, 0)
            return [self.shortened(item) for item in value[: self._items_max]]
        return value
