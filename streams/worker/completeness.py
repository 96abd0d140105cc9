"""Count what a partition received by the hour, and tell which records were decided late.

Received is decided, rejected and skipped, by offsets: nothing is taken from a clock but when a
record was decided. The counts are kept with the state of the same offset, so a crash repeats them
in the same words, and loses none.
"""

import logging
import struct
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from models.arrays import Ints
from monitor.core.business_day import event_time_text
from monitor.engine.step import Step
from streams.kafka.producer import Outgoing
from streams.log import SAYS
from streams.state import keys
from streams.state.changelog import newest_seal
from streams.wire.codec import json_bytes
from streams.wire.columns import DecodedRun

_say = logging.getLogger(SAYS)

HOUR_MS: Final = 3_600_000
HOURS_KEPT: Final = 4
"""Hours of a partition whose counts may grow. A further one lets the earliest go: a record of it
that comes after all is counted under another offset, and both add up."""

HOURS_MAX: Final = (253_402_300_800_000 // HOUR_MS) - 1
"""The last hour of the year 9999: a producer may have written any time."""

PUBLISH_SECONDS: Final = 60.0
"""Counts that grow are told so often."""

QUIET_SECONDS_MAX: Final = 60.0
"""A late stretch has ended if no record was decided late for so long, or for the threshold."""

STRETCH_SECONDS_MAX: Final = 3600.0
"""A stretch that goes on is told at least so often, and so is one of so many accounts."""

STRETCH_ACCOUNTS_MAX: Final = 1 << 18

_OFFSET: Final = struct.Struct(">q")


@dataclass(slots=True)
class CountedHour:
    """What records written in an hour (of Kafka's timestamps, since 1970) have come to.

    `offset` is that of the first one that is counted here, `next_offset` is behind the last. A
    reversal that waits is decided; if it is rejected later, only the rejections topic says so. A
    heartbeat is decided, too.
    """

    hour: int
    offset: int
    next_offset: int
    received: int = 0
    decided: int = 0
    rejected: int = 0
    skipped: int = 0


@dataclass(slots=True)
class LateStretch:
    """Records that were decided later than the threshold after they were written (times in ms)."""

    offset: int
    next_offset: int
    records: int
    accounts: int
    written_from: int
    written_to: int
    decided_from: int
    decided_to: int

    def words(self, partition: int) -> str:
        """Return what a person is told."""
        return (
            f"partition {partition}: not monitored from {_moment(self.written_from)} to"
            f" {_moment(self.written_to)}: {self.records} records of {self.accounts} accounts were"
            f" decided late, the last at {_moment(self.decided_to)}"
        )


class LastNotice(NamedTuple):
    """The last notice: when it was told (seconds since 1970), and of how many records."""

    at: float
    records: int


class Completeness:
    """The counts of one partition, from the state of a seal on.

    `counted_from` is the offset from which on every record is counted, None before the first one;
    `counted_to` is behind the last, and `records` is how many lie between. An offset without a
    record is a marker, an aborted record, or one that the topic lost before it was read.
    """

    def __init__(
        self,
        partition: int,
        writer: bytes,
        kept: Mapping[bytes, bytes],
        seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.counted_from: int | None = None
        self.counted_to = 0
        self.records = 0
        self.unaccounted = 0  # received, and neither decided, rejected nor skipped: must stay 0
        self.told: LastNotice | None = None
        self._partition = partition
        self.writer = writer
        self._late_ms = round(seconds * 1000)
        self._quiet_seconds = min(seconds, QUIET_SECONDS_MAX)
        self._clock = clock
        self._number = 0
        self._hours: dict[int, CountedHour] = {}
        self._changed: dict[int, None] = {}
        self._gone: list[CountedHour] = []  # let go, and not told yet
        self._published_at = clock()
        self._stretch: LateStretch | None = None
        self._accounts: set[bytes] = set()  # of the stretch
        self._ended: list[LateStretch] = []  # not told yet
        self._recover(kept)

    def _recover(self, kept: Mapping[bytes, bytes]) -> None:
        """Go on from the counts that were kept with the seal; a stretch ends with its worker."""
        seal = newest_seal(dict(kept))
        if seal is None:
            return
        self.counted_from, self.counted_to = seal.offset + 1, seal.offset + 1
        found = [
            keys.unpacked(kept[key][_OFFSET.size :])
            for key in keys.counts_keys(seal.writer)
            if key in kept and _OFFSET.unpack_from(kept[key]) == (seal.offset,)
        ]
        if not found:
            return  # of a program that counted nothing: what it decided is a gap, and is shown
        self._number, self.counted_from, self.records, hours, stretch, told = max(found)
        self._hours = {hour: CountedHour(hour, *rest) for hour, *rest in hours}
        self._changed = dict.fromkeys(self._hours)
        self._published_at = 0.0
        self.told = None if told is None else LastNotice(*told)
        if stretch is not None:
            self._ended.append(LateStretch(*stretch))

    def count(self, run: DecodedRun, step: Step, offset_last: int) -> None:
        """Count a run that was decided: `step` is what came of it, and of nothing else.

        `offset_last` is the last offset that was decided before.
        """
        begin = bisect_right(run.offsets, offset_last)
        offsets = run.offsets[begin:]
        if not offsets:
            return
        if self.counted_from is None:
            self.counted_from = offsets[0]
        self.counted_to = offsets[-1] + 1
        self.records += len(offsets)
        settled = set(step.settled)
        rejected = [offset for offset, _ in step.rejections if offset not in settled]
        settled_later = len(settled) - (len(step.rejections) - len(rejected))
        decided = step.transactions - settled_later + len(step.waiting)
        decided += step.heartbeats + step.left_out
        skipped = step.redelivered - begin
        self.unaccounted += abs(len(offsets) - decided - len(rejected) - skipped)
        written = run.rows["timestamp"][begin:]
        hours = np.clip(written // HOUR_MS, 0, HOURS_MAX)
        if hours.min() == hours.max():
            hour = self._hour(int(hours[0]), offsets[0])
            hour.next_offset = offsets[-1] + 1
            hour.received += len(offsets)
            hour.decided += decided
            hour.rejected += len(rejected)
            hour.skipped += skipped
        else:
            self._count_hours(hours, offsets, rejected, _skipped(offsets, rejected, step, skipped))
        self._note_late(run, begin, written)

    def _count_hours(
        self, hours: Ints, offsets: list[int], rejected: Iterable[int], skipped: Iterable[int]
    ) -> None:
        """Count records of several hours, one part of one hour after the other."""
        outcome = np.zeros(len(offsets), np.int64)
        for number, some in ((1, rejected), (2, skipped)):
            for offset in some:
                outcome[bisect_left(offsets, offset)] = number
        cuts = [0, *(np.flatnonzero(np.diff(hours)) + 1).tolist(), len(offsets)]
        for begin, end in pairwise(cuts):
            hour = self._hour(int(hours[begin]), offsets[begin])
            decided, *others = np.bincount(outcome[begin:end], minlength=3).tolist()
            hour.next_offset = offsets[end - 1] + 1
            hour.received += end - begin
            hour.decided += decided
            hour.rejected += others[0]
            hour.skipped += others[1]

    def _hour(self, number: int, offset: int) -> CountedHour:
        self._changed[number] = None
        hour = self._hours.get(number)
        if hour is None:
            hour = self._hours[number] = CountedHour(number, offset, offset)
            if len(self._hours) > HOURS_KEPT:
                earliest = min(its for its in self._hours if its != number)
                self._gone.append(self._hours.pop(earliest))
                self._changed.pop(earliest, None)
        return hour

    # -- records that were decided late ------------------------------------------------------------

    def _note_late(self, run: DecodedRun, begin: int, written: Ints) -> None:
        """Note which records were written longer ago than the threshold; -1 is no time."""
        now = round(self._clock() * 1000)
        is_late = (written < now - self._late_ms) & (written >= 0)
        late = np.flatnonzero(is_late)
        if not late.size:
            return
        first, last = int(late[0]) + begin, int(late[-1]) + begin
        earliest, latest = int(written[late].min()), int(written[late].max())
        stretch = self._stretch
        if stretch is None:
            stretch = self._stretch = LateStretch(
                run.offsets[first], 0, 0, 0, earliest, latest, now, now
            )
            self._accounts.clear()
        rows, data = run.rows[late + begin], run.data.data
        self._accounts.update(
            bytes(data[at : at + length])
            for at, length in zip(rows["key_at"].tolist(), rows["key_length"].tolist(), strict=True)
            if length > 0
        )
        stretch.next_offset = run.offsets[last] + 1
        stretch.records += len(late)
        stretch.accounts = len(self._accounts)
        stretch.written_from = min(stretch.written_from, earliest)
        stretch.written_to = max(stretch.written_to, latest)
        stretch.decided_to = now
        if stretch.accounts >= STRETCH_ACCOUNTS_MAX:
            self._end_stretch()

    def tick(self) -> None:
        """End a stretch that is over, or that goes on for so long that it must be told."""
        stretch, now = self._stretch, self._clock() * 1000
        if stretch is not None and (
            now - stretch.decided_to >= self._quiet_seconds * 1000
            or now - stretch.decided_from >= STRETCH_SECONDS_MAX * 1000
        ):
            self._end_stretch()

    def hurry(self) -> None:
        """Let the next flush tell all that is known: there may be none for long after it."""
        self._published_at = 0.0
        if self._stretch is not None:
            self._end_stretch()

    def _end_stretch(self) -> None:
        assert self._stretch is not None, "whoever ends a stretch has one"
        self._ended.append(self._stretch)
        self._stretch = None
        self._accounts = set()

    # -- what is told, and what is kept ------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        """Whether something is to be told though no record has come."""
        is_time = self._clock() - self._published_at >= PUBLISH_SECONDS
        return bool(self._ended) or (bool(self._changed) and is_time)

    def take_records(self) -> list[Outgoing]:
        """Return the records of what is due, each once; they must be written before the next seal.

        All of them may come twice: the same partition, hour and offset are the same counts, of
        which those of the latest term hold.
        """
        records = [self._of_hour(hour) for hour in self._gone]
        self._gone = []
        if self._clock() - self._published_at >= PUBLISH_SECONDS:
            records += [self._of_hour(self._hours[hour]) for hour in self._changed]
            self._changed = {}
            self._published_at = self._clock()
        for stretch in self._ended:
            _say.warning("%s", stretch.words(self._partition))
            self.told = LastNotice(self._clock(), stretch.records)
            records.append(self._of_stretch(stretch))
        self._ended = []
        return records

    def _of_hour(self, hour: CountedHour) -> Outgoing:
        moment = _moment(hour.hour * HOUR_MS)
        fields = {
            "kind": "hour",
            "partition": self._partition,
            "term": self._term,
            "hour": moment,
            "offset": hour.offset,
            "next_offset": hour.next_offset,
            "received": hour.received,
            "decided": hour.decided,
            "rejected": hour.rejected,
            "skipped": hour.skipped,
            "counted_from": self.counted_from,
            "counted_to": self.counted_to,
            "records": self.records,
        }
        key = f"{self._partition}:{moment}:{hour.offset}".encode()
        return Outgoing(key, json_bytes(fields))

    def _of_stretch(self, stretch: LateStretch) -> Outgoing:
        fields: dict[str, Any] = {
            "kind": "not-monitored",
            "partition": self._partition,
            "term": self._term,
            "offset": stretch.offset,
            "next_offset": stretch.next_offset,
            "records": stretch.records,
            "accounts": stretch.accounts,
        }
        for name in ("written_from", "written_to", "decided_from", "decided_to"):
            fields[name] = _moment(getattr(stretch, name))
        fields["late_after_seconds"] = self._late_ms / 1000
        key = f"{self._partition}:not-monitored:{stretch.offset}".encode()
        return Outgoing(key, json_bytes(fields))

    @property
    def _term(self) -> int:
        return int(keys.term_of(keys.seal_key(self.writer)), 16)

    def kept_record(self, offset: int) -> tuple[bytes, bytes]:
        """Return what state keeps at a seal's offset: the one before stays under its own key."""
        self._number += 1
        key = keys.counts_keys(self.writer)[self._number % 2]
        kept = keys.packed(
            (
                self._number,
                self.counted_from,
                self.records,
                [astuple(hour) for hour in self._hours.values()],
                None if self._stretch is None else astuple(self._stretch),
                self.told,
            )
        )
        return key, _OFFSET.pack(offset) + kept


def _skipped(offsets: list[int], rejected: Iterable[int], step: Step, count: int) -> set[int]:
    """Return the offsets that state included already, which no list of a step has."""
    if not count:
        return set()
    taken = {entry.offset for entry in step.entries}
    for rows in step.entry_rows:
        taken.update(rows.rows["offset"].tolist())
    return {*offsets} - taken - {*rejected} - {waiting.offset for waiting in step.waiting}


def _moment(milliseconds: int) -> str:
    return event_time_text(min(max(milliseconds, 0), HOURS_MAX * HOUR_MS) * 1000)
