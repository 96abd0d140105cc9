"""Rows restored from bytes are what the bytes say; whatever the bytes are, the rest is left alone.

These tests run with Numba's check of every index, too (`tests/monitor/engine`).
"""

import contextlib
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.account import SERIES
from monitor.core.attributes import Attributes
from monitor.engine.ordinary_engine import OrdinaryEngine
from monitor.ledger.ledger import NO_AMOUNT, SERIES_BITS, Entry
from monitor.ledger.watermark import Marks
from monitor.ordinary import layout, restored_ids
from monitor.ordinary.accounts import BETWEEN_IDS
from monitor.ordinary.packing import begins_of_fields, read_array_head, skip_value
from monitor.ordinary.restored import KeptAccounts, RowsRestored
from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.state import journal
from tests.support.laws import law
from tests.support.transactions import POLICY

PARSED = policy_of(POLICY)
FIRST = PARSED.calendar.calendar().day_of(1_767_607_200_000_000)
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode

KNOWN = {"A2": Attributes("retail", "B1", None), "A3": Attributes(None, None, "card")}

texts = st.sampled_from(["retail", "s3", "é", "s" * 300, ""])
sums = st.sampled_from([0, 1, -1, 127, 128, 70_000, (1 << 61) - 1, 1 << 61, (1 << 64) - 1, "9"])
totals = st.dictionaries(
    st.sampled_from(["EUR", "JPY", "XXX", "E"]), st.lists(sums, min_size=4, max_size=4), max_size=2
)
plain_days = st.tuples(
    st.sampled_from([FIRST, FIRST + 1, FIRST + 40]), st.sampled_from(["retail", "s3"]),
    st.integers(0, 1 << 53), st.just({"EUR": [1, 250, 0, 0]}), st.just({}), st.none(), st.none(),
    st.none(),
)  # fmt: skip
days = plain_days | st.tuples(
    st.sampled_from([FIRST - 9, FIRST - 1, FIRST, FIRST + 1, 12_600_000, 1 << 31, -4]),
    st.none() | texts,
    st.none() | st.integers(-(1 << 63), 1 << 53), totals,
    st.just({}) | st.just({"l": ["raised", 1, 2, 1, None]}),
    st.none() | st.just("B2"), st.none() | st.just("B1"), st.none() | st.just("card"),
)  # fmt: skip
accounts = st.lists(
    st.tuples(
        st.sampled_from(["A1", "A2", "A3", "A4", "é", "", "x" * 257]), st.lists(days, max_size=3)
    )
    | st.tuples(st.just("A5"), st.lists(plain_days, max_size=2), st.just(1.5)),
    max_size=8,
)


def an_engine(*, has_attributes: bool) -> OrdinaryEngine:
    """Return an engine of one bucket that has nothing but a watermark, and days from `FIRST` on."""
    engine = OrdinaryEngine(0, PolicyBook([PARSED]), 1)
    if has_attributes:
        for account_id, attributes in KNOWN.items():
            engine.ledger.attributes.take(account_id, attributes)
    start = engine.ledger.calendar.start_of(FIRST + 2)
    engine.ledger.restore_watermark(Marks("A2", start, start, start))
    assert engine.ledger.day_open_first is not None
    return engine


def changed(rng: random.Random, value: bytes) -> bytes:
    """Return bytes some of which are others, or are not there."""
    data = bytearray(value)
    for _ in range(rng.choice([0, 0, 1, 2, 9])):
        if data:
            data[rng.randrange(len(data))] = rng.choice([0xC0, 0xDD, 0xFF, rng.randrange(256)])
    return bytes(data[: rng.choice([len(data), len(data), rng.randint(0, len(data))])])


@law(300)
@given(accounts, st.booleans(), st.randoms(use_true_random=False))
def test_rows_are_what_the_bytes_say(
    drawn: list[tuple[Any, ...]], has_attributes: bool, rng: random.Random,  # noqa: FBT001 - drawn
) -> None:  # fmt: skip
    whole = encode([drawn])
    value = changed(rng, whole)
    data = np.frombuffer(value, np.uint8)
    begins = begins_of_fields(data, 0, 1)
    if not begins.size:
        assert value != whole, "state has no other values than these"
        return
    count, at = read_array_head(data, int(begins[0]), data.size)
    if at < 0:
        return
    ledger = an_engine(has_attributes=has_attributes).ledger
    rows = RowsRestored(ledger)
    kept = KeptAccounts(0, data, at, count)
    with contextlib.suppress(UnicodeDecodeError):
        left = dict(rows.accounts(kept))
        restored = {}
        for _ in range(count):
            end = skip_value(data, at, data.size)
            if at not in left:
                account_id, of_days = decode(value[at:end])
                restored[account_id] = of_days
            at = end
        ((number, written),) = ledger.rows_of([0])
        assert dict(map(decode, parts(bytes(written)))) == restored
        assert number == len(restored)
        for account_id, of_days in restored.items():
            now = KNOWN.get(account_id, Attributes()) if has_attributes else Attributes()
            for day, segment, named_at, *_, branch, product in of_days:
                assert (branch, product) == now[1:]
                assert named_at is not None or segment == now.segment
                assert ledger.day_open_first <= day


def parts(value: bytes) -> list[bytes]:
    """Return values that stand one after the other."""
    data, at, found = np.frombuffer(value, np.uint8), 0, []
    while at < len(value):
        end = skip_value(data, at, data.size)
        found.append(value[at:end])
        at = end
    return found


