"""Puts accounts and ids of transactions back into rows, from the bytes that state kept of them.

Who wrote the bytes is not proven, so a kernel reads them as far as their end, and believes a field
only once it has seen that it is one that a row can have. An account or a chunk of which it does not
believe everything is left to Python, which makes objects of it.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import borrowed, compiled
from monitor.core.attributes import NO_ATTRIBUTES
from monitor.ordinary import room
from monitor.ordinary.accounts import OrdinaryAccounts
from monitor.ordinary.kept import CODE_BYTES, FIELDS, FIGURES
from monitor.ordinary.layout import (
    ACCOUNTS_USED,
    CURRENCY_CODES,
    DAYS_USED,
    FREE_DAYS,
    IDS_USED,
    IN_ROWS,
    NEVER,
    NONE,
    OPENS_USED,
    SEGMENTS_USED,
    SPARE,
    TEXTS_USED,
    TOTAL_MAX,
    Arrays,
)
from monitor.ordinary.ledger import OrdinaryLedger
from monitor.ordinary.packing import (
    ASCII_LAST,
    BROKEN,
    NIL,
    SHORT_ARRAY,
    SHORT_MAP,
    SHORT_TEXT,
    read_array_head,
    read_number,
    read_text_head,
    skip_text,
    skip_value,
)
from monitor.ordinary.restored_ids import KeptIds, restore_ids
from monitor.ordinary.tables import (
    is_same,
    kind_key,
    known_or_new,
    place_of_kind,
    put_day,
    segment_of,
)

TEXT_MAX = 256
"""Bytes of an account's id in rows."""

(
    OPEN_PLACE,
    DAY_SEGMENT,
    DAY_SEGMENT_TIME,
    DAY_CURRENCY,
    DAY_KIND,
    DAY_TOTALS,
) = range(6)
DRAFT_FIELDS = DAY_TOTALS + FIGURES
"""An account-day as it was read, before it is put into a row."""

AT, DONE, ODD, LEARN_DAY, LEARN_SEGMENT, LEARN_OWN, LEARN_AT, LEARN_LENGTH = range(8)
"""Places of `cursor`: where the next account stands, how many are done, how many of them Python is
to put back; and what Python is to say first."""

END, ROOM, DAY, SEGMENT, KIND = range(5)
"""Why the kernel stopped: all accounts are done; there may be no room; a business day is not open
yet; a segment has no number; a kind of limits is met first."""

READ, LEFT, TO_LEARN = range(3)
"""Of an account: its draft is whole; Python is to put it back; Python is to say something first."""

DAY_END: Final = date(3001, 1, 1).toordinal()
"""No event time that is read is of a business day from this one on: kept, it is a damaged one."""

_CODES: Final = np.array([int.from_bytes(code.encode()) for code in CURRENCY_CODES], np.int64)
assert (np.diff(_CODES) > 0).all(), "they are looked up by halves"


@compiled
def _read_totals(data: Bytes, at: int, end: int, codes: Ints, draft: Ints) -> int:
    """Read totals in one currency; return the place behind, -1 if a row cannot have them."""
    if (
        at == BROKEN
        or at + 2 + CODE_BYTES > end
        or data[at] != SHORT_MAP | 1
        or data[at + 1] != SHORT_TEXT | CODE_BYTES
    ):
        return BROKEN
    code = 0
    for place in range(at + 2, at + 2 + CODE_BYTES):
        code = code << 8 | int(data[place])
    number = np.searchsorted(codes, code)
    if number == codes.size or codes[number] != code:
        return BROKEN
    draft[DAY_CURRENCY] = number
    count, at = read_array_head(data, at + 2 + CODE_BYTES, end)
    if count != FIGURES:
        return BROKEN
    for figure in range(FIGURES):
        value, at = read_number(data, at, end)
        if at == BROKEN or not 0 <= value < TOTAL_MAX:
            return BROKEN
        draft[DAY_TOTALS + figure] = value
    return at


