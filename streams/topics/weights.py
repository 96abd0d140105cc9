"""Versions of weights: learned from topics, read from their own topic, and added to it."""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from monitor.core.business_day import MICROSECONDS, Calendar, day_of_text
from monitor.core.transaction import Transaction
from monitor.policy.policy import PolicyBook
from monitor.policy.weights import WeightsBook, WeightsError, WeightsVersion, weights_version_of
from streams.kafka.admin import partitions_of, require_topic
from streams.kafka.cluster import Cluster, cluster_of
from streams.kafka.producer import Outbox, Outgoing
from streams.kafka.reader import Follower, TopicReader, records_of_topic
from streams.log import SAYS
from streams.settings import Settings
from streams.topics.alerts import read_alerts
from streams.topics.catalog import Topics
from streams.topics.policies import read_policies
from streams.wire.columns import DecodedRun

_log = logging.getLogger(__name__)

_UNCHANGED: Final = b'{"changed": false}'
"""So `weir teach --json` says that no version came."""

_NOT_TAUGHT: Final = "nothing can be taught"

DAYS_AHEAD: Final = 2
"""The next business day may begin at any moment; the one after it is a day away."""

AHEAD_SECONDS: Final = 6 * 3600
"""So long before its first day, by the clock, a version is there, where transactions are of now."""

SILENCE_DAYS_MAX: Final = 10
"""After a longer silence transactions are old ones, as of a replay: the clock says nothing."""

LAST_RECORDS: Final = 100
"""Of each partition that are looked at to see on which business day transactions are."""


Reading = Callable[[Sequence[Any]], Awaitable[DecodedRun]]
"""Reads records of the transactions topic."""


def weights_bytes(version: WeightsVersion) -> bytes:
    """Return a version as its topic and files have it."""
    return json.dumps(version.fields()).encode()


def weights_of_file(path: Path) -> list[WeightsVersion]:
    """Return the versions of a JSON Lines file, as `weir teach --json` prints them.

    Raises WeightsError with the line that cannot be used, or if there is no version, and OSError.
    """
    with path.open("rb") as file:
        versions = [
            _decoded(line, f"{path}, line {number}")
            for number, line in enumerate(file, 1)
            if line.strip() and line.strip() != _UNCHANGED
        ]
    if not versions:
        raise WeightsError([f"{path} has no version"])
    return versions


class WeightsFollower(Follower):
    """Reads the whole topic of weights, then follows it. Every worker has one of its own.

    `on_change` is called with each version that was taken. A record of another sort is passed over,
    with a line in the log: the versions before it hold.
    """

    def __init__(
        self,
        broker: Cluster,
        topic: str,
        book: WeightsBook,
        on_change: Callable[[WeightsVersion], None],
    ) -> None:
        super().__init__(TopicReader(broker, topic, partitions=1))
        self._book = book
        self._topic = topic
        self._on_change = on_change

    def _take_in(self, records: Sequence[Any]) -> None:
        for version in _versions(self._topic, records):
            if _is_added(self._book, version):
                logging.getLogger(SAYS).info("version %d of the weights is taken", version.version)
                self._on_change(version)


async def read_weights(settings: Settings) -> WeightsBook:
    """Return every version on the topic of weights; none where there is no such topic."""
    topic, book = Topics.of(settings).weights, WeightsBook()
    if partitions_of(cluster_of(settings), topic) is None:
        return book
    async for record in records_of_topic(cluster_of(settings), topic, 1):
        for version in _versions(topic, [record]):
            _is_added(book, version)
    return book


