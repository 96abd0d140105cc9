"""Systemic alerts as workers follow them, and as a person reads them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alert import Status
from monitor.engine.engine import Engine
from monitor.review.membership import NO_VERDICTS, Explanations, Verdicts
from monitor.systemic.alert import Verdict
from streams.cli.views.alerts import systemic_text, whose
from streams.kafka.cluster import Cluster
from streams.topics import incidents
from streams.topics.incidents import IncidentFollower, decided_headers
from streams.wire import codec
from streams.worker.partition import Changes
from tests.support.incidents import verdicts
from tests.support.laws import law
from tests.support.systemic_samples import DAY, a_systemic_alert
from tests.support.transactions import book


class Record:
    """A record of the topic of systemic alerts."""

    def __init__(self, **changes: object) -> None:
        self.value: bytes | None = codec.alert_bytes(a_systemic_alert(**changes))


class Decided:
    """A record of what the detection goes on by, once a day was decided."""

    def __init__(self, day: int) -> None:
        self.headers = [("of another", b"x"), *decided_headers(day)]


Batch = list[Record] | list[Decided]


class World:
    """Two topics, each as the batches in which it is read; None: nothing comes for a while."""

    def __init__(self, alerts: list[Batch | None], state: list[Batch | None]) -> None:
        self.topics = {"systemic": alerts, "state": state}


class FakeTail:
    """Reads a topic of the world."""

    world: World

    def __init__(self, _: str, topic: str, *, partitions: int) -> None:
        assert partitions == 1
        self._left = self.world.topics[topic]

    async def start(self) -> None:
        pass

    async def is_at_end(self) -> bool:
        return not self._left or self._left[0] is None

    async def look_again(self) -> None:
        if self._left and self._left[0] is None:
            self._left.pop(0)

    async def read(self, seconds: float = 0.2) -> Batch:
        assert seconds >= 0
        if self._left and self._left[0] is None:
            self._left.pop(0)
            return []
        return (self._left.pop(0) if self._left else []) or []


def followed(
    monkeypatch: pytest.MonkeyPatch, alerts: list[Batch | None], state: list[Batch | None],
    reads: int = 0,
) -> list[Verdicts]:  # fmt: skip
    """Return what a worker is told at its start, and by so many reads after it."""
    monkeypatch.setattr(FakeTail, "world", World(alerts, state), raising=False)
    monkeypatch.setattr(incidents, "TopicReader", FakeTail)
    said: list[Verdicts] = []

    async def follow() -> None:
        follower = IncidentFollower(Cluster("nowhere:1"), "systemic", "state", said.append)
        await follower.start()
        for _ in range(reads):
            await follower._read()

    asyncio.run(follow())
    return said


def explained(verdicts: Verdicts) -> set[tuple[str | None, str | None, int]]:
    return {
        (incident.segment, incident.threshold_id, day)
        for day, by in verdicts.by_day.items()
        for incident in by
    }


def test_the_last_telling_of_each_alert_says_which_days_are_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    another = Record(
        systemic_id="another", segment=None, threshold_id=None, days=(DAY + 500,),
    )  # fmt: skip
    first, second = followed(
        monkeypatch,
        [[Record(days=(DAY,), revision=1)], [Record(days=(DAY, DAY + 1), revision=2), another]],
        [],
    )
    limit = ("business", "daily-amount")
    assert explained(first) == {(*limit, DAY)}
    assert explained(second) == {(*limit, DAY), (*limit, DAY + 1), (None, None, DAY + 500)}
    assert second.decided == 0


def test_what_was_withdrawn_explains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    (withdrawn,) = followed(monkeypatch, [[Record(status=Status.WITHDRAWN)]], [])
    assert not withdrawn.by_day


@law(50)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60))
def test_of_incidents_that_explain_nothing_any_more_nothing_is_kept(
    told: list[tuple[int, bool]],
) -> None:
    explanations, latest = Explanations(), {}
    for number, explains in told:
        status = Status.RAISED if explains else Status.WITHDRAWN
        alert = a_systemic_alert(systemic_id=str(number), status=status)
        fields = codec.plain(codec.alert_bytes(alert))
        explanations.take(fields)
        latest[fields["alert_id"]] = fields, explains
    standing = [fields for fields, explains in latest.values() if explains]
    assert len(explanations) == len(standing)
    assert explanations.verdicts(DAY).by_day == verdicts(*standing).by_day


def test_at_its_start_it_knows_what_is_decided_and_all_alerts_up_to_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = followed(monkeypatch, [[Record(days=(DAY,))]], [[Decided(DAY - 1)], [Decided(DAY)]])
    assert [(verdicts.decided, len(verdicts.by_day)) for verdicts in said] == [(0, 1), (DAY, 1)]


def test_a_day_is_decided_only_once_the_alerts_of_it_were_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The state says it first here: the topic of alerts is read to its end before it counts."""
    said = followed(
        monkeypatch, [None, None, None, [Record(days=(DAY,))]], [None, [Decided(DAY)]], reads=2
    )
    assert [(verdicts.decided, len(verdicts.by_day)) for verdicts in said] == [(0, 1), (DAY, 1)]