@compiled
def _read_day(  # noqa: C901, PLR0911, PLR0912, PLR0913, PLR0917 - field by field, with its arrays one by one
    arrays: Arrays,
    data: Bytes,
    at: int,
    end: int,
    own: int,
    day_first: int,
    codes: Ints,
    draft: Ints,
    cursor: Ints,
) -> tuple[int, int]:
    """Read an account-day; return what it is, and why Python is to say something or where it ends.

    It ends before `end`: all fields have been found to be values.
    """
    if data[at] != SHORT_ARRAY | FIELDS:
        return LEFT, 0
    day, at = read_number(data, at + 1, end)
    if at == BROKEN or not day_first <= day < DAY_END:
        return LEFT, 0
    place = NONE
    for held in range(arrays.numbers[OPENS_USED]):
        if arrays.opens[held]["day"] == day:
            place = held
    segment_at = at
    at = skip_text(data, at, end)
    if at == BROKEN:
        return LEFT, 0
    time_at, segment_time = at, NEVER
    if data[at] == NIL:
        at += 1
    else:
        segment_time, at = read_number(data, at, end)
    at = _read_totals(data, at, end, codes, draft)
    # Nothing told, no peer group, and then its branch and its product.
    if at == BROKEN or at + 2 > end or data[at] != SHORT_MAP or data[at + 1] != NIL:
        return LEFT, 0
    tail_at = at + 2
    at = skip_text(data, skip_text(data, tail_at, end), end)
    tail = arrays.own_tails[own]
    length = int(tail["length"])
    if at != tail_at + length or not is_same(data, tail_at, arrays.texts, int(tail["at"]), length):
        return LEFT, 0
    segment = NONE
    if data[segment_at] != NIL:
        length, begin = read_text_head(data, segment_at, end)
        segment = segment_of(arrays.numbers, arrays.segments, arrays.texts, data, begin, length)
        if segment == NONE:
            if arrays.numbers[SEGMENTS_USED] == arrays.segments.size:
                return LEFT, 0
            cursor[LEARN_AT], cursor[LEARN_LENGTH] = begin, length
            return TO_LEARN, SEGMENT
    is_named = data[time_at] != NIL
    if is_named and (segment == NONE or segment_time <= NEVER):
        return LEFT, 0
    if not is_named and segment != arrays.own_segment[own]:
        return LEFT, 0
    if place == NONE:
        cursor[LEARN_DAY] = day
        return TO_LEARN, DAY
    key = kind_key(int(arrays.opens[place]["terms"]), segment, own, 0)
    kind_at = place_of_kind(arrays.kind_keys, key)
    if arrays.kind_keys[kind_at] == 0:
        cursor[LEARN_DAY], cursor[LEARN_SEGMENT], cursor[LEARN_OWN] = day, segment, own
        return TO_LEARN, KIND
    draft[OPEN_PLACE], draft[DAY_SEGMENT], draft[DAY_SEGMENT_TIME] = place, segment, segment_time
    draft[DAY_KIND] = arrays.kind_of[kind_at]
    return READ, at


@compiled
def _read_account(  # noqa: C901, PLR0913, PLR0917 - as above
    arrays: Arrays,
    data: Bytes,
    at: int,
    end: int,
    own: int,
    day_first: int,
    codes: Ints,
    drafts: Ints,
    cursor: Ints,
) -> tuple[int, int, int, int]:
    """Read an account; return what it is, why Python is to say something or how many days it has.

    And its id: where it begins, and its bytes.
    """
    length, id_at = read_text_head(data, at + 1, end)
    if data[at] != SHORT_ARRAY | 2 or id_at == BROKEN or not 0 < length <= TEXT_MAX or own < 0:
        return LEFT, 0, 0, 0
    for place in range(id_at, id_at + length):
        if data[place] > ASCII_LAST:
            return LEFT, 0, 0, 0
    count, at = read_array_head(data, id_at + length, end)
    if at == BROKEN or not 0 < count <= drafts.shape[0]:
        return LEFT, 0, 0, 0
    for number in range(count):
        if at >= end:
            return LEFT, 0, 0, 0
        what, more = _read_day(arrays, data, at, end, own, day_first, codes, drafts[number], cursor)
        if what != READ:
            return what, more, 0, 0
        for earlier in range(number):
            if drafts[earlier, OPEN_PLACE] == drafts[number, OPEN_PLACE]:
                return LEFT, 0, 0, 0
        at = more
    if at != end:
        return LEFT, 0, 0, 0
    return READ, count, id_at, length


