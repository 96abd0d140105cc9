"""The latency of alerts: from the writing of the record that caused one until the broker has it."""

import asyncio
import json
import random
from collections.abc import Sequence

import pytest

from streams.kafka.producer import Outgoing
from streams.wire.columns import read_run
from streams.worker.partition import Partition
from tests.support.fake_log import TOPICS, Event, FakeOutbox, Log
from tests.support.made_stream import new_engine
from tests.support.records import GOOD_TIMESTAMP, Record, record

SEEDED = random.Random(1)  # noqa: S311 - seeded, and no secret
NOW = GOOD_TIMESTAMP / 1000 + 100


class HeldOutbox(FakeOutbox):
    """An outbox whose acknowledgements come when the test says so."""

    def __init__(self) -> None:
        super().__init__(Log(), SEEDED)
        self.acks: list[asyncio.Future[object]] = []
        self.alerts: list[Outgoing] = []

    async def send(
        self, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[asyncio.Future[object]]:
        del partition
        ack: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if topic == TOPICS.alerts:
            self.acks.append(ack)
            self.alerts += records
        return [ack]


@pytest.fixture(autouse=True)
def at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.worker.partition.time.time", lambda: NOW)


async def noted_of(
    records: list[Record], refusal: Exception | None = None
) -> list[tuple[float, str]]:
    """Return what a partition reports of one run, once its alerts are acknowledged or refused."""
    noted: list[tuple[float, str]] = []
    outbox = HeldOutbox()
    partition = Partition(
        new_engine(),
        {},
        outbox,
        TOPICS,
        lambda _: True,
        on_latency=lambda *of_run: noted.append(of_run),
    )
    event = Event(outbox, SEEDED, records[-1].offset)
    await partition.take(event, read_run([records]))
    assert not noted, "nothing is acknowledged yet"
    for ack in outbox.acks:
        if refusal is None:
            ack.set_result(None)
        else:
            ack.set_exception(refusal)
    await asyncio.sleep(0)
    alerts = [json.loads(record.value or b"") for record in outbox.alerts]
    accounts = {alert["alert_id"]: alert["account_id"] for alert in alerts}
    return [(seconds, accounts[alert_id]) for seconds, alert_id in noted]


async def latencies(records: list[Record], refusal: Exception | None = None) -> list[float]:
    """Return the seconds alone."""
    return [seconds for seconds, _ in await noted_of(records, refusal)]


def written(offset: int, seconds: float, amount: str, account_id: str) -> Record:
    """Return a record that was written so many seconds before now."""
    timestamp = round((NOW - seconds) * 1000)
    return record(offset, f"T{offset}", timestamp=timestamp, amount=amount, account_id=account_id)


MANY = [
    written(7, 90, "1.00", "A1"),
    written(8, 40, "9000.00", "A2"),
    written(9, 50, "9000.00", "A3"),
    written(11, 5, "1.00", "A1"),
]


def test_it_is_that_of_the_earliest_record_that_caused_an_alert_and_counted_once_a_run() -> None:
    assert asyncio.run(latencies(MANY)) == pytest.approx([50.0])


def test_it_comes_with_the_alert_of_that_record() -> None:
    ((seconds, account_id),) = asyncio.run(noted_of(MANY))
    assert seconds == pytest.approx(50.0)
    assert account_id == "A3"


def test_a_run_without_an_alert_has_none() -> None:
    assert asyncio.run(latencies(MANY[:1])) == []


def test_a_clock_that_is_ahead_counts_as_no_time() -> None:
    assert asyncio.run(latencies([written(3, -20, "9000.00", "A2")])) == [0.0]


def test_an_alert_that_the_broker_refused_is_not_counted() -> None:
    assert asyncio.run(latencies(MANY, RuntimeError("away"))) == []


def test_the_earliest_of_some_records_is_found_by_their_offsets() -> None:
    run = read_run([MANY])
    assert run.first_written([11, 8]) == (MANY[1].timestamp * 1000, 8)
    assert run.first_written([11, 9, 8]) == (MANY[2].timestamp * 1000, 9)
    assert run.first_written([10, 3, 99, -1]) is None
