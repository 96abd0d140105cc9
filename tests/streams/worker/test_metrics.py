"""The metrics: what METRICS says, what a scrape shows and what the docs say are one thing."""

import re
from collections.abc import Callable
from pathlib import Path
from wsgiref.types import WSGIEnvironment
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from monitor.core.alert import NEVER_SUPPRESSED, Kind, Status
from monitor.core.transaction import Reason
from monitor.ordinary.layout import IN_PYTHON
from streams.exposition import Readiness, application
from streams.state.keys import FORMAT
from streams.worker.metrics import METRICS, Metrics

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
BOUNDED = {
    "reason",
    "kind",
    "status",
    "part",
    "partition",
    "currency",
    "table",
    "version",
    "state_format",
}
OF_PARTITIONS = [name for name, metric in METRICS.items() if metric.labels == ("partition",)]
UNITS = {"seconds": {"seconds", "seconds since 1970"}, "bytes": {"bytes"}, "records": {"records"}}


def a_worker() -> Metrics:
    return Metrics(CollectorRegistry(), "1.2.3")


def scraped(metrics: Metrics) -> list[Sample]:
    text = generate_latest(metrics.registry).decode()
    return [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]


ALERT_ID = "5f8f9a0e-4a55-5d0c-9f5e-3a1c4f2f6b11"
LATENCY = METRICS["alert_latency"].name
OPENMETRICS = "application/openmetrics-text; version=1.0.0, text/plain; version=0.0.4; q=0.5"


def page(metrics: Metrics, accept: str) -> tuple[str, str]:
    """Return the content type and the text that a scraper gets of the port of metrics."""
    environ: WSGIEnvironment = {"HTTP_ACCEPT": accept}
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = "/metrics"
    types: list[str] = []

    def start_response(_: str, headers: list[tuple[str, str]], *__: object) -> Callable[..., None]:
        types.append(dict(headers)["Content-Type"])
        return lambda *_: None

    answer = application(metrics.registry, lambda: Readiness({}))
    text = b"".join(answer(environ, start_response)).decode()
    return types[0], text


