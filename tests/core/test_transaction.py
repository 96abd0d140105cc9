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
