"""A real schema registry, Apicurio's, in a process of its own on loopback: from Maven Central."""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from urllib.error import URLError

from streams.lab.broker import free_port
from tests.kafka.jars import FETCH_SECONDS_MAX, ROOT, KafkaUnavailableError, java

VERSION: Final = "3.0.9"
ARTIFACT: Final = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
START_SECONDS_MAX: Final = 240.0


def apicurio_folder() -> Path:
    """Return the folder with its program, fetching it if it is not there.

    Raises KafkaUnavailableError if it cannot be fetched.
    """
    home = Path(os.environ.get("WEIR_KAFKA_HOME", ROOT / ".kafka")).absolute()
    folder = home / f"apicurio-{VERSION}"
    if folder.exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError("no mvn, and no schema registry: install Maven")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        command = [
            maven, "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}",
            f"-DoutputDirectory={scratch}",
        ]  # fmt: skip
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX,
                cwd=scratch,
            )  # fmt: skip
        except (subprocess.SubprocessError, OSError) as error:
            raise KafkaUnavailableError(f"no schema registry: {error}") from None
        (packed,) = Path(scratch).glob("*.tar.gz")
        unpacked = Path(scratch) / "unpacked"
        with tarfile.open(packed) as archive:
            archive.extractall(unpacked, filter="data")
        unpacked.rename(folder)
    return folder


@contextmanager
def apicurio() -> Iterator[str]:
    """Run a registry with nothing in it; yield the address of its API as Confluent's has it."""
    folder, port = apicurio_folder(), free_port()
    (jar,) = folder.glob("*-runner.jar")
    settings = ["-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [java(), "-Xmx512m", *settings, "-jar", jar], cwd=folder, stdout=log, stderr=log
        )
        url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        try:
            _until_it_answers(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def _until_it_answers(url: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            with urllib.request.urlopen(f"{url}/subjects", timeout=5):  # noqa: S310 - ours
                return
        except (URLError, OSError):
            if process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.5)
                continue
        log.seek(0)
        said = log.read()[-2000:].decode(errors="replace")
        raise RuntimeError(f"the schema registry does not answer: {said}")


def register(url: str, subject: str, schema: object, **more: object) -> int:
    """Register a schema of Avro (as JSON), or of another type by `schemaType`; return its id."""
    text = schema if isinstance(schema, str) else json.dumps(schema)
    request = urllib.request.Request(  # noqa: S310 - ours
        f"{url}/subjects/{subject}/versions",
        json.dumps({"schema": text, **more}).encode(),
        {"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        number: int = json.load(answer)["id"]
        return number
