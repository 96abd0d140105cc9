"""prometheus and promtool, taken out of Debian's package without installing it.

`python -m tests.prometheus.programs` fetches them and prints where they are. They go to
`build/prometheus/` in the root of the repository, or to the folder that WEIR_PROMETHEUS_HOME names;
programs that are on the PATH already are taken as they are.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
FETCH_SECONDS_MAX: Final = 300


class PrometheusUnavailableError(RuntimeError):
    """Prometheus cannot be had on this machine; the message says what is missing."""


class Programs(NamedTuple):
    """Where the two programs are."""

    prometheus: Path
    promtool: Path


def programs() -> Programs:
    """Return where the programs are, fetching them where they are not there yet.

    Raises PrometheusUnavailableError if they cannot be fetched.
    """
    found = [shutil.which(name) for name in Programs._fields]
    if all(found):
        return Programs(*(Path(str(path)) for path in found))
    home = Path(os.environ.get("WEIR_PROMETHEUS_HOME", ROOT / "build" / "prometheus")).absolute()
    home.mkdir(parents=True, exist_ok=True)
    folder = home / "package"
    with (home / "fetching").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once fetch once
        if not folder.exists():
            _fetch(folder)
    return Programs(*(folder / "usr" / "bin" / name for name in Programs._fields))


def _fetch(folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise PrometheusUnavailableError("no prometheus and promtool on the PATH: install them")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        try:
            if not _download(scratch):  # the package lists may be older than the package
                subprocess.run(
                    ["apt-get", "update", "-qq"], check=True, capture_output=True,
                    timeout=FETCH_SECONDS_MAX,
                )  # fmt: skip
                _download(scratch)
            package = next(Path(scratch).glob("prometheus_*.deb"), None)
            if package is None:
                raise PrometheusUnavailableError("Debian's package prometheus cannot be downloaded")
            unpacked = Path(scratch) / "package"
            subprocess.run(
                ["dpkg", "-x", str(package), str(unpacked)], check=True, capture_output=True
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise PrometheusUnavailableError(f"Prometheus cannot be fetched: {error}") from error
        unpacked.rename(folder)  # whole or not at all


def _download(folder: str) -> bool:
    return (
        subprocess.run(
            ["apt-get", "download", "-qq", "prometheus"],
            check=False, capture_output=True, cwd=folder, timeout=FETCH_SECONDS_MAX,
        ).returncode
        == 0
    )  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\n" for path in programs()))
