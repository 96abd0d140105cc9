"""A series of benchmarks: a file to which each run of `weir bench` appends one line."""

import errno
import fcntl
import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from streams.cli.files import OutputError, check_outputs

PACKAGE: Final = Path(__file__).resolve().parent.parent
CPUINFO: Final = Path("/proc/cpuinfo")
GIT_SECONDS_MAX: Final = 30.0
LAST_LINE_BYTES_MAX: Final = 1 << 20
"""A line is a few hundred bytes; a file whose last line is longer than this is no series."""


class Series:
    """A file of benchmarks, JSON Lines, to which one run is to be appended.

    Time and commit are read when it is made, which is before the run measures anything. Raises
    OutputError then, if the run could not be appended to the file.
    """

    def __init__(self, path: Path, options: Mapping[str, object]) -> None:
        _ensure_appendable(path)
        self.path = path
        began = datetime.fromtimestamp(int(time.time()), UTC)
        self._head: dict[str, object] = {"when": began.strftime("%Y-%m-%dT%H:%M:%SZ")}
        commit = commit_of(PACKAGE)
        if commit is not None:
            self._head["commit"] = commit
        self._options = dict(options)

    def append(self, machine: Mapping[str, object], figures: Mapping[str, object]) -> None:
        """Append the run as one line, or nothing. Raises OutputError if that fails."""
        entry = {**self._head, "machine": machine, "options": self._options, "figures": figures}
        try:
            _append(self.path, json.dumps(entry).encode() + b"\n")
        except OSError as error:
            raise OutputError(
                f"{self.path} does not have this run: {error.strerror}; its figures are above"
            ) from error


def machine() -> dict[str, object]:
    """Return what figures depend on of this machine; its name is not among it."""
    return {
        "cores": os.cpu_count() or 1,
        "cpu": _cpu(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def commit_of(folder: Path) -> str | None:
    """Return the commit of the code in a folder, with `-dirty` if the code differs from it.

    None if git does not track the folder: an installed package may lie in the tree of another
    project. A change below docs/ makes no tree dirty, since the series itself lies there.
    """
    head = _git(folder, "rev-parse", "HEAD")
    if head is None or _git(folder, "ls-files", "--error-unmatch", "--", "__init__.py") is None:
        return None
    changed = _git(
        folder, "status", "--porcelain", "--untracked-files=no", "--", ":(top)",
        ":(top,exclude)docs",
    )  # fmt: skip
    return head if changed == "" else f"{head}-dirty"


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it fails, or is not there."""
    # A git that runs us, as a hook does, says by variables which tree it is in.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        ended = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607 - the git of the PATH
            cwd=folder, env=environment, capture_output=True, timeout=GIT_SECONDS_MAX, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.decode(errors="replace").strip()


def _cpu() -> str:
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def _ensure_appendable(path: Path) -> None:
    """Raise OutputError unless a run can be appended to the file, or begin it."""
    if str(path) == "-":
        raise OutputError("a series must be a file, not stdout: name a file, or use --json")
    check_outputs([path], [])
    if not path.exists():
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise OutputError(f"{path} cannot be written: {path.parent} lets nothing be written")
        return
    if not path.is_file():
        raise OutputError(f"a series must be a file, and {path} is none")
    try:
        with path.open("r+b") as file:
            file.seek(max(path.stat().st_size - LAST_LINE_BYTES_MAX, 0))
            *_, last = [b"", *file.read().splitlines()]
    except OSError as error:
        raise OutputError(f"{path} cannot be appended to: {error.strerror}") from error
    if last and not _is_run(last):
        raise OutputError(
            f"{path} is no series of benchmarks: its last line must be one that weir bench"
            f" appended, not {last[:40].decode(errors='replace')!r}"
        )


def _is_run(line: bytes) -> bool:
    try:
        read: Any = json.loads(line)
    except ValueError:
        return False
    return isinstance(read, dict) and {"when", "machine", "options", "figures"} <= read.keys()


def _append(path: Path, line: bytes) -> None:
    """Write a line at the end of a file by one call. Raises OSError, and leaves the file as it was.

    Runs that end at the same time append one after the other.
    """
    place = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        size = os.fstat(place).st_size
        if size and os.pread(place, 1, size - 1) != b"\n":
            line = b"\n" + line  # an editor took it away
        if os.write(place, line) < len(line):
            os.ftruncate(place, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(place)
    finally:
        os.close(place)
