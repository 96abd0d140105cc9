"""What an open day holds, where the ids of transactions stand in a table of all open days."""

from monitor.ordinary.accounts import OrdinaryAccounts
from monitor.ordinary.layout import NONE


class IdContents:
    """What an open day holds, by key, as the ledger asks for it; it stands in the table of ids."""

    __slots__ = ("_accounts", "_day", "_size")

    def __init__(self, accounts: OrdinaryAccounts, day: int) -> None:
        self._accounts = accounts
        self._day = day
        self._size = 0  # of those that kernels did not put

    def __contains__(self, key: object) -> bool:
        assert isinstance(key, str)
        return self._accounts.find_id(key)[0] == self._day

    def __getitem__(self, key: str) -> int:
        day, content = self._accounts.find_id(key)
        if day != self._day:
            raise KeyError(key)
        return content

    def get(self, key: str) -> int | None:
        """Return the content of a key; None if the day does not hold it."""
        day, content = self._accounts.find_id(key)
        return content if day == self._day else None

    def __setitem__(self, key: str, content: int) -> None:
        self._size += key not in self
        self._accounts.put_id(key, self._day, content)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._size -= 1
        self._accounts.put_id(key, NONE, 0)

    def __len__(self) -> int:
        return self._size + self._accounts.ids_by_kernels(self._day)
