"""The time until another worker decides the partitions of one that was killed."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from monitor.population import Population
from streams.kafka.broker_error import BrokerError
from streams.lab.bench import WAIT_SECONDS_MAX, assigned, fill, one_each
from streams.lab.broker import free_port
from streams.lab.rig import Samples, WorkerProcess, place_of, taken_in, total_of
from streams.settings import Settings

POLL_SECONDS: Final = 0.1
TRICKLE_ACCOUNTS: Final = 400
"""Of each sending while the workers change: some for every partition."""

SESSION_SECONDS: Final = 6.0
"""After it the group gives a silent worker's partitions away: the least that Kafka takes."""


class TakeOver(NamedTuple):
    """How long a killed worker's partitions were not decided.

    From the kill until the other worker has decided a record of each of them: `seconds`, of which
    the group needs the session timeout to notice. `state_bytes` are those of all partitions.
    """

    accounts: int
    partitions_moved: int
    session_timeout_seconds: float
    seconds: float
    seconds_beyond_session: float
    state_bytes: int


def take_over(
    policy: Path, accounts: int, broker: str | None, say: Callable[[str], None]
) -> TakeOver:
    """Let two workers share accounts with an open day each, kill one, and wait for the other.

    On an embedded broker, or by topics of its own on the one given, which are deleted afterwards.
    Raises BrokerError if a worker ends by itself, or the group does not come so far.
    """
    given = {"WEIR_SESSION_TIMEOUT_SECONDS": f"{SESSION_SECONDS:g}"}
    with place_of(broker, policy, given, "weir-takeover") as settings:
        workers: list[WorkerProcess] = []
        try:
            workers += [WorkerProcess(settings), WorkerProcess(_other(settings))]
            say("two workers join")
            _until(workers, lambda: all(assigned(worker.samples()) for worker in workers))
            say(f"{accounts:,} accounts, an open day each")
            sent = asyncio.run(fill(settings, one_each(Population(accounts, 1, seed=1))))
            _until(workers, lambda: sum(taken_in(w.samples()) for w in workers) >= sent)
            time.sleep(2 * settings.flush_seconds)
            return _killed(settings, workers, accounts, sent, say)
        finally:
            for worker in workers:
                worker.close()


def _killed(
    settings: Settings,
    workers: list[WorkerProcess],
    accounts: int,
    sent: int,
    say: Callable[[str], None],
) -> TakeOver:
    """Kill the second worker while records trickle in, and wait for the first one."""
    survivor, victim = workers
    before = survivor.samples()
    mine = _decided(before)
    state = sum(total_of(worker.samples(), "weir_state_bytes") for worker in workers)
    say("one worker is killed")
    victim.kill()
    killed_at = time.monotonic()
    moved = settings.partitions - len(mine)
    while True:
        if time.monotonic() - killed_at > WAIT_SECONDS_MAX:
            raise BrokerError(f"the other worker did not take over within {WAIT_SECONDS_MAX:g} s")
        survivor.ensure_running()
        trickle = one_each(Population(TRICKLE_ACCOUNTS, 1, seed=2), number_from=sent)
        sent += asyncio.run(fill(settings, trickle))
        now = _decided(survivor.samples())
        if len(now) == settings.partitions:
            break
        time.sleep(POLL_SECONDS)
    seconds, session = time.monotonic() - killed_at, settings.session_timeout_seconds
    return TakeOver(accounts, moved, session, round(seconds, 2), round(seconds - session, 2), state)


def _other(settings: Settings) -> Settings:
    """Return the settings of a second worker beside one."""
    folder = settings.data_dir / "other"
    folder.mkdir(exist_ok=True)
    return replace(settings, metrics_port=free_port(), data_dir=folder)


def _until(workers: list[WorkerProcess], is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not is_so():
        if time.monotonic() > deadline:
            raise BrokerError(f"the workers did not come so far within {WAIT_SECONDS_MAX:g} s")
        for worker in workers:
            worker.ensure_running()
        time.sleep(POLL_SECONDS)


def _decided(samples: Samples) -> dict[tuple[str, ...], float]:
    """Return how many records of each partition a worker has received and decided."""
    name = "weir_received_records_total"
    return {
        labels: value for (metric, labels), value in samples.items() if metric == name and value
    }
