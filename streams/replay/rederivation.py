"""Derives an alert again: the same engine over the records of its partition, as far as needed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from monitor.core.alert import Alert, Kind
from monitor.core.attributes import AttributeBook, Attributes
from monitor.core.business_day import Calendar, day_of_text
from monitor.core.transaction import Rejection, Transaction
from monitor.engine.engine import Engine
from monitor.explain.comparison import LIMIT_KINDS
from monitor.policy.policy import Policy, PolicyBook
from streams.wire import codec

Chain = Sequence[Mapping[str, Any]]
"""What was told of one alert_id, by revision, up to the one that is explained."""

_WITHOUT_MODELS: Final = (*LIMIT_KINDS, Kind.LIMIT.value)

RUN_RECORDS: Final = 5000
"""Records that are taken at a time; how many changes nothing of what is told."""


class Late(StrEnum):
    """What came while the stream ran, and only then: an alert may have been told by it alone."""

    NOTHING = "nothing"
    POLICIES = "policies"
    ATTRIBUTES = "attributes"


def lateness_of(chain: Chain) -> list[Late]:
    """Return what may have come late, to be tried in turn: nothing where a record is the cause.

    An alert that no record caused does not say what did: a policy version, or attributes.
    """
    is_by_record = all(
        alert["transaction_id"] is not None for alert in chain if alert["kind"] in _WITHOUT_MODELS
    )
    return [Late.NOTHING] if is_by_record else list(Late)


class Derived(NamedTuple):
    """What became of an alert that was derived again.

    `now` is the alert as the records tell it, None if they tell none. `taken` has the account's
    transactions that count, by offset. `is_closed`: its account-day has closed.
    `may_move`: it may be told by another record and as another revision, and mean the same.
    `policy` is the version that decides for its day.
    """

    told: Mapping[str, Any]
    now: Mapping[str, Any] | None
    taken: Mapping[int, Transaction]
    calendar: Calendar
    is_closed: bool
    may_move: bool = False
    policy: Policy | None = None


class AccountRecords:
    """An account's transactions that count, by offset: a reversal that waits does not, yet."""

    def __init__(self) -> None:
        self.transactions: dict[int, Transaction] = {}
        self._waiting: dict[int, Transaction] = {}

    def add(self, offset: int, transaction: Transaction) -> None:
        """Take a record in; what is decided of it is told afterwards."""
        self.transactions[offset] = transaction

    def decide(
        self, waiting: Iterable[int], settled: Iterable[int], rejected: Iterable[int]
    ) -> None:
        """Take what was decided of records: reversals that wait, or no longer do, and rejections.

        Offsets of other accounts' records do not matter.
        """
        _move(waiting, self.transactions, self._waiting)
        _move(settled, self._waiting, self.transactions)
        for offset in rejected:
            self.transactions.pop(offset, None)


def _move(
    offsets: Iterable[int], source: dict[int, Transaction], target: dict[int, Transaction]
) -> None:
    for offset in offsets:
        if offset in source:
            target[offset] = source.pop(offset)


