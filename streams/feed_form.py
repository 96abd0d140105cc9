"""What the rows of a file are to become: transactions, or accounts."""

from typing import Final, NamedTuple

from monitor.core.attributes import ACCOUNT_FIELDS, ACCOUNT_REQUIRED
from monitor.core.transaction import FIELDS, IDS, REQUIRED


class Form(NamedTuple):
    """The fields of a sort of record, in order, and those that each must have.

    `ids` are the fields that have no blanks around them, whatever the file has.
    `exact` are the fields whose cells must not be guessed at where a file is damaged.
    `takes_further`: columns that are no field are handed on beside the fields.
    """

    fields: tuple[str, ...]
    required: tuple[str, ...]
    ids: tuple[str, ...]
    exact: tuple[str, ...]
    takes_further: bool = False


TIMES: Final = Form(("booked_at",), ("booked_at",), (), ())
"""The times of transactions alone, to see whether they are in order: no row is judged for them."""

TRANSACTIONS: Final = Form(FIELDS, REQUIRED, IDS, (*REQUIRED, "reverses"))
ACCOUNTS: Final = Form(
    ACCOUNT_FIELDS, ACCOUNT_REQUIRED, ("account_id",), ACCOUNT_REQUIRED, takes_further=True
)
