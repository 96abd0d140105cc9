"""Erased accounts of a store, which must not come back: known by keyed hashes alone."""

import hashlib
import hmac
import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from monitor.store.records import Read, RecordSort
from monitor.store.schema import (
    actions,
    erased_accounts,
    erased_alerts,
    erasure_secrets,
    task_steps,
)
from monitor.store.store import in_pieces, insert_new

PSEUDONYM: Final = "erased-"
DIGITS: Final = 16
NOT_NAMING: Final = frozenset(
    {
        "above",
        "action",
        "amount",
        "business_day",
        "by",
        "assignee",
        "channel",
        "credit_amount",
        "currency",
        "days",
        "debit_amount",
        "direction",
        "disposition",
        "kind",
        "limit",
        "limit_ratio",
        "measure",
        "model",
        "over_by",
        "policy_version",
        "reason",
        "role",
        "score",
        "segment",
        "segments",
        "severity",
        "share",
        "state",
        "status",
        "suggested_limit",
        "threshold_id",
        "times_limit",
        "type",
        "until",
        "value_before",
        "verdict",
    }
)
"""Fields that name no account, though one may be called as what they say: a segment, an amount."""

_WORD: Final = re.compile(r"[^\s\"'\\,;:(){}\[\]<>=]+")


class Keyed(NamedTuple):
    """The secret of a store, and the hashes and pseudonyms that it makes."""

    secret: bytes

    def hash_of(self, text: str) -> str:
        """Return the keyed hash of a text, 64 hex digits."""
        said = text.encode("utf-8", "surrogatepass")
        return hmac.digest(self.secret, said, hashlib.sha256).hex()

    def pseudonym_of(self, text: str) -> str:
        """Return what stands in place of a text."""
        return pseudonym(self.hash_of(text))


def pseudonym(its_hash: str) -> str:
    """Return the pseudonym that a keyed hash makes."""
    return PSEUDONYM + its_hash[:DIGITS]


def replaced(value: Any, replacement: Callable[[str], str | None]) -> Any:  # noqa: ANN401 - JSON
    """Return JSON with whole strings replaced, where `replacement` is not None.

    Names of fields stay, and the texts of the fields of `NOT_NAMING`; a `value` names somebody
    only beside the `type` of what it names, else it is an amount.
    """
    if isinstance(value, str):
        other = replacement(value)
        return value if other is None else other
    if isinstance(value, Mapping):
        return {
            name: its if _names_nobody(name, its, value) else replaced(its, replacement)
            for name, its in value.items()
        }
    if isinstance(value, list | tuple):
        return [replaced(item, replacement) for item in value]
    return value


def _names_nobody(name: str, its: Any, fields: Mapping[str, Any]) -> bool:  # noqa: ANN401 - JSON
    if isinstance(its, list | tuple):
        return name in NOT_NAMING and all(isinstance(item, str) for item in its)
    return isinstance(its, str) and (
        name in NOT_NAMING or (name == "value" and "type" not in fields)
    )


def strings_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield all strings of JSON, names of fields as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, its in value.items():
            yield str(name)
            yield from strings_in(its)
            if str(name).endswith("_base64") and isinstance(its, str):
                yield b64decode(its).decode(errors="replace")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings_in(item)


