"""Spans by OTLP over HTTP: what a receiver gets, and that none is needed."""

import sys
import threading
import time

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from streams.lab.broker import free_port
from streams.settings import Settings, SettingsError, settings_of
from streams.traces import Traces
from tests.support.collector import collecting

BILLION = 1_000_000_000


def settings_with(endpoint: str | None, **given: str) -> Settings:
    return settings_of({}, broker="b:1", traces_endpoint=endpoint, **given)


def numbers_of(span: Span) -> dict[str, int]:
    return {pair.key: pair.value.int_value for pair in span.attributes}


def test_a_receiver_gets_a_span_with_its_numbers_and_its_steps_below_it() -> None:
    with collecting() as collector:
        traces = Traces(settings_with(collector.endpoint, group="g", instance="w-1"))
        before = time.time_ns()
        traces.note("weir.flush", 3.0, {"weir.partition": 2}, [("journal", 1.0), ("seal", 2.0)])
        traces.close()
    spans = {span.name: span for span in collector.spans()}
    assert spans.keys() == {"weir.flush", "weir.flush.journal", "weir.flush.seal"}
    flush, journal, seal = (spans[name] for name in sorted(spans))
    assert numbers_of(flush) == {"weir.partition": 2}
    assert before <= flush.end_time_unix_nano <= time.time_ns()
    assert flush.end_time_unix_nano - flush.start_time_unix_nano == 3 * BILLION
    assert journal.start_time_unix_nano == flush.start_time_unix_nano
    assert journal.end_time_unix_nano == seal.start_time_unix_nano
    assert seal.end_time_unix_nano == flush.end_time_unix_nano
    assert journal.parent_span_id == seal.parent_span_id == flush.span_id
    assert not flush.parent_span_id
    described = {"service.name", "service.namespace", "service.version", "service.instance.id"}
    assert collector.resource().keys() == described
    assert collector.resource()["service.instance.id"] == "w-1"


def test_without_an_endpoint_nothing_is_loaded_and_nothing_is_noted() -> None:
    traces = Traces(settings_with(None))
    traces.note("weir.run", 1.0, {"weir.records": 1})
    traces.close()
    assert traces._provider is None


def test_a_receiver_that_is_away_costs_spans_and_a_few_seconds_at_most() -> None:
    traces = Traces(settings_with(f"http://127.0.0.1:{free_port()}/v1/traces"))
    for _ in range(4000):  # eight batches, each of which is tried for seconds
        traces.note("weir.run", 1.0, {"weir.records": 1})
    before = threading.active_count()
    assert before > 1, "one of them sends"
    traces.close()
    assert not [thread for thread in threading.enumerate() if "Otel" in thread.name]
    assert threading.active_count() < before, "nobody goes on trying behind our back"


@pytest.mark.parametrize(
    "endpoint", ["", "collector:4318", "ftp://c/v1/traces", "http://", "http://u:p@c/v1/traces"]
)
def test_an_endpoint_that_cannot_be_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="WEIR_TRACES_ENDPOINT must be a URL"):
        settings_with(endpoint)


def test_an_endpoint_without_the_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"needs the extra traces: pip install"):
        Traces(settings_with("http://127.0.0.1:1/v1/traces"))
