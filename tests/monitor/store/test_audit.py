"""The audit's chain: any entry that is changed, lost, put in or exchanged is found and named."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select, text, update

from monitor.store import audit as chain
from monitor.store.audit import FIRST_PREVIOUS, Known, Verified, append, verify
from monitor.store.schema import audit
from monitor.store.store import Store
from tests.support.laws import law
from tests.support.stored import sqlite_store

FIELDS: Final = [column.name for column in audit.c]
WHOLE_FIELDS: Final = {"number", "at"}
TEXTS: Final = st.text(st.characters(codec="utf-8"), max_size=8)
JSON: Final = st.none() | st.integers() | st.dictionaries(TEXTS, TEXTS, max_size=2)
ENTRIES: Final = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 2**60),
            "actor": TEXTS,
            "action": TEXTS,
            "subject": TEXTS,
            "before": JSON,
            "after": JSON,
            "request": st.none() | TEXTS,
        }
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = sqlite_store(tmp_path_factory.mktemp("audit"))
    yield made
    made.close()


@contextmanager
def written(store: Store, entries: list[dict[str, Any]]) -> Iterator[Connection]:
    """A transaction with these entries, which is undone at the end."""
    with store.engine.connect() as connection:
        for entry in entries:
            append(connection, **entry)
        yield connection
        connection.rollback()


def entry(subject: str = "Ann") -> dict[str, Any]:
    return {"at": 5, "actor": "Bob", "action": "user-added", "subject": subject}


def rows_of(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.execute(select(audit).order_by(audit.c.number))
    return [row._asdict() for row in rows]


def known_last(connection: Connection) -> Known:
    last = rows_of(connection)[-1]
    return Known(last["number"], last["hash"])


@law(100)
@given(entries=ENTRIES)
def test_a_chain_as_it_was_written_is_whole(store: Store, entries: list[dict[str, Any]]) -> None:
    with written(store, entries) as connection:
        known = known_last(connection)
        assert verify(connection) == Verified(len(entries), None, None, known.hash)
        assert verify(connection, known) == verify(connection)


@law(300)
@given(entries=ENTRIES, data=st.data(), field=st.sampled_from(FIELDS))
def test_any_change_of_any_field_is_found_and_named(
    store: Store, entries: list[dict[str, Any]], data: st.DataObject, field: str
) -> None:
    number = data.draw(st.integers(1, len(entries)))
    others = st.integers(-(2**60), 2**60) if field in WHOLE_FIELDS else st.none() | TEXTS
    with written(store, entries) as connection:
        before = rows_of(connection)[number - 1][field]
        value = data.draw(others)
        assume(value != before)
        if field == "number":
            assume(value not in range(1, len(entries) + 1))
        elif value is None:
            assume(audit.c[field].nullable)
        changed = update(audit).where(audit.c.number == number).values({field: value})
        connection.execute(changed)
        found = verify(connection, Known(len(entries), rows_of(connection)[-1]["hash"]))
        named = min(number, value) if field == "number" and isinstance(value, int) else number
        assert found.broken == named
        assert found.entries == max(0, named - 1)
        assert found.why


@law(60)
@given(entries=ENTRIES, data=st.data())
def test_a_text_that_became_bytes_is_found(
    store: Store, entries: list[dict[str, Any]], data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, len(entries)))
    field = data.draw(st.sampled_from(["actor", "action", "subject", "hash", "previous"]))
    with written(store, entries) as connection:
        connection.execute(
            text(f"UPDATE audit SET {field} = CAST({field} AS BLOB) WHERE number = {number}")  # noqa: S608 - made here
        )
        assert verify(connection).broken == number


@law(100)
@given(entries=ENTRIES, data=st.data())
def test_any_deletion_is_found_and_the_first_is_named(
    store: Store, entries: list[dict[str, Any]], data: st.DataObject
) -> None:
    numbers = data.draw(st.sets(st.integers(1, len(entries)), min_size=1))
    with written(store, entries) as connection:
        known = known_last(connection)
        connection.execute(delete(audit).where(audit.c.number.in_(numbers)))
        assert verify(connection, known).broken == min(numbers)
        is_end = min(numbers) + len(numbers) == len(entries) + 1
        found = verify(connection)
        assert found.broken == (None if is_end else min(numbers))
        assert is_end or "it is missing" in str(found.why)


@law(100)
@given(entries=ENTRIES, data=st.data())
def test_any_exchange_of_two_is_found_and_the_first_is_named(
    store: Store, entries: list[dict[str, Any]], data: st.DataObject
) -> None:
    assume(len(entries) > 1)
    pair = st.lists(st.integers(1, len(entries)), min_size=2, max_size=2, unique=True)
    first, second = sorted(data.draw(pair))
    with written(store, entries) as connection:
        for number, other in ((first, -1), (second, first), (-1, second)):
            renumbered = update(audit).where(audit.c.number == number)
            connection.execute(renumbered.values(number=other))
        assert verify(connection).broken == first


@law(60)
@given(entries=ENTRIES, data=st.data())
def test_an_entry_that_is_put_in_is_found(
    store: Store, entries: list[dict[str, Any]], data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, len(entries)))
    with written(store, entries) as connection:
        known = known_last(connection)
        rows = rows_of(connection)
        connection.execute(delete(audit).where(audit.c.number >= number))
        append(connection, **entry("put in"))
        moved = [{**row, "number": row["number"] + 1} for row in rows[number - 1 :]]
        connection.execute(insert(audit), moved)
        found = verify(connection, known)
        assert found.broken in {number, number + 1}
        assert verify(connection).broken == number + 1


@law(60)
@given(entries=ENTRIES, data=st.data())
def test_a_chain_that_is_written_again_is_found_by_what_was_noted(
    store: Store, entries: list[dict[str, Any]], data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, len(entries)))
    with written(store, entries) as connection:
        known = known_last(connection)
        connection.execute(delete(audit).where(audit.c.number >= number))
        for again in [entry("another"), *entries[number:]]:
            append(connection, **again)
        assert verify(connection).broken is None
        assert verify(connection, known).broken == len(entries)


@law(60)
@given(entries=ENTRIES, data=st.data())
def test_an_entry_that_is_exchanged_with_its_hash_is_found_by_the_next(
    store: Store, entries: list[dict[str, Any]], data: st.DataObject
) -> None:
    assume(len(entries) > 1)
    number = data.draw(st.integers(1, len(entries) - 1))
    with written(store, entries) as connection:
        after = [row for row in rows_of(connection) if row["number"] > number]
        connection.execute(delete(audit).where(audit.c.number >= number))
        append(connection, **entry("another"))
        connection.execute(insert(audit), after)
        assert verify(connection).broken == number + 1


def test_an_empty_chain_is_whole(store: Store) -> None:
    with store.reading() as connection:
        assert verify(connection) == Verified(0, None, None, FIRST_PREVIOUS)
        assert verify(connection, Known(1, FIRST_PREVIOUS)).broken == 1


def test_a_text_that_cannot_be_read_is_found(store: Store) -> None:
    with written(store, [entry(), entry()]) as connection:
        connection.execute(text("UPDATE audit SET actor = CAST(x'ff' AS TEXT) WHERE number = 2"))
        found = verify(connection)
        assert found.broken is not None
        assert "cannot be read" in str(found.why)


def test_a_long_chain_is_read_in_pieces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_ROWS_AT_A_TIME", 3)
    with written(store, [entry(str(n)) for n in range(20)]) as connection:
        assert verify(connection).entries == 20
        connection.execute(update(audit).where(audit.c.number == 17).values(actor="Eve"))
        assert verify(connection)[:2] == (16, 17)


def test_equal_values_are_written_alike(store: Store) -> None:
    with written(store, [entry() | {"before": {"b": 1, "a": [2, None]}}]) as connection:
        append(connection, **entry(), after={"a": [2, None], "b": 1})
        first, second = rows_of(connection)
        assert first["before"] == second["after"] == '{"a":[2,null],"b":1}'
        assert (first["number"], second["number"]) == (1, 2)
        assert (first["previous"], second["previous"]) == (FIRST_PREVIOUS, first["hash"])


@pytest.mark.parametrize(
    ("field", "most"), [("actor", 256), ("action", 32), ("subject", 256), ("request", 256)]
)
def test_a_text_longer_than_its_column_is_refused(store: Store, field: str, most: int) -> None:
    with written(store, [entry() | {field: "x" * most}]) as connection:
        with pytest.raises(ValueError, match=f"{field} must have at most {most} characters"):
            append(connection, **entry() | {field: "x" * (most + 1)})
        assert verify(connection).entries == 1


def test_two_writers_at_once_make_one_chain(either_store: Store) -> None:
    store = either_store

    def write(number: int) -> int:
        with store.begin() as connection:
            return append(connection, **entry(str(number)))

    with ThreadPoolExecutor(4) as pool:
        numbers = sorted(pool.map(write, range(40)))
    with store.reading() as connection:
        assert verify(connection).entries == 40
        assert verify(connection).broken is None
    assert numbers == list(range(1, 41))
