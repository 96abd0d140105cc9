"""Explains alerts out of files: which replays they need, and what came of these."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from monitor.core.alert import Kind
from monitor.core.as_of import AsOf
from monitor.core.attributes import AttributeBook
from monitor.core.transaction import Heartbeat, Rejection, Transaction, transaction_of
from monitor.explain.comparison import LIMIT_KINDS
from monitor.policy.policy import Policy, PolicyBook
from streams.feed.reader import Batch
from streams.kafka.partitioner import dealer
from streams.replay.explained import (
    ExplainError,
    Explanation,
    Told,
    chain_of,
    explanation_of,
    explanation_or_raise,
)
from streams.replay.joint import OF_MANY, JointRederivation, Sought, needs_all_partitions
from streams.replay.rederivation import (
    Chain,
    Derived,
    Late,
    Rederivation,
    lateness_of,
    policies_as_of,
    version_of,
)
from streams.wire import codec

__all__ = [
    "AlertSelection",
    "ExplainError",
    "Explaining",
    "Explanation",
    "chain_of",
    "explain_of_files",
]


class AlertSelection(NamedTuple):
    """Which alerts are to be explained: those named, or a `sample` of so many of each kind.

    `revision` is for one that is named; None is the last one of each. No `kinds` are all of them.
    """

    alert_ids: tuple[str, ...] = ()
    revision: int | None = None
    sample: int | None = None
    kinds: tuple[str, ...] = ()
    seed: int = 1

    @property
    def is_one(self) -> bool:
        """Whether a single alert is named."""
        return self.sample is None and len(self.alert_ids) == 1

    def chains_of(self, alerts: Iterable[Told]) -> list[Chain]:
        """Return what was told of each. Raises ExplainError if one is not there, or none is."""
        told: dict[str, list[Told]] = {}
        for alert in alerts:
            told.setdefault(alert["alert_id"], []).append(alert)
        ids = self.alert_ids if self.sample is None else self._chosen(told)
        if not ids:
            raise ExplainError("there is no alert to explain")
        return [chain_of(told.get(alert_id, ()), alert_id, self.revision) for alert_id in ids]

    def _chosen(self, told: Mapping[str, list[Told]]) -> list[str]:
        assert self.sample is not None
        rng = random.Random(self.seed)  # noqa: S311 - a sample is no secret
        chosen: list[str] = []
        for kind in Kind:
            of_kind = sorted(
                alert_id for alert_id in told if told[alert_id][0]["kind"] == kind.value
            )
            if not self.kinds or kind.value in self.kinds:
                chosen += sorted(rng.sample(of_kind, min(self.sample, len(of_kind))))
        return chosen


class Explaining:
    """Alerts that are being explained: which replays they need, and what came of these.

    `chains` has what was told of each. `partition_of` says which partition has the records of an
    alert's account. `notes_of` says what an answer rests on, and raises ExplainError where the
    records do not reach back far enough. Whoever has the records iterates over `runs`, and gives
    them to each; afterwards `answers` are there.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands on, each by itself
        self,
        chains: Sequence[Chain],
        book: PolicyBook,
        partitions: int,
        attributes: AttributeBook | None,
        partition_of: Callable[[Told], int],
        notes_of: Callable[[Told], list[str]],
        as_of: AsOf | None = None,
    ) -> None:
        self._as_of = as_of
        self._chains = chains
        self._book = book
        self._partitions = partitions
        self._attributes = attributes
        self._partition_of = partition_of
        self._notes_of = notes_of
        self._answers: dict[int, Explanation | ExplainError] = {}

    @property
    def answers(self) -> list[Explanation | ExplainError]:
        """What each came to, in the order of the chains."""
        return [self._answers[place] for place in range(len(self._chains))]

    def runs(self) -> Iterator[Rederivation | JointRederivation]:
        """Yield each replay that is needed; the records are given to it before the next is asked.

        One serves all alerts of a policy version, except a single alert of one partition. What
        differs is tried again: with versions that came later, or as something that came late.
        """
        joint = [place for place, chain in enumerate(self._chains) if self._is_joint(chain)]
        for version in sorted({version_of(self._told(place)) for place in joint}):
            of_version = [place for place in joint if version_of(self._told(place)) == version]
            yield from self._run_joint(of_version, policies_as_of(self._book, version))
        later = [
            place
            for place in joint
            if self._told(place)["kind"] in OF_MANY
            and len(policies_as_of(self._book, version_of(self._told(place))))
            < len(self._book.policies)
            and not self._is_same(place)
        ]
        if later:
            yield from self._run_joint(later, self._book.policies)
        for place, chain in enumerate(self._chains):
            lateness = lateness_of(chain)
            if place not in joint:
                yield from self._run_alone(place, lateness)
            elif chain[-1]["kind"] in LIMIT_KINDS and not self._is_same(place):
                yield from self._run_alone(place, lateness[1:])

    def _is_joint(self, chain: Chain) -> bool:
        return len(self._chains) > 1 or needs_all_partitions(
            chain[-1]["kind"], policies_as_of(self._book, version_of(chain[-1]))
        )

    def _told(self, place: int) -> Told:
        return self._chains[place][-1]

    def _run_joint(
        self, places: Sequence[int], policies: Sequence[Policy]
    ) -> Iterator[JointRederivation]:
        sought = [
            Sought(self._told(sought_place), self._partition_of(self._told(sought_place)))
            for sought_place in places
        ]
        run = JointRederivation(
            sought, policies, self._partitions, self._attributes, self._as_of, self._book.weights
        )
        yield run
        for place, derived in zip(places, run.derived, strict=True):
            self._answer(place, derived)

    def _run_alone(self, place: int, lateness: Iterable[Late]) -> Iterator[Rederivation]:
        for late in lateness:
            if self._is_same(place):
                return
            chain, partition = self._chains[place], self._partition_of(self._told(place))
            run = Rederivation(
                chain, self._book, partition, self._partitions, self._attributes, late
            )
            yield run
            self._answer(place, run.derived)

    def _answer(self, place: int, derived: Derived) -> None:
        """Keep an answer: the first one, unless a later one is the same as what was told."""
        try:
            answer: Explanation | ExplainError = explanation_of(
                derived, self._notes_of(derived.told)
            )
        except ExplainError as error:
            answer = error
        if place not in self._answers or (isinstance(answer, Explanation) and answer.is_same):
            self._answers[place] = answer

    def _is_same(self, place: int) -> bool:
        answer = self._answers.get(place)
        return isinstance(answer, Explanation) and answer.is_same


