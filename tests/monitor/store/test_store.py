"""The store on both databases: the same tables, the same answers."""

from collections.abc import Mapping
from itertools import groupby, product
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import MetaData, Row, event, inspect, select, text

from monitor.core.business_day import day_of_text, day_text
from monitor.store import queries
from monitor.store.intake import Intake
from monitor.store.queries import (
    AlertFilter,
    QueryError,
    alert_page,
    group_page,
    health,
    incident_page,
    member_counts,
    members_of,
)
from monitor.store.schema import OF_TOPICS, alerts, metadata
from monitor.store.standing import State
from monitor.store.store import Store, StoreError, bring_to, is_among
from tests.support.laws import law
from tests.support.stored import (
    MONDAY,
    NOW,
    contents,
    filled,
    made_record,
    made_records,
    read_alert,
    sqlite_store,
)


@pytest.fixture
def store(either_store: Store) -> Store:
    return either_store


def test_both_databases_hold_the_same(store: Store, tmp_path: Path) -> None:
    records = made_records(11, 200)
    (tmp_path / "other").mkdir()
    assert filled(store, records, at_a_time=17) == filled(sqlite_store(tmp_path / "other"), records)
    assert filled(store, records[50:], at_a_time=9) == contents(store)


def test_a_column_is_among_texts_whatever_they_say(store: Store) -> None:
    hostile = [
        f"outlier/{account}/3"
        for account in ("", "a,b", '{"a"}', "it's", "\\", "%(p)s", "NULL", "\U0001f600")
    ]
    filled(store, [read_alert(at, made_record(name, 1)) for at, name in enumerate(hostile)])
    with store.reading() as connection:

        def found(among: list[str]) -> set[str]:
            chosen = select(alerts.c.alert_id).where(is_among(connection, alerts.c.alert_id, among))
            return {*connection.execute(chosen).scalars()}

        assert found([*hostile, *map(str, range(2000))]) == set(hostile)
        assert found([hostile[3], "outlier/null/3"]) == {hostile[3]}
        assert found([]) == set()


def test_the_tables_are_those_that_migrations_make(store: Store) -> None:
    with store.begin() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert set(inspect(connection).get_table_names()) > set(metadata.tables)


@pytest.mark.parametrize("older_form", ["0001", "0003", "0014"])
def test_a_store_of_an_older_form_becomes_the_same(store: Store, older_form: str) -> None:
    whole = filled(store, made_records(3, 150))
    with store.begin() as connection:
        rows = {
            table.name: [dict(row._mapping) for row in connection.execute(table.select())]
            for table in OF_TOPICS
        }
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        bring_to(connection, older_form)
        older = MetaData()
        older.reflect(connection)
        for name in rows.keys() & older.tables.keys():
            table, its = older.tables[name], rows[name]
            for row in its:
                kept = {column: row[column] for column in row.keys() & table.columns.keys()}
                connection.execute(table.insert(), kept)
        bring_to(connection, "head")
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert contents(store) == whole


SETTLED = ("suppressed", "closed", "withdrawn")


def rank_of(group: list[Any]) -> int:
    left = [row.priority for row in group if row.state not in SETTLED]
    return int(max(left or [row.priority for row in group]))


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_pages_have_every_alert_once_and_groups_whole(store: Store, limit: int) -> None:
    filled(store, made_records(5, 200))
    with store.reading() as connection:
        whole = alert_page(connection, AlertFilter(), limit=500).rows
        found: list[Any] = []
        cursor = None
        while True:
            page = alert_page(connection, AlertFilter(), limit=limit, cursor=cursor)
            found += page.rows
            cursor = page.next
            if cursor is None:
                break
        assert [row.alert_id for row in found] == [row.alert_id for row in whole]
        groups = [list(its) for _, its in groupby(found, lambda row: row.group_id)]
        assert len(groups) == len({row.group_id for row in found})
        for its in groups:
            assert [row.priority for row in its] == sorted(
                (row.priority for row in its), reverse=True
            )
        ranks = [rank_of(its) for its in groups]
        assert ranks == sorted(ranks, reverse=True)
        with pytest.raises(QueryError, match="cursor"):
            alert_page(connection, AlertFilter(), cursor="nonsense")


