"""The places of accounts, ids of transactions, segments and kinds of limits in their arrays.

The hashes by which they are found are SipHash-1-3 with 128 bits (Aumasson and Bernstein, 2012):
who has no key cannot aim at a place.
"""

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import compiled
from monitor.ordinary.layout import (
    ACCOUNTS_USED,
    DAYS_FREE,
    DAYS_USED,
    FACTS_FREE,
    FIGURES,
    FREE_DAYS,
    FREE_FACTS,
    FREE_MORE,
    IDS_USED,
    IN_ROWS,
    KEY_0,
    KEY_1,
    MORE_FREE,
    MORE_USED,
    NONE,
    OBJECT,
    OPENS_USED,
    SEGMENTS_USED,
    TEXTS_USED,
    Table,
)

U64 = np.uint64
WORD = 8


@compiled
def rotated(word: U64, bits: int) -> U64:
    """Return a word of 64 bits, turned left."""
    return (word << U64(bits)) | (word >> U64(64 - bits))


@compiled
def mixed(a: U64, b: U64, c: U64, d: U64) -> tuple[U64, U64, U64, U64]:
    """Return the state of the hash after one round."""
    a += b
    b = rotated(b, 13) ^ a
    a = rotated(a, 32)
    c += d
    d = rotated(d, 16) ^ c
    a += d
    d = rotated(d, 21) ^ a
    c += b
    b = rotated(b, 17) ^ c
    c = rotated(c, 32)
    return a, b, c, d


@compiled
def word_at(data: Bytes, at: int, count: int) -> U64:
    """Return so many bytes, at most eight, as a word; the first is the lowest."""
    word = U64(0)
    for place in range(count):
        word |= U64(data[at + place]) << U64(WORD * place)
    return word


@compiled
def hash_of(data: Bytes, at: int, length: int, key_0: int, key_1: int) -> tuple[U64, U64]:
    """Return the two halves of the hash of some bytes under a key of two words."""
    low, high = U64(key_0), U64(key_1)
    a = low ^ U64(0x736F6D6570736575)
    b = high ^ U64(0x646F72616E646F6D) ^ U64(0xEE)
    c = low ^ U64(0x6C7967656E657261)
    d = high ^ U64(0x7465646279746573)
    place = 0
    while place + WORD <= length:
        word = word_at(data, at + place, WORD)
        d ^= word
        a, b, c, d = mixed(a, b, c, d)
        a ^= word
        place += WORD
    word = word_at(data, at + place, length - place) | U64(length & 0xFF) << U64(56)
    d ^= word
    a, b, c, d = mixed(a, b, c, d)
    a ^= word
    c ^= U64(0xEE)
    for _ in range(3):
        a, b, c, d = mixed(a, b, c, d)
    first = a ^ b ^ c ^ d
    b ^= U64(0xDD)
    for _ in range(3):
        a, b, c, d = mixed(a, b, c, d)
    return first, a ^ b ^ c ^ d


SEPARATOR = 0xFF
"""Between the ids of an account and a transaction: no byte of UTF-8."""

CRC_TABLE = np.zeros(256, np.uint32)
for _number in range(256):
    _rest = _number
    for _ in range(8):
        _rest = _rest >> 1 ^ (0xEDB88320 if _rest & 1 else 0)
    CRC_TABLE[_number] = _rest


@compiled
def crc32(data: Bytes, at: int, length: int) -> int:
    """Return the CRC-32 of some bytes, as `zlib.crc32` has it."""
    rest = np.uint32(0xFFFFFFFF)
    for place in range(at, at + length):
        rest = (rest >> np.uint32(8)) ^ CRC_TABLE[(rest ^ np.uint32(data[place])) & np.uint32(0xFF)]
    return int(rest ^ np.uint32(0xFFFFFFFF))


