"""The archive on a broker: the store equals the topics, and what people decide is on them."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.core.business_day import event_time_text
from monitor.dispositions.disposition import Disposed, Disposition
from monitor.store.desk import ConflictError, act, unsent
from monitor.store.intake import Intake
from monitor.store.people import Role, add_user, users
from monitor.store.queries import AlertFilter, alert_page, alert_row
from monitor.store.schema import audit
from monitor.store.standing import Action, Does, State
from monitor.store.store import Store, StoreAwayError, StoreError
from streams.archive.archive import Archive
from streams.archive.publisher import Publisher
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox, Outgoing
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.topics.dispositions import read_dispositions, write_dispositions
from streams.wire import codec
from tests.support.rigs import Broker, command, own_rig, records_of, running, until
from tests.support.stored import contents, made_record, sqlite_store
from tests.support.transactions import POLICY

NAMES = [f"daily-amount/A{number % 9}/{739_621 + number // 9}" for number in range(40)]
NOW = 1_795_000_000_000_000


@pytest.fixture
def settings(broker: Broker, tmp_path: Path) -> Iterator[Settings]:
    with own_rig(broker, tmp_path, POLICY, store=f"sqlite:///{tmp_path / 'weir.db'}") as made:
        yield made


def written(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with what every alert of the topic has."""
    return {"offset": 0, "partition": 0, "limit": "1.00", "score": None, **record}


def write(settings: Settings, topic: str, records: list[Outgoing]) -> None:
    async def send() -> None:
        async with Outbox(cluster_of(settings)) as outbox:
            await outbox.write(topic, 0, records)

    asyncio.run(send())


def write_alerts(settings: Settings, revision: int) -> None:
    made = [written(made_record(name, revision)) for name in NAMES]
    records = [Outgoing(alert["account_id"].encode(), json.dumps(alert).encode()) for alert in made]
    write(settings, Topics.of(settings).alerts, records)


def archived(settings: Settings, store: Store) -> Counter[str]:
    return asyncio.run(Archive(settings, store).run(until_end=True)).taken


def test_the_store_is_what_the_topic_holds_and_is_read_once(
    settings: Settings, tmp_path: Path
) -> None:
    store = sqlite_store(tmp_path)
    topic = Topics.of(settings).alerts
    write_alerts(settings, 1)
    assert archived(settings, store)[topic] == len(NAMES)
    write_alerts(settings, 2)
    assert archived(settings, store)[topic] == len(NAMES)  # not those of before again
    assert not archived(settings, store)
    last = {}
    for record in records_of(settings, topic):
        alert = json.loads(record.value)
        last[alert["alert_id"]] = alert["revision"], alert["value"]
    with store.reading() as connection:
        rows = alert_page(connection, AlertFilter(), limit=500).rows
        assert {row.alert_id: (row.revision, row.value) for row in rows} == last


def test_decisions_reach_the_topics_and_a_rebuilt_store_has_them(
    settings: Settings, tmp_path: Path
) -> None:
    store = sqlite_store(tmp_path)
    write_alerts(settings, 1)
    archived(settings, store)
    decisions = [
        Action(NAMES[0], Does.DISPOSE, "Ann", NOW, 1, {"disposition": "false-alarm", "note": "x"}),
        Action(NAMES[1], Does.ASSIGN, "Ann", NOW + 1, 1, {"assignee": "Bob"}),
        Action(NAMES[2], Does.SNOOZE, "Ann", NOW + 2, 1,
               {"until": event_time_text(NOW + 10**9), "note": None}),
    ]  # fmt: skip
    with store.begin() as connection:
        act(connection, decisions, {NAMES[0]: 0, NAMES[1]: 0, NAMES[2]: 0})
    with store.reading() as connection:
        assert len(unsent(connection)) == 3  # and they count already
        row = alert_row(connection, NAMES[0])
        assert row is not None
        assert row.state == State.CLOSED
    assert asyncio.run(Publisher(settings, store).drain()) == 3
    (disposed,) = asyncio.run(read_dispositions(settings))
    assert disposed == Disposed(NAMES[0], Disposition.FALSE_ALARM, "Ann", NOW, "x", 1)
    archived(settings, store)  # its own decisions come back, and change nothing
    before = contents(store)
    done = command("archive", "--rebuild", "--until-end", "--json", **settings.variables())
    assert (done.returncode, json.loads(done.stdout)["passed_over"]) == (0, 0), done.stderr
    assert contents(store) == before