@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest.mark.parametrize("at_a_time", [1, 2, 200])
@pytest.mark.parametrize("wanted", [AlertFilter(), AlertFilter(status="open", now=NOW)])
def test_pages_of_groups_have_the_first_of_each_once(
    store: Store, limit: int, at_a_time: int, wanted: AlertFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_PLACES_AT_A_TIME", at_a_time)
    filled(store, made_records(5, 200))
    with store.reading() as connection:
        whole = alert_page(connection, wanted, limit=500).rows
        firsts = [next(its).alert_id for _, its in groupby(whole, lambda row: row.group_id)]
        found: list[str] = []
        cursor = None
        while True:
            page = group_page(connection, wanted, limit=limit, cursor=cursor)
            found += [row.alert_id for row in page.rows]
            cursor = page.next
            if cursor is None:
                break
    assert found == firsts
    assert len(firsts) > 5


def is_found(alert_id: str, account_id: str, text_: str) -> bool:
    """Return whether an alert is found by a text, in plain words."""
    asked = (text_, text_.upper(), text_.lower())
    return alert_id in asked or account_id.startswith(asked)


def is_wanted(row: Row[Any], wanted: AlertFilter) -> bool:
    """Return whether a row is what a filter asks for, in plain words."""
    is_awake = row.state == "snoozed" and row.snoozed_until <= wanted.now
    stands = "open" if is_awake else row.state
    begins = is_found(row.alert_id, row.account_id or "", wanted.text or "")
    return (
        wanted.status in (None, stands)
        and wanted.kind in (None, row.kind)
        and wanted.account_id in (None, row.account_id)
        and (wanted.text is None or begins)
    )


@pytest.mark.parametrize(("narrow_max", "covered_max"), [(0, 0), (3, 3), (3, 2000), (2000, 2000)])
def test_a_page_has_what_its_filter_says_whichever_way_it_is_found(
    store: Store, narrow_max: int, covered_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_NARROW_MAX", narrow_max)
    monkeypatch.setattr(queries, "_COVERED_MAX", covered_max)
    filled(store, made_records(5, 200))
    with store.reading() as connection:
        every = alert_page(connection, AlertFilter(), limit=500).rows
        names = sorted({row.account_id for row in every if row.account_id})
        texts = [None, names[0], names[0][:1], names[-1][:2], every[0].alert_id, "nobody"]
        texts += ["a", names[0].lower(), every[0].alert_id.upper(), every[-1].alert_id.title()]
        found = 0
        for now, status, kind, account_id, text_ in product(
            (NOW, 2**60),
            (None, *(state.value for state in State)),
            (None, "systemic"),
            (None, names[0]),
            texts,
        ):
            wanted = AlertFilter(
                status=status, kind=kind, account_id=account_id, text=text_, now=now
            )
            rows = alert_page(connection, wanted, limit=500).rows
            expected = [row.alert_id for row in every if is_wanted(row, wanted)]
            assert [row.alert_id for row in rows] == expected, wanted
            found += len(rows)
        assert found > 300


LETTERS = "Aab%_\u00df\u00ff\u0130\u0149\u01c5\ud7ff\ue000\U0010ffff"
"""Some of which are more than one in upper or in lower case, or have a case for titles."""


@law(60)
@given(
    names=st.lists(st.text(LETTERS, min_size=1), min_size=1, max_size=9),
    text=st.text(LETTERS, min_size=1, max_size=2),
)
def test_a_search_finds_the_accounts_that_begin_so(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], text: str
) -> None:
    store = sqlite_store(tmp_path_factory.mktemp("store"))
    made = [
        read_alert(number, {**made_record(f"daily-amount/A1/{MONDAY}", 1), **its})
        for number, its in enumerate(
            {"alert_id": f"id-{number}", "account_id": name} for number, name in enumerate(names)
        )
    ]
    filled(store, made)
    with store.reading() as connection:
        found = alert_page(connection, AlertFilter(text=text), limit=500).rows
    assert sorted(row.account_id for row in found) == sorted(
        name for name in names if is_found("", name, text)
    )
    store.close()


@pytest.mark.parametrize("narrow_max", [0, 5, 2000])
def test_a_search_finds_spellings_in_upper_and_lower_case(
    store: Store, narrow_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_NARROW_MAX", narrow_max)
    monkeypatch.setattr(queries, "_COVERED_MAX", narrow_max)
    names = ["DE12", "DE123", "de12", "De12", "De1", "dE12", "\u00e412", "\u00c412", "XDE12"]
    made = [
        {**made_record(f"daily-amount/A1/{MONDAY}", 1), "alert_id": f"id-{n}", "account_id": name}
        for n, name in enumerate(names)
    ]
    filled(store, [read_alert(number, record) for number, record in enumerate(made)])
    expected = {
        "de12": {"DE12", "DE123", "de12"},
        "DE12": {"DE12", "DE123", "de12"},
        "De12": {"DE12", "DE123", "de12", "De12"},
        "dE1": {"DE12", "DE123", "de12", "dE12"},
        "\u00c4": {"\u00e412", "\u00c412"},
        "ID-3": {"De12"},
        "Id-3": {"De12"},
    }
    with store.reading() as connection:
        for text_, status in product(expected, (None, "open")):
            wanted = AlertFilter(text=text_, status=status)
            rows = alert_page(connection, wanted).rows
            assert {row.account_id for row in rows} == expected[text_], wanted
            assert len(rows) == len(expected[text_])


@pytest.mark.parametrize(("text_", "times"), [("A", 0), ("B", 1), ("b", 2)])
def test_what_most_of_the_queue_is_found_by_is_not_counted_to_the_end(
    store: Store,
    text_: str,
    times: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bank's accounts may all begin with its country: to count a million would take long."""
    monkeypatch.setattr(queries, "_NARROW_MAX", 4)
    monkeypatch.setattr(queries, "_COVERED_MAX", 1234)
    monkeypatch.setattr(queries, "_USUAL", 4)
    made = [
        {
            **made_record(f"daily-amount/A1/{MONDAY}", 1),
            "alert_id": f"id-{n:02d}",
            "account_id": f"{'B' if n % 8 == 0 else 'A'}{n}",
        }
        for n in range(64)
    ]
    filled(store, [read_alert(number, record) for number, record in enumerate(made)])
    asked: list[object] = []

    def note(*its: object) -> None:
        parameters = its[3]
        if isinstance(parameters, Mapping):
            parameters = tuple(parameters.values())
        assert isinstance(parameters, tuple)
        asked.extend(parameters)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        with store.reading() as connection:
            rows = alert_page(connection, AlertFilter(text=text_, status="open"), limit=500).rows
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    assert len(rows) == sum(row["account_id"][0] == text_.upper() for row in made)
    assert 4 + 1 in asked
    assert asked.count(1234 + 1) == times


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pages_of_incidents_have_each_of_them_once(store: Store, limit: int) -> None:
    days = [MONDAY + number % 3 for number in range(7)]
    records = [
        {**made_record(f"incident-{number}", 1), "business_day": day_text(day)}
        for number, day in enumerate(days)
    ]
    filled(store, [read_alert(offset, record) for offset, record in enumerate(records)])
    seen: list[tuple[int, str]] = []
    cursor: str | None = None
    with store.reading() as connection:
        while True:
            found = incident_page(connection, limit, cursor)
            seen += [(-day_of_text(row.business_day), row.alert_id) for row in found.rows]
            cursor = found.next
            if cursor is None:
                break
            assert len(found.rows) == limit
    assert seen == sorted((-day, f"incident-{number}") for number, day in enumerate(days))


def test_members_are_counted_by_state(store: Store) -> None:
    filled(store, made_records(5, 300))
    with store.reading() as connection:
        incidents = incident_page(connection).rows
        assert incidents
        total = 0
        for incident in incidents:
            members = members_of(connection, incident.alert_id)
            assert len(members) == sum(
                member_counts(connection, [incident.alert_id])[incident.alert_id].values()
            )
            total += len(members)
        assert total == sum(row[12] is not None for row in contents(store)["alerts"]) > 0


def test_health_says_how_far_the_topics_were_taken(store: Store) -> None:
    records = made_records(5, 80)
    filled(store, records)
    with store.reading() as connection:
        found = health(connection)
    expected = Intake(store).positions()
    assert {(row.topic, row.partition): row.next_offset for row in found.positions} == expected
    assert (found.unsent, found.latest) == (
        0,
        max(read.told_at for read in records if read.topic == "t.alerts.v1"),
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "database's URL"),
        ("mysql://x/y", "sqlite:///FILE or postgresql"),
        ("sqlite:////no/such/folder/weir.db", "must be there"),
        ("postgresql+psycopg://weir@127.0.0.1:1/none", "cannot be reached"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_clear_message(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        Store.open(url)


def test_tables_without_a_version_are_told_and_left_as_they_are(store: Store) -> None:
    filled(store, made_records(1))
    with store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    held, url = contents(store), store.engine.url.render_as_string(hide_password=False)
    with pytest.raises(StoreError, match="alembic_version does not; account_days is there"):
        Store.open(url)
    assert contents(store) == held


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "weir.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="cannot be"):
        Store.open(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = '9999'",
        "INSERT INTO alembic_version VALUES ('0003')",
    ],
)
def test_tables_of_another_version_are_told(tmp_path: Path, statement: str) -> None:
    store = sqlite_store(tmp_path)
    with store.begin() as connection:
        connection.exec_driver_sql(statement)
    store.close()
    with pytest.raises(StoreError, match="version that it was last opened with"):
        Store.open(f"sqlite:///{tmp_path / 'weir.db'}")


@pytest.mark.parametrize(
    "url",
    [
        "postgres://weir:hunter2@db/weir",
        "postgresql+psycopg://weir:hunter2@db:abc/weir",
        "weir:hunter2@db",
    ],
)
def test_a_url_that_cannot_be_used_is_not_shown_with_its_password(url: str) -> None:
    with pytest.raises(StoreError) as refused:
        Store.open(url)
    assert "postgresql+psycopg://" in str(refused.value)
    assert "hunter2" not in str(refused.value)
