"""The ids of transactions that open days hold, as the ledger asks for them."""

from typing import TYPE_CHECKING

import numpy as np

from models.arrays import Ints
from models.kernels import compiled
from monitor.ordinary import layout, tables
from monitor.ordinary.hashing import U64, hash_of
from monitor.ordinary.layout import Table

if TYPE_CHECKING:
    from monitor.ordinary.accounts import OrdinaryAccounts


@compiled
def look_up(numbers: Ints, ids: Table, data: Table, length: int) -> tuple[int, int, int, int]:
    """Return the hash of an id, its day and its content; the day is 0 if it is not there."""
    low, high = hash_of(data, 0, length, numbers[layout.KEY_0], numbers[layout.KEY_1])
    taken = ids[tables.place_of_id(ids, low, high)]
    return int(np.int64(low)), int(np.int64(high)), int(taken["day"]), int(taken["content"])


@compiled
def put(numbers: Ints, ids: Table, low: int, high: int, day: int, content: int) -> None:
    """Put an id by its hash, or its new content."""
    tables.put_id(numbers, ids, U64(low), U64(high), day, content)


class IdContents:
    """What an open day holds, by key, as the ledger asks for it; it stands in the table of ids."""

    __slots__ = ("_accounts", "_day", "_size")

    def __init__(self, accounts: "OrdinaryAccounts", day: int) -> None:
        self._accounts = accounts
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
        day, content = self._accounts.find_id(key)
        return content if day == self._day else self._accounts.find_earlier(key, self._day)

    def __setitem__(self, key: str, content: int) -> None:
        self._size += key not in self
        self._accounts.put_id(key, self._day, content)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._size -= 1
        self._accounts.take_id_out(key, self._day)

    def __len__(self) -> int:
        return self._size + self._accounts.ids_by_kernels(self._day)
