"""The services of docker-compose.yml that are ours, as plain processes on real Kafka.

No container engine is needed: a service's command and environment are taken out of the file, with
only the host names, the ports and the place of the policy put right for this machine.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.kafka.admin import delete_topics
from streams.kafka.cluster import Cluster
from streams.lab.broker import free_port
from streams.lab.rig import WorkerProcess, without_weir
from streams.settings import settings_of
from streams.topics.catalog import topic_specs
from tests.kafka.apache_kafka import ApacheKafka
from tests.support.rigs import command, running, until

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
WORKERS = ("worker-1", "worker-2")


def resolved(text: str) -> str:
    """Return a value with `${NAME:-default}` as Compose makes it where no .env says otherwise."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def environment_of(name: str, kafka: ApacheKafka) -> dict[str, str]:
    service = COMPOSE["services"][name]
    values = {key: resolved(str(value)) for key, value in service["environment"].items()}
    assert values["WEIR_BROKER"] == "kafka:19092"
    values["WEIR_BROKER"] = kafka.bootstrap
    for place in service.get("configs", ()):
        assert values["WEIR_POLICY"] == place["target"]
        file = resolved(COMPOSE["configs"][place["source"]]["file"])
        values["WEIR_POLICY"] = str((ROOT / file).resolve())
    if "WEIR_METRICS_HOST" in values:
        assert values["WEIR_METRICS_HOST"] == "0.0.0.0"  # noqa: S104 - inside the project's network
        values |= {"WEIR_METRICS_HOST": "127.0.0.1", "WEIR_METRICS_PORT": str(free_port())}
    return values


def health_check() -> list[str]:
    """Return the command of the image's HEALTHCHECK."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", text, re.MULTILINE)
    assert found
    words: list[str] = json.loads(found[1])
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


def is_healthy(environment: dict[str, str]) -> bool:
    done = subprocess.run(
        health_check(), env=without_weir(os.environ) | environment,
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    return done.returncode == 0


@contextmanager
def worker_of(
    environment: dict[str, str], words: list[str], folder: Path
) -> Iterator[WorkerProcess]:
    settings = settings_of(environment | {"WEIR_DATA_DIR": str(folder)})
    with running(settings, "streams.cli", *words) as worker:
        yield worker


def test_topics_ends_with_0_and_both_workers_get_ready_and_healthy(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    topics = environment_of("topics", apache_kafka)
    done = command(*COMPOSE["services"]["topics"]["command"], **topics)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "created: weir.transactions.v1" in done.stdout
    with ExitStack() as stack:
        workers = []
        for name in WORKERS:
            environment = environment_of(name, apache_kafka)
            assert not is_healthy(environment)  # the check can fail
            words = COMPOSE["services"][name]["command"]
            workers.append(stack.enter_context(worker_of(environment, words, tmp_path / name)))
        stack.callback(
            delete_topics, Cluster(apache_kafka.bootstrap), topic_specs(settings_of(topics))
        )

        def partitions() -> list[float]:
            key = ("weir_partitions_assigned", ())
            return [worker.samples().get(key, 0) for worker in workers]

        until(lambda: sorted(partitions()) == [4, 4], "each has half of the partitions", workers[0])
        for worker in workers:
            assert is_healthy(worker.settings.variables())
        assert [worker.terminate() for worker in workers] == [0, 0]
        assert not is_healthy(workers[0].settings.variables())


def test_a_compose_worker_before_its_topics_ends_with_status_3(apache_kafka: ApacheKafka) -> None:
    environment = environment_of("worker-1", apache_kafka)
    ended = command(*COMPOSE["services"]["worker-1"]["command"], **environment)
    assert ended.returncode == 3
    assert "weir check --create-topics" in ended.stderr
