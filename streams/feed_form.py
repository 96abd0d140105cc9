"""What the rows of a file are to become: transactions, or accounts."""

from typing import Final, NamedTuple

from monitor.core.attributes import ACCOUNT_FIELDS, ACCOUNT_REQUIRED
from monitor.core.transaction import FIELDS, REQUIRED


class Form(NamedTuple):
    """The fields of a sort of record, in order, and those that each must have.

    `takes_further`: columns that are no field are handed on beside the fields.
    """

    fields: tuple[str, ...]
    required: tuple[str, ...]
    takes_further: bool = False


TRANSACTIONS: Final = Form(FIELDS, REQUIRED)
ACCOUNTS: Final = Form(ACCOUNT_FIELDS, ACCOUNT_REQUIRED, takes_further=True)
