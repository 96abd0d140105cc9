"""An account's attributes as the bank states them: segment, branch, product and more.

Of all that, the segment, the branch and the product decide; the rest is for people and for
insight, and stays on the topic.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, NamedTuple

from monitor.core.names import ATTRIBUTES_MAX
from monitor.core.transaction import Reason, Rejection, id_fault, text_fault

ACCOUNT_FIELDS: Final = ("account_id", "segment", "branch", "product", "opened")
"""The fields of an account's record, in the order of the columns of a file."""

ACCOUNT_REQUIRED: Final = ACCOUNT_FIELDS[:1]

FURTHER_MAX: Final = 100
"""Free attributes that an account has at most."""

REASONS: Final = (Reason.MALFORMED, Reason.MISSING_FIELD, Reason.BAD_TIME, Reason.WRONG_KEY)
"""Why an account's record may be set aside, in precedence."""

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Attributes(NamedTuple):
    """What decides of an account's attributes. Many accounts have the same, and share them."""

    segment: str | None = None
    branch: str | None = None
    product: str | None = None


NO_ATTRIBUTES: Final = Attributes()
"""Of an account that nobody has said anything of."""


class AccountRecord(NamedTuple):
    """One account as its record states it; `opened` is a day, as a proleptic ordinal."""

    account_id: str
    attributes: Attributes
    opened: int | None
    further: Mapping[str, str]


def account_record_of(
    fields: Iterable[str | None], further: Mapping[str, str]
) -> AccountRecord | Rejection:
    """Return the account that the texts of a record name, or why they name none.

    `fields` has one text for each of `ACCOUNT_FIELDS`; an empty one is none.
    """
    account_id, segment, branch, product, opened = (text or None for text in fields)
    names = (account_id, segment, branch, product)
    for name, text in zip(ACCOUNT_FIELDS, names, strict=False):
        if fault := text_fault(name, text or ""):
            return fault
    if account_id and (fault := id_fault("account_id", account_id)):
        return fault
    if len(further) > FURTHER_MAX:
        return Rejection(
            Reason.MALFORMED, f"it has {len(further)} free attributes: at most {FURTHER_MAX}"
        )
    for name in further:
        if fault := text_fault("a free attribute's name", name):
            return fault
    if account_id is None:
        return Rejection(Reason.MISSING_FIELD, "account_id")
    day = None
    if opened is not None:
        day = _day_of(opened)
        if day is None:
            return Rejection(
                Reason.BAD_TIME, f"opened is {opened[:40]!r}: it is a date, e.g. 2019-04-30"
            )
    return AccountRecord(account_id, Attributes(segment, branch, product), day, further)


def _day_of(text: str) -> int | None:
    """Return the day of YYYY-MM-DD, which a time of day may follow; None if it names none."""
    written = text[:10]
    if not _DATE.fullmatch(written) or text[10:11] not in ("", "T", " "):
        return None
    try:
        return date.fromisoformat(written).toordinal()
    except ValueError:
        return None


class AttributeBook:
    """The attributes of a partition's accounts, as far as they decide.

    An account takes a place in a dictionary, some 40 to 85 bytes beside its id: the attributes
    themselves are shared with all accounts that have the same, up to `ATTRIBUTES_MAX` kinds.
    `unshared` counts those that found no place among them.
    """

    __slots__ = ("_shared", "known", "unshared")

    def __init__(self) -> None:
        self.known: dict[str, Attributes] = {}
        self.unshared = 0
        self._shared: dict[Attributes, Attributes] = {}

    def take(self, account_id: str, attributes: Attributes | None) -> bool:
        """Note what an account has now, None if it is forgotten; return whether it is new."""
        before = self.known.get(account_id, NO_ATTRIBUTES)
        if attributes is None or attributes == NO_ATTRIBUTES:
            self.known.pop(account_id, None)
            return before != NO_ATTRIBUTES
        self.known[account_id] = self.shared(attributes)
        return before != attributes

    def shared(self, attributes: Attributes) -> Attributes:
        """Return the one object that stands for all equal attributes, if there is room for it."""
        shared = self._shared.get(attributes)
        if shared is not None:
            return shared
        if len(self._shared) >= ATTRIBUTES_MAX:
            self.unshared += 1
            return attributes
        self._shared[attributes] = attributes
        return attributes

    def kinds(self) -> int:
        """Return how many kinds of attributes are shared."""
        return len(self._shared)
