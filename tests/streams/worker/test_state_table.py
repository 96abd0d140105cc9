import asyncio
from types import SimpleNamespace

import faust
import pytest
from faust.types.tuples import TP

from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.worker.app import StateTable, build_app
from streams.worker.raw_fetch import FetchedRun
from streams.worker.transport import RunMessage, RunSchema


def table_and_app() -> tuple[StateTable, faust.App]:
    settings = Settings(broker="localhost:1")
    app, _, table = build_app(settings, Topics.of(settings), lambda: None)
    return table, app


def message(partition: int, *records: tuple[bytes, bytes | None]) -> RunMessage:
    """Return a run of a changelog's records, as the consumer hands it on."""
    run = FetchedRun()
    for offset, (key, value) in enumerate(records):
        run.add_records([SimpleNamespace(key=key, value=value, offset=offset, timestamp=0)])
    made = RunMessage("changelog", partition, run.offset, 0.0, 0, None, None, None, None, 0, 0)
    made.run = run
    return made


@pytest.mark.parametrize("is_run", [True, False])
def test_of_each_key_of_a_changelog_the_newest_is_kept(*, is_run: bool) -> None:
    table, app = table_and_app()
    decode = RunSchema().compile(app)
    newer, older = b"\0" * 7 + b"\2", b"\0" * 7 + b"\1"
    records = [(b"a", newer), (b"b", older), (b"a", older), (b"b", newer), (b"c", older)]
    records += [(b"c", None)]  # type: ignore[list-item]  # a tombstone
    runs = [records] if is_run else [[record] for record in records]
    events = [asyncio.run(decode(message(1, *run))) for run in runs]
    table.apply_changelog_batch(events)
    table.apply_changelog_batch([asyncio.run(decode(message(2, (b"a", older))))])
    assert table.kept == {1: {b"a": newer, b"b": newer}, 2: {b"a": older}}


def test_runs_of_the_changelog_are_applied_soon_and_not_read_on_after_a_recovery() -> None:
    """With a buffer of 1, Faust goes on reading: all that the worker writes itself, values too."""
    table, _ = table_and_app()
    assert table.recovery_buffer_size == 2
    assert isinstance(table.changelog_topic.schema, RunSchema)


def test_who_stands_on_a_partition_that_left_is_told() -> None:
    table, _ = table_and_app()
    left: list[int] = []
    table.on_left = left.append
    table.kept = {1: {b"a": b""}, 2: {b"a": b""}, 3: {}}
    asyncio.run(table.on_recovery_completed({TP("changelog", 2)}, set()))
    assert sorted(left) == [1, 3]
    assert table.kept.keys() == {2}
