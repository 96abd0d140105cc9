"""The kinds of failure: their names, their records, and what the command says of them."""

import json

import pytest

from monitor.core.transaction import Rejection
from streams.lab.drills.kinds import KINDS
from streams.lab.drills.rows import poison_records
from tests.support.command_line import Weir, weir_of
from tests.support.records import GOOD_TIMESTAMP, Record, decided

HOUR = 3_600_000_000


@pytest.fixture
def weir(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weir:
    """Run the command line here."""
    return weir_of(monkeypatch, capsys)


def test_every_poison_record_is_rejected() -> None:
    records = [
        Record(number, poison.value, poison.key, GOOD_TIMESTAMP)
        for number, poison in enumerate(poison_records())
    ]
    assert len(records) > 20
    items = decided(records, HOUR)
    accepted = [item for item in items if not isinstance(item, Rejection)]
    assert accepted == []
    assert len({item.reason for item in items if isinstance(item, Rejection)}) > 5


def test_the_list_has_every_kind_and_what_it_is(weir: Weir) -> None:
    said = weir("drill", "--list")
    assert said.status == 0
    lines = [line.split("  ", 1) for line in said.out.splitlines()]
    assert {name.strip(): about.strip() for name, about in lines} == {
        name: kind.about for name, kind in KINDS.items()
    }
    assert json.loads(weir("drill", "--list", "--json").out).keys() == KINDS.keys()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--kind", "earthquake"), "--kind must be one of worker-killed, "),
        (("--accept-state-loss",), "--accept-state-loss must come with --kind changelog-lost"),
    ],
)
def test_what_cannot_be_is_refused_before_a_broker_starts(
    weir: Weir, options: tuple[str, ...], says: str
) -> None:
    said = weir("drill", *options)
    assert said.status == 2
    assert says in " ".join(said.err.replace("│", " ").split())
