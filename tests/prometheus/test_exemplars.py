"""A real Prometheus says which alert a latency was measured of, and the alert is on the topic."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import yaml

from monitor.policy.document import DEFAULT_POLICY
from streams.settings import Settings
from streams.topics.catalog import Topics
from tests.prometheus.programs import Programs, PrometheusUnavailableError, programs
from tests.prometheus.server import PrometheusServer, prometheus_of
from tests.support.rigs import Broker, own_rig, records_of, running, send, until, value_of

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parents[2]
SHIPPED: Final = ROOT / "dashboards" / "prometheus.yml"
LATENCY: Final = "weir_alert_latency_seconds"
ACCOUNTS: Final = 5


@pytest.fixture
def settings(embedded_broker: Broker, tmp_path: Path) -> Iterator[Settings]:
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY, partitions="1") as made:
        yield made


@contextmanager
def scraping(settings: Settings, folder: Path, *options: str) -> Iterator[PrometheusServer]:
    """Run a Prometheus that scrapes the worker with these settings."""
    try:
        found: Programs = programs()
    except PrometheusUnavailableError as error:
        pytest.skip(f"NO PROMETHEUS, exemplars were not tried: {error}")
    target = f"{settings.metrics_host}:{settings.metrics_port}"
    with prometheus_of(found, folder, SHIPPED, {"weir": target}, options) as server:
        yield server


def features() -> Sequence[str]:
    """Return what the Compose file switches on in its Prometheus."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    options: list[str] = compose["services"]["prometheus"]["command"]
    return [option for option in options if option.startswith("--enable-feature=")]


def over_the_limit() -> list[tuple[bytes | None, bytes | None]]:
    """Return a transaction of each of some accounts, by which it exceeds a limit."""
    return [
        (
            b"E%d" % number,
            b'{"transaction_id": "1", "account_id": "E%d", "booked_at": "2026-01-05T10:00:00Z",'
            b' "amount": "90000.00", "currency": "EUR", "direction": "debit"}' % number,
        )
        for number in range(ACCOUNTS)
    ]


def test_prometheus_as_compose_starts_it_names_an_alert_of_the_topic(
    settings: Settings, tmp_path: Path
) -> None:
    with running(settings) as worker, scraping(settings, tmp_path, *features()) as server:
        until(lambda: bool(server.query(LATENCY + "_count")), "Prometheus scrapes", worker)
        send(settings, over_the_limit())
        until(lambda: bool(server.exemplars(LATENCY + "_bucket")), "an exemplar comes", worker)
        exemplars = server.exemplars(LATENCY + "_bucket")
    alerts = [
        json.loads(record.value) for record in records_of(settings, Topics.of(settings).alerts)
    ]
    named = {exemplar["labels"]["alert_id"] for exemplar in exemplars}
    raised = {alert["alert_id"] for alert in alerts if alert["status"] == "raised"}
    assert len(raised) >= ACCOUNTS
    assert named <= raised


def test_prometheus_that_was_not_told_to_keep_exemplars_keeps_none(
    settings: Settings, tmp_path: Path
) -> None:
    with running(settings) as worker, scraping(settings, tmp_path) as server:
        until(lambda: bool(server.query(LATENCY + "_count")), "Prometheus scrapes", worker)
        send(settings, over_the_limit())
        until(
            lambda: any(float(sample["value"][1]) for sample in server.query(LATENCY + "_count")),
            "Prometheus has the latency",
            worker,
        )
        assert value_of(worker.samples(), LATENCY + "_count") >= 1
        assert server.exemplars(LATENCY + "_bucket") == []