class Rederivation:
    """One partition's engine on the way to an alert.

    `chain` ends with the alert. It is done when the alert was told again, or cannot be any more: an
    alert of a limit when its account-day has closed, another one at the record that told it.
    `late`: these policy versions, or the account's attributes, come where the chain says that
    something was told without a record.
    """

    def __init__(
        self,
        chain: Chain,
        book: PolicyBook,
        partition: int,
        partitions: int,
        attributes: AttributeBook | None = None,
        late: Late = Late.NOTHING,
    ) -> None:
        self.told = chain[-1]
        self._counted = AccountRecords()
        self.book, self._later = _books(chain, book, late)
        self._engine = Engine(partition, self.book, partitions=partitions)
        self._attributes_at: int | None = None
        self._held: Attributes | None = None
        if attributes is not None:
            self._engine.ledger.attributes = attributes
            if late is Late.ATTRIBUTES:
                self._hold_attributes(chain)
        self._day = day_of_text(self.told["business_day"])
        self._again: dict[int, Alert] = {}
        self._is_closed = False

    @property
    def partition(self) -> int:
        """The partition that is replayed."""
        return self._engine.partition

    @property
    def is_done(self) -> bool:
        """Whether further records change nothing of the answer."""
        if self.told["revision"] in self._again:
            return True
        if self.told["kind"] in LIMIT_KINDS:
            return self._is_closed
        return bool(self._engine.ledger.offset_last >= self.told["offset"])

    @property
    def derived(self) -> Derived:
        """What it came to."""
        calendar = self.book.calendar.calendar()
        policy, _ = self.book.for_day(self._day)
        taken = self._counted.transactions
        return Derived(self.told, self.alert, taken, calendar, self._is_closed, policy=policy)

    @property
    def alert(self) -> dict[str, Any] | None:
        """The alert as it is told now, as it is written; None if it is not told at all.

        Where the revision is not told again, the last one before it is given.
        """
        revisions = [number for number in self._again if number <= self.told["revision"]]
        if not revisions:
            return None
        written: dict[str, Any] = json.loads(codec.alert_bytes(self._again[max(revisions)]))
        return written

    def take(self, offsets: Sequence[int], items: Sequence[Transaction | Rejection]) -> None:
        """Take a run of the partition's records, in order; what comes after the end is not read."""
        begin = 0
        while begin < len(offsets) and not self.is_done:
            end = self._end_of_piece(offsets, begin)
            self._observe(offsets[begin:end], items[begin:end])
            begin = end

    def _end_of_piece(self, offsets: Sequence[int], begin: int) -> int:
        """Return how far a piece of a run goes: to where the alert was told, or a version came."""
        marks = [self.told["offset"], *self._later]
        if self._attributes_at is not None:
            marks.append(self._attributes_at)
        until = min((mark for mark in marks if mark >= offsets[begin]), default=offsets[-1])
        end = begin + 1
        while end < len(offsets) and end - begin < RUN_RECORDS and offsets[end] <= until:
            end += 1
        return end

    def _observe(self, offsets: Sequence[int], items: Sequence[Transaction | Rejection]) -> None:
        account_id = self.told["account_id"]
        for offset, item in zip(offsets, items, strict=True):
            if isinstance(item, Transaction) and item.account_id == account_id:
                self._counted.add(offset, item)
        self._take_late(offsets[0] - 1)
        self._engine.observe(offsets, items)
        self._take_late(offsets[-1])
        if offsets[-1] >= self.told["offset"]:
            while self._engine.has_closing_days:  # what a midnight left over is told by it, too
                self._engine.close_account_days()
        step = self._engine.take_step()
        self._counted.decide(
            waiting=[reversal.offset for reversal in step.waiting],
            settled=step.settled,
            rejected=[offset for offset, _ in step.rejections],
        )
        for alert in step.alerts:
            if alert.alert_id == self.told["alert_id"]:
                self._again[alert.revision] = alert
        self._is_closed = self._is_closed or any(
            closed.account_id == account_id and closed.account_day.day == self._day
            for closed in step.account_days
        )

    def _hold_attributes(self, chain: Chain) -> None:
        """Begin without the account's attributes, until what was first told without a record."""
        engine, account_id = self._engine, self.told["account_id"]
        self._held = engine.ledger.attributes.known.get(account_id)
        engine.ledger.attributes = AttributeBook()
        self._attributes_at = next(
            alert["offset"] for alert in chain if alert["transaction_id"] is None
        )

    def _take_late(self, offset: int) -> None:
        """Let come what came up to an offset: policy versions, and the account's attributes."""
        account_id = self.told["account_id"]
        if self._attributes_at is not None and self._attributes_at <= offset:
            self._attributes_at = None
            if self._engine.ledger.attributes.take(account_id, self._held):
                self._engine.attributes_changed([account_id])
        for mark in [mark for mark in self._later if mark <= offset]:
            for policy in self._later.pop(mark):
                self.book.add(policy)
            self._engine.policies_changed()


def _books(
    chain: Chain, book: PolicyBook, late: Late
) -> tuple[PolicyBook, dict[int, list[Policy]]]:
    """Return the policies to begin with, and those that come later, by the offset before them."""
    told = chain[-1]
    policies = policies_as_of(book, version_of(told))
    if not needs_models([told["kind"]], policies):
        policies = [policy._replace(outliers=None) for policy in policies]
    came = {
        alert["policy_version"]: alert["offset"]
        for alert in reversed(chain)
        if alert["transaction_id"] is None and late is Late.POLICIES
    }
    later: dict[int, list[Policy]] = {}
    for policy in policies:
        if policy.version in came:
            later.setdefault(came[policy.version], []).append(policy)
    first = [policy for policy in policies if policy.version not in came]
    if not first:
        first, later = policies, {}
    return PolicyBook(first, book.weights), later


def version_of(told: Mapping[str, Any]) -> int:
    """Return the latest policy version that decided on an alert, or whose rates are in its sum."""
    evidence = told.get("evidence")
    converted = evidence.get("converted") if isinstance(evidence, Mapping) else None
    versions = converted.get("policy_versions", ()) if isinstance(converted, Mapping) else ()
    decided: int = told["policy_version"]
    return max(decided, *versions, 0)


def policies_as_of(book: PolicyBook, version: int) -> list[Policy]:
    """Return the policies that there were with a version: it and those before it.

    Later ones were not in force when the alert was told; where its own is not there, all that are
    there count, and the version is what differs.
    """
    policies = list(book.policies)
    if any(policy.version == version for policy in policies):
        policies = [policy for policy in policies if policy.version <= version]
    return policies


def needs_models(kinds: Iterable[str], policies: Sequence[Policy]) -> bool:
    """Return whether a figure of alerts of such kinds can come from the models."""
    return any(kind not in _WITHOUT_MODELS for kind in kinds) or any(
        threshold.peer_group is not None
        for policy in policies
        for threshold in policy.every_threshold
    )
