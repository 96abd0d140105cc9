"""The audit, a chain of hashes: an entry that is changed, lost or put in is found and named.

The chain alone cannot show that its last entries were cut off, or that all of it was written again
with new hashes. For that, keep the number and hash of an entry elsewhere, and give them to
`verify` as `known`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from monitor.store.schema import audit, audit_anchors, audit_redactions
from monitor.store.store import take_turns

FIRST_PREVIOUS: Final = "0" * 64
"""What the first entry has as the hash before it."""

PRUNE: Final = "prune"
"""The action of an entry that says what was taken away by age."""

ERASE: Final = "erase"
"""The action of an entry that says which entries before it were redacted."""

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
    last: Any = connection.execute(
        select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    ).one_or_none()
    last = last or _anchor(connection)
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


def append_step(
    connection: Connection,
    subject: str,
    step: Mapping[str, Any],
    *,
    at: int,
    before: Mapping[str, Any],
) -> None:
    """Add an entry of a step of a proposal or of a task, whose fields say `by` and `action`."""
    append(
        connection,
        at=at,
        actor=step["by"],
        action=step["action"],
        subject=subject,
        before=before,
        after=step,
    )


def take_away(connection: Connection, number: int) -> Known:
    """Take away all entries up to one, and return that one: the chain goes on from its hash.

    Whoever does this adds the entry PRUNE that says so in the same transaction (`pruned`), or
    `verify` finds the chain broken. Raises LookupError if there is no such entry.
    """
    found = connection.execute(select(audit.c.hash).where(audit.c.number == number)).scalar()
    if found is None:
        raise LookupError(f"there is no entry {number}")
    connection.execute(delete(audit).where(audit.c.number <= number))
    connection.execute(delete(audit_redactions).where(audit_redactions.c.erasure <= number))
    connection.execute(delete(audit_anchors))
    connection.execute(insert(audit_anchors).values(number=number, hash=found))
    return Known(number, found)


def pruned(anchor: Known) -> dict[str, Any]:
    """Return what the entry PRUNE says of entries that were taken away."""
    return {"audit": anchor._asdict()}


def redact(connection: Connection, changed: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Let entries say something else, and return what the entry ERASE must say of that.

    `changed` has the new `subject`, `before` (as JSON) and `after` by number. The entry must be
    the next of the audit, in the same transaction, or `verify` finds each of them broken.
    """
    take_turns(connection, _LOCK)
    anchor = _anchor(connection)
    last = connection.execute(select(func.max(audit.c.number))).scalar()
    erasure = 1 + (last or (0 if anchor is None else anchor.number))
    hashes: dict[int, str] = {}
    for number, fields in sorted(changed.items()):
        connection.execute(update(audit).where(audit.c.number == number).values(**fields))
        row = connection.execute(select(audit).where(audit.c.number == number)).one()
        hashes[number] = _hash_of(row._asdict())
    if hashes:
        connection.execute(
            insert(audit_redactions),
            [{"number": its, "erasure": erasure, "hash": said} for its, said in hashes.items()],
        )
    return {"redacted": len(hashes), "redactions": _digest_of(hashes.items())}


def _digest_of(redacted: Iterable[tuple[int, str]]) -> str:
    """Return a hash over the numbers and new hashes of entries."""
    return hashlib.sha256(_canonical(sorted(redacted)).encode()).hexdigest()


def _redactions(connection: Connection) -> dict[int, str]:
    """Return the hashes of what redacted entries say now, if an entry ERASE commits to them."""
    by_erasure: dict[int, list[tuple[int, str]]] = {}
    for row in connection.execute(select(audit_redactions)):
        by_erasure.setdefault(row.erasure, []).append((row.number, row.hash))
    last: dict[int, tuple[int, str]] = {}
    for erasure, redacted in sorted(by_erasure.items()):
        chosen = select(audit.c.after).where(audit.c.number == erasure, audit.c.action == ERASE)
        said = connection.execute(chosen).scalar()
        if said is None or _digest_in(said) != _digest_of(redacted):
            continue
        for number, its in redacted:
            if number < erasure:
                last[number] = erasure, its
    return {number: its for number, (_, its) in last.items()}


def _digest_in(said: object) -> object:
    """Return the digest that the text of an entry has; of a text that is broken, None."""
    try:
        fields = json.loads(said) if isinstance(said, str) else None
    except ValueError:
        return None
    return fields.get("redactions") if isinstance(fields, dict) else None


def verify(connection: Connection, known: Known | None = None) -> Verified:
    """Read the chain from its first entry to its last, and stop at the first that is broken.

    If entries were taken away, it begins after them, and an entry must say so.
    """
    anchor = _anchor(connection)
    first, last = (0, FIRST_PREVIOUS) if anchor is None else anchor
    if known is not None and known.number <= first and known != anchor:
        why = f"it was taken away: the audit begins with entry {first + 1}. Note a later one"
        return Verified(0, known.number, why, last)
    entries, is_said = 0, anchor is None
    redacted = _redactions(connection)
    chain = connection.execute(
        select(audit).order_by(audit.c.number),
        execution_options={"stream_results": True, "yield_per": _ROWS_AT_A_TIME},
    )
    with chain:
        try:
            for row in chain:
                found = _fault(row, first + entries + 1, last, known, redacted)
                if found is not None:
                    return Verified(entries, *found, last)
                entries, last = entries + 1, row.hash
                is_said = is_said or (anchor is not None and _says(row, anchor))
        except DBAPIError as error:  # as a text that is not UTF-8
            why = f"this entry, or a later one, cannot be read: {error.orig}"
            return Verified(entries, first + entries + 1, why, last)
    if not is_said:
        why = "entries up to it were taken away, and no entry says so"
        return Verified(0, first, why, last)
    if known is not None and known.number > first + entries:
        why = f"it must be there, with the hash {known.hash}: the last entry is {first + entries}"
        return Verified(entries, first + entries + 1, why, last)
    return Verified(entries, None, None, last)


def _anchor(connection: Connection) -> Known | None:
    found = connection.execute(
        select(audit_anchors).order_by(audit_anchors.c.number.desc()).limit(1)
    ).one_or_none()
    return None if found is None else Known(found.number, found.hash)


def _says(row: Row[Any], anchor: Known) -> bool:
    """Return whether an entry says that all up to an anchor was taken away."""
    is_one = row.action == PRUNE and row.after is not None
    return is_one and json.loads(row.after).get("audit") == anchor._asdict()


def _fault(
    row: Row[Any],
    number: int,
    previous: str,
    known: Known | None,
    redacted: Mapping[int, str],
) -> tuple[int, str] | None:
    """Return which entry is broken and why, if the row is not the entry that must come here."""
    if row.number > number:
        return number, f"it is missing: the next entry that is there is {row.number}"
    if row.number < number:
        return row.number, "no entry may have this number: the first is 1"
    if row.previous != previous:
        return number, "it was changed, or the entry before it was: it has another hash of that one"
    if _hash_of(row._asdict()) != redacted.get(number, row.hash):
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
