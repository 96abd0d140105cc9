"""A PostgreSQL of one's own for tests: on loopback, in a folder, gone afterwards.

It takes the server that is installed (the PATH, or Debian's place for it), which refuses to run as
root: then it is run as another user.
"""

import getpass
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from streams.lab.broker import free_port

DEBIAN: Final = Path("/usr/lib/postgresql")
USER: Final = "nobody"


class PostgresUnavailableError(Exception):
    """There is no server to start: the message says what is missing."""


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None and DEBIAN.is_dir():
        places = sorted(DEBIAN.glob(f"*/bin/{name}"))
        found = str(places[-1]) if places else None
    if found is None:
        raise PostgresUnavailableError(f"no {name}: install Debian's package postgresql")
    return os.path.realpath(found)


def _run(words: list[str]) -> None:
    before = ["runuser", "-u", USER, "--"] if getpass.getuser() == "root" else []
    done = subprocess.run(
        [*before, *words], capture_output=True, text=True, check=False, cwd="/", timeout=100
    )
    if done.returncode:
        raise PostgresUnavailableError(f"{words[0]} failed: {done.stderr.strip()[-300:]}")


def _is_dead(pid: int) -> bool:
    """Return whether a process has ended, and waits only for its status to be asked."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"


class PostgresServer:
    """A server with its data in a folder of its own, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        initdb, self._pg_ctl = _program("initdb"), _program("pg_ctl")
        self._folder, self._data = folder, folder / "data"
        if getpass.getuser() == "root":
            for path in (folder, *folder.parents):  # another user has to pass through
                if path.stat().st_uid == 0 and str(path).startswith("/tmp/"):  # noqa: S108 - pytest's
                    path.chmod(0o755)
            shutil.chown(folder, USER)
        _run([initdb, "-A", "trust", "-U", "weir", "-D", str(self._data), "--no-sync"])
        self._port = free_port()
        self.url = f"postgresql+psycopg://weir@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self._folder / "log")
        _run([self._pg_ctl, "-D", str(self._data), "-o", options, "-l", log, "-w", "start"])

    def kill(self) -> None:
        """End it as a power cut would: each of its processes by SIGKILL, the first one first."""
        first = int((self._data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        below = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
        for pid in (first, *map(int, below)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while not all(_is_dead(pid) for pid in (first, *map(int, below))):
            time.sleep(0.05)
        # A dead process whose status nobody asks for (as in a container) looks as if it ran.
        for name in (self._data / "postmaster.pid", self._folder / f".s.PGSQL.{self._port}.lock"):
            name.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it."""
        _run([self._pg_ctl, "-D", str(self._data), "-m", "immediate", "-w", "stop"])


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a server with its data in a folder; yield the URL of a database of it.

    Raises PostgresUnavailableError if there is none to run.
    """
    with postgres_server(folder) as server:
        yield server.url


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """Run a server with its data in a folder. Raises PostgresUnavailableError as `postgres`."""
    if sys.platform != "linux":
        raise PostgresUnavailableError("the tests start one on Linux alone")
    server = PostgresServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
