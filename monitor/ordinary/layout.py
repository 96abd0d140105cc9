"""The arrays that have the ordinary accounts of one partition.

An account is ordinary as long as all that is held of it is account-days in few currencies each,
which came near no limit but those that they stand over, as was told. As soon as there is more, it
is an `Account` with its objects, and only its id stands here.
"""

import secrets
from typing import Any, Final, NamedTuple

import numpy as np

from models.arrays import Bytes, Ints
from monitor.core.currency import CURRENCIES
from monitor.core.review import PAYEES_MAX, ROUND_UNITS

Table = Any
"""An array of one of the kinds of rows below; numpy has no static type for it."""

NONE: Final = -1
"""As a place in an array: no place."""

NEVER: Final = -(1 << 62)
"""An event time before any other, as in the ledger."""

# -- what a record has: the fields that kernels read of the rows of a run -------------------------

REJECTED: Final = 0
"""Of a record's `state`: it is no transaction."""

ORDINARY: Final = 1
"""Of a record's `state`: a transaction whose texts stand in the bytes of its run."""

BY_ITSELF: Final = 2
"""Of a record's `state`: a transaction that Python decides on; its account is known already."""

READ: Final = 3
"""Of a record's `state`: a transaction that Python has read; its texts stand in the bytes, too."""

ID, ACCOUNT = 0, 1
COUNTERPARTY, INSTITUTION, CHANNEL, SEGMENT = 6, 7, 8, 9
REVERSES = 11
"""Places of texts in a row of a run."""

ID_KEPT_MAX: Final = 40
"""Characters up to which a transaction's id is kept as it is, as in core/waiting.py."""

# -- what is held ---------------------------------------------------------------------------------

IN_ROWS, LEAVING, OBJECT = range(3)
"""Of an account's `state`: its account-days are rows here; so they are, and Python decides its next
record; it is an `Account` with its objects."""

ACCOUNTS: Final = np.dtype(
    [
        ("hash", "u8"),
        ("id_at", "i8"),
        ("id_length", "i4"),
        ("bucket", "i4"),
        ("model", "i4"),
        ("head", "i4"),
        ("own", "i4"),
        ("state", "u1"),
        ("idle", "u1"),
        ("rests", "u1"),
    ],
    align=True,
)
"""An account: where its id stands in `texts`, its bucket of state, its latest day.

`model` is its row in the models, -1 if it has none. `own` is the number of what tells its limits
apart beside its segment, -1 if nobody has looked yet. `idle` counts the closed days since it had
something last, up to some. `rests` is 1 if Python keeps a review of it.
"""

DAYS: Final = np.dtype(
    [
        ("totals", "i8", (5,)),
        ("segment_time", "i8"),
        ("account", "i4"),
        ("next", "i4"),
        ("after", "i4"),
        ("before", "i4"),
        ("day", "i4"),
        ("kind", "i4"),
        ("segment", "i4"),
        ("told", "u4"),
        ("facts", "i4"),
        ("more", "i4"),
        ("currency", "i2"),
        ("peer", "i2"),
    ],
    align=True,
)
"""An account-day: its totals as `core/account.py` has them, in its first currency (by its number).

`next` is an earlier one of its account. `after` and `before` are others of its business day, in the
order in which they began. `facts` is a place in `facts`, `more` one in `more`; -1 of none.
`kind` says which limits watch it; `segment` is a number, or -1; `peer` is the number of the peer
group's name, 0 of none. `told` has a bit for each limit of the kind that it was told to be over;
what was told, Python knows.
"""

OPENS: Final = np.dtype(
    [
        ("start", "i8"),
        ("end", "i8"),
        ("ids", "i8"),
        ("day", "i4"),
        ("terms", "i4"),
        ("first", "i4"),
        ("last", "i4"),
        ("account_days", "i4"),
        ("looks", "i4"),
    ],
    align=True,
)
"""An open business day: when it is, what it holds, and by which limits it is decided (`terms`).

`looks` is 1 if facts are taken of account-days that come near one of these.
"""