def test_a_decision_of_the_command_line_counts_too(settings: Settings, tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    write_alerts(settings, 1)
    said = Disposed(NAMES[3], Disposition.SUSPICIOUS, "Eve", NOW)
    asyncio.run(write_dispositions(settings, [said]))
    archived(settings, store)
    with store.reading() as connection:
        row = alert_row(connection, NAMES[3])
        assert row is not None
        assert (row.state, row.disposed_by) == (State.CLOSED, "Eve")


def test_a_record_that_is_none_is_passed_over_and_counted(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    topics = Topics.of(settings)
    odd = written(made_record(NAMES[0], 1)) | {"evidence": {"origin": "here"}}
    bad = [b"{}", b"\xff", json.dumps(odd).encode()]
    write(settings, topics.alerts, [Outgoing(b"k", value) for value in bad])
    write(settings, topics.cases, [Outgoing(b"k", b'{"action": "shout"}')])
    write_alerts(settings, 1)
    no_day = b'{"account_id": "A1", "business_day": "2026-02-31", "segment": null}'
    no_nul = rb'{"account_id": "A1", "business_day": "2026-02-28", "segment": "a\u0000b"}'
    write(settings, topics.account_days, [Outgoing(b"k", no_day), Outgoing(b"k", no_nul)])
    store = sqlite_store(tmp_path)
    progress = asyncio.run(Archive(settings, store).run(until_end=True))
    assert progress.passed_over == 5
    assert [row[1:3] for row in contents(store)["account_days"]] == [("2026-02-28", "a\ufffdb")]
    assert progress.taken[topics.alerts] == len(NAMES) + 3
    assert caplog.text.count("passed over") == 5


def test_somebody_who_was_second_is_told_so(settings: Settings, tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    write_alerts(settings, 1)
    archived(settings, store)
    first = Action(NAMES[0], Does.ASSIGN, "Ann", NOW, 1, {"assignee": "Ann"})
    with store.begin() as connection:
        act(connection, [first], {NAMES[0]: 0})
    with pytest.raises(ConflictError) as raised, store.begin() as connection:
        act(connection, [first._replace(by="Bob")], {NAMES[0]: 0})
    assert raised.value.versions == {NAMES[0]: 1}
    with pytest.raises(LookupError), store.begin() as connection:
        act(connection, [first._replace(alert_id="none")])


def test_topics_that_begin_anew_are_not_taken_for_old_ones(broker: Broker, tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    with own_rig(broker, tmp_path, POLICY) as settings:
        write_alerts(settings, 1)
        archived(settings, store)
        topic = Topics.of(settings).alerts
        archive = Archive(settings, store)
        archive._positions = {(topic, 0): 10**6}
        with pytest.raises(StoreError, match="--rebuild"):
            archive._ensure_follows(topic, records_of(settings, topic))


def test_a_store_that_is_away_is_asked_again(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that restarts must neither end the archive nor, unnoticed, the publishing."""
    store = sqlite_store(tmp_path)
    write_alerts(settings, 1)
    monkeypatch.setattr("streams.archive.archive.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("streams.archive.publisher.RETRY_SECONDS", 0.01)
    away = [3, 3]

    def failing(which: int, after: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: object) -> object:
            if away[which]:
                away[which] -= 1
                raise StoreAwayError("restarting")
            return after(*given)

        return call

    monkeypatch.setattr(Intake, "take", failing(0, Intake.take))
    monkeypatch.setattr(Publisher, "_mark", failing(1, Publisher._mark))

    async def work() -> None:
        archive, is_taken = Archive(settings, store), asyncio.Event()
        archiving = asyncio.create_task(
            archive.run(on_progress=lambda at: is_taken.set() if at.is_at_end else None)
        )
        await asyncio.wait(
            (archiving, asyncio.create_task(is_taken.wait())), return_when=asyncio.FIRST_COMPLETED
        )
        with store.begin() as connection:
            act(connection, [Action(NAMES[0], Does.COMMENT, "Ann", NOW, 1, {"note": "seen"})])
        is_sent = asyncio.Event()
        publisher = Publisher(settings, store, lambda _, sent: is_sent.set() if sent else None)
        publishing = asyncio.create_task(publisher.run())
        await asyncio.wait(
            (publishing, asyncio.create_task(is_sent.wait())), return_when=asyncio.FIRST_COMPLETED
        )
        assert not archiving.done()
        assert not publishing.done()
        for task in (archiving, publishing):
            task.cancel()
        await asyncio.gather(archiving, publishing, return_exceptions=True)

    asyncio.run(work())
    assert away == [0, 0]
    with store.reading() as connection:
        assert not unsent(connection)


def test_a_restored_store_goes_on_from_its_positions_and_loses_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    store, file = sqlite_store(tmp_path), tmp_path / "b.tar"
    variables = settings.variables()
    write_alerts(settings, 1)
    archived(settings, store)

    def comment(number: int) -> None:
        said = Action(NAMES[number], Does.COMMENT, "Ann", NOW + number, 1, {"note": "seen"})
        with store.begin() as connection:
            act(connection, [said])
        asyncio.run(Publisher(settings, store).drain())

    add_user(store, "Ann", Role.ADMIN, "a password that is long enough", NOW)
    comment(0)
    done = command("store", "backup", file, "--json", **variables)
    assert (done.returncode, json.loads(done.stdout)["format"]) == (0, 1), done.stderr
    write_alerts(settings, 2)
    comment(1)
    archived(settings, store)
    whole, people, before = contents(store), users(store), audit_rows(store)
    store.close()
    for path in tmp_path.glob("weir.db*"):
        path.unlink()
    done = command("store", "restore", file, **variables)
    assert done.returncode == 0, done.stderr
    assert command("store", "restore", file, **variables).returncode == 2
    done = command("archive", "--until-end", "--json", **variables)
    assert json.loads(done.stdout)["taken"][Topics.of(settings).alerts] == len(NAMES)
    store = Store.open(settings.store)
    assert contents(store) == whole
    assert users(store) == people
    assert audit_rows(store)[:-1] == before[:-1]  # the backup is told there, the restore here
    assert json.loads(command("verify", "--json", **variables).stdout)["broken"] is None


def test_a_rebuild_is_pruned_as_the_store_was_before(settings: Settings, tmp_path: Path) -> None:
    """What the topics still hold comes back by a rebuild, and goes again at once."""
    store = sqlite_store(tmp_path)
    days = [
        {"account_id": "A1", "business_day": day, "segment": None}
        for day in ("2001-01-05", "2999-01-05")
    ]
    records = [Outgoing(b"A1", json.dumps(day).encode()) for day in days]
    write(settings, Topics.of(settings).account_days, records)
    variables = {**settings.variables(), "WEIR_KEEP_ACCOUNT_DAYS": "30"}
    for words in ((), ("--rebuild",)):
        done = command("archive", "--until-end", "--json", *words, **variables)
        assert done.returncode == 0, done.stderr
        assert [row[1] for row in contents(store)["account_days"]] == ["2999-01-05"]
    with running(replace(settings, keep_account_days=30), "streams.cli", "archive") as archive:
        until(lambda: "all that the topics hold" in archive.last_words(), "it runs", archive)
        write(settings, Topics.of(settings).account_days, records)
        until(lambda: len(contents(store)["account_days"]) == 2, "it takes both", archive)
        assert archive.terminate() == 0  # the next pruning is a day away
    assert command("store", "prune", **variables).returncode == 0
    assert [row[1] for row in contents(store)["account_days"]] == ["2999-01-05"]


def audit_rows(store: Store) -> list[tuple[Any, ...]]:
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(audit.select().order_by(audit.c.number))]


def test_an_alert_that_was_written_is_one() -> None:
    fields = written(made_record(NAMES[0], 1))
    assert codec.plain(json.dumps(fields).encode()) == fields
