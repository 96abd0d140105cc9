"""The room of arrays: made longer before they are full, given back if much of it is needless."""

from collections import deque
from typing import Any, Final

import numpy as np

from models.arrays import Bytes, Ints, longer
from models.kernels import compiled
from monitor.ordinary import layout, tables
from monitor.ordinary.layout import (
    ACCOUNTS,
    ACCOUNTS_USED,
    DAYS,
    DAYS_FREE,
    DAYS_USED,
    ENTRIES_USED,
    FREE_DAYS,
    IN_ROWS,
    NONE,
    OPENS_USED,
    SEGMENTS_USED,
    SPARE,
    SPARE_TEXTS,
    TEXTS_USED,
    Arrays,
    Table,
)
from monitor.ordinary.tables import put_number

GONE_DAYS: Final = 8
"""Closed days after which an account is gone that had no account-day meanwhile: more than a week,
because each that comes back is asked again for what tells its limits apart."""

ACCOUNTS_LEAST: Final = 4096
"""Accounts up to which none is forgotten."""

DAYS_LEAST: Final = 1 << 14
IDS_LEAST: Final = 1 << 16
"""Places for account-days and ids that are never given back."""

_LATELY: Final = 8
"""Closed days of which the greatest says how much room will be needed."""

_ROOM_MAX: Final = 4
_ROOM_FOR_IDS_MAX: Final = 16
"""Times the room that was needed lately, from which on some of it is given back. A table of ids has
seven places for each just after it has grown."""


class Compaction:
    """Whether arrays have much room that nobody needs; it is asked once a day has been emitted."""

    def __init__(self) -> None:
        self._is_due = False
        self._needed: deque[tuple[int, int]] = deque(maxlen=_LATELY)  # account-days and ids

    def day_closes(self, arrays: Arrays) -> None:
        """Note how much stands in the arrays as a day closes: as much as ever."""
        numbers = arrays.numbers
        ids = int(arrays.opens["ids"][: numbers[OPENS_USED]].sum())
        self._needed.append((int(numbers[DAYS_USED] - numbers[FREE_DAYS]), ids))

    def day_emitted(self, arrays: Arrays) -> None:
        """Note that all account-days of a closed day are emitted."""
        used = int(arrays.numbers[ACCOUNTS_USED])
        gone = grow_idle(arrays.accounts, used, GONE_DAYS)
        self._is_due = (
            self._is_due
            or (used > ACCOUNTS_LEAST and 2 * gone > used)
            or arrays.days.size > max(_ROOM_MAX * self._days_needed(), DAYS_LEAST)
            or self.ids_needed(arrays) is not None
        )

    def _days_needed(self) -> int:
        return max((days for days, _ in self._needed), default=0) + SPARE

    def take_due(self) -> bool:
        """Return whether accounts and account-days are to be moved, and forget it."""
        is_due, self._is_due = self._is_due, False
        return is_due

    def ids_needed(self, arrays: Arrays) -> int | None:
        """Return how many ids were needed lately; None if the table is not much too great."""
        needed = max((ids for _, ids in self._needed), default=0)
        least = max(_ROOM_FOR_IDS_MAX * needed, IDS_LEAST)
        return needed if arrays.ids.size > least else None

    def moved(self, arrays: Arrays) -> tuple[Arrays, Ints, Ints]:
        """Return the arrays without accounts that are gone, and the new numbers and places.

        The numbers are those of accounts and the places those of account-days, by the old ones.

        No entry and no closed day may stand in them.
        """
        numbers = arrays.numbers
        assert not numbers[ENTRIES_USED], "an entry names its account by its number"
        used = arrays.accounts[: numbers[ACCOUNTS_USED]]
        is_kept = ~is_gone(used, GONE_DAYS)
        kept = int(np.count_nonzero(is_kept))
        letters = int(used["id_length"][is_kept].sum())
        letters += int(arrays.segments["length"][: numbers[SEGMENTS_USED]].sum())
        accounts = np.zeros(max(2 * kept, kept + SPARE), ACCOUNTS)
        index = np.zeros(1 << (2 * accounts.size - 1).bit_length(), np.int32)
        texts = np.zeros(max(2 * letters, letters + SPARE_TEXTS), np.uint8)
        new_numbers = move_accounts(
            numbers,
            arrays.accounts,
            arrays.texts,
            arrays.segments,
            is_kept,
            accounts,
            index,
            texts,
        )
        held = int(numbers[DAYS_USED] - numbers[FREE_DAYS])
        days = np.zeros(max(2 * self._days_needed(), held + SPARE), DAYS)
        new_places = move_days(numbers, accounts, arrays.opens, arrays.days, new_numbers, days)
        made = arrays._replace(accounts=accounts, index=index, texts=texts, days=days)
        return made, new_numbers, new_places


