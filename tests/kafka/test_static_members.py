"""Workers with names of their own in the group: a quick restart moves no partition."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.policy.document import DEFAULT_POLICY
from streams.lab.broker import free_port
from streams.settings import Settings
from streams.worker.liveness import EXIT_STALLED
from tests.kafka.apache_kafka import ApacheKafka
from tests.support.rigs import (
    KAFKA,
    Broker,
    has_partitions,
    own_rig,
    records,
    running,
    send,
    until,
    until_committed,
    until_ended,
    until_taken_in,
    value_of,
)

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def settings(apache_kafka: ApacheKafka, tmp_path: Path) -> Iterator[Settings]:
    broker = Broker(apache_kafka.bootstrap, KAFKA)
    timeout = {"session_timeout_seconds": "60", "heartbeat_seconds": "1"}
    with own_rig(broker, tmp_path, DEFAULT_POLICY, partitions="2", **timeout) as made:
        yield made


def named(settings: Settings, instance: str | None) -> Settings:
    return replace(settings, instance=instance, metrics_port=free_port())


def send_to_both(settings: Settings, first: int) -> None:
    """Send ten records to each partition."""
    for number in range(2):
        send(settings, records(first + number * 10, 10), partition=number)


@pytest.mark.parametrize("is_static", [True, False])
def test_a_restart_within_the_session_timeout_stops_no_other_worker_if_names_are_its_own(
    settings: Settings, *, is_static: bool
) -> None:
    first, second = (named(settings, name if is_static else None) for name in ("w-1", "w-2"))
    with running(first) as stays:
        until(lambda: has_partitions(stays, 2), "it has both", stays)
        with running(second) as goes:
            until(lambda: has_partitions(goes, 1) and has_partitions(stays, 1), "one each", goes)
            send_to_both(settings, 0)
            until_taken_in(stays, 10)
            until_taken_in(goes, 10)
            rebalances = value_of(stays.samples(), "weir_rebalances_total")
            assert goes.terminate() == 0
        if is_static:
            assert has_partitions(stays, 1)
        with running(replace(second, metrics_port=free_port())) as back:
            until(lambda: has_partitions(back, 1), "it has its partition", back)
            send_to_both(settings, 20)
            until_taken_in(back, 10)
            until_taken_in(stays, 20)
            after = value_of(stays.samples(), "weir_rebalances_total")
            assert back.terminate() == 0
        assert (after == rebalances) == is_static
        assert stays.terminate() == 0


def test_of_two_workers_with_one_name_the_earlier_one_ends_and_says_so(settings: Settings) -> None:
    with running(named(settings, "w-1")) as zombie:
        until(lambda: has_partitions(zombie, 2), "it has both", zombie)
        with running(named(settings, "w-1")) as later:
            assert until_ended(zombie) == EXIT_STALLED
            last = zombie.said().splitlines()[-1]
            assert "the group has no member w-1 of ours any more (WEIR_INSTANCE)" in last
            assert "Traceback" not in last
            until(lambda: has_partitions(later, 2), "it has both", later)
            send(settings, records(0, 10))
            until_taken_in(later, 10)
            assert later.terminate() == 0


def test_a_worker_that_stood_still_while_another_took_its_name_writes_no_more(
    settings: Settings,
) -> None:
    with running(named(settings, "w-1")) as zombie:
        send(settings, records(0, 10))
        until_committed(settings, 10)
        zombie.pause()
        with running(named(settings, "w-1")) as later:
            send(settings, records(10, 10))
            until_taken_in(later, 10)
            zombie.go_on()
            assert until_ended(zombie) == EXIT_STALLED
            send(settings, records(20, 10))
            until_taken_in(later, 20)
            assert value_of(later.samples(), "weir_transactions_total") == 20
            assert later.terminate() == 0


def test_a_worker_that_was_silent_for_longer_than_the_session_timeout_ends_too(
    settings: Settings,
) -> None:
    short = replace(named(settings, "w-1"), session_timeout_seconds=6.0)
    with running(short) as silent:
        send(settings, records(0, 10))
        until_taken_in(silent, 10)
        silent.pause()
        time.sleep(9)
        silent.go_on()
        assert until_ended(silent) == EXIT_STALLED
        assert "(WEIR_INSTANCE)" in silent.said()
    with running(named(settings, "w-1")) as again:
        send(settings, records(10, 10))
        until_taken_in(again, 10)
        assert again.terminate() == 0