def test_what_is_decided_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    said = followed(monkeypatch, [], [[Decided(DAY)], None, [Decided(DAY - 1)]], reads=2)
    assert [verdicts.decided for verdicts in said] == [DAY]


def test_an_engine_is_told_at_the_next_tick() -> None:
    engine = Engine(0, book())
    changes = Changes(engine)
    found = verdicts(codec.plain(codec.alert_bytes(a_systemic_alert())), decided=DAY)
    changes.note_verdicts(found)
    assert engine.reviews.verdicts is NO_VERDICTS
    changes.apply()
    assert engine.reviews.verdicts is found
    assert explained(found) == {
        ("business", "daily-amount", DAY - 1), ("business", "daily-amount", DAY),
    }  # fmt: skip


def test_a_person_reads_the_verdict_and_what_it_is_about() -> None:
    fields = codec.plain(codec.alert_bytes(a_systemic_alert(cause=None)))
    assert whose(fields) == "business"
    assert systemic_text(fields) == (
        "the limit is set wrongly; 0.60 of the limit that history would set; set 833.50;"
        " limit daily-amount; 12 alerts under it"
    )
    outside = a_systemic_alert(
        verdict=Verdict.EXTERNAL_CAUSE, segment=None, threshold_id=None, limit_ratio=None,
        suggested_limit=None, grouped=0,
    )  # fmt: skip
    fields = codec.plain(codec.alert_bytes(outside))
    assert whose(fields) == "all segments"
    assert systemic_text(fields) == "something outside; institution I1, 7.5 times its usual share"


def test_a_person_reads_that_a_limit_is_off_its_budget() -> None:
    off = a_systemic_alert(
        cause=None, grouped=0, limit_ratio=None, suggested_limit=None,
        evidence={"breach_budget": 0.01, "share": 0.0312},
    )  # fmt: skip
    fields = codec.plain(codec.alert_bytes(off))
    said = "the limit is set wrongly; over it are 3.120% of account-days, budget 1.000%"
    assert systemic_text(fields) == f"{said}; limit daily-amount"
    known = codec.plain(codec.alert_bytes(off._replace(
        notice=off.notice._replace(limit_ratio=0.5, suggested_limit=1_000_00)
    )))  # fmt: skip
    assert systemic_text(known) == (
        f"{said}; 0.50 of the limit that the breach budget would set; set 1000.00;"
        " limit daily-amount"
    )


def test_its_headers_name_the_segment() -> None:
    headers = dict(codec.alert_record(a_systemic_alert(segment=None))[1])
    assert headers["ce_subject"] == b"*"
    assert headers["ce_type"] == b"weir.alert.restated.v1"
    assert dict(codec.alert_record(a_systemic_alert())[1])["ce_subject"] == b"business"
