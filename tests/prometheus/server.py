"""A real Prometheus on a free loopback port, with the shipped configuration and rules."""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from streams.lab.broker import free_port
from tests.prometheus.programs import Programs

START_SECONDS_MAX: Final = 30.0
SCRAPE_SECONDS: Final = 1


class PrometheusServer:
    """A Prometheus that runs: ask it what a panel or a rule would."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the vector that an expression gives now. Raises ValueError on a bad one."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its health."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def exemplars(self, selector: str) -> list[dict[str, Any]]:
        """Return the exemplars of the last hour of the series that a selector names.

        There are none if Prometheus does not keep any (`--enable-feature=exemplar-storage`).
        """
        now = time.time()
        found = self._get(
            "query_exemplars", query=selector, start=str(now - 3600), end=str(now + 60)
        )
        return [exemplar for series in found for exemplar in series["exemplars"]]

    def _get(self, what: str, **arguments: str) -> Any:  # noqa: ANN401 - JSON of any form
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - http, our own
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(error.read().decode()) from error


@contextmanager
def prometheus_of(
    programs: Programs,
    folder: Path,
    shipped: Path,
    targets: Mapping[str, str],
    options: Sequence[str] = (),
) -> Iterator[PrometheusServer]:
    """Run a Prometheus by the configuration at `shipped`, each job with its target (host:port).

    `options` are further ones of its command. What has no target here is left out, and scraping and
    judging are done each second. Raises KeyError if a job of `targets` is not among the shipped
    ones.
    """
    address = f"127.0.0.1:{free_port()}"
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    for name, target in targets.items():
        for static in jobs[name]["static_configs"]:
            static["targets"] = [target]
    config = {
        "global": {
            "scrape_interval": f"{SCRAPE_SECONDS}s",
            "evaluation_interval": f"{SCRAPE_SECONDS}s",
        },
        "rule_files": [str(shipped.parent / rules) for rules in config["rule_files"]],
        "scrape_configs": [jobs[name] for name in targets],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(programs.prometheus), f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}",
                *options,
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            _wait(process, f"http://{address}", folder / "log")
            yield PrometheusServer(f"http://{address}")
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up_at = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2):  # noqa: S310 - http, our own
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            time.sleep(0.1)
    raise RuntimeError(f"Prometheus did not become ready:\n{log.read_text()[-2000:]}")
