"""A broker with its topics, for as long as a demo, a bench or a drill lasts."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Protocol, Self
from uuid import uuid4

from prometheus_client.parser import text_string_to_metric_families

from streams.kafka.admin import create_topics, delete_topics
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.lab.broker import EmbeddedBroker, free_port
from streams.lab.tied import tied
from streams.settings import Settings, settings_of
from streams.topics.catalog import topic_specs

EMBEDDED: Final = {"session_timeout_seconds": "6", "heartbeat_seconds": "1"}
"""Settings that fit the embedded broker: half the session timeout is what the first join waits."""


@contextmanager
def embedded_rig(
    policy: Path, environment: Mapping[str, str] | None = None, port: int | None = None
) -> Iterator[Settings]:
    """Start an embedded broker, create the topics, and yield a worker's settings for them.

    `environment` has further WEIR_ settings; `port` is the broker's, a free one where none is
    given. All of it is gone afterwards.
    """
    given = {**_variables(EMBEDDED), **(environment or {})}
    with EmbeddedBroker(port) as broker, rig(broker.address, policy, given) as settings:
        yield settings


@contextmanager
def rig(
    broker: str, policy: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Settings]:
    """Create the topics on a broker, and yield a worker's settings for them."""
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        settings = settings_of(
            environment or {},
            broker=broker,
            policy=str(policy),
            data_dir=folder,
            metrics_port=str(free_port()),
        )
        create_topics(cluster_of(settings), topic_specs(settings), settings.replication)
        yield settings


@contextmanager
def passing_rig(
    broker: str, policy: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Settings]:
    """Be a rig whose topics are deleted afterwards: on a broker that stays."""
    with rig(broker, policy, environment) as settings:
        try:
            yield settings
        finally:
            delete_topics(cluster_of(settings), topic_specs(settings))


def place_of(
    broker: str | None, policy: Path, environment: Mapping[str, str], name: str
) -> AbstractContextManager[Settings]:
    """Return an embedded broker, or topics and a group of one's own on the broker given.

    These have names that begin with `name`.
    """
    if broker is None:
        return embedded_rig(policy, environment)
    own = f"{name}-{uuid4().hex[:8]}"
    return passing_rig(
        broker, policy, {**environment, "WEIR_GROUP": own, "WEIR_TOPIC_PREFIX": f"{own}."}
    )


def _variables(given: Mapping[str, str]) -> dict[str, str]:
    return {f"WEIR_{name.upper()}": value for name, value in given.items()}


STOP_SECONDS_MAX: Final = 30.0
LAST_WORDS_BYTES: Final = 2000

WORKER: Final = ("streams.cli", "worker")

Samples = Mapping[tuple[str, tuple[str, ...]], float]
"""Metric values by (name, label values)."""


LOADED: Final = ("streams.cli.loaded_worker",)


