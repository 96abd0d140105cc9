"""Answers what pages ask of a store: queues, an alert with its history, accounts, incidents."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, tuple_

from monitor.core.alert import Kind
from monitor.store.days import latest_of_account, lost_days
from monitor.store.intake import stored_action
from monitor.store.schema import (
    actions,
    alerts,
    outbox,
    progress,
    rejection_counts,
    rejections,
    revisions,
    users,
)
from monitor.store.standing import Action, State
from monitor.store.store import in_pieces

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 500
PRIORITY_MAX: Final = 100


class QueryError(ValueError):
    """A question that cannot be answered: the message says why."""


class AlertFilter(NamedTuple):
    """Which alerts are asked for: those that every part allows; None allows all.

    `status` is a State; `part` one of the two parts of what is open. `now` (microseconds) decides
    whether a snooze has ended. `text` is the beginning of an account's id, or a whole alert_id.
    """

    status: str | None = None
    kind: str | None = None
    severity: str | None = None
    account_id: str | None = None
    incident_id: str | None = None
    assignee: str | None = None
    is_unassigned: bool = False
    is_back: bool = False
    business_day: str | None = None
    since: int | None = None
    text: str | None = None
    now: int = 0
    part: str | None = None

    def parts(self) -> list["AlertFilter"]:
        """Return what is wanted in parts that exclude each other, each in the order of an index."""
        if self.status != State.OPEN.value:
            return [self]
        return [self._replace(part=part) for part in (NEVER_SNOOZED, SNOOZE_ENDED)]

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what a row of `alerts` must meet."""
        columns = alerts.c
        found: list[ColumnElement[bool]] = []
        if self.status is not None:
            found.append(_stands(self.status, self.now, self.part))
        for name in ("kind", "severity", "account_id", "incident_id", "assignee", "business_day"):
            value = getattr(self, name)
            if value is not None:
                found.append(columns[name] == value)
        if self.is_unassigned:
            found.append(columns.assignee.is_(None))
        if self.is_back:
            found.append(columns.is_back)
        if self.since is not None:
            found.append(columns.told_at >= self.since)
        if self.text is not None:
            found.append(
                or_(
                    columns.alert_id == self.text,
                    columns.account_id.startswith(self.text, autoescape=True),
                )
            )
        return found


NEVER_SNOOZED: Final = "never-snoozed"
SNOOZE_ENDED: Final = "snooze-ended"


def _stands(status: str, now: int, part: str | None) -> ColumnElement[bool]:
    columns = alerts.c
    ended = and_(columns.state == State.SNOOZED.value, columns.snoozed_until <= now)
    if part == SNOOZE_ENDED:
        return ended
    if part == NEVER_SNOOZED:
        return columns.state == status
    if status == State.OPEN.value:
        return or_(columns.state == status, ended)
    if status == State.SNOOZED.value:
        return and_(columns.state == status, columns.snoozed_until > now)
    return columns.state == status


class Page(NamedTuple):
    """Rows of alerts, and the cursor of the next page; None if it is the last."""

    rows: Sequence[Row[Any]]
    next: str | None


LISTED: Final = [column for column in alerts.c if column.name != "record"]
"""The columns of an alert without its record."""


def alert_page(
    connection: Connection,
    wanted: AlertFilter,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
) -> Page:
    """Return the alerts that matter most, a page of them. Raises QueryError if it is no cursor.

    A page begins after the row that the cursor names, so nothing moves when alerts come meanwhile.
    """
    limit = max(1, min(limit, LIMIT_MAX))
    after = None if cursor is None else _read_cursor(cursor)
    places = _first_places(connection, wanted, after, limit + 1)
    ids = [alert_id for _, alert_id in places[:limit]]
    found: dict[str, Row[Any]] = {}
    for piece in in_pieces(ids):
        of_page = select(alerts).where(alerts.c.alert_id.in_(piece))
        found |= {row.alert_id: row for row in connection.execute(of_page)}
    rows = [found[alert_id] for alert_id in ids]
    return Page(rows, cursor_of(rows[-1]) if len(places) > limit else None)


Place = tuple[int, str]
"""Where an alert stands in the queue: its priority and its id, the greatest first."""


