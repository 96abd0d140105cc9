"""What waits when a recovery ends is decided, once: nothing falls between Faust's steps."""

from pathlib import Path

import pytest

from monitor.policy.document import DEFAULT_POLICY
from tests.support.rigs import Broker, own_rig, records, running, send, until_taken_in, value_of


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["run", "records", "plain"])
def test_records_that_are_fetched_as_a_recovery_ends_reach_the_agent(
    embedded_broker: Broker, tmp_path: Path, transport: str
) -> None:
    with own_rig(
        embedded_broker, tmp_path, DEFAULT_POLICY, partitions="1", transport=transport
    ) as settings:
        sent = 0
        for program in (
            ("streams.cli", "worker"),  # leaves something to recover
            ("tests.support.slow_seek_worker", "worker"),
            ("streams.cli", "worker"),
        ):
            send(settings, records(sent, 300))
            with running(settings, *program) as worker:
                until_taken_in(worker, 300)
                send(settings, records(sent + 300, 100))
                until_taken_in(worker, 400)
                samples = worker.samples()
                assert value_of(samples, "weir_transactions_total") == 400
                assert value_of(samples, "weir_redeliveries_total") == 0
                assert worker.terminate() == 0
            sent += 400
