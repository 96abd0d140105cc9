"""An alert of a worker explained from the topics: by its records, and by the policies there."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streams.cli.options import book_of
from streams.kafka.partitioner import dealer
from streams.replay.explain import AlertSelection
from streams.replay.explain_topics import explain_of_topics
from streams.replay.explained import Explanation, explanation_or_raise
from streams.replay.replay import Replay
from streams.settings import Settings
from streams.topics.alerts import read_alerts
from streams.wire import codec
from tests.support.disposing import batch_of
from tests.support.incident_stream import INCIDENT_POLICY, incident_rows
from tests.support.rigs import Broker, command, own_rig, running, send, until, until_taken_in
from tests.support.transactions import POLICY, book, row

ROWS = [
    row("T1", amount="400.00"), row("T2", hours=1, amount="50.00", direction="credit"),
    row("T3", hours=2, amount="100.01"), row("T4", hours=3, account_id="A2", amount="450.00"),
]  # fmt: skip


def alerts_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the last alert of each account."""

    async def read() -> dict[str, dict[str, Any]]:
        alerts = [alert async for alert in read_alerts(settings, follow=False)]
        return {alert["account_id"]: alert for alert in alerts}

    return asyncio.run(read())


def explained(settings: Settings, alert_id: str) -> Explanation:
    async def run() -> Explanation:
        told = [alert async for alert in read_alerts(settings, follow=False)]
        chains = AlertSelection((alert_id,)).chains_of(told)
        (answer,) = await explain_of_topics(settings, chains, book_of(settings.policy))
        return explanation_or_raise(answer)

    return asyncio.run(run())


def test_an_alert_is_explained_from_the_topics(embedded_broker: Broker, tmp_path: Path) -> None:
    with (
        own_rig(embedded_broker, tmp_path, POLICY, partitions="2") as settings,
        running(settings) as worker,
    ):
        records = [
            (booking[1].encode(), codec.transaction_bytes(booking))
            for booking in ROWS
            if booking[1]
        ]
        send(settings, records, partition=1)
        until_taken_in(worker, len(records))
        until(lambda: set(alerts_of(settings)) == {"A1"}, "its alert is there", worker)
        alert_id = alerts_of(settings)["A1"]["alert_id"]
        of_limit = explained(settings, alert_id)
        assert (of_limit.differs, of_limit.notes) == ([], [])
        assert [part.transaction.transaction_id for part in of_limit.parts] == ["T1", "T3"]
        assert of_limit.total == "500.01"

        # A new version decides the open day anew: an alert that no record caused.
        second = POLICY.replace("version = 1", "version = 2").replace("500.00", "420.00")
        (tmp_path / "second.toml").write_text(second, encoding="utf-8")
        done = command("policy", "set", tmp_path / "second.toml", **settings.variables())
        assert done.returncode == 0, done.stderr
        until(lambda: "A2" in alerts_of(settings), "the day is decided anew", worker)
        alerts = alerts_of(settings)
        assert alerts["A1"]["limit"] == "420.00"
        for account, total in (("A1", "500.01"), ("A2", "450.00")):
            assert alerts[account]["transaction_id"] is None
            by_policy = explained(settings, alerts[account]["alert_id"])
            assert by_policy.differs == []
            assert by_policy.total == total

        said = command("explain", alert_id, "--revision", "1", "--json", **settings.variables())
        assert (said.returncode, said.stderr) == (0, "")
        assert json.loads(said.stdout) == of_limit.fields()


@pytest.mark.slow
def test_many_alerts_are_explained_from_the_topics_by_one_replay(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    """Of two partitions, with the systemic part: what a worker told of a backlog."""
    with (
        own_rig(embedded_broker, tmp_path, INCIDENT_POLICY, partitions="2") as settings,
        running(settings) as worker,
    ):
        rows = incident_rows()
        deal = dealer(2)
        for partition in range(2):
            records = [
                (str(booking[1]).encode(), codec.transaction_bytes(booking))
                for booking in rows
                if deal(str(booking[1])) == partition
            ]
            send(settings, records, partition=partition)
        until_taken_in(worker, len(rows))
        expected, ends = told_by_replay(), ends_of_replay()
        until(lambda: incidents_of(settings) == expected, "its incidents are there", worker)
        until(lambda: ends_on(settings) == ends, "its reviews leave out what they explain", worker)
        said = command("explain", "--sample", "1000", "--json", **settings.variables())
        assert said.stderr == ""
        answers = [json.loads(line) for line in said.stdout.splitlines()]
        kinds = Counter(kind_of(derived) for derived in answers)
        assert {*kinds} == {"daily-amount", "outlier", "review", "systemic"}
        for answer in answers:
            assert answer["differs"] == []
            assert kind_of(answer) == "review" or answer["notes"] == []
        assert all(derived["members"] for derived in answers if kind_of(derived) == "systemic")


def kind_of(answer: dict[str, Any]) -> str:
    """Return the kind of the alert that was explained."""
    (kind,) = (figure["told"] for figure in answer["figures"] if figure["name"] == "kind")
    return str(kind)


def told_by_replay() -> set[tuple[str, int]]:
    """Return every revision of every incident, as a replay tells it."""
    run = Replay(book(INCIDENT_POLICY), 2)
    told = run.observe(batch_of(incident_rows())).alerts
    return {(alert.alert_id, alert.revision) for alert in told if alert.kind.value == "systemic"}


def ends_of_replay() -> dict[str, tuple[str, object]]:
    """Return how each review ends in a replay: its status and its value."""
    told = Replay(book(INCIDENT_POLICY), 2).observe(batch_of(incident_rows())).alerts
    fields = [alert.fields() for alert in told if alert.kind.value == "review"]
    return {str(review["alert_id"]): (str(review["status"]), review["value"]) for review in fields}


def ends_on(settings: Settings) -> dict[str, tuple[str, object]]:
    """Return how each review stands on the topic."""

    async def read() -> dict[str, tuple[str, object]]:
        return {
            review["alert_id"]: (review["status"], review["value"])
            async for review in read_alerts(settings, follow=False)
            if review["kind"] == "review"
        }

    return asyncio.run(read())


def incidents_of(settings: Settings) -> set[tuple[str, int]]:
    """Return every revision of every incident on the topic."""

    async def read() -> set[tuple[str, int]]:
        return {
            (alert["alert_id"], alert["revision"])
            async for alert in read_alerts(settings, follow=False)
            if alert["kind"] == "systemic"
        }

    return asyncio.run(read())
