"""Policy versions that come at run time: read from their topic, checked whole, taken or refused."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from monitor.policy.document import policy_of_bytes
from monitor.policy.policy import Policy, PolicyBook, PolicyError
from streams.kafka.admin import require_topic
from streams.kafka.cluster import Cluster, cluster_of
from streams.kafka.producer import Outbox, Outgoing, record_bytes
from streams.kafka.reader import Follower, TopicReader
from streams.log import SAYS
from streams.settings import RECORD_BYTES_MAX, Settings
from streams.topics.catalog import Topics

_log = logging.getLogger(__name__)


class Refused(NamedTuple):
    """A policy record that cannot be used: where it stands, and every problem of it."""

    offset: int
    problems: tuple[str, ...]


def policies_of(
    records: Iterable[tuple[int, bytes | None]],
) -> Iterator[tuple[int, Policy | Refused]]:
    """Yield what each record (offset, TOML text) of the policy topic states, with its offset."""
    for offset, value in records:
        if value is None:
            continue  # a tombstone of compaction
        try:
            yield offset, policy_of_bytes(value, f"record {offset} of the policy topic")
        except PolicyError as error:
            yield offset, Refused(offset, tuple(error.problems))


class PolicyFollower(Follower):
    """Reads the whole policy topic, then follows it. Every worker has one of its own.

    `on_change` is called when a version was taken, `on_refused` with each that was not: the old
    ones stay in force then. `book` begins with the policy file's version, if there is one.
    """

    def __init__(
        self,
        broker: Cluster,
        topic: str,
        book: PolicyBook | None,
        on_change: Callable[[PolicyBook], None],
        on_refused: Callable[[Refused], None],
    ) -> None:
        super().__init__(TopicReader(broker, topic, partitions=1))
        self.book = book
        self._on_change = on_change
        self._on_refused = on_refused

    def _take_in(self, records: Sequence[Any]) -> None:
        for offset, read in policies_of((record.offset, record.value) for record in records):
            if isinstance(read, Refused):
                self._refuse(read)
            else:
                self._take(offset, read)

    def _take(self, offset: int, policy: Policy) -> None:
        try:
            if self.book is None:
                self.book = PolicyBook([policy])
                changed = True
            else:
                changed = self.book.add(policy)
        except PolicyError as error:
            self._refuse(Refused(offset, tuple(error.problems)))
            return
        if changed:
            logging.getLogger(SAYS).info("policy version %d is taken", policy.version)
            self._on_change(self.book)

    def _refuse(self, refused: Refused) -> None:
        _log.error("a policy is refused, the old one stays: %s", "; ".join(refused.problems))
        self._on_refused(refused)


async def read_policies(
    settings: Settings, book: PolicyBook | None = None
) -> tuple[PolicyBook | None, list[Refused]]:
    """Return every policy version that the topic has, and the records that are refused.

    `book` has the version of the workers' policy file, if they have one: what does not fit it they
    refuse. Raises BrokerError if no broker answers, or there is no policy topic.
    """
    topic = Topics.of(settings).policy
    require_topic(cluster_of(settings), topic)
    refused: list[Refused] = []
    follower = PolicyFollower(cluster_of(settings), topic, book, lambda _: None, refused.append)
    try:
        await follower.start()
        return follower.book, refused
    finally:
        await follower.stop()


async def set_policy(settings: Settings, policy: Policy, book: PolicyBook | None = None) -> bool:
    """Write a policy version to the topic; return whether it was new.

    `book` is as in `read_policies`.
    Raises PolicyError if it does not fit the versions that are there.
    """
    book, _ = await read_policies(settings, book)
    if book is not None and not book.add(policy):
        return False
    record = Outgoing(str(policy.version).encode(), policy.text.encode())
    if (size := record_bytes(record)) > RECORD_BYTES_MAX:
        raise PolicyError(
            [f"a policy on the topic must have at most {RECORD_BYTES_MAX:,} bytes, not {size:,}"]
        )
    async with Outbox(cluster_of(settings)) as outbox:
        await outbox.write(Topics.of(settings).policy, 0, [record])
    return True
