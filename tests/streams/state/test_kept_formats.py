"""State that an earlier program wrote is gone on from, or refused; and so is ours by that one.

A file of `tests/data/state` is what a worker of one format left amid a stream: the changelog, the
records of the stream, and what was told so far. It is never made again: a change that cannot read
it needs another format, and a file of that.
"""

import json
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from monitor.policy.document import policy_of
from streams.kafka.producer import Outgoing
from streams.state import keys
from streams.state.keys import FORMAT, StateError
from tests.support import made_stream
from tests.support.fake_log import TOPICS, Log
from tests.support.lives import live
from tests.support.made_stream import Outcome
from tests.support.records import Record

FOLDER: Final = Path(__file__).parents[2] / "data" / "state"
FILES: Final = sorted(FOLDER.glob("format-*.json"))
PASSED_OVER: Final = {b"c"}
"""First parts of keys that a program before 0.2.0 does not know, and leaves as they are."""


def bytes_of(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def left_by(kept: Mapping[str, Any]) -> tuple[Log, list[Record]]:
    """Return the log that a worker left, and all records of its stream."""
    log = Log()
    log.committed = kept["committed"]
    topics = {TOPICS.changelog: kept["changelog"]}
    topics |= {getattr(TOPICS, name): told for name, told in kept["told"].items()}
    for topic, records in topics.items():
        log.topics[topic] += [Outgoing(bytes_of(key), bytes_of(value)) for key, value in records]
    records = [Record(at, bytes_of(value), bytes_of(key), time)
               for at, time, key, value in kept["records"]]  # fmt: skip
    return log, records


def data_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return a file, and let engines be made as its worker made them."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    monkeypatch.setattr(made_stream, "POLICY_SEGMENTED", policy_of(kept["policy"]))
    monkeypatch.setattr(made_stream, "BUCKETS", kept["buckets"])
    return kept


def test_the_format_that_is_written_is_kept_as_data() -> None:
    assert FOLDER / f"format-{FORMAT}.json" in FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_worker_goes_on_from_kept_state_as_a_replay_does(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or refuses it, where the format is another one."""
    kept = data_of(path, monkeypatch)
    log, records = left_by(kept)
    assert 0 < log.committed < len(records)
    if kept["format"] != FORMAT:
        with pytest.raises(StateError, match=f"format {kept['format']}"):
            live(log, records, 5)
        return
    live(log, records, 5)
    assert Outcome.of_log(log) == Outcome.undisturbed(records)


def test_what_is_written_now_is_to_be_read_by_a_program_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So a worker may go back: records have the same parts, and further keys are passed over."""
    kept = data_of(FOLDER / f"format-{FORMAT}.json", monkeypatch)
    before, records = left_by(kept)
    now = Log()
    live(now, records[: before.committed], 4)
    forms = [forms_of(log.kept()) for log in (before, now)]
    assert forms[1].pop(b"c")
    assert forms[0] == forms[1]
    assert {key.split(b":")[0] for key in now.kept()} - PASSED_OVER == {b"seal", b"b", b"j"}


def forms_of(kept: Mapping[bytes, bytes]) -> dict[bytes, set[int]]:
    """Return how many fields records have, by the first part of their keys."""
    forms: dict[bytes, set[int]] = {}
    for key, value in kept.items():
        sort = key.split(b":")[0]
        at = 0 if keys.is_journal(key) else 8
        forms.setdefault(sort, set()).add(len(keys.unpacked(value[at:])))
    return forms


def test_a_worker_that_went_back_and_forth_again_tells_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The program before is this one, without the keys that only this one writes."""
    kept = data_of(FOLDER / f"format-{FORMAT}.json", monkeypatch)
    log, records = left_by(kept)
    for seed, end in enumerate((80, 90, 100, len(records))):
        live(log, records[:end], seed)
        if seed % 2 == 0:
            log.topics[TOPICS.changelog] = [
                sent
                for sent in log.topics[TOPICS.changelog]
                if (sent.key or b"").split(b":")[0] not in PASSED_OVER
            ]
    assert Outcome.of_log(log) == Outcome.undisturbed(records)
