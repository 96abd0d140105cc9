"""Runs `weir` commands as processes of a server that has loaded everything once.

A process takes some seconds to load the models; one that is forked from a process that has loaded
them takes none. All else is as in a process of its own: environment, output, exit status.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path
from typing import IO, Final

from streams.cli.program import main
from streams.lab.rig import WorkerProcess, without_weir
from streams.lab.tied import tie
from streams.settings import Settings

SECONDS_MAX: Final = 1500.0
"""A test is given up before, by its own timeout."""

STOP_SECONDS_MAX: Final = 5.0

set_forkserver_preload(["tests.support.loaded"])
_CONTEXT: Final = multiprocessing.get_context("forkserver")


def run_command(
    words: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `weir` with these words to its end, in a folder (the tests' own if none is named).

    Raises subprocess.TimeoutExpired if it takes too long.
    """
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name, "out"), Path(name, "err")
        process = _CONTEXT.Process(
            target=_be_weir, args=([*words], {**environment}, folder or Path.cwd(), out, err)
        )
        process.start()
        try:
            process.join(SECONDS_MAX)
            status = process.exitcode
        finally:
            if process.exitcode is None:  # of a test that is given up, too
                process.terminate()
                process.join(STOP_SECONDS_MAX)
        if status is None:
            raise subprocess.TimeoutExpired(["weir", *words], SECONDS_MAX)
        texts = [path.read_text(encoding="utf-8") for path in (out, err)]
    return subprocess.CompletedProcess(["weir", *words], status, *texts)


def forked_worker(settings: Settings) -> WorkerProcess:
    """Start `weir worker` with these settings."""
    return WorkerProcess(settings, loaded=_Forked())


class _Forked:
    """A process of the server that is a worker: what `subprocess.Popen` is to a command."""

    def __init__(self) -> None:
        self.log: IO[bytes] = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed with the worker

    @property
    def process(self) -> "_Forked":
        return self

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def begin(self, settings: Settings) -> None:
        environment = without_weir(os.environ) | settings.variables()
        log = Path(self.log.name)
        self._process = _CONTEXT.Process(target=_be_worker, args=(environment, Path.cwd(), log))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(["weir", "worker"], timeout or 0.0)
        return status

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def _be_worker(environment: dict[str, str], folder: Path, log: Path) -> None:
    os.setsid()  # Ctrl-C is for the tests, which end it in order
    tie(os.getppid())
    _be_weir(["worker"], environment, folder, log, log)


def _be_weir(
    words: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((0, Path(os.devnull)), (1, out), (2, err)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["weir", *words]
    main()
