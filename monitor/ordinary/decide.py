"""Takes the ordinary records of a run into the arrays, and says which ones Python is to decide.

It goes on to the end of the run, or to a record before which Python has something to do once: days
close or begin, a limit is met first, an array has no room. What is remarkable is put down, and so
are all further records of its account; as a record changes its own account only, Python decides
these after the others.
"""

import numpy as np

from models.arrays import Bytes, Ints
from models.kernels import borrowed, compiled
from monitor.ordinary.layout import (
    ACCOUNT,
    ACCOUNTS_USED,
    AHEAD_OF_OTHERS,
    AMOUNT_MAX,
    ASKS_OWN,
    BY_ITSELF,
    CLOCK_MAX,
    CURRENCY_CHANGE,
    DAYS_TOLD_MAX,
    DAYS_USED,
    DEFERRED,
    DUPLICATE,
    ENTRIES_USED,
    ENTRY_TEXTS_USED,
    FACTS_USED,
    FIGURES,
    FIRST,
    FIRST_OPEN,
    FREE_DAYS,
    FREE_FACTS,
    FREE_MORE,
    GREAT,
    ID,
    ID_KEPT_MAX,
    IDS_USED,
    IN_ROWS,
    KEY_0,
    KEY_1,
    LATE,
    LEAD,
    LEADER,
    LEARN_KIND,
    LEARN_OWN,
    LEARN_PEER,
    LEARN_SEGMENT,
    LEARN_SERIES,
    LEAVING,
    LIMITS_UNKNOWN,
    MODEL_DAY,
    MODELS_DAY,
    MORE_MAX,
    MORE_USED,
    NEAR_LIMIT,
    NEVER,
    NO_MODELS,
    NONE,
    NOT_READ,
    OBJECT_ACCOUNT,
    OFFSET_LAST,
    OPENS_USED,
    RAISED_USED,
    REDELIVERED,
    REJECTED,
    REVERSAL,
    REVERSES,
    SECOND,
    SEGMENT,
    SEGMENT_CHANGE,
    SEGMENTS_USED,
    TEXTS_USED,
    TIME,
    TOTAL_MAX,
    Arrays,
    RunPlaces,
    Table,
)
from monitor.ordinary.names import new_facts, take_facts
from monitor.ordinary.tables import (
    SEPARATOR,
    U64,
    add_day,
    add_segment,
    add_to_further,
    day_of_account,
    hash_of,
    kind_key,
    known_or_new,
    place_of_currency,
    place_of_id,
    place_of_kind,
    segment_of,
    value_of,
)

END, CLOCK, DAY, KIND, WATCH, ROOM, BEGUN = range(7)
"""Why it stopped: at the end; before a record by which the clock's day goes on; before one of a day
that is not open yet; before one that meets a limit first (a kind of limits, or one in a direction
and currency); before one for which there may be no room; after the first one of a day that the
models have not begun, or after a last one that was put down."""

DEFERRED_MAX = 8
"""Records that are put down before one that takes an account over a limit is the last: the account
is rows again then, and most likely has more records in the run."""

SERIES_BITS = 12
NO_AMOUNT = 1 << (SERIES_BITS - 1)
TEXT_MAX = 256
"""Bytes of an ordinary text."""

COUNT_DEBIT, COUNT_CREDIT = 0, 2
"""Places of totals, as `core/account.py` has them; the amount stands behind the count."""


@compiled
def records_with_room(arrays: Arrays) -> int:
    """Return for how many records there is room, whatever they are."""
    numbers = arrays.numbers
    records: int = min(
        arrays.accounts.size - numbers[ACCOUNTS_USED],
        arrays.index.size // 2 - numbers[ACCOUNTS_USED],
        arrays.days.size - numbers[DAYS_USED] + numbers[FREE_DAYS],
        arrays.facts.size - numbers[FACTS_USED] + numbers[FREE_FACTS],
        arrays.more.size - numbers[MORE_USED] + numbers[FREE_MORE],
        arrays.ids.size * 3 // 5 - numbers[IDS_USED],
        arrays.entries.size - numbers[ENTRIES_USED],
        (arrays.entry_texts.size - numbers[ENTRY_TEXTS_USED]) // ID_KEPT_MAX,
    )
    return records