IDS: Final = np.dtype([("low", "u8"), ("high", "u8"), ("content", "i8"), ("day", "i8")])
"""A transaction of an open day: 128 bits of a keyed hash of its account and its id, and its content
as `ledger.py` has it. `day` 0 is an empty place, one before the first open day a place to be used
again."""

FACTS: Final = np.dtype(
    [
        ("paid", "i8", (PAYEES_MAX,)),
        ("others", "i8"),
        ("unnamed", "i8"),
        ("amounts", "i8"),
        ("round", "i8"),
        ("payees", "u4", (PAYEES_MAX,)),
        ("used", "i4"),
        ("next", "i4"),
    ],
    align=True,
)
"""What is seen of an account-day that came near a limit, as `DayFacts` has it: `used` payees.

Of a place that is to be used again, `next` is the next one."""

FIGURES: Final = 5
"""Of totals in one currency, as `core/account.py` has them."""

MORE_MAX: Final = 3
"""Further currencies that an account-day in rows has at most."""

MORE: Final = np.dtype(
    [
        ("totals", "i8", (FIGURES * MORE_MAX,)),
        ("currency", "i2", (MORE_MAX,)),
        ("used", "i4"),
        ("next", "i4"),
    ],
    align=True,
)
"""The totals of an account-day in `used` further currencies, in the order in which these came.

Of a place that is to be used again, `next` is the next one."""

WATCHES: Final = np.dtype(
    [
        ("first", "i8"),
        ("second", "i8"),
        ("look_above", "i8"),
        ("above", "i8"),
        ("bit", "i4"),
        ("is_of_all", "i4"),
    ]
)
"""A limit that a transaction can take an account-day over: two places of its totals, and the sum.

`is_of_all` is 1 if it counts the transactions of all currencies.

From `look_above` on facts are taken. Above `above` Python tells of it, unless the `bit` of `told`
says that it has; -1: it is asked each time."""

BITS: Final = 32
"""Limits of a kind that have a bit of `told`."""

RAISED: Final = np.dtype(
    [("totals", "i8", (4,)), ("place", "i8"), ("day_at", "i4"), ("bit", "i4")], align=True
)
"""A record that took an account-day over a limit first: its place in the run, the limit's bit, and
the account-day in `days` with its totals as they were then, in its only currency."""

ENTRIES: Final = np.dtype(
    [
        ("offset", "i8"),
        ("id_at", "i8"),
        ("content", "i8"),
        ("account", "i4"),
        ("day", "i4"),
        ("id_length", "i4"),
    ],
    align=True,
)
"""A transaction that was taken in since state was kept last; its id stands in `entry_texts`."""

NAMES: Final = np.dtype([("hash", "u8"), ("at", "i8"), ("length", "i8")])
"""The name of a segment, by its number: where it stands in `texts`."""

TAILS: Final = np.dtype([("at", "i8"), ("length", "i8")])
"""What ends each account-day as state keeps it: where it stands in `texts`."""

CURRENCY_CODES: Final = tuple(sorted(CURRENCIES))
"""Currencies by their numbers."""

CURRENCY_NUMBER: Final = {code: number for number, code in enumerate(CURRENCY_CODES)}
"""Their numbers."""

(
    NOT_READ,
    REDELIVERED,
    OBJECT_ACCOUNT,
    LATE,
    AHEAD_OF_OTHERS,
    REVERSAL,
    GREAT,
    LIMITS_UNKNOWN,
    DUPLICATE,
    SEGMENT_CHANGE,
    CURRENCY_CHANGE,
    NEAR_LIMIT,
    CLOCK_GOES_ON,
    MODELS_DAY,
    NO_KERNELS,
    MOSTLY_ODD,
) = range(16)
"""Why Python decides on a record, the first one that holds: a place in `IN_PYTHON`."""

IN_PYTHON: Final = (
    "not-read",
    "redelivered",
    "object-account",
    "late",
    "ahead",
    "reversal",
    "great",
    "limits-unknown",
    "duplicate",
    "segment",
    "currency",
    "near-limit",
    "clock",
    "models-day",
    "no-kernels",
    "mostly-odd",
)
"""The same in words. `great` is an id, an amount or a sum; `object-account` is one of which more is
held than rows have, or of which Python decides an earlier record; `near-limit` is over a limit of
which more is to be told than one alert, or may be; `models-day` the first of a day
that the models have not begun; `no-kernels` while there is one account alone, or kernels are not
loaded yet; `mostly-odd` while Python takes all, as it decided on most of the records before."""

