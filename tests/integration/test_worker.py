"""A worker process from outside: how it begins, what it sets aside, how it takes policies, ends."""

import base64
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from kafka import KafkaProducer

from monitor.policy.document import DEFAULT_POLICY
from streams.kafka.admin import create_topics
from streams.kafka.cluster import cluster_of
from streams.lab.broker import free_port
from streams.lab.rig import WorkerProcess, taken_in
from streams.settings import Settings
from streams.topics.catalog import Topics, topic_specs
from streams.wire.codec import ORIGINAL_BYTES_MAX
from tests.support.rigs import (
    Broker,
    command,
    has_partitions,
    own_rig,
    records_of,
    running,
    send,
    until,
    until_taken_in,
    value_of,
)


class Run(NamedTuple):
    """A worker that runs, and its settings."""

    worker: WorkerProcess
    settings: Settings


@pytest.fixture(scope="module")
def run(embedded_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One worker for the tests that each have accounts of their own."""
    folder = tmp_path_factory.mktemp("worker")
    with (
        own_rig(embedded_broker, folder, DEFAULT_POLICY, partitions="2") as settings,
        running(settings) as worker,
    ):
        yield Run(worker, settings)


NOW = datetime.fromtimestamp(time.time(), UTC)


def booked(transaction_id: str, account: str, **fields: str | float | None) -> bytes:
    """Return a record booked an hour ago; a field of None is left out."""
    values = {
        "transaction_id": transaction_id, "account_id": account,
        "booked_at": (NOW - timedelta(hours=1)).isoformat(), "amount": "10.00",
        "currency": "EUR", "direction": "debit",
    } | fields  # fmt: skip
    return json.dumps({name: value for name, value in values.items() if value is not None}).encode()


def alerts_of(settings: Settings, account: str) -> list[dict[str, object]]:
    records = records_of(settings, Topics.of(settings).alerts)
    return [json.loads(record.value) for record in records if record.key == account.encode()]


POISON = [
    ("malformed", b"P", b""),
    ("malformed", b"P", b"no JSON at all"),
    ("malformed", b"P", b'{"transaction_id": "cut", "account_id": "P"'),
    ("malformed", b"P", b"\x00\xff\xfe\x80"),
    ("malformed", b"P", booked("utf", "P").replace(b"EUR", b"\xe9\xe9\xe9")),
    ("malformed", b"P", b"[1, 2, 3]"),
    ("malformed", b"P", b"null"),
    ("malformed", b"P", b"[" * 100_000),
    ("malformed", b"P", None),
    ("malformed", None, booked("number", "P").replace(b'"number"', b"17")),
    ("missing-field", b"P", booked("no-currency", "P", currency=None)),
    ("missing-field", b"P", b"{}"),
    ("bad-amount", b"P", booked("decimals", "P", amount="1.005")),
    ("bad-amount", b"P", booked("negative", "P", amount="-1.00")),
    ("bad-amount", b"P", booked("words", "P", amount="ten")),
    ("bad-time", b"P", booked("time", "P", booked_at="yesterday")),
    ("bad-time", b"P", booked("zone", "P", booked_at="2026-01-05T10:00:00")),
    ("unknown-currency", b"P", booked("currency", "P", currency="XXL")),
    ("wrong-key", b"Q", booked("key", "P")),
    ("wrong-key", None, booked("no-key", "P")),
    ("wrong-key", b"\xff\xff", booked("bytes-key", "P")),
    ("future", b"P", booked("future", "P", booked_at=(NOW + timedelta(hours=5)).isoformat())),
    ("too-late", b"P", booked("late", "P", booked_at=(NOW - timedelta(days=9)).isoformat())),
    ("duplicate", b"P", booked("good-0", "P", amount="700.00")),
    ("duplicate", b"P", booked("good-1", "P", amount="1.00")),
    ("reversal-mismatch", b"P", booked("back", "P", amount="700.01", reverses="good-0")),
]


def test_of_a_poisoned_batch_each_bad_record_is_set_aside_and_each_good_one_counts(
    run: Run,
) -> None:
    worker, settings = run
    good = [(b"P", booked(f"good-{n}", "P", amount="700.00")) for n in range(len(POISON) + 2)]
    # Another account's record is first: one account alone makes no record of its own too late.
    records: list[tuple[bytes | None, bytes | None]] = [(b"O", booked("other", "O")), *good[:2]]
    expected = []
    for (reason, key, value), next_good in zip(POISON, good[2:], strict=True):
        expected.append((reason, len(records)))
        records += [(key, value), next_good]
    before = worker.samples()
    offsets = send(settings, records, partition=1)
    until_taken_in(worker, taken_in(before) + len(records))

    samples = worker.samples()
    name = "weir_transactions_total"
    assert value_of(samples, name) - before.get((name, ()), 0) == len(good) + 1
    told = records_of(settings, Topics.of(settings).rejections)
    found = {}
    for record in told:
        fields = json.loads(record.value)
        assert (fields["topic"], fields["partition"]) == (Topics.of(settings).transactions, 1)
        assert (record.partition, record.key) == (1, records[fields["offset"] - offsets[0]][0])
        found[fields["offset"]] = fields
    assert len(found) == len(told) == len(POISON)
    for reason, place in expected:
        fields = found[offsets[place]]
        assert fields["reason"] == reason, fields
        assert original(fields, "key") == records[place][0]
        value = records[place][1]
        assert original(fields, "record") == (None if value is None else value[:ORIGINAL_BYTES_MAX])
        assert fields["record_bytes"] == (None if value is None else len(value))
        labels = ("weir_rejections_total", reason)
        assert value_of(samples, *labels) == [r for r, _ in expected].count(reason)
    last = alerts_of(settings, "P")
    assert [alert["value"] for alert in last if alert["kind"] == "daily-amount"] == ["2100.00"]


def original(fields: dict[str, str | None], name: str) -> bytes | None:
    if f"{name}_base64" in fields:
        return base64.b64decode(fields[f"{name}_base64"] or "")
    text = fields[name]
    return None if text is None else text.encode()


def refusals_of(worker: WorkerProcess) -> float:
    return value_of(worker.samples(), "weir_policy_refusals_total")


def _has_refused(worker: WorkerProcess, count: int) -> bool:
    return refusals_of(worker) == count


POLICY_IN_EUR = """version = 1
[[limit]]
id = "amount"
measure = "amount"
currency = "EUR"
above = "1.00"
"""


def test_a_policy_that_outgrows_its_topic_is_refused_before_it_is_written(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "large.toml"
    file.write_text(DEFAULT_POLICY.replace("version = 1", "version = 9") + "# x" * 300_000)
    done = command("policy", "set", file, **run.settings.variables())
    assert done.returncode == 2
    assert "must have at most 900,000 bytes, not 90" in done.stderr
    assert value_of(run.worker.samples(), "weir_policy_refusals_total") == 0


SECOND_POLICY = DEFAULT_POLICY.replace("version = 1", "version = 2").replace("2000.00", "50.00")


def test_a_broken_policy_is_refused_and_a_right_one_taken_while_records_flow(
    run: Run, tmp_path: Path
) -> None:
    worker, settings = run
    producer = KafkaProducer(bootstrap_servers=settings.broker.split(","), acks="all")
    for number, text in enumerate(
        [
            b"\xff no text",
            b"version = 2\nthis is no TOML",
            b"version = 2\n",
            DEFAULT_POLICY.replace("UTC", "Europe/Berlin").replace("= 1", "= 2", 1).encode(),
            DEFAULT_POLICY.replace("2000.00", "1.00").encode(),  # another version 1
        ],
        1,
    ):
        producer.send(Topics.of(settings).policy, text, b"2").get(30)
        until(partial(_has_refused, worker, number), "it is refused", worker)
    producer.close()
    assert value_of(worker.samples(), "weir_policy_refused") == 1
    assert value_of(worker.samples(), "weir_policy_version") == 1
    taken = taken_in(worker.samples())
    send(settings, [(b"R", booked("r-1", "R", amount="2000.01"))])
    send(settings, [(b"S", booked("s-1", "S", amount="60.00"))])
    until_taken_in(worker, taken + 2)
    (alert,) = alerts_of(settings, "R")
    assert (alert["policy_version"], alert["limit"]) == (1, "2000.00")
    assert alerts_of(settings, "S") == []

    file = tmp_path / "policy-2.toml"
    file.write_text(SECOND_POLICY, encoding="utf-8")
    done = command("policy", "set", file, "--json", **settings.variables())
    assert (done.returncode, json.loads(done.stdout)) == (0, {"version": 2, "changed": True})
    until(lambda: value_of(worker.samples(), "weir_policy_version") == 2, "it is taken", worker)
    assert value_of(worker.samples(), "weir_policy_refused") == 0
    # The open day is decided anew, without a record; and what comes is decided by the new one.
    until(lambda: len(alerts_of(settings, "S")) == 1, "the open day is decided anew", worker)
    send(settings, [(b"T", booked("t-1", "T", amount="60.00"))])
    until_taken_in(worker, taken + 3)
    for account in ("S", "T"):
        (alert,) = alerts_of(settings, account)
        assert (alert["policy_version"], alert["limit"]) == (2, "50.00")


# -- how it begins --------------------------------------------------------------------------------


def test_without_a_broker_it_ends_with_status_3_and_says_so(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(DEFAULT_POLICY, encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    ended = command("worker", WEIR_BROKER=address, WEIR_POLICY=str(policy))
    assert ended.returncode == 3
    assert f"weir: no broker answers at {address}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_without_topics_it_ends_with_status_3_and_says_how_to_get_them(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(DEFAULT_POLICY, encoding="utf-8")
    given = {"WEIR_BROKER": embedded_broker.address, "WEIR_POLICY": str(policy)}
    ended = command("worker", WEIR_TOPIC_PREFIX="nobody-made.", **given)
    assert ended.returncode == 3
    assert "there is no topic nobody-made.transactions.v1" in ended.stderr
    assert "weir check --create-topics" in ended.stderr


@pytest.mark.slow
def test_with_another_number_of_partitions_it_ends_with_status_3(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY, partitions="2") as settings:
        ended = command("worker", **settings.variables() | {"WEIR_PARTITIONS": "3"})
    assert ended.returncode == 3
    assert "transactions.v1 has 2 partitions, WEIR_PARTITIONS makes it 3" in ended.stderr


def test_a_broken_policy_file_ends_it_with_status_2_and_every_problem(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        DEFAULT_POLICY.replace("2000.00", "-1").replace("UTC", "Mars"), encoding="utf-8"
    )
    ended = command("worker", WEIR_BROKER="127.0.0.1:1", WEIR_POLICY=str(policy))
    assert ended.returncode == 2
    assert "Mars" in ended.stderr
    assert "limit daily-amount" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_without_any_policy_it_ends_with_status_2(embedded_broker: Broker, tmp_path: Path) -> None:
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY) as settings:
        variables = settings.variables()
        del variables["WEIR_POLICY"]
        ended = command("worker", **variables)
    assert ended.returncode == 2
    assert "no policy" in ended.stderr


@pytest.mark.slow
def test_a_port_of_metrics_that_is_taken_is_one_line(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY) as settings, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = command("worker", **settings.variables() | {"WEIR_METRICS_PORT": str(port)})
    assert ended.returncode == 2
    *before, last = ended.stderr.splitlines()
    assert last.startswith("weir: settings cannot be used: WEIR_METRICS_PORT must be a port")
    assert str(port) in last
    assert all(" INFO weir: " in line for line in before)


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        pytest.param("short", marks=pytest.mark.slow),
        pytest.param("folder", marks=pytest.mark.slow),
    ],
)
def test_a_key_that_cannot_be_used_is_one_line(tmp_path: Path, kind: str) -> None:
    key = tmp_path / "key"
    if kind == "short":
        key.write_bytes(b"abc")
    elif kind == "folder":
        key.mkdir()
    ended = command("worker", WEIR_BROKER="127.0.0.1:1", WEIR_SNAPSHOT_KEY=str(key))
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("weir: settings cannot be used: WEIR_SNAPSHOT_KEY: ")


def test_a_worker_says_what_it_is_and_works_on_and_no_error(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with (
        # A group of patience: on a busy machine a client warns of a session of the tests' 3 s.
        own_rig(
            embedded_broker, tmp_path, DEFAULT_POLICY, session_timeout_seconds="30"
        ) as settings,
        running(settings) as worker,
    ):
        until(lambda: "partitions of" in worker.last_words(), "it has partitions", worker)
        assert worker.terminate() == 0
        said = worker.last_words().splitlines()
    others = [line for line in said if " weir: " not in line]
    assert not others, "\n".join(others)
    lines = [line.split(" weir: ", 1)[1] for line in said]
    expected = [
        (
            rf"weir [0-9.]+ worker: group {settings.group}, broker {settings.broker},"
            rf" topics {settings.topic_prefix}\*, policy {settings.policy} and its topic,"
            rf" state format [0-9]+, metrics http://127.0.0.1:{settings.metrics_port}/metrics"
        ),
        "policy versions in force: 1",
        rf"partitions of {settings.topic_prefix}transactions\.v1: 0, 1, 2, 3",
        "stopping: flush, commit, leave the group",
    ]
    assert all(re.fullmatch(*pair) for pair in zip(expected, lines, strict=True)), lines


def take_crowns(settings: Settings, worker: WorkerProcess) -> None:
    """Let a worker take six transactions in crowns, three at a time."""
    for first in (0, 3):
        numbers = range(first, first + 3)
        send(settings, [(b"C", booked(f"c-{n}", "C", currency="CZK")) for n in numbers])
        until_taken_in(worker, first + 3)


@pytest.mark.slow
def test_a_currency_that_no_limit_watches_is_counted_and_said_once(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with (
        own_rig(embedded_broker, tmp_path, POLICY_IN_EUR, partitions="1") as settings,
        running(settings) as worker,
    ):
        take_crowns(settings, worker)
        until(lambda: "weir_limit_currency_seen" in str(worker.samples()), "it is seen", worker)
        samples = worker.samples()
        said = worker.last_words()
    assert value_of(samples, "weir_unwatched_transactions_total", "CZK") == 6
    assert value_of(samples, "weir_limit_currency_seen", "EUR") == 0
    assert said.count("no limit watches CZK") == 1


CONVERTING = """version = 1
[rates]
base = "EUR"
at_most_old = "0d"
csv = "Date,USD\\n2020-01-01,1.1"
[[limit]]
id = "in-all"
measure = "amount"
currency = "*"
base = "EUR"
above = "500.00"
"""


@pytest.mark.slow
def test_a_currency_without_a_rate_is_counted_and_said_once_a_day(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with (
        own_rig(embedded_broker, tmp_path, CONVERTING, partitions="1") as settings,
        running(settings) as worker,
    ):
        take_crowns(settings, worker)
        samples = worker.samples()
        said = worker.last_words()
    assert value_of(samples, "weir_undecided_transactions_total", "CZK") == 6
    assert said.count("no rate of CZK on ") == 1


@pytest.mark.slow
def test_a_currency_that_was_seen_stays_so_under_another_policy(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    with (
        own_rig(embedded_broker, tmp_path, POLICY_IN_EUR, partitions="1") as settings,
        running(settings) as worker,
    ):
        send(settings, [(b"E", booked("e-1", "E"))])
        until_taken_in(worker, 1)
        second = tmp_path / "second.toml"
        second.write_text(POLICY_IN_EUR.replace("version = 1", "version = 2"), encoding="utf-8")
        done = command("policy", "set", second, **settings.variables())
        assert done.returncode == 0, done.stderr
        until(lambda: "policy version 2 is taken" in worker.last_words(), "it is in force", worker)
        send(settings, [(b"E", booked("e-2", "E", currency="CZK"))])
        until_taken_in(worker, 2)
        samples = worker.samples()
    assert value_of(samples, "weir_limit_currency_seen", "EUR") == 1


# -- who else is there ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_worker_that_rests_goes_on_when_another_one_joins(broker: Broker, tmp_path: Path) -> None:
    keys = [f"J{number}".encode() for number in range(40)]
    with own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="4") as settings:
        create_topics(cluster_of(settings), topic_specs(settings), 1)
        send(settings, [(key, booked(f"j-{n}", key.decode())) for n, key in enumerate(keys)])
        with running(settings) as first:
            until_taken_in(first, len(keys))
            with running(replace(settings, metrics_port=free_port())) as second:
                for worker in (first, second):
                    until(partial(has_partitions, worker, 2), "each has two partitions", worker)
                more = [(key, booked(f"k-{n}", key.decode())) for n, key in enumerate(keys)]
                send(settings, more)
                until(
                    lambda: taken_in(first.samples()) + taken_in(second.samples()) == 2 * len(keys),
                    "both have decided on what came since",
                    second,
                )
                assert taken_in(second.samples()) > 0
                first.ensure_running()


# -- how it ends ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_after_a_graceful_stop_nothing_comes_again(broker: Broker, tmp_path: Path) -> None:
    with own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="2") as settings:
        create_topics(cluster_of(settings), topic_specs(settings), 1)
        for stop in range(3):
            records = [(b"G", booked(f"g-{stop}-{n}", "G")) for n in range(500)]
            with running(settings) as worker:
                send(settings, records)
                until_taken_in(worker, 1)
                send(settings, [(b"G", booked(f"late-{stop}-{n}", "G")) for n in range(100)], 0)
                until_taken_in(worker, 600)
                samples = worker.samples()
                assert value_of(samples, "weir_transactions_total") == 600
                assert value_of(samples, "weir_redeliveries_total") == 0
                assert worker.terminate() == 0, worker.last_words()
        told = alerts_of(settings, "G")
    assert [alert["revision"] for alert in told] == [1, 1]  # one telling of each, and no second
    assert {alert["kind"] for alert in told} == {"daily-amount", "daily-count"}
