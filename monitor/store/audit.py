"""The audit, a chain of hashes: an entry that is changed, lost or put in is found and named.

The chain alone cannot show that its last entries were cut off, or that all of it was written again
with new hashes. For that, keep the number and hash of an entry elsewhere, and give them to
`verify` as `known`.
"""

import hashlib
import json
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.exc import DBAPIError

from monitor.store.schema import audit
from monitor.store.store import take_turns

FIRST_PREVIOUS: Final = "0" * 64
"""What the first entry has as the hash before it."""

TEXT_LENGTH_MAX: Final = 256
ACTION_LENGTH_MAX: Final = 32
"""Characters, as the columns have room for."""

_LOCK: Final = 7353715
_ROWS_AT_A_TIME: Final = 1000
_HASHED: Final = tuple(column.name for column in audit.c if column.name != "hash")


class Known(NamedTuple):
    """An entry as somebody noted it outside of the database."""

    number: int
    hash: str


class Verified(NamedTuple):
    """The outcome of reading a chain.

    `entries` are those that are right, up to the first that is not: its number is `broken`, and
    `why` says how. `last` is the hash of the last entry that is right.
    """

    entries: int
    broken: int | None
    why: str | None
    last: str


def append(  # noqa: PLR0913 - an entry has these fields
    connection: Connection,
    *,
    at: int,
    actor: str,
    action: str,
    subject: str,
    before: object | None = None,
    after: object | None = None,
    request: str | None = None,
) -> int:
    """Add an entry in the transaction of what it tells, and return its number, from 1 on.

    `before` and `after` are anything that JSON has. Let it be the last statement of a transaction:
    on PostgreSQL all others that add an entry wait from here to the commit. Raises ValueError if a
    text is longer than its column.
    """
    for name, value, most in (
        ("actor", actor, TEXT_LENGTH_MAX),
        ("action", action, ACTION_LENGTH_MAX),
        ("subject", subject, TEXT_LENGTH_MAX),
        ("request", request or "", TEXT_LENGTH_MAX),
    ):
        if len(value) > most:
            raise ValueError(f"{name} must have at most {most} characters, not {len(value)}")
    take_turns(connection, _LOCK)
    last = connection.execute(
        select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    ).one_or_none()
    entry: dict[str, Any] = {
        "number": 1 if last is None else last.number + 1,
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "before": None if before is None else _canonical(before),
        "after": None if after is None else _canonical(after),
        "request": request,
        "previous": FIRST_PREVIOUS if last is None else last.hash,
    }
    connection.execute(insert(audit).values(**entry, hash=_hash_of(entry)))
    return int(entry["number"])


def verify(connection: Connection, known: Known | None = None) -> Verified:
    """Read the chain from its first entry to its last, and stop at the first that is broken."""
    entries, last = 0, FIRST_PREVIOUS
    chain = connection.execute(
        select(audit).order_by(audit.c.number),
        execution_options={"stream_results": True, "yield_per": _ROWS_AT_A_TIME},
    )
    with chain:
        try:
            for row in chain:
                found = _fault(row, entries + 1, last, known)
                if found is not None:
                    return Verified(entries, *found, last)
                entries, last = entries + 1, row.hash
        except DBAPIError as error:  # as a text that is not UTF-8
            why = f"this entry, or a later one, cannot be read: {error.orig}"
            return Verified(entries, entries + 1, why, last)
    if known is not None and known.number > entries:
        why = f"it must be there, with the hash {known.hash}: the last entry is {entries}"
        return Verified(entries, entries + 1, why, last)
    return Verified(entries, None, None, last)


def _fault(
    row: Row[Any], number: int, previous: str, known: Known | None
) -> tuple[int, str] | None:
    """Return which entry is broken and why, if the row is not the entry that must come here."""
    if row.number > number:
        return number, f"it is missing: the next entry that is there is {row.number}"
    if row.number < number:
        return row.number, "no entry may have this number: the first is 1"
    if row.previous != previous:
        return number, "it was changed, or the entry before it was: it has another hash of that one"
    if row.hash != _hash_of(row._asdict()):
        return number, "it was changed: its hash is that of another content"
    if known is not None and known.number == number and row.hash != known.hash:
        return number, f"it was changed: its hash must be {known.hash}, as it was noted"
    return None


def _canonical(value: object) -> str:
    """Return JSON that equal values have in common."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _hash_of(entry: dict[str, Any]) -> str:
    """Return the hash of all fields of an entry, the hash before it among them."""
    hashed = {name: entry[name] for name in _HASHED}
    text_of_it = json.dumps(hashed, sort_keys=True, separators=(",", ":"), default=_of_foreign)
    return hashlib.sha256(text_of_it.encode()).hexdigest()


def _of_foreign(value: object) -> dict[str, str]:
    """Return JSON for a value that no entry of ours has, as bytes that were written by hand."""
    return {"type": type(value).__name__, "value": repr(value)}
