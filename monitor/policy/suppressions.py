"""The [[suppression]] tables of a policy: alerts told with a mark up to a business day."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from monitor.core.alert import NEVER_SUPPRESSED, Alert, Suppressed
from monitor.core.business_day import day_text
from monitor.core.table_reader import TableReader, day_stated, shown
from monitor.core.transaction import ID_LENGTH_MAX
from monitor.policy.where import refuse_misspelt

SUPPRESSION_KEYS: Final = ("account", "limit", "until", "reason")

REASON_LENGTH_MAX: Final = 500

_Stated = tuple[str, str | None]
"""An account and a limit's id; None for all its limits."""


class Suppression(NamedTuple):
    """Marks the alerts of an account and a limit up to the business day `until`, that included.

    `threshold_id` is None for all of its limits, and its outliers. The day is a proleptic ordinal.
    """

    account_id: str
    threshold_id: str | None
    until: int
    reason: str

    @property
    def text(self) -> str:
        """Whom it is for, and up to when, in words."""
        which = "every limit" if self.threshold_id is None else f"limit {self.threshold_id}"
        return f"account {self.account_id}, {which}, up to {day_text(self.until)}: {self.reason}"


class SuppressionBook:
    """The suppressions of one policy version, by account: an alert asks for those of its own."""

    __slots__ = ("_by_account",)

    def __init__(self, stated: Iterable[Suppression]) -> None:
        self._by_account: dict[str, dict[str | None, Suppression]] = {}
        for suppression in stated:
            of_account = self._by_account.setdefault(suppression.account_id, {})
            of_account[suppression.threshold_id] = suppression

    def mark_of(self, alert: Alert) -> Suppressed | None:
        """Return the mark of an alert; None if nothing suppresses it, and of reviews.

        A suppression of the alert's own limit goes before one of all limits of the account.
        """
        of_account = self._by_account.get(alert.account_id)
        if of_account is None or alert.kind in NEVER_SUPPRESSED:
            return None
        for threshold_id in (alert.threshold.threshold_id, None):
            suppression = of_account.get(threshold_id)
            if suppression is not None and alert.business_day <= suppression.until:
                return Suppressed(suppression.until, suppression.reason)
        return None


def suppressions_stated(document: TableReader) -> tuple[Suppression, ...]:
    """Return what the [[suppression]] tables of a policy state, as far as they can be read."""
    tables = document.get("suppression", [])
    if not isinstance(tables, list):
        document.refuse("suppression is not a list of tables: write [[suppression]]")
        return ()
    found: dict[_Stated, Suppression] = {}
    for number, table in enumerate(tables, 1):
        if not isinstance(table, dict):
            document.refuse(
                f"suppression {number} is not a table: write [[suppression]]", "suppression", number
            )
            continue
        suppression = _suppression(
            document.reader(table, f"suppression {number}: ", "suppression", number)
        )
        if suppression is None:
            continue
        twin = found.setdefault(suppression[:2], suppression)
        if twin is not suppression:
            document.refuse(
                f"suppression {number}: there is another one of account"
                f" {shown(suppression.account_id)} for {_limit_words(suppression)}:"
                " keep one of them",
                "suppression",
                number,
            )
    return tuple(found.values())


def _limit_words(suppression: Suppression) -> str:
    stated = suppression.threshold_id
    return "all its limits" if stated is None else f"limit {shown(stated)}"


def _suppression(table: TableReader) -> Suppression | None:
    table.refuse_unknown(SUPPRESSION_KEYS)
    account_id = _name(table, "account", "write the account's id")
    limit = None
    if "limit" in table.table:
        limit = _name(table, "limit", "write a limit's id, or leave it out for all limits")
    stated = table.get("until")
    until = day_stated(stated)
    if until is None:
        table.refuse(f"until is {shown(stated)}: write the last business day, e.g. 2026-12-31")
    reason = table.get("reason")
    if not (
        isinstance(reason, str)
        and reason.strip()
        and reason.isprintable()
        and len(reason) <= REASON_LENGTH_MAX
    ):
        table.refuse(
            f"reason is {shown(reason)}: write why, as one line of at most {REASON_LENGTH_MAX}"
            " characters"
        )
    if not table.is_good:
        return None
    assert until is not None
    return Suppression(account_id, limit, until, str(reason))


def _name(table: TableReader, key: str, what_to_do: str) -> str:
    value = table.get(key)
    if isinstance(value, str) and 0 < len(value) <= ID_LENGTH_MAX:
        refuse_misspelt(table, key, value)
        return value
    table.refuse(f"{key} is {shown(value)}: {what_to_do}")
    return ""


def suppression_notes(
    suppressions: Iterable[Suppression], names: Sequence[str], first: int, today: int
) -> list[str]:
    """Return what is odd of suppressions, each with what to do: they are no mistakes of a policy.

    `names` are the ids that alerts may name, `first` is the first business day of the policy, and
    `today` the business day now.
    """
    known = frozenset(names)
    notes: list[str] = []
    for suppression in suppressions:
        whose = f"the suppression of account {suppression.account_id}"
        if suppression.threshold_id is not None:
            whose += f" for limit {suppression.threshold_id}"
            if suppression.threshold_id not in known:
                notes.append(f"{whose} marks nothing: no such limit is stated; correct its limit")
        if suppression.until < first:
            notes.append(
                f"{whose} marks nothing: it ends on {day_text(suppression.until)}, before the"
                " policy is in force; take it out, or set a later until"
            )
        elif suppression.until < today:
            notes.append(
                f"{whose} has ended on {day_text(suppression.until)}: take it out, or set a later"
                " until"
            )
    return notes