def is_gone(accounts: Table, gone_days: int) -> Table:
    """Return which accounts have had nothing on so many closed days.

    None of those that models know is gone, as they forget nobody, nor one with a review.
    """
    is_empty = (accounts["head"] == NONE) & (accounts["state"] == IN_ROWS)
    is_empty &= (accounts["model"] == NONE) & (accounts["rests"] == 0)
    return is_empty & (accounts["idle"] >= gone_days)


@compiled
def grow_idle(accounts: Table, used: int, gone_days: int) -> int:
    """Count a closed day for each account that has nothing; return how many are gone by that."""
    gone = 0
    for number in range(used):
        account = accounts[number]
        is_known = account["model"] != NONE or account["rests"] != 0
        if account["head"] != NONE or account["state"] != IN_ROWS or is_known:
            account["idle"] = 0
        elif account["idle"] < gone_days:
            account["idle"] += 1
        gone += account["idle"] >= gone_days
    return gone


@compiled
def move_accounts(  # noqa: PLR0913, PLR0917 - a kernel has its arrays one by one
    numbers: Ints,
    accounts: Table,
    texts: Bytes,
    segments: Table,
    is_kept: Table,
    into: Table,
    index: Table,
    into_texts: Bytes,
) -> Ints:
    """Move accounts that are kept, in order, and names of segments; return their new numbers."""
    new_numbers = np.full(numbers[ACCOUNTS_USED], NONE, np.int64)
    text_at = kept = 0
    for number in range(numbers[SEGMENTS_USED]):
        name = segments[number]
        for letter in range(name["length"]):
            into_texts[text_at + letter] = texts[name["at"] + letter]
        name["at"] = text_at
        text_at += name["length"]
    for number in range(numbers[ACCOUNTS_USED]):
        if not is_kept[number]:
            continue
        into[kept] = accounts[number]
        account = into[kept]
        for letter in range(account["id_length"]):
            into_texts[text_at + letter] = texts[account["id_at"] + letter]
        account["id_at"] = text_at
        text_at += account["id_length"]
        put_number(index, account["hash"], kept)
        new_numbers[number] = kept
        kept += 1
    numbers[ACCOUNTS_USED] = kept
    numbers[TEXTS_USED] = text_at
    return new_numbers


@compiled
def move_days(
    numbers: Ints, accounts: Table, opens: Table, days: Table, new_numbers: Ints, into: Table
) -> Ints:
    """Move the account-days that there are, once their accounts are; return their new places."""
    new_places = np.full(numbers[DAYS_USED] + 1, NONE, np.int64)  # the last one is that of none
    used = 0
    for place in range(numbers[DAYS_USED]):
        if days[place]["account"] != NONE:
            new_places[place] = used
            used += 1
    for place in range(numbers[DAYS_USED]):
        if days[place]["account"] != NONE:
            into[new_places[place]] = days[place]
            row = into[new_places[place]]
            row["account"] = new_numbers[row["account"]]
            row["next"] = new_places[row["next"]]
            row["after"] = new_places[row["after"]]
            row["before"] = new_places[row["before"]]
    for number in range(numbers[ACCOUNTS_USED]):
        accounts[number]["head"] = new_places[accounts[number]["head"]]
    for held in range(numbers[OPENS_USED]):
        opens[held]["first"] = new_places[opens[held]["first"]]
        opens[held]["last"] = new_places[opens[held]["last"]]
    numbers[DAYS_USED] = used
    numbers[DAYS_FREE] = NONE
    numbers[FREE_DAYS] = 0
    return new_places


