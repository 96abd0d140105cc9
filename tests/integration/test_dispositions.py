"""Dispositions on a broker: added by the command, and what they teach shown with alerts."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from monitor.core.alert import Alert
from monitor.store.standing import Action, Does, action_of
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox, Outgoing
from streams.replay.replay import Replay
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.topics.dispositions import read_dispositions
from streams.wire import codec
from tests.support.disposing import batch_of, disposed
from tests.support.rigs import Broker, command, own_rig
from tests.support.transactions import POLICY, book, row

ACCOUNTS = 130


def write_alerts(settings: Settings) -> list[dict[str, object]]:
    """Put alerts on their topic, as a worker would: of every other account thrice the limit."""
    amounts = ["1500.00" if number % 2 else "501.00" for number in range(ACCOUNTS)]
    rows = [row(f"T{n}", account_id=f"A{n}", amount=amount) for n, amount in enumerate(amounts)]
    told = Replay(book(), 1).observe(batch_of(rows)).alerts
    alerts = [output for output in told if isinstance(output, Alert)]
    assert alerts == told

    write_records(settings, [codec.alert_bytes(alert) for alert in alerts])
    return [json.loads(codec.alert_bytes(alert)) for alert in alerts]


def write_records(settings: Settings, alerts: list[bytes]) -> None:
    """Put records on the topic of alerts."""

    async def write() -> None:
        async with Outbox(cluster_of(settings)) as outbox:
            await outbox.write(
                Topics.of(settings).alerts, 0, [Outgoing(b"A", alert) for alert in alerts]
            )

    asyncio.run(write())


def records_in(settings: Settings, topic: str) -> list[bytes]:
    """Return what the first partition of a topic holds."""
    consumer = KafkaConsumer(bootstrap_servers=settings.broker, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    records = [record.value for read in consumer.poll(10_000).values() for record in read]
    consumer.close()
    return records


def told_at_of(settings: Settings) -> dict[str, str]:
    """Return the timestamp of each alert's record, by its id, as Kafka has it."""
    consumer = KafkaConsumer(bootstrap_servers=settings.broker, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(Topics.of(settings).alerts, 0)])
    records = [record for read in consumer.poll(10_000).values() for record in read]
    consumer.close()
    at = {json.loads(record.value)["alert_id"]: record.timestamp for record in records}
    return {
        name: datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="microseconds")
        for name, ms in at.items()
    }


@pytest.mark.slow
def test_what_is_disposed_of_teaches_what_alerts_are_shown_with(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(embedded_broker, tmp_path, POLICY) as settings:
        alerts = write_alerts(settings)
        said = command("alerts", "--json", **settings.variables())
        assert (said.returncode, said.stderr) == (0, "")
        shown = [json.loads(line) for line in said.stdout.splitlines()]
        stamped = told_at_of(settings)
        by_id = {listed["alert_id"]: listed for listed in shown}
        assert len(by_id) == len(shown) == len(alerts)
        for alert in alerts:  # as it stands, and what a reader adds
            shown_alert = by_id[str(alert["alert_id"])]
            at = datetime.fromisoformat(shown_alert["told_at"]).isoformat(timespec="microseconds")
            assert at == stamped[str(alert["alert_id"])]
            added = {"told_at": shown_alert["told_at"], "disposition": None, "dispositions": []}
            assert shown_alert == alert | added
        told = [listed["told_at"] for listed in shown]
        assert told == sorted(told)

        labels = {"1500.00": "suspicious", "501.00": "false-alarm"}
        words = [
            disposed(str(raised["alert_id"]), labels[str(raised["value"])]) for raised in alerts
        ]
        file = tmp_path / "words.jsonl"
        file.write_bytes(b"\n".join(map(codec.disposition_bytes, words)))
        unknown = command("alerts", "dispose", "nobody's", "--as", "suspicious", "--by", "A",
                          **settings.variables())  # fmt: skip
        assert (unknown.returncode, unknown.stdout) == (2, "")
        assert "no alert nobody's is on the topic" in unknown.stderr
        assert "by --alerts FILE" in unknown.stderr
        done = command("alerts", "dispose", "--from", file, "--json", **settings.variables())
        assert (done.returncode, json.loads(done.stdout)) == (0, {"dispositions": len(words)})
        assert asyncio.run(read_dispositions(settings)) == words

        said = command("alerts", "--json", **settings.variables())
        assert (said.returncode, said.stderr) == (0, "")
        for line in said.stdout.splitlines():
            shown = json.loads(line)
            (rule,) = shown["rules"]
            assert (rule["then"], rule["confidence"]) == (labels[shown["value"]], 1)


def test_a_critical_alert_is_proposed_unless_somebody_stands_for_it_alone(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(embedded_broker, tmp_path, POLICY) as settings:
        alerts = write_alerts(settings)[:3]
        critical = {**alerts[0], "severity": "critical", "revision": 2, "status": "restated"}
        write_records(settings, [json.dumps(critical).encode()])
        words = [disposed(str(raised["alert_id"]), "false-alarm") for raised in alerts]
        file = tmp_path / "words.jsonl"
        file.write_bytes(b"\n".join(map(codec.disposition_bytes, words)))
        said = command("alerts", "dispose", "--from", file, "--json", **settings.variables())
        assert json.loads(said.stdout) == {"dispositions": 2, "proposals": 1}
        assert "1 of them critical: proposed, not closed." in said.stderr
        assert asyncio.run(read_dispositions(settings)) == words[1:]
        (proposal,) = records_in(settings, Topics.of(settings).cases)
        assert action_of(json.loads(proposal)) == Action.of_disposition(words[0])._replace(
            does=Does.PROPOSE
        )
        alone = command("alerts", "dispose", words[0].alert_id, "--as", "false-alarm", "--by", "A",
                        "--alone", "--json", **settings.variables())  # fmt: skip
        assert json.loads(alone.stdout) == {"dispositions": 1}
        assert "closed without a second person, and the console says so" in alone.stderr
        assert len(asyncio.run(read_dispositions(settings))) == 3
        assert len(records_in(settings, Topics.of(settings).cases)) == 1
        withdrawn = {**critical, "revision": 3, "status": "withdrawn"}
        write_records(settings, [json.dumps(withdrawn).encode()])
        file.write_bytes(codec.disposition_bytes(words[0]._replace(revision=4)))
        said = command("alerts", "dispose", "--from", file, **settings.variables())
        assert said.returncode == 2
        assert f"revision must be at most 3 of alert {words[0].alert_id}, not 4" in said.stderr
        file.write_bytes(codec.disposition_bytes(words[0]._replace(revision=3)))
        said = command("alerts", "dispose", "--from", file, "--json", **settings.variables())
        assert json.loads(said.stdout) == {"dispositions": 1}, "a proposal would have no answer"
        assert len(asyncio.run(read_dispositions(settings))) == 4
        assert len(records_in(settings, Topics.of(settings).cases)) == 1
