"""The models of a partition, part by part, to be kept and put back.

Each part has a name: `core`, `day:ORDINAL` for each finished day that the tails still need, and
`accounts:BUCKET`, or `accounts:BUCKETS:BUCKET` once the state was dealt into more buckets than it
began with; `levels:PAGE` are the levels of counterparties. Where analysts teach the scores there
are `taught`, `sample:ORDINAL` and `counterparties:PAGE`, too. A part that cannot be used is
refused: without the core the models begin afresh, without a bucket its accounts do, where a page of
levels is damaged all levels do, without what is taught that. Limits know nothing of it.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Ints
from models.learner.checkpoint import (
    ACCOUNT_BYTES,
    TERMS_BYTES,
    AccountsKept,
    accounts_bytes,
    accounts_header,
    accounts_of,
    core_bytes,
    levels_page_bytes,
    page_bytes,
    restore_core,
    restore_levels,
    restore_taught,
    rows_bytes,
    sample_bytes,
    taught_bytes,
    terms_bytes,
)
from models.snapshot import SnapshotError
from monitor.outliers.scorer import HotPayer, Scorer

CORE: Final = "core"
DAY: Final = "day:"
ACCOUNTS: Final = "accounts:"
TAUGHT: Final = "taught"
SAMPLE: Final = "sample:"
PAGE: Final = "counterparties:"
LEVELS: Final = "levels:"

TAKEN_AT_ONCE: Final = 4096
"""Accounts from which on no further bucket is taken: their bytes are in memory twice meanwhile."""


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
        self._taught: set[str] = set()  # parts of what is taught that are kept
        self._taught_begun = 0
        self._has_terms = False  # whether the headers are those of accounts with terms
        self._unused: set[str] = set()  # parts that are kept, and that nobody will read again

    def new_parts(self) -> Parts:
        """Return what has changed since the last call."""
        scorer, learner = self.scorer, self.scorer.learner
        for row in range(len(self._row_buckets), learner.count):
            self._place(row)
        if self._has_terms != learner.taught.is_on:
            self._has_terms = learner.taught.is_on
            self._headers = {}
        written = dict(self._accounts(self._changed_buckets()))
        self._names.update(written)
        finished = set(learner.tails.kept_days)
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
        for number in learner.levels.take_changed():
            written[f"{LEVELS}{number}"] = levels_page_bytes(learner.levels, number, self._key)
        written[CORE] = core_bytes(learner, names, self._key)
        taught = self._taught_parts()
        return Parts(written | taught.written, dropped + taught.dropped)

    def _taught_parts(self) -> Parts:
        """Return what is new of what is taught; where nothing is any more, it is done with."""
        taught, written = self.scorer.learner.taught, dict[str, bytes]()
        before = self._taught if taught.begun == self._taught_begun else set()
        needed = set()
        if taught.is_on:
            samples = {f"{SAMPLE}{day}": day for day in sorted(taught.days)}
            written[TAUGHT] = taught_bytes(taught, self._key)
            for name in samples.keys() - before:
                written[name] = sample_bytes(taught, samples[name], self._key)
            for number, page in taught.take_pages():
                written[f"{PAGE}{number}"] = page_bytes(page, self._key)
            pages = {name for name in before if name.startswith(PAGE)}
            needed = written.keys() | samples.keys() | pages
        dropped = sorted(self._taught - needed)
        self._taught, self._taught_begun = needed, taught.begun
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
        self._days = set(learner.tails.kept_days)
        self._unused -= {f"{DAY}{day}" for day in self._days}
        refused = self._restore_levels(parts) + self._restore_taught(parts)
        kept: list[AccountsKept] = []
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

    def _restore_levels(self, parts: Mapping[str, bytes]) -> list[str]:
        """Put back the levels of counterparties; return why they were refused, if they were."""
        names = [name for name in parts if name.startswith(LEVELS)]
        pages = {int(name.removeprefix(LEVELS)): parts[name] for name in names}
        try:
            restore_levels(self.scorer.learner, pages, self._key)
        except SnapshotError as error:
            return [f"{LEVELS[:-1]}: {error}"]
        self._unused.difference_update(names)
        return []

    def _restore_taught(self, parts: Mapping[str, bytes]) -> list[str]:
        """Put back what is taught; return why it was refused, if it was."""
        if TAUGHT not in parts:
            return []
        learner, names = self.scorer.learner, {TAUGHT}
        of_kind: dict[str, dict[int, bytes]] = {SAMPLE: {}, PAGE: {}}
        for kind, found in of_kind.items():
            for name, data in parts.items():
                if name.startswith(kind):
                    found[int(name.removeprefix(kind))] = data
                    names.add(name)
        try:
            restore_taught(learner, parts[TAUGHT], of_kind[SAMPLE], of_kind[PAGE], self._key)
        except SnapshotError as error:
            return [f"{TAUGHT}: {error}"]
        self._taught, self._taught_begun = names, learner.taught.begun
        self._unused -= names
        return []

    def _restore_accounts(self, kept: Sequence[AccountsKept]) -> None:
        """Put the accounts of parts into rows, all in one go: there are many small parts."""
        if not kept:
            return
        scorer, of_kind = self.scorer, kept[0].accounts.dtype
        joined = np.concatenate([part.accounts.view(np.uint8) for part in kept])
        first = scorer.learner.add_accounts(joined.view(of_kind))
        if scorer.learner.taught.is_on:
            scorer.learner.make_room()
            terms = np.concatenate([part.terms for part in kept])
            scorer.learner.taught.arrays.terms[first : first + len(terms)] = terms
        names = [name for part in kept for name in part.names]
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
            terms = terms_bytes(self.scorer.learner, np.concatenate(some))
            for bucket, rows in zip(buckets[first:], some, strict=False):
                size, of_terms = ACCOUNT_BYTES * rows.size, TERMS_BYTES * rows.size
                header = self._header(bucket, rows)
                mine = terms[:of_terms] if self._has_terms else None
                part = accounts_bytes(taken[:size], header, self._key, mine)
                taken, terms = taken[size:], terms[of_terms:]
                yield f"{self._prefix}{bucket}", part
            first += len(some)

    def _header(self, bucket: int, rows: Ints) -> bytes:
        header = self._headers.get(bucket)
        if header is None:
            names = [self.scorer.account_ids[row] for row in rows.tolist()]
            header = self._headers[bucket] = accounts_header(names, has_terms=self._has_terms)
        return header
