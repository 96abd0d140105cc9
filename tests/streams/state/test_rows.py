"""State written of rows is the state of the same accounts and transactions as objects."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.account import NEVER, SERIES, Account, AccountDay
from monitor.core.attributes import Attributes
from monitor.engine.coverage import unwatched
from monitor.engine.engine import Engine
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.engine.step import Step
from monitor.ledger.ledger import NO_AMOUNT, SERIES_BITS, SERIES_MASK, Entry
from monitor.ledger.rejections import rejection_rows
from monitor.ledger.watermark import Marks
from monitor.ordinary import layout
from monitor.ordinary.accounts import OrdinaryAccounts
from monitor.ordinary.entry_rows import EntryRows, take_entries
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.state import changelog, journal, keys
from streams.state.accounts import account_bytes
from streams.state.pieces import PIECE_BYTES_MAX
from streams.wire import columns
from tests.support.laws import law
from tests.support.made_stream import BUCKETS, left_in, made_stream
from tests.support.transactions import POLICY

PARSED = policy_of(POLICY)
WRITER = keys.next_writer((), b"w")
MONDAY = PARSED.calendar.calendar().day_of(1_767_607_200_000_000)
decode = msgspec.msgpack.Decoder().decode

# -- accounts ------------------------------------------------------------------------------------

names = st.sampled_from(["retail", "Gehälter", "中", "s" * 31, "s" * 32, "é" * 128])
sums = st.integers(0, 300) | st.sampled_from([127, 128, 65_536, (1 << 61) - 1, 1 << 32])
account_days = st.tuples(
    st.none() | names, st.just(NEVER) | st.integers(-9, 1 << 53),
    st.sampled_from(["EUR", "JPY", "USD"]), st.tuples(sums, sums, sums, sums),
)  # fmt: skip
account_ids = st.sampled_from(["A1", "A2", "é", "\0", "x" * 32, "中" * 100]) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=9
)
accounts = st.dictionaries(
    account_ids,
    st.tuples(
        st.builds(Attributes, st.none() | names, st.none() | names, st.none() | names),
        st.dictionaries(st.integers(MONDAY, MONDAY + 19), account_days, min_size=1, max_size=18),
    ),
    max_size=12,
)
Drawn = dict[str, tuple[Attributes, dict[int, tuple]]]  # type: ignore[type-arg]


def engine_with(drawn: Drawn, buckets: int = 4) -> OrdinaryEngine:
    """Return an engine whose accounts are objects with days as drawn, all of which are open."""
    engine = OrdinaryEngine(0, PolicyBook([PARSED]), buckets)
    ledger = engine.ledger
    start = ledger.calendar.start_of(MONDAY + 2)
    ledger.restore_watermark(Marks("A2", start, start, start))
    for account_id, (attributes, of_days) in drawn.items():
        account = ledger.account(account_id)
        for day, (segment, segment_time, currency, totals) in of_days.items():
            open_day = ledger.open_day(day)
            assert open_day is not None
            account_day = AccountDay(account, day, None, attributes)
            account_day.segment, account_day.segment_time = segment, segment_time
            account_day.totals_in(currency)[:4] = totals
            account.days += (account_day,)
            open_day.account_days[account_day] = None
    return engine


def by_id(values: Iterator[list[object]]) -> dict[object, list[object]]:
    return {account_id: fields for account_id, *fields in values}


@law(200)
@given(accounts)
def test_rows_of_accounts_are_written_as_their_objects_are(drawn: Drawn) -> None:
    engine = engine_with(drawn)
    ledger = engine.ledger
    expected = [
        by_id(decode(account_bytes(account)) for account in bucket.accounts.values())
        for bucket in ledger.buckets
    ]
    ledger.begin_rows()
    engine.settle()
    assert not ledger.accounts
    for number, rows in enumerate(ledger.rows_of(range(len(ledger.buckets)))):
        value = changelog.bucket_bytes(ledger.buckets[number], rows)
        *_, written = decode(value[8:])
        assert len(written) == rows.accounts
        assert by_id(iter(written)) == expected[number]
        assert ledger.rows_of([number]) == [rows]
    assert ledger.rows_of([3, 1]) == [*ledger.rows_of([3]), *ledger.rows_of([1])]


def test_there_is_room_for_all_objects_that_become_rows() -> None:
    """A kernel that writes a row checks no index: it wrote behind the array once."""
    of_day = (None, NEVER, "EUR", (1, 100, 0, 0))
    count = layout.SPARE + 1000
    engine = engine_with(
        {f"A{n}": (Attributes(), {MONDAY: of_day, MONDAY + 1: of_day}) for n in range(count)}
    )
    ordinary = engine.ledger.begin_rows()
    for account in list(engine.ledger.accounts.values()):
        engine.ledger.make_rows(account)
        assert ordinary.arrays.numbers[layout.DAYS_USED] <= ordinary.arrays.days.size
    assert ordinary.count() == count


def test_there_are_only_the_buckets_that_are_asked_for() -> None:
    ledger = engine_with({}).ledger
    assert ledger.rows_of([2, 0]) == [(0, b"")] * 2
    ledger.begin_rows()
    assert ledger.rows_of([]) == []
    assert ledger.rows_of([2, 0]) == [(0, b"")] * 2


# -- transactions --------------------------------------------------------------------------------

ids = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
contents = st.tuples(
    st.integers(0, 1 << 49).map(lambda amount: amount << SERIES_BITS)
    | st.just(1 << SERIES_BITS | NO_AMOUNT),
    st.integers(0, len(SERIES) - 1),
).map(lambda drawn: drawn[0] | drawn[1])
taken = st.lists(
    st.builds(
        Entry, st.integers(0, 1 << 40), account_ids, ids,
        st.integers(MONDAY, MONDAY + 2) | st.just(3_652_059), contents, st.none(),
    )
)  # fmt: skip


def as_rows(entries: list[Entry], ordinary: OrdinaryAccounts) -> list[EntryRows]:
    """Return entries as they are if kernels took them in."""
    for number, entry in enumerate(entries):
        account, name = ordinary.number_of(entry.account_id), entry.kept_id.encode()
        ordinary.make_room()
        arrays, numbers = ordinary.arrays, ordinary.arrays.numbers
        at = int(numbers[layout.ENTRY_TEXTS_USED])
        arrays.entry_texts[at : at + len(name)] = np.frombuffer(name, np.uint8)
        arrays.entries[number] = entry.offset, at, entry.content, account, entry.day, len(name)
        numbers[layout.ENTRY_TEXTS_USED] += len(name)
        numbers[layout.ENTRIES_USED] += 1
    rows = take_entries(ordinary.arrays)
    assert (rows is None) is (not entries)
    assert take_entries(ordinary.arrays) is None
    return [] if rows is None else [rows]


def read_back(chunks: list[tuple[int, bytes]]) -> list[Entry]:
    back = []
    for day, chunk in chunks:
        of_chunk = journal.chunk_of(chunk)
        assert (of_chunk.day, of_chunk.originals) == (day, [])
        back += of_chunk.entries
    return back


@law(200)
@given(taken, taken, taken)
def test_chunks_of_rows_have_exactly_their_transactions(
    first: list[Entry], second: list[Entry], objects: list[Entry]
) -> None:
    ordinary = OrdinaryAccounts(4)
    rows = as_rows(first, ordinary) + as_rows(second, ordinary)
    assert [entry for part in rows for entry in part.entries()] == first + second
    chunks = list(journal.chunks_by_day(objects, rows))
    # Those of a day stay in their order, and those that Python took in have their own chunks.
    expected = [sorted(some, key=lambda entry: entry.day) for some in (objects, first + second)]
    back = read_back(chunks)
    assert sorted(back[: len(objects)], key=lambda entry: entry.day) == expected[0]
    assert back[len(objects) :] == expected[1]


@law(50)
@given(taken.filter(bool))
def test_a_chunk_of_rows_is_that_of_objects(drawn: list[Entry]) -> None:
    entries = [entry._replace(day=MONDAY) for entry in drawn]
    (rows,) = as_rows(entries, OrdinaryAccounts(4))
    assert journal.rows_bytes(MONDAY, rows) == journal.journal_bytes(MONDAY, entries)


@pytest.mark.parametrize("letters", [3, 250])
def test_rows_are_cut_by_number_and_by_size(letters: int) -> None:
    count = 2 * journal.ENTRIES_MAX + 1
    entries = [
        Entry(number, f"{number:05}".ljust(letters, "中"), "T" * 40, MONDAY, number << SERIES_BITS)
        for number in range(count)
    ]
    rows = as_rows(entries, OrdinaryAccounts(4))
    chunks = list(journal.chunks_by_day([], rows))
    assert read_back(chunks) == entries
    assert all(len(chunk) <= PIECE_BYTES_MAX for _, chunk in chunks)
    assert (len(chunks) == 3) is (letters == 3)


CZK_ONLY = '[[limit]]\nid = "l"\nmeasure = "amount"\nabove = 5\ncurrency = "CZK"\n'


@law(50)
@given(taken)
def test_unwatched_transactions_are_counted_in_rows_too(entries: list[Entry]) -> None:
    book = PolicyBook([policy_of("version = 1\n" + CZK_ONLY)])
    for entry in entries:
        _, limits = book.for_day(entry.day)
        limits.watch(AccountDay(Account("A", 0, ""), entry.day), entry.content & SERIES_MASK)
    of_objects, of_rows, of_both = Step(), Step(), Step()
    of_objects.entries = entries
    of_rows.entry_rows = as_rows(entries, OrdinaryAccounts(4))
    of_both.entries, of_both.entry_rows = entries, of_rows.entry_rows
    counted = unwatched(book, of_objects)
    assert unwatched(book, of_rows) == counted
    assert unwatched(book, of_both) == counted + counted


# -- all of it -----------------------------------------------------------------------------------


def plain_engine() -> Engine:
    return Engine(0, PolicyBook([policy_of(HIGH)]), BUCKETS)


def arrays_engine() -> OrdinaryEngine:
    return OrdinaryEngine(0, PolicyBook([policy_of(HIGH)]), BUCKETS)


HIGH = POLICY.replace("500.00", "1500.00")
"""Limits under which most account-days of the made stream are ordinary, but not all."""


def lived(engine: Engine, seed: int, cut: int) -> dict[bytes, bytes]:
    """Return what is kept of an engine that took a made stream, in runs of some records."""
    records = made_stream(seed)
    kept: dict[bytes, bytes] = {}
    for first in range(0, len(records), cut):
        engine.observe_run(columns.read_run([records[first : first + cut]]))
        step = engine.take_step()
        for day, chunk in journal.chunks_by_day(step.entries, step.entry_rows):
            kept[keys.journal_key(WRITER, len(kept))] = chunk
            assert journal.chunk_of(chunk).day == day
    while engine.has_closing_days:
        engine.close_account_days()
    ledger = engine.ledger
    for number, rows in enumerate(ledger.rows_of(range(BUCKETS))):
        ledger.buckets[number].offset_last = ledger.offset_last
        kept[keys.bucket_key(WRITER, number)] = changelog.bucket_bytes(ledger.buckets[number], rows)
    seal = changelog.Seal(
        ledger.offset_last, ledger.marks.marks(), ledger.lone, engine.policies.calendar.text(),
        list(engine.policies.versions), BUCKETS, WRITER, rejection_rows(ledger.rejections),
    )  # fmt: skip
    return {**kept, keys.seal_key(WRITER): changelog.seal_bytes(seal)}


@law(60)
@given(st.integers(0, 10_000), st.sampled_from([1, 4, 30, 110]))
def test_state_of_rows_recovers_as_that_of_objects(seed: int, cut: int) -> None:
    columns.prepare()
    left = []
    for engine in (plain_engine(), arrays_engine()):
        kept = lived(engine, seed, cut)
        recovered = plain_engine()
        changelog.recover(recovered, kept)
        assert left_in(recovered)[-1] == 109
        left.append(left_in(recovered))
    assert left[0] == left[1]


def test_the_made_stream_has_rows() -> None:
    columns.prepare()
    engine = arrays_engine()
    steps = []
    for first in range(0, 110, 4):
        engine.observe_run(columns.read_run([made_stream(1)[first : first + 4]]))
        steps.append(engine.take_step())
    assert sum(len(rows) for step in steps for rows in step.entry_rows) > 10
    assert sum(len(step.entries) for step in steps) > 10
    assert any(rows.accounts for rows in engine.ledger.rows_of(range(BUCKETS)))
