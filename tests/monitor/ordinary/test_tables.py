"""Accounts, ids and kinds of limits are found in their tables, however full and worn these are."""

import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.account import SERIES
from monitor.core.transaction import CREDIT, DEBIT
from monitor.engine.seen import KnownModels
from monitor.ledger import ledger
from monitor.ordinary import decide, layout, tables
from monitor.ordinary.accounts import OrdinaryAccounts
from monitor.ordinary.layout import CURRENCY_CODES
from monitor.outliers.scorer import Scorer
from monitor.policy.document import DEFAULT_POLICY, policy_of
from monitor.policy.models import DEFAULT_BUDGET
from monitor.policy.policy import PolicyBook
from streams.wire import columns
from streams.wire.rows import layout as rows_layout


@given(st.binary(max_size=300), st.binary(max_size=9))
def test_the_checksum_of_a_bucket_is_zlib_s(data: bytes, before: bytes) -> None:
    whole = np.frombuffer(before + data + before, np.uint8)
    assert tables.crc32(whole, len(before), len(data)) == zlib.crc32(data)


def test_numbers_mean_the_same_to_all() -> None:
    assert CURRENCY_CODES == columns.CURRENCY_CODES
    for number, code in enumerate(CURRENCY_CODES):
        assert SERIES[2 * number : 2 * number + 2] == ((DEBIT, code), (CREDIT, code))
    assert rows_layout.ORDINARY == layout.ORDINARY
    for name in ("ID", "ACCOUNT", "SEGMENT", "REVERSES"):
        assert getattr(rows_layout, name) == getattr(layout, name)
    assert (decide.SERIES_BITS, decide.NO_AMOUNT) == (ledger.SERIES_BITS, ledger.NO_AMOUNT)
    assert len(SERIES) <= decide.NO_AMOUNT


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(1, 4), st.integers(-1, 1 << 70)), max_size=60
    )
)
def test_ids_are_held_as_by_a_dictionary_of_each_day(puts: list[tuple[int, int, int]]) -> None:
    """A key may be held by several days at once; content -1 takes it out."""
    accounts = OrdinaryAccounts(1)
    places = {day: number for number, day in enumerate((1, 2, 3, 4))}
    accounts.open_places = places
    accounts.arrays.opens["day"][:4] = (1, 2, 3, 4)
    accounts.arrays.numbers[layout.OPENS_USED] = 4
    held: dict[int, dict[str, int]] = {day: {} for day in places}
    for name, day, content in puts:
        key = f"A\N{LATIN SMALL LETTER E WITH ACUTE}{name}"
        if content >= 0:
            accounts.ids.put(key, day, content)
            held[day][key] = content
        elif key in held[day]:
            accounts.ids.take_out(key, day)
            del held[day][key]
        for other, of_day in held.items():
            for known in {*of_day, key}:
                there, value = accounts.ids.find(known)
                found = value if there == other else accounts.ids.find_earlier(known, other)
                assert found == of_day.get(known)


def test_each_account_has_its_row_in_the_models_also_where_room_was_made() -> None:
    accounts = OrdinaryAccounts(4)
    policies = PolicyBook([policy_of(DEFAULT_POLICY + DEFAULT_BUDGET)])
    assert policies.outliers is not None
    scorer = Scorer(policies.outliers, 0, 1, policies.calendar.calendar())
    account_ids = [f"A{row}\N{LATIN SMALL LETTER E WITH ACUTE}" for row in range(10_000)]
    for account_id in account_ids:
        scorer.add_account(account_id)
    for account_id in account_ids[::3]:
        accounts.number_of(account_id)
    KnownModels(scorer, accounts).learn()
    numbers = [accounts.number_of(account_id) for account_id in account_ids]
    assert accounts.arrays.accounts["model"][numbers].tolist() == list(range(10_000))