@compiled
def is_same(data: Bytes, at: int, texts: Bytes, there: int, length: int) -> bool:
    """Return whether bytes of a run are a text that is kept."""
    for place in range(length):  # noqa: SIM110 - as a kernel has it
        if data[at + place] != texts[there + place]:
            return False
    return True


@compiled
def account_of(  # noqa: PLR0913, PLR0917 - a kernel has its arrays one by one
    accounts: Table,
    index: Table,
    texts: Bytes,
    data: Bytes,
    at: int,
    length: int,
    hash_: U64,
) -> int:
    """Return the number of the account whose id stands in `data`; -1 if nobody has it."""
    mask = index.size - 1
    place = int(np.int64(hash_ & U64(mask)))
    while index[place] != 0:
        number = int(index[place]) - 1
        account = accounts[number]
        if (
            account["hash"] == hash_
            and account["id_length"] == length
            and is_same(data, at, texts, account["id_at"], length)
        ):
            return number
        place = (place + 1) & mask
    return NONE


@compiled
def put_number(index: Table, hash_: U64, number: int) -> None:
    """Put a number into an index by hash; there is room."""
    mask = index.size - 1
    place = int(np.int64(hash_ & U64(mask)))
    while index[place] != 0:
        place = (place + 1) & mask
    index[place] = number + 1


@compiled
def add_account(  # noqa: PLR0913, PLR0917 - as above
    numbers: Ints,
    accounts: Table,
    index: Table,
    texts: Bytes,
    buckets: int,
    data: Bytes,
    at: int,
    length: int,
    hash_: U64,
) -> int:
    """Return the number of an account that begins; there is room for it."""
    number = int(numbers[ACCOUNTS_USED])
    account = accounts[number]
    account["hash"] = hash_
    account["id_at"] = numbers[TEXTS_USED]
    account["id_length"] = length
    for place in range(length):
        texts[numbers[TEXTS_USED] + place] = data[at + place]
    account["bucket"] = crc32(data, at, length) % buckets
    account["model"] = NONE
    account["head"] = NONE
    account["own"] = NONE
    account["state"] = IN_ROWS
    account["rests"] = 0
    put_number(index, hash_, number)
    numbers[TEXTS_USED] += length
    numbers[ACCOUNTS_USED] += 1
    return number


@compiled
def deal(numbers: Ints, accounts: Table, texts: Bytes, bucket_dirty: Table) -> None:
    """Deal the accounts into buckets; those that hold something in rows must be written."""
    for number in range(numbers[ACCOUNTS_USED]):
        account = accounts[number]
        account["bucket"] = crc32(texts, account["id_at"], account["id_length"]) % bucket_dirty.size
        if account["head"] != NONE or account["rests"] != 0:
            bucket_dirty[account["bucket"]] = 1


@compiled
def known_or_new(  # noqa: PLR0913, PLR0917 - as above
    numbers: Ints,
    accounts: Table,
    index: Table,
    texts: Bytes,
    buckets: int,
    data: Bytes,
    at: int,
    length: int,
) -> int:
    """Return the number of an account, a new one if need be; there is room for it."""
    hash_, _ = hash_of(data, at, length, numbers[KEY_0], numbers[KEY_1])
    number = account_of(accounts, index, texts, data, at, length, hash_)
    if number == NONE:
        number = add_account(numbers, accounts, index, texts, buckets, data, at, length, hash_)
    return number


@compiled
def place_of_id(ids: Table, low: U64, high: U64) -> int:
    """Return where an id stands, or where it would."""
    mask = ids.size - 1
    place = int(np.int64(low & U64(mask)))
    while ids[place]["day"] != 0 and (ids[place]["low"] != low or ids[place]["high"] != high):
        place = (place + 1) & mask
    return place


@compiled
def put_id(numbers: Ints, ids: Table, low: U64, high: U64, day: int, content: int) -> None:
    """Put an id, or its new content; there is room for it."""
    taken = ids[place_of_id(ids, low, high)]
    if taken["day"] == 0:
        numbers[IDS_USED] += 1
    taken["low"] = low
    taken["high"] = high
    taken["day"] = day
    taken["content"] = content