def explain_of_files(
    chain: Chain,
    book: PolicyBook,
    feed: Callable[[], Iterable[Batch]],
    partitions: int,
    attributes: AttributeBook | None = None,
    as_of: AsOf | None = None,
) -> Explanation:
    """Derive an alert again from rows of files, dealt to partitions as a replay deals them.

    `feed` begins the files anew each time that it is called.
    """
    (answer,) = explain_all_of_files([chain], book, feed, partitions, attributes, as_of)
    return explanation_or_raise(answer)


def explain_all_of_files(
    chains: Sequence[Chain],
    book: PolicyBook,
    feed: Callable[[], Iterable[Batch]],
    partitions: int,
    attributes: AttributeBook | None = None,
    as_of: AsOf | None = None,
) -> list[Explanation | ExplainError]:
    """Derive alerts again from rows of files, by one replay for each policy version."""
    deal = dealer(partitions)

    def partition_of(told: Told) -> int:
        return 0 if told["account_id"] is None else deal(told["account_id"])

    explaining = Explaining(chains, book, partitions, attributes, partition_of, lambda _: [], as_of)
    for run in explaining.runs():
        if isinstance(run, Rederivation):
            _replay(run, feed(), partitions, as_of)
            continue
        for batch in feed():
            run.observe(batch)
            if run.is_done:
                break
    return explaining.answers


def _replay(
    run: Rederivation, batches: Iterable[Batch], partitions: int, as_of: AsOf | None
) -> None:
    deal = dealer(partitions)
    next_offset = 0
    for batch in batches:
        dealt = _dealt(batch, deal, run.partition)
        items = list(dealt if as_of is None else map(as_of.judge, dealt))
        if items:
            run.take(range(next_offset, next_offset + len(items)), items)
            next_offset += len(items)
        if run.is_done:
            break


def _dealt(batch: Batch, deal: Any, partition: int) -> Iterator[Transaction | Rejection]:  # noqa: ANN401 - what `dealer` returns
    """Yield what of a batch goes to a partition, as `streams.replay` has it."""
    for fields in batch.rows:
        account_id = fields[1]
        if (deal(account_id) if account_id else 0) == partition:
            yield transaction_of(fields)
    for _, value in batch.raw:
        item = codec.decode(value)
        if (
            isinstance(item, Heartbeat)
            or (deal(item.account_id) if isinstance(item, Transaction) else 0) == partition
        ):
            yield item
