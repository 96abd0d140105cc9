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
from monitor.core.review import PAYEES_MAX
from monitor.ledger.ledger import NO_ROWS, KeptRows
from monitor.ordinary.layout import ACCOUNTS_USED, MORE_MAX, NEVER, NONE, Arrays, Table
from monitor.ordinary.layout import FIGURES as TOTALS_FIGURES
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
"""Of an account-day at most, beside its segment, its tail and its further currencies."""

MORE_BYTES = MORE_MAX * (2 + CODE_BYTES + FIGURES * NUMBER_BYTES)
"""Of its further currencies, at most."""

FACTS = 6
"""Of the facts of an account-day: payees, what each was paid, and four sums."""

FACTS_BYTES = 1 + 2 * HEAD_BYTES + (2 * PAYEES_MAX + 4) * NUMBER_BYTES
"""Of them, at most."""

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


class KeptTexts(NamedTuple):
    """What state keeps of some rows, by their places in order.

    `ends` has the end of each in `texts`, and a 0 before the first.
    """

    places: Ints
    ends: Ints
    texts: Bytes


def kept_texts(kept: Mapping[int, bytes]) -> KeptTexts:
    """Return texts by their places."""
    places = sorted(kept)
    texts = [kept[place] for place in places]
    return KeptTexts(
        np.array(places, np.int64),
        np.cumsum([0, *map(len, texts)]),
        np.frombuffer(b"".join(texts), np.uint8),
    )


@compiled
def _text_at(kept: KeptTexts, place: int) -> tuple[int, int]:
    """Return where the text of a row stands, and how long it is."""
    number = np.searchsorted(kept.places, place)
    return int(kept.ends[number]), int(kept.ends[number + 1] - kept.ends[number])


@compiled
def _put_facts(into: Bytes, at: int, facts: Table) -> int:
    """Write the facts of an account-day; return the place behind."""
    used = int(facts["used"])
    into[at] = ARRAY | FACTS
    at = put_array_head(into, at + 1, used)
    for place in range(used):
        at = put_number(into, at, int(facts["payees"][place]))
    at = put_array_head(into, at, used)
    for place in range(used):
        at = put_number(into, at, int(facts["paid"][place]))
    at = put_number(into, at, int(facts["others"]))
    at = put_number(into, at, int(facts["unnamed"]))
    at = put_number(into, at, int(facts["amounts"]))
    return put_number(into, at, int(facts["round"]))


@compiled
def _put_totals(into: Bytes, at: int, codes: Bytes, currency: int, totals: Ints, begin: int) -> int:
    """Write the totals in a currency, from a place on; return the place behind."""
    into[at] = TEXT | CODE_BYTES
    at = put_bytes(into, at + 1, codes, CODE_BYTES * currency, CODE_BYTES)
    into[at] = ARRAY | FIGURES
    at += 1
    for place in range(begin, begin + FIGURES):
        at = put_number(into, at, int(totals[place]))
    return at


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
    facts: Table,
    more: Table,
    told: KeptTexts,
) -> int:
    """Write an account-day; return the place behind."""
    row = days[day_place]
    has_facts = row["facts"] != NONE
    into[at] = ARRAY | (FIELDS + 1 if has_facts else FIELDS)
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
    further = 0
    if row["more"] != NONE:
        further = int(more[row["more"]]["used"])
    into[at] = MAP | (1 + further)
    at = _put_totals(into, at + 1, codes, int(row["currency"]), row["totals"], 0)
    for place in range(further):
        held = more[row["more"]]
        begin = TOTALS_FIGURES * place
        at = _put_totals(into, at, codes, int(held["currency"][place]), held["totals"], begin)
    if row["told"]:
        told_at, length = _text_at(told, day_place)
        at = put_bytes(into, at, told.texts, told_at, length)
    else:
        into[at] = MAP
        at += 1
    peer = peers[row["peer"]]
    at = put_bytes(into, at, peer, 1, int(peer[0]))
    at = put_bytes(into, at, texts, int(tail["at"]), int(tail["length"]))
    return _put_facts(into, at, facts[row["facts"]]) if has_facts else at


