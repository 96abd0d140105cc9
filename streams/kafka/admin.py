"""Looks at a broker's topics, creates them, and probes what the broker can be relied on for."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streams.kafka.broker_error import BrokerError
from streams.kafka.compression import compression_of
from streams.kafka.reader import READ_COMMITTED
from streams.settings import RECORD_BYTES_MAX


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic is to be: its number of partitions, and its configuration."""

    name: str
    partitions: int
    config: dict[str, str]


TIMEOUT_MS: Final = 10_000
PROBE_RECORDS: Final = 3
CREATED_POLL_SECONDS: Final = 0.1
CREATED_SECONDS_MAX: Final = 60.0


class Probe(NamedTuple):
    """What a broker was found to be: which topics are not right, and whether its answers are.

    `codecs_refused` are compressions that the broker does not take, `codecs_unreadable` those that
    this installation cannot read. `uncommitted` says where records wait for the end of a
    producer's transaction.
    """

    brokers: int
    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    created: tuple[str, ...]
    latest_offset_right: bool
    codecs_refused: tuple[str, ...] = ()
    codecs_unreadable: tuple[str, ...] = ()
    uncommitted: tuple[str, ...] = ()


def check(broker: str, specs: Iterable[TopicSpec], *, create: bool, replication: int) -> Probe:
    """Look at a broker's topics, create what is missing where asked to, and probe the broker.

    The probe writes three records in one batch to a topic of its own and asks where the topic
    ends: some brokers answer wrongly, and whoever recovers a table by that answer loses its tail
    (Weir's seal works around it). Then it writes a record by each compression there, and reads it.
    The topic is deleted again. Raises BrokerError if no broker answers.
    """
    specs = tuple(specs)
    with _admin(broker) as admin:
        there = _partitions(admin)
        missing = [spec for spec in specs if spec.name not in there]
        created = []
        if create:
            for spec in missing:
                _create(admin, spec, replication)
                created.append(spec.name)
            _wait_for(admin, missing)
            missing = []
        made = [spec for spec in specs if spec.name in there or spec.name in created]
        with _probe_topic(admin) as name:
            latest_offset_right = _latest_offset_is_right(broker, name)
            compression = compression_of(broker, name)
        return Probe(
            len(admin.describe_cluster()["brokers"]),
            tuple(spec.name for spec in missing),
            (*_wrong(specs, there), *_wrong_configs(admin, made)),
            tuple(created),
            latest_offset_right,
            compression.refused,
            compression.unreadable,
            tuple(_uncommitted(broker, _partitions(admin), made)),
        )


def ensure_topics(broker: str, specs: Iterable[TopicSpec]) -> None:
    """Raise BrokerError where a topic is missing, or has not the partitions that are set."""
    specs = tuple(specs)
    with _admin(broker) as admin:
        there = _partitions(admin)
    problems = [f"there is no topic {spec.name}" for spec in specs if spec.name not in there]
    if problems:
        problems.append("weir check --create-topics creates what is missing")
    problems += _wrong(specs, there)
    if problems:
        raise BrokerError("; ".join(problems))


def committed_without(
    broker: str, group: str, topic: str, changelog: str, partitions: int
) -> list[int]:
    """Return the partitions of a topic that a group has committed, and a changelog has nothing of.

    Raises BrokerError if the broker refuses.
    """
    with _of_group(broker, group) as consumer:
        logs = [TopicPartition(changelog, number) for number in range(partitions)]
        firsts, ends = consumer.beginning_offsets(logs), consumer.end_offsets(logs)
        return [
            log.partition
            for log in logs
            if firsts[log] == ends[log] and consumer.committed(TopicPartition(topic, log.partition))
        ]


def committed_of(broker: str, group: str, topic: str, number: int) -> int:
    """Return the offset that a group has committed of a partition; where it begins if it has none.

    Raises BrokerError if the broker refuses.
    """
    with _of_group(broker, group) as consumer:
        partition = TopicPartition(topic, number)
        committed: int | None = consumer.committed(partition, timeout_ms=TIMEOUT_MS)
        first: int = consumer.beginning_offsets([partition])[partition]
        return max(committed or 0, first)


def create_topics(broker: str, specs: Iterable[TopicSpec], replication: int) -> None:
    """Create the topics that are not there, and wait until the broker names them.

    Raises BrokerError if no broker answers.
    """
    with _admin(broker) as admin:
        there = _partitions(admin)
        missing = [spec for spec in specs if spec.name not in there]
        for spec in missing:
            _create(admin, spec, replication)
        _wait_for(admin, missing)


def delete_topics(broker: str, specs: Iterable[TopicSpec]) -> None:
    """Delete the topics that are there. Raises BrokerError if no broker answers."""
    with _admin(broker) as admin:
        there = _partitions(admin)
        names = [spec.name for spec in specs if spec.name in there]
        admin.delete_topics(names, timeout_ms=TIMEOUT_MS)


def partitions_of(broker: str, topic: str) -> int | None:
    """Return how many partitions a topic has; None if it is not there. Raises BrokerError."""
    with _admin(broker) as admin:
        return _partitions(admin).get(topic)


def require_topics(broker: str, topics: Iterable[str]) -> dict[str, int]:
    """Return how many partitions each topic has. Raises BrokerError if one is not there."""
    with _admin(broker) as admin:
        there = _partitions(admin)
    for topic in topics:
        if topic not in there:
            raise BrokerError(f"there is no topic {topic}: create it by weir check --create-topics")
    return {topic: there[topic] for topic in topics}


