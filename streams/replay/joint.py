"""Derives many alerts again at once: all partitions' engines, and the systemic detection over them.

A systemic alert comes of the segment-days of all partitions, and a review leaves out the days that
one explains. So both need every partition; and one replay serves as many alerts as one likes.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from monitor.core.alert import Kind
from monitor.core.as_of import AsOf
from monitor.core.attributes import AttributeBook
from monitor.core.business_day import day_of_text
from monitor.core.transaction import Transaction
from monitor.explain.comparison import LIMIT_KINDS, says_the_same
from monitor.policy.policy import Policy, PolicyBook
from monitor.policy.weights import WeightsBook
from streams.feed.reader import Batch
from streams.replay.rederivation import AccountRecords, Derived, needs_models
from streams.replay.replay import BatchReport, Replay, Run
from streams.wire import codec

OF_MANY: Final = (Kind.REVIEW.value, Kind.SYSTEMIC.value)
"""Kinds that may need the records of all partitions."""


def needs_all_partitions(kind: str, policies: Sequence[Policy]) -> bool:
    """Return whether alerts of a kind follow from more than the records of their own partition."""
    is_systemic = any(policy.systemic is not None for policy in policies)
    return kind == Kind.SYSTEMIC.value or (kind == Kind.REVIEW.value and is_systemic)


class Sought(NamedTuple):
    """An alert to derive again, and the partition that has the records of its account here."""

    told: Mapping[str, Any]
    partition: int


class _Search:
    """The way to one alert: what was told of its id meanwhile."""

    def __init__(self, sought: Sought, *, may_move: bool) -> None:
        self.told, self.partition = sought
        self.again: list[dict[str, Any]] = []
        self.is_closed = False
        self.may_move = may_move
        self.days = {day_of_text(self.told["business_day"])}
        if self.told["kind"] in OF_MANY:
            evidence = self.told["evidence"]
            listed = [
                listed_day if isinstance(listed_day, str) else listed_day["business_day"]
                for listed_day in evidence["days"]
            ]
            self.days.update(map(day_of_text, [*listed, *evidence.get("grouped_days", ())]))

    @property
    def alert(self) -> dict[str, Any] | None:
        """The alert as it is told now, None if it is not told at all.

        It is the one of the same revision that says the same, or else the one that says the same
        under another revision; where none does, the last one up to the revision.
        """
        revision = self.told["revision"]
        same = [revised for revised in self.again if says_the_same(self.told, revised)]
        of_revision = [revised for revised in self.again if revised["revision"] == revision]
        before = [revised for revised in self.again if revised["revision"] <= revision]
        if self.may_move and same and not any(revised in same for revised in of_revision):
            return same[-1]
        return of_revision[0] if of_revision else before[-1] if before else None

    def is_done(self, replay: Replay) -> bool:
        """Return whether further records change nothing of the answer."""
        told = self.told
        if any(
            revised["revision"] == told["revision"] and says_the_same(told, revised)
            for revised in self.again
        ):
            return True
        if told["kind"] in LIMIT_KINDS:
            return self.is_closed
        if told["kind"] == Kind.SYSTEMIC.value:
            return replay.day_decided >= max(self.days)
        is_past = replay.is_past(self.partition, told["offset"])
        return is_past and (not self.may_move or replay.day_decided >= max(self.days))


class JointRederivation:
    """The engines of all partitions on the way to alerts; it ends when each is told or cannot be.

    `policies` are those that decide, `weights` what analysts taught. Batches of a file,
    or runs of a topic, are given in order.
    """

    def __init__(
        self,
        sought: Sequence[Sought],
        policies: Sequence[Policy],
        partitions: int,
        attributes: AttributeBook | None = None,
        as_of: AsOf | None = None,
        weights: WeightsBook | None = None,
    ) -> None:
        if not needs_models({request.told["kind"] for request in sought}, policies):
            policies = [policy._replace(outliers=None, systemic=None) for policy in policies]
        book = PolicyBook(list(policies), weights)
        self._calendar = book.calendar.calendar()
        self._replay = Replay(book, partitions, attributes, as_of)
        self._searches = [
            _Search(
                request, may_move=request.told["kind"] == Kind.REVIEW.value and book.is_systemic
            )
            for request in sought
        ]
        self._open = list(self._searches)
        self._by_id: dict[str, list[_Search]] = {}
        self._by_day: dict[tuple[str, int], list[_Search]] = {}
        self._counted: dict[int, dict[str, AccountRecords]] = {}
        for search in self._searches:
            told = search.told
            self._by_id.setdefault(told["alert_id"], []).append(search)
            if told["account_id"] is not None:
                key = told["account_id"], day_of_text(told["business_day"])
                self._by_day.setdefault(key, []).append(search)
                self._counted.setdefault(search.partition, {})[told["account_id"]] = (
                    AccountRecords()
                )

    @property
    def is_done(self) -> bool:
        """Whether further records change nothing of any answer."""
        self._open = [search for search in self._open if not search.is_done(self._replay)]
        return not self._open

    @property
    def derived(self) -> list[Derived]:
        """What each alert came to, in the order in which they were given."""
        return [
            Derived(
                search.told,
                search.alert,
                self._transactions_of(search),
                self._calendar,
                search.is_closed,
                search.may_move,
            )
            for search in self._searches
        ]

    def _transactions_of(self, search: _Search) -> dict[int, Transaction]:
        counted = self._counted.get(search.partition, {}).get(search.told["account_id"])
        return {} if counted is None else counted.transactions

    def observe(self, batch: Batch) -> None:
        """Take a batch of rows, dealt to partitions as `weir replay` deals them."""
        self._note(self._replay.observe(batch))

    def observe_runs(self, runs: Sequence[Run], silent: Collection[int]) -> None:
        """Take runs of a topic's partitions; `silent` are those of which nothing more comes."""
        self._note(self._replay.observe_runs(runs, silent))

    def _note(self, told: BatchReport) -> None:
        for run, rejected, waiting, settled in told.taken:
            accounts = self._counted.get(run.partition, {})
            for offset, item in zip(run.offsets, run.items, strict=True):
                if isinstance(item, Transaction) and item.account_id in accounts:
                    accounts[item.account_id].add(offset, item)
            for counted in accounts.values():
                counted.decide(waiting, settled, rejected)
        for alert in told.alerts:
            for search in self._by_id.get(alert.alert_id, ()):
                search.again.append(json.loads(codec.alert_bytes(alert)))
        for closed in told.account_days:
            for search in self._by_day.get((closed.account_id, closed.account_day.day), ()):
                search.is_closed = True
