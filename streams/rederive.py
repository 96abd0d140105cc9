"""Derives an alert again: the same engine over the records of its partition, as far as needed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from monitor.core.alert import Alert
from monitor.core.business_day import day_of_text
from monitor.core.transaction import Rejection, Transaction
from monitor.engine import Engine
from monitor.explanation import LIMIT_KINDS
from monitor.policy import Policy, PolicyBook
from streams import codec

Chain = Sequence[Mapping[str, Any]]
"""What was told of one alert_id, by revision, up to the one that is explained."""

RUN_RECORDS: Final = 5000
"""Records that are taken at a time; how many changes nothing of what is told."""


class Rederivation:
    """One partition's engine on the way to an alert.

    `chain` ends with the alert. It is done when the alert was told again, or cannot be any more: an
    alert of a limit when its account-day has closed, another one at the record that told it. A
    policy version by which the chain says that something was told (the alert then has no
    transaction_id) comes into force where it did then.
    """

    def __init__(self, chain: Chain, book: PolicyBook, partition: int, partitions: int) -> None:
        self.told = chain[-1]
        self.taken: dict[int, Transaction] = {}
        self.book, self._later = _books(chain, book)
        self._engine = Engine(partition, self.book, partitions=partitions)
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
        return bool(self._engine.offset_last >= self.told["offset"])

    @property
    def is_closed(self) -> bool:
        """Whether the account-day has closed."""
        return self._is_closed

    @property
    def alert(self) -> dict[str, Any] | None:
        """The alert as it is told now, as it is written; None where it is not told at all.

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
        until = min((mark for mark in marks if mark >= offsets[begin]), default=offsets[-1])
        end = begin + 1
        while end < len(offsets) and end - begin < RUN_RECORDS and offsets[end] <= until:
            end += 1
        return end

    def _observe(self, offsets: Sequence[int], items: Sequence[Transaction | Rejection]) -> None:
        account_id = self.told["account_id"]
        for offset, item in zip(offsets, items, strict=True):
            if isinstance(item, Transaction) and item.account_id == account_id:
                self.taken[offset] = item
        self._take_policies(offsets[0] - 1)
        self._engine.observe(offsets, items)
        self._take_policies(offsets[-1])
        step = self._engine.take_step()
        for offset, _ in step.rejections:
            self.taken.pop(offset, None)
        for alert in step.alerts:
            if alert.alert_id == self.told["alert_id"]:
                self._again[alert.revision] = alert
        self._is_closed = self._is_closed or any(
            closed.account_id == account_id and closed.account_day.day == self._day
            for closed in step.account_days
        )

    def _take_policies(self, offset: int) -> None:
        """Let the versions come into force that came up to an offset."""
        for mark in [mark for mark in self._later if mark <= offset]:
            for policy in self._later.pop(mark):
                self.book.add(policy)
            self._engine.policies_changed()


def _books(chain: Chain, book: PolicyBook) -> tuple[PolicyBook, dict[int, list[Policy]]]:
    """Return the policies to begin with, and those that come later, by the offset before them.

    Versions after the alert's own were not in force when it was told; where its own is not there,
    all that are there count, and the version is what differs. The models are left out where no
    figure of the alert can come from them.
    """
    told = chain[-1]
    policies = list(book.policies)
    if any(policy.version == told["policy_version"] for policy in policies):
        policies = [policy for policy in policies if policy.version <= told["policy_version"]]
    if not _needs_models(told, policies):
        policies = [policy._replace(outliers=None) for policy in policies]
    came = {
        alert["policy_version"]: alert["offset"]
        for alert in reversed(chain)
        if alert["transaction_id"] is None and alert["kind"] in LIMIT_KINDS
    }
    later: dict[int, list[Policy]] = {}
    for policy in policies:
        if policy.version in came:
            later.setdefault(came[policy.version], []).append(policy)
    first = [policy for policy in policies if policy.version not in came]
    return (PolicyBook(first), later) if first else (PolicyBook(policies), {})


def _needs_models(told: Mapping[str, Any], policies: Sequence[Policy]) -> bool:
    return told["kind"] not in LIMIT_KINDS or any(
        threshold.peer_group is not None for policy in policies for threshold in policy.thresholds
    )
