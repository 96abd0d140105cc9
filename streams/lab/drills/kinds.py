"""The kinds of failure that a drill knows, each by a name."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, NamedTuple

from monitor.policy.document import policy_of
from streams.kafka.admin import create_topics, delete_topics, partitions_of
from streams.kafka.broker_error import BrokerError
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox, Outgoing
from streams.lab.drills.drill import POLL_SECONDS, Drill
from streams.lab.drills.rows import poison_records
from streams.lab.rig import total_of
from streams.topics.catalog import topic_specs
from streams.topics.policies import set_policy

EXIT_UNFIT: Final = 3
"""With which a worker ends that refuses to start."""

CHANGED_SECONDS_MAX: Final = 120.0
STORM_SECONDS: Final = (0.0, 4.0)
"""A worker of a storm stays so long, at random, after its start."""

CLOCK_SECONDS: Final = 1800.0
"""Kafka itself takes no timestamp that is more than an hour ahead."""

CLOCK_LASTS_SECONDS: Final = 3.0
TIGHT_LIMIT: Final = "20.00"
"""A limit in error, which nearly every account exceeds."""


class DrillKind(NamedTuple):
    """A failure: its name, what happens, and the doing of it, after which the stream goes on."""

    name: str
    about: str
    happen: Callable[[Drill], Awaitable[None]]


async def pause_briefly(drill: Drill) -> None:
    """Let a worker stand still for half the session timeout: it keeps its partitions."""
    worker = await drill.any_deciding()
    before = await drill.decided([worker])
    failed_at = time.monotonic()
    worker.pause()
    await asyncio.sleep(drill.settings.session_timeout_seconds / 2)
    worker.go_on()
    await drill.until_further([worker], before)
    drill.note_recovery(failed_at, "pause", "it decides")


async def wake_a_zombie(drill: Drill) -> None:
    """Let a worker stand still until another one has its partitions, then let it go on."""
    zombie = await drill.any_deciding()
    failed_at = time.monotonic()
    zombie.pause()
    await drill.until_deciding(drill.start_worker())
    drill.note_recovery(failed_at, "zombie", "another worker decides")
    zombie.go_on()  # it writes what it had in hand: none of it may count
    await asyncio.sleep(drill.settings.session_timeout_seconds)
    status = await asyncio.to_thread(zombie.terminate)
    drill.say(f"the zombie went on, was asked to end, and did so with status {status}")
    drill.dismiss(zombie)


async def join_and_leave(drill: Drill) -> None:
    """Let a worker join and, at once or later, end in order or be killed."""
    stays = drill.workers[0]
    await drill.until_deciding(stays)
    passing = drill.start_worker()
    await drill.until_answering(passing)
    await asyncio.sleep(drill.random.uniform(*STORM_SECONDS))
    before = await drill.decided([stays])
    failed_at = time.monotonic()
    is_killed = drill.random.random() < 1 / 2
    await asyncio.to_thread(passing.kill if is_killed else passing.terminate)
    drill.dismiss(passing)
    await drill.until_further([stays], before)
    drill.note_recovery(failed_at, "leave", "the one that stays decides")


async def send_poison(drill: Drill) -> None:
    """Send records that cannot be read, among the others, to each partition."""
    worker = await drill.any_deciding()
    before = await drill.decided(drill.workers)
    poison = list(poison_records())
    failed_at = time.monotonic()
    for partition in range(drill.settings.partitions):
        await drill.send_rejectable(partition, poison)
    await drill.until_further(drill.workers, before + len(poison) * drill.settings.partitions)
    drill.look_after(worker)
    drill.note_recovery(failed_at, "poison", "they are rejected, and others decided,")


async def set_clocks_wrong(drill: Drill) -> None:
    """Let the sender's clock be half an hour ahead for a while, and then as much behind."""
    await drill.any_deciding()
    for ahead in (CLOCK_SECONDS, -CLOCK_SECONDS):
        before = await drill.decided(drill.workers)
        failed_at = time.monotonic()
        drill.clock_ahead_seconds = ahead
        await drill.until_further(drill.workers, before)
        drill.note_recovery(failed_at, "clock", f"{ahead:+g} s: the workers decide")
        await asyncio.sleep(CLOCK_LASTS_SECONDS)
    drill.clock_ahead_seconds = 0.0


async def roll_back_policy(drill: Drill) -> None:
    """Set a policy in error, let every open day be decided by it, and set the old limits again.

    Nothing is sent between the two: a day that closed by the wrong one would stay so.
    """
    await drill.any_deciding()
    await drill.stop_flow()
    assert drill.settings.policy is not None
    first = policy_of(drill.settings.policy.read_text(encoding="utf-8"))
    version = await _policy_version(drill)
    tight = first.text.replace('above = "2000.00"', f'above = "{TIGHT_LIMIT}"', 1)
    assert tight != first.text, "the policy has such a limit"
    await _set_policy(drill, _numbered(tight, version + 1))
    failed_at = time.monotonic()
    await _set_policy(drill, _numbered(first.text, version + 2))
    before = await drill.decided(drill.workers)
    drill.resume_flow()
    await drill.until_further(drill.workers, before)
    drill.note_recovery(failed_at, "rollback", "the old limits decide again")


