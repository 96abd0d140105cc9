"""A real Apache Kafka of one node (KRaft) in a process of its own, on loopback."""

import base64
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Final, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.lab.broker import free_port
from tests.kafka.jars import java

START_SECONDS_MAX: Final = 180.0
STOP_SECONDS_MAX: Final = 30.0
LAST_WORDS_BYTES: Final = 3000
LOG4J: Final = Path(__file__).with_name("log4j2.properties")

SETTINGS: Final = {
    "controller.listener.names": "CONTROLLER",
    # One node: nothing can have a second copy.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A topic that Weir forgot to create is a fault to be seen.
    "auto.create.topics.enable": "false",
    # A group need not wait for members that may come yet.
    "group.initial.rebalance.delay.ms": "0",
    # On a machine that is busy a heartbeat comes late, and a broker that is fenced has no topics.
    "broker.session.timeout.ms": "30000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": "16777216",
}


SHORT_SESSION: Final = {"broker.session.timeout.ms": "15000"}
"""For a node that is killed: its registration is waited out before it may come again.

Below that, a node on a busy machine is fenced while it lives.
"""


def new_cluster_id() -> str:
    """Return an id that no other cluster has, as Kafka writes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class ApacheKafka:
    """One Kafka node: its port and its data stay the same however often it is started again.

    `settings` come on top of SETTINGS (names as in Kafka's server.properties). `listeners` are
    further ones, with the protocol of each by its name.
    """

    heap: ClassVar = ("-Xms256m", "-Xmx512m")

    def __init__(
        self,
        jars: Path,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
    ) -> None:
        self.port = free_port()
        self._protocols = dict(listeners or {})
        self._ports = {name: free_port() for name in self._protocols}
        self._format_options = format_options
        self._cluster_id = new_cluster_id()
        self._controller_port = free_port()
        self._jars = jars
        self._folder = folder
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """host:port, as clients want it."""
        return f"127.0.0.1:{self.port}"

    def bootstrap_of(self, listener: str) -> str:
        """host:port of a further listener."""
        return f"127.0.0.1:{self._ports[listener]}"

    @property
    def pid(self) -> int:
        """The process id of the node that runs."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Return whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and return when it answers as an unfenced broker.

        Raises RuntimeError with its last words where it does not.
        """
        self.begin()
        self.until_ready()

    def begin(self) -> None:
        """Start its process, and do not wait."""
        assert not self.is_running()
        self._reap()  # one that ended by itself
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / "data" / "meta.properties").exists():
            self._format()
        self._log = (self._folder / "kafka.log").open("ab")
        self._process = subprocess.Popen(
            [*self._java(*self.heap), "kafka.Kafka", str(self._properties())],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the test run, which stops it in order
        )

    def until_ready(self) -> None:
        """Wait until it answers, as `start` does."""
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop it in order (SIGTERM), or by force after STOP_SECONDS_MAX; harmless when stopped."""
        if self._process is not None and self.is_running():
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def kill(self) -> None:
        """Kill it (SIGKILL), as a machine that loses its power would end it for its clients."""
        if self._process is not None and self.is_running():
            self._process.send_signal(signal.SIGKILL)
        self._reap()

    def end_within(self, seconds: float) -> int | None:
        """Wait until it ends by itself, and return its status; None if it runs for longer."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def pause(self) -> None:
        """Let it stand still (SIGSTOP): its connections stay open, and nothing comes from them."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on where it stood still."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stop it in order and start it again on the same port and data."""
        self.stop()
        self.start()

    def last_words(self) -> str:
        """Return the end of what it logged."""
        return self.said()[-LAST_WORDS_BYTES:].strip()

    def said(self) -> str:
        """Return all that it logged, however often it was started."""
        log = self._folder / "kafka.log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _java(self, *options: str) -> list[str]:
        return [
            # A node lives for a minute: what it compiles better than at once, nobody has time for.
            java(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *options,
            f"-Dlog4j2.configurationFile={LOG4J}", "-cp", f"{self._jars}/*",
        ]  # fmt: skip

    def _place(self) -> Mapping[str, str]:
        """Return what the node is among others, and where it listens."""
        controller = f"127.0.0.1:{self._controller_port}"
        further = [f"{name}://{self.bootstrap_of(name)}" for name in self._ports]
        advertised = ",".join([f"PLAINTEXT://{self.bootstrap}", *further])
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"{advertised},CONTROLLER://{controller}",
            "advertised.listeners": advertised,
        }

    def _properties(self) -> Path:
        protocols = {"CONTROLLER": "PLAINTEXT", "PLAINTEXT": "PLAINTEXT"} | self._protocols
        settings = {
            **SETTINGS,
            **self._place(),
            "listener.security.protocol.map": ",".join(map(":".join, protocols.items())),
            "log.dirs": str(self._folder / "data"),
            **self._settings,
        }
        path = self._folder / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return path

    def _format(self) -> None:
        tool = [*self._java(), "kafka.tools.StorageTool", "format"]
        subprocess.run(
            # The id may begin with a dash: then a word of its own is taken for an option.
            [
                *tool, f"--cluster-id={self._cluster_id}", "-c", str(self._properties()),
                *self._format_options,
            ],
            check=True, capture_output=True, timeout=START_SECONDS_MAX,
        )  # fmt: skip

    def _wait(self) -> None:
        give_up_at = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < give_up_at:
            if not self.is_running():
                raise RuntimeError(f"Apache Kafka ended at its start:\n{self.last_words()}")
            if self._answers():
                return
            time.sleep(0.1)
        raise RuntimeError(f"Apache Kafka is not ready in time:\n{self.last_words()}")

    def _answers(self) -> bool:
        with socket.socket() as probe:  # kafka-python leaks a socket for each refused connection
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        try:
            admin = KafkaAdminClient(bootstrap_servers=[self.bootstrap], request_timeout_ms=2000)
        except KafkaError:
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            admin.close()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
        if self._log is not None:
            self._log.close()
        self._process = self._log = None
