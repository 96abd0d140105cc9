"""A disk of a few megabytes, in memory, that a test can fill to its end."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CHUNK: Final = bytes(1 << 16)
FILLER: Final = "filler"


class DiskUnavailableError(Exception):
    """No disk may be mounted here: the message says what refused it."""


class SmallDisk:
    """A disk that is mounted on a folder."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / FILLER

    def fill(self) -> None:
        """Leave no byte of it free."""
        with self._filler.open("ab", buffering=0) as file:
            size = len(CHUNK)
            while size:
                try:
                    file.write(CHUNK[:size])
                except OSError:  # ENOSPC: what is left is less
                    size //= 2

    def free(self) -> None:
        """Give back what `fill` took."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk on a folder, which is made; it is gone afterwards with all that it holds.

    Whatever has files open there must have ended before. Raises DiskUnavailableError where it may
    not be mounted.
    """
    if sys.platform != "linux":
        raise DiskUnavailableError("the tests mount one on Linux alone")
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        raise DiskUnavailableError("no mount and umount")
    folder.mkdir(parents=True, exist_ok=True)
    size = f"size={megabytes}m"
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", size, "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DiskUnavailableError(f"mount failed: {done.stderr.strip()[-300:]}")
    try:
        yield SmallDisk(folder)
    finally:  # lazily: the folder is rid of it even where something is still open
        subprocess.run([umount, "-l", str(folder)], check=True)