def test_most_of_usual_accounts_become_rows() -> None:
    """Else the law above would be of nothing."""
    of_day: tuple[Any, ...] = (FIRST, "retail", 5, {"EUR": [1, 250, 0, 0]}, {}, None, None, None)
    later: tuple[Any, ...] = (
        FIRST + 1,
        None,
        None,
        {"JPY": [0, 0, 3, 70_000]},
        {},
        None,
        None,
        None,
    )
    told = (*of_day[:4], {"l": ["raised", 1, 2, 1, None]}, None, None, None)
    value = encode([[f"A{n}", [of_day, later]] for n in range(9000)] + [["B", [told]]])
    data = np.frombuffer(value, np.uint8)
    ledger = an_engine(has_attributes=False).ledger
    count, at = read_array_head(data, 0, data.size)
    (left,) = RowsRestored(ledger).accounts(KeptAccounts(0, data, at, count))
    assert decode(value[slice(*left)])[0] == "B"
    assert ledger.count_accounts() == 9000


# -- ids ------------------------------------------------------------------------------------------

ids = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40) | st.just("é")
contents = st.tuples(
    st.sampled_from([0, 1, (1 << 49) - 1, 1 << 49]), st.integers(0, len(SERIES) - 1)
).map(lambda drawn: (drawn[0] << SERIES_BITS or 1 << SERIES_BITS | NO_AMOUNT) | drawn[1])
entries = st.lists(
    st.builds(
        Entry, st.integers(0, 300), st.sampled_from(["A1", "A2", "é", "x" * 2000]), ids,
        st.just(FIRST), contents, st.none() | st.none() | st.just(("T0", FIRST)),
    ),
    min_size=1, max_size=9, unique_by=lambda entry: (entry.account_id, entry.kept_id),
)  # fmt: skip


def offsets_rise(drawn: Sequence[Entry]) -> list[Entry]:
    return [entry._replace(offset=10 * place) for place, entry in enumerate(drawn)]


@law(300)
@given(entries, st.integers(-1, 90), st.randoms(use_true_random=False))
def test_ids_are_what_the_bytes_say(
    drawn: list[Entry], offset_last: int, rng: random.Random
) -> None:
    whole = journal.journal_bytes(FIRST, offsets_rise(drawn))
    value = changed(rng, whole)
    with contextlib.suppress(
        msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError, OverflowError
    ):
        kept = journal.kept_ids_of(value)
        if kept is None or kept.day != FIRST:
            assert value != whole
            return
        engine = an_engine(has_attributes=False)
        ledger = engine.ledger
        rows = RowsRestored(ledger)
        rows.make_room_for_ids(kept.size)
        left = rows.ids(kept, offset_last)
        if left is None:
            return
        ordinary = ledger.begin_rows()
        by_key = {}
        for place, entry in enumerate(journal.chunk_of(value).entries):
            assert entry.reverses is None or place in left or entry.offset > offset_last
            if place not in left and entry.offset <= offset_last:
                by_key[entry.account_id + BETWEEN_IDS + entry.kept_id] = entry.content
        assert {key: ordinary.ids.find(key) for key in by_key} == {
            key: (FIRST, content) for key, content in by_key.items()
        }
        assert len(ledger.open_days[FIRST].contents) == len(by_key)


@pytest.mark.parametrize("place", [restored_ids.CHUNK_DAY, restored_ids.FIRST_OFFSET])
def test_no_kernel_gets_a_chunk_whose_day_or_offset_is_no_number(place: int) -> None:
    """A kernel that is given something else than a number cannot even be compiled."""
    whole = journal.journal_bytes(FIRST, [Entry(7, "A1", "T1", FIRST, 5 << SERIES_BITS)])
    assert journal.kept_ids_of(whole) is not None
    begins = begins_of_fields(np.frombuffer(whole, np.uint8), 0, restored_ids.CHUNK_FIELDS)
    begin, end = begins.tolist()[place : place + 2]
    for other in (None, True, "7", 1 << 63):
        damaged = whole[:begin] + encode(other) + whole[end:]
        assert journal.kept_ids_of(damaged) is None


def test_an_id_that_another_day_holds_is_left_to_python() -> None:
    ledger = an_engine(has_attributes=False).ledger
    rows = RowsRestored(ledger)
    entry = Entry(0, "A1", "T1", FIRST, 5 << SERIES_BITS)
    for day, expected in ((FIRST, []), (FIRST + 1, [0]), (FIRST, []), (FIRST - 9, [])):
        kept = journal.kept_ids_of(journal.journal_bytes(day, [entry._replace(day=day)]))
        assert kept is not None
        rows.make_room_for_ids(kept.size)
        assert rows.ids(kept, 0) == expected
    assert ledger.open_days[FIRST].contents.get("A1" + BETWEEN_IDS + "T1") == entry.content
    assert len(ledger.open_days[FIRST].contents) == 1


@pytest.mark.parametrize("count", [1, 3 * layout.SPARE])
def test_there_is_room_for_all_ids(count: int) -> None:
    ledger = an_engine(has_attributes=False).ledger
    rows = RowsRestored(ledger)
    chunk = [Entry(n, "A1", f"T{n}", FIRST, 5 << SERIES_BITS) for n in range(count)]
    for value in journal.journal_chunks(FIRST, chunk):
        kept = journal.kept_ids_of(value)
        assert kept is not None
        assert rows.ids(kept, count) == []
    assert len(ledger.open_days[FIRST].contents) == count
    arrays = ledger.begin_rows().arrays
    assert arrays.numbers[layout.IDS_USED] < arrays.ids.size * 3 // 5
