"""Erasure of one account from a store, on request, in one transaction that the audit tells.

What is about the account goes. Where records of others name it, a keyed pseudonym stands instead,
and so it does in the audit, whose entries stay. What the topics hold does not come back.
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, select, text, update

from monitor.core.table_reader import ProblemsError
from monitor.store.audit import ERASE, append, redact
from monitor.store.days import LAST, SCHEMA, row_of, sealed_between
from monitor.store.figures.standings import take_away_from_counts
from monitor.store.intake import hold_alerts
from monitor.store.keeping.erased import Keyed, note_alerts, replaced, strings_in
from monitor.store.people import Role
from monitor.store.records import json_of
from monitor.store.schema import (
    account_days,
    actions,
    alerts,
    answers,
    audit,
    deliveries,
    erased_accounts,
    erasure_secrets,
    outbox,
    proposal_steps,
    rejections,
    revisions,
    saved_views,
    segment_days,
    task_steps,
    users,
)
from monitor.store.sealing import hold_days, rewrite, sealed_rows, sweep
from monitor.store.store import Store, in_pieces, insert_new

REASON_LENGTH_MAX: Final = 500
ERASED_NOTE: Final = "(erased)"
"""In place of a free text about the account that the audit had."""

STILL_HELD: Final = (
    "The topics still hold what they were told: the archive passes it over, and other readers do"
    " not. See erasure in docs/operations.md for the topics, backups and other stores."
)
_ROWS_AT_A_TIME: Final = 1000
_REDACTED: Final = ("subject", "before", "after")


class ErasureError(ProblemsError):
    """An account that cannot be erased so."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the account cannot be erased so", problems)


class Erasure(NamedTuple):
    """What an erasure did, in rows of each table.

    `mentions` are texts that stay, in which the account's id stands within a longer text, as in a
    note of somebody about another account: only a person can tell what it means there.
    `is_overwritten`: no file of the database has what went (SQLite; PostgreSQL's VACUUM is its
    own).
    """

    pseudonym: str
    taken_away: Mapping[str, int]
    changed: Mapping[str, int]
    mentions: Mapping[str, int]
    is_dry_run: bool
    is_overwritten: bool


def erase(
    store: Store, account_id: str, now: int, *, by: str, reason: str, is_dry_run: bool = False
) -> Erasure:
    """Erase an account; a dry run counts, and changes nothing.

    Erasing one again takes what another way brought back. Raises ErasureError with all that is
    wrong, as if `by` is no administrator that is active, and StoreError if the file of a sealed day
    is not there, or is not the one that was written.
    """
    with store.begin() as connection:
        _ensure_may(connection, account_id, by, reason)
        savepoint = connection.begin_nested() if is_dry_run else None
        erasing = _Erasing(connection, account_id, _keyed(connection), is_dry_run=is_dry_run)
        entry = erasing.erased(now, by)
        if savepoint is not None:
            savepoint.rollback()
        else:
            after = {
                "reason": reason,
                "taken_away": erasing.taken_away,
                "changed": erasing.changed,
                **entry,
            }
            append(
                connection,
                at=now,
                actor=by,
                action=ERASE,
                subject=erasing.pseudonym,
                after=after,
            )
    if not is_dry_run:
        sweep(store)  # what its days were in before; if this is killed first, the archive does so
    return Erasure(
        erasing.pseudonym if not is_dry_run else "",
        erasing.taken_away,
        erasing.changed,
        erasing.mentions,
        is_dry_run,
        not is_dry_run and _overwritten(store),
    )


def _ensure_may(connection: Connection, account_id: str, by: str, reason: str) -> None:
    found = connection.execute(
        select(users.c.role).where(users.c.name == by, users.c.is_active)
    ).scalar()
    problems = []
    if not 1 <= len(account_id) <= _SUBJECT_MAX or "\0" in account_id:
        problems.append("an account's id must have 1 to 256 characters, and no NUL")
    if found is None or Role(found) is not Role.ADMIN:
        problems.append(f"--by must be an administrator who is active, not {by[:80]!r}")
    if not 1 <= len(reason.strip()) <= REASON_LENGTH_MAX:
        problems.append(f"a reason must have 1 to {REASON_LENGTH_MAX} characters")
    if account_id and account_id in reason:
        problems.append("a reason must not have the account's id: the audit keeps the reason")
    if problems:
        raise ErasureError(problems)


def _keyed(connection: Connection) -> Keyed:
    """Return the store's secret, which is made at the first time."""
    made = {"number": 1, "secret": secrets.token_hex(32)}
    insert_new(connection, erasure_secrets, [made])
    return Keyed(bytes.fromhex(connection.execute(select(erasure_secrets.c.secret)).scalar_one()))