@compiled
def restore_accounts(  # noqa: PLR0913, PLR0917 - as above
    arrays: Arrays,
    data: Bytes,
    count: int,
    bucket: int,
    day_first: int,
    owns: Ints,
    codes: Ints,
    drafts: Ints,
    odd: Ints,
    cursor: Ints,
) -> int:
    """Put accounts of a bucket into rows, from where `cursor` is on; return why it stopped.

    All are whole values, which `begins_of_fields` has seen. `owns` has the number
    of what tells each one's limits apart, -1 if Python is to put it back; it is empty if nothing
    does. `odd` gets where those begin and end that are left to Python.
    """
    arrays = Arrays(  # each is handed on to other kernels for every account and day
        borrowed(arrays.numbers),
        borrowed(arrays.accounts),
        borrowed(arrays.index),
        borrowed(arrays.texts),
        borrowed(arrays.bucket_dirty),
        borrowed(arrays.days),
        borrowed(arrays.facts),
        borrowed(arrays.more),
        borrowed(arrays.opens),
        borrowed(arrays.ids),
        borrowed(arrays.segments),
        borrowed(arrays.own_segment),
        borrowed(arrays.own_tails),
        borrowed(arrays.kind_keys),
        borrowed(arrays.kind_of),
        borrowed(arrays.watch_at),
        borrowed(arrays.watch_count),
        borrowed(arrays.watches),
        borrowed(arrays.round_minor),
        borrowed(arrays.peers),
        borrowed(arrays.entries),
        borrowed(arrays.entry_texts),
        borrowed(arrays.in_python),
    )
    data, codes, drafts, cursor = (
        borrowed(data),
        borrowed(codes),
        borrowed(drafts),
        borrowed(cursor),
    )
    numbers, accounts, days = arrays.numbers, arrays.accounts, arrays.days
    while cursor[DONE] < count:
        at = int(cursor[AT])
        end = skip_value(data, at, data.size)
        own = int(owns[cursor[DONE]]) if owns.size else 0
        number = NONE
        what, more, id_at, length = _read_account(
            arrays, data, at, end, own, day_first, codes, drafts, cursor
        )
        if what == TO_LEARN:
            return more
        if what == READ:
            if (
                accounts.size - numbers[ACCOUNTS_USED] < 1
                or arrays.index.size // 2 - numbers[ACCOUNTS_USED] < 1
                or days.size - numbers[DAYS_USED] + numbers[FREE_DAYS] < more
                or arrays.texts.size - numbers[TEXTS_USED] < length
            ):
                return ROOM
            number = known_or_new(
                numbers,
                accounts,
                arrays.index,
                arrays.texts,
                arrays.bucket_dirty.size,
                data,
                id_at,
                length,
            )
            account = accounts[number]
            if (
                account["bucket"] != bucket
                or account["head"] != NONE
                or account["state"] != IN_ROWS
            ):
                what = LEFT  # it is not of this bucket, or comes twice
        if what == READ:
            for day in range(more):
                draft = drafts[day]
                put_day(
                    numbers,
                    accounts,
                    days,
                    arrays.opens,
                    number,
                    own,
                    int(draft[OPEN_PLACE]),
                    int(draft[DAY_KIND]),
                    int(draft[DAY_SEGMENT]),
                    int(draft[DAY_SEGMENT_TIME]),
                    int(draft[DAY_CURRENCY]),
                    0,
                    0,
                    int(draft[DAY_TOTALS]),
                    int(draft[DAY_TOTALS + 1]),
                    int(draft[DAY_TOTALS + 2]),
                    int(draft[DAY_TOTALS + 3]),
                )
        else:
            odd[cursor[ODD], 0], odd[cursor[ODD], 1] = at, end
            cursor[ODD] += 1
        cursor[AT] = end
        cursor[DONE] += 1
    return END


@compiled
def ids_of_accounts(data: Bytes, at: int, count: int) -> Ints:
    """Return where each account's id begins and ends; both are 0 if it has none that is short."""
    spans = np.zeros((count, 2), np.int64)
    for number in range(count):
        end = skip_value(data, at, data.size)
        length, id_at = read_text_head(data, at + 1, end)
        if id_at != BROKEN and length <= TEXT_MAX:
            spans[number, 0], spans[number, 1] = id_at, id_at + length
        at = end
    return spans


class KeptAccounts(NamedTuple):
    """The accounts of a bucket as bytes: they are from a place of `data` to its end."""

    bucket: int
    data: Bytes
    at: int
    size: int