@compiled
def move_ids(ids: Table, into: Table, first_day: int) -> int:
    """Put the ids from a day on into a new table; return how many they are."""
    moved = 0
    mask = into.size - 1
    for taken in ids:
        if taken["day"] >= first_day and taken["day"] != 0:
            place = int(np.int64(taken["low"] & U64(mask)))
            while into[place]["day"] != 0:
                place = (place + 1) & mask
            into[place] = taken
            moved += 1
    return moved


@compiled
def segment_of(
    numbers: Ints, segments: Table, texts: Bytes, data: Bytes, at: int, length: int
) -> int:
    """Return the number of a segment's name; -1 if it has none."""
    hash_, _ = hash_of(data, at, length, numbers[KEY_0], numbers[KEY_1])
    for number in range(numbers[SEGMENTS_USED]):
        name = segments[number]
        if (
            name["hash"] == hash_
            and name["length"] == length
            and is_same(data, at, texts, name["at"], length)
        ):
            return number
    return NONE


@compiled
def add_segment(
    numbers: Ints, segments: Table, texts: Bytes, data: Bytes, at: int, length: int
) -> int:
    """Return the number of a segment's name, which has none yet; there is room for it."""
    number = int(numbers[SEGMENTS_USED])
    name = segments[number]
    name["hash"], _ = hash_of(data, at, length, numbers[KEY_0], numbers[KEY_1])
    name["at"] = numbers[TEXTS_USED]
    name["length"] = length
    for place in range(length):
        texts[numbers[TEXTS_USED] + place] = data[at + place]
    numbers[TEXTS_USED] += length
    numbers[SEGMENTS_USED] += 1
    return number


@compiled
def kind_key(terms: int, segment: int, own: int, peer: int) -> U64:
    """Return what tells limits apart as one number, which is not 0."""
    known = U64(1) | U64(terms) << U64(1) | U64(segment + 1) << U64(18)
    return known | U64(peer) << U64(32) | U64(own) << U64(40)


@compiled
def place_of_kind(keys: Table, key: U64) -> int:
    """Return where a key stands, or where it would."""
    mask = keys.size - 1
    place: int = int(np.int64((key * U64(0x9E3779B97F4A7C15)) >> U64(32))) & mask
    while keys[place] != 0 and keys[place] != key:
        place = (place + 1) & mask
    return place


@compiled
def day_of_account(days: Table, head: int, day: int) -> int:
    """Return where an account's account-day of a business day stands; -1 if it has no such day."""
    place = head
    while place != NONE and days[place]["day"] != day:
        place = int(days[place]["next"])
    return place


@compiled
def add_day(numbers: Ints, days: Table, account: Table, number: int, open_: Table) -> int:
    """Return the place of an account-day that begins on an open day; there is room for it."""
    place = int(numbers[DAYS_FREE])
    if place == NONE:
        place = int(numbers[DAYS_USED])
        numbers[DAYS_USED] += 1
    else:
        numbers[DAYS_FREE] = days[place]["next"]
        numbers[FREE_DAYS] -= 1
    row = days[place]
    row["totals"][:] = 0
    row["account"] = number
    row["day"] = open_["day"]
    row["next"] = account["head"]
    account["head"] = place
    account["idle"] = 0
    row["facts"] = NONE
    row["more"] = NONE
    row["after"] = NONE
    row["before"] = open_["last"]
    if open_["last"] == NONE:
        open_["first"] = place
    else:
        days[open_["last"]]["after"] = place
    open_["last"] = place
    open_["account_days"] += 1
    return place


@compiled
def place_of_currency(more: Table, at: int, currency: int) -> int:
    """Return which of the further currencies of an account-day one is, or would be."""
    if at == NONE:
        return 0
    held = more[at]
    used = int(held["used"])
    for place in range(used):
        if held["currency"][place] == currency:
            return place
    return used