@compiled
def _room(  # noqa: PLR0913, PLR0917 - as above
    account: Table,
    number: int,
    days: Table,
    segments: Table,
    tail: Table,
    told: KeptTexts,
    reviews: KeptTexts,
) -> tuple[int, int]:
    """Return how many account-days an account has, and the bytes that they take at most."""
    size = 1 + 2 * HEAD_BYTES + int(account["id_length"])
    if account["rests"] != 0:
        size += _text_at(reviews, number)[1]
    count = 0
    place = int(account["head"])
    while place != NONE:
        row = days[place]
        size += DAY_BYTES + tail["length"]
        if row["segment"] != NONE:
            size += segments[row["segment"]]["length"]
        if row["facts"] != NONE:
            size += FACTS_BYTES
        if row["more"] != NONE:
            size += MORE_BYTES
        if row["told"]:
            size += _text_at(told, place)[1]
        count += 1
        place = int(row["next"])
    return count, size


@compiled
def packed_rows(  # noqa: PLR0913, PLR0915, PLR0917 - as above
    accounts: Table,
    days: Table,
    texts: Bytes,
    segments: Table,
    own_tails: Table,
    codes: Bytes,
    peers: Bytes,
    facts: Table,
    more: Table,
    told: KeptTexts,
    reviews: KeptTexts,
    numbers: Table,
    count: int,
) -> tuple[Bytes, Ints, Ints, Ints]:
    """Return the accounts of some buckets: where those of each begin and end, and how many.

    `numbers` has for each bucket its number among these, or -1. It goes over all accounts in order
    and not bucket by bucket: their rows are side by side then.
    """
    accounts, days, texts = borrowed(accounts), borrowed(days), borrowed(texts)
    segments, own_tails, codes = borrowed(segments), borrowed(own_tails), borrowed(codes)
    peers, facts, more = borrowed(peers), borrowed(facts), borrowed(more)
    begins = np.zeros(count + 1, np.int64)
    counts = np.zeros(count, np.int64)
    days_max = 0
    for account_number in range(accounts.size):
        account = accounts[account_number]
        number = numbers[account["bucket"]]
        if number == NONE or (account["head"] == NONE and account["rests"] == 0):
            continue
        tail = own_tails[max(account["own"], 0)]
        of_account, size = _room(account, account_number, days, segments, tail, told, reviews)
        begins[number + 1] += size
        counts[number] += 1
        days_max = max(days_max, of_account)
    for number in range(count):
        begins[number + 1] += begins[number]
    made = np.empty(begins[count], np.uint8)
    into = borrowed(made)
    ends = begins[:count].copy()
    places = np.empty(days_max, np.int64)
    for account_number in range(accounts.size):
        account = accounts[account_number]
        number = numbers[account["bucket"]]
        if number == NONE or (account["head"] == NONE and account["rests"] == 0):
            continue
        of_account = 0
        place = int(account["head"])
        while place != NONE:
            places[of_account] = place
            of_account += 1
            place = int(days[place]["next"])
        at = ends[number]
        into[at] = ARRAY | (2 if account["rests"] == 0 else 3)
        at = put_text(into, at + 1, texts, int(account["id_at"]), int(account["id_length"]))
        at = put_array_head(into, at, of_account)
        tail = own_tails[max(account["own"], 0)]
        for earlier in range(of_account - 1, -1, -1):
            at = _put_day(
                into,
                at,
                days,
                places[earlier],
                texts,
                segments,
                tail,
                codes,
                peers,
                facts,
                more,
                told,
            )
        if account["rests"] != 0:
            text_at, length = _text_at(reviews, account_number)
            at = put_bytes(into, at, reviews.texts, text_at, length)
        ends[number] = at
    return made, begins[:count], ends, counts


def kept_rows(
    arrays: Arrays,
    peers: Bytes,
    told: Mapping[int, Mapping[str, Told]],
    reviews: Mapping[int, bytes],
    buckets: Sequence[int],
) -> list[KeptRows]:
    """Return the accounts in rows of some buckets, in the order of these.

    `peers` has the names of peer groups, as `kept_names` gives them, `told` what was told of
    account-days by their places, and `reviews` those of accounts by their numbers.
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
        arrays.facts,
        arrays.more,
        kept_texts({place: _encode(dict(of_day)) for place, of_day in told.items()}),
        kept_texts(reviews),
        numbers,
        len(buckets),
    )
    view = data.data
    return [
        KeptRows(count, view[begin:end]) if count else NO_ROWS
        for begin, end, count in zip(begins.tolist(), ends.tolist(), counts.tolist(), strict=True)
    ]