class RowsRestored:
    """Puts what state kept into the rows of a ledger that has nothing yet."""

    def __init__(self, ledger: OrdinaryLedger) -> None:
        self._ledger = ledger
        self._ordinary: OrdinaryAccounts = ledger.begin_rows()
        self._drafts = np.zeros((SPARE, DRAFT_FIELDS), np.int64)

    def make_room(self, buckets: Iterable[KeptAccounts]) -> None:
        """See that there is room for the accounts of some buckets, so that it is made once."""
        accounts = size = 0
        for kept in buckets:
            accounts += kept.size
            size += kept.data.size
        self._ordinary.arrays = room.with_room_for(self._ordinary.arrays, accounts, size // 4)

    def accounts(self, kept: KeptAccounts) -> list[tuple[int, int]]:
        """Put a bucket's accounts into rows; return where those stand that are left to Python."""
        odd = np.zeros((kept.size, 2), np.int64)
        cursor = np.zeros(8, np.int64)
        cursor[AT] = kept.at
        owns = self._owns(kept)
        ordinary, day_first = self._ordinary, self._ledger.day_open_first or 0
        while True:
            why = restore_accounts(
                ordinary.arrays,
                kept.data,
                kept.size,
                kept.bucket,
                day_first,
                owns,
                _CODES,
                self._drafts,
                odd,
                cursor,
            )
            if why == END:
                break
            self._learn(why, kept.data, cursor)
        return [(begin, end) for begin, end in odd[: cursor[ODD]].tolist()]

    def _learn(self, why: int, data: Bytes, cursor: Ints) -> None:
        ledger, ordinary = self._ledger, self._ordinary
        _, _, _, day, segment, own, at, length = cursor.tolist()
        if why == ROOM:
            ordinary.make_room()
        elif why == DAY:
            assert ledger.open_day(day) is not None, "it is not before the first open one"
        elif why == SEGMENT:
            ordinary.segment_number(data[at : at + length].tobytes().decode())
        else:
            ordinary.kind_of(ledger.open_days[day], segment, own, 0)

    def _owns(self, kept: KeptAccounts) -> Ints:
        """Return what tells the limits of each account apart, as it is known now."""
        ledger, ordinary = self._ledger, self._ordinary
        if not ledger.asks_own:
            return np.empty(0, np.int64)
        known, text = ledger.attributes.known, kept.data.tobytes()
        owns = []
        for begin, end in ids_of_accounts(kept.data, kept.at, kept.size).tolist():
            account_id = text[begin:end].decode(errors="replace")
            if not account_id or ledger.own_id(account_id) is not None:
                owns.append(NONE)
                continue
            own = ordinary.own_of(known.get(account_id, NO_ATTRIBUTES), None)
            owns.append(NONE if own is None else own)
        return np.array(owns, np.int64)

    def make_room_for_ids(self, count: int) -> None:
        """See that there is room for so many ids more."""
        arrays = self._ordinary.arrays
        needed = int(arrays.numbers[IDS_USED]) + count
        if needed >= arrays.ids.size * 3 // 5:
            self._ordinary.arrays = arrays._replace(ids=room.ids_moved(arrays, needed + SPARE))

    def ids(self, kept: KeptIds, offset_last: int) -> list[int] | None:
        """Put the ids of a journal chunk; return the places of those that Python is to put.

        None if it is to put them all. Beyond `offset_last` only those count whose bucket has them.
        """
        ledger, ordinary = self._ledger, self._ordinary
        is_open = kept.day in ledger.open_days
        if ledger.open_day(kept.day) is None:
            return []
        ordinary.ids.write()
        self.make_room_for_ids(kept.size)
        arrays = ordinary.arrays
        left = np.empty(kept.size, np.int64)
        new, lefts = restore_ids(
            arrays.numbers,
            arrays.ids,
            kept.data,
            kept.begins,
            kept.day,
            kept.first_offset,
            kept.series,
            kept.reversing,
            offset_last,
            np.array([bucket.offset_last for bucket in ledger.buckets], np.int64),
            left,
        )
        ordinary.ids.changed()
        arrays.opens["ids"][arrays.opens["day"] == kept.day] += new
        if not is_open and not new:
            ledger.forget_open_day(kept.day)  # nothing of it counts; Python opens it, if anybody
        if lefts == BROKEN:
            return None
        places: list[int] = left[:lefts].tolist()
        return places
