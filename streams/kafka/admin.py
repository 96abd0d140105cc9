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
from streams.kafka.cluster import Cluster, no_answer
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
    producer's transaction. `notes` are what somebody should have decided to have so.
    """

    brokers: int
    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    created: tuple[str, ...]
    latest_offset_right: bool
    codecs_refused: tuple[str, ...] = ()
    codecs_unreadable: tuple[str, ...] = ()
    uncommitted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class TopicFound(NamedTuple):
    """How a topic is: how it is to be, its copies, and its configuration, as far as it is said."""

    spec: TopicSpec
    copies: int
    config: Mapping[str, str]


INSYNC_LEAST: Final = 2
"""Brokers that have a record before it counts as written, where it has a copy more than that."""


_MISSING: Final = (
    "weir check --create-topics creates what is missing; a cluster that asks who we are shows no"
    " topic without a right to it (weir rights)"
)


def check(broker: Cluster, specs: Iterable[TopicSpec], *, create: bool, replication: int) -> Probe:
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
        found = _found(admin, made)
        with _probe_topic(admin) as name:
            latest_offset_right = _latest_offset_is_right(broker, name)
            compression = compression_of(broker, name)
        return Probe(
            len(admin.describe_cluster()["brokers"]),
            tuple(spec.name for spec in missing),
            (
                *_wrong(specs, there),
                *(fault for topic in found for fault in faults_of(topic, replication)),
            ),
            tuple(created),
            latest_offset_right,
            compression.refused,
            compression.unreadable,
            tuple(_uncommitted(broker, _partitions(admin), made)),
            tuple(note for topic in found for note in notes_of(topic)),
        )


def ensure_topics(broker: Cluster, specs: Iterable[TopicSpec]) -> None:
    """Raise BrokerError where a topic is missing, or has not the partitions that are set."""
    specs = tuple(specs)
    with _admin(broker) as admin:
        there = _partitions(admin)
    problems = [f"there is no topic {spec.name}" for spec in specs if spec.name not in there]
    if problems:
        problems.append(_MISSING)
    problems += _wrong(specs, there)
    if problems:
        raise BrokerError("; ".join(problems))


def committed_without(
    broker: Cluster, group: str, topic: str, changelog: str, partitions: int
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


def committed_of(broker: Cluster, group: str, topic: str, number: int) -> int:
    """Return the offset that a group has committed of a partition; where it begins if it has none.

    Raises BrokerError if the broker refuses.
    """
    with _of_group(broker, group) as consumer:
        partition = TopicPartition(topic, number)
        committed: int | None = consumer.committed(partition, timeout_ms=TIMEOUT_MS)
        first: int = consumer.beginning_offsets([partition])[partition]
        return max(committed or 0, first)


def create_topics(broker: Cluster, specs: Iterable[TopicSpec], replication: int) -> None:
    """Create the topics that are not there, and wait until the broker names them.

    Raises BrokerError if no broker answers.
    """
    with _admin(broker) as admin:
        there = _partitions(admin)
        missing = [spec for spec in specs if spec.name not in there]
        for spec in missing:
            _create(admin, spec, replication)
        _wait_for(admin, missing)


def delete_topics(broker: Cluster, specs: Iterable[TopicSpec]) -> None:
    """Delete the topics that are there. Raises BrokerError if no broker answers."""
    with _admin(broker) as admin:
        there = _partitions(admin)
        names = [spec.name for spec in specs if spec.name in there]
        admin.delete_topics(names, timeout_ms=TIMEOUT_MS)


def partitions_of(broker: Cluster, topic: str) -> int | None:
    """Return how many partitions a topic has; None if it is not there. Raises BrokerError."""
    with _admin(broker) as admin:
        return _partitions(admin).get(topic)


def allowed(broker: Cluster, topics: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return what we may do with topics, of those that we may see (`READ`, `WRITE` and others).

    Topics of a broker that does not say are left out. Raises BrokerError if no broker answers.
    """
    with _admin(broker) as admin:
        return {
            topic["name"]: frozenset(topic["authorized_operations"])
            for topic in admin.describe_topics(list(topics))
            if topic.get("authorized_operations")
        }


def require_topics(broker: Cluster, topics: Iterable[str]) -> dict[str, int]:
    """Return how many partitions each topic has. Raises BrokerError if one is not there."""
    with _admin(broker) as admin:
        there = _partitions(admin)
    for topic in topics:
        if topic not in there:
            raise BrokerError(f"there is no topic {topic}: {_MISSING}")
    return {topic: there[topic] for topic in topics}


def require_topic(broker: Cluster, topic: str) -> int:
    """Return how many partitions a topic has. Raises BrokerError if it is not there."""
    return require_topics(broker, [topic])[topic]


@contextmanager
def _admin(broker: Cluster) -> Iterator[KafkaAdminClient]:
    try:
        admin = KafkaAdminClient(
            **broker.for_kafka_python(),
            request_timeout_ms=TIMEOUT_MS,
            bootstrap_timeout_ms=TIMEOUT_MS,
        )
    except KafkaError as error:
        raise no_answer(broker, error) from error
    try:
        yield admin
    except KafkaError as error:
        raise BrokerError(f"the broker at {broker} refuses: {error}") from error
    finally:
        admin.close()


