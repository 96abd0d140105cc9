"""The transactions that kernels took in, by column, as the journal has them."""

from collections.abc import Iterator, Sequence
from typing import Final, Self

import numpy as np

from models.arrays import Bytes
from models.kernels import compiled
from monitor.ledger.ledger import SERIES_MASK, Entry
from monitor.ordinary.layout import ENTRIES_USED, ENTRY_TEXTS_USED, Arrays, Table
from monitor.ordinary.packing import numbered, put_bytes

_ROWS: Final = np.dtype(
    [
        ("offset", "i8"),
        ("content", "i8"),
        ("id_at", "i8"),
        ("account_at", "i8"),
        ("account", "i4"),
        ("day", "i4"),
        ("id_length", "i4"),
        ("account_length", "i4"),
    ],
    align=True,
)


@compiled
def _copy(
    entries: Table, entry_texts: Bytes, accounts: Table, texts: Bytes, rows: Table, into: Bytes
) -> None:
    """Copy entries, and the texts that they name, to where there is room for all."""
    at = 0
    for number in range(entries.size):
        entry, row = entries[number], rows[number]
        account = accounts[entry["account"]]
        row["offset"], row["content"] = entry["offset"], entry["content"]
        row["account"], row["day"] = entry["account"], entry["day"]
        row["id_at"], row["id_length"] = at, entry["id_length"]
        at = put_bytes(into, at, entry_texts, int(entry["id_at"]), int(entry["id_length"]))
        row["account_at"], row["account_length"] = at, account["id_length"]
        at = put_bytes(into, at, texts, int(account["id_at"]), int(account["id_length"]))


class EntryRows:
    """Entries in the order of their offsets, none of which reverses; nothing changes them any more.

    `rows` has them, with the number of each one's account; ids stand in `texts`. The ids of
    transactions are ASCII: what has others, no kernel takes.
    """

    __slots__ = ("rows", "texts")

    def __init__(self, rows: Table, texts: Bytes) -> None:
        self.rows = rows
        self.texts = texts

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the entries of several, of one partition, in their order."""
        if len(parts) == 1:
            return parts[0]
        rows = np.concatenate([np.empty(0, _ROWS), *(part.rows for part in parts)])
        first = base = 0
        for part in parts:
            rows["id_at"][first : first + len(part)] += base
            rows["account_at"][first : first + len(part)] += base
            first += len(part)
            base += part.texts.size
        texts = [part.texts for part in parts]
        return cls(rows, np.concatenate([np.empty(0, np.uint8), *texts]))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, some: slice) -> Self:
        return type(self)(self.rows[some], self.texts)

    def by_day(self) -> Iterator[tuple[int, Self]]:
        """Yield the entries of each business day, with the day."""
        for day in np.unique(self.rows["day"]).tolist():
            yield day, type(self)(self.rows[self.rows["day"] == day], self.texts)

    def count_series(self) -> dict[tuple[int, int], int]:
        """Return how many transactions are of each day and series."""
        series = self.rows["content"] & SERIES_MASK
        firsts, numbers = numbered(self.rows["day"].astype(np.int64) * (SERIES_MASK + 1) + series)
        days = self.rows["day"][firsts].tolist(), series[firsts].tolist()
        counts = np.bincount(numbers, minlength=len(firsts)).tolist()
        return dict(zip(zip(*days, strict=True), counts, strict=True))

    def entries(self) -> list[Entry]:
        """Return them one by one."""
        text = self.texts.tobytes()
        return [
            Entry(
                offset,
                text[account_at : account_at + account_length].decode(),
                text[id_at : id_at + id_length].decode(),
                day,
                content,
            )
            for offset, content, id_at, account_at, _, day, id_length, account_length in (
                self.rows.tolist()
            )
        ]


def take_entries(arrays: Arrays) -> EntryRows | None:
    """Return the transactions that kernels took in since the last call; None if none came."""
    numbers = arrays.numbers
    count, size = int(numbers[ENTRIES_USED]), int(numbers[ENTRY_TEXTS_USED])
    if not count:
        return None
    entries = arrays.entries[:count]
    size += int(arrays.accounts["id_length"][entries["account"]].sum())
    taken = EntryRows(np.empty(count, _ROWS), np.empty(size, np.uint8))
    _copy(entries, arrays.entry_texts, arrays.accounts, arrays.texts, taken.rows, taken.texts)
    numbers[ENTRIES_USED] = numbers[ENTRY_TEXTS_USED] = 0
    return taken
