"""A real OpenID provider, a program of npm, in a process of its own on loopback.

The package beside this file names it with every package that it takes, each by its hash. They go to
`build/openid/` in the root of the repository, or to the folder that WEIR_OPENID_HOME names.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
FILES: Final = ("package.json", "package-lock.json", "provider.mjs")
FETCH_SECONDS_MAX: Final = 300


class OpenIdUnavailableError(RuntimeError):
    """The provider cannot be had on this machine; the message says what is missing."""


def program() -> Path:
    """Return the provider's script with its packages beside it, fetching them once.

    Raises OpenIdUnavailableError if they cannot be fetched.
    """
    if shutil.which("node") is None:
        raise OpenIdUnavailableError("no node: install Node.js 20 or newer, with npm")
    content = b"".join((HERE / name).read_bytes() for name in FILES)
    home = Path(os.environ.get("WEIR_OPENID_HOME", ROOT / "build" / "openid")).absolute()
    home.mkdir(parents=True, exist_ok=True)
    folder = home / hashlib.sha256(content).hexdigest()[:16]
    with (home / "fetching").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once fetch once
        if not folder.exists():
            _fetch(folder)
    return folder / "provider.mjs"


def _fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise OpenIdUnavailableError("no npm, and no provider: install npm")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for name in FILES:
            shutil.copy(HERE / name, made)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(
                command, cwd=made, check=True, capture_output=True, text=True,
                timeout=FETCH_SECONDS_MAX,
            )  # fmt: skip
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = str(error.stderr or "")[-1000:].strip()
            raise OpenIdUnavailableError(f"npm ci must work: {error}\n{said}") from error
        made.rename(folder)  # whole or not at all


@contextmanager
def real_provider(clients: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Run the provider for some clients, and yield its issuer.

    Raises OpenIdUnavailableError if it cannot be had.
    """
    with subprocess.Popen(
        ["node", str(program())],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(clients) + "\n")
            process.stdin.flush()
            issuer = process.stdout.readline().strip()
            assert issuer, "the provider has ended"
            yield issuer
        finally:
            process.kill()
