"""The ids of transactions that open days hold, as the ledger asks for them."""

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import compiled
from monitor.ordinary import layout, room, tables
from monitor.ordinary.layout import Table
from monitor.ordinary.tables import U64, hash_of

if TYPE_CHECKING:
    from monitor.ordinary.accounts import OrdinaryAccounts


@compiled
def _look_up(numbers: Ints, ids: Table, data: Bytes, ends: Ints) -> Ints:
    """Return of each id the two halves of its hash, its day and its content; day 0 is of none.

    The ids stand in `data` one after the other, with their ends.
    """
    found = np.empty((ends.size, 4), np.int64)
    begin = 0
    for number in range(ends.size):
        end = int(ends[number])
        low, high = hash_of(data, begin, end - begin, numbers[layout.KEY_0], numbers[layout.KEY_1])
        taken = ids[tables.place_of_id(ids, low, high)]
        found[number, 0], found[number, 1] = np.int64(low), np.int64(high)
        found[number, 2], found[number, 3] = taken["day"], taken["content"]
        begin = end
    return found


@compiled
def _put(numbers: Ints, ids: Table, put: Ints) -> None:
    """Put ids, each with what `_look_up` returns of it; there is room for them."""
    for number in range(put.shape[0]):
        low, high = U64(put[number, 0]), U64(put[number, 1])
        tables.put_id(numbers, ids, low, high, put[number, 2], put[number, 3])


_BYTES_LEAST: Final = 1 << 12
_GREAT: Final = -2
"""The content of an id whose own content Python keeps, as it is too great."""


def joined_texts(texts: Iterable[str]) -> tuple[Bytes, Ints]:
    """Return the bytes of texts, one after the other, and where each ends."""
    pieces = [text.encode("utf-8", "surrogateescape") for text in texts]
    ends: Ints = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    return np.frombuffer(b"".join(pieces), np.uint8), ends


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


_Found = tuple[int, int, int, int]
"""Of a key: the two halves of its hash, the day that holds it, and its content."""

_FOUND_MAX: Final = 1 << 17
"""Keys that Python remembers, at most."""


class HeldIds:
    """The ids that open days hold, by keys: a tag that is an account's alone, and a name.

    Python remembers what it found and put until kernels go on with the table: a call of a kernel
    for each key would cost more than most of what it decides.
    """

    def __init__(self, holder: "OrdinaryAccounts") -> None:
        self._holder = holder
        self._great: dict[str, int] = {}
        self._earlier: dict[int, dict[str, int]] = {}  # by day: see `put`
        self.found: dict[str, _Found] = {}  # since kernels put ids last
        self._unwritten: set[str] = set()  # those of these that the table has otherwise

    def find(self, key: str) -> tuple[int, int]:
        """Return the business day that holds a key, 0 if none does, and its content."""
        _, _, day, content = self.found.get(key) or self._look_up(key)
        if content == _GREAT and day > 0:
            content = self._great.get(key, 0)  # 0: its day has closed
        return day, content

    def find_earlier(self, key: str, day: int) -> int | None:
        """Return the content of a key on an open day before the last one that holds it, if any."""
        if not self._earlier:
            return None
        return self._earlier.get(day, {}).get(key)

    def put(self, key: str, day: int, content: int) -> bool:
        """Let a business day hold a key, with its content; return whether it held it not yet.

        After a crash between the buckets and the seal, days that had closed are open again. An id
        that had come once more by then is held by two of them: the table has the last.
        """
        low, high, there, held = self.found.get(key) or self._look_up(key)
        is_new = there != day
        if is_new and there > 0:
            is_new = self.find_earlier(key, day) is None
            if there in self._holder.open_places:
                if day < there:
                    self._earlier.setdefault(day, {})[key] = content
                    return is_new
                self._earlier.setdefault(there, {})[key] = self.find(key)[1]
        if held == _GREAT or abs(content) >= layout.CONTENT_MAX:
            self._put_last(key, day, content)
        else:
            self.found[key] = low, high, day, content
            self._unwritten.add(key)
        return is_new

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
        low, high, _, _ = self.found.get(key) or self._look_up(key)
        self._great.pop(key, None)
        if abs(content) >= layout.CONTENT_MAX:
            self._great[key] = content
            content = _GREAT
        self.found[key] = low, high, day, content
        self._unwritten.add(key)

    def _look_up(self, key: str) -> _Found:
        """Return what the table has of a key, and remember it."""
        self.look_up([key])
        return self.found[key]

    def look_up(self, keys: Iterable[str]) -> None:
        """Look many keys up in one go."""
        if len(self.found) >= _FOUND_MAX:
            self.write()
            self.found.clear()
        new = [key for key in dict.fromkeys(keys) if key not in self.found]
        arrays = self._holder.arrays
        found = _look_up(arrays.numbers, arrays.ids, *joined_texts(new))
        self.found.update(zip(new, map(tuple, found.tolist()), strict=True))

    def write(self) -> None:
        """Put into the table what Python has put, before kernels go on with it."""
        if not self._unwritten:
            return
        put = np.array([self.found[key] for key in self._unwritten], np.int64)
        self._unwritten.clear()
        arrays = self._holder.arrays
        needed = int(arrays.numbers[layout.IDS_USED]) + len(put)
        if needed >= arrays.ids.size * 3 // 5:
            made = room.ids_moved(arrays, needed + layout.SPARE)
            arrays = self._holder.arrays = arrays._replace(ids=made)
        _put(arrays.numbers, arrays.ids, put)

    def changed(self) -> None:
        """Forget what was found before kernels changed it."""
        assert not self._unwritten, "kernels went on without it"
        self.found.clear()

    def day_of(self, key: str) -> int | None:
        """Return the day that holds a key, 0 or a closed one if no open day does.

        None if several days may hold it.
        """
        return None if self._earlier else (self.found.get(key) or self._look_up(key))[2]

    def count_by_kernels(self, day: int) -> int:
        """Return how many ids kernels have put for an open day."""
        place = self._holder.open_places.get(day)
        return 0 if place is None else int(self._holder.arrays.opens[place]["ids"])

    def days_are(self, open_days: Container[int]) -> None:
        """Forget what days held that are not open any more."""
        self._earlier = {day: held for day, held in self._earlier.items() if day in open_days}

    def moved(self) -> None:
        """Forget what closed days held, after the table was moved."""
        self.write()
        self.found.clear()
        self._great = {
            key: content
            for key, content in self._great.items()
            if self.find(key)[0] in self._holder.open_places
        }


class IdContents:
    """What an open day holds, by key, as the ledger asks for it; it stands in the table of ids."""

    __slots__ = ("_day", "_found", "_ids", "_size")

    def __init__(self, ids: HeldIds, day: int) -> None:
        self._ids = ids
        self._found = ids.found
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
        found = self._found.get(key)
        if found is not None and found[2] == self._day and found[3] != _GREAT:
            return found[3]
        day, content = self._ids.find(key)
        return content if day == self._day else self._ids.find_earlier(key, self._day)

    def __setitem__(self, key: str, content: int) -> None:
        self._size += self._ids.put(key, self._day, content)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._size -= 1
        self._ids.take_out(key, self._day)

    def __len__(self) -> int:
        return self._size + self._ids.count_by_kernels(self._day)