CONTENT_MAX: Final = 1 << 62
"""What is greater is Python's."""

AMOUNT_MAX: Final = 1 << 49
"""Minor units that are Python's: the content of such a transaction, or a sum, may be too great."""

TOTAL_MAX: Final = 1 << 61
"""A sum of minor units from which on an account-day is Python's."""

(
    LEADER,
    FIRST,
    SECOND,
    TIME,
    LEAD,
    CLOCK_MAX,
    OFFSET_LAST,
    FIRST_OPEN,
    ASKS_OWN,
    ACCOUNTS_USED,
    TEXTS_USED,
    DAYS_USED,
    DAYS_FREE,
    FREE_DAYS,
    IDS_USED,
    ENTRIES_USED,
    ENTRY_TEXTS_USED,
    OPENS_USED,
    SEGMENTS_USED,
    DEFERRED,
    KEY_0,
    KEY_1,
    MODEL_DAY,
    FACTS_USED,
    FACTS_FREE,
    FREE_FACTS,
    MORE_USED,
    MORE_FREE,
    FREE_MORE,
    LEARN_SEGMENT,
    LEARN_OWN,
    LEARN_PEER,
    LEARN_KIND,
    LEARN_SERIES,
    RAISED_USED,
    DAYS_TOLD_MAX,
) = range(36)
"""Places in `numbers`.

`LEADER` to `LEAD` are those of the watermark, the leader by its number. A record that takes the
watermark to `CLOCK_MAX` is Python's: days close, or the clock's day is another. Up to `OFFSET_LAST`
records come again. `FIRST_OPEN` is the start of the first day that is open. `ASKS_OWN` is 1 if
Python has to say what tells a new account's limits apart. `DAYS_FREE` is the first of `FREE_DAYS`
places in `days` that are to be used again, each of which has the next one in `next`. `MODEL_DAY`
is the business day that the models are in: the first record of a later one is Python's.
`RAISED_USED` says how many alerts the kernel has put down that Python is to tell; it puts none down
of an account that has `DAYS_TOLD_MAX` days near a limit that something was told of: there may be a
review to tell of.
`FACTS_FREE` is the first of `FREE_FACTS` places in `facts` that are to be used again; `MORE_FREE`
and `FREE_MORE` are the same of `more`. `LEARN_SEGMENT` to `LEARN_SERIES` say which limits Python is
to look up, where the kernel has stopped for it.
"""

DAYS_WITHOUT_REVIEWS: Final = 1 << 62
"""As `DAYS_TOLD_MAX`: there are no reviews."""

NO_MODELS: Final = 1 << 62
"""As `MODEL_DAY`: there are none."""


ROUND_MINOR: Final = np.array(
    [ROUND_UNITS * 10 ** CURRENCIES[code].exponent for code in CURRENCY_CODES], np.int64
)


class Arrays(NamedTuple):
    """All of one partition. Numbers of accounts, days, segments are places in these arrays."""

    numbers: Ints
    accounts: Table  # ACCOUNTS
    index: Table  # i4, by hash: an account's number and 1; 0 is an empty place
    texts: Bytes  # ids of accounts and names of segments, one after the other
    bucket_dirty: Table  # u1: whether the bucket must be written
    days: Table  # DAYS
    facts: Table  # FACTS
    more: Table  # MORE
    opens: Table  # OPENS
    ids: Table  # IDS, by hash
    segments: Table  # NAMES
    own_segment: Table  # i4, by `own`: the segment that its attributes name
    own_tails: Table  # TAILS, by `own`
    kind_keys: Table  # u8, by hash
    kind_of: Table  # i4, beside them
    watch_at: Table  # i4 (kinds, series): the first watch; -1 if Python was not asked yet
    watch_count: Table  # i4 (kinds, series)
    watches: Table  # WATCHES
    round_minor: Ints  # by currency: minor units of which a round amount is a multiple
    peers: Table  # i2, by rows of the models: numbers of peer groups' names on this day
    entries: Table  # ENTRIES
    entry_texts: Bytes
    in_python: Ints  # records that Python decides on, by the reason


