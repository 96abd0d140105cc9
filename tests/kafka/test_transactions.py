"""Transactions of Kafka: what was aborted never was, and a marker is no record that waits."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata
from prometheus_client import CollectorRegistry

from monitor.policy.document import DEFAULT_POLICY
from monitor.review.membership import Verdicts
from streams.kafka.cluster import Cluster, cluster_of
from streams.kafka.reader import TopicReader, first_record, records_of_topic
from streams.settings import Settings
from streams.topics.accounts import AccountsFollower
from streams.topics.alerts import read_alerts
from streams.topics.catalog import Topics
from streams.topics.dispositions import read_dispositions
from streams.topics.incidents import IncidentFollower
from streams.topics.policies import read_policies
from streams.wire import codec
from streams.worker.metrics import Metrics
from streams.worker.silence import Look, look_of
from streams.worker.systemic import SystemicAgent
from tests.kafka.apache_kafka import ApacheKafka
from tests.kafka.transactional import a_transaction, aborted, committed
from tests.support.rigs import (
    KAFKA,
    Broker,
    own_rig,
    records,
    records_of,
    running,
    until,
    until_taken_in,
)
from tests.support.systemic_samples import a_segment_record, a_systemic_alert
from tests.support.transactions import book

pytestmark = pytest.mark.kafka

SECONDS_MAX: Final = 60.0


@pytest.fixture
def settings(apache_kafka: ApacheKafka, tmp_path: Path) -> Iterator[Settings]:
    """Topics of one partition each."""
    broker = Broker(apache_kafka.bootstrap, KAFKA)
    with own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="1", liveness_seconds="3") as made:
        yield made


def fill(settings: Settings, topic: str, good: list[bytes], bad: bytes, key: bytes = b"k") -> None:
    """Write each good value in a transaction, aborted ones between and behind them."""
    for value in good:
        aborted(settings.broker, topic, [(key, bad)])
        committed(settings.broker, topic, [(key, value)])
    aborted(settings.broker, topic, [(key, bad)] * 3)


async def offsets_of(broker: str, topic: str) -> list[int]:
    """Return where the committed records of a topic's one partition stand."""
    return [record.offset async for record in records_of_topic(Cluster(broker), topic, 1)]


def money(name: str, amount: str) -> tuple[bytes, bytes]:
    fields = {
        "transaction_id": name, "account_id": "L", "booked_at": "2026-01-05T10:00:00Z",
        "amount": amount, "currency": "EUR", "direction": "debit",
    }  # fmt: skip
    return b"L", json.dumps(fields).encode()


# -- readers of whole topics ----------------------------------------------------------------------


def test_a_topic_that_ends_in_aborted_records_and_markers_is_read_to_its_end(
    settings: Settings,
) -> None:
    topic = Topics.of(settings).alerts
    fill(settings, topic, [b"1", b"2"], b"never")

    async def run() -> None:
        tail = TopicReader(cluster_of(settings), topic, 1)
        await tail.start()
        values: list[bytes] = []
        try:
            async with asyncio.timeout(SECONDS_MAX):
                while not await tail.is_at_end():
                    values += [record.value for record in await tail.read()]
                assert values == [b"1", b"2"]
                open_one = [(None, b"open"), (None, b"open too")]
                async with a_transaction(settings.broker, topic, open_one) as producer:
                    await tail.look_again()
                    while not await tail.is_at_end():
                        assert await tail.read() == []
                    await producer.commit_transaction()
                await tail.look_again()
                while not await tail.is_at_end():
                    values += [record.value for record in await tail.read()]
        finally:
            await tail.stop()
        assert values == [b"1", b"2", b"open", b"open too"]

    asyncio.run(run())
    partition = (topic, 0)
    first, second, third, fourth = asyncio.run(offsets_of(settings.broker, topic))
    assert first_record(cluster_of(settings), partition, 0, fourth, SECONDS_MAX) == first
    assert first_record(cluster_of(settings), partition, first + 1, fourth, SECONDS_MAX) == second
    assert first_record(cluster_of(settings), partition, second + 1, third, SECONDS_MAX) is None


