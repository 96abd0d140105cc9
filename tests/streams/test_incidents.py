"""Systemic alerts as workers follow them, and as a person reads them."""

import asyncio

import pytest

from monitor.core.alert import Status
from monitor.core.noted_day import Grouped
from monitor.engine import Engine
from monitor.systemic.notice import Verdict
from monitor.systemic_run import grouped_by
from streams import codec, incidents
from streams.changes import Changes
from streams.incidents import DAYS_KEPT, IncidentFollower
from streams.systemic_text import systemic_text, whose
from tests.systemic_samples import DAY, a_systemic_alert
from tests.transactions import book


class FakeTail:
    """A topic that holds what it is given, in batches."""

    batches: tuple[list["Record"], ...] = ()

    def __init__(self, *_: object, partitions: int) -> None:
        assert partitions == 1
        self._left = list(self.batches)

    async def start(self) -> None:
        assert self._left

    async def is_at_end(self) -> bool:
        return not self._left

    async def read(self) -> list["Record"]:
        return self._left.pop(0)


class Record:
    """A record of the topic."""

    def __init__(self, **changes: object) -> None:
        self.value = codec.alert_bytes(a_systemic_alert(**changes))


def followed(monkeypatch: pytest.MonkeyPatch, *batches: list[Record]) -> list[frozenset[Grouped]]:
    """Return what a worker is told of batches, one after the other."""
    monkeypatch.setattr(FakeTail, "batches", batches)
    monkeypatch.setattr(incidents, "Tail", FakeTail)
    said: list[frozenset[Grouped]] = []
    asyncio.run(IncidentFollower("nowhere:1", "systemic", said.append).start())
    return said


def test_the_last_telling_of_each_alert_says_which_days_are_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = followed(
        monkeypatch,
        [Record(days=(DAY,), revision=1)],
        [
            Record(days=(DAY, DAY + 1), revision=2),
            Record(systemic_id="another", segment=None, threshold_id=None, days=(DAY + 5,)),
        ],
    )
    of = ("business", "daily-amount")
    assert first == {(*of, DAY)}
    assert second == {(*of, DAY), (*of, DAY + 1), (None, None, DAY + 5)}


def test_what_was_withdrawn_explains_nothing_and_old_days_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    withdrawn, late = followed(
        monkeypatch,
        [Record(status=Status.WITHDRAWN)],
        [Record(days=(DAY, DAY + DAYS_KEPT))],
    )
    assert withdrawn == frozenset()
    assert {day for _, _, day in late} == {DAY + DAYS_KEPT}


def test_an_engine_is_told_at_the_next_tick() -> None:
    engine = Engine(0, book())
    changes = Changes(engine)
    grouped = frozenset(grouped_by(codec.plain(codec.alert_bytes(a_systemic_alert()))))
    changes.note_grouped(grouped)
    assert engine.grouped == frozenset()
    changes.apply()
    assert engine.grouped == grouped == {
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


def test_its_headers_name_the_segment() -> None:
    headers = dict(codec.alert_headers(a_systemic_alert(segment=None)))
    assert headers["ce_subject"] == b"*"
    assert headers["ce_type"] == b"weir.alert.restated.v1"
    assert dict(codec.alert_headers(a_systemic_alert()))["ce_subject"] == b"business"