@compiled
def new_further(numbers: Ints, more: Table) -> int:
    """Return the place of further currencies that begin; there is room for them."""
    place = int(numbers[MORE_FREE])
    if place == NONE:
        place = int(numbers[MORE_USED])
        numbers[MORE_USED] += 1
    else:
        numbers[MORE_FREE] = more[place]["next"]
        numbers[FREE_MORE] -= 1
    more[place]["used"] = 0
    return place


@compiled
def add_to_further(  # noqa: PLR0913, PLR0917 - a kernel has its arrays one by one
    numbers: Ints, more: Table, day: Table, place: int, currency: int, count_at: int, amount: int
) -> None:
    """Add a transaction to the totals in a further currency of an account-day; there is room.

    `place` is that of the currency, below `MORE_MAX`; `count_at` that of the count to add to.
    """
    if day["more"] == NONE:
        day["more"] = new_further(numbers, more)
    held = more[day["more"]]
    if place == held["used"]:
        held["currency"][place] = currency
        for figure in range(FIGURES):
            held["totals"][FIGURES * place + figure] = 0
        held["used"] = place + 1
    held["totals"][FIGURES * place + count_at] += 1
    held["totals"][FIGURES * place + count_at + 1] += amount


@compiled
def value_of(day: Table, more: Table, watch: Table, currency: int) -> int:
    """Return what an account-day has of a limit in a currency, or of one on all currencies."""
    first, second = int(watch["first"]), int(watch["second"])
    value = 0
    if watch["is_of_all"] != 0 or day["currency"] == currency:
        value += day["totals"][first] + day["totals"][second]
    if day["more"] != NONE:
        held = more[day["more"]]
        for place in range(held["used"]):
            if watch["is_of_all"] != 0 or held["currency"][place] == currency:
                at = FIGURES * place
                value += held["totals"][at + first] + held["totals"][at + second]
    return value


@compiled
def drop_day(
    numbers: Ints, accounts: Table, days: Table, facts: Table, more: Table, place: int
) -> None:
    """Take an account-day from its account; its place is to be used again.

    With its last one an account forgets what its limits went by: that may change until it has
    another one, and nobody says so of an account of which nothing is held.
    """
    row = days[place]
    account = accounts[row["account"]]
    if account["head"] == place:
        account["head"] = row["next"]
    else:
        before = int(account["head"])
        while days[before]["next"] != place:
            before = int(days[before]["next"])
        days[before]["next"] = row["next"]
    if account["head"] == NONE:
        account["own"] = NONE
    if row["facts"] != NONE:
        facts[row["facts"]]["next"] = numbers[FACTS_FREE]
        numbers[FACTS_FREE] = row["facts"]
        numbers[FREE_FACTS] += 1
    if row["more"] != NONE:
        more[row["more"]]["next"] = numbers[MORE_FREE]
        numbers[MORE_FREE] = row["more"]
        numbers[FREE_MORE] += 1
    row["account"] = NONE
    row["next"] = numbers[DAYS_FREE]
    numbers[DAYS_FREE] = place
    numbers[FREE_DAYS] += 1


@compiled
def unlink_day(days: Table, open_: Table, place: int) -> None:
    """Take an account-day out of those of its open day."""
    row = days[place]
    if row["before"] == NONE:
        open_["first"] = row["after"]
    else:
        days[row["before"]]["after"] = row["after"]
    if row["after"] == NONE:
        open_["last"] = row["before"]
    else:
        days[row["after"]]["before"] = row["before"]
    open_["account_days"] -= 1


@compiled
def places_of_day(days: Table, first: int, count: int, of_segments: Ints) -> Ints:
    """Return where the account-days of a closed day stand, in the order in which they began.

    Each gets its number in that order as its `before`, which nothing else needs any more.
    `of_segments` counts them by the number of their segment and 1.
    """
    places = np.empty(count, np.int64)
    place = first
    for number in range(count):
        row = days[place]
        places[number] = place
        of_segments[row["segment"] + 1] += 1
        row["before"] = number
        place = int(row["after"])
    return places


