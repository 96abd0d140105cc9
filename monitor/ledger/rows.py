"""The forms of what an open day holds, where it stands in tables and not in objects."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from models.arrays import Bytes, Ints
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


@dataclass(frozen=True, slots=True)
class WrittenRecords:
    """Records as bytes, which stand one after the other in an array.

    `spans` (n, 3) has of each where its value begins and ends in `data`, and how long its key is,
    which stands in the value, from `key_at` on.
    """

    data: Bytes
    spans: Ints
    key_at: int

    def __len__(self) -> int:
        """Return how many records they are."""
        return len(self.spans)

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the key and the value of each."""
        data, key_at = self.data.tobytes(), self.key_at
        for begin, end, length in self.spans.tolist():
            yield data[begin + key_at : begin + key_at + length], data[begin:end]


class EmittedRows(NamedTuple):
    """Account-days of a closed day as they are emitted: objects with their scores, and records.

    A score is how rare the models find it, None if they do not say. A record's key is the id of
    the account, and its value the one that the wire form of the account-day has.
    """

    account_days: list[tuple[AccountDay, float | None]]
    records: list[WrittenRecords]


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
