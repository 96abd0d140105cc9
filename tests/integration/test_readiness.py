"""Readiness of real processes: while they start, while they work, and without a broker."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from monitor.policy.document import DEFAULT_POLICY
from streams.lab.broker import EmbeddedBroker, free_port
from streams.lab.rig import WorkerProcess
from streams.settings import Settings
from tests.support.rigs import (
    QUICK,
    Broker,
    own_rig,
    records,
    running,
    send,
    until,
    until_taken_in,
)

LIVENESS_SECONDS: Final = "16"
"""Half of it a worker stays ready without an answer of its broker."""


@pytest.fixture
def mortal() -> Iterator[EmbeddedBroker]:
    """A broker that the test may end."""
    with EmbeddedBroker() as broker:
        yield broker


def asked(process: WorkerProcess, path: str = "/readyz") -> tuple[int, Any]:
    """Return status and body of an answer; 0 while nobody listens."""
    settings = process.settings
    url = f"http://{settings.metrics_host}:{settings.metrics_port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    except OSError:
        return 0, {}
    return status, json.loads(body) if path == "/readyz" else body


def failing(process: WorkerProcess) -> set[str] | None:
    """Return the reasons against; None while nobody listens."""
    status, body = asked(process)
    if not status:
        return None
    found = {name for name, reason in body["reasons"].items() if not reason["ok"]}
    assert status == (503 if found else 200)
    return found


def until_ready(process: WorkerProcess) -> None:
    until(lambda: failing(process) == set(), "the process is ready", process)


def partitions_said(process: WorkerProcess) -> str:
    said: str = asked(process)[1]["reasons"]["partitions"]["says"]
    return said


@pytest.mark.slow  # it waits until its broker counts as lost
def test_a_worker_is_ready_with_its_partitions_and_not_without_a_broker(
    mortal: EmbeddedBroker, tmp_path: Path
) -> None:
    given = {"partitions": "2", "liveness_seconds": LIVENESS_SECONDS}
    broker = Broker(mortal.address, QUICK)
    with (
        own_rig(broker, tmp_path, DEFAULT_POLICY, **given) as settings,
        running(settings) as worker,
    ):
        seen: list[set[str]] = []

        def is_ready() -> bool:
            found = failing(worker)
            seen.extend([] if found is None else [found])
            return found == set()

        until(is_ready, "the worker is ready", worker)
        assert {"partitions"} <= seen[0], "it was ready before it had joined its group"
        assert partitions_said(worker) == "0, 1"
        send(settings, records(0, 50), partition=0)
        until_taken_in(worker, 50)
        until_ready(worker)
        assert asked(worker, "/livez") == asked(worker, "/healthz") == (200, b"ok\n")
        assert asked(worker, "/")[0] == 404

        mortal.stop()
        until(lambda: failing(worker) == {"broker"}, "it is not ready", worker)
        assert asked(worker, "/livez")[0] == 200


def test_a_worker_without_a_partition_is_ready_as_others_have_all(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with (
        own_rig(embedded_broker, tmp_path, DEFAULT_POLICY, partitions="1") as settings,
        running(settings) as first,
        running(another(settings, tmp_path / "second")) as second,
    ):
        for worker in (first, second):
            until_ready(worker)
        until(lambda: said_by(first, second)[0] == "0", "one of them has the partition")
        until_ready(first)
        until_ready(second)
        assert said_by(first, second)[1].startswith("none: ")


def said_by(*workers: WorkerProcess) -> list[str]:
    """Return what they say of their partitions, numbers first."""
    return sorted(map(partitions_said, workers))


def another(settings: Settings, folder: Path) -> Settings:
    return replace(settings, metrics_port=free_port(), data_dir=folder)


@pytest.mark.slow  # it waits until its broker counts as lost
def test_an_archive_is_ready_with_store_positions_and_broker(
    mortal: EmbeddedBroker, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'weir.db'}"
    broker = Broker(mortal.address, QUICK)
    with (
        own_rig(broker, tmp_path, DEFAULT_POLICY, store=store) as settings,
        running(settings, "streams.cli", "archive") as archive,
    ):
        until_ready(archive)
        reasons = asked(archive)[1]["reasons"]
        assert reasons["store"]["says"] == "answers"
        assert reasons["positions"]["says"] == "known of 8 topics"
        assert asked(archive, "/foo")[0] == 404

        mortal.stop()
        until(lambda: failing(archive) == {"broker"}, "it is not ready", archive)


def test_a_console_is_ready_without_a_broker_and_says_that_its_writer_waits(
    tmp_path: Path,
) -> None:
    port = str(free_port())
    broker = Broker(f"127.0.0.1:{free_port()}", QUICK)  # nobody is there
    settings = Settings(
        broker=broker.address,
        store=f"sqlite:///{tmp_path / 'weir.db'}",
        metrics_port=free_port(),
    )
    words = ("streams.cli", "console", "--port", port, "--no-browser")
    with running(settings, *words) as console:
        until(lambda: waits(console), "the writer waits for a broker", console)
        assert failing(console) == set()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            said = json.loads(answer.read())
        assert said == asked(console)[1] | {"notes": {}}, "nobody has logged in there"


def waits(console: WorkerProcess) -> bool:
    writer: str = asked(console)[1].get("notes", {}).get("writer", "")
    return writer.startswith("decisions wait: no broker answers")
