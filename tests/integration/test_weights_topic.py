"""The topic of weights on a broker: what others write there, and two who teach at once."""

import asyncio
import json
from collections.abc import Iterable
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer

from models.teaching.terms import TERMS
from monitor.core.business_day import Calendar, day_of_text, day_text
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.policy.weights import Weights, WeightsError, WeightsVersion
from streams.feed.envelopes.mapped import records_reading
from streams.lab.rig import total_of
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.topics.weights import (
    first_day,
    learned_version,
    read_weights,
    weights_bytes,
    weights_of_file,
    write_weights,
)
from tests.support.laws import law
from tests.support.rigs import Broker, own_rig, records, records_of, running, send, until
from tests.support.transactions import POLICY

TAUGHT = POLICY + "\n[budget]\nalerts_per_day = 4\ntaught = true\n"
DAY = day_of_text("2026-01-20")
VERSION = WeightsVersion(1, DAY, Weights(0.5, (0.25,) * len(TERMS)), 60, 20, 5.0, "0" * 64)
GARBAGE = [
    None,
    b"",
    b"\xff\xfe",
    b"[" * 40_000,
    b'{"a":' * 40_000,
    b'{"version": ' + b"9" * 5_000 + b"}",
    json.dumps(VERSION.fields() | {"log_evidence": 10**400}).encode(),
    json.dumps(VERSION.fields() | {"weights": {"score": 1}}).encode(),
    weights_bytes(VERSION)[:-9],
]


def write(settings: Settings, topic: str, values: Iterable[bytes | None]) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.broker.split(","), acks="all")
    for number, value in enumerate(values):
        producer.send(topic, value, b"%d" % number, partition=0).get(30)
    producer.close()


def test_a_worker_passes_over_what_is_no_version(embedded_broker: Broker, tmp_path: Path) -> None:
    with own_rig(embedded_broker, tmp_path, POLICY, partitions="1") as settings:
        topic = Topics.of(settings).weights
        write(settings, topic, [*GARBAGE, weights_bytes(VERSION)])
        with running(settings) as worker:
            until(lambda: total_of(worker.samples(), "weir_weights_version") == 1, "one", worker)
            later = VERSION._replace(version=2)
            write(settings, topic, [*GARBAGE, weights_bytes(later)])
            until(lambda: total_of(worker.samples(), "weir_weights_version") == 2, "two", worker)
        assert asyncio.run(read_weights(settings)).versions == (VERSION, later)


def test_of_two_who_teach_at_once_the_second_is_told_so(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """Compaction keeps both, though they have learned of the same dispositions."""
    with own_rig(embedded_broker, tmp_path, POLICY, partitions="1") as settings:
        second = VERSION._replace(effective_from=DAY + 1)
        taken = [asyncio.run(write_weights(settings, each)) for each in (VERSION, second)]
        assert taken == [True, False]
        assert asyncio.run(read_weights(settings)).versions == (VERSION,)
        keys = [record.key for record in records_of(settings, Topics.of(settings).weights)]
        assert len(set(keys)) == 2


def test_a_version_begins_after_all_days_that_were_told_of(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """Though the last transactions of all partitions are late ones."""
    book = PolicyBook([policy_of(TAUGHT)])
    with own_rig(embedded_broker, tmp_path, TAUGHT, partitions="1") as settings:
        read = records_reading(settings).read
        with pytest.raises(WeightsError, match="there is no transaction"):
            asyncio.run(learned_version(settings, read, book))
        send(settings, records(0, 3))  # of 2026-01-05
        version = asyncio.run(learned_version(settings, read, book))
        assert version is not None
        assert day_text(version.effective_from) == "2026-01-07"
        alert = {"alert_id": "a", "revision": 1, "business_day": day_text(DAY), "evidence": {}}
        write(settings, Topics.of(settings).alerts, [json.dumps(alert).encode()])
        version = asyncio.run(learned_version(settings, read, book))
        assert version is not None
        assert version.effective_from == DAY + 2


CALENDAR = Calendar(ZoneInfo("Europe/Berlin"), time(3))
MINUTE = 60_000_000


@law(200)
@given(st.integers(0, 30 * 24 * 60), st.integers(0, 9))
def test_a_version_is_there_hours_before_its_first_day(minutes: int, silent_days: int) -> None:
    """Over midnight, a weekend and the change of the clocks."""
    now = CALENDAR.start_of(day_of_text("2026-03-20")) + minutes * MINUTE
    begun = CALENDAR.day_of(now) - silent_days
    first = first_day(begun, CALENDAR, now)
    assert first >= begun + 2
    assert CALENDAR.start_of(first) - now >= 6 * 60 * MINUTE
    assert first <= CALENDAR.day_of(now) + 2


def test_transactions_of_long_ago_have_no_clock() -> None:
    now = CALENDAR.start_of(DAY)
    assert first_day(DAY - 11, CALENDAR, now) == DAY - 9
    assert first_day(DAY - 10, CALENDAR, now) == DAY + 1
    assert first_day(DAY - 1, CALENDAR, now) == first_day(DAY - 1, CALENDAR, None) == DAY + 1
    assert first_day(DAY + 5, CALENDAR, now) == DAY + 7


def test_a_file_may_have_the_days_on_which_nothing_was_learned(tmp_path: Path) -> None:
    file, unchanged = tmp_path / "weights.jsonl", b'{"changed": false}\n'
    taught = json.dumps({"changed": True, **VERSION.fields()}).encode() + b"\n"
    file.write_bytes(unchanged + taught + unchanged)
    assert weights_of_file(file) == [VERSION]
    file.write_bytes(unchanged)
    with pytest.raises(WeightsError, match="has no version"):
        weights_of_file(file)
