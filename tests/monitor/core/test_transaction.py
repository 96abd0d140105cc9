import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.transaction import FIELDS, Reason, Rejection, Transaction, transaction_of

GOOD = {
    "transaction_id": "T1", "account_id": "A1", "booked_at": "2026-01-05T09:30:00Z",
    "amount": "12.30", "currency": "EUR", "direction": "debit",
}  # fmt: skip


def made(**changes: str | None) -> Transaction | Rejection:
    fields = GOOD | changes
    return transaction_of(tuple(fields.get(name) for name in FIELDS))


def test_a_good_record_is_a_transaction() -> None:
    transaction = made(segment="retail", reverses="")
    assert isinstance(transaction, Transaction)
    assert transaction.amount_minor == 1230
    assert transaction.segment == "retail"
    assert transaction.reverses is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"direction": "up"}, Reason.MALFORMED),
        ({"account_id": "A" * 257}, Reason.MALFORMED),
        ({"segment": "\udc80"}, Reason.MALFORMED),
        ({"reverses": "\udc80"}, Reason.MALFORMED),
        ({"reverses": "T" * 257}, Reason.MALFORMED),
        ({"counterparty_id": "P" * 257}, Reason.MALFORMED),
        ({"counterparty_institution": "\u00e9" * 257}, Reason.MALFORMED),
        ({"channel": "c" * 257}, Reason.MALFORMED),
        ({"branch": "b" * 257}, Reason.MALFORMED),
        ({"segment": "s" * 257}, Reason.MALFORMED),
        ({"account_id": "A1 "}, Reason.MALFORMED),
        ({"transaction_id": "\u00a0T1"}, Reason.MALFORMED),
        ({"reverses": "T0\u3000"}, Reason.MALFORMED),
        ({"counterparty_id": " P1"}, Reason.MALFORMED),
        ({"account_id": " "}, Reason.MALFORMED),
        ({"account_id": "A\n1"}, Reason.MALFORMED),
        ({"account_id": "A1\x00"}, Reason.MALFORMED),
        ({"transaction_id": "T\x7f1"}, Reason.MALFORMED),
        ({"counterparty_id": "P\u00851"}, Reason.MALFORMED),
        ({"reverses": "T\u20281"}, Reason.MALFORMED),
        ({"account_id": "A\u200b1"}, Reason.MALFORMED),
        ({"account_id": "\ufeffA1"}, Reason.MALFORMED),
        ({"account_id": "A 1", "amount": "x"}, Reason.BAD_AMOUNT),
        ({"account_id": None}, Reason.MISSING_FIELD),
        ({"amount": ""}, Reason.MISSING_FIELD),
        ({"amount": "12.345"}, Reason.BAD_AMOUNT),
        ({"amount": "-1"}, Reason.BAD_AMOUNT),
        ({"booked_at": "yesterday"}, Reason.BAD_TIME),
        ({"currency": "XXX"}, Reason.UNKNOWN_CURRENCY),
        # The first that holds, by precedence, is the one given:
        ({"direction": "up", "account_id": ""}, Reason.MALFORMED),
        ({"amount": "x", "account_id": ""}, Reason.MISSING_FIELD),
        ({"amount": "x", "booked_at": "x", "currency": "x"}, Reason.BAD_AMOUNT),
        ({"booked_at": "x", "currency": "x"}, Reason.BAD_TIME),
    ],
)
def test_a_bad_record_is_a_rejection_with_its_reason(
    changes: dict[str, str | None], reason: Reason
) -> None:
    rejection = made(**changes)
    assert isinstance(rejection, Rejection)
    assert rejection.reason is reason


@pytest.mark.parametrize(
    "changes",
    [
        {"account_id": "A 1", "transaction_id": "T 1", "reverses": "T 0"},
        {"counterparty_id": "ACME Inc, \u00e9t\u00e9"},
        {"counterparty_id": "\U0001f469\u200d\U0001f467 & Co"},  # joined by what nobody sees
        {"account_id": "A" * 256, "transaction_id": "T" * 256, "reverses": "R" * 256},
        {"channel": "c" * 256, "branch": "b" * 256, "segment": "\u00e9" * 256},
        {"counterparty_institution": " a bank ", "channel": "x\ny"},  # names, and no ids
        {"amount": " 12.3000 "},
    ],
)
def test_what_is_unusual_and_good_is_taken_as_it_is(changes: dict[str, str]) -> None:
    item = made(**changes)
    assert isinstance(item, Transaction)
    assert {name: getattr(item, name, item.amount_minor) for name in changes} == changes | (
        {"amount": 1230} if "amount" in changes else {}
    )


def test_the_details_name_the_field_and_the_character() -> None:
    details = [
        item.detail
        for item in (made(account_id="A1 "), made(reverses="T\t0"), made(account_id="A\u200b1"))
        if isinstance(item, Rejection)
    ]
    assert details == [
        "account_id is 'A1 ': it must have no blanks around",
        "reverses is 'T\\t0': it must have no control character, here U+0009",
        "account_id is 'A\\u200b1': it must have no invisible character, here U+200B",
    ]


texts = st.none() | st.text(max_size=24) | st.just("\ud800") | st.sampled_from(list(GOOD.values()))


@given(st.tuples(*[texts] * len(FIELDS)))
def test_any_texts_are_a_transaction_or_a_rejection(fields: tuple[str | None, ...]) -> None:
    item = transaction_of(fields)
    if isinstance(item, Transaction):
        assert all(fields[:6])
        assert item.amount_minor >= 0
        for text in (item.transaction_id, item.account_id, item.segment, item.reverses):
            (text or "").encode()
    else:
        assert item.detail