@contextmanager
def _of_group(broker: Cluster, group: str) -> Iterator[KafkaConsumer]:
    """Yield a consumer that asks in a group's name, and never joins it."""
    try:
        consumer = KafkaConsumer(
            **broker.for_kafka_python(),
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
        config = dict(spec.config)
        if replication > INSYNC_LEAST:
            config["min.insync.replicas"] = str(INSYNC_LEAST)
        topic = NewTopic(spec.name, spec.partitions, replication, topic_configs=config)
        admin.create_topics([topic], timeout_ms=TIMEOUT_MS)


def _wait_for(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    """Wait until topics that were created are named: a broker learns of them a little later."""
    deadline = time.monotonic() + CREATED_SECONDS_MAX
    while left := {spec.name for spec in specs} - _partitions(admin).keys():
        if time.monotonic() > deadline:
            raise BrokerError(f"the broker does not name the topic {min(left)} that was created")
        time.sleep(CREATED_POLL_SECONDS)


def _found(admin: KafkaAdminClient, specs: Iterable[TopicSpec]) -> list[TopicFound]:
    """Return how topics are; a broker that says nothing of their configuration is not asked again.

    A topic has as many copies as the partition that has fewest.
    """
    specs = tuple(specs)
    described = {topic["name"]: topic for topic in admin.describe_topics([s.name for s in specs])}
    found = []
    for spec in specs:
        resource = ConfigResource(ConfigResourceType.TOPIC, spec.name)
        answer = admin.describe_configs([resource], config_filter="all")
        config = {
            name: entry["value"] for name, entry in answer["topic"].get(spec.name, {}).items()
        }
        partitions = described[spec.name]["partitions"]
        copies = min(len(partition["replica_nodes"]) for partition in partitions)
        found.append(TopicFound(spec, copies, config))
    return found


def faults_of(found: TopicFound, replication: int) -> Iterator[str]:
    """Yield by what a topic would lose records, or refuse them.

    A record counts as written once `min.insync.replicas` brokers have it.
    """
    spec, copies, config = found
    largest = int(config.get("max.message.bytes", RECORD_BYTES_MAX))
    if largest < RECORD_BYTES_MAX:
        yield (
            f"{spec.name} must take records of {RECORD_BYTES_MAX} bytes (max.message.bytes),"
            f" not {largest}"
        )
    policy, due = config.get("cleanup.policy"), spec.config.get("cleanup.policy", "delete")
    if policy not in (due, None):
        yield f"{spec.name} must have cleanup.policy {due}, not {policy}: it would lose records"
    size = config.get("retention.bytes", "-1")
    if spec.config.get("retention.ms") == "-1" and size != "-1":
        yield f"{spec.name} keeps {size} bytes a partition alone: set retention.bytes -1"
    if config.get("unclean.leader.election.enable") == "true":
        yield (
            f"{spec.name} lets a broker lead that lacks records"
            " (unclean.leader.election.enable): what was written may be lost"
        )
    if copies < replication:
        yield f"{spec.name} has {_copies(copies)}, WEIR_REPLICATION makes it {replication}"
    if "min.insync.replicas" not in config:
        return
    insync = int(config["min.insync.replicas"])
    if insync > copies:
        yield (
            f"{spec.name} has {_copies(copies)} and min.insync.replicas {insync}: nothing can be"
            " written"
        )
    elif insync < INSYNC_LEAST and copies > INSYNC_LEAST:
        yield (
            f"{spec.name} has min.insync.replicas {insync}: what one broker alone has counts as"
            f" written, and is lost with it; with {_copies(copies)} set {INSYNC_LEAST}"
        )


def notes_of(found: TopicFound) -> Iterator[str]:
    """Yield what of a topic somebody should have decided to have so."""
    spec, copies, config = found
    kept = config.get("retention.ms", "-1")
    if spec.config.get("retention.ms") == "-1" and kept != "-1":
        days = int(kept) / 86_400_000
        yield f"{spec.name} keeps records for {days:.3g} days (retention.ms): nobody has them later"
    if copies == INSYNC_LEAST and config.get("min.insync.replicas") == str(copies):
        yield f"{spec.name} takes nothing while one broker is down: 3 copies go on with two"


def _copies(number: int) -> str:
    return "1 copy" if number == 1 else f"{number} copies"


def _uncommitted(
    broker: Cluster, there: Mapping[str, int], specs: Iterable[TopicSpec]
) -> Iterator[str]:
    """Yield where records stand behind the start of a transaction that is open now."""
    partitions = [
        TopicPartition(spec.name, number) for spec in specs for number in range(there[spec.name])
    ]
    ends = []
    for isolation in (READ_COMMITTED, "read_uncommitted"):
        consumer = KafkaConsumer(**broker.for_kafka_python(), isolation_level=isolation)
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


def _latest_offset_is_right(broker: Cluster, name: str) -> bool:
    producer = KafkaProducer(**broker.for_kafka_python(), linger_ms=1000, acks="all", retries=3)
    for number in range(PROBE_RECORDS):
        producer.send(name, value=b"%d" % number, partition=0)
    producer.flush(TIMEOUT_MS / 1000)
    producer.close()
    consumer = KafkaConsumer(**broker.for_kafka_python())
    partition = TopicPartition(name, 0)
    end: int = consumer.end_offsets([partition])[partition]
    consumer.close()
    return end == PROBE_RECORDS
