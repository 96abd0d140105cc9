"""A discrete-event model of a rebalance: a worker is killed or rolled, and its partitions move.

The rules are those of Faust and Kafka's classic group protocol, as `weir worker` uses them:

- A killed worker is a member until its session timeout after its last heartbeat. One that is
  stopped leaves at once.
- In a rebalance every member stops at its next heartbeat, flushes, and rejoins. The group goes on
  when all have rejoined and nobody who is dead still counts as a member.
- Members keep their partitions; those of others are dealt out, so that nobody has more than one
  above another.
- A member that was given partitions reads their changelogs, all of them before anything else; then
  it builds one after the other. Meanwhile its other partitions wait, too.
- Then it works off what waits, by what is left of its core beside what comes in. The first of it
  are the records since the last flush of whoever had the partition.

With static membership a worker that is back within the session timeout has its partitions again,
and nobody else stops. With standbys, a worker that was there before reads nothing of a partition
that moves for the first time: it has the changelog's bytes in memory.
"""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from streams.lab.capacity.costs import CapacityError


class WorkerGroup(NamedTuple):
    """A group of workers before anything happens to it; the rate is that of all partitions."""

    workers: int
    partitions: int
    per_second: float


class RecoveryNeeds(NamedTuple):
    """Seconds and bytes that a worker needs to take over partitions.

    `record_seconds` are seconds of its core a record, flushes included; `read_bytes` and
    `rebuild_seconds` are of one partition; `bandwidth` is what brokers send to all together, in
    bytes a second. A worker begins within `start_seconds`, and a group that has rejoined goes on
    after `join_seconds`. A partition flushes each `flush_seconds`.
    """

    record_seconds: float
    read_bytes: float
    read_seconds_a_byte: float
    bandwidth: float
    rebuild_seconds: float
    start_seconds: float
    join_seconds: float
    flush_seconds: float


class WorkerLoss(NamedTuple):
    """What happens to one worker of a group, at 0 s.

    It is killed, or `is_graceful`: stopped in order. Another one is started in its place
    `restart_seconds` later; None is never.
    """

    session_seconds: float = 10.0
    heartbeat_seconds: float = 3.0
    restart_seconds: float | None = None
    is_graceful: bool = False
    is_static: bool = False
    has_standby: bool = False


class RebalanceOutcome(NamedTuple):
    """What the loss of a worker did, in seconds from it.

    `deciding_seconds`: every partition is decided on again. `caught_up_seconds`: the last partition
    has caught up, for good. `delay_seconds`: the greatest time from a record to its decision, of
    those that nobody had decided on yet. `paused_seconds`: the longest time for which a worker that
    nothing had happened to stood still.
    """

    deciding_seconds: float
    caught_up_seconds: float
    delay_seconds: float
    paused_seconds: float
    rebalances: int
    moved: int


@dataclass(slots=True)
class _Partition:
    owner: int | None
    since: float | None = None  # of the first record that waits; None if none does
    again: float = 0.0  # records to be decided again: decided, and not sealed
    is_moved: bool = False


@dataclass(slots=True)
class _Member:
    number: int
    partitions: list[int]
    heartbeat_at: float  # its heartbeats come at this, and each interval after it
    is_up: bool = True
    is_member: bool = True  # the group counts it
    is_of_before: bool = True
    is_rejoined: bool = False
    is_deciding: bool = True
    stopped_at: float | None = None
    gained: list[int] = field(default_factory=list)
    turn: int = 0  # what was to come is void once it has another
    decides_from: float = 0.0
    waits: float = 0.0  # records that waited then
    free: float = 1.0  # records a second by which that falls


