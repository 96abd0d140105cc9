"""`weir send` that is cut off: one line that says how many rows were sent, and how many arrived."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from monitor.policy.document import DEFAULT_POLICY
from streams.lab.broker import EmbeddedBroker
from streams.lab.rig import without_weir
from tests.support.rigs import QUICK, Broker, command, own_rig, until

HEADER = "transaction_id,account_id,booked_at,amount,currency,direction\n"
PROGRESS = re.compile(r"([0-9,]+) sent, ([0-9,]+) of them acknowledged")


def rows(count: int) -> str:
    return "".join(f"T{n},A{n % 9},2026-01-05T10:00:00Z,1.00,EUR,debit\n" for n in range(count))


def begun(settings_of: dict[str, str], file: Path) -> subprocess.Popen[str]:
    """Return a slow `weir send` that has begun to send."""
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "send", str(file), "--rate", "500"],
        env=without_weir(os.environ) | settings_of,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def numbers_in(said: str) -> tuple[int, int]:
    found = PROGRESS.search(said)
    assert found, said
    sent, arrived = (int(number.replace(",", "")) for number in found.groups())
    return sent, arrived


def test_a_row_that_no_topic_takes_is_counted_and_the_others_are_sent(
    embedded_broker: Broker, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    long = "x" * 950_000
    file.write_text(f"{HEADER}{rows(3)}T9,{long},2026-01-05T10:00:00Z,1.00,EUR,debit\n")
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY) as settings:
        done = command("send", file, "--json", **settings.variables())
    assert done.returncode == 1, done.stderr
    assert '"sent": 3' in done.stdout
    assert '"too_large": 1' in done.stdout
    assert "1 records are larger than a topic takes, and were not sent" in done.stderr


@pytest.mark.slow
def test_at_ctrl_c_it_says_how_many_were_sent(embedded_broker: Broker, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(HEADER + rows(50_000))
    with own_rig(embedded_broker, tmp_path, DEFAULT_POLICY) as settings:
        sending = begun(settings.variables(), file)
        until(lambda: _is_sending(settings.variables()), "records arrive")
        sending.send_signal(signal.SIGINT)
        _, said = sending.communicate(timeout=60)
    assert sending.returncode == 130, said
    sent, arrived = numbers_in(said)
    assert 0 < sent < 50_000
    assert 0 < arrived <= sent
    assert said.count("\n") == 1


@pytest.mark.slow
def test_when_the_broker_dies_it_says_so_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(HEADER + rows(100_000))
    with (
        EmbeddedBroker() as broker,
        own_rig(Broker(broker.address, QUICK), tmp_path, DEFAULT_POLICY) as settings,
    ):
        sending = begun(settings.variables(), file)
        until(lambda: _is_sending(settings.variables()), "records arrive")
        broker.stop()
        _, said = sending.communicate(timeout=250)
    assert sending.returncode == 3, said
    assert said.startswith(f"weir: the broker at {broker.address} does not take records any more")
    _, arrived = numbers_in(said)
    assert arrived > 0
    assert said.count("\n") == 1


def _is_sending(variables: dict[str, str]) -> bool:
    """Return whether any record of the transactions has arrived."""
    time.sleep(0.2)
    consumer = KafkaConsumer(bootstrap_servers=[variables["WEIR_BROKER"]])
    topic = f"{variables['WEIR_TOPIC_PREFIX']}transactions.v1"
    ends = consumer.end_offsets([TopicPartition(topic, number) for number in range(4)])
    consumer.close()
    return any(end > 0 for end in ends.values())