def test_a_marker_does_not_keep_a_quiet_partition_from_being_silent(settings: Settings) -> None:
    topics = Topics.of(settings)
    topic = topics.transactions
    look_at = look_of(settings, topic, topics.segment_days)

    def look() -> Look:
        return asyncio.run(look_at(0, 0))

    assert look() == Look(0, is_waiting=False, told_to=0)
    fill(settings, topic, [b"1", b"2"], b"never")
    committed(settings.broker, topics.segment_days, [(b"k", b"1")])
    assert look() == Look(0, is_waiting=True, told_to=2)
    first, second = asyncio.run(offsets_of(settings.broker, topic))
    for committed_to, is_waiting in ((first + 1, True), (second, True), (second + 1, False)):
        consumer = KafkaConsumer(
            bootstrap_servers=settings.broker, group_id=settings.group, enable_auto_commit=False
        )
        consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(committed_to, "", -1)})
        consumer.close()
        assert look() == Look(committed_to, is_waiting, told_to=2)

    async def while_one_is_open() -> Look:
        async with a_transaction(settings.broker, topic, [(None, b"open")]) as producer:
            seen = await look_at(0, 2)
            await producer.abort_transaction()
        return seen

    assert asyncio.run(while_one_is_open()) == Look(second + 1, is_waiting=True, told_to=2)
    ended = Look(second + 1, is_waiting=False, told_to=2)
    until(lambda: look() == ended, "the transaction has ended")


def test_dispositions_alerts_policies_accounts_and_incidents_know_nothing_of_what_was_aborted(
    settings: Settings,
) -> None:
    topics = Topics.of(settings)
    disposed = {
        "alert_id": "a", "disposition": "suspicious", "by": "ann", "at": "2026-01-05T09:00:00Z",
    }  # fmt: skip
    fill(
        settings, topics.dispositions, [json.dumps(disposed).encode()],
        json.dumps(disposed | {"by": "nobody"}).encode(),
    )  # fmt: skip
    fill(settings, topics.alerts, [b'{"alert_id": "a"}'], b'{"alert_id": "never"}')
    second = DEFAULT_POLICY.replace("version = 1", "version = 2")
    third = DEFAULT_POLICY.replace("version = 1", "version = 3")
    fill(settings, topics.policy, [second.encode()], third.encode())
    fill(
        settings, topics.accounts, [b'{"account_id": "k", "segment": "real"}'],
        b'{"account_id": "k", "segment": "never"}',
    )  # fmt: skip
    real = a_systemic_alert(days=(739_000,), revision=1)
    never = a_systemic_alert(days=(739_001,), revision=2)
    fill(settings, topics.systemic, [codec.alert_bytes(real)], codec.alert_bytes(never))

    async def run() -> None:
        async with asyncio.timeout(SECONDS_MAX):
            assert [disposition.by for disposition in await read_dispositions(settings)] == ["ann"]
            told = [alert["alert_id"] async for alert in read_alerts(settings, follow=False)]
            assert told == ["a"]
            policies, refused = await read_policies(settings)
            assert policies is not None
            assert (list(policies.versions), refused) == ([2], [])
            said: list[Verdicts] = []
            incidents = IncidentFollower(
                cluster_of(settings), topics.systemic, topics.systemic_state, said.append
            )
            await incidents.start()
            await incidents.stop()
            assert {day for verdicts in said for day in verdicts.by_day} == {739_000}
            rejected: list[Any] = []
            accounts = AccountsFollower(
                cluster_of(settings), topics.accounts, lambda *_: None, rejected.append
            )
            await accounts.start()
            following = asyncio.create_task(accounts.follow())
            accounts.want([0])
            known = await accounts.book(0)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await accounts.stop()
            assert known.known["k"].segment == "real"
            assert rejected == []

    asyncio.run(run())


