"""A real Apache Kafka cluster on loopback: one controller, and three brokers that hold copies."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.kafka.apache_kafka import START_SECONDS_MAX, ApacheKafka, new_cluster_id
from tests.support.bad_network import BadNetwork

CONTROLLER: Final = 100
"""The number of the controller among the nodes."""

NUMBERS: Final = (1, 2, 3)

OUTSIDE: Final = "OUTSIDE"
"""The listener of clients that come through a network; brokers have another one among them."""

SETTINGS: Final = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # A segment that is read again after a kill takes all bytes of its index (10 MB by default).
    "log.index.size.max.bytes": "65536",
    # As Kafka has it: a broker that is fenced while it lives costs time here, and no topic.
    "broker.session.timeout.ms": "9000",
}


class _Controller(ApacheKafka):
    """The node that knows which broker leads what; it holds no records."""

    heap: ClassVar = ("-Xms64m", "-Xmx192m")

    def __init__(self, jars: Path, folder: Path, cluster_id: str) -> None:
        super().__init__(jars, folder, SETTINGS)
        self._cluster_id = cluster_id

    @property
    def voters(self) -> str:
        """The quorum, as its brokers want it."""
        return f"{CONTROLLER}@{self.bootstrap}"

    def _place(self) -> Mapping[str, str]:
        return {
            "process.roles": "controller",
            "node.id": str(CONTROLLER),
            "controller.quorum.voters": self.voters,
            "listeners": f"CONTROLLER://{self.bootstrap}",
        }

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class _Broker(ApacheKafka):
    """One of the brokers. By its listener OUTSIDE it is reached through a network."""

    heap: ClassVar = ("-Xms128m", "-Xmx320m")

    def __init__(
        self,
        jars: Path,
        folder: Path,
        number: int,
        controller: _Controller,
        network: BadNetwork | None,
    ) -> None:
        super().__init__(jars, folder, SETTINGS, {OUTSIDE: "PLAINTEXT"} if network else {})
        self._number = number
        self._controller = controller
        self._cluster_id = controller._cluster_id
        self.outside_port = self._ports.get(OUTSIDE, 0)  # where the network leads to
        self._way = network.way_to(self.outside_port) if network else 0

    @property
    def outside(self) -> str:
        """host:port of the way through the network."""
        return f"127.0.0.1:{self._way}"

    def _place(self) -> Mapping[str, str]:
        listeners = advertised = f"PLAINTEXT://{self.bootstrap}"
        if self._way:
            listeners += f",{OUTSIDE}://{self.bootstrap_of(OUTSIDE)}"
            advertised += f",{OUTSIDE}://{self.outside}"
        return {
            "process.roles": "broker",
            "node.id": str(self._number),
            "controller.quorum.voters": self._controller.voters,
            "listeners": listeners,
            "advertised.listeners": advertised,
        }


class ThreeBrokers:
    """The cluster: each broker by its number, on the same port and data however often it starts."""

    def __init__(self, jars: Path, folder: Path, network: BadNetwork | None = None) -> None:
        self._folder = folder
        self.controller = _Controller(jars, folder / "controller", new_cluster_id())
        self.brokers = {
            number: _Broker(jars, self._place_of(number), number, self.controller, network)
            for number in NUMBERS
        }

    @property
    def bootstrap(self) -> str:
        """host:port of each broker, with commas between."""
        return ",".join(broker.bootstrap for broker in self.brokers.values())

    @property
    def outside(self) -> str:
        """The same for clients that come through the network."""
        return ",".join(broker.outside for broker in self.brokers.values())

    def data_of(self, number: int) -> Path:
        """Return the folder in which a broker has its data."""
        return self._place_of(number) / "data"

    def start(self) -> None:
        """Start what does not run, and return when every copy is in sync."""
        nodes = [node for node in self._nodes() if not node.is_running()]
        with ThreadPoolExecutor(len(NUMBERS) + 1) as threads:
            list(threads.map(ApacheKafka.begin, nodes))
            list(threads.map(ApacheKafka.until_ready, nodes))
        self.until_in_sync()

    def kill(self) -> None:
        """End all of it, paused brokers too."""
        for node in self._nodes():
            node.kill()

    def leader(self, topic: str, partition: int) -> int:
        """Return the number of the broker that leads a partition."""
        with self._admin() as admin:
            (found,) = admin.describe_topics([topic])
        (leader,) = [
            p["leader_id"] for p in found["partitions"] if p["partition_index"] == partition
        ]
        return int(leader)

    def coordinator(self) -> int:
        """Return the number of the broker that coordinates every group, once there is one."""
        return self.leader("__consumer_offsets", 0)  # a topic of one partition

    def until_in_sync(self) -> None:
        """Wait until each partition has all its copies in sync."""
        self._until(lambda: not self.out_of_sync(), "not every copy is in sync")

    def out_of_sync(self) -> list[str]:
        """Return the partitions that lack a copy in sync."""
        with self._admin() as admin:
            return [
                f"{topic['name']}-{partition['partition_index']}"
                for topic in admin.describe_topics(None)
                for partition in topic["partitions"]
                if len(partition["isr_nodes"]) < len(partition["replica_nodes"])
            ]

    def _place_of(self, number: int) -> Path:
        return self._folder / f"broker-{number}"

    def _nodes(self) -> list[ApacheKafka]:
        return [self.controller, *self.brokers.values()]

    def _until(self, reached: Callable[[], bool], what: str) -> None:
        give_up_at = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                if reached():
                    return
            except KafkaError:
                pass
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"{what} after {START_SECONDS_MAX:g} s")
            time.sleep(0.1)

    @contextmanager
    def _admin(self) -> Iterator[KafkaAdminClient]:
        servers = [broker.bootstrap for broker in self.brokers.values() if broker.is_running()]
        admin = KafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5000)
        try:
            yield admin
        finally:
            admin.close()
