"""A worker's spans: runs, flushes with their steps, and recoveries; and nothing of the records."""

from pathlib import Path

import pytest

from monitor.policy.document import DEFAULT_POLICY
from tests.support.collector import collecting
from tests.support.rigs import Broker, own_rig, records, running, send, until_taken_in

STEPS = ["snapshot", "reports", "journal", "buckets", "seal"]


@pytest.mark.slow
def test_a_worker_sends_a_span_for_each_run_flush_and_recovery(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with (
        collecting() as collector,
        own_rig(
            embedded_broker, tmp_path, DEFAULT_POLICY, partitions="1", flush_seconds="0.2",
            traces_endpoint=collector.endpoint,
        ) as settings,
    ):  # fmt: skip
        send(settings, records(0, 300))
        with running(settings) as worker:
            until_taken_in(worker, 300)
            assert worker.terminate() == 0
    spans = collector.spans()
    numbers = [{pair.key: pair.value.int_value for pair in span.attributes} for span in spans]
    of_runs = [
        of_span for span, of_span in zip(spans, numbers, strict=True) if span.name == "weir.run"
    ]
    assert sum(of_span["weir.records"] for of_span in of_runs) == 300
    assert [span.name for span in spans].count("weir.recovery") == 1
    flushes = {span.span_id: span for span in spans if span.name == "weir.flush"}
    assert flushes
    for name in STEPS:
        for step in [span for span in spans if span.name == f"weir.flush.{name}"]:
            flush = flushes[step.parent_span_id]
            assert flush.start_time_unix_nano <= step.start_time_unix_nano
            assert step.end_time_unix_nano <= flush.end_time_unix_nano + 1_000_000
    assert {span.name for span in spans} == {
        "weir.run", "weir.recovery", "weir.flush", *(f"weir.flush.{name}" for name in STEPS),
    }  # fmt: skip
    # Every attribute is a number, and no record, account or id is in any byte.
    for span in spans:
        assert all(pair.value.WhichOneof("value") == "int_value" for pair in span.attributes)
        assert all(pair.key.startswith("weir.") for pair in span.attributes)
    for body in collector.raw:
        assert b"account" not in body.replace(b"weir.accounts", b"")
        assert b"EUR" not in body
