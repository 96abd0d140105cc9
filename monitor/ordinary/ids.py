"""The ids of transactions that open days hold, as the ledger asks for them."""

from collections.abc import Container
from typing import TYPE_CHECKING, Final

import numpy as np

from models.arrays import Ints
from models.kernels import compiled
from monitor.ordinary import layout, tables
from monitor.ordinary.layout import Table
from monitor.ordinary.tables import U64, hash_of

if TYPE_CHECKING:
    from monitor.ordinary.accounts import OrdinaryAccounts


@compiled
def _look_up(numbers: Ints, ids: Table, data: Table, length: int) -> tuple[int, int, int, int]:
    """Return the hash of an id, its day and its content; the day is 0 if it is not there."""
    low, high = hash_of(data, 0, length, numbers[layout.KEY_0], numbers[layout.KEY_1])
    taken = ids[tables.place_of_id(ids, low, high)]
    return int(np.int64(low)), int(np.int64(high)), int(taken["day"]), int(taken["content"])


@compiled
def _put(numbers: Ints, ids: Table, low: int, high: int, day: int, content: int) -> None:
    """Put an id by its hash, or its new content."""
    tables.put_id(numbers, ids, U64(low), U64(high), day, content)


_BYTES_LEAST: Final = 1 << 12
_GREAT: Final = -2
"""The content of an id whose own content Python keeps, as it is too great."""


class TextBytes:
    """The bytes of one text at a time, where a kernel finds them."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = np.zeros(_BYTES_LEAST, np.uint8)

    def put(self, text: str) -> int:
        """Put a text in the place of the last one; return how many bytes it has."""
        data = text.encode("utf-8", "surrogateescape")
        if len(data) > self.data.size:
            self.data = np.zeros(2 * len(data), np.uint8)
        self.data[: len(data)] = np.frombuffer(data, np.uint8)
        return len(data)


class HeldIds:
    """The ids that open days hold, by keys: a tag that is an account's alone, and a name."""

    def __init__(self, holder: "OrdinaryAccounts") -> None:
        self._holder = holder
        self._great: dict[str, int] = {}
        self._earlier: dict[int, dict[str, int]] = {}  # by day: see `put`
        self._text = TextBytes()
        self._found: tuple[str, tuple[int, int, int, int]] | None = None  # by a key, its hash

    def find(self, key: str) -> tuple[int, int]:
        """Return the business day that holds a key, 0 if none does, and its content."""
        _, _, day, content = self._look_up(key)
        if content == _GREAT and day > 0:
            content = self._great.get(key, 0)  # 0: its day has closed
        return day, content

    def find_earlier(self, key: str, day: int) -> int | None:
        """Return the content of a key on an open day before the last one that holds it, if any."""
        if not self._earlier:
            return None
        return self._earlier.get(day, {}).get(key)

    def put(self, key: str, day: int, content: int) -> None:
        """Let a business day hold a key, with its content.

        After a crash between the buckets and the seal, days that had closed are open again. An id
        that had come once more by then is held by two of them: the table has the last.
        """
        there, held = self.find(key)
        if there != day and there in self._holder.open_places:
            if day < there:
                self._earlier.setdefault(day, {})[key] = content
                return
            self._earlier.setdefault(there, {})[key] = held
        self._put_last(key, day, content)

    def take_out(self, key: str, day: int) -> None:
        """Let a business day that holds a key hold it no more."""
        if self.find(key)[0] != day:
            del self._earlier[day][key]
            return
        earlier = [other for other, held in self._earlier.items() if key in held]
        if earlier:
            self._put_last(key, max(earlier), self._earlier[max(earlier)].pop(key))
        else:
            self._put_last(key, layout.NONE, 0)

    def _put_last(self, key: str, day: int, content: int) -> None:
        """Put a key into the table with the last open day that holds it; -1 if none does."""
        low, high, _, _ = self._look_up(key)
        self._found = None
        if (
            self._holder.arrays.numbers[layout.IDS_USED] + 1
            >= self._holder.arrays.ids.size * 3 // 5
        ):
            self._holder.make_room()
        if self._great:
            self._great.pop(key, None)
        if abs(content) >= layout.CONTENT_MAX:
            self._great[key] = content
            content = _GREAT
        _put(self._holder.arrays.numbers, self._holder.arrays.ids, low, high, day, content)

    def _look_up(self, key: str) -> tuple[int, int, int, int]:
        if self._found is None or self._found[0] != key:
            length = self._text.put(key)
            found = _look_up(
                self._holder.arrays.numbers, self._holder.arrays.ids, self._text.data, length
            )
            self._found = key, found
        return self._found[1]

    def changed(self) -> None:
        """Forget what was found before kernels changed it."""
        self._found = None

    def count_by_kernels(self, day: int) -> int:
        """Return how many ids kernels have put for an open day."""
        place = self._holder.open_places.get(day)
        return 0 if place is None else int(self._holder.arrays.opens[place]["ids"])

    def days_are(self, open_days: Container[int]) -> None:
        """Forget what days held that are not open any more."""
        self._earlier = {day: held for day, held in self._earlier.items() if day in open_days}

    def moved(self) -> None:
        """Forget what closed days held, after the table was moved."""
        self._found = None
        self._great = {
            key: content
            for key, content in self._great.items()
            if self.find(key)[0] in self._holder.open_places
        }


class IdContents:
    """What an open day holds, by key, as the ledger asks for it; it stands in the table of ids."""

    __slots__ = ("_day", "_ids", "_size")

    def __init__(self, ids: HeldIds, day: int) -> None:
        self._ids = ids
        self._day = day
        self._size = 0  # of those that kernels did not put

    def __contains__(self, key: object) -> bool:
        assert isinstance(key, str)
        return self.get(key) is not None

    def __getitem__(self, key: str) -> int:
        content = self.get(key)
        if content is None:
            raise KeyError(key)
        return content

    def get(self, key: str) -> int | None:
        """Return the content of a key; None if the day does not hold it."""
        day, content = self._ids.find(key)
        return content if day == self._day else self._ids.find_earlier(key, self._day)

    def __setitem__(self, key: str, content: int) -> None:
        self._size += key not in self
        self._ids.put(key, self._day, content)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._size -= 1
        self._ids.take_out(key, self._day)

    def __len__(self) -> int:
        return self._size + self._ids.count_by_kernels(self._day)