def require_topic(broker: str, topic: str) -> int:
    """Return how many partitions a topic has. Raises BrokerError if it is not there."""
    return require_topics(broker, [topic])[topic]


@contextmanager
def _admin(broker: str) -> Iterator[KafkaAdminClient]:
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=broker.split(","),
            request_timeout_ms=TIMEOUT_MS,
            bootstrap_timeout_ms=TIMEOUT_MS,
        )
    except KafkaError as error:
        raise BrokerError(
            f"no broker answers at {broker} ({type(error).__name__}): is it up, and is WEIR_BROKER"
            " right?"
        ) from error
    try:
        yield admin
    except KafkaError as error:
        raise BrokerError(f"the broker at {broker} refuses: {error}") from error
    finally:
        admin.close()


@contextmanager
def _of_group(broker: str, group: str) -> Iterator[KafkaConsumer]:
    """Yield a consumer that asks in a group's name, and never joins it."""
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=broker.split(","),
            group_id=group,
            enable_auto_commit=False,
            request_timeout_ms=TIMEOUT_MS,
            bootstrap_timeout_ms=TIMEOUT_MS,
        )
        try:
            yield consumer
        finally:
            consumer.close()
    except KafkaError as error:
        raise BrokerError(f"the broker at {broker} refuses: {error}") from error


def _partitions(admin: KafkaAdminClient) -> dict[str, int]:
    names = admin.list_topics()
    return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(names)}


def _wrong(specs: Iterable[TopicSpec], there: Mapping[str, int]) -> list[str]:
    return [
        f"{spec.name} has {there[spec.name]} partitions, WEIR_PARTITIONS makes it {spec.partitions}"
        for spec in specs
        if there.get(spec.name, spec.partitions) != spec.partitions
    ]


def _create(admin: KafkaAdminClient, spec: TopicSpec, replication: int) -> None:
    with suppress(TopicAlreadyExistsError):
        topic = NewTopic(spec.name, spec.partitions, replication, topic_configs=spec.config)
        admin.create_topics([topic], timeout_ms=TIMEOUT_MS)


def _wait_for(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    """Wait until topics that were created are named: a broker learns of them a little later."""
    deadline = time.monotonic() + CREATED_SECONDS_MAX
    while left := {spec.name for spec in specs} - _partitions(admin).keys():
        if time.monotonic() > deadline:
            raise BrokerError(f"the broker does not name the topic {min(left)} that was created")
        time.sleep(CREATED_POLL_SECONDS)


def _wrong_configs(admin: KafkaAdminClient, specs: Iterable[TopicSpec]) -> Iterator[str]:
    """Yield what of the topics' configuration would lose state, or refuse what is written.

    A broker that says nothing of a topic's configuration is not asked again.
    """
    for spec in specs:
        resource = ConfigResource(ConfigResourceType.TOPIC, spec.name)
        answer = admin.describe_configs([resource], config_filter="all")
        config = {
            name: entry["value"] for name, entry in answer["topic"].get(spec.name, {}).items()
        }
        largest = int(config.get("max.message.bytes", RECORD_BYTES_MAX))
        if largest < RECORD_BYTES_MAX:
            yield (
                f"{spec.name} must take records of {RECORD_BYTES_MAX} bytes (max.message.bytes),"
                f" not {largest}"
            )
        policy, due = config.get("cleanup.policy"), spec.config.get("cleanup.policy")
        if due is not None and policy not in (due, None):
            yield f"{spec.name} must have cleanup.policy {due}, not {policy}: it would lose records"


def _uncommitted(
    broker: str, there: Mapping[str, int], specs: Iterable[TopicSpec]
) -> Iterator[str]:
    """Yield where records stand behind the start of a transaction that is open now."""
    partitions = [
        TopicPartition(spec.name, number) for spec in specs for number in range(there[spec.name])
    ]
    ends = []
    for isolation in (READ_COMMITTED, "read_uncommitted"):
        consumer = KafkaConsumer(bootstrap_servers=broker.split(","), isolation_level=isolation)
        try:
            ends.append(consumer.end_offsets(partitions))
        finally:
            consumer.close()
    stable, highwater = ends
    for partition in partitions:
        if highwater[partition] > stable[partition]:
            yield (
                f"{partition.topic}, partition {partition.partition}, from offset"
                f" {stable[partition]} on"
            )


@contextmanager
def _probe_topic(admin: KafkaAdminClient) -> Iterator[str]:
    name = f"weir-probe-{uuid4().hex[:12]}"
    _create(admin, TopicSpec(name, 1, {}), 1)
    try:
        yield name
    finally:
        admin.delete_topics([name], timeout_ms=TIMEOUT_MS)


def _latest_offset_is_right(broker: str, name: str) -> bool:
    producer = KafkaProducer(
        bootstrap_servers=broker.split(","), linger_ms=1000, acks="all", retries=3
    )
    for number in range(PROBE_RECORDS):
        producer.send(name, value=b"%d" % number, partition=0)
    producer.flush(TIMEOUT_MS / 1000)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=broker.split(","))
    partition = TopicPartition(name, 0)
    end: int = consumer.end_offsets([partition])[partition]
    consumer.close()
    return end == PROBE_RECORDS
