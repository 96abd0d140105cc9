"""Retention: how many days each sort of rows is kept, and what is taken away after that.

What the topics still hold comes back if the store is made again from them, and goes again with the
next pruning. Alerts go with their revisions, actions and tasks, and only if nobody has to work
them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from monitor.core.business_day import event_time_text
from monitor.store.audit import PRUNE, append, pruned, take_away
from monitor.store.days import count_before
from monitor.store.figures.standings import take_away_from_counts
from monitor.store.groups import place_changes, write_places
from monitor.store.intake import hold_alerts
from monitor.store.people import COMMAND_LINE, DAY
from monitor.store.schema import (
    account_days,
    actions,
    alerts,
    audit,
    failed_logins,
    outbox,
    rejection_counts,
    rejections,
    revisions,
    sealed_days,
    sessions,
    task_steps,
)
from monitor.store.sealing import hold_days, sweep
from monitor.store.standing import State
from monitor.store.store import Store, in_pieces, is_among
from monitor.store.work.tasklist import ended_ids

SUBJECT: Final = "store"
_DONE: Final = (State.CLOSED.value, State.WITHDRAWN.value, State.SUPPRESSED.value)


class Retention(NamedTuple):
    """For how many days each sort is kept; None is for ever."""

    alerts: int | None = None
    account_days: int | None = None
    rejections: int | None = None
    audit: int | None = None
    sessions: int | None = None

    def is_any(self) -> bool:
        """Return whether anything is ever taken away."""
        return any(days is not None for days in self)


def prune(
    store: Store,
    retention: Retention,
    now: int,
    *,
    by: str = COMMAND_LINE,
    is_dry_run: bool = False,
) -> dict[str, int]:
    """Take away what is older than it is kept, in one transaction; return the rows by table.

    Whatever was taken away is told by an entry of the audit. A dry run counts, and changes nothing.
    Account-days are counted wherever they stand: the files of sealed days go after the transaction,
    and if this is killed before that, the archive sweeps them away.
    """
    with store.begin() as connection:
        if retention.alerts is not None:
            hold_alerts(connection)
        if retention.account_days is not None:
            hold_days(connection)  # before any row, as everybody does: nobody waits in a ring
        savepoint = connection.begin_nested() if is_dry_run else None
        counts, said = _pruned(connection, retention, now)
        if savepoint is not None:
            savepoint.rollback()
        elif any(counts.values()):
            after = {"counts": counts, "days": retention._asdict(), **said}
            append(connection, at=now, actor=by, action=PRUNE, subject=SUBJECT, after=after)
    if retention.account_days is not None and not is_dry_run:
        sweep(store)
    return counts


def _pruned(
    connection: Connection, retention: Retention, now: int
) -> tuple[dict[str, int], Mapping[str, Any]]:
    counts: dict[str, int] = {}
    said: Mapping[str, Any] = {}

    def take(table: Table, is_old: ColumnElement[bool]) -> None:
        taken = connection.execute(delete(table).where(is_old)).rowcount
        counts[table.name] = counts.get(table.name, 0) + taken

    if retention.alerts is not None:
        accounts = set[str | None]()
        for piece in in_pieces(_old_alerts(connection, now - retention.alerts * DAY)):
            tasks = _tasks_of(connection, piece)
            theirs = select(alerts.c.account_id).where(
                is_among(connection, alerts.c.alert_id, piece)
            )
            accounts |= {*connection.execute(theirs).scalars()}
            take(outbox, outbox.c.key.in_(tasks))
            take(task_steps, task_steps.c.task_id.in_(tasks))
            take_away_from_counts(connection, piece)
            for table in (revisions, actions, alerts):
                take(table, table.c.alert_id.in_(piece))
            take(outbox, outbox.c.key.in_(piece))  # all of it is sent: _old_alerts sees to it
        write_places(connection, place_changes(connection, accounts, {}))  # of what is left
    if retention.account_days is not None:
        first = event_time_text(now - retention.account_days * DAY)[: len("2026-01-05")]
        counts[account_days.name] = _take_days(connection, first)
    if retention.rejections is not None:
        before = now - retention.rejections * DAY
        take(rejections, rejections.c.told_at < before)
        take(rejection_counts, rejection_counts.c.hour < before)
    if retention.sessions is not None:
        before = now - retention.sessions * DAY
        take(sessions, sessions.c.begun_at < before)
        take(failed_logins, failed_logins.c.at < before)
    if retention.audit is not None:
        number = _last_old_entry(connection, now - retention.audit * DAY)
        counts[audit.name] = 0
        if number is not None:
            chosen = select(func.count()).select_from(audit).where(audit.c.number <= number)
            counts[audit.name] = connection.execute(chosen).scalar_one()
            said = pruned(take_away(connection, number))
    return counts, said


def _take_days(connection: Connection, first: str) -> int:
    """Take away the account-days before a business day, wherever they stand; return how many.

    The transaction must hold the days.
    """
    count = count_before(connection, first)
    for table in (account_days, sealed_days):
        connection.execute(delete(table).where(table.c.business_day < first))
    return count


def _tasks_of(connection: Connection, alert_ids: Sequence[str]) -> Sequence[str]:
    """Return the ids of alerts' tasks: few, as people open them one by one."""
    chosen = select(task_steps.c.task_id).where(task_steps.c.alert_id.in_(alert_ids))
    return list(connection.execute(chosen.distinct()).scalars())


def _old_alerts(connection: Connection, before: int) -> Sequence[str]:
    """Return the ids of alerts that nobody has to work, and with which nothing was done since.

    An incident stays as long as one of its alerts does, and an alert whose decision waits for a
    broker stays until it is published. So does one with a task that somebody has to do, or did
    something with since.
    """
    touched = select(actions.c.alert_id).where(actions.c.at >= before)
    waiting = select(outbox.c.key).where(outbox.c.sent_at.is_(None))
    tasks = task_steps.alias()
    in_work = select(tasks.c.task_id).where((tasks.c.at >= before) | tasks.c.task_id.in_(waiting))
    busy = select(task_steps.c.alert_id).where(
        task_steps.c.alert_id.is_not(None)
        & (task_steps.c.task_id.not_in(ended_ids()) | task_steps.c.task_id.in_(in_work))
    )
    is_old = (
        alerts.c.state.in_(_DONE)
        & (alerts.c.told_at < before)
        & alerts.c.alert_id.not_in(touched)
        & alerts.c.alert_id.not_in(waiting)
        & alerts.c.alert_id.not_in(busy)
    )
    rows = connection.execute(select(alerts.c.alert_id).where(is_old)).scalars()
    old = set(rows)
    members = select(alerts.c.alert_id, alerts.c.incident_id).where(
        alerts.c.incident_id.is_not(None)
    )
    needed = {row.incident_id for row in connection.execute(members) if row.alert_id not in old}
    return sorted(old - needed)


def _last_old_entry(connection: Connection, before: int) -> int | None:
    """Return the last entry of those at the beginning that are all older than a moment."""
    first = connection.execute(
        select(func.min(audit.c.number)).where(audit.c.at >= before)
    ).scalar()
    chosen = select(func.max(audit.c.number))
    if first is not None:
        chosen = chosen.where(audit.c.number < first)
    found: int | None = connection.execute(chosen).scalar()
    return found
