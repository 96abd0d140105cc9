"""The ordinary accounts of a partition: what makes objects of rows, and rows of objects.

Whatever is decided of an account that is not ordinary is decided on its objects, by the engine.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from models.arrays import Bytes, Ints, longer
from monitor.core.account import NOTHING_TOLD, SERIES, Account, AccountDay, Told
from monitor.core.alert import Status
from monitor.core.attributes import NO_ATTRIBUTES, Attributes
from monitor.core.threshold import LimitSet, Watches, scope_of
from monitor.ledger.ledger import OpenDay
from monitor.ordinary import layout, room, tables
from monitor.ordinary.closed import ClosedRows
from monitor.ordinary.ids import HeldIds, TextBytes
from monitor.ordinary.kept import kept_names, tail_of
from monitor.ordinary.layout import CURRENCY_CODES, CURRENCY_NUMBER, NONE, Arrays, Table
from monitor.ordinary.names import facts_at, further_totals, is_within, put_facts, put_further
from monitor.ordinary.room import Compaction
from monitor.ordinary.written import TextTable, json_text

BETWEEN_IDS: Final = b"\xff".decode(errors="surrogateescape")
"""As the last character of a tag: the byte that is in no text."""


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
        self._kinds_known: dict[tuple[int, int, int, int], int] = {}
        self._kinds: list[tuple[LimitSet, AccountDay]] = []
        self._bits: list[dict[str, int]] = []  # of each kind's limits, by their ids
        self.told: dict[int, Mapping[str, Told]] = {}  # by the place of the account-day
        self._kind_numbers: dict[tuple[int, int], int] = {}
        self._kept_watches: list[Watches] = []  # so that none of another policy has the same id
        self._peers: list[str | None] = [None]  # names of peer groups by number
        self._peer_numbers: dict[str | None, int] = {None: 0}
        self._bytes = TextBytes()
        self.open_places: dict[int, int] = {}  # of open days in `opens`
        self.ids = HeldIds(self)
        self._numbers: dict[str, int] = {}  # of accounts that are objects, or soon will be
        self._compaction = Compaction()
        self.segment_texts = TextTable(lambda number: json_text(self.segment(number - 1)))
        self.own_texts = TextTable(self._own_text)
        self.peer_texts = TextTable(self._peer_text)
        self.own_of(NO_ATTRIBUTES, None)

    # -- room -------------------------------------------------------------------------------------

    def make_room(self, text: int = 0) -> None:
        """See that there is room for as many records again as a short run has, and for a text."""
        self.arrays = room.with_room(self.arrays, text)

    def _make_room_for_days(self, count: int) -> None:
        """See that there is room for some account-days with all they have, at most `SPARE`."""
        numbers = self.arrays.numbers.tolist()
        if (
            self.arrays.days.size - numbers[layout.DAYS_USED] + numbers[layout.FREE_DAYS] < count
            or self.arrays.facts.size - numbers[layout.FACTS_USED] + numbers[layout.FREE_FACTS]
            < count
            or self.arrays.more.size - numbers[layout.MORE_USED] + numbers[layout.FREE_MORE] < count
        ):
            self.make_room()

    # -- open days --------------------------------------------------------------------------------

    def open_days_are(self, open_days: Sequence[OpenDay]) -> None:
        """Say which days are open, in order, and by which limits each is decided."""
        arrays = self.arrays
        before = {int(row["day"]): row.copy() for row in self._opens()}
        if len(open_days) > arrays.opens.size:
            arrays = self.arrays = arrays._replace(opens=longer(arrays.opens, len(open_days)))
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
            row["looks"] = open_day.limits.look_permille is not None
        arrays.numbers[layout.OPENS_USED] = len(open_days)
        self.open_places = {open_day.day: place for place, open_day in enumerate(open_days)}
        self.ids.days_are(self.open_places)

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
        place = self.open_places.get(open_day.day)
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
        self.ids.moved()

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
                    own_segment=longer(self.arrays.own_segment, number + 1),
                    own_tails=longer(self.arrays.own_tails, number + 1),
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
            length = self._bytes.put(segment)
            self.make_room(length)
            arrays = self.arrays
            number = int(
                tables.add_segment(
                    arrays.numbers, arrays.segments, arrays.texts, self._bytes.data, 0, length
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

    def kind(self, number: int) -> AccountDay:
        """Return an account-day that some limits watch, by their number."""
        return self._kinds[number][1]

    def kind_of(self, open_day: OpenDay, segment: int, own: int, peer: int) -> int:
        """Return the number of the limits that watch such account-days."""
        arrays, terms = self.arrays, self._terms_of(open_day.limits)
        known = self._kinds_known.get((terms, segment, own, peer))
        if known is not None:
            return known
        attributes, account_id = self._owns[own]
        scope = (account_id or "", self.segment(segment), self._peers[peer], attributes.product)
        watches = open_day.limits.watches_of(*scope)
        kind = self._kind_numbers.get((id(open_day.limits), id(watches)))
        if kind is None:
            kind = self._kind_numbers[id(open_day.limits), id(watches)] = len(self._kinds)
            self._kept_watches.append(watches)
            of_kind = AccountDay(
                Account(account_id or "", 0, ""), open_day.day, watches, attributes
            )
            of_kind.segment = self.segment(segment)
            of_kind.peer_group = self._peers[peer]
            self._kinds.append((open_day.limits, of_kind))
            self._bits.append(_bits_of(open_day.limits, of_kind))
            if kind >= arrays.watch_at.shape[0]:
                taller = room.taller(arrays.watch_at, NONE), room.taller(arrays.watch_count, 0)
                self.arrays = arrays._replace(watch_at=taller[0], watch_count=taller[1])
        self._kinds_known[terms, segment, own, peer] = kind
        self._put_kind(tables.kind_key(terms, segment, own, peer), kind)
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

    def learn_kind(self, open_day: OpenDay) -> None:
        """Learn which limits watch account-days as the kernel asks for."""
        segment, own, peer = self.arrays.numbers[_LEARN].tolist()
        self.kind_of(open_day, segment, own, peer)

    def learn_watches(self) -> None:
        """Learn which limits a transaction can move, of the kind and the series asked for."""
        arrays = self.arrays
        kind, series = arrays.numbers[[layout.LEARN_KIND, layout.LEARN_SERIES]].tolist()
        limits, of_kind = self._kinds[kind]
        watches = limits.watch(of_kind, series)
        rows = np.zeros(len(watches), layout.WATCHES)
        for row, watch in zip(rows, watches, strict=True):
            row["first"], row["second"] = watch.first, watch.second
            row["look_above"] = min(watch.look_above, layout.CONTENT_MAX)
            row["above"] = min(watch.threshold.above, layout.CONTENT_MAX)
            row["bit"] = self._bits[kind].get(watch.threshold.threshold_id, NONE)
            row["is_of_all"] = watch.all_currencies
        arrays.watch_at[kind, series] = arrays.watches.size
        arrays.watch_count[kind, series] = len(rows)
        self.arrays = arrays._replace(watches=np.concatenate([arrays.watches, rows]))

    # -- what the models know ---------------------------------------------------------------------

    def forget_models(self) -> None:
        """Let no account have a row in the models."""
        self.arrays.accounts["model"] = NONE

    def know_peers(self, peers: Ints, name_of: Callable[[int], str | None]) -> None:
        """Say in which peer groups the models have accounts today, by their rows."""
        numbers = np.zeros(int(peers.max(initial=0)) + 1, np.int16)
        for peer in np.unique(peers).tolist():
            numbers[peer] = self._peer_number(name_of(peer))
        self.arrays = self.arrays._replace(peers=numbers[peers])

    def _peer_number(self, name: str | None) -> int:
        number = self._peer_numbers.get(name)
        if number is None:
            number = self._peer_numbers[name] = len(self._peers)
            self._peers.append(name)
        return number

    def _peer_text(self, number: int) -> bytes:
        """Return what a record of an account-day says of its peer group."""
        return b',"peer_group":' + json_text(self._peers[number])

    def kept_peers(self) -> Bytes:
        """Return the names of peer groups as state keeps them, by number, each in so many bytes."""
        return kept_names(self._peers)

    def product(self, own: int) -> str | None:
        """Return the product that the attributes of an account name."""
        return self._owns[own][0].product

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
        length = self._bytes.put(account_id)
        return int(
            tables.known_or_new(
                arrays.numbers,
                arrays.accounts,
                arrays.index,
                arrays.texts,
                arrays.bucket_dirty.size,
                self._bytes.data,
                0,
                length,
            )
        )

    def has_rows(self, account_id: str) -> bool:
        """Return whether anything of an account stands in rows."""
        arrays = self.arrays
        length = self._bytes.put(account_id)
        return bool(
            tables.has_rows(
                arrays.numbers,
                arrays.accounts,
                arrays.index,
                arrays.texts,
                self._bytes.data,
                length,
            )
        )

    def account_ids(self) -> Iterator[str]:
        """Yield the ids of the accounts of which something stands in rows."""
        accounts = self.arrays.accounts[: self.arrays.numbers[layout.ACCOUNTS_USED]]
        is_held = (accounts["head"] != NONE) | (accounts["rests"] != 0)
        for number in np.flatnonzero(is_held).tolist():
            yield self.account_id(number)

    def account_id(self, number: int) -> str:
        """Return the id of an account."""
        account = self.arrays.accounts[number]
        return self._text(int(account["id_at"]), int(account["id_length"]))

    def count(self) -> int:
        """Return of how many accounts something stands in rows."""
        used = self.arrays.numbers[layout.ACCOUNTS_USED]
        accounts = self.arrays.accounts[:used]
        return int(np.count_nonzero((accounts["head"] != NONE) | (accounts["rests"] != 0)))

    def near_accounts(self, day: int) -> list[str]:
        """Return the accounts that are near a limit on an open day, and were told of or rest."""
        days = self.arrays.days[: self.arrays.numbers[layout.DAYS_USED]]
        is_near = (days["account"] != NONE) & (days["day"] == day) & (days["facts"] != NONE)
        rows = days[is_near]
        is_asked = (rows["told"] != 0) | (self.arrays.accounts["rests"][rows["account"]] != 0)
        return [self.account_id(number) for number in rows["account"][is_asked].tolist()]

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
                arrays.facts,
                arrays.more,
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
                if account_day.facts is not None:
                    open_day.noted[account_day] = None
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
        segment, segment_time, currency, peer, facts, more, *totals = fields
        account_day = AccountDay(account, day, None, attributes)
        account_day.segment = self.segment(segment)
        account_day.segment_time = segment_time
        account_day.currency = CURRENCY_CODES[currency]
        account_day.peer_group = self._peers[peer]
        account_day.told = told
        account_day.counts = [*totals, 0]
        if facts != NONE:
            account_day.facts = facts_at(self.arrays.facts, facts)
        if more != NONE:
            account_day.more = further_totals(self.arrays.more[more])
        account_day.watches = limits.watches_of(*scope_of(account_day))
        return account_day

    def view(self, place: int, limits: LimitSet, account: Account | None = None) -> AccountDay:
        """Return the account-day of a row as an object."""
        row = self.arrays.days[place].item()
        totals, segment_time, number, _, _, _, day, _, segment, told, facts, more, *rest = row
        currency, peer = rest
        of_account = self.arrays.accounts[number]
        attributes, _ = self._owns[max(int(of_account["own"]), 0)]
        if account is None:
            account = Account(self.account_id(number), int(of_account["bucket"]), "")
        fields = segment, segment_time, currency, peer, facts, more, *totals[:4].tolist()
        was_told = self.told[place] if told else NOTHING_TOLD
        return self._account_day(account, day, attributes, was_told, fields, limits)

    def raised_day(
        self, place: int, account_id: str, totals: Sequence[int], open_days: dict[int, OpenDay]
    ) -> AccountDay:
        """Return an account-day with its only totals as they were when it went over a limit."""
        row = self.arrays.days[place]
        attributes, _ = self._owns[max(int(self.arrays.accounts[row["account"]]["own"]), 0)]
        day, told = int(row["day"]), self.told.get(place, NOTHING_TOLD)
        fields = [int(row[name]) for name in ("segment", "segment_time", "currency", "peer")]
        account = Account(account_id, 0, "")
        return self._account_day(
            account, day, attributes, told, [*fields, NONE, NONE, *totals], open_days[day].limits
        )

    def give_up(self, place: int) -> None:
        """Take a row from its account; its bucket must be written."""
        arrays = self.arrays
        number = int(arrays.days[place]["account"])
        self.told.pop(place, None)
        arrays.bucket_dirty[arrays.accounts[number]["bucket"]] = 1
        tables.drop_day(
            arrays.numbers, arrays.accounts, arrays.days, arrays.facts, arrays.more, place
        )

    def forget_object(self, account: Account) -> None:
        """Let an account of which nothing is held any more begin in rows again."""
        number = self.number_of(account.account_id)
        self._numbers.pop(account.account_id, None)
        tables.come_back(self.arrays.accounts, self.arrays.bucket_dirty, number, 0, 0)

    def put_rows(
        self, account: Account, open_days: dict[int, OpenDay], account_id: str | None
    ) -> bool:
        """Make rows of an account's open days, if each can be one; return whether they are.

        `account_id` is its id if a limit is for it alone.
        """
        if len(account.days) > layout.SPARE:
            return False  # there is room for so many at a time
        prepared: list[tuple[int, ...]] = []
        for account_day in account.days:
            row = self._row_of(account_day, open_days, account_id)
            if row is None or (prepared and row[0] != prepared[0][0]):
                return False  # one is remarkable, or they were decided by several attributes
            prepared.append(row)
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
            if account_day.more is not None:
                arrays.days[place]["more"] = put_further(
                    arrays.numbers, arrays.more, account_day.more
                )
            if account_day.facts is not None:
                open_days[account_day.day].noted.pop(account_day, None)
                arrays.days[place]["facts"] = put_facts(
                    arrays.numbers, arrays.facts, account_day.facts
                )
        del self._numbers[account.account_id]
        rests = int(account.review is not None)
        tables.come_back(arrays.accounts, arrays.bucket_dirty, number, len(prepared), rests)
        return True

    def _row_of(
        self, account_day: AccountDay, open_days: dict[int, OpenDay], account_id: str | None
    ) -> tuple[int, ...] | None:
        """Return what `put_day` takes of an account-day; None if it cannot be a row."""
        totals = account_day.counts
        further = account_day.more or {}
        if (
            account_day.day not in open_days
            or len(further) > layout.MORE_MAX
            or account_day.currency not in CURRENCY_NUMBER
            or max(map(max, (totals, *further.values()))) >= layout.TOTAL_MAX
            or min(map(min, (totals, *further.values()))) < 0
            or (account_day.facts is not None and not is_within(account_day.facts))
        ):
            return None
        segment = self.segment_number(account_day.segment)
        own = self.own_of(account_day.attributes, account_id)
        if segment is None or own is None:
            return None
        peer = self._peer_number(account_day.peer_group)
        kind = self.kind_of(open_days[account_day.day], segment, own, peer)
        told = 0
        for threshold_id, of_limit in account_day.told.items():
            bit = self._bits[kind].get(threshold_id)
            is_great = of_limit.value >= layout.CONTENT_MAX
            if bit is None or of_limit.status == Status.WITHDRAWN or is_great:
                return None
            told |= 1 << bit
        return (
            own, self.open_places[account_day.day], kind, segment, account_day.segment_time,
            CURRENCY_NUMBER[account_day.currency], peer, told, *totals[:4],
        )  # fmt: skip

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


_LEARN: Final = [layout.LEARN_SEGMENT, layout.LEARN_OWN, layout.LEARN_PEER]


def _bits_of(limits: LimitSet, account_day: AccountDay) -> dict[str, int]:
    """Return the bits of `told` of limits."""
    deciding = limits.deciding(*scope_of(account_day))[: layout.BITS]
    return {threshold.threshold_id: bit for bit, threshold in enumerate(deciding)}