def _numbered(policy: str, version: int) -> str:
    return policy.replace("version = 1", f"version = {version}", 1)


async def _policy_version(drill: Drill) -> int:
    """Return the version that every worker has at least."""
    samples = [await asyncio.to_thread(worker.samples) for worker in drill.workers]
    return min(total_of(sample, "weir_policy_version") for sample in samples)


async def _set_policy(drill: Drill, text: str) -> None:
    policy = policy_of(text)
    await set_policy(drill.settings, policy)
    deadline = time.monotonic() + CHANGED_SECONDS_MAX
    while await _policy_version(drill) < policy.version:
        if time.monotonic() > deadline:
            raise BrokerError(f"no worker took policy version {policy.version}")
        await asyncio.sleep(POLL_SECONDS)
    # Open days are decided by it with the next flush.
    await asyncio.sleep(2 * drill.settings.flush_seconds)


async def lose_changelog(drill: Drill) -> None:
    """Kill every worker and make the changelog again, empty; a worker must refuse to start.

    Then it is restored as it was, unless WEIR_ACCEPT_STATE_LOSS=yes. Raises BrokerError if a
    worker starts all the same.
    """
    for worker in drill.workers:
        await drill.until_deciding(worker)
    await drill.any_deciding()
    failed_at = time.monotonic()
    killed = tuple(drill.workers)
    for worker in killed:
        worker.kill()
        drill.dismiss(worker)
    accepts = drill.settings.accept_state_loss
    kept = await drill.all_of(drill.topics.changelog)
    await asyncio.to_thread(_make_empty, drill, drill.topics.changelog)
    drill.settings = replace(drill.settings, accept_state_loss="no")
    await _until_refused(drill)
    drill.settings = replace(drill.settings, accept_state_loss=accepts)
    if accepts == "no":
        await _restore(drill, kept)
        drill.say(f"a worker refused to start; {len(kept):,} records of state are restored")
    else:
        drill.say("a worker refused to start; the loss is accepted, and open days begin at nothing")
    first, *_ = [drill.start_worker(worker) for worker in killed]
    await drill.until_deciding(first)
    drill.note_recovery(failed_at, "lost changelog", "a worker decides")


async def _until_refused(drill: Drill) -> None:
    refuses = drill.begin_worker()
    try:
        status = await asyncio.to_thread(refuses.end_within, CHANGED_SECONDS_MAX)
        if status != EXIT_UNFIT:
            raise BrokerError(
                f"a worker must end with status {EXIT_UNFIT} without its changelog, not {status}."
                f" It said:\n{refuses.last_words()}"
            )
    finally:
        refuses.close()


def _make_empty(drill: Drill, topic: str) -> None:
    """Delete a topic, and create it again."""
    cluster = cluster_of(drill.settings)
    specs = [spec for spec in topic_specs(drill.settings) if spec.name == topic]
    delete_topics(cluster, specs)
    while partitions_of(cluster, topic) is not None:
        time.sleep(POLL_SECONDS)
    create_topics(cluster, specs, drill.settings.replication)


async def _restore(drill: Drill, kept: list[Any]) -> None:
    """Write records to the changelog as they were."""
    async with Outbox(cluster_of(drill.settings)) as outbox:
        for number in range(drill.settings.partitions):
            records = [
                Outgoing(record.key, record.value) for record in kept if record.partition == number
            ]
            # The last one in a batch of its own, as a flush ends: there are brokers that are wrong
            # about where a topic ends, by one batch.
            for part in (records[:-1], records[-1:]):
                await outbox.write(drill.topics.changelog, number, part)


KINDS: Final = {
    kind.name: kind
    for kind in (
        DrillKind(
            "worker-killed", "A worker is killed (SIGKILL), another one starts.", Drill.kill_one
        ),
        DrillKind(
            "rolling-restart",
            "A worker ends in order and is started again at once, one after the other.",
            Drill.restart_one,
        ),
        DrillKind(
            "zombie-worker",
            "A worker stands still past the session timeout, another one takes over, it goes on.",
            wake_a_zombie,
        ),
        DrillKind(
            "worker-paused",
            "A worker stands still for half the session timeout.",
            pause_briefly,
        ),
        DrillKind(
            "poison-records",
            "Records come that cannot be read: each must be rejected once.",
            send_poison,
        ),
        DrillKind(
            "rebalance-storm",
            "Workers join and, soon after, leave in order or are killed.",
            join_and_leave,
        ),
        DrillKind(
            "clock-skew",
            "The sender's clock is half an hour ahead, then as much behind.",
            set_clocks_wrong,
        ),
        DrillKind(
            "policy-rolled-back",
            "A policy with a wrong limit is set, and the old limits again.",
            roll_back_policy,
        ),
        DrillKind(
            "changelog-lost",
            "The changelog is deleted: a worker must refuse to start until it is restored.",
            lose_changelog,
        ),
    )
}
"""Every kind, by its name."""
