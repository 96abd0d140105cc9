"""Prometheus metrics of the archive and of the console, the processes beside the workers.

Like the workers' they are in base units, and an account never is a label. `METRICS` is what
docs/metrics.md is checked against.
"""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from monitor.store.programs.webhooks import DELIVERED, FAILED, GIVEN_UP, Deliveries
from streams.archive.archive import Progress
from streams.exposition import BUILD_INFO, Metric
from streams.state.keys import FORMAT

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

METRICS: Final = {
    "build_info": BUILD_INFO,
    "records": Metric(
        "weir_archive_records_total",
        "counter",
        "Records that the archive has taken into the store, by topic.",
        ("topic",),
    ),
    "passed_over": Metric(
        "weir_archive_passed_over_total",
        "counter",
        "Records that the archive could not read: each is in its log.",
    ),
    "lag": Metric(
        "weir_archive_lag_records",
        "gauge",
        "Records of a topic that the archive has still to take.",
        ("topic",),
    ),
    "requests": Metric(
        "weir_console_request_duration_seconds",
        "histogram",
        "Time of a request to the console, by method and the first digit of its status; the live"
        " connection is left out.",
        ("method", "status"),
    ),
    "unsent": Metric(
        "weir_console_unsent_decisions",
        "gauge",
        "Decisions of people that the broker does not have yet.",
    ),
    "published": Metric(
        "weir_console_published_total",
        "counter",
        "Decisions of people that were published.",
    ),
    "webhook_tries": Metric(
        "weir_console_webhook_tries_total",
        "counter",
        "Tries to deliver an event to a webhook, by what came of it.",
        ("outcome",),
    ),
    "webhook_waiting": Metric(
        "weir_console_webhook_waiting",
        "gauge",
        "Events that wait for a webhook's address to take them.",
    ),
}


class ArchiveMetrics:
    """Metrics of one archive, in a registry of its own."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        _note_build(self.registry)
        self._records = Counter(*_said("records"), registry=self.registry)
        self._passed_over = Counter(*_said("passed_over"), registry=self.registry)
        self._lag = Gauge(*_said("lag"), registry=self.registry)
        self._taken: dict[str, int] = {}
        self._were_passed_over = 0
        for topic in topics:  # so that a rate sees the first
            self._records.labels(topic)

    def note(self, progress: Progress) -> None:
        """Count what an archive has taken by now, and keep how much each topic has still."""
        for topic, number in progress.taken.items():
            self._records.labels(topic).inc(number - self._taken.get(topic, 0))
        self._passed_over.inc(progress.passed_over - self._were_passed_over)
        for topic, records in progress.lag.items():
            self._lag.labels(topic).set(records)
        self._taken, self._were_passed_over = {**progress.taken}, progress.passed_over


class ConsoleMetrics:
    """Metrics of one console, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        _note_build(self.registry)
        self._requests = Histogram(*_said("requests"), registry=self.registry, buckets=_SECONDS)
        self._unsent = Gauge(*_said("unsent"), registry=self.registry)
        self._published = Counter(*_said("published"), registry=self.registry)

        self._webhook_tries = Counter(*_said("webhook_tries"), registry=self.registry)
        self._webhook_waiting = Gauge(*_said("webhook_waiting"), registry=self.registry)
        for outcome in (DELIVERED, FAILED, GIVEN_UP):  # so that a rate sees the first
            self._webhook_tries.labels(outcome)

    def webhook_try(self, outcome: str) -> None:
        """Note what came of a try to deliver an event."""
        self._webhook_tries.labels(outcome).inc()

    def webhooks(self, found: Deliveries) -> None:
        """Note how many events wait."""
        self._webhook_waiting.set(found.waiting)

    def request(self, method: str, status: int, seconds: float) -> None:
        """Note a request that was answered."""
        self._requests.labels(method, f"{status // 100}xx").observe(seconds)

    def decisions(self, unsent: int, published: int) -> None:
        """Note how many decisions wait, and how many were published just now."""
        self._unsent.set(unsent)
        self._published.inc(published)


def _note_build(registry: CollectorRegistry) -> None:
    build_info = Gauge(*_said("build_info"), registry=registry)
    build_info.labels(version("weir-monitor"), str(FORMAT)).set(1)


def _said(name: str) -> tuple[str, str, tuple[str, ...]]:
    metric = METRICS[name]
    return metric.name, metric.about, metric.labels
