"""The account-days of a closed day that stand in rows, until all are summed up and emitted."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec import json

from models.arrays import Bytes, Ints
from monitor.core.account import Account, AccountDay
from monitor.core.business_day import day_text
from monitor.ledger.ledger import OpenDay
from monitor.ledger.rows import EmittedRows, WrittenRecords
from monitor.ordinary import tables, written
from monitor.ordinary.layout import CURRENCY_CODES, NONE, SEGMENTS_MAX
from monitor.systemic.summary import RowGroup

if TYPE_CHECKING:
    from monitor.ordinary.accounts import OrdinaryAccounts

_PIECE: Final = 4096
"""Account-days that are written in one go, at most."""


class ClosedRows:
    """The account-days of a closed day that are rows, by numbers in the order in which they began.

    One whose account is made an object becomes an object of it, and keeps its number.
    """

    def __init__(
        self, accounts: "OrdinaryAccounts", open_day: OpenDay, first: int, count: int
    ) -> None:
        self._accounts = accounts
        # Not the day itself, which has these rows: a cycle would keep its accounts.
        self._day, self._limits, self._noted = open_day.day, open_day.limits, open_day.noted
        self._objects: dict[int, AccountDay] = {}  # by number
        of_segments = np.zeros(SEGMENTS_MAX + 1, np.int64)
        self._places = tables.places_of_day(accounts.arrays.days, first, count, of_segments)
        self._of_segments = of_segments
        self._numbers = accounts.arrays.days["account"][self._places].astype(np.int64)
        self._scores: list[float | None] = []
        self._score_texts: Bytes = np.empty(0, np.uint8)
        self._score_ends: Ints = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def segments(self) -> Counter[str | None]:
        """Return how many account-days each segment has."""
        numbers = np.flatnonzero(self._of_segments).tolist()
        segment = self._accounts.segment
        return Counter({segment(n - 1): int(self._of_segments[n]) for n in numbers})

    def near_accounts(self) -> list[str]:
        """Return the accounts that are rows still, and came near a limit."""
        places = self._places[self._places != NONE]
        rows = self._accounts.arrays.days[places]
        near = rows["account"][rows["facts"] != NONE].tolist()
        return [self._accounts.account_id(number) for number in near]

    # -- what the models know ---------------------------------------------------------------------

    def model_rows(self) -> Ints:
        """Return the rows of all accounts in the models, by number; -1 of those they know not."""
        rows: Ints = self._accounts.arrays.accounts["model"][self._numbers].astype(np.int64)
        return rows

    def know_scores(self, scores: list[float | None]) -> None:
        """Say how rare the models find each account-day, by number."""
        self._scores = scores
        texts = json.encode(scores)[1:-1].split(b",")
        self._score_texts = np.frombuffer(b"".join(texts), np.uint8)
        self._score_ends = np.cumsum([len(text) for text in texts])

    # -- summing up -------------------------------------------------------------------------------

    def objects(self, begin: int, end: int) -> Iterator[tuple[int, AccountDay]]:
        """Yield those of some numbers with these that are no plain rows.

        They are objects by now, over a limit, or in several currencies.
        """
        places = self._places[begin:end]
        days = self._accounts.arrays.days
        is_odd = (days["told"][places] != 0) | (days["more"][places] != NONE)
        for number in np.flatnonzero((places != NONE) & is_odd).tolist():
            yield begin + number, self._accounts.view(places[number], self._limits)
        if self._objects:
            for number in range(begin, end):
                made = self._objects.get(number)
                if made is not None:
                    yield number, made

    def groups(self, begin: int, end: int) -> Iterator[RowGroup]:
        """Yield all others with some numbers, by limits, segment and currency."""
        places = self._places[begin:end]
        numbers = begin + np.flatnonzero(places != NONE)
        rows = self._accounts.arrays.days[self._places[numbers]]
        is_plain = (rows["told"] == 0) & (rows["more"] == NONE)
        numbers, rows = numbers[is_plain], rows[is_plain]
        if not rows.size:
            return
        # A segment's number has 13 bits with -1, a currency's 9.
        keys = rows["kind"].astype(np.int64) << 22 | (rows["segment"] + 1) << 9 | rows["currency"]
        order = np.argsort(keys, kind="stable")
        keys, totals, numbers = keys[order], rows["totals"][order], numbers[order]
        bounds = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
        for first, last in pairwise(bounds):
            row = rows[order[first]]
            yield RowGroup(
                self._accounts.kind(int(row["kind"])),
                self._accounts.segment(int(row["segment"])),
                CURRENCY_CODES[int(row["currency"])],
                totals[first:last],
                numbers[first:last],
            )

    # -- emitting ---------------------------------------------------------------------------------

    def emit(self, begin: int, end: int, version: int) -> EmittedRows:
        """Return those with some numbers as they are emitted; they are given up.

        `version` is that of the policy that decided.
        """
        if begin >= end:
            return EmittedRows([], [])
        records = self._write(begin, end, version)
        left = begin + np.flatnonzero(self._places[begin:end] != NONE)
        numbers = {number for number in self._objects if begin <= number < end}
        account_days = [
            (self._taken(number), self._scores[number] if self._scores else None)
            for number in sorted(numbers.union(left.tolist()))
        ]
        if end == len(self):
            self._accounts.closed_done(self)
        return EmittedRows(account_days, records)

    def _write(self, begin: int, end: int, version: int) -> list[WrittenRecords]:
        """Return the records of rows by their account ids, but for the few that need an object."""
        accounts, places = self._accounts, self._places[begin:end]
        arrays, segments, owns = accounts.arrays, accounts.segment_texts, accounts.own_texts
        rows = arrays.days[places[places != NONE]]
        peers = accounts.peer_texts
        peers.know(rows["peer"].astype(np.int64))
        segments.know(rows["segment"].astype(np.int64) + 1)
        owns.know(np.maximum(arrays.accounts["own"][rows["account"]], 0).astype(np.int64))
        of_day = f'","business_day":"{day_text(self._day)}","segment":'
        closing = f'"}}],"breaches":[],"policy_version":{version},"score":'
        out = np.empty(written.PIECE_BYTES, np.uint8)
        spans = np.empty((_PIECE, 3), np.int64)
        records: list[WrittenRecords] = []
        while begin < end:
            begin, count = written.write_days(
                arrays,
                self._places,
                begin,
                end,
                written.CURRENCY_TEXTS,
                written.EXPONENTS,
                _bytes(of_day),
                _bytes(closing),
                segments.texts,
                segments.spans,
                owns.texts,
                owns.spans,
                peers.texts,
                peers.spans,
                self._score_texts,
                self._score_ends,
                out,
                spans,
            )
            if count:
                data = out[: spans[count - 1, 1]].copy()
                records.append(WrittenRecords(data, spans[:count].copy(), written.KEY_AT))
        return records

    def _taken(self, number: int) -> AccountDay:
        """Return an account-day that has not been written as an object that is done with."""
        made = self._objects.pop(number, None)
        if made is None:
            place = int(self._places[number])
            made = self._accounts.view(place, self._limits)
            self._accounts.give_up(place)
            self._places[number] = NONE
        return made

    # -- objects ----------------------------------------------------------------------------------

    def make_object(self, place: int, account: Account) -> AccountDay | None:
        """Return the account-day at a place as one of its account; None if it is not of these."""
        number = int(self._accounts.arrays.days[place]["before"])  # see `places_of_day`
        if not 0 <= number < len(self) or self._places[number] != place:
            return None
        made = self._accounts.view(place, self._limits, account)
        if made.facts is not None:
            self._noted[made] = None
        self._objects[number] = made
        self._places[number] = NONE
        return made


def _bytes(text: str) -> Any:  # noqa: ANN401 - an array
    return np.frombuffer(text.encode(), np.uint8)
