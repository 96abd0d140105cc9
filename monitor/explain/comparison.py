"""An alert beside what the same records give now: figure by figure, and what makes up its value.

Nothing here decides: two alerts as they are written are laid side by side, and the transactions of
an account-day are added up one by one, apart from the engine that told it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from monitor.core.alert import Kind, Status
from monitor.core.business_day import Calendar, day_of_text, event_time_of, event_time_text
from monitor.core.money import EXPONENT, amount_text
from monitor.core.table_reader import TableReader
from monitor.core.threshold import Direction, Measure
from monitor.core.transaction import DEBIT, Transaction
from monitor.gauges.gauge import Party, party_of
from monitor.gauges.paid import PaidDays
from monitor.gauges.rates import Rate, converted
from monitor.gauges.telling import EVERY_CURRENCY, where_fields
from monitor.gauges.where import GaugeFilter
from monitor.policy.lists import NO_LISTS
from monitor.policy.policy import Policy
from monitor.policy.where import where_stated

AMOUNT_KINDS: Final = ("daily-amount",)
LIMIT_KINDS: Final = (*AMOUNT_KINDS, "daily-count")
"""Kinds whose value is a plain sum over the transactions of one account-day."""

SUMS: Final = (
    Measure.AMOUNT.value,
    Measure.SHARE.value,
    Measure.RATIO.value,
    Measure.NEAR.value,
)
"""Measures of which the parts are amounts that are added up."""

OF_TELLING: Final = ("revision", "value_before", "transaction_id", "event_time", "offset")
"""Figures that say by which record, and as which revision, an alert was told; no other does."""

ABSENT: Final = "(none)"


class Figure(NamedTuple):
    """One figure of an alert: as it was told, and as it is derived again."""

    name: str
    told: object
    now: object

    @property
    def is_same(self) -> bool:
        """Return whether both are the same, in type too."""
        return type(self.told) is type(self.now) and self.told == self.now


class Part(NamedTuple):
    """A transaction that is part of a value: its offset, and the total up to it.

    `total` is in minor units of the alert's currency, or in transactions.
    """

    offset: int
    transaction: Transaction
    total: int

    def fields(self) -> dict[str, object]:
        """Return it as it is written, without its total."""
        transaction = self.transaction
        return {
            "offset": self.offset,
            "event_time": event_time_text(transaction.event_time),
            "transaction_id": transaction.transaction_id,
            "direction": transaction.direction,
            "amount": amount_text(transaction.amount_minor, EXPONENT[transaction.currency]),
            "currency": transaction.currency,
        }


def figures_of(told: Mapping[str, Any], now: Mapping[str, Any] | None) -> list[Figure]:
    """Return the figures of an alert side by side, in the order in which it is written.

    What one of the two has not is `ABSENT`; all of `now` is where it was not told again.
    """
    was, is_now = dict(_flat("", told)), dict(_flat("", now or {}))
    names = [*was, *(name for name in is_now if name not in was)]
    return [Figure(name, was.get(name, ABSENT), is_now.get(name, ABSENT)) for name in names]


def says_the_same(told: Mapping[str, Any], derived: Mapping[str, Any]) -> bool:
    """Return whether two alerts mean the same, by whichever record and revision each was told.

    Raised and restated are the same there: both stand.
    """

    def meant(alert: Mapping[str, Any]) -> dict[str, Any]:
        stands = alert["status"] != Status.WITHDRAWN.value
        return {name: alert[name] for name in alert if name not in OF_TELLING} | {"status": stands}

    return meant(told) == meant(derived)


def moved_note(told: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return what to say of an alert that says the same and was told by another record."""
    if all(told[name] == now[name] for name in (*OF_TELLING, "status")):
        return None
    return (
        f"it says the same as revision {now['revision']} here, told at offset {now['offset']}; it"
        f" was revision {told['revision']}, told at offset {told['offset']}: a worker hears of an"
        " incident a moment after it is decided"
    )


