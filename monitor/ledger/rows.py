"""The forms of what an open day holds, where it stands in tables and not in objects."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from models.arrays import Ints
from monitor.core.account import AccountDay


class Contents(Protocol):
    """Contents by key: a dictionary, or a table that stands for one."""

    def __contains__(self, key: object, /) -> bool:
        """Return whether a key is there."""
        ...

    def __getitem__(self, key: str, /) -> int:
        """Return the content of a key. Raises KeyError if it is not there."""
        ...

    def __setitem__(self, key: str, content: int, /) -> None:
        """Put a key, or its new content."""
        ...

    def __delitem__(self, key: str, /) -> None:
        """Take a key out. Raises KeyError if it is not there."""
        ...

    def __len__(self) -> int:
        """Return how many keys there are."""
        ...

    def get(self, key: str, /) -> int | None:
        """Return the content of a key; None if it is not there."""
        ...


class EmittedRows(NamedTuple):
    """Account-days of a closed day as they are emitted: objects with their scores, and records.

    A score is how rare the models find it, None if they do not say. A record is the id of the
    account and the value that the wire form of the account-day has.
    """

    account_days: list[tuple[AccountDay, float | None]]
    records: list[tuple[bytes, bytes]]


class DayRows(Protocol):
    """Account-days of a closed day that are no objects before somebody asks for them.

    They have numbers from 0 on. Those that are objects by now are among them.
    """

    def __len__(self) -> int:
        """Return how many they are."""
        ...

    def segments(self) -> Counter[str | None]:
        """Return how many account-days each segment has."""
        ...

    def near_accounts(self) -> list[str]:
        """Return the accounts that are no objects, and came near a limit."""
        ...

    def model_rows(self) -> Ints:
        """Return the rows of all accounts in the models, by number; -1 of those they know not."""
        ...

    def know_scores(self, scores: list[float | None]) -> None:
        """Say how rare the models find each account-day, by number."""
        ...

    def objects(self, begin: int, end: int) -> Iterator[tuple[int, AccountDay]]:
        """Yield those of some numbers that are objects by now, each with its own."""
        ...

    def groups(self, begin: int, end: int) -> Iterator[Any]:
        """Yield all others with some numbers, as `systemic/summary.py` has them."""
        ...

    def emit(self, begin: int, end: int, version: int) -> EmittedRows:
        """Return those with some numbers, and forget them; the version is that of the policy."""
        ...