@compiled
def first_near(arrays: Arrays, day: Table, kind: int, coming: int) -> tuple[bool, int]:
    """Return whether an account-day, as it stands, is near a limit of a kind, or may be.

    And the first series of the currency that is `coming` of which nobody has asked yet which limits
    watch it, -1 of none. To ask for another one would be to say that it came.
    """
    further = 0
    if day["more"] != NONE:
        further = int(arrays.more[day["more"]]["used"])
    for place in range(-1, further):
        currency = int(day["currency"])
        if place >= 0:
            currency = int(arrays.more[day["more"]]["currency"][place])
        for series in range(2 * currency, 2 * currency + 2):
            first = int(arrays.watch_at[kind, series])
            if first == NONE:
                return currency != coming, series
            for watch_place in range(first, first + int(arrays.watch_count[kind, series])):
                watch = arrays.watches[watch_place]
                if value_of(day, arrays.more, watch, currency) > watch["look_above"]:
                    return True, NONE
    return False, NONE


@compiled
def is_told_at_once(numbers: Ints, account: Table, days: Table, open_: Table, day_at: int) -> bool:
    """Return whether all there is to tell of an account-day over a limit is its alert."""
    if numbers[DAYS_TOLD_MAX] == 0 or (open_["looks"] != 0 and account["rests"] != 0):
        return False
    if open_["looks"] == 0:
        return True
    told = 1  # this one
    place = int(account["head"])
    while place != NONE:
        if place != day_at and days[place]["told"] != 0 and days[place]["facts"] != NONE:
            told += 1
        place = int(days[place]["next"])
    is_few: bool = told < numbers[DAYS_TOLD_MAX]
    return is_few


