"""Metrics of archive and console: what a scrape shows, and what the docs say, are one thing."""

import re
from collections import Counter
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from streams.archive.archive import Progress
from streams.archive.metrics import METRICS, ArchiveMetrics, ConsoleMetrics

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


def lines_of(registry: CollectorRegistry) -> list[str]:
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if "_created" not in line]


def types_in(registry: CollectorRegistry) -> set[tuple[str, str]]:
    typed = [line.split() for line in lines_of(registry) if line.startswith("# TYPE ")]
    return {(words[2], words[3]) for words in typed}


def test_two_scrapes_show_the_metrics_that_there_are() -> None:
    shown = types_in(ArchiveMetrics(["t"]).registry) | types_in(ConsoleMetrics().registry)
    assert shown == {(metric.name, metric.type) for metric in METRICS.values()}


def test_the_docs_have_each_with_type_labels_and_meaning() -> None:
    section = DOCS.read_text(encoding="utf-8").split("## Of the archive and the console\n", 1)[1]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| .*? \| (.*?) \|$", section, re.MULTILINE)
    found = {(name, kind, labels.replace("`", ""), about) for name, kind, labels, about in rows}
    stated = {
        (metric.name, metric.type, ", ".join(metric.labels), metric.about)
        for metric in METRICS.values()
    }
    assert stated <= found


def test_an_archive_counts_what_each_turn_took() -> None:
    metrics, taken = ArchiveMetrics(["a", "b"]), Counter[str]()
    for number in (3, 4):
        taken["a"] += number
        metrics.note(Progress(taken, number // 4, is_at_end=False, lag={"a": 10 - number, "b": 0}))
    lines = lines_of(metrics.registry)
    assert 'weir_archive_records_total{topic="a"} 7.0' in lines
    assert 'weir_archive_records_total{topic="b"} 0.0' in lines
    assert "weir_archive_passed_over_total 1.0" in lines
    assert 'weir_archive_lag_records{topic="a"} 6.0' in lines


def test_a_console_counts_requests_and_decisions() -> None:
    metrics = ConsoleMetrics()
    metrics.request("GET", 200, 0.02)
    metrics.request("GET", 303, 0.02)
    metrics.request("POST", 409, 0.02)
    metrics.decisions(2, 0)
    metrics.decisions(0, 2)
    lines = lines_of(metrics.registry)
    name = "weir_console_request_duration_seconds_count"
    assert f'{name}{{method="GET",status="2xx"}} 1.0' in lines
    assert f'{name}{{method="POST",status="4xx"}} 1.0' in lines
    assert "weir_console_unsent_decisions 0.0" in lines
    assert "weir_console_published_total 2.0" in lines