def with_room(arrays: Arrays, text: int = 0) -> Arrays:
    """Return arrays with room for as many records again as a short run has, and for a text."""
    numbers = arrays.numbers
    more: dict[str, Any] = {}
    used = int(numbers[layout.ACCOUNTS_USED])
    if used + layout.SPARE > arrays.accounts.size:
        accounts = more["accounts"] = longer(arrays.accounts, used + layout.SPARE)
        index = more["index"] = np.zeros(1 << (2 * accounts.size - 1).bit_length(), np.int32)
        tables.reindex(index, accounts, used)
    if numbers[layout.TEXTS_USED] + layout.SPARE_TEXTS + text > arrays.texts.size:
        needed = int(numbers[layout.TEXTS_USED]) + layout.SPARE_TEXTS + text
        more["texts"] = longer(arrays.texts, needed)
    days = int(numbers[layout.DAYS_USED] - numbers[layout.FREE_DAYS])
    if days + layout.SPARE > arrays.days.size:
        more["days"] = longer(arrays.days, days + layout.SPARE)
    facts = int(numbers[layout.FACTS_USED] - numbers[layout.FREE_FACTS])
    if facts + layout.SPARE > arrays.facts.size:
        more["facts"] = longer(arrays.facts, facts + layout.SPARE)
    further = int(numbers[layout.MORE_USED] - numbers[layout.FREE_MORE])
    if further + layout.SPARE > arrays.more.size:
        more["more"] = longer(arrays.more, further + layout.SPARE)
    if numbers[layout.ENTRIES_USED] + layout.SPARE > arrays.entries.size:
        more["entries"] = longer(arrays.entries, int(numbers[layout.ENTRIES_USED]) + layout.SPARE)
    texts = int(numbers[layout.ENTRY_TEXTS_USED]) + layout.ID_KEPT_MAX * layout.SPARE
    if texts > arrays.entry_texts.size:
        more["entry_texts"] = longer(arrays.entry_texts, texts)
    if numbers[layout.IDS_USED] + layout.SPARE > arrays.ids.size * 3 // 5:
        more["ids"] = ids_moved(arrays, 0)
    return arrays._replace(**more) if more else arrays


def with_room_for(arrays: Arrays, accounts: int, text: int) -> Arrays:
    """Return arrays with room for so many accounts more, with an account-day each, and for text."""
    numbers = arrays.numbers
    more: dict[str, Any] = {}
    used = int(numbers[layout.ACCOUNTS_USED])
    if used + accounts + layout.SPARE > arrays.accounts.size:
        more["accounts"] = longer(arrays.accounts, used + accounts + layout.SPARE)
    days = int(numbers[layout.DAYS_USED] - numbers[layout.FREE_DAYS])
    if days + accounts + layout.SPARE > arrays.days.size:
        more["days"] = longer(arrays.days, days + accounts + layout.SPARE)
    if numbers[layout.TEXTS_USED] + layout.SPARE_TEXTS + text > arrays.texts.size:
        needed = int(numbers[layout.TEXTS_USED]) + layout.SPARE_TEXTS + text
        more["texts"] = longer(arrays.texts, needed)
    if "accounts" in more:
        more["index"] = index = np.zeros(
            1 << (2 * more["accounts"].size - 1).bit_length(), np.int32
        )
        tables.reindex(index, more["accounts"], used)
    return arrays._replace(**more) if more else arrays


def dealt(arrays: Arrays, buckets: int) -> Arrays:
    """Return the arrays with the accounts in so many buckets, which must be written then."""
    arrays = arrays._replace(bucket_dirty=np.zeros(buckets, np.uint8))
    tables.deal(arrays.numbers, arrays.accounts, arrays.texts, arrays.bucket_dirty)
    return arrays


def ids_moved(arrays: Arrays, least: int) -> Table:
    """Return the ids of open days in a table with room for as many again, or for some."""
    numbers = arrays.numbers
    first_day = int(arrays.opens[0]["day"]) if numbers[layout.OPENS_USED] else 1 << 31
    held = int(np.count_nonzero(arrays.ids["day"] >= max(first_day, 1)))
    table = np.zeros(1 << (max(2 * (held + layout.SPARE), least) * 5 // 3).bit_length(), layout.IDS)
    numbers[layout.IDS_USED] = tables.move_ids(arrays.ids, table, first_day)
    return table


def taller(array: Table, filled: int) -> Table:
    """Return an array with twice the rows, filled with a number."""
    made = np.full((2 * array.shape[0], array.shape[1]), filled, array.dtype)
    made[: array.shape[0]] = array
    return made