@compiled
def reindex(index: Table, accounts: Table, used: int) -> None:
    """Put the numbers of all accounts into an empty index."""
    for number in range(used):
        put_number(index, accounts[number]["hash"], number)


@compiled
def has_rows(
    numbers: Ints, accounts: Table, index: Table, texts: Table, data: Table, length: int
) -> bool:
    """Return whether anything of the account whose id stands in `data` stands in rows."""
    hash_, _ = hash_of(data, 0, length, numbers[KEY_0], numbers[KEY_1])
    number = account_of(accounts, index, texts, data, 0, length, hash_)
    return number != NONE and (accounts[number]["head"] != NONE or accounts[number]["rests"] != 0)


@compiled
def put_day(  # noqa: PLR0913, PLR0917 - a row, field by field
    numbers: Ints,
    accounts: Table,
    days: Table,
    opens: Table,
    number: int,
    own: int,
    open_place: int,
    kind: int,
    segment: int,
    segment_time: int,
    currency: int,
    peer: int,
    told: int,
    count_debit: int,
    amount_debit: int,
    count_credit: int,
    amount_credit: int,
) -> int:
    """Put an account-day into rows; return its place."""
    account = accounts[number]
    account["own"] = own
    place = add_day(numbers, days, account, number, opens[open_place])
    row = days[place]
    row["kind"], row["segment"], row["segment_time"] = kind, segment, segment_time
    row["currency"], row["peer"], row["told"] = currency, peer, told
    row["totals"][0], row["totals"][1] = count_debit, amount_debit
    row["totals"][2], row["totals"][3] = count_credit, amount_credit
    return place


@compiled
def leave(accounts: Table, number: int) -> tuple[int, int]:
    """Let an account be an object; return its `own`, and the place of its latest account-day."""
    account = accounts[number]
    account["state"] = OBJECT
    account["rests"] = 0
    return int(account["own"]), int(account["head"])


@compiled
def come_back(accounts: Table, bucket_dirty: Table, number: int, days: int, rests: int) -> None:
    """Let an account be in rows again; `rests` is 1 if Python keeps a review of it.

    Without days nobody knows what tells its limits apart.
    """
    account = accounts[number]
    account["state"] = IN_ROWS
    bucket_dirty[account["bucket"]] = 1
    account["idle"] = 0
    account["rests"] = rests
    if not days:
        account["own"] = NONE


@compiled
def take_day(  # noqa: PLR0913, PLR0917 - as above
    numbers: Ints,
    accounts: Table,
    days: Table,
    facts: Table,
    more: Table,
    opens: Table,
    bucket_dirty: Table,
    place: int,
) -> tuple[int, int, int, int, int, int, int, int, int, int, int, int]:
    """Give up the row of an open day; return the next place, the day, and its fields.

    The fields are segment, its time, currency, peer group, where its facts and its further
    currencies stand (until others do), and four totals. The day is 0 if it has closed, and then
    nothing is changed.
    """
    row = days[place]
    for held in range(numbers[OPENS_USED]):
        if opens[held]["day"] == row["day"]:
            fields = (
                int(row["next"]),
                int(row["day"]),
                int(row["segment"]),
                int(row["segment_time"]),
                int(row["currency"]),
                int(row["peer"]),
                int(row["facts"]),
                int(row["more"]),
                int(row["totals"][0]),
                int(row["totals"][1]),
                int(row["totals"][2]),
                int(row["totals"][3]),
            )
            bucket_dirty[accounts[row["account"]]["bucket"]] = 1
            unlink_day(days, opens[held], place)
            drop_day(numbers, accounts, days, facts, more, place)
            return fields
    return int(row["next"]), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
