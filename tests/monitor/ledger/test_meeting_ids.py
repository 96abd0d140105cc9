"""Ids that would meet: no account reaches another one's transactions, or hides one of its own.

Open days once knew ids by XXH3 of 64 bits, seeded by XXH3 of the account's id. That can be turned
round: of a hash, a seed and a length of eight, the text follows; one in some 2,770 is printable.
"""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from monitor.core.business_day import day_of_text
from monitor.core.transaction import ID_LENGTH_MAX, Reason
from monitor.core.waiting import ID_KEPT_MAX, kept_id
from monitor.engine.engine import Engine
from monitor.ledger.ledger import tag_of
from tests.support.open_days import contents_of
from tests.support.transactions import book, observed, transaction

HONEST, SENDER = "A1", "E1"
MONDAY = day_of_text("2026-01-05")

_WORD = (1 << 64) - 1
_PRIME = 0x9FB21C651E98DF25
_PRIME_INVERSE = pow(_PRIME, -1, 1 << 64)
_SECRET = 0x7C01812CF721AD1C, 0xDED46DE9839097DB
"""Bytes 8 to 23 of XXH3's published secret; they are used little-endian."""


def old_hash(account_id: str, transaction_id: str) -> int:
    """Return as what a transaction_id was known."""
    return int(xxh3_64_intdigest(transaction_id.encode(), xxh3_64_intdigest(account_id.encode())))


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _WORD


def _swapped(word: int, size: int) -> int:
    return int.from_bytes(word.to_bytes(size, "little"), "big")


def text_of(digest: int, seed: int) -> bytes:
    """Return the eight bytes whose XXH3 with a seed is `digest`: each step of it, backwards."""
    word = digest ^ digest >> 28 ^ digest >> 56
    word = word * _PRIME_INVERSE & _WORD
    word ^= (word >> 35) + 8
    word = word * _PRIME_INVERSE & _WORD
    for _ in range(63):  # of order 64, so that once less undoes it
        word ^= _rotated(word, 49) ^ _rotated(word, 24)
    seed ^= _swapped(seed & 0xFFFFFFFF, 4) << 32
    word ^= (_swapped(_SECRET[0] ^ _SECRET[1], 8) - seed) & _WORD
    return (word >> 32).to_bytes(4, "little") + (word & 0xFFFFFFFF).to_bytes(4, "little")


@cache
def met(honest: str, sender: str) -> tuple[str, str]:
    """Return ids of two accounts that had one hash: the search is through the honest one's ids."""
    seed = xxh3_64_intdigest(sender.encode())
    for number in range(1_000_000):
        name = f"T{number}"
        text = text_of(old_hash(honest, name), seed)
        if all(ord("!") <= byte <= ord("~") for byte in text):
            return name, text.decode()
    raise AssertionError


@pytest.mark.parametrize("sender", [SENDER, HONEST])
def test_the_search_finds_ids_that_had_one_hash(sender: str) -> None:
    honest, aimed = met(HONEST, sender)
    assert honest != aimed
    assert old_hash(HONEST, honest) == old_hash(sender, aimed)


def test_no_id_of_another_account_makes_a_transaction_a_duplicate() -> None:
    honest, aimed = met(HONEST, SENDER)
    engine = Engine(0, book())
    observed(engine, transaction(aimed, account_id=SENDER, amount="0.01"))
    step = observed(engine, transaction(honest, account_id=HONEST, amount="900.00"))
    assert step.rejections == []
    assert [alert.account_id for alert in step.alerts] == [HONEST]


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("is_the_same", [True, False])
def test_no_reversal_reaches_another_account_s_transaction(
    is_first: bool, is_the_same: bool,  # noqa: FBT001 - parameters
) -> None:  # fmt: skip
    honest, aimed = met(HONEST, SENDER)
    named = honest if is_the_same else aimed
    items = [
        transaction(honest, account_id=HONEST, amount="900.00"),
        transaction("E", account_id=SENDER, amount="900.00", reverses=named),
    ]
    engine = Engine(0, book())
    step = observed(engine, *(items if is_first else reversed(items)))
    assert [alert.status.value for alert in step.alerts] == ["raised"]
    assert engine.ledger.accounts[HONEST].days[0].totals == {"EUR": [1, 90_000, 0, 0, 0]}
    step = observed(engine, transaction("T", account_id="A3", hours=96))
    assert [rejection.reason for _, rejection in step.rejections] == [Reason.NOTHING_TO_REVERSE]


def test_no_account_hides_a_transaction_of_its_own_as_a_duplicate() -> None:
    first, second = met(HONEST, HONEST)
    engine = Engine(0, book())
    step = observed(engine, transaction(first, amount="1.00"), transaction(second, amount="900.00"))
    assert (step.transactions, step.rejections) == (2, [])


ids = st.text(st.sampled_from("!~ \0a0"), max_size=ID_KEPT_MAX + 2) | st.text(
    st.characters(codec="utf-8"), max_size=ID_LENGTH_MAX
)
accounts = st.integers(1, 10) | st.integers(1, 1 << 40)


@given(accounts, ids, accounts, ids)
def test_two_keys_meet_only_where_account_and_id_are_the_same(
    account: int, name: str, other_account: int, other: str
) -> None:
    same = (account, name) == (other_account, other)
    assert (tag_of(account) + kept_id(name) == tag_of(other_account) + kept_id(other)) is same


def test_tags_are_short_and_none_begins_another_one() -> None:
    tags = [tag_of(number) for number in range(1, 20_000)]
    assert max(map(len, tags)) == 4
    assert not any(tag[:size] in set(tags) for tag in tags[9000:9100] for size in range(len(tag)))


@pytest.mark.parametrize("size", [ID_KEPT_MAX, ID_KEPT_MAX + 1, 64, ID_LENGTH_MAX])
def test_a_long_id_is_known_whole_and_takes_the_room_of_64_characters(size: int) -> None:
    long = "x" * (size - 1)
    engine = Engine(0, book())
    names = [long + "a", long + "b", kept_id(long + "a")]
    step = observed(engine, *(transaction(name) for name in dict.fromkeys(names)))
    assert step.rejections == []
    step = observed(engine, transaction(long + "b"))
    assert [rejection.reason for _, rejection in step.rejections] == [Reason.DUPLICATE]
    assert max(map(len, contents_of(engine.ledger.open_days[MONDAY]))) <= 64 + len(
        engine.ledger.accounts["A1"].tag
    )
    step = observed(engine, transaction("R", reverses=long + "a"))
    assert (step.transactions, step.rejections) == (1, [])