def _flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield the plain values within a value, each by its whole name."""
    inner: Iterable[tuple[object, object]]
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list):
        inner = ((_place_name(place, part), part) for place, part in enumerate(value, 1))
    else:
        yield name, value
        return
    for key, part in inner:
        yield from _flat(f"{name}.{key}" if name else str(key), part)


def _place_name(place: int, value: object) -> object:
    """Return how an entry is called: days by their date, totals by currency, others by place."""
    if isinstance(value, Mapping) and "business_day" in value:
        return value["business_day"]
    return value["currency"] if isinstance(value, Mapping) and "currency" in value else place


def parts_of(
    alert: Mapping[str, Any],
    taken: Mapping[int, Transaction],
    calendar: Calendar,
    offset_last: int | None,
    policy: Policy | None = None,
) -> list[Part]:
    """Return the transactions that make up an alert's value, with the total up to each.

    `taken` has the account's transactions that were taken in, by offset; those after `offset_last`
    do not count yet (None: all do). Each has the amount that reversals have left of it. Of an alert
    that is no plain sum, all transactions of its business day are returned, and counted; of a
    review, those of all days that it lists; of a limit on a gauge, those that it measured.
    `policy` is the version that decided, if it is there.
    """
    if alert["kind"] == Kind.LIMIT.value:
        return _measured(Measured(alert, calendar, policy), _standing(taken, offset_last))
    days = {day_of_text(alert["business_day"])}
    if alert["kind"] == Kind.REVIEW.value:
        days = {day_of_text(listed["business_day"]) for listed in alert["evidence"]["days"]}
    is_sum = alert["kind"] in LIMIT_KINDS
    counts_amounts = alert["kind"] in AMOUNT_KINDS
    parts: list[Part] = []
    total = 0
    for offset, transaction in _standing(taken, offset_last):
        if calendar.day_of(transaction.event_time) not in days:
            continue
        if is_sum and not _is_measured(alert, transaction):
            continue
        total += transaction.amount_minor if counts_amounts else 1
        parts.append(Part(offset, transaction, total))
    return parts


class Measured:
    """What an alert has measured: a period of an account, or a part of it."""

    def __init__(
        self, alert: Mapping[str, Any], calendar: Calendar, policy: Policy | None = None
    ) -> None:
        said = alert["evidence"]["measured"]
        begin, end = event_time_of(said["from"]), event_time_of(said["to"])
        assert begin is not None, "it was written by us"
        assert end is not None, "it was written by us"
        # A window has its end and not its begin; of days it is the other way round.
        is_rolling = said["period"] not in {"day", "week", "month"}
        self._begin, self._end = begin + is_rolling, end + is_rolling
        self.sums_amounts = said["measure"] in SUMS
        self._calendar = calendar
        self._base = alert["currency"] if said.get("currency") == EVERY_CURRENCY else None
        self._currency = alert["currency"] if self._base is None else None
        self._rates = _rates_said(alert["evidence"].get("converted", {}))
        self._of_days: dict[tuple[str, int], int] = {}  # what is to be converted, so far
        is_net = said["measure"] == Measure.NET
        self._direction = Direction.BOTH if is_net else Direction(alert["direction"])
        self._per = [(Party(name), whose) for name, whose in said.get("per", {}).items()]
        self._of = [Party(said["of"])] if said["measure"] == Measure.DISTINCT else []
        self._paid = PaidDays(())
        self._where = _filter_of(alert, policy)
        self._parts = tuple(self._where.parts())

    def grown_by(self, transaction: Transaction) -> int:
        """Return by how much the value grows as a transaction is added to those before it.

        In a base that is by what its day has in its currency then, as the alert's rates have it.
        """
        if not self.sums_amounts:
            return 1
        if self._base is None:
            return transaction.amount_minor
        currency = transaction.currency
        key = currency, self._calendar.day_of(transaction.event_time)
        rate = self._rates.get(key)
        before = self._of_days.get(key, 0)
        after = self._of_days[key] = before + transaction.amount_minor
        if rate is None:
            return 0
        was, is_now = (converted(minor, rate, currency, self._base) for minor in (before, after))
        return is_now - was

    def note_paid(self, transactions: Iterable[Transaction]) -> None:
        """Note whom the account has paid: a filter may ask for new ones."""
        self._paid = PaidDays(
            sorted(
                (self._calendar.day_of(paid.event_time), paid.counterparty_id)
                for paid in transactions
                if paid.direction == DEBIT and paid.counterparty_id
            )
        )

    def has(self, transaction: Transaction) -> bool:
        """Return whether a transaction of the account is in it."""
        day = self._calendar.day_of(transaction.event_time)
        return (
            self._begin <= transaction.event_time < self._end
            and self._currency in {None, transaction.currency}
            and self._direction in {Direction.BOTH, Direction(transaction.direction)}
            and all(party_of(transaction, party) == whose for party, whose in self._per)
            and all(party_of(transaction, party) for party in self._of)
            and all(part(transaction, day, self._calendar) for part in self._parts)
            and self._is_new(transaction.counterparty_id, day)
        )

    def _is_new(self, whom: str | None, day: int) -> bool:
        within = self._where.new_within
        return within is None or (whom is not None and self._paid.is_new(whom, day, within))


def _filter_of(alert: Mapping[str, Any], policy: Policy | None) -> GaugeFilter:
    """Return the filter of an alert's limit: the policy's, or what the alert says of it."""
    said, currency = alert["evidence"]["measured"], alert["currency"]
    for limit in () if policy is None else policy.gauges:
        where = limit.gauge.where
        is_its = limit.limit_id == alert["threshold_id"]
        if is_its and where_fields(where, currency) == said.get("where", {}):
            return where
    # A filter by holidays without any in the period: one that is none of its days.
    holidays = tuple(map(day_of_text, said.get("holidays") or ["0001-01-01"]))
    stated = TableReader({"where": said.get("where", {})})
    return where_stated(stated, currency, NO_LISTS if policy is None else policy.lists, holidays)


def _measured(measured: Measured, standing: Iterable[tuple[int, Transaction]]) -> list[Part]:
    parts: list[Part] = []
    total = 0
    taken = [*standing]
    measured.note_paid(transaction for _, transaction in taken)
    for offset, transaction in taken:
        if measured.has(transaction):
            total += measured.grown_by(transaction)
            parts.append(Part(offset, transaction, total))
    return parts


def _rates_said(said: Mapping[str, Any]) -> dict[tuple[str, int], Rate]:
    """Return the rates that an alert states, by currency and business day."""
    return {
        (its["currency"], day_of_text(day["business_day"])): Rate(
            day_of_text(day["rate_of"]), day["rate"]
        )
        for its in said.get("amounts", ())
        for day in its["days"]
        if day["rate"] is not None
    }


def _standing(
    taken: Mapping[int, Transaction], offset_last: int | None
) -> list[tuple[int, Transaction]]:
    """Return the transactions of which anything is left, by offset, each with what is left of it.

    A reversal is of the latest transaction before it that has the id it names, or of the first one
    after it: that it waited for.
    """
    offsets: dict[str, list[int]] = {}
    for offset in sorted(taken):
        if offset_last is None or offset <= offset_last:
            offsets.setdefault(taken[offset].transaction_id, []).append(offset)
    known = sorted(offset for known_offsets in offsets.values() for offset in known_offsets)
    left = {offset: taken[offset].amount_minor or 1 for offset in known}
    reversals: dict[int, list[int]] = {}
    for offset in known:
        name = taken[offset].reverses
        if name is not None and name in offsets:
            before = [earlier for earlier in offsets[name] if earlier < offset]
            reversals.setdefault(before[-1] if before else offsets[name][0], []).append(offset)
    _take_back(taken, left, reversals)
    return [
        (offset, taken[offset]._replace(amount_minor=min(left[offset], taken[offset].amount_minor)))
        for offset in known
        if taken[offset].reverses is None and left[offset] > 0
    ]


def _take_back(
    taken: Mapping[int, Transaction], left: dict[int, int], reversals: Mapping[int, list[int]]
) -> None:
    """Take out of what is `left` of each original what its reversals have taken, by offset."""
    for root in [offset for offset in left if taken[offset].reverses is None]:
        is_of_nothing = not taken[root].amount_minor
        chain = [(reversing, -1) for reversing in reversals.get(root, ())]
        for offset, sign in chain:  # it grows: reversals of reversals
            left[root] += sign * (1 if is_of_nothing else taken[offset].amount_minor)
            chain.extend((reversing, -sign) for reversing in reversals.get(offset, ()))


def _is_measured(alert: Mapping[str, Any], transaction: Transaction) -> bool:
    return alert["currency"] in {None, transaction.currency} and alert["direction"] in {
        Direction.BOTH.value,
        transaction.direction,
    }


def total_text(alert: Mapping[str, Any], parts: Sequence[Part]) -> str | int:
    """Return the sum of the parts as an alert's value is written."""
    total = parts[-1].total if parts else 0
    if alert["kind"] not in AMOUNT_KINDS:
        return total
    return amount_text(total, EXPONENT[alert["currency"]])


def causes_of(figures: Sequence[Figure]) -> list[str]:
    """Return what differs, as sentences: what decides first, what follows from it afterwards."""
    by_name = {figure.name: figure for figure in figures if not figure.is_same}
    causes = []
    for name, said in _CAUSES:
        if figure := by_name.get(name):
            causes.append(said.format(told=figure.told, now=figure.now))
    if not causes and by_name:
        causes.append(f"it differs in {', '.join(by_name)}")
    return causes


_CAUSES: Final = (
    ("policy_version", "policy version {now} decides here, version {told} told it"),
    ("limit", "the limit is {now} here, it was {told}"),
    ("value", "the records come to {now} here, the alert told {told}"),
    ("partition", "the account is dealt to partition {now} here, the alert is of {told}"),
    ("transaction_id", "transaction {now} tips it here, it was {told}"),
    ("offset", "the record that tips it stands at offset {now} here, it stood at {told}"),
    ("revision", "it is revision {now} here, it was {told}"),
)  # fmt: skip
"""Figures that say why others differ, with the sentence for each."""
