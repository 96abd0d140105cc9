"""The rows of accounts as the bytes that a bucket of state keeps of them.

It is msgpack, and what `streams/state/accounts.py` writes of the same accounts as objects.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import borrowed, compiled
from monitor.core.account import Told
from monitor.core.attributes import Attributes
from monitor.core.currency import CURRENCIES
from monitor.ledger.ledger import NO_ROWS, KeptRows
from monitor.ordinary.layout import ACCOUNTS_USED, NEVER, NONE, Arrays, Table
from monitor.ordinary.packing import (
    HEAD_BYTES,
    NIL,
    NUMBER_BYTES,
    put_array_head,
    put_bytes,
    put_number,
    put_text,
)

FIELDS = 8
"""Of an account-day: day, segment, since when it is named, totals, told, peer group, branch,
product. Branch and product are the tail of its own."""

FIGURES = 4
CODE_BYTES = 3
MAP, TEXT, ARRAY = 0x80, 0xA0, 0x90
"""As the heads of a short map, text and array."""

PEER_BYTES = 32
"""Of the name of a peer group, at most."""

DAY_BYTES = 8 + PEER_BYTES + CODE_BYTES + HEAD_BYTES + (2 + FIGURES) * NUMBER_BYTES
"""Of an account-day at most, beside its segment and its tail."""

_CODES: Final = np.frombuffer("".join(sorted(CURRENCIES)).encode(), np.uint8)
_encode: Final = msgspec.msgpack.Encoder().encode


def tail_of(attributes: Attributes) -> bytes:
    """Return what ends each account-day of an account that has these attributes."""
    return _encode(attributes.branch) + _encode(attributes.product)


def kept_names(names: Sequence[str | None]) -> Bytes:
    """Return short names as state keeps them: a row each, how many bytes it has and these."""
    rows = np.zeros((len(names), PEER_BYTES + 1), np.uint8)
    for row, name in zip(rows, names, strict=True):
        data = _encode(name)
        row[0] = len(data)
        row[1 : 1 + len(data)] = np.frombuffer(data, np.uint8)
    return rows


class ToldTexts(NamedTuple):
    """What was told of account-days, as state keeps it: those in rows, by their places in order.

    `ends` has the end of each in `texts`, and a 0 before the first.
    """

    places: Ints
    ends: Ints
    texts: Bytes


def told_texts(told: Mapping[int, Mapping[str, Told]]) -> ToldTexts:
    """Return what was told of account-days, given by their places."""
    places = sorted(told)
    texts = [_encode(dict(told[place])) for place in places]
    return ToldTexts(
        np.array(places, np.int64),
        np.cumsum([0, *map(len, texts)]),
        np.frombuffer(b"".join(texts), np.uint8),
    )


@compiled
def _told_at(told: ToldTexts, place: int) -> tuple[int, int]:
    """Return where in its texts stands what was told of an account-day, and how long it is."""
    number = np.searchsorted(told.places, place)
    return int(told.ends[number]), int(told.ends[number + 1] - told.ends[number])


@compiled
def _put_day(  # noqa: PLR0913, PLR0917 - a kernel has its arrays one by one
    into: Bytes,
    at: int,
    days: Table,
    day_place: int,
    texts: Bytes,
    segments: Table,
    tail: Table,
    codes: Bytes,
    peers: Bytes,
    told: ToldTexts,
) -> int:
    """Write an account-day; return the place behind."""
    row = days[day_place]
    into[at] = ARRAY | FIELDS
    at = put_number(into, at + 1, int(row["day"]))
    if row["segment"] == NONE:
        into[at] = NIL
        at += 1
    else:
        name = segments[row["segment"]]
        at = put_text(into, at, texts, int(name["at"]), int(name["length"]))
    if row["segment_time"] == NEVER:
        into[at] = NIL
        at += 1
    else:
        at = put_number(into, at, int(row["segment_time"]))
    into[at] = MAP | 1
    into[at + 1] = TEXT | CODE_BYTES
    at = put_bytes(into, at + 2, codes, CODE_BYTES * int(row["currency"]), CODE_BYTES)
    into[at] = ARRAY | FIGURES
    at += 1
    for place in range(FIGURES):
        at = put_number(into, at, int(row["totals"][place]))
    if row["told"]:
        told_at, length = _told_at(told, day_place)
        at = put_bytes(into, at, told.texts, told_at, length)
    else:
        into[at] = MAP
        at += 1
    peer = peers[row["peer"]]
    at = put_bytes(into, at, peer, 1, int(peer[0]))
    return put_bytes(into, at, texts, int(tail["at"]), int(tail["length"]))


@compiled
def _room(
    account: Table, days: Table, segments: Table, tail: Table, told: ToldTexts
) -> tuple[int, int]:
    """Return how many account-days an account has, and the bytes that they take at most."""
    size = 1 + 2 * HEAD_BYTES + int(account["id_length"])
    count = 0
    place = int(account["head"])
    while place != NONE:
        row = days[place]
        size += DAY_BYTES + tail["length"]
        if row["segment"] != NONE:
            size += segments[row["segment"]]["length"]
        if row["told"]:
            size += _told_at(told, place)[1]
        count += 1
        place = int(row["next"])
    return count, size


@compiled
def packed_rows(  # noqa: PLR0913, PLR0917 - as above
    accounts: Table,
    days: Table,
    texts: Bytes,
    segments: Table,
    own_tails: Table,
    codes: Bytes,
    peers: Bytes,
    told: ToldTexts,
    numbers: Table,
    count: int,
) -> tuple[Bytes, Ints, Ints, Ints]:
    """Return the accounts of some buckets: where those of each begin and end, and how many.

    `numbers` has for each bucket its number among these, or -1. It goes over all accounts in order
    and not bucket by bucket: their rows are side by side then.
    """
    accounts, days, texts = borrowed(accounts), borrowed(days), borrowed(texts)
    segments, own_tails, codes = borrowed(segments), borrowed(own_tails), borrowed(codes)
    peers = borrowed(peers)
    begins = np.zeros(count + 1, np.int64)
    counts = np.zeros(count, np.int64)
    days_max = 0
    for account in accounts:
        number = numbers[account["bucket"]]
        if number == NONE or account["head"] == NONE:
            continue
        of_account, size = _room(account, days, segments, own_tails[max(account["own"], 0)], told)
        begins[number + 1] += size
        counts[number] += 1
        days_max = max(days_max, of_account)
    for number in range(count):
        begins[number + 1] += begins[number]
    made = np.empty(begins[count], np.uint8)
    into = borrowed(made)
    ends = begins[:count].copy()
    places = np.empty(days_max, np.int64)
    for account in accounts:
        number = numbers[account["bucket"]]
        if number == NONE or account["head"] == NONE:
            continue
        of_account = 0
        place = int(account["head"])
        while place != NONE:
            places[of_account] = place
            of_account += 1
            place = int(days[place]["next"])
        at = ends[number]
        into[at] = ARRAY | 2
        at = put_text(into, at + 1, texts, int(account["id_at"]), int(account["id_length"]))
        at = put_array_head(into, at, of_account)
        tail = own_tails[max(account["own"], 0)]
        for earlier in range(of_account - 1, -1, -1):
            at = _put_day(
                into, at, days, places[earlier], texts, segments, tail, codes, peers, told
            )
        ends[number] = at
    return made, begins[:count], ends, counts


def kept_rows(
    arrays: Arrays,
    peers: Bytes,
    told: Mapping[int, Mapping[str, Told]],
    buckets: Sequence[int],
) -> list[KeptRows]:
    """Return the accounts in rows of some buckets, in the order of these.

    `peers` has the names of peer groups, as `kept_names` gives them.
    """
    numbers = np.full(arrays.bucket_dirty.size, NONE, np.int32)
    numbers[list(buckets)] = np.arange(len(buckets))
    data, begins, ends, counts = packed_rows(
        arrays.accounts[: arrays.numbers[ACCOUNTS_USED]],
        arrays.days,
        arrays.texts,
        arrays.segments,
        arrays.own_tails,
        _CODES,
        peers,
        told_texts(told),
        numbers,
        len(buckets),
    )
    view = data.data
    return [
        KeptRows(count, view[begin:end]) if count else NO_ROWS
        for begin, end, count in zip(begins.tolist(), ends.tolist(), counts.tolist(), strict=True)
    ]
