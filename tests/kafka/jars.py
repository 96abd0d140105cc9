"""Apache Kafka's jars, fetched once from Maven Central by the pom beside this file.

`python -m tests.kafka.jars` fetches them and prints where they are. They go to `.kafka/` in the
root of the repository, or to the folder that WEIR_KAFKA_HOME names.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
POM: Final = Path(__file__).with_name("pom.xml")
JAVA_MIN: Final = 17
FETCH_SECONDS_MAX: Final = 600


class KafkaUnavailableError(RuntimeError):
    """Apache Kafka cannot be had on this machine; the message says what is missing."""


def kafka_version() -> str:
    """Return the version of Apache Kafka that the pom names."""
    found = re.search(
        r"<artifactId>kafka_2\.13</artifactId>\s*<version>([0-9.]+)</version>",
        POM.read_text(encoding="utf-8"),
    )
    assert found
    return found[1]


def java() -> str:
    """Return the path of a Java that can run Kafka 4. Raises KafkaUnavailableError."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if program is None:
        raise KafkaUnavailableError(f"no java: install Java {JAVA_MIN} or newer, or set JAVA_HOME")
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', said.stderr)
    if found is None or int(found[1]) < JAVA_MIN:
        raise KafkaUnavailableError(
            f"{program} is not Java {JAVA_MIN} or newer: {said.stderr.strip()[:100]}"
        )
    return program


def jars() -> Path:
    """Return the folder with Kafka's jars, fetching them where they are not there yet.

    Raises KafkaUnavailableError if they cannot be fetched.
    """
    home = Path(os.environ.get("WEIR_KAFKA_HOME", ROOT / ".kafka")).absolute()
    folder = home / kafka_version()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "fetching").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once fetch once
        if not folder.exists():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError("no mvn, and no Kafka jars: install Maven")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        copied = Path(scratch) / "jars"
        command = [
            maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies",
            "-DincludeScope=runtime", f"-DoutputDirectory={copied}",
        ]  # fmt: skip
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = str(error.stdout or "")[-1000:].strip()
            raise KafkaUnavailableError(
                f"Kafka's jars cannot be fetched: {error}\n{said}"
            ) from error
        copied.rename(folder)  # whole or not at all


if __name__ == "__main__":
    sys.stdout.write(f"{jars()}\n")
