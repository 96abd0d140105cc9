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
from typing import Final

from streams.cli.program import main

SECONDS_MAX: Final = 250.0
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
        process.join(SECONDS_MAX)
        if process.exitcode is None:
            process.terminate()
            process.join(STOP_SECONDS_MAX)
            raise subprocess.TimeoutExpired(["weir", *words], SECONDS_MAX)
        status = process.exitcode
        texts = [path.read_text(encoding="utf-8") for path in (out, err)]
    return subprocess.CompletedProcess(["weir", *words], status, *texts)


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