class _Model:
    def __init__(
        self, group: WorkerGroup, needs: RecoveryNeeds, loss: WorkerLoss, seed: int
    ) -> None:
        self._needs, self._loss = needs, loss
        chosen = random.Random(seed)  # noqa: S311 - when a heartbeat comes is no secret
        beat = loss.heartbeat_seconds
        self._members = [
            _Member(number, [], chosen.uniform(0, beat)) for number in range(group.workers)
        ]
        self._partitions = [_Partition(n % group.workers) for n in range(group.partitions)]
        for number, partition in enumerate(self._partitions):
            assert partition.owner is not None
            self._members[partition.owner].partitions.append(number)
        self._rate = group.per_second / group.partitions
        self._undecided = 0  # partitions that nobody decides on
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._is_rebalancing = False
        self._reading: dict[int, float] = {}  # bytes left, by member
        self._read_at = 0.0
        self._reading_turn = 0
        self._deciding = self._caught_up = self._delay = self._paused = 0.0
        self._rebalances = self._moved = 0

    def run(self) -> RebalanceOutcome:
        self._begin()
        while self._events:
            self._now, _, event = heapq.heappop(self._events)
            event()
        if self._undecided:
            raise CapacityError(
                "the model's group must have a worker left, or one started in place of the one that"
                " went: nobody takes over its partitions"
            )
        for member in self._members:
            if member.is_deciding and member.partitions and member.free <= 0:
                raise CapacityError(
                    f"a worker with {_partitions(len(member.partitions))} cannot catch up: each has"
                    f" {self._rate:,.0f} transactions a second, and its core decides"
                    f" {1 / self._needs.record_seconds:,.0f}"
                )
        return RebalanceOutcome(
            self._deciding,
            self._caught_up,
            self._delay,
            self._paused,
            self._rebalances,
            self._moved,
        )

    def _at(self, seconds: float, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (seconds, self._count, event))

    # -- the worker that goes, and the one in its place ------------------------------------------

    def _begin(self) -> None:
        loss, gone = self._loss, self._members[0]
        gone.is_up = gone.is_deciding = False
        self._undecided = len(gone.partitions)
        for number in gone.partitions:
            self._stop(self._partitions[number], 0.0)
            if not loss.is_graceful:  # what it decided since its last flush comes again
                self._partitions[number].again = self._rate * self._needs.flush_seconds
        stays = loss.is_static
        back = math.inf
        if loss.restart_seconds is not None:
            back = loss.restart_seconds + self._needs.start_seconds
        if loss.is_graceful and not stays:
            expired = 0.0
        else:  # its last heartbeat came before 0
            since_heartbeat = gone.heartbeat_at
            expired = max(loss.session_seconds - since_heartbeat, 0.0)
        if stays and back <= expired:
            self._at(back, self._come_back)
            return
        self._at(expired, self._expire)
        if math.isfinite(back):
            self._at(back, self._join_new)

    def _come_back(self) -> None:
        """Give it the partitions that it had, and nobody else stops: static membership."""
        gone = self._members[0]
        gone.is_up, gone.turn = True, gone.turn + 1
        gone.gained = list(gone.partitions)
        gone.is_of_before = False  # its memory is empty
        turn = gone.turn
        self._at(self._now + self._needs.join_seconds, lambda: self._given(gone, turn))

    def _given(self, member: _Member, turn: int) -> None:
        if member.turn == turn:
            self._read(member)

    def _expire(self) -> None:
        gone = self._members[0]
        gone.is_member = False
        for number in gone.partitions:
            self._partitions[number].owner = None
        gone.partitions = []
        self._rebalance()
        self._go_on_if_all_rejoined()

    def _join_new(self) -> None:
        number = len(self._members)
        new = _Member(number, [], self._now, is_of_before=False, is_rejoined=True)
        new.is_deciding = False
        self._members.append(new)
        self._rebalance()
        self._go_on_if_all_rejoined()

    # -- the rebalance ----------------------------------------------------------------------------

    def _rebalance(self) -> None:
        if self._is_rebalancing:
            return  # who comes while the group waits is part of it
        self._is_rebalancing = True
        self._rebalances += 1
        beat = self._loss.heartbeat_seconds
        for member in self._members:
            if member.is_up and member.is_member and not member.is_rejoined:
                wait = (member.heartbeat_at - self._now) % beat if beat else 0.0
                self._at(self._now + wait, partial(self._pause, member))

    def _pause(self, member: _Member) -> None:
        """Stop deciding, flush what waits to be flushed, and rejoin."""
        self._freeze(member)
        turn = member.turn
        settle = self._needs.flush_seconds if member.partitions else 0.0
        self._at(self._now + settle, lambda: self._rejoin(member, turn))

    def _freeze(self, member: _Member) -> None:
        member.turn += 1
        self._read_on()
        self._reading.pop(member.number, None)
        self._plan_reading()
        if not member.is_deciding:
            return
        member.is_deciding = False
        self._undecided += len(member.partitions)
        member.stopped_at = self._now
        left = max(member.waits - member.free * (self._now - member.decides_from), 0.0)
        for number in member.partitions:
            partition = self._partitions[number]
            if left:  # what waits falls evenly, and what is left came last
                waited = left * self._share_of_waiting(partition, member)
                partition.since, partition.again = self._now - waited / self._rate, 0.0
            else:
                self._stop(partition, self._now)

    def _share_of_waiting(self, partition: _Partition, member: _Member) -> float:
        if not member.waits:
            return 1 / len(member.partitions)
        return self._waiting(partition, member.decides_from) / member.waits

    def _waiting(self, partition: _Partition, seconds: float) -> float:
        """Return how many records wait at a moment, those to be decided again included."""
        since = seconds if partition.since is None else partition.since
        return self._rate * (seconds - since) + partition.again

    def _stop(self, partition: _Partition, seconds: float) -> None:
        partition.since, partition.again = seconds, 0.0

    def _rejoin(self, member: _Member, turn: int) -> None:
        if member.turn == turn:
            member.is_rejoined = True
            self._go_on_if_all_rejoined()

    def _go_on_if_all_rejoined(self) -> None:
        members = [member for member in self._members if member.is_member]
        if members and all(member.is_up and member.is_rejoined for member in members):
            count = len(members)
            self._at(
                self._now + self._needs.join_seconds,
                lambda: self._assign() if self._is_whole(count) else None,
            )

    def _is_whole(self, count: int) -> bool:
        members = [member for member in self._members if member.is_member]
        return self._is_rebalancing and len(members) == count

    def _assign(self) -> None:
        self._is_rebalancing = False
        members = [member for member in self._members if member.is_member]
        unbuilt = {member.number: set(member.gained) for member in members}
        free = [n for n, partition in enumerate(self._partitions) if partition.owner is None]
        most = math.ceil(len(self._partitions) / len(members))
        for member in members:
            while len(member.partitions) > most:
                free.append(member.partitions.pop())
        for number in free:
            least = min(members, key=lambda member: len(member.partitions))
            least.partitions.append(number)
            self._partitions[number].owner = least.number
            unbuilt[least.number].add(number)
            self._moved += 1
        for member in members:
            member.is_rejoined = False
            member.gained = sorted(unbuilt[member.number] & set(member.partitions))
            if member.gained:
                self._read(member)
            else:
                self._decide(member)

    # -- reading, building, deciding --------------------------------------------------------------

    def _read(self, member: _Member) -> None:
        to_read = sum(self._bytes_of(number, member) for number in member.gained)
        self._read_on()
        self._reading[member.number] = to_read
        self._plan_reading()

    def _bytes_of(self, number: int, member: _Member) -> float:
        """Return what a member must read of a partition: nothing if it had been its standby.

        Who began after the loss was nobody's standby, nor was whoever came back.
        """
        partition = self._partitions[number]
        is_at_hand = self._loss.has_standby and not partition.is_moved and member.is_of_before
        partition.is_moved = True
        return 0.0 if is_at_hand else self._needs.read_bytes

    def _read_rate(self) -> float:
        shared = self._needs.bandwidth / max(len(self._reading), 1)
        by_core = self._needs.read_seconds_a_byte
        return min(shared, 1 / by_core) if by_core else shared

    def _read_on(self) -> None:
        """Take off what was read since the number of readers changed."""
        done = (self._now - self._read_at) * self._read_rate()
        self._reading = {number: max(left - done, 0.0) for number, left in self._reading.items()}
        self._read_at = self._now

    def _plan_reading(self) -> None:
        self._reading_turn += 1
        if not self._reading:
            return
        turn = self._reading_turn
        number = min(self._reading, key=lambda number: self._reading[number])
        until = self._now + self._reading[number] / self._read_rate()
        self._at(until, lambda: self._have_read(number) if turn == self._reading_turn else None)

    def _have_read(self, number: int) -> None:
        self._read_on()
        del self._reading[number]
        self._plan_reading()
        member = self._members[number]
        turn, seconds = member.turn, len(member.gained) * self._needs.rebuild_seconds
        self._at(self._now + seconds, lambda: self._decide(member) if member.turn == turn else None)

    def _decide(self, member: _Member) -> None:
        """Go on with all partitions of a worker: what waits falls until it has caught up."""
        member.is_deciding, member.gained = True, []
        member.turn += 1
        if member.stopped_at is not None:
            self._paused = max(self._paused, self._now - member.stopped_at)
            member.stopped_at = None
        mine = [self._partitions[number] for number in member.partitions]
        again = sum(partition.again for partition in mine) * self._needs.record_seconds
        for partition in mine:
            if partition.since is not None:
                self._delay = max(self._delay, self._now + again - partition.since)
        member.decides_from = self._now
        member.waits = sum(self._waiting(partition, self._now) for partition in mine)
        member.free = 1 / self._needs.record_seconds - self._rate * len(mine)
        turn = member.turn
        if member.free > 0 or not mine:
            seconds = member.waits / member.free if member.waits else 0.0
            self._at(
                self._now + seconds, lambda: self._catch_up(member) if member.turn == turn else None
            )
        self._undecided -= len(member.partitions)
        if not self._undecided:
            self._deciding = self._now

    def _catch_up(self, member: _Member) -> None:
        for number in member.partitions:
            self._partitions[number].since, self._partitions[number].again = None, 0.0
        member.waits = 0.0
        self._caught_up = max(self._caught_up, self._now)


def _partitions(count: int) -> str:
    return f"{count:,} partition{'' if count == 1 else 's'}"


def simulate(
    group: WorkerGroup, needs: RecoveryNeeds, loss: WorkerLoss, seed: int = 1
) -> RebalanceOutcome:
    """Return what the loss of a worker does to a group; the seed says when heartbeats come.

    Raises CapacityError if the group never catches up, or nobody is left to take over.
    """
    return _Model(group, needs, loss, seed).run()


def worst_of(
    group: WorkerGroup, needs: RecoveryNeeds, loss: WorkerLoss, kills: int, seed: int = 1
) -> RebalanceOutcome:
    """Return the greatest of each figure, of so many losses with heartbeats of their own."""
    outcomes = [simulate(group, needs, loss, seed + number) for number in range(kills)]
    return RebalanceOutcome(*(max(values) for values in zip(*outcomes, strict=True)))