class FakeApp:
    """The group: it is always ours."""

    consumer_generation_id = 1


def test_the_systemic_detection_goes_on_before_a_record_that_a_marker_stands_before(
    settings: Settings,
) -> None:
    topic = Topics.of(settings).segment_days
    value = codec.segment_record_bytes(a_segment_record())
    fill(settings, topic, [value, value], b"never")
    committed(settings.broker, topic, [(b"k", value)])

    async def run() -> int:
        agent = SystemicAgent(
            settings, FakeApp(), None, metrics=Metrics(CollectorRegistry(), "1"),  # type: ignore[arg-type]
            on_crash=lambda error: pytest.fail(str(error)),
        )  # fmt: skip
        agent.begin(book(DEFAULT_POLICY))
        async with asyncio.timeout(SECONDS_MAX):
            made = await agent._begin_anew(12)
        return made.joining._offset_last

    assert asyncio.run(run()) == 6  # 0 never, 1 marker, 2 the first, 3 marker, 4, 5, 6 the second


# -- a worker -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["run", "records", "plain"])
def test_a_worker_counts_committed_money_alone_and_lives_on_behind_markers(
    apache_kafka: ApacheKafka, tmp_path: Path, transport: str
) -> None:
    broker = Broker(apache_kafka.bootstrap, KAFKA)
    given = {"partitions": "1", "liveness_seconds": "3", "transport": transport}
    with own_rig(broker, tmp_path, DEFAULT_POLICY, **given) as settings:
        topics = Topics.of(settings)
        lag = "weir_consumer_lag_records", ("0",)
        uncommitted = "weir_uncommitted_records", ("0",)
        with running(settings) as worker:
            for number in range(3):
                aborted(settings.broker, topics.transactions, [money(f"no-{number}", "9000.00")])
                yes = [money(f"yes-{number}", "500.00")]
                committed(settings.broker, topics.transactions, yes)
            aborted(settings.broker, topics.transactions, [money("no", "9000.00")] * 5)
            until_taken_in(worker, 3)
            time.sleep(8)  # twice as long as a worker may stand still with records waiting
            worker.ensure_running()
            until(lambda: worker.samples().get(lag) == 0, "no lag", worker)
            assert worker.terminate() == 0
        # A transaction that was open while it was down, and a changelog that ends in a marker.
        aborted(settings.broker, topics.changelog, [(b"x", b"never")])
        with running(settings) as worker:
            committed(settings.broker, topics.transactions, [money("yes-3", "500.00")])
            until_taken_in(worker, 1)
            assert worker.samples()["weir_transactions_total", ()] == 1

            async def hang() -> None:
                behind = [money("open-1", "500.00")]
                async with a_transaction(settings.broker, topics.transactions, behind) as open_one:
                    await asyncio.to_thread(
                        until,
                        lambda: worker.samples().get(uncommitted) == 1,
                        "an open transaction is seen",
                        worker,
                    )
                    await open_one.commit_transaction()

            asyncio.run(hang())
            until_taken_in(worker, 2)
            until(lambda: worker.samples().get(uncommitted) == 0, "it is ended", worker)
            assert worker.terminate() == 0
        told = [json.loads(record.value) for record in records_of(settings, topics.alerts)]
        assert [alert["value"] for alert in told if alert["kind"] == "daily-amount"] == ["2500.00"]
        assert records_of(settings, topics.rejections) == []


@pytest.mark.slow
def test_a_worker_that_does_not_fetch_is_found_out_behind_markers_too(settings: Settings) -> None:
    topic = Topics.of(settings).transactions
    with running(settings, "tests.support.deaf_worker", "worker", "0") as worker:
        aborted(settings.broker, topic, [money("no", "1.00")])
        time.sleep(6)
        worker.ensure_running()  # nothing waits
        committed(settings.broker, topic, records(0, 3))
        until(lambda: worker.exit_status() == 4, "it ends with status 4")
        assert "records wait, and none was decided" in worker.last_words()