def test_who_asks_for_openmetrics_is_told_the_alert_of_a_latency() -> None:
    metrics = a_worker()
    metrics.observe_alert(0.7, ALERT_ID)
    metrics.observe_alert(7000.0, ALERT_ID[::-1])  # beyond the greatest bucket
    content_type, text = page(metrics, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    found = {
        sample.labels["le"]: sample.exemplar
        for family in openmetrics_families(text)  # type: ignore[no-untyped-call]
        if family.name == LATENCY
        for sample in family.samples
        if sample.exemplar
    }
    assert {
        le: (exemplar.labels["alert_id"], exemplar.value) for le, exemplar in found.items()
    } == {"1.0": (ALERT_ID, 0.7), "+Inf": (ALERT_ID[::-1], 7000.0)}


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain; version=0.0.4", "text/html"])
def test_everybody_else_gets_plain_prometheus_text_without_exemplars(accept: str) -> None:
    metrics = a_worker()
    metrics.observe_alert(0.7, ALERT_ID)
    content_type, text = page(metrics, accept)
    assert content_type.startswith("text/plain; version=0.0.4")
    assert ALERT_ID not in text
    values = {
        sample.labels["le"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{LATENCY}_bucket"
    }
    assert (values["0.5"], values["1.0"]) == (0, 1)


def table(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading of the docs, without the backticks."""
    section = DOCS.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows][
        2:
    ]


def test_a_scrape_shows_the_metrics_of_the_table_with_their_types_and_no_others() -> None:
    metrics = a_worker()
    for attribute in OF_PARTITIONS:
        getattr(metrics, attribute).labels("0").inc()
    text = generate_latest(metrics.registry).decode()
    shown = {
        (line.split()[2], line.split()[3])
        for line in text.splitlines()
        if line.startswith("# TYPE ") and "_created" not in line
    }
    assert shown == {(metric.name, metric.type) for metric in METRICS.values()}


def test_a_scrape_shows_the_labels_of_the_table() -> None:
    metrics = a_worker()
    for attribute in OF_PARTITIONS:
        getattr(metrics, attribute).labels("0").inc()
    metrics.unwatched.labels("CZK")
    metrics.undecided.labels("CZK")
    metrics.limit_currency_seen.labels("EUR")
    metrics.names_held.labels("0", "channels")
    metrics.tail_scores.labels("0", "transactions")
    metrics.names_beyond.labels("0", "channels")
    labels = {
        re.sub("_(bucket|sum|count)$", "", sample.name): set(sample.labels) - {"le"}
        for sample in scraped(metrics)
    }
    assert labels == {metric.name: set(metric.labels) for metric in METRICS.values()}


def test_the_docs_have_every_metric_with_its_type_labels_and_meaning_and_no_other() -> None:
    documented = [
        (name, type_, labels, about) for name, type_, labels, _, about in table("Every metric")
    ]
    assert sorted(documented) == sorted(
        (metric.name, metric.type, ", ".join(metric.labels), metric.about)
        for metric in METRICS.values()
    )


def test_the_unit_in_the_docs_is_the_one_in_the_name() -> None:
    for name, _, _, unit, _ in table("Every metric"):
        suffix = name.removesuffix("_total").rsplit("_", 1)[-1]
        assert unit in UNITS.get(suffix, {unit} - {""}), name
        assert (unit.split(" ", maxsplit=1)[0] in {"seconds", "bytes"}) == (
            suffix in {"seconds", "bytes"}
        ), name


def test_counters_alone_end_in_total() -> None:
    for metric in METRICS.values():
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        assert re.fullmatch(r"weir_[a-z]+(_[a-z]+)*", metric.name)


def test_the_docs_have_every_label_with_its_values() -> None:
    documented = dict(table("Every label"))
    assert set(documented) == {label for metric in METRICS.values() for label in metric.labels}
    documented["reason"], in_python = documented["reason"].split("; of records in Python: ")
    assert in_python.split(", ") == [*IN_PYTHON]
    for label, members in (("reason", Reason), ("kind", Kind), ("status", Status)):
        assert documented[label].split(", ") == [member.value for member in members], label


def test_no_label_can_hold_an_account() -> None:
    assert {label for metric in METRICS.values() for label in metric.labels} <= BOUNDED


def test_every_reason_kind_and_status_stands_at_zero_before_anything_happened() -> None:
    values = {
        (sample.name, *sample.labels.values()): sample.value for sample in scraped(a_worker())
    }
    for reason in Reason:
        assert values["weir_rejections_total", reason.value] == 0
    for why in IN_PYTHON:
        assert values["weir_records_in_python_total", why] == 0
    for kind in Kind:
        for status in Status:
            assert values["weir_alerts_total", kind.value, status.value] == 0
            marked = values.get(("weir_suppressed_alerts_total", kind.value, status.value))
            assert marked == (None if kind in NEVER_SUPPRESSED else 0)
    assert values["weir_build_info", str(FORMAT), "1.2.3"] == 1


def test_an_unknown_label_is_a_mistake_and_no_new_series() -> None:
    with pytest.raises(ValueError, match="label"):
        a_worker().transactions.labels("account-1")


@given(st.sets(st.integers(0, 20), min_size=1), st.data())
def test_forgetting_a_partition_drops_its_series_and_no_others(
    partitions: set[int], data: st.DataObject
) -> None:
    metrics = a_worker()
    before = scraped(metrics)
    for number in partitions:
        for attribute in OF_PARTITIONS:
            getattr(metrics, attribute).labels(str(number)).inc(number + 1)
    gone = data.draw(st.sampled_from(sorted(partitions)))
    metrics.forget_partition(gone)
    left = {
        (sample.name, sample.labels["partition"])
        for sample in scraped(metrics)
        if "partition" in sample.labels
    }
    assert left == {
        (METRICS[attribute].name, str(number))
        for number in partitions - {gone}
        for attribute in OF_PARTITIONS
    }
    assert [s for s in scraped(metrics) if "partition" not in s.labels] == before


def test_forgetting_a_partition_that_was_never_seen_changes_nothing() -> None:
    metrics = a_worker()
    before = scraped(metrics)
    metrics.forget_partition(7)
    assert scraped(metrics) == before


def test_two_workers_in_one_process_share_nothing() -> None:
    first, second = a_worker(), a_worker()
    first.transactions.inc(5)
    assert second.registry.get_sample_value("weir_transactions_total") == 0
    assert not any(family.name.startswith("weir_") for family in REGISTRY.collect())


@given(st.lists(st.floats(0, 200), max_size=30))
def test_a_histogram_counts_each_run_once_and_its_last_bucket_has_them_all(
    durations: list[float],
) -> None:
    metrics = a_worker()
    for seconds in durations:
        metrics.run_duration.observe(seconds)
    value = metrics.registry.get_sample_value
    assert value("weir_run_duration_seconds_count") == len(durations)
    assert value("weir_run_duration_seconds_bucket", {"le": "+Inf"}) == len(durations)
    assert value("weir_run_duration_seconds_bucket", {"le": "1.0"}) == sum(
        seconds <= 1 for seconds in durations
    )