class RunPlaces(NamedTuple):
    """What a kernel says of the records of a run, by their places.

    `account` has the number of each record's account. `deferred` has the places of those that
    Python is to decide, in order, and `is_ahead` whether each of these leads too far. The others
    say of what a kernel took in what models are to see: whether it did, and its account-day as it
    was then. Without models there is no room for them. `raised` has the alerts of what it took in.
    """

    account: Table  # i4
    deferred: Ints
    is_ahead: Table  # u1
    raised: Table  # RAISED
    is_taken: Table  # u1
    is_in_breach: Table  # u1
    day: Table  # i4
    segment: Table  # i4
    own: Table  # i4
    currency: Table  # i2: the first one of the account-day
    totals: Table  # i8 (records, 4): in that one
    more: Table  # MORE


SPARE: Final = 4096
"""Records for which there is room after more room was made, at least."""

SPARE_TEXTS: Final = 1 << 15
"""Bytes of new names for which there is room then."""

SEGMENTS_MAX: Final = 4096
"""Names of segments that have a number; account-days of further ones are objects."""


def room_for_places(count: int, *, has_models: bool) -> RunPlaces:
    """Return room for what a kernel says of so many records."""
    seen = count if has_models else 0
    return RunPlaces(
        account=np.full(count, NONE, np.int32),
        deferred=np.zeros(count, np.int64),
        is_ahead=np.zeros(count, np.uint8),
        raised=np.empty(count, RAISED),
        is_taken=np.zeros(seen, np.uint8),
        is_in_breach=np.empty(seen, np.uint8),
        day=np.empty(seen, np.int32),
        segment=np.empty(seen, np.int32),
        own=np.empty(seen, np.int32),
        currency=np.empty(seen, np.int16),
        totals=np.empty((seen, 4), np.int64),
        more=np.empty(seen, MORE),
    )


def room_for_accounts(buckets: int, series: int) -> Arrays:
    """Return the arrays of a partition that has seen nothing, with a key of their own."""
    numbers = np.zeros(48, np.int64)
    numbers[[LEADER, DAYS_FREE, FACTS_FREE, MORE_FREE, OFFSET_LAST]] = NONE
    numbers[[FIRST, SECOND, TIME, CLOCK_MAX, FIRST_OPEN]] = NEVER
    numbers[MODEL_DAY] = NO_MODELS
    numbers[[KEY_0, KEY_1]] = np.frombuffer(secrets.token_bytes(16), np.int64)
    return Arrays(
        numbers=numbers,
        accounts=np.zeros(1 << 10, ACCOUNTS),
        index=np.zeros(1 << 11, np.int32),
        texts=np.zeros(1 << 15, np.uint8),
        bucket_dirty=np.zeros(buckets, np.uint8),
        days=np.zeros(1 << 10, DAYS),
        facts=np.zeros(64, FACTS),
        more=np.zeros(64, MORE),
        opens=np.zeros(64, OPENS),
        ids=np.zeros(1 << 12, IDS),
        segments=np.zeros(SEGMENTS_MAX, NAMES),
        own_segment=np.full(16, NONE, np.int32),
        own_tails=np.zeros(16, TAILS),
        kind_keys=np.zeros(1 << 8, np.uint64),
        kind_of=np.full(1 << 8, NONE, np.int32),
        watch_at=np.full((16, series), NONE, np.int32),
        watch_count=np.zeros((16, series), np.int32),
        watches=np.zeros(64, WATCHES),
        round_minor=ROUND_MINOR,
        peers=np.zeros(0, np.int16),
        entries=np.zeros(1 << 12, ENTRIES),
        entry_texts=np.zeros(1 << 17, np.uint8),
        in_python=np.zeros(len(IN_PYTHON), np.int64),
    )
