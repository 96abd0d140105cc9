"""A closed account-day that was a row is written as the wire form writes the object."""

from typing import NamedTuple
from zlib import crc32

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.core.account import ClosedDay
from monitor.core.attributes import Attributes
from monitor.core.business_day import day_of_text
from monitor.core.currency import CURRENCIES
from monitor.ledger.ledger import OpenDay
from monitor.ordinary import layout, written
from monitor.ordinary.accounts import OrdinaryAccounts
from monitor.ordinary.closed import ClosedRows
from monitor.ordinary.ledger import OrdinaryLedger
from monitor.policy.policy import PolicyBook
from streams.wire import codec
from tests.support.laws import law
from tests.support.transactions import book

DAY = day_of_text("2026-01-05")
ACCOUNTS_MAX = 6
BUCKETS = 4


class Made(NamedTuple):
    """What a made account-day has."""

    account_id: str
    currency: str
    totals: list[int]
    segment: str | None
    attributes: Attributes


names = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9)
totals = st.tuples(
    *[
        st.one_of(st.integers(0, 12), st.integers(0, layout.TOTAL_MAX - 1))
        for _ in range(4)
    ]
).map(lambda made: [*made, 0])  # fmt: skip
made_days = st.builds(
    Made,
    st.text(st.characters(min_codepoint=1, max_codepoint=0x17F), min_size=1, max_size=12)
    | st.from_regex(r"[A-Za-z0-9 ~/-]{1,30}", fullmatch=True),
    st.sampled_from(sorted(CURRENCIES)) | st.sampled_from(["EUR", "JPY", "BHD", "CLF"]),
    totals,
    names,
    st.builds(Attributes, names, names, names),
)
EDGES = [
    Made("plain", "JPY", [0, 0, 0, 0, 0], None, Attributes()),
    Made('a"b', "EUR", [1, 5, 0, 0, 0], '"', Attributes(None, "\\", "\n")),
    Made("a\\b", "BHD", [1, 5, 10, 999, 0], "\x00", Attributes("s", "b", "p")),
    Made("a\x1f", "CLF", [9, 9999, 99, 10_000, 0], "\u2028", Attributes()),
    Made("a\x7f", "EUR", [layout.TOTAL_MAX - 1] * 4 + [0], "\x7f", Attributes()),
    Made("\u00e9", "UYW", [layout.TOTAL_MAX - 1] * 4 + [0], "\u00e9", Attributes()),
]


def put(
    made: list[Made], policies: PolicyBook | None = None
) -> tuple[OrdinaryAccounts, OpenDay, dict[str, bytes]]:
    """Return rows of account-days, and what the wire form has of each as an object."""
    ledger = OrdinaryLedger(0, policies or book(), BUCKETS)
    ordinary = ledger.begin_rows()
    open_day = ledger.open_day(DAY)
    assert open_day is not None
    expected: dict[str, bytes] = {}
    for account_id, currency, figures, segment, attributes in made:
        ledger.attributes.take(account_id, attributes)
        account = ledger.account(account_id)
        account_day = ledger.account_day(account, open_day, None)
        account_day.currency, account_day.counts = currency, figures
        if segment is not None:
            account_day.segment = segment
        expected[account_id] = codec.closed_day_bytes(ClosedDay(account_day, 7))
        own = open_day.limits.named_by(account_id)[0]
        assert ordinary.put_rows(account, ledger.open_days, own)
    return ordinary, open_day, expected


def emitted(closed: ClosedRows, pieces: int) -> dict[str, bytes]:
    """Return the records of all account-days, by account; so many are emitted at a time."""
    told: list[tuple[str, bytes]] = []
    for begin in range(0, len(closed), pieces):
        account_days, records = closed.emit(begin, min(begin + pieces, len(closed)), 7)
        told += [
            (made.account.account_id, codec.closed_day_bytes(ClosedDay(made, 7, score)))
            for made, score in account_days
        ]
        told += [(key.decode(), value) for rows in records for key, value in rows.pairs()]
    assert len(dict(told)) == len(told), "none is told twice"
    return dict(told)


@given(
    st.lists(made_days, min_size=1, max_size=ACCOUNTS_MAX, unique_by=lambda made: made.account_id),
    st.integers(1, ACCOUNTS_MAX),
)
@example(EDGES, 2)
@law(400)
def test_rows_are_written_as_the_wire_form_writes_objects(made: list[Made], pieces: int) -> None:
    ordinary, open_day, expected = put(made)
    closed = ordinary.close(open_day)
    assert closed is not None
    ordinary.take_dirty()
    assert emitted(closed, pieces) == expected
    numbers = ordinary.arrays.numbers
    assert ordinary.count() == 0
    assert numbers[layout.FREE_DAYS] == numbers[layout.DAYS_USED], "each row is given up"
    assert not ordinary.closed
    assert ordinary.take_dirty() == sorted(
        {crc32(day.account_id.encode()) % BUCKETS for day in made}
    )


def test_a_row_that_is_an_object_by_now_is_emitted_as_it_stood() -> None:
    ordinary, open_day, expected = put([made for made in EDGES if made.account_id != "plain"])
    closed = ordinary.close(open_day)
    assert closed is not None
    ordinary.open_days_are([])
    other = OrdinaryLedger(0, book(), BUCKETS).account("a\x7f")
    ordinary.make_object(other, {})
    (account_day,) = other.days
    assert account_day.counts == [layout.TOTAL_MAX - 1] * 4 + [0]
    assert emitted(closed, 3) == expected


@pytest.mark.parametrize("room", [400, 401, 700, 5000])
def test_what_has_no_room_is_written_next(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "PIECE_BYTES", max(room, written.FIXED_MAX + 60))
    made = [EDGES[0]._replace(account_id=f"A{n}", segment=f"s{n % 3}") for n in range(50)]
    ordinary, open_day, expected = put(made)
    closed = ordinary.close(open_day)
    assert closed is not None
    assert emitted(closed, 50) == expected


def test_what_is_too_long_becomes_an_object() -> None:
    made = [EDGES[0]._replace(segment="s" * written.WRITTEN_MAX), EDGES[4]]
    ordinary, open_day, expected = put(made)
    closed = ordinary.close(open_day)
    assert closed is not None
    account_days, records = closed.emit(0, 2, 7)
    assert [made.account.account_id for made, _ in account_days] == ["plain"]
    (rows,) = records
    assert list(rows.pairs()) == [(b"a\x7f", expected["a\x7f"])]