class Process(Protocol):
    """A process that we started, as `subprocess.Popen` is one."""

    @property
    def pid(self) -> int:
        """The process id."""

    def poll(self) -> int | None:
        """Return the status that it ended with; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired if it takes longer (seconds)."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Loaded(Protocol):
    """A worker that has loaded what it runs, and begins when it is given its settings."""

    @property
    def log(self) -> IO[bytes]:
        """What it writes."""

    @property
    def process(self) -> Process:
        """The process, once it has begun."""

    def begin(self, settings: Settings) -> None:
        """Let it work."""


class LoadedWorker:
    """A worker that loads what it runs, and waits for its settings. Used in a `with` statement."""

    def __init__(self) -> None:
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who ends it
        self.process = _started(LOADED, self.log, {}, stdin=subprocess.PIPE)
        self._is_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def begin(self, settings: Settings) -> None:
        """Let it work; a WorkerProcess has it from here on, and ends it."""
        assert self.process.stdin is not None
        self._is_begun = True
        with contextlib.suppress(BrokenPipeError):  # it has ended: its last words say why
            self.process.stdin.write(json.dumps(settings.variables()).encode() + b"\n")
            self.process.stdin.close()

    def close(self) -> None:
        """End it, if nobody has let it work."""
        if not self._is_begun:
            self._is_begun = True
            assert self.process.stdin is not None
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.log.close()


class WorkerProcess:
    """`weir worker`, or another program with metrics, in a process of its own that we end.

    One that is `loaded` before is used, if it is given.
    """

    def __init__(
        self,
        settings: Settings,
        command: Sequence[str] = WORKER,
        loaded: Loaded | None = None,
    ) -> None:
        self.settings = settings
        self._name = f"weir {command[1]}" if command[0] == WORKER[0] else command[0]
        self.started_at = time.monotonic()
        self._log: IO[bytes]
        self._process: Process
        if loaded is not None:
            loaded.begin(settings)
            self._log, self._process = loaded.log, loaded.process
            return
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = _started(command, self._log, settings.variables())

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def exit_status(self) -> int | None:
        """Return the status that it ended with; None while it runs."""
        return self._process.poll()

    def end_within(self, seconds: float) -> int | None:
        """Wait until it ends by itself, and return its status; None if it runs for longer."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def is_running(self) -> bool:
        """Return whether it runs."""
        return self.exit_status() is None

    def ensure_running(self) -> None:
        """Raise BrokerError, with its last words, where it has ended."""
        if not self.is_running():
            raise BrokerError(
                f"{self._name} ended with status {self.exit_status()}. It said:\n"
                f"{self.last_words()}"
            )

    def last_words(self) -> str:
        """Return the end of what it wrote."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(self._log.tell() - LAST_WORDS_BYTES, 0))
        return self._log.read().decode(errors="replace").strip()

    def said(self) -> str:
        """Return all that it wrote."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def samples(self) -> Samples:
        """Return its metrics now; nothing while it starts."""
        url = f"http://{self.settings.metrics_host}:{self.settings.metrics_port}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return {}
        return {
            (sample.name, tuple(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used (Linux; 0 where it cannot be told)."""
        try:
            text = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        except FileNotFoundError:
            return 0.0
        user, system = text.rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def pin(self, core: int) -> None:
        """Keep it on one core, where the machine has several and lets us choose."""
        cores = os.cpu_count() or 1
        if cores > 1 and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self.pid, {core % cores})

    def terminate(self) -> int:
        """Stop it gracefully (it flushes and commits); return its exit status."""
        if self.is_running():
            self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return self.kill()

    def pause(self) -> None:
        """Let it stand still (SIGSTOP), as a machine does that is frozen or swaps."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on where it stood still."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> int:
        """End it as a power cut would; return its exit status."""
        self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """End it, and give up its log."""
        if self.is_running():
            self.kill()
        self._log.close()


_PYTHON_OPTIONS: Final = {"streams": ["-P"]}
"""Our own programs are this Weir's, whatever lies in the folder in which the command was given."""


def _started(
    command: Sequence[str],
    log: IO[bytes],
    variables: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own command
        tied([sys.executable, *_PYTHON_OPTIONS.get(command[0].split(".")[0], []), "-m", *command]),
        env={**without_weir(os.environ), **variables},
        stdin=stdin,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for us: we stop it in order
    )


def taken_in(samples: Samples) -> int:
    """Return how many records a worker took in: transactions, rejections and redeliveries.

    Reversals that wait are taken in, too.
    """
    names = (
        "weir_transactions_total", "weir_rejections_total", "weir_redeliveries_total",
        "weir_reversals_waiting",
    )  # fmt: skip
    return sum(total_of(samples, name) for name in names)


def total_of(samples: Samples, name: str) -> int:
    """Return a metric's sum over all its labels, of counts."""
    return int(sum(value for (metric, _), value in samples.items() if metric == name))


def without_weir(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without settings of ours: a process is given its own."""
    return {name: value for name, value in environment.items() if not name.startswith("WEIR_")}
