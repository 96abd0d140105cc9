"""The models of a partition, part by part, to be kept and put back.

Each part has a name: `core`, `day:ORDINAL` for each finished day that the tails still need, and
`accounts:BUCKET`, or `accounts:BUCKETS:BUCKET` once the state was dealt into more buckets than it
began with. A part that cannot be used is refused: without the core the models begin afresh,
without a bucket its accounts do. Limits know nothing of it.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Ints
from models.learner.checkpoint import (
    ACCOUNT_BYTES,
    accounts_bytes,
    accounts_header,
    accounts_of,
    core_bytes,
    restore_core,
    rows_bytes,
)
from models.snapshot import SnapshotError
from monitor.outliers.scorer import HotPayer, Scorer

CORE: Final = "core"
DAY: Final = "day:"
ACCOUNTS: Final = "accounts:"

TAKEN_AT_ONCE: Final = 4096
"""Accounts from which on no further bucket is taken: their bytes are in memory twice meanwhile."""


Accounts = np.ndarray[tuple[int], np.dtype[np.void]]
"""Accounts of the models, as they are kept."""


class Parts(NamedTuple):
    """What is new since the last call: parts by name, and the names of those that are done with."""

    written: dict[str, bytes]
    dropped: list[str]


class Memory:
    """Knows which parts of a scorer have changed since they were written."""

    def __init__(self, scorer: Scorer, bucket_of: Callable[[str], int], key: bytes | None) -> None:
        self.scorer = scorer
        self._bucket_of = bucket_of
        self._prefix = ACCOUNTS
        self._names: set[str] = set()  # of the parts of buckets that are kept
        self._key = key
        self._bucket_rows: dict[int, array[int]] = {}
        self._row_buckets: array[int] = array("q")
        self._headers: dict[int, bytes] = {}  # of the parts of buckets, until an account joins one
        self._days: set[int] = set()
        self._unused: set[str] = set()  # parts that are kept, and that nobody will read again

    def new_parts(self) -> Parts:
        """Return what has changed since the last call."""
        scorer, learner = self.scorer, self.scorer.learner
        for row in range(len(self._row_buckets), learner.count):
            self._place(row)
        written = dict(self._accounts(self._changed_buckets()))
        self._names.update(written)
        finished = set(learner.tails.days)
        for day in sorted(finished - self._days):
            written[f"{DAY}{day}"] = learner.tails.snapshot_day(day, self._key)
        dropped = [f"{DAY}{day}" for day in sorted(self._days - finished)]
        self._days = finished
        dropped += sorted(self._unused - written.keys())
        self._unused = set()
        names = {
            "segments": list(scorer.segments),
            "channels": list(scorer.channels),
            "hot_payers": [[*key, count] for key, count in scorer.hot_payers.items()],
        }
        written[CORE] = core_bytes(learner, names, self._key)
        return Parts(written, dropped)

    def deal(self, buckets: int) -> None:
        """Have so many buckets from here on: all accounts are in the next parts, by other names.

        So a crash between them and the seal leaves the parts whole that go with the seal before.
        """
        self._unused |= self._names
        self._names = set()
        self._prefix = f"{ACCOUNTS}{buckets}:"
        self._bucket_rows, self._row_buckets, self._headers = {}, array("q"), {}
        self.scorer.changed = [np.arange(self.scorer.learner.count)]

    def restore(self, parts: Mapping[str, bytes], buckets: int) -> list[str]:
        """Put parts back into a fresh scorer; return why some were refused, where they were.

        What cannot be used is dropped with the next parts, and so are those of other buckets than
        the state has.
        """
        dealt = f"{ACCOUNTS}{buckets}:"
        if any(name.startswith(dealt) for name in parts):
            self._prefix = dealt
        self._unused = set(parts) - {CORE}
        if CORE not in parts:
            return []
        scorer, learner = self.scorer, self.scorer.learner
        days = {
            int(name.removeprefix(DAY)): data
            for name, data in parts.items()
            if name.startswith(DAY)
        }
        try:
            names = restore_core(learner, parts[CORE], days, self._key)
        except SnapshotError as error:
            scorer.begin_afresh()
            return [f"core: {error}"]
        scorer.know(names["segments"], names["channels"])
        for *key, count in names["hot_payers"]:
            scorer.hot_payers[HotPayer(*key)] = count
        self._days = set(learner.tails.days)
        self._unused -= {f"{DAY}{day}" for day in self._days}
        refused: list[str] = []
        kept: list[tuple[list[str], Accounts]] = []
        for name, data in sorted(parts.items()):
            if not name.startswith(self._prefix) or ":" in name.removeprefix(self._prefix):
                continue
            try:
                kept.append(accounts_of(data, self._key))
            except SnapshotError as error:
                refused.append(f"{name}: {error}")
            else:
                self._unused.remove(name)
                self._names.add(name)
        self._restore_accounts(kept)
        opened = np.flatnonzero(learner.accounts["day"][: learner.count] == learner.day)
        before = learner.accounts["day"][: learner.count]
        swept = np.flatnonzero((before != 0) & (before < learner.day))
        learner.reopen(opened.tolist(), swept.tolist())
        scorer.begin_day(learner.day)
        return refused

    def _restore_accounts(self, kept: Sequence[tuple[Sequence[str], Accounts]]) -> None:
        """Put the accounts of parts into rows, all in one go: there are many small parts."""
        if not kept:
            return
        scorer, of_kind = self.scorer, kept[0][1].dtype
        joined = np.concatenate([accounts.view(np.uint8) for _, accounts in kept])
        first = scorer.learner.add_accounts(joined.view(of_kind))
        names = [name for of_part, _ in kept for name in of_part]
        scorer.rows.update(zip(names, range(first, first + len(names)), strict=True))
        scorer.account_ids += names

    def _place(self, row: int) -> None:
        bucket = self._bucket_of(self.scorer.account_ids[row])
        self._row_buckets.append(bucket)
        self._bucket_rows.setdefault(bucket, array("q")).append(row)
        self._headers.pop(bucket, None)

    def _changed_buckets(self) -> list[int]:
        changed, self.scorer.changed = self.scorer.changed, []
        if not changed:
            return []
        buckets = np.frombuffer(self._row_buckets, np.int64)[np.concatenate(changed)]
        numbers: list[int] = np.flatnonzero(np.bincount(buckets)).tolist()
        return numbers

    def _accounts(self, buckets: Sequence[int]) -> Iterator[tuple[str, bytes]]:
        """Yield the parts of some buckets; the accounts of many are taken in one go."""
        first = 0
        while first < len(buckets):
            some: list[Ints] = []
            accounts = 0
            for bucket in buckets[first:]:
                if accounts >= TAKEN_AT_ONCE:
                    break
                some.append(np.frombuffer(self._bucket_rows[bucket], np.int64))
                accounts += some[-1].size
            taken = rows_bytes(self.scorer.learner, np.concatenate(some))
            for bucket, rows in zip(buckets[first:], some, strict=False):
                size = ACCOUNT_BYTES * rows.size
                part = accounts_bytes(taken[:size], self._header(bucket, rows), self._key)
                taken = taken[size:]
                yield f"{self._prefix}{bucket}", part
            first += len(some)

    def _header(self, bucket: int, rows: Ints) -> bytes:
        header = self._headers.get(bucket)
        if header is None:
            names = [self.scorer.account_ids[row] for row in rows.tolist()]
            header = self._headers[bucket] = accounts_header(names)
        return header
