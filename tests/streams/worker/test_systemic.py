"""The systemic agent through crashes: each alert is told, and told again only in the same words."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from models.sketches.histogram import Sketch
from monitor.systemic.record import SegmentRecord
from monitor.systemic.segment_day import LimitDay, SegmentDay
from streams.kafka import reader as tail
from streams.kafka.producer import Outgoing
from streams.settings import Settings
from streams.state import pieces
from streams.topics.catalog import Topics
from streams.topics.incidents import decided_headers
from streams.wire import codec
from streams.worker import silence
from streams.worker import systemic as systemic_agent
from streams.worker.metrics import Metrics
from streams.worker.silence import Look
from streams.worker.systemic import SystemicAgent, SystemicStateError, state_bytes, state_of
from tests.support.incidents import verdicts
from tests.support.transactions import POLICY, book

SETTINGS = Settings(broker="nowhere:1", partitions=2)
TOPICS = Topics.of(SETTINGS)
DAY_FIRST = 739_621
DAYS = 34
EPISODE = range(28, 32)
ABOVE = 50_000


class CrashError(RuntimeError):
    """The process is gone."""


class Read(NamedTuple):
    """A record as it is read."""

    offset: int
    value: bytes | None
    key: bytes = b""


def segment_day(day: int, partition: int) -> SegmentDay:
    """Return a day of 400 accounts in which ten are over the limit; fifty in the episode."""
    rng = np.random.default_rng(100 * day + partition)
    over = rng.binomial(400, 0.12 if day in EPISODE else 0.02)
    values = rng.integers(100, ABOVE, 400)
    values[:over] = ABOVE + 1 + rng.integers(0, 9_000, over)
    sketch = Sketch()
    sketch.add(values)
    causes = {("channel", "web"): int(over)}
    limit = LimitDay(ABOVE, int((values > ABOVE).sum()), sketch, causes)
    return SegmentDay(DAY_FIRST + day, "retail", 400, {"daily-amount": limit}, 0, 0, {}, {})


def told() -> list[bytes]:
    """Return the records of both partitions; the second is a day behind."""
    records = []
    for day in range(DAYS):
        for partition in (0, 1):
            if day >= partition:
                made = segment_day(day - partition, partition)
                records.append(codec.segment_record_bytes(SegmentRecord(partition, 1, made)))
    return records


RECORDS = told()


class FakeBroker:
    """What survives a crash: the topics, and what was committed. Each write is a step."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.topics: dict[str, list[bytes]] = {TOPICS.segment_days: RECORDS}
        self.state: list[Outgoing] = []
        self.headers: dict[str, list[list[tuple[str, bytes]]]] = {}
        self.committed = 0
        self.steps = 0
        self.told_at: list[int] = []  # the steps at which alerts are written
        self.crash_at = crash_at

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.crash_at:
            raise CrashError

    async def write(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        assert partition in (0, 1)
        if topic == TOPICS.alerts:
            self.told_at.append(self.steps)
        for record in records if topic == TOPICS.systemic_state else ():
            self.step()  # a batch may be cut anywhere
            self.state.append(record)
        self.step()  # it may be gone before it is written,
        self.topics.setdefault(topic, []).extend(sent.value for sent in records if sent.value)
        self.headers.setdefault(topic, []).extend(list(sent.headers) for sent in records)
        self.step()  # or after, and before anybody knows


class FakeTail:
    """Reads a topic of the fake broker."""

    broker: FakeBroker

    def __init__(self, _: str, topic: str, partitions: int) -> None:
        assert partitions == 1
        self._records: list[tuple[bytes, bytes | None]]
        self._records = [(b"", value) for value in self.broker.topics.get(topic, [])]
        if topic == TOPICS.systemic_state:
            self._records = [(record.key or b"", record.value) for record in self.broker.state]
        self._at = 0

    async def start(self) -> None:
        self._at = 0

    async def stop(self) -> None:
        self._records = []

    def go_to(self, partition: int, offset: int) -> None:
        assert partition == 0
        self._at = offset

    async def is_at_end(self) -> bool:
        return self._at >= len(self._records)

    async def position(self, partition: int) -> int:
        assert partition == 0
        return self._at

    async def read(self) -> list[Read]:
        here = enumerate(self._records[self._at :][:3])
        read = [Read(self._at + n, value, key) for n, (key, value) in here]
        self._at += len(read)
        return read


class FakeApp:
    """The group: it is always ours."""

    consumer_generation_id = 1


class FakeEvent:
    """An event of the stream."""

    def __init__(self, broker: FakeBroker, offset: int) -> None:
        self.message = Read(offset, RECORDS[offset])
        self._broker = broker

    def ack(self) -> None:
        self._broker.step()
        self._broker.committed = self.message.offset + 1


class FakeStream:
    """Faust's stream, from what was committed on."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker

    def noack(self) -> "FakeStream":
        return self

    async def events(self) -> Any:  # noqa: ANN401 - an asynchronous generator of Faust's
        for offset in range(self._broker.committed, len(RECORDS)):
            yield FakeEvent(self._broker, offset)


def live(broker: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """Let an agent live until it has all, or crashes."""
    FakeTail.broker = broker
    for module in (systemic_agent, tail):
        monkeypatch.setattr(module, "TopicReader", FakeTail)
    metrics = Metrics(CollectorRegistry(), "1.0")
    errors: list[BaseException] = []
    agent = SystemicAgent(
        SETTINGS, FakeApp(), broker, metrics=metrics, on_crash=errors.append,  # type: ignore[arg-type]
    )  # fmt: skip
    agent.begin(book(POLICY + "[systemic]\n"))
    asyncio.run(agent.join(FakeStream(broker)))
    for error in errors:
        assert isinstance(error, CrashError), error
    return metrics


def alerts_in(broker: FakeBroker) -> dict[tuple[str, int], bytes]:
    found: dict[tuple[str, int], bytes] = {}
    for value in broker.topics.get(TOPICS.alerts, []):
        fields = codec.plain(value)
        key = fields["alert_id"], fields["revision"]
        assert found.setdefault(key, value) == value, "told in two ways"
    return found


def test_an_episode_is_told_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = FakeBroker()
    metrics = live(broker, monkeypatch)
    alerts = [codec.plain(value) for value in alerts_in(broker).values()]
    assert alerts
    assert {alert["segment"] for alert in alerts} <= {"retail", None}
    assert broker.committed == len(RECORDS)
    parts = {part: metrics.day_alerts.labels(part)._value.get() for part in ("raised", "grouped")}
    assert parts["grouped"] == sum(
        max(alert["grouped"] for alert in alerts if alert["alert_id"] == alert_id)
        for alert_id in {alert["alert_id"] for alert in alerts}
    )
    assert 0 < parts["grouped"] < parts["raised"]
    shown = metrics.day_alerts.labels("shown")._value.get()
    assert parts["raised"] - parts["grouped"] <= shown < parts["raised"]
    latest = {}
    for value in broker.topics[TOPICS.systemic]:
        latest[codec.plain(value)["alert_id"]] = codec.plain(value)
    assert {day - DAY_FIRST for day in verdicts(*latest.values()).by_day} & set(EPISODE)
    decided = [headers for headers in broker.headers[TOPICS.systemic_state] if headers]
    assert decided[-1] == decided_headers(DAY_FIRST + DAYS - 2)  # the second is a day behind


@pytest.mark.parametrize("is_waiting", [True, False])
def test_a_day_is_decided_without_a_quiet_partition_only_if_no_record_waits_in_it(
    monkeypatch: pytest.MonkeyPatch, *, is_waiting: bool
) -> None:
    """The records of the second partition come last, as from a worker that starts late."""

    async def look(number: int, read_to: int) -> Look:
        assert number == 1
        return Look(0, is_waiting, told_to=read_to)

    partition_of = {value: codec.segment_record(value).partition for value in RECORDS}
    expected = FakeBroker()
    live(expected, monkeypatch)
    monkeypatch.setattr(
        sys.modules[__name__], "RECORDS", sorted(RECORDS, key=partition_of.__getitem__)
    )
    monkeypatch.setattr(silence, "SILENT_SECONDS", -1.0)
    monkeypatch.setattr(systemic_agent, "look_of", lambda *_: look)
    broker = FakeBroker()
    metrics = live(broker, monkeypatch)
    assert broker.committed == len(RECORDS)
    assert (alerts_in(broker) == alerts_in(expected)) is is_waiting
    assert (metrics.segment_days_late._value.get() > 0) is not is_waiting


def test_an_agent_that_is_behind_waits_for_what_it_has_not_read_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All is written and committed; the second partition's words stand last, and we are slow."""

    async def look(number: int, _: int) -> Look:
        assert number == 1
        return Look(0, is_waiting=False, told_to=len(RECORDS))

    partition_of = {value: codec.segment_record(value).partition for value in RECORDS}
    expected = FakeBroker()
    live(expected, monkeypatch)
    in_turn = sorted(RECORDS, key=partition_of.__getitem__)
    monkeypatch.setattr(sys.modules[__name__], "RECORDS", in_turn)
    monkeypatch.setattr(silence, "SILENT_SECONDS", -1.0)
    monkeypatch.setattr(systemic_agent, "look_of", lambda *_: look)
    broker = FakeBroker()
    metrics = live(broker, monkeypatch)
    assert alerts_in(broker) == alerts_in(expected)
    assert metrics.segment_days_late._value.get() == 0


@pytest.mark.parametrize(
    ("piece_bytes", "stride"),
    [
        pytest.param(pieces.PIECE_BYTES_MAX, 3, marks=pytest.mark.no_cover), (700, 4),
        pytest.param(pieces.PIECE_BYTES_MAX, 1, marks=pytest.mark.slow),
        pytest.param(700, 1, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_crash_between_any_two_writes_loses_and_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch, piece_bytes: int, stride: int
) -> None:
    """Around each telling of alerts, and here and there between; or every so many of these."""
    monkeypatch.setattr(pieces, "PIECE_BYTES_MAX", piece_bytes)
    undisturbed = FakeBroker()
    live(undisturbed, monkeypatch)
    expected = alerts_in(undisturbed)
    assert len(undisturbed.topics[TOPICS.alerts]) == len(expected)
    around = {at + near for at in undisturbed.told_at for near in range(-2, 9)}
    for crash_at in sorted(around | set(range(1, undisturbed.steps, 19)))[::stride]:
        broker = FakeBroker(crash_at)
        live(broker, monkeypatch)
        assert broker.steps == crash_at
        live(broker, monkeypatch)
        assert alerts_in(broker) == expected, crash_at
        assert broker.committed == len(RECORDS)


def test_state_of_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemic_agent, "STATE_FORMAT", 99)
    kept = state_bytes({})
    monkeypatch.undo()
    with pytest.raises(SystemicStateError, match="has format 99, this program knows 2: go on with"):
        state_of(kept)
