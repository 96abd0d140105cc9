"""The rights that each process needs on a cluster that asks who somebody is, and no more.

To read or to write includes to describe, to Kafka.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from streams.kafka.admin import allowed
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.settings import Settings
from streams.topics.catalog import Topics


class Operation(StrEnum):
    """What is done with a resource, as Kafka's own tools name it."""

    READ = "Read"
    WRITE = "Write"


class Right(NamedTuple):
    """Something that a process must be allowed to do."""

    resource: str  # topic or group
    name: str
    operation: Operation


def _rights(topics: Iterable[str], operation: Operation) -> Iterator[Right]:
    return (Right("topic", topic, operation) for topic in topics)


def _worker(settings: Settings) -> Iterator[Right]:
    topics = Topics.of(settings)
    both = (topics.segment_days, topics.systemic, topics.systemic_state, topics.changelog)
    yield Right("group", settings.group, Operation.READ)
    stated = (topics.policy, topics.weights, topics.accounts)
    yield from _rights((topics.transactions, *stated, *both), Operation.READ)
    yield from _rights(
        (topics.alerts, topics.rejections, topics.account_days, topics.completeness, *both),
        Operation.WRITE,
    )


def _archive(settings: Settings) -> Iterator[Right]:
    topics = Topics.of(settings)
    yield from _rights(
        (
            topics.alerts,
            topics.rejections,
            topics.account_days,
            topics.segment_days,
            topics.completeness,
            topics.dispositions,
            topics.cases,
            topics.policy,
        ),
        Operation.READ,
    )


def _console(settings: Settings) -> Iterator[Right]:
    topics = Topics.of(settings)
    yield from _rights((topics.transactions,), Operation.READ)
    yield from _rights((topics.dispositions, topics.cases, topics.policy), Operation.WRITE)


def _send(settings: Settings) -> Iterator[Right]:
    topics = Topics.of(settings)
    yield from _rights((topics.transactions, topics.accounts), Operation.WRITE)


def _alerts(settings: Settings) -> Iterator[Right]:
    topics = Topics.of(settings)
    yield from _rights((topics.alerts, topics.dispositions), Operation.READ)
    yield from _rights((topics.dispositions,), Operation.WRITE)


def _policy(settings: Settings) -> Iterator[Right]:
    topics = Topics.of(settings)
    yield from _rights((topics.policy,), Operation.READ)
    yield from _rights((topics.policy,), Operation.WRITE)


def _teach(settings: Settings) -> Iterator[Right]:
    topics = Topics.of(settings)
    read = (topics.transactions, topics.alerts, topics.dispositions, topics.policy, topics.weights)
    yield from _rights(read, Operation.READ)
    yield from _rights((topics.weights,), Operation.WRITE)


_RIGHTS: Final[Mapping[str, Callable[[Settings], Iterator[Right]]]] = MappingProxyType(
    {
        "worker": _worker,
        "archive": _archive,
        "console": _console,
        "send": _send,
        "alerts": _alerts,
        "policy": _policy,
        "teach": _teach,
    }
)

PROCESSES: Final = tuple(_RIGHTS)
"""The commands that need rights of their own. `weir check` creates topics and asks for their
configuration: it is an administrator's."""


def rights_of(process: str, settings: Settings) -> tuple[Right, ...]:
    """Return what a process must be allowed to do, by the names of its settings."""
    return tuple(_RIGHTS[process](settings))


def ensure_rights(process: str, settings: Settings) -> None:
    """Raise BrokerError if a process may not do with its topics what it must.

    A broker that does not ask who we are allows everything, and one of before Kafka 2.3 does not
    say: what it refuses is an error later.
    """
    needed = [right for right in rights_of(process, settings) if right.resource == "topic"]
    may = allowed(cluster_of(settings), {right.name for right in needed})
    lacking = [
        f"{right.operation.value.lower()} {right.name}"
        for right in needed
        if right.name in may and right.operation.name not in may[right.name]
    ]
    if lacking:
        raise BrokerError(
            f"the broker at {settings.broker} does not let us {', nor '.join(lacking)}:"
            f" weir rights {process} says what is needed"
        )


def kafka_acls(rights: Iterable[Right], principal: str) -> Iterator[str]:
    """Yield the commands of Kafka's own tool that give rights to somebody (`User:NAME`).

    >>> (given,) = kafka_acls([Right("group", "weir", Operation.READ)], "User:weir")
    >>> print(given)
    kafka-acls.sh --add --allow-principal User:weir --operation Read --group weir
    """
    for right in rights:
        given = ["--allow-principal", principal, "--operation", right.operation.value]
        yield shlex.join(["kafka-acls.sh", "--add", *given, f"--{right.resource}", right.name])
