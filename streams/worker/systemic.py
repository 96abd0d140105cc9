"""The systemic agent: joins what all partitions tell of a day, and tells what it means.

One worker of the group has the one partition of the segment-days topic, by Faust's assignment. What
the detection goes on by is written after what it told was acknowledged, and a record is
acknowledged after that: what a crash cuts in between is told again in the same words, by the same
id and revision.
"""

import logging
import struct
import zlib
from collections.abc import Callable
from itertools import starmap
from typing import Any, Final
from uuid import uuid4

import faust
import msgspec

from monitor.policy.policy import PolicyBook
from monitor.systemic.alert import SystemicAlert
from monitor.systemic.detection import DecidedDay, SystemicRun
from streams.kafka.cluster import cluster_of
from streams.kafka.partitioner import dealer
from streams.kafka.producer import Outbox, Outgoing
from streams.kafka.reader import TopicReader, records_of_topic
from streams.settings import Settings
from streams.state.pieces import Kept, Pieces
from streams.topics.catalog import Topics
from streams.topics.incidents import decided_headers
from streams.wire import codec
from streams.worker.metrics import Metrics
from streams.worker.silence import Silence, look_of

_log = logging.getLogger(__name__)

STATE_KEY: Final = b"systemic"
STATE_KEY_BEFORE: Final = b"state"  # of format 1
STATE_FORMAT: Final = 2

_NUMBER: Final = struct.Struct(">q")  # of what is kept: whoever goes on counts on

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(strict=False).decode


class SystemicStateError(RuntimeError):
    """State of the systemic detection that this program cannot go on from."""


def state_bytes(state: dict[str, Any]) -> bytes:
    """Return what the detection goes on by, as it is kept."""
    return zlib.compress(_encode((STATE_FORMAT, state)))


def state_of(value: bytes) -> dict[str, Any]:
    """Return what was kept. Raises SystemicStateError if it has another format."""
    format_, state = _decode(zlib.decompress(value))
    if format_ != STATE_FORMAT:
        raise SystemicStateError(
            f"the state of the systemic detection has format {format_}, this program knows"
            f" {STATE_FORMAT}: go on with the program that wrote it, or start with fresh state"
            " (another WEIR_GROUP)"
        )
    return dict(state)


class SystemicAgent:
    """Decides business days as they become whole, on the worker that has the segment-days."""

    def __init__(
        self,
        settings: Settings,
        app: faust.App,
        outbox: Outbox,
        *,
        metrics: Metrics,
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._topics = Topics.of(settings)
        self._app = app
        self._outbox = outbox
        self._metrics = metrics
        self._on_crash = on_crash
        self._deal = dealer(settings.partitions)
        self._policies: PolicyBook | None = None
        self._run: SystemicRun | None = None
        self._generation = -1
        self._silence = Silence(
            look_of(settings, self._topics.transactions, self._topics.segment_days)
        )
        self._pieces = Pieces(Kept({}), b"")
        self._number = 0

    def begin(self, policies: PolicyBook) -> None:
        """Set the policies that decide; needed before the first record comes."""
        self._policies = policies

    async def join(self, stream: Any) -> None:  # noqa: ANN401 - Faust's stream
        """Take each record of the stream; it is acknowledged when what comes of it is kept."""
        async for event in stream.noack().events():
            try:
                await self._take(event)
            except Exception as error:  # noqa: BLE001 - not passed over: the process ends, and replays
                self._on_crash(error)
                return

    async def _take(self, event: Any) -> None:  # noqa: ANN401 - Faust's event
        message = event.message
        generation = self._app.consumer_generation_id
        if self._run is None or generation != self._generation:
            self._run = await self._begin_anew(message.offset)
            self._generation = generation
        record = codec.segment_record(message.value)
        self._silence.heard(record.partition)
        late = self._run.joining.late
        self._run.take(record, message.offset)
        self._metrics.segment_days_late.inc(self._run.joining.late - late)
        far_behind = self._run.joining.far_behind()
        silent = await self._silence.among(far_behind, message.offset + 1)
        for decided in self._run.decide(silent):
            await self._tell(decided)
            await self._keep(self._run)
        self._metrics.segment_days_joined.inc()
        event.ack()

    async def _begin_anew(self, offset: int) -> SystemicRun:
        """Return a detection that goes on from what was kept, and knows all before an offset."""
        assert self._policies is not None
        self._silence.begin()
        state = await self._kept()
        run = SystemicRun(self._policies, self._settings.partitions, state)
        first = state["joining"]["offset"] if state is not None else 0
        if first < offset:
            tail = TopicReader(cluster_of(self._settings), self._topics.segment_days, 1)
            await tail.start()
            try:
                tail.go_to(0, first)
                while await tail.position(0) < offset:  # not every offset has a record
                    for read in await tail.read():
                        if read.offset < offset:
                            run.take(codec.segment_record(read.value), read.offset)
            finally:
                await tail.stop()
        _log.info("the systemic detection goes on from offset %d", first)
        return run

    async def _kept(self) -> dict[str, Any] | None:
        kept: dict[bytes, bytes] = {}
        async for read in records_of_topic(
            cluster_of(self._settings), self._topics.systemic_state, 1
        ):
            if read.value is None:
                kept.pop(read.key, None)
            else:
                kept[read.key] = read.value
        if STATE_KEY_BEFORE in kept:
            state_of(kept[STATE_KEY_BEFORE])  # which refuses it
        known = Kept(kept)
        self._pieces = Pieces(known, uuid4().bytes[:6].hex().encode(), [STATE_KEY])
        whole = known.whole(STATE_KEY)
        if whole is None:
            return None
        (self._number,) = _NUMBER.unpack_from(whole.value)
        return state_of(whole.value[_NUMBER.size :])

    async def _tell(self, decided: DecidedDay) -> None:
        """Tell of a day, and wait until the broker has it."""
        if self._app.consumer_generation_id != self._generation:
            return  # it moved away: who has it now tells
        for alert in decided.alerts:
            record = Outgoing(alert.key.encode(), *codec.alert_record(alert))
            await self._outbox.write(self._topics.alerts, self._deal(alert.key), [record])
            self._metrics.alerts.labels(alert.kind.value, alert.status.value).inc()
        if decided.alerts:
            await self._outbox.write(self._topics.systemic, 0, list(map(_incident, decided.alerts)))
        for count in ("raised", "grouped", "shown"):
            self._metrics.day_alerts.labels(count).inc(getattr(decided, count))

    async def _keep(self, run: SystemicRun) -> None:
        if self._app.consumer_generation_id == self._generation:
            self._number += 1
            value = _NUMBER.pack(self._number) + state_bytes(run.dump())
            needless = [Outgoing(key, None) for key in self._pieces.needless()]
            records = list(starmap(Outgoing, self._pieces.records(STATE_KEY, value)))
            records[-1] = records[-1]._replace(headers=decided_headers(run.joining.decided))
            await self._outbox.write(self._topics.systemic_state, 0, [*needless, *records])


def _incident(alert: SystemicAlert) -> Outgoing:
    return Outgoing(alert.alert_id.encode(), codec.alert_bytes(alert))