def _first_places(
    connection: Connection, wanted: AlertFilter, after: Place | None, limit: int
) -> list[Place]:
    """Return the first places after one, of the alerts that are wanted.

    What is open is asked for in two parts, what nobody has snoozed and what a snooze has ended of:
    so each is read in the order of an index, and a page does not sort all that is open.
    """
    places: list[Place] = []
    for part in wanted.parts():
        chosen = select(alerts.c.priority, alerts.c.alert_id).where(*part.conditions())
        if after is not None:
            chosen = chosen.where(tuple_(alerts.c.priority, alerts.c.alert_id) < tuple_(*after))
        chosen = chosen.order_by(alerts.c.priority.desc(), alerts.c.alert_id.desc()).limit(limit)
        places += [(row.priority, row.alert_id) for row in connection.execute(chosen)]
    return sorted(places, reverse=True)[:limit]


def cursor_of(row: Row[Any]) -> str:
    """Return the cursor of the page that begins after an alert."""
    return base64.urlsafe_b64encode(f"{row.priority}:{row.alert_id}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        priority, _, alert_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
        if 0 <= int(priority) <= PRIORITY_MAX and "\0" not in alert_id:
            return int(priority), alert_id
    except ValueError:
        pass
    raise QueryError(f"cursor must be one that a page gave as `next`, not {cursor!r}")


def counts(connection: Connection, name: str, now: int) -> dict[str, int]:
    """Return how many alerts each tab of the queue has, for a person."""
    tabs = {
        "open": AlertFilter(status="open", now=now),
        "mine": AlertFilter(status="open", assignee=name, now=now),
        "back": AlertFilter(status="open", is_back=True, now=now),
        "waiting": AlertFilter(status="waiting", now=now),
        "snoozed": AlertFilter(status="snoozed", now=now),
        "closed": AlertFilter(status="closed", now=now),
        "withdrawn": AlertFilter(status="withdrawn", now=now),
    }
    return {tab: count_of(connection, wanted) for tab, wanted in tabs.items()}


COUNTED_MAX: Final = 10_000
"""Counting stops here: a page says "10,000 and more"."""


def count_of(connection: Connection, wanted: AlertFilter) -> int:
    """Return how many alerts are wanted, up to COUNTED_MAX."""
    number = 0
    for part in wanted.parts():
        some = select(alerts.c.alert_id).where(*part.conditions()).limit(COUNTED_MAX).subquery()
        number += int(connection.execute(select(func.count()).select_from(some)).scalar_one())
    return min(number, COUNTED_MAX)


def others_of_accounts(
    connection: Connection, account_ids: Sequence[str], now: int
) -> dict[str, int]:
    """Return how many open alerts each account has."""
    open_ones = AlertFilter(status="open", now=now).conditions()
    rows = connection.execute(
        select(alerts.c.account_id, func.count())
        .where(alerts.c.account_id.in_(account_ids), *open_ones)
        .group_by(alerts.c.account_id)
    ).all()
    return {row[0]: row[1] for row in rows}


def alert_row(connection: Connection, alert_id: str) -> Row[Any] | None:
    """Return an alert; None if no alert has this id."""
    return connection.execute(select(alerts).where(alerts.c.alert_id == alert_id)).one_or_none()


def revisions_of(connection: Connection, alert_id: str) -> Sequence[Row[Any]]:
    """Return all that was reported of an alert, by revision."""
    its = select(revisions).where(revisions.c.alert_id == alert_id)
    return connection.execute(its.order_by(revisions.c.revision)).all()


def actions_of(connection: Connection, alert_id: str) -> list[Action]:
    """Return all that people did with an alert, by time."""
    its = select(actions).where(actions.c.alert_id == alert_id)
    rows = connection.execute(its.order_by(actions.c.at, actions.c.action_id)).all()
    return [stored_action(row) for row in rows]


def days_of_account(
    connection: Connection, account_id: str, limit: int = 90
) -> list[Mapping[str, Any]]:
    """Return the latest closed days of an account, by day: the records of the topic."""
    return latest_of_account(connection, account_id, limit)


def alerts_of_account(
    connection: Connection, account_id: str, limit: int = 200
) -> Sequence[Row[Any]]:
    """Return the latest alerts of an account, the latest business day first."""
    its = select(alerts).where(alerts.c.account_id == account_id)
    return connection.execute(
        its.order_by(alerts.c.business_day.desc(), alerts.c.alert_id).limit(limit)
    ).all()


def actions_of_account(connection: Connection, account_id: str, limit: int = 100) -> list[Action]:
    """Return the latest actions on any alert of an account, the latest first."""
    its = select(actions).join(alerts, alerts.c.alert_id == actions.c.alert_id)
    rows = connection.execute(
        its.where(alerts.c.account_id == account_id)
        .order_by(actions.c.at.desc(), actions.c.action_id)
        .limit(limit)
    ).all()
    return [stored_action(row) for row in rows]


def incident_rows(connection: Connection, limit: int = 200) -> Sequence[Row[Any]]:
    """Return the systemic alerts, the latest business day first."""
    of_kind = select(alerts).where(alerts.c.kind == Kind.SYSTEMIC.value)
    return connection.execute(
        of_kind.order_by(alerts.c.business_day.desc(), alerts.c.alert_id).limit(limit)
    ).all()


def members_of(
    connection: Connection, incident_id: str, limit: int = LIMIT_MAX
) -> Sequence[Row[Any]]:
    """Return account alerts that a systemic alert explains, by day and account."""
    its = select(alerts).where(alerts.c.incident_id == incident_id)
    return connection.execute(
        its.order_by(alerts.c.business_day, alerts.c.account_id, alerts.c.alert_id).limit(limit)
    ).all()


def open_members(connection: Connection, incident_id: str, now: int) -> Sequence[Row[Any]]:
    """Return all members of a systemic alert that are open, by day and account: the listed columns.

    A bank has many of them, so their records are left out.
    """
    its = select(*LISTED).where(
        *AlertFilter(status="open", incident_id=incident_id, now=now).conditions()
    )
    return connection.execute(
        its.order_by(alerts.c.business_day, alerts.c.account_id, alerts.c.alert_id)
    ).all()


def rows_by_id(connection: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Return alerts by their ids: the listed columns. One that is not there is left out."""
    found: dict[str, Row[Any]] = {}
    for piece in in_pieces(ids):
        chosen = select(*LISTED).where(alerts.c.alert_id.in_(piece))
        found |= {row.alert_id: row for row in connection.execute(chosen)}
    return found


def latest_report(connection: Connection) -> tuple[int, str]:
    """Return the latest report of any alert, as `changed_since` takes it."""
    last = select(alerts.c.told_at, alerts.c.alert_id)
    row = connection.execute(
        last.order_by(alerts.c.told_at.desc(), alerts.c.alert_id.desc()).limit(1)
    ).one_or_none()
    return (0, "") if row is None else (row.told_at, row.alert_id)


def assignable(connection: Connection) -> Sequence[str]:
    """Return the names of the people who may work alerts."""
    may = select(users.c.name).where(users.c.is_active, users.c.role != "viewer")
    return connection.execute(may.order_by(users.c.name)).scalars().all()


def member_counts(connection: Connection, incident_id: str) -> dict[str, int]:
    """Return how many members a systemic alert has, by state."""
    rows = connection.execute(
        select(alerts.c.state, func.count())
        .where(alerts.c.incident_id == incident_id)
        .group_by(alerts.c.state)
    ).all()
    return {row[0]: row[1] for row in rows}


class Health(NamedTuple):
    """How far the store is, and what was rejected. Times are microseconds since 1970."""

    positions: Sequence[Row[Any]]
    rejected: Sequence[Row[Any]]  # hour, reason, rejected: the latest hours first
    samples: Sequence[Row[Any]]
    unsent: int  # decisions of people that the broker does not have yet
    latest: int | None  # when the latest alert was reported
    lost_days: Sequence[str]  # sealed business days whose files are not there


def health(connection: Connection, hours: int = 48) -> Health:
    """Return what the page of health shows."""
    return Health(
        connection.execute(select(progress).order_by(*progress.primary_key)).all(),
        connection.execute(
            select(rejection_counts)
            .order_by(rejection_counts.c.hour.desc(), rejection_counts.c.reason)
            .limit(hours)
        ).all(),
        connection.execute(
            select(rejections).order_by(rejections.c.told_at.desc()).limit(20)
        ).all(),
        int(
            connection.execute(
                select(func.count()).select_from(outbox).where(outbox.c.sent_at.is_(None))
            ).scalar_one()
        ),
        connection.execute(select(func.max(alerts.c.told_at))).scalar(),
        lost_days(connection),
    )


def changed_since(
    connection: Connection, told_at: int, alert_id: str, limit: int = 100
) -> Sequence[Row[Any]]:
    """Return alerts that were reported after another one, in the order of reporting."""
    place = tuple_(alerts.c.told_at, alerts.c.alert_id)
    later: Select[Any] = select(alerts).where(place > tuple_(told_at, alert_id))
    return connection.execute(
        later.order_by(alerts.c.told_at, alerts.c.alert_id).limit(limit)
    ).all()