def parts_of(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield the strings of a rejection, their words, and the strings of JSON within them."""
    for text in strings_in(value):
        yield text
        yield from _WORD.findall(text)
        if text[:1] in "{[":
            try:
                inner = json.loads(text)
            except (ValueError, RecursionError):
                continue  # it was rejected, perhaps because of that: its words were seen
            yield from strings_in(inner)


class Erased:
    """What a store has erased. Without anything of it nothing is hashed."""

    def __init__(self, keyed: Keyed, accounts: set[str], its_alerts: set[str]) -> None:
        self._keyed = keyed
        self._accounts = accounts
        self._alerts = its_alerts

    @property
    def accounts(self) -> frozenset[str]:
        """The hashes of accounts."""
        return frozenset(self._accounts)

    def replacement(self, text: str) -> str | None:
        """Return the pseudonym of a text that was erased, else None."""
        its_hash = self._keyed.hash_of(text)
        is_erased = its_hash in self._accounts or its_hash in self._alerts
        return pseudonym(its_hash) if is_erased else None

    def is_alert(self, alert_id: str) -> bool:
        """Return whether an alert was erased, or a task with its client."""
        return self._keyed.hash_of(alert_id) in self._alerts

    def holds(self, value: Any) -> bool:  # noqa: ANN401 - JSON
        """Return whether a rejection names what was erased."""
        return any(self.replacement(text) is not None for text in parts_of(value))

    def without(self, connection: Connection, read: Sequence[Read]) -> list[Read]:
        """Return records without those of erased accounts, which are counted.

        Those of others that name an erased account name its pseudonym. What was done with an
        erased account's alert goes, whichever comes first.
        """
        passed: Counter[str] = Counter()
        late: set[str] = set()
        for item in read:
            its_account = self._account_of(item)
            if its_account is not None:
                passed[its_account] += 1
                if item.sort is RecordSort.ALERT:
                    late.add(item.value["alert_id"])
                elif item.sort is RecordSort.TASK_STEP:
                    late.add(item.value.task_id)
        self._forget(connection, sorted(late))
        if passed:
            connection.execute(
                _PASSED, [{"its": name, "times": times} for name, times in sorted(passed.items())]
            )
        return [self._cleaned(item) for item in read if not self._is_gone(item)]

    def _account_of(self, item: Read) -> str | None:
        if item.sort is RecordSort.TASK_STEP:
            account_id = item.value.detail.get("account_id")
        elif item.sort in (RecordSort.ALERT, RecordSort.ACCOUNT_DAY):
            account_id = item.value.get("account_id")
        else:
            return None
        if account_id is None:
            return None
        its_hash = self._keyed.hash_of(account_id)
        return its_hash if its_hash in self._accounts else None

    def _is_gone(self, item: Read) -> bool:
        if item.sort is RecordSort.ACTION:
            return self.is_alert(item.value.alert_id)
        if item.sort is RecordSort.TASK_STEP and self.is_alert(item.value.task_id):
            return True
        return self._account_of(item) is not None

    def _cleaned(self, item: Read) -> Read:
        if item.sort in (RecordSort.ALERT, RecordSort.ACCOUNT_DAY, RecordSort.SEGMENT_DAY):
            return item._replace(value=replaced(item.value, self.replacement))
        return item

    def _forget(self, connection: Connection, ids: Sequence[str]) -> None:
        hashes = {name: self._keyed.hash_of(name) for name in ids}
        new = [name for name in ids if hashes[name] not in self._alerts]
        note_alerts(connection, [hashes[name] for name in new])
        for piece in in_pieces(new):
            connection.execute(delete(actions).where(actions.c.alert_id.in_(piece)))
            connection.execute(delete(task_steps).where(task_steps.c.task_id.in_(piece)))
        self._alerts |= {hashes[name] for name in new}


def note_alerts(connection: Connection, hashes: Sequence[str]) -> None:
    """Keep the hashes of alerts and tasks that were erased."""
    insert_new(connection, erased_alerts, [{"alert_hash": its} for its in hashes])


_PASSED: Final = (
    update(erased_accounts)
    .where(erased_accounts.c.account_hash == bindparam("its"))
    .values(passed_over=erased_accounts.c.passed_over + bindparam("times"))
)


def erased_of(connection: Connection) -> Erased | None:
    """Return what a store has erased; None if that is nothing."""
    accounts = set(connection.execute(select(erased_accounts.c.account_hash)).scalars())
    if not accounts:
        return None
    secret = connection.execute(select(erasure_secrets.c.secret)).scalar_one()
    its_alerts = set(connection.execute(select(erased_alerts.c.alert_hash)).scalars())
    return Erased(Keyed(bytes.fromhex(secret)), accounts, its_alerts)
