"""Start a program that ends when the process that started it does, however that one ended.

A broker in memory and its workers are of no use to anybody once the demo or the drill that they
were started for is gone, and `kill -9` leaves nobody behind who could end them. Linux does it, if
it is asked by the child itself; elsewhere the program is started as it is.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def tied(command: Sequence[str]) -> list[str]:
    """Return the command line that runs `command` tied to the calling process.

    The tie is to the calling *thread*: start such a program from one that lasts.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-P", "-m", "streams.lab.tied", str(os.getpid()), *command]


def tie(parent: int) -> None:
    """Ask to be killed when the parent ends, whose process id it is (Linux)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(0)  # it ended before we asked


def main() -> None:
    """Tie this process to its parent, and become the program that is named."""
    parent, *command = sys.argv[1:]
    tie(int(parent))
    os.execv(command[0], command)  # noqa: S606 - our own broker or worker


if __name__ == "__main__":
    main()
