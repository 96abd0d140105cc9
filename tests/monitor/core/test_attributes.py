"""What an account's record may say, and what is kept of it."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.attributes import (
    ACCOUNT_FIELDS,
    FURTHER_MAX,
    NO_ATTRIBUTES,
    REASONS,
    AccountRecord,
    AttributeBook,
    Attributes,
    account_record_of,
)
from monitor.core.business_day import day_of_text
from monitor.core.transaction import Reason, Rejection

texts = st.none() | st.text(max_size=300)


@given(st.tuples(*[texts] * len(ACCOUNT_FIELDS)), st.dictionaries(st.text(), st.text()))
def test_any_texts_become_an_account_or_a_rejection_with_a_reason(
    fields: tuple[str | None, ...], further: dict[str, str]
) -> None:
    made = account_record_of(fields, further)
    if isinstance(made, Rejection):
        assert made.reason in REASONS
        assert made.detail
    else:
        assert (made.account_id, *made.attributes) == tuple(text or None for text in fields[:4])


def test_what_a_record_says_is_taken_as_it_stands() -> None:
    fields = ("A1", "retail", "Praha", "giro", "2019-04-30")
    assert account_record_of(fields, {"risk": "low"}) == AccountRecord(
        "A1", Attributes("retail", "Praha", "giro"), day_of_text("2019-04-30"), {"risk": "low"}
    )
    assert account_record_of(("A1", "", None, "", ""), {}) == AccountRecord(
        "A1", NO_ATTRIBUTES, None, {}
    )


@pytest.mark.parametrize(
    ("fields", "reason", "said"),
    [
        ((None, "retail", None, None, None), Reason.MISSING_FIELD, "account_id"),
        (("A1", "x" * 257, None, None, None), Reason.MALFORMED, "segment is longer than 256"),
        (("A1", None, "\udcff", None, None), Reason.MALFORMED, "branch is not valid text"),
        (("A1", None, None, None, "30.4.2019"), Reason.BAD_TIME, "opened is '30.4.2019': it is a"),
        (("A1", None, None, None, "2019-02-30"), Reason.BAD_TIME, "opened is '2019-02-30'"),
        (("", None, None, None, "never"), Reason.MISSING_FIELD, "account_id"),
    ],
)
def test_what_is_wrong_is_said(fields: tuple[str | None, ...], reason: Reason, said: str) -> None:
    made = account_record_of(fields, {})
    assert isinstance(made, Rejection)
    assert made.reason is reason
    assert said in made.detail


@pytest.mark.parametrize("opened", ["2019-04-30", "2019-04-30T00:00:00", "2019-04-30 12:00"])
def test_a_date_may_come_with_a_time_of_day(opened: str) -> None:
    made = account_record_of(("A1", None, None, None, opened), {})
    assert isinstance(made, AccountRecord)
    assert made.opened == day_of_text("2019-04-30")


def test_free_attributes_have_a_bound_and_names() -> None:
    fields = ("A1", None, None, None, None)
    made = account_record_of(fields, {f"n{n}": "" for n in range(FURTHER_MAX + 1)})
    assert made == Rejection(Reason.MALFORMED, "it has 101 free attributes: at most 100")
    named = account_record_of(fields, {"n" * 257: "x"})
    assert isinstance(named, Rejection)


names = st.sampled_from(["A1", "A2", "A3"])
some = st.builds(Attributes, *[st.sampled_from([None, "x", "y"])] * 3)


@given(st.lists(st.tuples(names, st.none() | some)))
def test_a_book_knows_the_last_of_each_account_and_says_what_changed(
    changes: list[tuple[str, Attributes | None]],
) -> None:
    book, plain = AttributeBook(), dict[str, Attributes]()
    for account_id, attributes in changes:
        now = attributes or NO_ATTRIBUTES
        assert book.take(account_id, attributes) is (now != plain.get(account_id, NO_ATTRIBUTES))
        plain[account_id] = now
    assert book.known == {name: named for name, named in plain.items() if named != NO_ATTRIBUTES}


def test_an_account_takes_at_most_100_bytes_beside_its_id() -> None:
    book = AttributeBook()
    for number in range(100_000):
        # Each record brings texts of its own, as a decoder makes them.
        texts = (f"s{number % 7}", f"b{number % 500}", f"p{number % 20}")
        book.take(f"A{number}", Attributes(*texts))
    kinds = {id(attributes) for attributes in book.known.values()}
    assert len(kinds) == len(set(book.known.values())) < 100_000
    of_kind = 600  # a tuple, three texts, their places
    assert (sys.getsizeof(book.known) + of_kind * len(kinds)) / len(book.known) <= 100