async def learned_version(
    settings: Settings, read: Reading, policies: PolicyBook | None = None, now: int | None = None
) -> WeightsVersion | None:
    """Return the next version, of all dispositions on their topic; None if it is as the latest.

    It holds from `DAYS_AHEAD` business days after the latest transactions and alerts on: every
    worker has taken it before one of its partitions begins that day. After days without any, as a
    weekend, it is `AHEAD_SECONDS` ahead of `now`, too (microseconds since 1970; None for never).

    `read` reads records of the transactions topic, whatever their form is. `policies` has the
    version of the workers' policy file, if they have one. Raises BrokerError if no broker answers
    or a topic is not there, and WeightsError if nothing can be taught.
    """
    from monitor.outliers.lesson import labels_of, version_of  # noqa: PLC0415 - loads the models

    policies, _ = await read_policies(settings, policies)
    if policies is None or not policies.is_taught:
        problem = "no policy has `taught = true` in its [budget]: set a version that has it"
        raise WeightsError([problem], _NOT_TAUGHT)
    day = await last_day(settings, policies, read)
    if day is None:
        problem = "there is no transaction, so no business day to begin from"
        raise WeightsError([problem], _NOT_TAUGHT)
    book = await read_weights(settings)
    from streams.topics.dispositions import read_dispositions  # noqa: PLC0415 - loads River

    disposed = await read_dispositions(settings)
    alerts = [alert async for alert in read_alerts(settings, follow=False)]
    # Late rows may be the last ones of all partitions; a day of which anything was told has begun.
    day = max([day, *(day_of_text(alert["business_day"]) for alert in alerts)])
    calendar = policies.calendar.calendar()
    effective_from = first_day(day, calendar, now)
    labels = labels_of(alerts, disposed, calendar)
    version, latest = version_of(labels, effective_from, book), book.latest
    is_new = latest is None or version.dispositions != latest.dispositions
    return version if is_new else None


def first_day(day: int, calendar: Calendar, now: int | None) -> int:
    """Return the first business day that no partition has begun yet, nor soon will.

    `day` is the latest that one has begun; `now` is in microseconds since 1970, None for never.
    """
    if now is None or calendar.day_of(now) - day > SILENCE_DAYS_MAX:
        return day + DAYS_AHEAD
    return max(day + DAYS_AHEAD, calendar.day_of(now + AHEAD_SECONDS * MICROSECONDS) + 1)


async def write_weights(settings: Settings, version: WeightsVersion) -> bool:
    """Add a version to the topic of weights, and return whether it is the one that holds.

    It is not if somebody else wrote one of the same number before.

    The key names all that it says: of two versions of one number, compaction keeps both, and the
    first holds for all. Raises BrokerError if no broker answers, or there is no such topic.
    """
    topic = Topics.of(settings).weights
    require_topic(cluster_of(settings), topic)
    value = weights_bytes(version)
    key = f"{version.version}-{sha256(value).hexdigest()}".encode()
    async with Outbox(cluster_of(settings)) as outbox:
        await outbox.write(topic, 0, [Outgoing(key, value)])
    return version in (await read_weights(settings)).versions


async def last_day(settings: Settings, policies: PolicyBook, read: Reading) -> int | None:
    """Return the latest business day among the last transactions of all partitions; None of none.

    Raises BrokerError if no broker answers, or there is no topic of transactions.
    """
    broker, topic = cluster_of(settings), Topics.of(settings).transactions
    partitions = require_topic(broker, topic)
    calendar, skew = policies.calendar.calendar(), policies.calendar.clock_skew
    tail = TopicReader(broker, topic, partitions)
    await tail.start()
    try:
        days = [
            calendar.day_of(item.event_time)
            for number in range(partitions)
            for item in await _last_transactions(read, tail, number, skew)
        ]
    finally:
        await tail.stop()
    return max(days, default=None)


async def _last_transactions(
    read: Reading, tail: TopicReader, number: int, skew: int
) -> list[Transaction]:
    """Return the transactions among the last records of a partition."""
    records = await tail.last_of(number, LAST_RECORDS)
    items = (await read([records])).judged(skew)
    return [item for item in items if isinstance(item, Transaction)]


def _versions(topic: str, records: Iterable[Any]) -> Iterator[WeightsVersion]:
    for record in records:
        if record.value is None:
            continue  # a tombstone of compaction
        try:
            yield _decoded(record.value, f"record {record.offset} of {topic}")
        except WeightsError as error:
            _log.error("passed over: %s", "; ".join(error.problems))


def _is_added(book: WeightsBook, version: WeightsVersion) -> bool:
    try:
        return book.add(version)
    except WeightsError as error:
        _log.error("passed over: %s", "; ".join(error.problems))
        return False


def _decoded(value: bytes, where: str) -> WeightsVersion:
    try:
        fields: Any = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise WeightsError([f"{where}: no JSON: {error}"]) from None
    return weights_version_of(fields, where)
