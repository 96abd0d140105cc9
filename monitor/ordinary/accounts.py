"""The ordinary accounts of a partition: what makes objects of rows, and rows of objects.

Whatever is decided of an account that is not ordinary is decided on its objects, by the engine.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from monitor.core.account import NOTHING_TOLD, SERIES, Account, AccountDay, Told
from monitor.core.alert import Status
from monitor.core.attributes import NO_ATTRIBUTES, Attributes
from monitor.core.threshold import LimitSet, Watches, scope_of
from monitor.ledger.ledger import OpenDay
from monitor.ordinary import ids, layout, room, tables
from monitor.ordinary.closed import ClosedRows
from monitor.ordinary.kept import tail_of
from monitor.ordinary.layout import CURRENCY_CODES, NONE, Arrays, Table
from monitor.ordinary.room import Compaction
from monitor.ordinary.written import TextTable, json_text

CURRENCY_NUMBER: Final = {code: number for number, code in enumerate(CURRENCY_CODES)}
BETWEEN_IDS: Final = b"\xff".decode(errors="surrogateescape")
"""As the last character of a tag: the byte that is in no text."""

_ID_BYTES_MAX: Final = 1 << 12
_GREAT: Final = -2
"""The content of an id whose own content Python keeps, as it is too great."""


class OrdinaryAccounts:
    """The arrays of one partition, and what Python knows of their numbers.

    `lateness` is nothing to them: the ledger says which days are open.
    """

    def __init__(self, buckets: int) -> None:
        self.arrays: Arrays = layout.room_for_accounts(buckets, len(SERIES))
        self.closed: list[ClosedRows] = []
        self._segments: list[str] = []
        self._segment_numbers: dict[str, int] = {}
        self._owns: list[tuple[Attributes, str | None]] = []
        self._own_numbers: dict[tuple[Attributes, str | None], int] = {}
        self._terms: list[LimitSet] = []
        self._terms_numbers: dict[int, int] = {}
        self._kinds_known: dict[tuple[int, int, int], int] = {}
        self._kinds: list[tuple[LimitSet, AccountDay]] = []
        self._bits: list[dict[str, int]] = []  # of each kind's limits, by their ids
        self.told: dict[int, Mapping[str, Told]] = {}  # by the place of the account-day
        self._kind_numbers: dict[tuple[int, int], int] = {}
        self._kept_watches: list[Watches] = []  # so that none of another policy has the same id
        self._great: dict[str, int] = {}
        self._earlier: dict[int, dict[str, int]] = {}  # by day: see `put_id`
        self._data = np.zeros(_ID_BYTES_MAX, np.uint8)
        self._found: tuple[str, tuple[int, int, int, int]] | None = None  # by a key, its hash
        self._places: dict[int, int] = {}  # of open days in `opens`
        self._numbers: dict[str, int] = {}  # of accounts that are objects, or soon will be
        self._compaction = Compaction()
        self.segment_texts = TextTable(lambda number: json_text(self.segment(number - 1)))
        self.own_texts = TextTable(self._own_text)
        self.own_of(NO_ATTRIBUTES, None)

    # -- ids of transactions ----------------------------------------------------------------------

    def find_id(self, key: str) -> tuple[int, int]:
        """Return the business day that holds a key, 0 if none does, and its content."""
        _, _, day, content = self._look_up(key)
        if content == _GREAT and day > 0:
            content = self._great.get(key, 0)  # 0: its day has closed
        return day, content

    def find_earlier(self, key: str, day: int) -> int | None:
        """Return the content of a key on an open day before the last one that holds it, if any."""
        if not self._earlier:
            return None
        return self._earlier.get(day, {}).get(key)

    def put_id(self, key: str, day: int, content: int) -> None:
        """Let a business day hold a key, with its content.

        After a crash between the buckets and the seal, days that had closed are open again. An id
        that had come once more by then is held by two of them: the table has the last.
        """
        there, held = self.find_id(key)
        if there != day and there in self._places:
            if day < there:
                self._earlier.setdefault(day, {})[key] = content
                return
            self._earlier.setdefault(there, {})[key] = held
        self._put_last(key, day, content)

    def take_id_out(self, key: str, day: int) -> None:
        """Let a business day that holds a key hold it no more."""
        if self.find_id(key)[0] != day:
            del self._earlier[day][key]
            return
        earlier = [other for other, held in self._earlier.items() if key in held]
        if earlier:
            self._put_last(key, max(earlier), self._earlier[max(earlier)].pop(key))
        else:
            self._put_last(key, NONE, 0)

    def _put_last(self, key: str, day: int, content: int) -> None:
        """Put a key into the table with the last open day that holds it; -1 if none does."""
        low, high, _, _ = self._look_up(key)
        self._found = None
        if self.arrays.numbers[layout.IDS_USED] + 1 >= self.arrays.ids.size * 3 // 5:
            self.make_room()
        if self._great:
            self._great.pop(key, None)
        if abs(content) >= layout.CONTENT_MAX:
            self._great[key] = content
            content = _GREAT
        ids.put(self.arrays.numbers, self.arrays.ids, low, high, day, content)

    def _look_up(self, key: str) -> tuple[int, int, int, int]:
        if self._found is None or self._found[0] != key:
            length = self._bytes_of(key)
            found = ids.look_up(self.arrays.numbers, self.arrays.ids, self._data, length)
            self._found = key, found
        return self._found[1]

    def _bytes_of(self, key: str) -> int:
        data = key.encode("utf-8", "surrogateescape")
        if len(data) > self._data.size:
            self._data = np.zeros(2 * len(data), np.uint8)
        self._data[: len(data)] = np.frombuffer(data, np.uint8)
        return len(data)

    def kernels_went_on(self) -> None:
        """Forget what was found before kernels changed it."""
        self._found = None

    def ids_by_kernels(self, day: int) -> int:
        """Return how many ids kernels have put for an open day."""
        place = self._places.get(day)
        return 0 if place is None else int(self.arrays.opens[place]["ids"])

    # -- room -------------------------------------------------------------------------------------

    def make_room(self, text: int = 0) -> None:
        """See that there is room for as many records again as a short run has, and for a text."""
        self.arrays = room.with_room(self.arrays, text)

    def _make_room_for_days(self, count: int) -> None:
        """See that there is room for some account-days, at most `SPARE` of them."""
        days, numbers = self.arrays.days, self.arrays.numbers
        if days.size - numbers[layout.DAYS_USED] + numbers[layout.FREE_DAYS] < count:
            self.make_room()

    # -- open days --------------------------------------------------------------------------------

    def open_days_are(self, open_days: Sequence[OpenDay]) -> None:
        """Say which days are open, in order, and by which limits each is decided."""
        arrays = self.arrays
        before = {int(row["day"]): row.copy() for row in self._opens()}
        if len(open_days) > arrays.opens.size:
            arrays = self.arrays = arrays._replace(opens=room.longer(arrays.opens, len(open_days)))
        for place, open_day in enumerate(open_days):
            row = arrays.opens[place]
            kept = before.get(open_day.day)
            if kept is not None:
                arrays.opens[place] = kept
            else:
                row["day"], row["start"], row["end"] = open_day.day, open_day.start, open_day.end
                row["ids"] = row["account_days"] = 0
                row["first"] = row["last"] = NONE
            row["terms"] = self._terms_of(open_day.limits)
        arrays.numbers[layout.OPENS_USED] = len(open_days)
        self._places = {open_day.day: place for place, open_day in enumerate(open_days)}
        self._earlier = {day: held for day, held in self._earlier.items() if day in self._places}

    def _opens(self) -> Table:
        return self.arrays.opens[: self.arrays.numbers[layout.OPENS_USED]]

    def _terms_of(self, limits: LimitSet) -> int:
        number = self._terms_numbers.get(id(limits))
        if number is None:
            number = self._terms_numbers[id(limits)] = len(self._terms)
            self._terms.append(limits)
        return number

    def close(self, open_day: OpenDay) -> ClosedRows | None:
        """Return the rows of a day that has closed; None if it has none."""
        place = self._places.get(open_day.day)
        if place is None:
            return None
        row = self.arrays.opens[place]
        if not row["account_days"]:
            return None
        self._compaction.day_closes(self.arrays)
        closed = ClosedRows(self, open_day, int(row["first"]), int(row["account_days"]))
        self.closed.append(closed)
        return closed

    def closed_done(self, closed: ClosedRows) -> None:
        """Forget of a closed day whose account-days have all been emitted."""
        self.closed.remove(closed)
        self._compaction.day_emitted(self.arrays)

    def compact(self) -> None:
        """Give back the room of what is gone, if it is much; all entries have been taken.

        Numbers of accounts are others then, so it is no run's time.
        """
        if self.closed or not self._compaction.take_due():
            return
        self.arrays, numbers, places = self._compaction.moved(self.arrays)
        self._numbers = {name: int(numbers[number]) for name, number in self._numbers.items()}
        self.told = {int(places[place]): told for place, told in self.told.items()}
        for own, (attributes, _) in enumerate(self._owns):
            self.arrays.own_tails[own] = self._put_text(tail_of(attributes))
        needed = self._compaction.ids_needed(self.arrays)
        if needed is not None:
            self.arrays = self.arrays._replace(ids=room.ids_moved(self.arrays, needed))
        self._found = None
        self._great = {
            key: content
            for key, content in self._great.items()
            if self.find_id(key)[0] in self._places
        }

    # -- names and limits -------------------------------------------------------------------------

    def own_of(self, attributes: Attributes, account_id: str | None) -> int | None:
        """Return the number of attributes, and of the account if limits are for it alone.

        None if the segment that they name can have no number.
        """
        number = self._own_numbers.get((attributes, account_id))
        if number is None:
            segment = self.segment_number(attributes.segment)
            if segment is None:
                return None
            number = self._own_numbers[attributes, account_id] = len(self._owns)
            self._owns.append((attributes, account_id))
            if number >= self.arrays.own_segment.size:
                self.arrays = self.arrays._replace(
                    own_segment=room.longer(self.arrays.own_segment, number + 1),
                    own_tails=room.longer(self.arrays.own_tails, number + 1),
                )
            self.arrays.own_segment[number] = segment
            self.arrays.own_tails[number] = self._put_text(tail_of(attributes))
        return number

    def _own_text(self, number: int) -> bytes:
        """Return what a record of an account-day says of attributes."""
        attributes, _ = self._owns[number]
        branch, product = json_text(attributes.branch), json_text(attributes.product)
        return b',"branch":' + branch + b',"product":' + product

    def segment_number(self, segment: str | None) -> int | None:
        """Return the number of a segment, -1 of no segment; None if it can have none."""
        if segment is None:
            return NONE
        number = self._segment_numbers.get(segment)
        if number is None:
            self._know_segments()
            number = self._segment_numbers.get(segment)
        if number is None:
            arrays = self.arrays
            if arrays.numbers[layout.SEGMENTS_USED] == arrays.segments.size:
                return None
            length = self._bytes_of(segment)
            self.make_room(length)
            arrays = self.arrays
            number = int(
                tables.add_segment(
                    arrays.numbers, arrays.segments, arrays.texts, self._data, 0, length
                )
            )
            self._know_segments()
        return number

    def segment(self, number: int) -> str | None:
        """Return the segment that has a number; None of -1."""
        if number == NONE:
            return None
        if number >= len(self._segments):
            self._know_segments()
        return self._segments[number]

    def _know_segments(self) -> None:
        """Learn the names to which kernels have given numbers."""
        for number in range(len(self._segments), self.arrays.numbers[layout.SEGMENTS_USED]):
            name = self.arrays.segments[number]
            text = self._text(int(name["at"]), int(name["length"]))
            self._segments.append(text)
            self._segment_numbers[text] = number

    def _put_text(self, text: bytes) -> tuple[int, int]:
        """Put a short text among those that stay; return where it stands, and its length."""
        self.make_room()
        arrays, length = self.arrays, len(text)
        at = int(arrays.numbers[layout.TEXTS_USED])
        arrays.texts[at : at + length] = np.frombuffer(text, np.uint8)
        arrays.numbers[layout.TEXTS_USED] += length
        return at, length

    def _text(self, at: int, length: int) -> str:
        return self.arrays.texts[at : at + length].tobytes().decode()

    def learn_kind(self, open_day: OpenDay, segment: int, number: int) -> None:
        """Learn which limits watch account-days of a segment and an account."""
        own = max(int(self.arrays.accounts[number]["own"]), 0)
        self.kind_of(open_day, segment, own)

    def kind(self, number: int) -> AccountDay:
        """Return an account-day that some limits watch, by their number."""
        return self._kinds[number][1]

    def kind_of(self, open_day: OpenDay, segment: int, own: int) -> int:
        """Return the number of the limits that watch such account-days."""
        arrays, terms = self.arrays, self._terms_of(open_day.limits)
        known = self._kinds_known.get((terms, segment, own))
        if known is not None:
            return known
        attributes, account_id = self._owns[own]
        scope = (account_id or "", self.segment(segment), None, attributes.product)
        watches = open_day.limits.watches_of(*scope)
        kind = self._kind_numbers.get((id(open_day.limits), id(watches)))
        if kind is None:
            kind = self._kind_numbers[id(open_day.limits), id(watches)] = len(self._kinds)
            self._kept_watches.append(watches)
            of_kind = AccountDay(
                Account(account_id or "", 0, ""), open_day.day, watches, attributes
            )
            of_kind.segment = self.segment(segment)
            self._kinds.append((open_day.limits, of_kind))
            self._bits.append(_bits_of(open_day.limits, of_kind))
            if kind >= arrays.watch_at.shape[0]:
                taller = room.taller(arrays.watch_at, NONE), room.taller(arrays.watch_count, 0)
                self.arrays = arrays._replace(watch_at=taller[0], watch_count=taller[1])
        self._kinds_known[terms, segment, own] = kind
        self._put_kind(tables.kind_key(terms, segment, own), kind)
        return kind

    def _put_kind(self, key: Table, kind: int) -> None:
        arrays = self.arrays
        if 2 * np.count_nonzero(arrays.kind_keys) > arrays.kind_keys.size:
            keys = np.zeros(2 * arrays.kind_keys.size, np.uint64)
            kinds = np.full(keys.size, NONE, np.int32)
            for place in np.flatnonzero(arrays.kind_keys).tolist():
                into = tables.place_of_kind(keys, arrays.kind_keys[place])
                keys[into], kinds[into] = arrays.kind_keys[place], arrays.kind_of[place]
            arrays = self.arrays = arrays._replace(kind_keys=keys, kind_of=kinds)
        place = tables.place_of_kind(arrays.kind_keys, key)
        arrays.kind_keys[place], arrays.kind_of[place] = key, kind

    def learn_watches(self, open_day: OpenDay, segment: int, number: int, series: int) -> None:
        """Learn which limits a transaction can move, of an account-day that is there or begins."""
        arrays = self.arrays
        account = arrays.accounts[number]
        place = tables.day_of_account(arrays.days, int(account["head"]), open_day.day)
        if place == NONE:
            kind = self.kind_of(open_day, segment, max(int(account["own"]), 0))
        else:
            kind = int(arrays.days[place]["kind"])
        arrays = self.arrays
        limits, of_kind = self._kinds[kind]
        watches = limits.watch(of_kind, series)
        rows = np.zeros(len(watches), layout.WATCHES)
        for row, watch in zip(rows, watches, strict=True):
            row["first"], row["second"] = watch.first, watch.second
            row["look_above"] = min(watch.look_above, layout.CONTENT_MAX)
            row["bit"] = self._bits[kind].get(watch.threshold.threshold_id, NONE)
        arrays.watch_at[kind, series] = arrays.watches.size
        arrays.watch_count[kind, series] = len(rows)
        self.arrays = arrays._replace(watches=np.concatenate([arrays.watches, rows]))

    # -- rows and objects -------------------------------------------------------------------------

    def number_of(self, account_id: str) -> int:
        """Return the number of an account, which begins if it has none."""
        number = self._numbers.get(account_id)
        if number is not None:
            return number
        numbers = self.arrays.numbers
        if (
            numbers[layout.ACCOUNTS_USED] + 1 >= self.arrays.accounts.size
            or numbers[layout.TEXTS_USED] + layout.SPARE_TEXTS > self.arrays.texts.size
        ):
            self.make_room()
        arrays = self.arrays
        length = self._bytes_of(account_id)
        return int(
            tables.known_or_new(
                arrays.numbers,
                arrays.accounts,
                arrays.index,
                arrays.texts,
                arrays.bucket_first,
                self._data,
                0,
                length,
            )
        )

    def has_rows(self, account_id: str) -> bool:
        """Return whether anything of an account stands in rows."""
        arrays = self.arrays
        length = self._bytes_of(account_id)
        return bool(
            tables.has_rows(
                arrays.numbers, arrays.accounts, arrays.index, arrays.texts, self._data, length
            )
        )

    def account_ids(self) -> Iterator[str]:
        """Yield the ids of the accounts of which something stands in rows."""
        accounts = self.arrays.accounts[: self.arrays.numbers[layout.ACCOUNTS_USED]]
        for number in np.flatnonzero(accounts["head"] != NONE).tolist():
            yield self.account_id(number)

    def account_id(self, number: int) -> str:
        """Return the id of an account."""
        account = self.arrays.accounts[number]
        return self._text(int(account["id_at"]), int(account["id_length"]))

    def count(self) -> int:
        """Return of how many accounts something stands in rows."""
        used = self.arrays.numbers[layout.ACCOUNTS_USED]
        return int(np.count_nonzero(self.arrays.accounts["head"][:used] != NONE))

    def note_number(self, account_id: str, number: int) -> None:
        """Note the number that a kernel has found, of an account that may become an object."""
        self._numbers[account_id] = number

    def make_object(self, account: Account, open_days: dict[int, OpenDay]) -> None:
        """Take an account's rows into an object, which has its days from here on."""
        number = self._numbers[account.account_id] = self.number_of(account.account_id)
        arrays = self.arrays
        own, place = tables.leave(arrays.accounts, number)
        if place == NONE:
            return
        attributes, _ = self._owns[max(own, 0)]
        made: list[AccountDay] = []
        while place != NONE:
            next_place, day, *fields = tables.take_day(
                arrays.numbers,
                arrays.accounts,
                arrays.days,
                arrays.opens,
                arrays.bucket_dirty,
                place,
            )
            if day:
                open_day = open_days[day]
                told = self.told.pop(place, NOTHING_TOLD)
                account_day = self._account_day(
                    account, day, attributes, told, fields, open_day.limits
                )
                open_day.account_days[account_day] = None
                made.append(account_day)
            else:
                of_closed = (closed.make_object(place, account) for closed in self.closed)
                made.append(next(found for found in of_closed if found is not None))
                self.give_up(place)
            place = next_place
        account.days = tuple(reversed(made))

    def _account_day(
        self,
        account: Account,
        day: int,
        attributes: Attributes,
        told: Mapping[str, Told],
        fields: Sequence[int],
        limits: LimitSet,
    ) -> AccountDay:
        """Return an account-day; `fields` are those that `_take_day` gives of it."""
        segment, segment_time, currency, *totals = fields
        account_day = AccountDay(account, day, None, attributes)
        account_day.segment = self.segment(segment)
        account_day.segment_time = segment_time
        account_day.currency = CURRENCY_CODES[currency]
        account_day.told = told
        account_day.counts = [*totals, 0]
        account_day.watches = limits.watches_of(
            account.account_id, account_day.segment, None, attributes.product
        )
        return account_day

    def view(self, place: int, limits: LimitSet, account: Account | None = None) -> AccountDay:
        """Return the account-day of a row as an object."""
        totals, segment_time, number, _, _, _, day, _, segment, told, currency = self.arrays.days[
            place
        ].item()
        of_account = self.arrays.accounts[number]
        attributes, _ = self._owns[max(int(of_account["own"]), 0)]
        if account is None:
            account = Account(self.account_id(number), int(of_account["bucket"]), "")
        fields = segment, segment_time, currency, *totals[:4].tolist()
        was_told = self.told[place] if told else NOTHING_TOLD
        return self._account_day(account, day, attributes, was_told, fields, limits)

    def give_up(self, place: int) -> None:
        """Take a row from its account; its bucket must be written."""
        arrays = self.arrays
        number = int(arrays.days[place]["account"])
        self.told.pop(place, None)
        arrays.bucket_dirty[arrays.accounts[number]["bucket"]] = 1
        tables.drop_day(arrays.numbers, arrays.accounts, arrays.days, place)

    def forget_object(self, account: Account) -> None:
        """Let an account of which nothing is held any more begin in rows again."""
        number = self.number_of(account.account_id)
        self._numbers.pop(account.account_id, None)
        tables.come_back(self.arrays.accounts, self.arrays.bucket_dirty, number, 0)

    def put_rows(
        self, account: Account, open_days: dict[int, OpenDay], account_id: str | None
    ) -> bool:
        """Make rows of an account's open days, if each can be one; return whether they are.

        `account_id` is its id if a limit is for it alone.
        """
        prepared: list[tuple[int, ...]] = []
        for account_day in account.days:
            if account_day.facts is not None:
                return False  # as most that are not ordinary
            segment = self.segment_number(account_day.segment)
            own = self.own_of(account_day.attributes, account_id)
            totals = account_day.counts
            if (
                account_day.day not in open_days
                or account_day.more is not None
                or account_day.peer_group is not None
                or account_day.currency not in CURRENCY_NUMBER
                or max(totals) >= layout.TOTAL_MAX
                or min(totals) < 0
                or segment is None
                or own is None
            ):
                return False
            open_day = open_days[account_day.day]
            kind = self.kind_of(open_day, segment, own)
            told = 0
            for threshold_id, of_limit in account_day.told.items():
                bit = self._bits[kind].get(threshold_id)
                if bit is None or of_limit.status == Status.WITHDRAWN:
                    return False
                told |= 1 << bit
            prepared.append(
                (
                    own,
                    self._places[account_day.day],
                    kind,
                    segment,
                    account_day.segment_time,
                    CURRENCY_NUMBER[account_day.currency],
                    told,
                    *totals[:4],
                )
            )
        if len({own for own, *_ in prepared}) > 1 or len(prepared) > layout.SPARE:
            return False  # its days were decided by several attributes, or are too many
        number = self.number_of(account.account_id)
        self._make_room_for_days(len(prepared))
        arrays = self.arrays
        for account_day, (own, *of_day) in zip(account.days, prepared, strict=True):
            del open_days[account_day.day].account_days[account_day]
            place = tables.put_day(
                arrays.numbers, arrays.accounts, arrays.days, arrays.opens, number, own, *of_day
            )
            if account_day.told:
                self.told[place] = account_day.told
        del self._numbers[account.account_id]
        tables.come_back(arrays.accounts, arrays.bucket_dirty, number, len(prepared))
        return True

    # -- what is kept -----------------------------------------------------------------------------

    def take_in_python(self) -> dict[str, int]:
        """Return on how many records Python has decided since the last call, by the reason."""
        counts = self.arrays.in_python.tolist()
        self.arrays.in_python[:] = 0
        return {reason: n for reason, n in zip(layout.IN_PYTHON, counts, strict=True) if n}

    @property
    def is_dirty(self) -> bool:
        """Whether a bucket must be written."""
        return bool(self.arrays.bucket_dirty.any())

    def take_dirty(self) -> list[int]:
        """Return the buckets that must be written, and forget them."""
        dirty = np.flatnonzero(self.arrays.bucket_dirty).tolist()
        self.arrays.bucket_dirty[:] = 0
        return dirty


def _bits_of(limits: LimitSet, account_day: AccountDay) -> dict[str, int]:
    """Return the bits of `told` of limits; none where each record near a limit is looked at."""
    if limits.look_permille is not None:
        return {}
    deciding = limits.deciding(*scope_of(account_day))[: layout.BITS]
    return {threshold.threshold_id: bit for bit, threshold in enumerate(deciding)}
