"""Analysts teach a worker: it scores as a replay does, and a kill makes it forget nothing."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from models.teaching.terms import TERMS
from monitor.core.business_day import day_of_text, event_time_text
from monitor.core.money import EXPONENT, amount_text
from monitor.core.transaction import Transaction
from monitor.dispositions.disposition import Disposed, Disposition
from monitor.engine.engine import Engine
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from monitor.policy.weights import Weights, WeightsVersion
from streams.settings import Settings
from streams.topics.alerts import read_alerts
from streams.topics.dispositions import write_dispositions
from streams.topics.weights import read_weights
from streams.wire import codec
from tests.support.rigs import (
    Broker,
    command,
    own_rig,
    running,
    send,
    until,
    until_taken_in,
    value_of,
)
from tests.support.spending import POLICY, made_spending

BUDGET = """
[budget]
alerts_per_day = 12
one_in_at_least = 1
warm_up_days = 8
taught = true
"""
ACCOUNTS, DAYS = 200, 34
PARTS = (26, 32)
"""Days after which analysts teach, and after which the worker is killed."""


def record_of(item: Transaction) -> tuple[bytes, bytes]:
    fields = (
        item.transaction_id,
        item.account_id,
        event_time_text(item.event_time),
        amount_text(item.amount_minor, EXPONENT[item.currency]),
        *item[4:],
    )
    return item.account_id.encode(), codec.transaction_bytes(fields)


def outliers_of(settings: Settings) -> dict[tuple[str, int], dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        return [alert async for alert in read_alerts(settings, follow=False)]

    told = [without_time(alert) for alert in asyncio.run(read())]
    return {(a["alert_id"], a["revision"]): a for a in told if a["kind"] == "outlier"}


def without_time(alert: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in alert.items() if name != "told_at"}


def dispose(settings: Settings, book: PolicyBook) -> None:
    """Decide the day after each report: what has many transactions is suspicious."""
    calendar = book.calendar.calendar()
    disposed = []
    for alert in outliers_of(settings).values():
        terms = alert["evidence"]["taught"]["terms"]
        said = Disposition.SUSPICIOUS if terms["count"] > 0.8 else Disposition.FALSE_ALARM
        at = calendar.start_of(day_of_text(alert["evidence"]["day"]) + 1)
        disposed.append(Disposed(alert["alert_id"], said, "X", at, None, alert["revision"]))
    asyncio.run(write_dispositions(settings, disposed))


@pytest.mark.slow
def test_a_worker_that_is_taught_scores_as_a_replay_does(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    items = made_spending(1, DAYS, ACCOUNTS)
    text = POLICY + BUDGET
    book = PolicyBook([policy_of(text)])
    calendar = book.calendar.calendar()
    first_day = calendar.day_of(items[0].event_time)
    days = [calendar.day_of(item.event_time) - first_day for item in items]
    end, last = (next(n for n, day in enumerate(days) if day >= until) for until in PARTS)
    with own_rig(embedded_broker, tmp_path, text, partitions="1") as settings:
        with running(settings) as worker:
            send(settings, [record_of(item) for item in items[:end]])
            until_taken_in(worker, end)
            assert value_of(worker.samples(), "weir_weights_version") == 0
            dispose(settings, book)
            taught = command("teach", "--json", **settings.variables())
            assert taught.returncode == 0, taught.stderr
            version = json.loads(taught.stdout)
            assert version["weights"]["count"] > 0
            again = command("teach", "--json", **settings.variables())
            assert json.loads(again.stdout) == {"changed": False}
            until(lambda: value_of(worker.samples(), "weir_weights_version") == 1, "taken", worker)
            assert value_of(worker.samples(), "weir_weights_labels") == version["labels"] > 50
            send(settings, [record_of(item) for item in items[end:last]])
            until_taken_in(worker, last)
            told = outliers_of(settings)
            assert value_of(worker.samples(), "weir_weights_late_total") == 0
            worker.kill()
        with running(settings) as worker:
            send(settings, [record_of(item) for item in items[last:]])
            until_taken_in(worker, len(items) - last)
            assert value_of(worker.samples(), "weir_weights_version") == 1
            later = [alert for key, alert in outliers_of(settings).items() if key not in told]
        weights = asyncio.run(read_weights(settings))
    engine = Engine(0, PolicyBook([policy_of(text)], weights))
    engine.observe(range(last), items[:last])
    alerts = [json.loads(codec.alert_bytes(alert)) for alert in engine.take_step().alerts]
    replayed = {(a["alert_id"], a["revision"]): a for a in alerts if a["kind"] == "outlier"}
    assert told == replayed
    versions = {alert["evidence"].get("taught", {}).get("version") for alert in told.values()}
    assert versions == {None, 1}
    assert {
        alert["evidence"]["taught"]["version"]
        for alert in later
        if alert["evidence"]["day"] >= version["effective_from"]
    } == {1}


@pytest.mark.slow
def test_a_replay_of_files_has_what_analysts_taught_if_it_is_given(tmp_path: Path) -> None:
    items = made_spending(1, DAYS, ACCOUNTS)
    day = PolicyBook([policy_of(POLICY)]).calendar.calendar().day_of(items[0].event_time) + 20
    version = WeightsVersion(1, day, Weights(1.0, (0.5,) * len(TERMS)), 60, 20, 5.0, "0" * 64)
    stated = {
        "policy.toml": POLICY + BUDGET,
        "items.jsonl": "".join(record_of(item)[1].decode() + "\n" for item in items),
        "weights.jsonl": json.dumps(version.fields()) + "\n",
    }
    for name, text in stated.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    given = ("replay", tmp_path / "items.jsonl", "--policy", tmp_path / "policy.toml")
    ended = command(*given, "--weights", tmp_path / "weights.jsonl", "--alerts", "-")
    assert ended.returncode == 0, ended.stderr
    assert "without what analysts taught" not in ended.stderr
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    outliers = [alert["evidence"] for alert in told if alert["kind"] == "outlier"]
    with_weights = [each["taught"]["version"] == 1 for each in outliers]
    assert with_weights == [day_of_text(each["day"]) >= day for each in outliers]
    assert 0 < sum(with_weights) < len(with_weights)
    without = command(*given)
    assert "weir: outlier scores are without what analysts taught" in without.stderr
    (tmp_path / "weights.jsonl").write_text('{"version": 0}\n', encoding="utf-8")
    wrong = command(*given, "--weights", tmp_path / "weights.jsonl")
    assert wrong.returncode == 2
    assert "weights.jsonl, line 1: version is '0'" in wrong.stderr