@compiled
def decide(  # noqa: C901, PLR0912, PLR0915 - the hot path: one loop, every array at hand
    arrays: Arrays, data: Bytes, rows: Table, run: RunPlaces, begin: int
) -> tuple[int, int]:
    """Take records from a place on; return the place of the one that it stopped before, and why."""
    numbers, accounts, days = arrays.numbers, borrowed(arrays.accounts), borrowed(arrays.days)
    opens, ids, texts = borrowed(arrays.opens), borrowed(arrays.ids), borrowed(arrays.texts)
    index, segments = borrowed(arrays.index), borrowed(arrays.segments)
    entries, peers = borrowed(arrays.entries), borrowed(arrays.peers)
    facts, more = borrowed(arrays.facts), borrowed(arrays.more)
    watches, watch_at = borrowed(arrays.watches), borrowed(arrays.watch_at)
    buckets = arrays.bucket_dirty.size
    numbers = borrowed(numbers)
    joined = np.empty(2 * TEXT_MAX, np.uint8)
    end = min(rows.size, begin + records_with_room(arrays))
    start_of_day = end_of_day = 0
    open_ = opens[0]
    for place in range(begin, end):
        row = rows[place]
        if row["state"] == REJECTED:
            run.deferred[numbers[DEFERRED]] = place
            run.is_ahead[numbers[DEFERRED]] = 0
            numbers[DEFERRED] += 1
            arrays.in_python[NOT_READ] += 1
            continue
        at = row["value_at"]
        account_at, account_length = at + row["at"][ACCOUNT], int(row["length"][ACCOUNT])
        if row["state"] == BY_ITSELF:
            number = int(run.account[place])
        else:
            number = known_or_new(
                numbers, accounts, index, texts, buckets, data, account_at, account_length
            )
            run.account[place] = number
        if texts.size - numbers[TEXTS_USED] < 2 * TEXT_MAX:
            return place, ROOM
        time = row["event_time"]
        is_ahead = False
        if time > numbers[SECOND]:
            leader, first, second = numbers[LEADER], numbers[FIRST], numbers[SECOND]
            if number != leader:
                if time > first:
                    leader, second, first = number, first, time
                else:
                    second = time
            elif time > first:
                first = time
            watermark = numbers[TIME]
            if first - second > numbers[LEAD]:
                watermark = max(watermark, second)
                is_ahead = number == leader and time > second + numbers[LEAD]
            else:
                watermark = max(watermark, first)
            if watermark >= numbers[CLOCK_MAX]:
                return place, CLOCK
            numbers[LEADER], numbers[FIRST], numbers[SECOND] = leader, first, second
            numbers[TIME] = watermark
        account = accounts[number]
        is_redelivered = row["offset"] <= numbers[OFFSET_LAST]
        is_late = False
        if not (start_of_day <= time < end_of_day):
            start_of_day = end_of_day = 0
            for held in range(numbers[OPENS_USED]):
                if opens[held]["start"] <= time < opens[held]["end"]:
                    open_ = opens[held]
                    start_of_day, end_of_day = open_["start"], open_["end"]
            if end_of_day == start_of_day:
                is_late = time < numbers[FIRST_OPEN]
                if not is_late and not is_redelivered:
                    return place, DAY
        id_length = int(row["length"][ID])
        why = NONE
        if row["state"] == BY_ITSELF:
            why = NOT_READ
        elif is_redelivered:
            why = REDELIVERED
        elif account["state"] != IN_ROWS:
            why = OBJECT_ACCOUNT
        elif is_late:
            why = LATE
        elif is_ahead:
            why = AHEAD_OF_OTHERS
        elif open_["day"] > numbers[MODEL_DAY]:
            why = MODELS_DAY
        elif row["length"][REVERSES] > 0:
            why = REVERSAL
        elif id_length > ID_KEPT_MAX or row["amount"] >= AMOUNT_MAX:
            why = GREAT
        elif account["own"] == NONE and numbers[ASKS_OWN] != 0:
            why = LIMITS_UNKNOWN
        low = high = U64(0)
        day_at = segment = named = kind = NONE
        peer = 0
        further = NONE
        series = count_at = id_at = 0
        amount = int(row["amount"])
        if why == NONE:
            for letter in range(account_length):
                joined[letter] = data[account_at + letter]
            joined[account_length] = SEPARATOR
            id_at = at + row["at"][ID]
            for letter in range(id_length):
                joined[account_length + 1 + letter] = data[id_at + letter]
            low, high = hash_of(
                joined, 0, account_length + 1 + id_length, numbers[KEY_0], numbers[KEY_1]
            )
            taken = ids[place_of_id(ids, low, high)]
            if taken["day"] >= opens[0]["day"]:
                why = DUPLICATE
        if why == NONE and row["length"][SEGMENT] > 0:
            segment_at = at + row["at"][SEGMENT]
            segment_length = int(row["length"][SEGMENT])
            segment = segment_of(numbers, segments, texts, data, segment_at, segment_length)
            if segment == NONE:
                if numbers[SEGMENTS_USED] == segments.size:
                    why = SEGMENT_CHANGE
                else:
                    segment = add_segment(
                        numbers, segments, texts, data, segment_at, segment_length
                    )
        if why == NONE:
            day_at = day_of_account(days, int(account["head"]), open_["day"])
            series = 2 * int(row["currency"]) + int(row["is_credit"])
            own = 0 if account["own"] == NONE else int(account["own"])
            if day_at == NONE:
                named = segment
                if segment == NONE:
                    named = int(arrays.own_segment[own])
                if 0 <= account["model"] < peers.size:
                    peer = int(peers[account["model"]])
            else:
                day = days[day_at]
                kind = int(day["kind"])
                peer = int(day["peer"])
                if day["currency"] != row["currency"]:
                    further = place_of_currency(more, int(day["more"]), int(row["currency"]))
                if further == MORE_MAX:
                    why = CURRENCY_CHANGE
                elif further == NONE:
                    if max(day["totals"][1], day["totals"][3]) >= TOTAL_MAX:
                        why = GREAT
                elif day["more"] != NONE and further < more[day["more"]]["used"]:
                    held = more[day["more"]]["totals"]
                    if max(held[FIGURES * further + 1], held[FIGURES * further + 3]) >= TOTAL_MAX:
                        why = GREAT
                is_other = segment != NONE and segment != day["segment"]
                if is_other and time >= day["segment_time"]:
                    named = segment
                    if time == day["segment_time"] or day["told"] != 0 or day["facts"] != NONE:
                        why = SEGMENT_CHANGE
            if why == NONE and (day_at == NONE or named != NONE):
                key = kind_key(int(open_["terms"]), named, own, peer)
                kind_at = place_of_kind(arrays.kind_keys, key)
                if arrays.kind_keys[kind_at] == 0:
                    numbers[LEARN_SEGMENT], numbers[LEARN_OWN] = named, own
                    numbers[LEARN_PEER] = peer
                    return place, KIND
                kind = int(arrays.kind_of[kind_at])
            if why == NONE and day_at != NONE and kind != days[day_at]["kind"]:
                # Other limits decide: Python tells of those that the day is near already. If the
                # same ones do, there are none: it would have facts, or something was told.
                is_near, unknown = first_near(arrays, days[day_at], kind, int(row["currency"]))
                if is_near:
                    why = SEGMENT_CHANGE
                elif unknown != NONE:
                    numbers[LEARN_KIND], numbers[LEARN_SERIES] = kind, unknown
                    return place, WATCH
        is_near = False
        over = raised_used = int(numbers[RAISED_USED])
        if why == NONE:
            first_watch = int(watch_at[kind, series])
            if first_watch == NONE:
                numbers[LEARN_KIND], numbers[LEARN_SERIES] = kind, series
                return place, WATCH
            count_at = COUNT_CREDIT if row["is_credit"] else COUNT_DEBIT
            for watch_place in range(
                first_watch, first_watch + int(arrays.watch_count[kind, series])
            ):
                watch = watches[watch_place]
                value = 0
                if day_at != NONE:
                    value = value_of(days[day_at], more, watch, int(row["currency"]))
                for where in (watch["first"], watch["second"]):
                    if where == count_at:
                        value += 1
                    elif where == count_at + 1:
                        value += amount
                if value > watch["look_above"]:
                    is_near = True
                if value > watch["above"]:
                    is_told = (
                        day_at != NONE
                        and watch["bit"] != NONE
                        and (int(days[day_at]["told"]) >> watch["bit"]) & 1 != 0
                    )
                    if is_told and numbers[TIME] < open_["end"]:
                        continue
                    if (
                        is_told
                        or watch["bit"] == NONE
                        or further != NONE
                        or (day_at != NONE and days[day_at]["more"] != NONE)
                        or not is_told_at_once(numbers, account, days, open_, day_at)
                        or value >= TOTAL_MAX
                        or over == run.raised.size
                    ):
                        why = NEAR_LIMIT
                        break
                    run.raised[over]["bit"] = watch["bit"]
                    over += 1
        if why != NONE:
            arrays.in_python[why] += 1
            if account["state"] == IN_ROWS:
                account["state"] = LEAVING
            run.deferred[numbers[DEFERRED]] = place
            run.is_ahead[numbers[DEFERRED]] = is_ahead
            numbers[DEFERRED] += 1
            begins = open_["day"] > numbers[MODEL_DAY] and not (
                is_redelivered or is_late or is_ahead
            )
            if begins or (why == NEAR_LIMIT and numbers[DEFERRED] >= DEFERRED_MAX):
                return place + 1, BEGUN
            continue
        if day_at == NONE:
            day_at = add_day(numbers, days, account, number, open_)
            day = days[day_at]
            day["kind"] = kind
            day["currency"] = row["currency"]
            day["segment"] = named
            day["peer"] = peer
            day["segment_time"] = NEVER
            day["told"] = 0
        day = days[day_at]
        if named != NONE:
            day["segment"], day["kind"] = named, kind
        if segment != NONE and time > day["segment_time"]:
            day["segment_time"] = time
        if is_near and open_["looks"] != 0:
            if day["facts"] == NONE:
                day["facts"] = new_facts(numbers, facts)
            taken_facts = facts[day["facts"]]
            take_facts(taken_facts, int(arrays.round_minor[row["currency"]]), data, row)
        if further == NONE:
            day["totals"][count_at] += 1
            day["totals"][count_at + 1] += amount
        else:
            add_to_further(numbers, more, day, further, int(row["currency"]), count_at, amount)
        for raised_at in range(raised_used, over):
            raised = run.raised[raised_at]
            raised["place"], raised["day_at"] = place, day_at
            for total in range(4):
                raised["totals"][total] = day["totals"][total]
            day["told"] |= np.uint32(1 << raised["bit"])
        numbers[RAISED_USED] = over
        content = (amount << SERIES_BITS if amount else 1 << SERIES_BITS | NO_AMOUNT) | series
        taken = ids[place_of_id(ids, low, high)]
        if taken["day"] == 0:
            numbers[IDS_USED] += 1
        taken["low"], taken["high"] = low, high
        taken["content"] = content
        taken["day"] = open_["day"]
        open_["ids"] += 1
        entry = entries[numbers[ENTRIES_USED]]
        entry["offset"] = row["offset"]
        entry["account"] = number
        entry["day"] = open_["day"]
        entry["content"] = content
        entry["id_at"] = numbers[ENTRY_TEXTS_USED]
        entry["id_length"] = id_length
        for letter in range(id_length):
            arrays.entry_texts[numbers[ENTRY_TEXTS_USED] + letter] = data[id_at + letter]
        numbers[ENTRY_TEXTS_USED] += id_length
        numbers[ENTRIES_USED] += 1
        arrays.bucket_dirty[account["bucket"]] = 1
        if numbers[MODEL_DAY] != NO_MODELS:
            run.is_taken[place] = 1
            run.is_in_breach[place] = day["told"] != 0
            run.day[place] = open_["day"]
            run.segment[place] = day["segment"]
            run.own[place] = 0 if account["own"] == NONE else account["own"]
            run.currency[place] = day["currency"]
            for total in range(4):
                run.totals[place, total] = day["totals"][total]
            if day["more"] == NONE:
                run.more[place]["used"] = 0
            else:
                run.more[place] = more[day["more"]]
    return end, END if end == rows.size else ROOM