def _overwritten(store: Store) -> bool:
    """Let no file of SQLite have what went; return whether that is so.

    It is not as long as others read what was before.
    """
    if store.engine.dialect.name != "sqlite":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
            other.execute(text("VACUUM"))
        return True
    with closing(store.engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        found = cursor.fetchone()
        return found is not None and bool(found[0] == 0)


class _Erasing:
    """An erasure, within its transaction."""

    def __init__(
        self, connection: Connection, account_id: str, keyed: Keyed, *, is_dry_run: bool
    ) -> None:
        self.taken_away: dict[str, int] = {}
        self.changed: dict[str, int] = {}
        self.mentions: dict[str, int] = {}
        self.pseudonym = keyed.pseudonym_of(account_id)
        self._connection = connection
        self._account_id = account_id
        self._keyed = keyed
        self._is_dry_run = is_dry_run
        self._names: dict[str, str] = {account_id: self.pseudonym}
        self._forms = {
            account_id,
            json.dumps(account_id)[1:-1],
            json.dumps(account_id, ensure_ascii=False)[1:-1],
        }
        either = "|".join(map(re.escape, sorted(self._forms)))
        self._mention: Final = re.compile(rf"(?<!\w)(?:{either})(?!\w)")

    def erased(self, now: int, by: str) -> dict[str, Any]:
        """Erase it, and return what the audit's entry must say of the redacted ones."""
        hold_alerts(self._connection)
        hold_days(self._connection)
        its_alerts = self._alerts()
        self._names |= {name: self._keyed.pseudonym_of(name) for name in its_alerts}
        self._note(now, by, its_alerts)
        self._take_alerts(its_alerts)
        self._take_tasks()
        self._take_views()
        for counts in (self.taken_away, self.changed, self.mentions):
            counts[account_days.name] = 0
        self._take_sealed()
        self._take(account_days, account_days.c.account_id == self._account_id)
        self._take_naming(rejections, "record")
        self._take_naming(answers, "body")
        self._take_naming(deliveries, "body", is_own=True)
        self._replace()
        return redact(self._connection, dict(self._redacted()))

    def _alerts(self) -> list[str]:
        chosen = select(alerts.c.alert_id).where(alerts.c.account_id == self._account_id)
        return sorted(self._connection.execute(chosen).scalars())

    def _note(self, now: int, by: str, its_alerts: Sequence[str]) -> None:
        row = {
            "account_hash": self._keyed.hash_of(self._account_id),
            "erased_at": now,
            "by": by,
            "passed_over": 0,
        }
        insert_new(self._connection, erased_accounts, [row])
        note_alerts(self._connection, [self._keyed.hash_of(name) for name in its_alerts])

    def _take(self, table: Table, its: ColumnElement[bool]) -> None:
        taken = self._connection.execute(delete(table).where(its)).rowcount
        self.taken_away[table.name] = self.taken_away.get(table.name, 0) + taken

    def _take_alerts(self, its_alerts: Sequence[str]) -> None:
        for table in (alerts, revisions, actions, outbox):
            self.taken_away[table.name] = 0
        take_away_from_counts(self._connection, its_alerts)
        for piece in in_pieces(its_alerts):
            for table in (revisions, actions, alerts):
                self._take(table, table.c.alert_id.in_(piece))
            self._take(outbox, outbox.c.key.in_(piece))

    def _take_tasks(self) -> None:
        """Take the tasks with the account's client away, whole."""
        opened = select(task_steps.c.task_id).where(task_steps.c.account_id == self._account_id)
        ids = sorted(self._connection.execute(opened).scalars())
        note_alerts(self._connection, [self._keyed.hash_of(name) for name in ids])
        self.taken_away[task_steps.name] = 0
        for piece in in_pieces(ids):
            self._take(task_steps, task_steps.c.task_id.in_(piece))
            self._take(outbox, outbox.c.key.in_(piece))

    def _take_views(self) -> None:
        """Take views of the queue away that have a filter of the account, or search for it."""
        self.taken_away[saved_views.name] = 0
        for row in self._connection.execute(select(saved_views)).all():
            if any(value in self._names for _, value in parse_qsl(row.query)):
                its = saved_views.c.owner == row.owner, saved_views.c.name == row.name
                self._take(saved_views, and_(*its))

    def _take_sealed(self) -> None:
        """Rewrite the files of sealed days that name the account.

        What a row of the table comes before is not counted twice, and is rewritten all the same.
        """
        names = sorted(
            {msgspec.json.encode(name).decode()[1:-1] for name in self._names} | self._forms
        )
        named = ["|".join(map(re.escape, piece)) for piece in in_pieces(names)]
        for sealed in sealed_between(self._connection, "", LAST):
            rows = sealed_rows(self._connection, sealed)
            its = pc.equal(rows["account_id"], self._account_id)
            for expression in named:
                its = pc.or_(its, pc.match_substring_regex(rows["record"], expression))
            if pc.any(its).as_py():
                self._rewrite(sealed, rows, its)

    def _rewrite(self, sealed: Row[Any], rows: pa.Table, its: pa.ChunkedArray) -> None:
        later = self._later(sealed.business_day)
        kept: list[dict[str, Any]] = []
        is_other = False
        for row in rows.filter(its).to_pylist():
            counts = int(row["account_id"] not in later)
            if row["account_id"] == self._account_id:
                self.taken_away[account_days.name] += counts
                is_other = True
                continue
            said = json.loads(row["record"])
            other = replaced(said, self._names.get)
            if other != said:
                row = {**row_of(json_of(other)), "account_id": row["account_id"]}  # noqa: PLW2901
                self.changed[account_days.name] += counts
                is_other = True
            if self._mention.search(row["record"]):
                self.mentions[account_days.name] += counts
            kept.append(row)
        if is_other and not self._is_dry_run:
            whole = [rows.filter(pc.invert(its)), pa.Table.from_pylist(kept, SCHEMA)]
            rewrite(self._connection, sealed, pa.concat_tables(whole).sort_by("account_id"))

    def _later(self, day: str) -> set[str]:
        """Return the accounts whose account-day stands in the table."""
        chosen = select(account_days.c.account_id).where(account_days.c.business_day == day)
        return set(self._connection.execute(chosen).scalars())

    def _take_naming(
        self,
        table: Table,
        column: str,
        *,
        is_own: bool = False,
    ) -> None:
        """Take rows away whose JSON names the account; `is_own`: only events about its alerts."""
        self.taken_away[table.name] = 0
        keys = list(table.primary_key)
        for row in self._rows(table, column):
            said = _json(getattr(row, column))
            if is_own:
                is_its = isinstance(said, dict) and said.get("subject") in self._names
            else:
                is_its = any(
                    text in self._names or self._mention.search(text) for text in strings_in(said)
                )
            if is_its:
                its = [key == getattr(row, key.name) for key in keys]
                taking = delete(table).where(*its)
                self.taken_away[table.name] += self._connection.execute(taking).rowcount

    def _rows(self, table: Table, column: str) -> Iterator[Any]:
        """Yield rows: read whole pieces first, so that a row may be changed meanwhile."""
        chosen = select(*table.primary_key, table.c[column]).order_by(*table.primary_key)
        yield from self._connection.execute(chosen).all()

    def _replace(self) -> None:
        """Put the pseudonym into records of others."""
        for table, column in (
            (alerts, "record"),
            (revisions, "record"),
            (actions, "detail"),
            (account_days, "record"),
            (segment_days, "record"),
            (deliveries, "body"),
            (outbox, "value"),
            (proposal_steps, "detail"),
        ):
            self.changed.setdefault(table.name, 0)  # of account-days there are those in files
            self.mentions.setdefault(table.name, 0)
            keys = list(table.primary_key)
            for row in self._rows(table, column):
                held = getattr(row, column)
                said = _json(held)
                other = replaced(said, self._names.get)
                if other != said:
                    its = [key == getattr(row, key.name) for key in keys]
                    held = _written(table, other)
                    writing = update(table).where(*its).values({column: held})
                    self._connection.execute(writing)
                    self.changed[table.name] += 1
                if self._mention.search(held):
                    self.mentions[table.name] += 1

    # -- the audit ---------------------------------------------------------------------------------

    def _redacted(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the entries that name the account, or an alert of it, as they must be."""
        self.changed[audit.name] = self.mentions[audit.name] = 0
        columns = [audit.c[name] for name in ("number", *_REDACTED)]
        for row in self._connection.execute(select(*columns).order_by(audit.c.number)).all():
            subject = self._subject(row.subject)
            is_its = subject != row.subject
            fields = {
                "subject": subject,
                "before": self._said(row.before, is_its=is_its),
                "after": self._said(row.after, is_its=is_its),
            }
            if any(fields[name] != getattr(row, name) for name in _REDACTED):
                self.changed[audit.name] += 1
                yield row.number, fields
            if any(self._mention.search(text or "") for text in fields.values()):
                self.mentions[audit.name] += 1

    def _subject(self, subject: str) -> str:
        """Return a subject without the account: alone, or after a noun as pages write it."""
        if subject in self._names:
            return self._names[subject]
        noun, _, name = subject.partition(" ")
        for its, other in self._names.items():
            if name and (name == its or (len(subject) == _SUBJECT_MAX and its.startswith(name))):
                return f"{noun} {other}"
        return subject

    def _said(self, held: str | None, *, is_its: bool) -> str | None:
        if held is None:
            return None
        said = _json(held)
        other = replaced(said, self._names.get)
        if is_its and isinstance(other, dict) and other.get("note"):
            other = {**other, "note": ERASED_NOTE}
        canonical = json.dumps(other, sort_keys=True, separators=(",", ":"))
        return held if other == said else canonical


_SUBJECT_MAX: Final = 256


def _json(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return JSON of a column; any other text (an answer, a policy) is one string."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _written(table: Table, value: Any) -> str:  # noqa: ANN401 - JSON
    """Return JSON as the column of a table has it."""
    if isinstance(value, str):
        return value
    if table is deliveries:
        return json.dumps(value, separators=(",", ":"))
    if table is outbox:
        return json.dumps(value, ensure_ascii=False)
    return json_of(value)
